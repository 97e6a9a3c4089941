"""Scores of niches: agreement with an annotation, coherence in the tissue, mixing of samples."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import NearestNeighbors

NOT_ANNOTATED = ("", "NA", "nan", "None", "NoAnnotation", "undetermined", "unknown")
"""Values of ``obs['domain']`` of cells that were not annotated. They are left out of scores, and only there."""

NEIGHBOURS = 30
LISI_CELLS = 5_000

PAS_NEIGHBOURS = 10
PAS_OTHERS = 6
"""A cell is out of place when at least this many of its 10 nearest cells are in another niche."""


def annotated(domain: Iterable[str]) -> np.ndarray:
    """Which cells have a true domain (bool)."""
    return ~np.isin(np.asarray(list(domain), dtype=str), NOT_ANNOTATED)


def agreement(domain: np.ndarray, sample: np.ndarray, niche: np.ndarray) -> dict[str, float]:
    """Joint ARI and NMI over all annotated cells, and the mean over samples of the ARI within each.

    A method that gives every patient niches of its own can have a fair joint score where patients differ in
    composition; the score within samples then tells.
    """
    known = annotated(domain)
    domain, sample, niche = domain[known], sample[known], niche[known]
    within = [adjusted_rand_score(domain[sample == s], niche[sample == s]) for s in np.unique(sample)]
    return {
        "ari": adjusted_rand_score(domain, niche),
        "nmi": normalized_mutual_info_score(domain, niche),
        "ari_within": float(np.mean(within)),
    }


def found_again(rare: np.ndarray, niche: np.ndarray) -> dict[str, float]:
    """``recall`` and ``precision`` of the niche that has the cells of a ``rare`` domain (n,) bool best (Jaccard)."""
    both, sizes = (pd.Series(rare).groupby(niche).agg(how) for how in ("sum", "size"))
    best = (both / (sizes + rare.sum() - both)).idxmax()
    return {"recall": float(both[best] / rare.sum()), "precision": float(both[best] / sizes[best])}


def lisi(X: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """Median inverse Simpson's index of ``labels`` among the 30 nearest cells in ``X`` (n, d); at most 5,000 asked.

    1 = neighbours are all of one label, number of labels = all alike frequent (Korsunsky et al. 2019, without the
    kernel). Of samples (iLISI) high is well mixed, of domains (cLISI) low is well kept.
    """
    n = min(NEIGHBOURS, len(X) - 1)
    asked = np.random.default_rng(seed).permutation(len(X))[:LISI_CELLS]
    near = NearestNeighbors(n_neighbors=n + 1).fit(X).kneighbors(X[asked], return_distance=False)[:, 1:]
    codes = np.unique(labels, return_inverse=True)[1]
    shares = np.stack([(codes[near] == c).mean(axis=1) for c in range(codes.max() + 1)])
    return float(np.median(1 / (shares**2).sum(axis=0)))


def coherence(xy: np.ndarray, sample: np.ndarray, niche: np.ndarray) -> dict[str, float]:
    """CHAOS and PAS (Shang & Zhou 2022), means over samples; low is coherent. ``xy`` (n, 2), the others (n,)."""
    samples = [sample == s for s in np.unique(sample)]
    return {
        "chaos": float(np.mean([chaos(xy[rows], niche[rows]) for rows in samples])),
        "pas": float(np.mean([pas(xy[rows], niche[rows]) for rows in samples])),
    }


def chaos(xy: np.ndarray, niche: np.ndarray) -> float:
    """Mean distance of a cell to the nearest cell of its niche in one sample, coordinates scaled to variance 1.

    Niches of one or two cells are left out, as the authors do; NaN when there are no others.
    """
    places = (xy - xy.mean(axis=0)) / np.maximum(xy.std(axis=0), 1e-12)
    total, n = 0.0, 0
    for rows in (niche == k for k in np.unique(niche)):
        if rows.sum() > 2:
            total += NearestNeighbors(n_neighbors=1).fit(places[rows]).kneighbors()[0].sum()
            n += rows.sum()
    return total / n if n else float("nan")


def pas(xy: np.ndarray, niche: np.ndarray) -> float:
    """Share of the cells of one sample of whose 10 nearest cells at least 6 are in another niche."""
    n = min(PAS_NEIGHBOURS, len(xy) - 1)
    near = NearestNeighbors(n_neighbors=n).fit(xy).kneighbors(return_distance=False)
    return float(((niche[near] != niche[:, None]).sum(axis=1) >= PAS_OTHERS).mean())
