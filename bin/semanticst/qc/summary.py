"""Record of the quality control of a sample, and its warnings."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType, Obs
from semanticst.io.understood import NUMBERS, understood
from semanticst.io.values import uncounted
from semanticst.qc.labels import title_of
from semanticst.qc.metrics import histograms, quantiles
from semanticst.qc.spatial import CHECKS
from semanticst.qc.thresholds import QcSettings, Threshold
from semanticst.units import percent

if TYPE_CHECKING:
    from semanticst.qc.sample import Judged

PASS, WARN, FAIL = "pass", "warn", "fail"

# Limits beyond which a sample deserves a look; none of them removes anything.
MOST_REMOVED = 0.25
FEW_CELLS = 50
LOW_MEDIAN_COUNTS = 20
HIGH_MEDIAN_MITO = 0.3
HIGH_MEDIAN_CONTROL = 0.05
MOST_COINCIDENT = 0.05
DOMINANT_FEATURE = 0.5
MOST_NEGATIVE = 0.25
MOST_LOCAL_OUTLIERS = 0.05
MOST_EDGE_ARTEFACTS = 0.01
HIGH_MEDIAN_ISOTYPE = 0.1
MOST_WITHOUT_PROTEIN = 0.25


def make_record(
    own: dict,
    n_features: int,
    kind: FeatureType,
    settings: QcSettings,
    limits: list[Threshold],
    judged: "Judged",
    regions: list[dict] | None,
) -> dict:
    """What the report says about a sample, without its status. own : ``uns['semanticst']``.

    regions : dead regions; None where the spatial checks did not run, of which nothing is said then.
    """
    removed, kept, metrics = judged.removed, judged.kept, judged.metrics
    times = np.sum(list(removed.values()), axis=0)
    flagged = {name: metrics[flag].to_numpy() for name, flag in CHECKS.items()} if regions is not None else {}
    filled = max(int((~removed["empty"]).sum()), 1)
    return {
        "sample": own["sample"],
        "patient": own["patient"],
        "batch": own["batch"],
        "platform": own["platform"],
        **({"study_part": str(own["study_part"])} if own.get("study_part") else {}),
        "feature_type": kind.value,
        "status": "",
        "reason": "",
        "reasons": [],
        "notes": [str(note) for note in own.get("notes", ())],
        "understood": understood(own),
        "left_out": {what: int(own.get(key, 0)) for key, what in NUMBERS.items()},
        "n_cells_input": len(kept),
        "n_cells_kept": int(kept.sum()),
        "n_features": n_features,
        "n_proteins": len(own.get("protein_names", ())),
        # cells beyond each limit; a cell may be beyond several, so these need not add up to the total
        "removed": {name: int(cells.sum()) for name, cells in removed.items()} | {"total": int((~kept).sum())},
        # cells that this limit alone removes: without it they would be kept
        "removed_only": {name: int((cells & (times == 1)).sum()) for name, cells in removed.items()},
        # of all cells that are not empty
        "spatial": {
            name: {"cells": int(cells.sum()), "share": float(cells.sum() / filled)} for name, cells in flagged.items()
        },
        "dead_regions": regions or [],
        "thresholds": {limit.name: limit.value for limit in limits},
        "threshold_sources": {limit.name: limit.source for limit in limits},
        "settings": asdict(settings),
        "overrides": dict(own["overrides"]),
        "quantiles": {"input": quantiles(metrics), "kept": quantiles(metrics[kept])},
        "histograms": histograms(metrics, kept),
    }


def failure(record: dict, min_cells: int) -> str:
    """Why the sample fails, or ``""``: too few cells are kept, and what took the most of them."""
    kept, given = record["n_cells_kept"], record["n_cells_input"]
    if kept >= min_cells:
        return ""
    text = f"{kept} of {given} cells kept, at least {min_cells} are needed"
    of_counts = record["feature_type"] == FeatureType.COUNTS
    losses = {name: n for name, n in record["removed"].items() if name != "total"}
    worst = max(losses, key=lambda name: losses[name])
    return text + (f" ({losses[worst]} cells: {title_of(worst, of_counts).lower()})" if losses[worst] else "")


def input_warnings(own: dict, kind: FeatureType) -> list[str]:
    """Reasons that lie in what was read. own : ``uns['semanticst']``."""
    return [*(str(warning) for warning in own.get("warnings", ())), *uncounted(kind, own["platform"])]


def cell_warnings(judged: "Judged") -> list[str]:
    """Reasons to look at a sample that keeps cells: how many, and where they lie."""
    kept = judged.kept
    found = []
    lost = 1 - kept.mean()
    if lost > MOST_REMOVED:
        found.append(f"{percent(lost)} of the cells removed")
    if kept.sum() < FEW_CELLS:
        found.append(f"only {kept.sum()} cells")
    coincident = pd.DataFrame(judged.points[kept]).duplicated(keep=False).mean()
    if coincident > MOST_COINCIDENT:
        found.append(f"{percent(coincident)} of the cells share their coordinates with another")
    negative = (judged.metrics.loc[kept, Obs.N_FEATURES] == 0).mean()
    if negative > MOST_NEGATIVE:
        found.append(f"{percent(negative)} of the cells have no positive marker")
    return found + protein_warnings(judged.metrics[kept])


def protein_warnings(metrics: pd.DataFrame) -> list[str]:
    """Reasons to look at the proteins of cells that are kept, where the sample has them beside its genes."""
    found = []
    if Obs.PROTEIN_TOTAL in metrics:
        without = (metrics[Obs.PROTEIN_TOTAL].isna() | (metrics[Obs.PROTEIN_TOTAL] == 0)).mean()
        if without > MOST_WITHOUT_PROTEIN:
            found.append(f"{percent(without)} of the cells have no protein")
    isotype = metrics[Obs.ISOTYPE_SHARE].median() if Obs.ISOTYPE_SHARE in metrics else 0
    if isotype > HIGH_MEDIAN_ISOTYPE:
        found.append(f"median isotype fraction of {percent(isotype)} of the proteins")
    return found


def count_warnings(adata, judged: "Judged") -> list[str]:
    """Reasons to look at the counts of a sample that keeps cells."""
    good = judged.metrics[judged.kept]
    found = []
    median = good[Obs.TOTAL].median()
    if median < LOW_MEDIAN_COUNTS:
        found.append(f"median of {median:.0f} counts per cell")
    for name, most, words in (
        (Obs.MITO_SHARE, HIGH_MEDIAN_MITO, "mitochondrial"),
        (Obs.CONTROL_SHARE, HIGH_MEDIAN_CONTROL, "control"),
    ):
        given = good[name].dropna() if name in good else pd.Series(dtype=float)
        if len(given) and given.median() > most:
            found.append(f"median {words} fraction of {percent(given.median())}")
    share = np.asarray(adata.X.sum(axis=0)).ravel() / judged.metrics[Obs.TOTAL].sum()
    if share.max() > DOMINANT_FEATURE:
        found.append(f"{adata.var_names[share.argmax()]} takes {percent(share.max())} of all counts")
    return found


def spatial_warnings(judged: "Judged", regions: list[dict]) -> list[str]:
    """Places that deserve a look, of a failed sample too: they may be why."""
    found = []
    local = judged.metrics.loc[judged.kept, Obs.LOCAL_OUTLIER].mean() if judged.kept.any() else 0
    if local > MOST_LOCAL_OUTLIERS:
        found.append(f"{percent(local)} of the cells differ from the cells around them")
    share = judged.metrics.loc[~judged.removed["empty"], list(CHECKS.values())].mean()
    if regions:
        first = regions[0]
        found.append(
            f"dead regions hold {percent(share[Obs.DEAD_REGION], 1)} of the cells (the largest: {first['cells']} "
            f"cells around x = {first['x']:.0f} and y = {first['y']:.0f} with {percent(first['counts'])} of the usual "
            "counts)"
        )
    if share[Obs.EDGE_ARTEFACT] > MOST_EDGE_ARTEFACTS:
        found.append(
            f"{percent(share[Obs.EDGE_ARTEFACT], 1)} of the cells lie in strips along the border that are far poorer "
            "than the cells inside"
        )
    return found
