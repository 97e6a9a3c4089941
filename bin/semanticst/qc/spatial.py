"""Spatial checks: density, local outliers, dead regions, edges."""

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType, Obs
from semanticst.qc.local_outliers import local_outliers
from semanticst.qc.neighbour_search import density, neighbourhoods
from semanticst.qc.regions import dead_regions, edge_artefacts

CHECKS = {"local": Obs.LOCAL_OUTLIER.value, "dead": Obs.DEAD_REGION.value, "edge": Obs.EDGE_ARTEFACT.value}
"""Names of the checks in ``--qc-remove``, and their columns of flags."""
_MOST_REGIONS = 5


def judge_places(
    points: np.ndarray, metrics: pd.DataFrame, filled: np.ndarray, good: np.ndarray, kind: FeatureType, um: bool
) -> list[dict] | None:
    """Add the density and, for counts, the flags of `CHECKS` to ``metrics``; returns the largest dead regions.

    None where the checks did not run: there is nothing to flag in other values than counts (``metrics`` then has no
    flags), and nothing to compare with among few cells (all False, as other samples of the cohort have them).

    points : float64, n x 2, in micrometres if ``um``. filled : bool, n, cells that are not empty: density, dead regions
    and edges are judged among them, so that a region which the thresholds remove is named all the same. good : bool,
    n, cells within all thresholds: local outliers are judged among them.

    Of a region is told: cells, centre (x, y; mean of its cells) and counts (median of the neighbourhoods, as a share of
    that of the sample).
    """
    metrics[Obs.DENSITY.value] = np.float32(np.nan)
    if kind == FeatureType.COUNTS:
        for flag in CHECKS.values():
            metrics[flag] = False
    totals = metrics.loc[filled, Obs.TOTAL].to_numpy(np.float32)
    logs = np.log1p(np.maximum(totals, 0))  # z-scored values have negative totals, of which nothing is asked
    around = neighbourhoods(points[filled], logs)
    if around is None:
        return None
    metrics.loc[filled, Obs.DENSITY] = density(around, um)
    if kind != FeatureType.COUNTS:
        return None
    dead = dead_regions(around)
    metrics.loc[filled, Obs.DEAD_REGION] = dead > 0
    metrics.loc[filled, Obs.EDGE_ARTEFACT] = edge_artefacts(around, logs)
    metrics.loc[good, Obs.LOCAL_OUTLIER] = local_outliers(points[good], metrics[good])
    usual = np.median(around.median)
    found = []
    for number in range(1, min(int(dead.max()), _MOST_REGIONS) + 1):
        cells = dead == number
        x, y = around.points[cells].mean(axis=0)
        counts = np.expm1(np.median(around.median[cells])) / np.expm1(usual)
        found.append({"cells": int(cells.sum()), "x": float(x), "y": float(y), "counts": float(counts)})
    return found
