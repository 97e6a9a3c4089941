"""Regions of a sample with far fewer counts than they should hold: dead regions, and edges of the tissue.

Single cells that are poor among good ones are found by their neighbours (`semanticst.qc.local_outliers`); where all
neighbours are poor alike, that is blind. Sections tear and fold, dry at the rim, lose fields of view: Totty et al. 2025
(SpotSweeper: regional artefacts), the Bioconductor package SpatialArtifacts (areas of low counts, those that reach the
edge apart) and MerQuaCo (for MERSCOPE: lost tissue, dropped images) look for such areas. Here, both are
found from counts alone, as connected areas, in lattices and among cells alike. The constants were chosen on real
sections, as they are and damaged on purpose: see ``docs/output.md``.
"""

import numpy as np
from scipy.spatial import cKDTree

from semanticst.qc.neighbour_search import NEAR, Neighbourhoods, blocks, regions
from semanticst.qc.thresholds import scaled_mad

LEAST_CELLS = 10
"""Smallest region that is named."""
MADS = 3.0

DEAD_FOLD = (5.0, 8.0)
"""A region is dead at `MADS` deviations below the sample, but not above 1/5 of its counts (tissue differs by as much),
and at 1/8 of them in any case."""

ONE_SIDED = 0.4
"""Cells with neighbours as one-sided as this are the border; among points at random 3 in 1,000 inside are."""
RIMS = (1.0, 2.5)
"""Depths of the rim that are looked at, in cells."""
EDGE_FOLD = (3.0, 4.0)
"""A rim is poor at `MADS` deviations of all rims, but not above 1/3 of the counts inside, and at 1/4 in any case."""
_RIM_CELLS = 9
_BORDER_CELLS = 3


def dead_regions(around: Neighbourhoods) -> np.ndarray:
    """Dead regions (int32 per cell: 1 for the largest, 0 for none); ``around.median`` is that of log counts.

    A cell belongs to one when the median of its neighbourhood lies too far below the median over all neighbourhoods.
    """
    below = np.median(around.median) - around.median
    limit = np.clip(MADS * scaled_mad(around.median), *np.log(DEAD_FOLD))
    return regions(around, below > limit, LEAST_CELLS)


def edge_artefacts(around: Neighbourhoods, logs: np.ndarray) -> np.ndarray:
    """Bool per cell: in a poor strip along the border of the tissue. logs : float32, log counts.

    In a rim of the tissue, the nearest cells of the rim are compared with the nearest cells inside it. A cell belongs
    to the strip when these differ too much and it is poor itself. A strip that is wider than the rims has its like
    inside and is not found; it may be a dead region.
    """
    border = around.one_sided > ONE_SIDED
    found = np.zeros(len(logs), bool)
    if not border.any():
        return found
    depth = cKDTree(around.points[border]).query(around.points, distance_upper_bound=(RIMS[-1] + 1) * around.spacing)[0]
    for width in RIMS:
        rim = depth <= width * around.spacing
        if min(rim.sum(), (~rim).sum()) <= NEAR:
            continue
        outside = _median_of_nearest(around.points[rim], logs[rim], around.points[rim], _RIM_CELLS)
        inside = _median_of_nearest(around.points[~rim], logs[~rim], around.points[rim], NEAR)
        drop = inside - outside
        limit = np.clip(MADS * scaled_mad(drop), *np.log(EDGE_FOLD))
        found[rim] |= (drop > limit) & (inside - logs[rim] > limit / 2)
    strips = regions(around, found, LEAST_CELLS)
    on_border = np.bincount(strips[border], minlength=strips.max() + 1)
    return (strips > 0) & (on_border[strips] >= _BORDER_CELLS)


def _median_of_nearest(points: np.ndarray, values: np.ndarray, at: np.ndarray, k: int) -> np.ndarray:
    """Median (float32) of the values of the ``k`` points that are nearest to each place ``at``."""
    result = np.empty(len(at), np.float32)
    for rows, _, near in blocks(cKDTree(points), at, k - 1):
        result[rows] = np.median(values[near], axis=1)
    return result
