"""Bootstrap Jaccard index of each niche, patients drawn with replacement (Hennig 2007)."""

import numpy as np
import pandas as pd

from semanticst.niche.em import Cells
from semanticst.niche.mixture import MixtureSearch, subsample_rows
from semanticst.threads import in_parallel

DRAWN_CELLS = 4_000
"""Cells of one bootstrap sample."""
START_CELLS = 700
"""Cells on which a start is made: they find the best likelihood as often as twice as many, in a fifth of the time."""
JUDGED_CELLS = 20_000
"""Cells on which the found niches are compared with the niches of the cohort."""


def bootstrap_jaccard(
    X: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    k: int,
    *,
    shrinkage: float,
    bootstraps: int,
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Jaccard index of each niche with the part that is most like it, once per bootstrap: (bootstraps, k).

    ``X`` (n, d) one representation of the cells, ``labels`` (n,) niche 0..k-1, ``patients`` (n,). Each time as many
    patients as there are are drawn with replacement, then cells of these; a mixture of ``k`` parts is fitted to them
    and assigns the cells of the whole cohort. So a niche that hangs on one patient falls to another where this patient
    is not drawn; both then have an index of about their share of the sum. With one patient, cells alone are drawn. NaN
    for a niche without a cell among those that are judged.

    One mixture on one representation stands for the whole consensus, which makes the index an underestimate where
    representations differ. Time and memory depend on ``DRAWN_CELLS`` and ``JUDGED_CELLS``, hardly on n.
    """
    codes, names = pd.factorize(patients, sort=True)
    cells_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    judged = subsample_rows(len(X), JUDGED_CELLS, np.random.default_rng(seed))

    def once(number: int) -> np.ndarray:
        rng = np.random.default_rng([seed, number])
        drawn = np.concatenate([cells_of[p] for p in rng.integers(len(names), size=len(names))])
        drawn = rng.choice(drawn, min(len(X), DRAWN_CELLS))
        search = MixtureSearch(Cells.of(X[drawn]), starts=4, seed=seed + number, subsample=START_CELLS)
        mixture = search.fit(k, shrinkage=shrinkage, refine=1)
        return best_jaccard(labels[judged], mixture.predict(X[judged]), k)

    return np.array(in_parallel(once, range(bootstraps), threads, "niches drawn anew")).reshape(bootstraps, k)


def best_jaccard(labels: np.ndarray, parts: np.ndarray, k: int) -> np.ndarray:
    """max over j of |niche i and part j| / |niche i or part j|, shape (k,); ``labels`` and ``parts`` (n,) in 0..k-1."""
    both = np.bincount(labels * k + parts, minlength=k * k).reshape(k, k).astype(float)
    sizes = both.sum(1)
    either = sizes[:, None] + both.sum(0)[None, :] - both
    return np.where(sizes > 0, (both / np.maximum(either, 1)).max(1), np.nan)


def stability_table(labels: np.ndarray, stability: np.ndarray, jaccard: np.ndarray | None, k: int) -> pd.DataFrame:
    """Per niche (from 1): n_cells, stability (mean share of votes), jaccard and jaccard_sd over bootstraps.

    ``jaccard`` (bootstraps, k), None where none was drawn: these two columns are then empty.
    """
    n_cells = np.bincount(labels, minlength=k)
    drawn = None if jaccard is None or not len(jaccard) else jaccard
    return pd.DataFrame(
        {
            "niche": np.arange(1, k + 1),
            "n_cells": n_cells,
            "stability": np.bincount(labels, stability, minlength=k) / np.maximum(n_cells, 1),
            "jaccard": np.nan if drawn is None else drawn.mean(0),
            "jaccard_sd": np.nan if drawn is None else drawn.std(0),
        }
    ).round(4)
