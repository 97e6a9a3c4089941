"""Numbers per cell, and their summary per sample."""

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType, Obs

METRICS = (Obs.TOTAL, Obs.N_FEATURES, Obs.MITO_SHARE)
HISTOGRAM_BINS = 30
QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


def cell_metrics(adata, kind: FeatureType) -> pd.DataFrame:
    """Metrics of each cell, in the order of ``adata``.

    total_counts : float32, sum of the values. n_features : int32, features that are not 0. mito_share : float32, share
    of the counts in mitochondrial features; NaN where there is none of them, or no counts.
    """
    X = adata.X
    total = np.asarray(X.sum(axis=1), dtype=np.float32).ravel()
    share = np.full(adata.n_obs, np.nan, np.float32)
    mito = mitochondrial(adata.var)
    if kind == FeatureType.COUNTS and mito.any():
        np.divide(X @ mito.astype(np.float32), total, out=share, where=total > 0)
    values = {Obs.TOTAL.value: total, Obs.N_FEATURES.value: np.diff(X.indptr).astype(np.int32)}
    return pd.DataFrame(values | {Obs.MITO_SHARE.value: share}, index=adata.obs_names)


def mitochondrial(var: pd.DataFrame) -> np.ndarray:
    """Which features are mitochondrial (bool): the name or the symbol begins with ``MT-``, in any case."""
    names = var.index.to_series() if "symbol" not in var else var["symbol"]
    found = var.index.str.upper().str.startswith("MT-")
    return np.asarray(found | names.astype(str).str.upper().str.startswith("MT-").to_numpy())


def quantiles(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`QUANTILES` of each metric (`METRICS`); empty for one without values."""
    given = {name: metrics[name].dropna() for name in METRICS}
    return {
        name.value: dict(zip(QUANTILES, np.quantile(column, list(QUANTILES.values())))) if len(column) else {}
        for name, column in given.items()
    }


def histograms(metrics: pd.DataFrame, kept: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Histograms of log10 total counts (a cell below 1 counts as 1) and of the number of features.

    Each has ``edges`` (31), and the number of cells per bin (30) among all cells (``input``) and ``kept`` ones.
    """
    values = {
        "log10_total_counts": np.log10(metrics[Obs.TOTAL].clip(lower=1)),
        "n_features": metrics[Obs.N_FEATURES],
    }
    result = {}
    for name, column in values.items():
        edges = np.histogram_bin_edges(column, HISTOGRAM_BINS)
        result[name] = {
            "edges": edges,
            "input": np.histogram(column, edges)[0],
            "kept": np.histogram(column[kept], edges)[0],
        }
    return result
