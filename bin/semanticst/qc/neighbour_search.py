"""Neighbours of cells in space, block by block: one search for all spatial checks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

AROUND = 36
"""Cells of a neighbourhood: three rings of a hexagonal lattice, as SpotSweeper has it."""
NEAR = 18
"""Cells of a small neighbourhood: two rings."""
_TOUCHING = 8
"""Neighbours through which a region is connected: one ring and a little, for gaps of a lattice."""
_ROWS = 20_000
_SHIFT = 1e-6


@dataclass(frozen=True)
class Neighbourhoods:
    """What the neighbourhood of each of n cells is like."""

    points: np.ndarray
    """float64, n x 2"""
    tree: cKDTree
    reach: np.ndarray
    """float32, n: distance to the `NEAR`-th neighbour."""
    median: np.ndarray
    """float32, n: median of the values of the cell and its `NEAR` neighbours."""
    one_sided: np.ndarray
    """float32, n: length of the mean of the unit vectors to `AROUND` neighbours, 0 (neighbours on all sides) to 1. On
    a straight border it is 2 / pi = 0.64; inside, points at random have 0.15."""

    @property
    def spacing(self) -> float:
        """Side of the square that a cell has for itself, median over the cells."""
        return float(np.median(self.reach) * np.sqrt(np.pi / NEAR))


def neighbourhoods(points: np.ndarray, values: np.ndarray) -> Neighbourhoods | None:
    """Neighbourhoods of cells (points : n x 2, values : float32, n); None where there are no more than `AROUND`, or all
    lie in one place."""
    if len(points) <= AROUND or np.ptp(points, axis=0).max() == 0:
        return None
    points = apart(points)
    tree = cKDTree(points)
    reach, median, one_sided = (np.empty(len(points), np.float32) for _ in range(3))
    for rows, distances, near in blocks(tree, points, AROUND):
        reach[rows] = np.minimum(distances[:, NEAR], np.finfo(np.float32).max)
        median[rows] = np.median(values[near[:, : NEAR + 1]], axis=1)
        towards = points[near] - points[rows, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            towards /= distances[:, :, None]
        # the cell itself has no direction
        one_sided[rows] = np.hypot(*np.nan_to_num(towards).sum(axis=1).T) / AROUND
    return Neighbourhoods(points, tree, reach, median, one_sided)


def blocks(tree: cKDTree, points: np.ndarray, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """The ``k`` + 1 nearest of the tree (a cell of it is the nearest to itself), for some rows of ``points`` a time:
    rows, distances and numbers of the neighbours (rows x k + 1)."""
    for start in range(0, len(points), _ROWS):
        rows = slice(start, min(start + _ROWS, len(points)))
        yield rows, *tree.query(points[rows], k + 1)


def apart(points: np.ndarray) -> np.ndarray:
    """Points (n x 2), those that share a place moved by a millionth of the extent.

    The tree cannot split points in one place, so that many of them would cost their number squared.
    """
    again = pd.DataFrame(points).duplicated().to_numpy()
    if not again.any():
        return points
    points = points.copy()
    shifts = np.random.default_rng(0).uniform(-1, 1, (int(again.sum()), 2))
    points[again] += _SHIFT * np.ptp(points, axis=0).max() * shifts
    return points


def regions(around: Neighbourhoods, found: np.ndarray, least: int) -> np.ndarray:
    """Connected regions of the cells that are ``found`` (bool, n): int32 per cell, 1 for the largest, 0 for none.

    Two found cells are connected when one is among the 8 nearest of the other. Regions below ``least`` cells are
    dropped.
    """
    numbers = np.zeros(len(found), np.int32)
    cells = np.flatnonzero(found)
    if len(cells) < least:
        return numbers
    place = np.full(len(found), -1, np.int32)
    place[cells] = np.arange(len(cells), dtype=np.int32)
    ends = np.concatenate([place[near[:, 1:]] for _, _, near in blocks(around.tree, around.points[cells], _TOUCHING)])
    starts, column = np.nonzero(ends >= 0)
    graph = sp.coo_matrix((np.ones(len(starts), bool), (starts, ends[starts, column])), shape=(len(cells), len(cells)))
    part = connected_components(graph, directed=False)[1]
    sizes = np.bincount(part)
    # by falling size, ties by the first cell of the input
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(sizes), np.int32)
    rank[order] = np.arange(1, len(sizes) + 1)
    rank[sizes < least] = 0
    numbers[cells] = rank[part]
    return numbers


def density(around: Neighbourhoods, um: bool) -> np.ndarray:
    """Cells per 1e4 um^2 (``um``) or per squared unit of the coordinates, float32: `NEAR` cells in the circle that
    reaches the last of them. It is too low at the border of the tissue."""
    area = np.pi * np.maximum(around.reach.astype(np.float64), np.finfo(np.float32).tiny) ** 2
    return np.minimum(NEAR * (1e4 if um else 1.0) / area, np.finfo(np.float32).max).astype(np.float32)
