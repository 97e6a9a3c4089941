"""Fingerprints of samples: sketches of its cells and counts, its profile, its genes of sex.

Small enough for a record of every sample, so that the cohort is compared (`semanticst.qc.mix_ups`) without its files.
"""

from itertools import combinations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import FeatureType, Obsm
from semanticst.io.internal import feature_type

SKETCH = 256
"""Smallest hashes that are kept: two samples that share a tenth of their cells have a dozen of them in common."""
PROFILE = 500
"""Features of a profile: those with the smallest hashes of their names, the same ones in every sample of a panel."""
_LEAST_FEATURES = 10
"""Counts with fewer features are not told apart by them: two cells may have the same by chance."""
_ROWS = 2_000
"""Cells of which values are held as float64 at once; of 20,000 bins of Visium HD these were 50 MB."""
NEIGHBOURS, RATIO, REPEATED = (3, 4, 5), 0.01, 0.0005
"""Neighbours that make a shape; step of logarithms of distances that is told apart; share of shapes of a sample that
may occur more than once, so that two samples have next to none in common by chance."""
LATTICE = 0.28
"""Median logarithm of the distance to the fourth neighbour over that to the first, below which spots form a lattice: 0
in one, up to 0.24 where the places of spots were corrected (ST), 0.33 and more among cells."""
BAND, BANDS = 64, 8
"""Features in a band, and how many bands are looked at."""
_BITS = np.uint64((1 << 52) - 1)
X_GENES = ("XIST",)
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY", "EIF2S3Y")
"""Of the Y chromosome outside the parts that it shares with X; in mice the same names but for their case."""


def fingerprint(adata, kept: np.ndarray) -> dict:
    """Sketches and profile of a sample. kept : cells (bool) of which profile and genes of sex are told.

    ``cells``, ``counts`` : smallest hashes (int) of the cells by id and place, and by their values; empty where these
    do not tell cells apart. ``places``, ``patterns`` : the same of what stays when ids are changed, the section is
    turned and values are normalised: how a cell's neighbours lie, and which features it has. ``profile`` : feature ->
    value. ``sex`` : where the panel has any, counts of the genes of X inactivation and of Y, and whether it has both.
    ``doubles`` : of each sketch, how many hashes two cells of the sample have, which tells what chance gives.
    """
    kind = feature_type(adata)
    hashes = {
        "cells": _hashed_cells(adata),
        "counts": _hashed_values(adata.X, adata.var_names, kind),
        "places": _hashed_places(adata),
        "patterns": _hashed_patterns(adata.X, adata.var_names, kind),
    }
    sketches = {name: _sketch(of_cells) for name, of_cells in hashes.items()}
    return {
        **{name: sketch for name, (sketch, _) in sketches.items()},
        "doubles": {name: doubles for name, (_, doubles) in sketches.items()},
        "profile": _profile(adata.X, adata.var_names, kept, kind),
        "sex": _sex(adata.X, adata.var_names, kept) if kind == FeatureType.COUNTS else {},
    }


def _sketch(hashes: np.ndarray) -> tuple[list[int], int]:
    """The smallest hashes that occur once, and how many occur twice."""
    found, times = np.unique(hashes & _BITS, return_counts=True)
    return [int(value) for value in found[times == 1][:SKETCH]], int((times == 2).sum())


def part_told(sketch: list[int]) -> float:
    """Share of all hashes that a sketch tells of: those up to its last, or all where nothing was left out."""
    return (sketch[-1] + 1) / (int(_BITS) + 1) if len(sketch) >= SKETCH else 1.0


def _hashed_cells(adata) -> np.ndarray:
    """Hashes of id, x and y. None on a lattice, where other samples have the same ids at the same places."""
    points = np.asarray(adata.obsm[Obsm.SPATIAL]).round(3)
    if not _scattered(points):
        return np.zeros(0, np.uint64)
    table = pd.DataFrame(points, index=adata.obs_names.astype(str).to_numpy(object))
    return pd.util.hash_pandas_object(table).to_numpy(np.uint64)


