"""Cells that differ from the cells around them.

A threshold for the whole sample mistakes a quiet region for poor cells; against its own neighbourhood a cell is
compared with tissue of its kind (SpotSweeper, Totty et al. 2025).
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from semanticst.constants import Obs
from semanticst.qc.neighbour_search import AROUND, apart, blocks
from semanticst.qc.thresholds import MAD_TO_SD

LIMIT = 3.0


def local_outliers(points: np.ndarray, metrics: pd.DataFrame) -> np.ndarray:
    """Bool per cell: low log counts, low log features or a high mitochondrial share among its neighbours.

    points : n_cells x 2. metrics : total_counts, n_features and mito_share of the same cells. A cell stands out when it
    is more than `LIMIT` robust deviations (scaled MAD of the neighbourhood) from the neighbourhood's median. All False
    in a sample with no more cells than a neighbourhood has.
    """
    outlier = np.zeros(len(points), bool)
    if len(points) <= AROUND or np.ptp(points, axis=0).max() == 0:
        return outlier
    # low is bad for the first two, high for the third
    values = [
        -np.log1p(metrics[Obs.TOTAL].to_numpy(np.float32)),
        -np.log1p(metrics[Obs.N_FEATURES].to_numpy(np.float32)),
        np.nan_to_num(metrics[Obs.MITO_SHARE].to_numpy(np.float32)),
    ]
    points = apart(points)
    for rows, _, near in blocks(cKDTree(points), points, AROUND):
        for column in values:
            # the cell itself is among its nearest; it is one of 37 and hardly moves a median
            around = column[near]
            median = np.median(around, axis=1)
            spread = MAD_TO_SD * np.median(np.abs(around - median[:, None]), axis=1)
            outlier[rows] |= (spread > 0) & (column[rows] - median > LIMIT * spread)
    return outlier
