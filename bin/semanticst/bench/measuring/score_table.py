"""The table of the benchmark of niches."""

import numpy as np
import pandas as pd

COLUMNS = {
    "ari": "joint ARI",
    "own_ari": "joint ARI, own k",
    "own_k": "own k",
    "nmi": "joint NMI",
    "ari_within": "ARI within samples",
    "chaos": "CHAOS",
    "pas": "PAS",
    "ilisi": "iLISI",
    "clisi": "domain LISI",
    "macro_f1": "macro F1",
    "types": "types",
    "cells": "cells",
    "unknown": "unknown",
    "seconds": "CPU s",
    "peak_mb": "peak MB",
}
DIGITS = {"own_k": 1, "seconds": 0, "peak_mb": 0, "types": 0, "cells": 0}


def table(scores: pd.DataFrame) -> str:
    """Markdown: number of seeds, mean and SD over them of every score that there is, a row per method as they ran.

    What failed says why, and notes on how a method was run stand below.
    """
    columns = [c for c in COLUMNS if c in scores and scores[c].notna().any()]
    head = [COLUMNS[c] for c in columns] or ["result"]
    lines = ["| | seeds | " + " | ".join(head) + " |", "|---" + "|--:" * (1 + len(head)) + "|"]
    notes = []
    for name, rows in scores.groupby("row", sort=False):
        cells = [mean_and_sd(rows[c].dropna().to_numpy(dtype=float), DIGITS.get(c, 3)) for c in columns]
        failed = rows["failed"].dropna().tolist() if "failed" in rows else []
        if failed and not any(cells):
            cells = [f"failed: {failed[0]}".replace("|", "/"), *[""] * (len(head) - 1)]
        elif failed:
            notes.append(f"{name}: seed {rows['seed'].max()} failed: {failed[0]}")
        lines.append(f"| {name} | {len(rows) - len(failed)} | " + " | ".join(cells) + " |")
        if "note" in rows:
            notes += [f"{name}: {note}" for note in dict.fromkeys(rows["note"].dropna()) if note]
    return "\n".join(lines + ([""] + [f"- {note}" for note in notes] if notes else []))


def mean_and_sd(values: np.ndarray, digits: int) -> str:
    """``0.85 ± 0.01``; the value where there is one, nothing where there is none."""
    if not len(values):
        return ""
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"
