"""Cells that decide what the niches of a cohort are: a say for every sample, see `semanticst.features.sample_caps`."""

import anndata as ad
import numpy as np

from semanticst.constants import Obs
from semanticst.features.sample_caps import rows_with_a_say

DECIDES = "decides"
"""Column of ``obs`` of the object in memory: bool, whether the cell is one of them; absent where all are."""


def mark_deciding_cells(adata: ad.AnnData, seed: int) -> None:
    """Draw the cells of ``adata`` that decide."""
    samples, patients = (adata.obs[name].astype(str).to_numpy() for name in (Obs.SAMPLE, Obs.PATIENT))
    rows = rows_with_a_say(samples, patients, seed)
    if rows is not None:
        adata.obs[DECIDES] = np.isin(np.arange(adata.n_obs), rows)


def deciding_cells(adata: ad.AnnData) -> np.ndarray | slice:
    """Rows of these cells, in their order; a slice where all are, so that nothing is copied."""
    return np.flatnonzero(adata.obs[DECIDES]) if DECIDES in adata.obs else slice(None)
