"""Quality control of one sample."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from semanticst.constants import UNS, FeatureType, Obs, Obsm
from semanticst.io.internal import feature_type
from semanticst.qc.local import local_outliers
from semanticst.qc.metrics import cell_metrics, histograms, quantiles
from semanticst.qc.thresholds import QcSettings, Threshold, thresholds

PASS, WARN, FAIL = "pass", "warn", "fail"

# Limits beyond which a sample deserves a look; none of them removes anything.
MOST_REMOVED = 0.25
FEW_CELLS = 50
LOW_MEDIAN_COUNTS = 20
HIGH_MEDIAN_MITO = 0.3
MOST_COINCIDENT = 0.05
DOMINANT_FEATURE = 0.5
MOST_NEGATIVE = 0.25
MOST_LOCAL_OUTLIERS = 0.05


def check_sample(adata, settings: QcSettings):
    """Keep the good cells of a sample in the internal form.

    Returns the object with the cells that are kept (``obs`` gains total_counts, n_features, mito_share and
    local_outlier, ``uns['semanticst']`` the thresholds) and the record for the report; the object is None when the
    sample fails.
    """
    settings = settings.overridden(adata.uns[UNS]["overrides"])
    settings = replace(settings, min_cells=int(settings.min_cells))
    kind = feature_type(adata)
    metrics = cell_metrics(adata, kind)
    limits = thresholds(metrics, kind, settings)
    # a cell that is negative for every marker of a binary panel is an observation, not an empty cell
    empty = (np.diff(adata.X.indptr) == 0) & (kind != FeatureType.BINARY)
    removed = {"empty": empty} | {limit.name: limit.fails(metrics) & ~empty for limit in limits}
    kept = ~np.any(list(removed.values()), axis=0)

    # judged among the cells that are kept, and for the eye of the user only: nothing is removed for its place
    metrics[Obs.LOCAL_OUTLIER.value] = False
    if kind == FeatureType.COUNTS:
        metrics.loc[kept, Obs.LOCAL_OUTLIER] = local_outliers(adata.obsm[Obsm.SPATIAL][kept], metrics[kept])

    record = _record(adata, kind, settings, limits, metrics, removed, kept)
    if kept.sum() < settings.min_cells:
        status, reasons = FAIL, [f"{kept.sum()} of {len(kept)} cells kept, at least {settings.min_cells} are needed"]
    else:
        reasons = _doubts(adata, kind, metrics, kept)
        status = WARN if reasons else PASS
    record |= {"status": status, "reason": "; ".join(reasons), "reasons": reasons}
    if status == FAIL:
        return None, record

    clean = adata if kept.all() else adata[kept].copy()
    clean.obs = clean.obs.join(metrics)
    clean.uns[UNS]["qc"] = {"status": status} | {limit.name: limit.value for limit in limits}
    return clean, record


def _record(
    adata,
    kind: FeatureType,
    settings: QcSettings,
    limits: list[Threshold],
    metrics: pd.DataFrame,
    removed: dict[str, np.ndarray],
    kept: np.ndarray,
) -> dict:
    """What the report says about a sample, without its status."""
    own = adata.uns[UNS]
    return {
        "sample": own["sample"],
        "patient": own["patient"],
        "batch": own["batch"],
        "platform": own["platform"],
        "feature_type": kind.value,
        "status": "",
        "reason": "",
        "reasons": [],
        "n_cells_input": len(kept),
        "n_cells_kept": int(kept.sum()),
        "n_features": adata.n_vars,
        # cells beyond each limit; a cell may be beyond several, so these need not add up to the total
        "removed": {name: int(cells.sum()) for name, cells in removed.items()} | {"total": int((~kept).sum())},
        "local_outliers": int(metrics[Obs.LOCAL_OUTLIER].sum()),
        "thresholds": {limit.name: limit.value for limit in limits},
        "threshold_sources": {limit.name: limit.source for limit in limits},
        "settings": asdict(settings),
        "overrides": dict(own["overrides"]),
        "quantiles": {"input": quantiles(metrics), "kept": quantiles(metrics[kept])},
        "histograms": histograms(metrics, kept),
    }


def _doubts(adata, kind: FeatureType, metrics: pd.DataFrame, kept: np.ndarray) -> list[str]:
    """Reasons to look at a sample that is kept."""
    found = []
    good = metrics[kept]
    lost = 1 - kept.mean()
    if lost > MOST_REMOVED:
        found.append(f"{lost:.0%} of the cells removed")
    if len(good) < FEW_CELLS:
        found.append(f"only {len(good)} cells")
    points = pd.DataFrame(adata.obsm[Obsm.SPATIAL][kept])
    coincident = points.duplicated(keep=False).mean()
    if coincident > MOST_COINCIDENT:
        found.append(f"{coincident:.0%} of the cells share their coordinates with another")
    negative = (good[Obs.N_FEATURES] == 0).mean()
    if negative > MOST_NEGATIVE:
        found.append(f"{negative:.0%} of the cells have no positive marker")
    if kind != FeatureType.COUNTS:
        return found
    median = good[Obs.TOTAL].median()
    if median < LOW_MEDIAN_COUNTS:
        found.append(f"median of {median:.0f} counts per cell")
    mito = good[Obs.MITO_SHARE].dropna()
    if len(mito) and mito.median() > HIGH_MEDIAN_MITO:
        found.append(f"median mitochondrial share of {mito.median():.0%}")
    local = good[Obs.LOCAL_OUTLIER].mean()
    if local > MOST_LOCAL_OUTLIERS:
        found.append(f"{local:.0%} of the cells differ from the cells around them")
    share = np.asarray(adata.X.sum(axis=0)).ravel() / metrics[Obs.TOTAL].sum()
    if share.max() > DOMINANT_FEATURE:
        found.append(f"{adata.var_names[share.argmax()]} takes {share.max():.0%} of all counts")
    return found