def _scattered(points: np.ndarray) -> bool:
    wide, high = (len(np.unique(points[:, axis])) for axis in (0, 1))
    return min(wide, high) >= 0.5 * len(points) or (min(wide, high) >= 200 and wide * high > 20 * len(points))


def _hashed_places(adata) -> np.ndarray:
    """Hashes of how a cell and its nearest neighbours lie, the same in a section that is turned, mirrored, moved or in
    another unit, and for some cells where others are left out. As many neighbours as make these shapes unique: three,
    or more where coordinates are whole pixels. None on a lattice, turned or not, where all cells have the same.
    """
    from scipy.spatial import cKDTree  # 15 MB, here beside a sample that is read by then

    points = np.asarray(adata.obsm[Obsm.SPATIAL], dtype=np.float64)
    if len(points) <= max(NEIGHBOURS) or not _scattered(points.round(3)):
        return np.zeros(0, np.uint64)
    distance, near = cKDTree(points).query(points, k=max(NEIGHBOURS) + 1)
    near = near[distance[:, 1] > 0]
    distance = distance[distance[:, 1] > 0]
    if not len(distance) or np.median(np.log(distance[:, 4] / distance[:, 1])) < LATTICE:
        return np.zeros(0, np.uint64)
    for n in NEIGHBOURS:
        shapes = _shapes(points, near[:, : n + 1])
        times = np.unique(shapes, return_counts=True)[1]
        if (times > 1).mean() < REPEATED:
            return shapes
    return np.zeros(0, np.uint64)


def _shapes(points: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Hashes of the distances within groups of points over the first of them. near : groups x points, int."""
    pairs = list(combinations(range(near.shape[1]), 2))
    found = np.zeros(len(near), np.uint64)
    first = np.linalg.norm(points[near[:, 0]] - points[near[:, 1]], axis=1)
    for number, (one, other) in enumerate(pairs[1:]):  # one after the other: 500,000 groups are 4 MB each
        length = np.linalg.norm(points[near[:, one]] - points[near[:, other]], axis=1)
        step = np.rint(np.log(np.maximum(length / np.maximum(first, 1e-12), 1e-3)) / RATIO).astype(np.int64)
        found ^= pd.util.hash_array(step * 64 + number)
    return found


def _hashed_patterns(X, features: pd.Index, kind: FeatureType) -> np.ndarray:
    """Hashes of which features of a band a cell has: the same when values are normalised, mostly also when few change.

    Bands are features with neighbouring hashes of their names, about 64 and 32 of them, so that what was left out of
    one sample changes few (bands of locality-sensitive hashing).
    """
    if kind not in (FeatureType.COUNTS, FeatureType.CONTINUOUS):
        return np.zeros(0, np.uint64)
    names, hashes = _names_hashed(features), []
    weights = (names & np.uint64((1 << 28) - 1)).astype(np.float64)
    coarse = int(np.log2(max(len(features) / BAND, 1)))
    for level in (coarse, coarse + 1):
        band = (names >> np.uint64(64 - level)).astype(np.int64) if level else np.zeros(len(names), np.int64)
        chosen = np.flatnonzero(band < BANDS)
        n_bands = min(BANDS, 1 << level)
        member = sp.csr_matrix((np.ones(len(chosen)), (chosen, band[chosen])), shape=(len(names), n_bands))
        weighted = member.multiply(weights[:, None]).tocsr()
        width = np.asarray(member.sum(axis=0)).ravel()
        for start in range(0, X.shape[0], _ROWS):
            rows = X[start : start + _ROWS]
            rows = sp.csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)
            has = np.asarray((rows @ member).todense())
            sums = np.asarray((rows @ weighted).todense())
            told = (has >= _LEAST_FEATURES) & (width - has >= _LEAST_FEATURES)
            sums += np.arange(n_bands) / 1024 + level / 16  # a part of the hash: patterns of one band are compared
            hashes.append(pd.util.hash_array(sums[told]))
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


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
