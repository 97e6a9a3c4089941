"""Fingerprints of samples: sketches of its cells and counts, its profile, its genes of sex.

Small enough for a record of every sample, so that the cohort is compared (`semanticst.qc.mix_ups`) without its files.
"""

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType, Obsm
from semanticst.io.internal import feature_type

SKETCH = 256
"""Smallest hashes that are kept: two samples that share a tenth of their cells have dozens of them in common."""
PROFILE = 500
"""Features of a profile: those with the smallest hashes of their names, the same ones in every sample of a panel."""
_LEAST_FEATURES = 10
"""Counts with fewer features are not told apart by them: two cells may have the same by chance."""
_ROWS = 2_000
"""Cells of which values are held as float64 at once; of 20,000 bins of Visium HD these were 50 MB."""
_BITS = np.uint64((1 << 52) - 1)
X_GENES = ("XIST",)
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY", "EIF2S3Y")
"""Of the Y chromosome outside the parts that it shares with X; in mice the same names but for their case."""


def fingerprint(adata, kept: np.ndarray) -> dict:
    """Sketches and profile of a sample. kept : cells (bool) of which profile and genes of sex are told.

    ``cells``, ``counts`` : smallest hashes (int) of the cells by id and place, and by their values; empty where these
    do not tell cells apart. ``profile`` : feature -> value. ``sex`` : where the panel has any, counts of the genes of
    X inactivation and of Y, and whether it has both.
    """
    kind = feature_type(adata)
    return {
        "cells": _sketch(_hashed_cells(adata)),
        "counts": _sketch(_hashed_values(adata.X, adata.var_names, kind)),
        "profile": _profile(adata.X, adata.var_names, kept, kind),
        "sex": _sex(adata.X, adata.var_names, kept) if kind == FeatureType.COUNTS else {},
    }


def _sketch(hashes: np.ndarray) -> list[int]:
    return [int(value) for value in np.unique(hashes & _BITS)[:SKETCH]]


def _hashed_cells(adata) -> np.ndarray:
    """Hashes of id, x and y. None on a lattice, where other samples have the same ids at the same places."""
    points = np.asarray(adata.obsm[Obsm.SPATIAL]).round(3)
    wide, high = (len(np.unique(points[:, axis])) for axis in (0, 1))
    scattered = min(wide, high) >= 0.5 * len(points) or (min(wide, high) >= 200 and wide * high > 20 * len(points))
    if not scattered:
        return np.zeros(0, np.uint64)
    table = pd.DataFrame(points, index=adata.obs_names.astype(str).to_numpy(object))
    return pd.util.hash_pandas_object(table).to_numpy(np.uint64)


def _hashed_values(X, features: pd.Index, kind: FeatureType) -> np.ndarray:
    """Hashes of the values of cells that have enough of them to be told apart."""
    if kind not in (FeatureType.COUNTS, FeatureType.CONTINUOUS):
        return np.zeros(0, np.uint64)
    weights = (_names_hashed(features) & np.uint64((1 << 28) - 1)).astype(np.float64)
    sums = np.empty(X.shape[0])
    for start in range(0, X.shape[0], _ROWS):
        sums[start : start + _ROWS] = X[start : start + _ROWS].astype(np.float64) @ weights
    told = np.diff(X.indptr) >= (_LEAST_FEATURES if kind == FeatureType.COUNTS else 2)
    return pd.util.hash_array(sums[told])


def _names_hashed(features: pd.Index) -> np.ndarray:
    return pd.util.hash_array(features.astype(str).to_numpy(object), categorize=False)


def _profile(X, features: pd.Index, kept: np.ndarray, kind: FeatureType) -> dict[str, float]:
    """Mean of each feature over the cells; of counts log(1 + x) at 10,000 in all."""
    if not kept.any():
        return {}
    total = _totals(X, kept)
    values = total / kept.sum()
    if kind == FeatureType.COUNTS:
        values = np.log1p(1e4 * total / max(total.sum(), 1))
    chosen = np.argsort(_names_hashed(features), kind="stable")[:PROFILE]
    return {str(features[i]): float(f"{values[i]:.4g}") for i in chosen}


def _totals(X, kept: np.ndarray) -> np.ndarray:
    """Sum of each feature over the cells that are ``kept`` (bool): float64. In blocks: a product with all rows would
    copy all values as float64."""
    total = np.zeros(X.shape[1])
    for start in range(0, X.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        total += np.asarray(kept[rows].astype(np.float64) @ X[rows]).ravel()
    return total


def _sex(X, features: pd.Index, kept: np.ndarray) -> dict[str, float | bool]:
    names = features.astype(str).str.upper()
    on_x, on_y = names.isin(X_GENES), names.isin(Y_GENES)
    if not (on_x.any() and on_y.any()) or not kept.any():
        return {}
    total = _totals(X, kept)
    return {"x": float(total[on_x].sum()), "y": float(total[on_y].sum())}
