"""What a niche is rich in, in a few words, from the table of markers."""

from pathlib import Path

import pandas as pd

from semanticst.clinical.tables import read_text_table

MOST = 3
"""Markers that are named."""


def read_marks(path: Path) -> dict[str, str]:
    """Read ``niche_markers.csv``: the best markers of each niche (those above the rest only) as ``A, B and C``."""
    table = read_text_table(path, ("niche", "symbol", "score", "rank"))
    table[["rank", "score"]] = table[["rank", "score"]].apply(pd.to_numeric)
    best = table[(table["rank"] <= MOST) & (table["score"] > 0)].sort_values(["niche", "rank"], kind="stable")
    return {str(niche): _listed(rows["symbol"].tolist()) for niche, rows in best.groupby("niche", sort=True)}


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
