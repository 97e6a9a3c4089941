"""Neighbourhood of niches: contacts against those that their sizes make likely."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import Obs
from semanticst.graph.neighbours import nearest_in_space, symmetric_adjacency

NEIGHBOURS = 6
PSEUDO_EDGES = 0.5
"""Added to the edges seen and expected before their ratio is taken, so that a rare pair has no infinite ratio."""


def niche_contacts(cohort: Cohort) -> pd.DataFrame:
    """Count the neighbouring cells of each pair of niches in each sample.

    Two cells are neighbours when one is among the 6 nearest of the other, within a sample. ``expected`` is the mean
    count over all permutations of the niche labels of the sample's cells (closed form, see `expected_edges`), and
    ``log2_ratio`` = log2((edges + 0.5) / (expected + 0.5)). It is empty where the pair cannot occur.

    Returns columns sample, patient, niche_a, niche_b (niche_a <= niche_b, every pair), edges, expected, log2_ratio.
    """
    patient = dict(zip(cohort.samples[Obs.SAMPLE], cohort.samples[Obs.PATIENT]))
    niche = cohort.cells[Obs.NICHE].to_numpy() - 1
    n_niches = len(cohort.niches)
    a, b = np.triu_indices(n_niches)
    tables = []
    for sample, rows in cohort.sample_rows():
        first, second = neighbour_edges(cohort.xy[rows])
        edges = count_edges(niche[rows], first, second, n_niches)[a, b]
        sizes = np.bincount(niche[rows], minlength=n_niches)
        expected = expected_edges(sizes, len(first))[a, b]
        tables.append(
            pd.DataFrame(
                {
                    "sample": sample,
                    "patient": patient[sample],
                    "niche_a": a + 1,
                    "niche_b": b + 1,
                    "edges": edges,
                    "expected": expected,
                    "log2_ratio": log2_ratio(edges, expected),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def log2_ratio(edges: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Edges against expectation, with `PSEUDO_EDGES` on both; NaN where none can occur."""
    ratio = np.log2((edges + PSEUDO_EDGES) / (expected + PSEUDO_EDGES))
    return np.where(expected > 0, ratio, np.nan)


def neighbour_edges(xy: np.ndarray, k: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """Undirected edges, each once, between cells of which one is among the k nearest of the other."""
    if len(xy) < 2:
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    upper = sp.triu(symmetric_adjacency(nearest_in_space(xy, k)[0]), k=1).tocoo()
    return upper.row, upper.col


def count_edges(niche: np.ndarray, first: np.ndarray, second: np.ndarray, n_niches: int) -> np.ndarray:
    """Edges between niches (0, 1, ...): int64, n_niches x n_niches, upper triangle with the diagonal."""
    low, high = np.minimum(niche[first], niche[second]), np.maximum(niche[first], niche[second])
    return np.bincount(low * n_niches + high, minlength=n_niches**2).reshape(n_niches, n_niches)


def expected_edges(sizes: np.ndarray, n_edges: int) -> np.ndarray:
    """Mean edges between niches over all permutations of the labels: float64, n_niches x n_niches.

    Any two of the n cells are equally likely to be the ends of an edge, so E[a, b] = E 2 n_a n_b / (n (n - 1)) and
    E[a, a] = E n_a (n_a - 1) / (n (n - 1)).
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    pairs = 2 * np.outer(sizes, sizes)
    np.fill_diagonal(pairs, sizes * (sizes - 1))
    n = sizes.sum()
    return n_edges * pairs / max(n * (n - 1), 1)
