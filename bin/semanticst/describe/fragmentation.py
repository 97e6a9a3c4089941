"""Fragmentation of niches: connected patches of their cells in each sample."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import Obs
from semanticst.describe.neighbourhood import neighbour_edges


def niche_patches(cohort: Cohort) -> pd.DataFrame:
    """Count the patches of every niche in every sample.

    A patch is a set of cells of one niche that are connected through neighbours of that niche (two cells are
    neighbours when one is among the 6 nearest of the other, as for contacts). A lonely cell is a patch.

    Returns columns sample, patient, niche, n_cells, n_patches, sorted by sample and niche, zeros included.
    """
    patient = dict(zip(cohort.samples[Obs.SAMPLE], cohort.samples[Obs.PATIENT]))
    niche = cohort.cells[Obs.NICHE].to_numpy() - 1
    n_niches = len(cohort.niches)
    tables = []
    for sample, rows in cohort.sample_rows():
        patch_niche = niche[rows][first_cells_of_patches(niche[rows], *neighbour_edges(cohort.xy[rows]))]
        tables.append(
            pd.DataFrame(
                {
                    "sample": sample,
                    "patient": patient[sample],
                    "niche": cohort.niches,
                    "n_cells": np.bincount(niche[rows], minlength=n_niches),
                    "n_patches": np.bincount(patch_niche, minlength=n_niches),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def first_cells_of_patches(niche: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One cell (its row) of every patch; ``first`` and ``second`` are the ends of the edges between neighbours."""
    same = niche[first] == niche[second]
    n = len(niche)
    graph = sp.coo_matrix((np.ones(same.sum(), dtype=bool), (first[same], second[same])), shape=(n, n))
    return np.unique(connected_components(graph, directed=False)[1], return_index=True)[1]
