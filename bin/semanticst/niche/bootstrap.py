"""Bootstrap Jaccard index of each niche, patients drawn with replacement (Hennig 2007).

The samples of patients that were not drawn say beside it how well a sample agrees with niches found without it, and so
what may be expected of samples that are mapped onto them. A fit says whether a sample is like those of a model; where
these are unlike each other, as tumours are, a new one lies no further from them than they from each other: it fits, and
yet a training with it would have found other niches.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.niche.consensus import rand_index
from semanticst.niche.em import Cells
from semanticst.niche.mixture import MixtureSearch, subsample_rows
from semanticst.threads import in_parallel

log = logging.getLogger(__name__)

DRAWN_CELLS = 4_000
"""Cells of one bootstrap sample."""
START_CELLS = 700
"""Cells on which a start is made: they find the best likelihood as often as twice as many, in a fifth of the time."""
JUDGED_CELLS = 20_000
"""Cells on which the found niches are compared with the niches of the cohort."""
CELLS_OF_A_SAMPLE = 50
"""Of these, of a sample, from which on its agreement is known."""
LEFT_OUT = "left_out"
"""Name in the ``quality`` of a niche model: the agreement (S,) of its samples, sorted."""
DEPENDABLE = 0.6
"""Mean agreement below which mapped niches are not dependable. Measured: tumours 0.33 (mapped samples agreed with a
training that has them by 0.35), pancreas 0.56 (0.65), sections of cortex 0.75 (0.89), mice 0.90 (0.97), simulated
patients 0.84 (0.98)."""


@dataclass(frozen=True)
class Bootstraps:
    """``jaccard`` (bootstraps, k) of each niche; ``left_out`` of each sample whose patient was not drawn at least once:
    adjusted Rand index of its niches with those that were found then, mean over these bootstraps."""

    jaccard: np.ndarray
    left_out: dict[str, float]


def bootstrap_niches(
    X: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    samples: np.ndarray,
    k: int,
    *,
    shrinkage: float,
    bootstraps: int,
    seed: int,
    threads: int = 1,
) -> Bootstraps:
    """Jaccard index of each niche with the part that is most like it, once per bootstrap, and agreement of the samples
    that were left out.

    ``X`` (n, d) one representation of the cells, ``labels`` (n,) niche 0..k-1, ``patients`` and ``samples`` (n,). Each
    time as many patients as there are are drawn with replacement, then cells of these; a mixture of ``k`` parts is
    fitted to them and assigns the cells of the whole cohort. So a niche that hangs on one patient falls to another
    where this patient is not drawn; both then have an index of about their share of the sum. With one patient, cells
    alone are drawn. NaN for a niche without a cell among those that are judged.

    One mixture on one representation stands for the whole consensus, which makes the index an underestimate where
    representations differ. Time and memory depend on ``DRAWN_CELLS`` and ``JUDGED_CELLS``, hardly on n.
    """
    codes, names = pd.factorize(patients, sort=True)
    cells_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    judged = subsample_rows(len(X), JUDGED_CELLS, np.random.default_rng(seed))
    by_sample = pd.Series(samples[judged]).groupby(samples[judged]).indices
    judged_of = {str(sample): rows for sample, rows in by_sample.items() if len(rows) >= CELLS_OF_A_SAMPLE}

    def once(number: int) -> tuple[np.ndarray, dict[str, float]]:
        rng = np.random.default_rng([seed, number])
        patients_drawn = rng.integers(len(names), size=len(names))
        drawn = np.concatenate([cells_of[p] for p in patients_drawn])
        drawn = rng.choice(drawn, min(len(X), DRAWN_CELLS))
        search = MixtureSearch(Cells.of(X[drawn]), starts=4, seed=seed + number, subsample=START_CELLS)
        mixture = search.fit(k, shrinkage=shrinkage, refine=1)
        parts = mixture.predict(X[judged])
        left = {sample: rows for sample, rows in judged_of.items() if codes[judged[rows[0]]] not in patients_drawn}
        agreed = {sample: rand_index(labels[judged[rows]], parts[rows]) for sample, rows in left.items()}
        return best_jaccard(labels[judged], parts, k), agreed

    found = in_parallel(once, range(bootstraps), threads, "niches drawn anew")
    agreed = pd.DataFrame([of_samples for _, of_samples in found]).mean()
    return Bootstraps(
        np.array([jaccard for jaccard, _ in found]).reshape(bootstraps, k),
        {str(sample): float(value) for sample, value in agreed.sort_index().items()},
    )


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


def expected(quality: Mapping[str, np.ndarray]) -> float:
    """Mean agreement of a model's own samples, NaN where it has none (no bootstraps, one patient)."""
    known = np.atleast_1d(quality.get(LEFT_OUT, np.empty(0)))
    return float(known.mean()) if len(known) else float("nan")


def expectation(quality: Mapping[str, np.ndarray]) -> str:
    """The same in words, with the lowest and the highest; empty where it is not known."""
    mean = expected(quality)
    if np.isnan(mean):
        return ""
    low, high = np.atleast_1d(quality[LEFT_OUT])[[0, -1]]
    found = f"{mean:.2f} on average ({low:.2f} to {high:.2f}, adjusted Rand index within samples)"
    words = (
        f"The model's own samples, where their patients were left out of bootstraps, agreed with its niches by {found}"
    )
    if mean >= DEPENDABLE:
        return words
    return (
        f"{words}, at least {DEPENDABLE:g} is wanted: niches of samples mapped onto it are not dependable, whether "
        "they fit or not; it needs more patients"
    )


def agreement_of(samples: pd.Series, own: Mapping[str, float], quality: Mapping[str, np.ndarray]) -> pd.Series:
    """Agreement of each of ``samples``: of the model's ``own`` what each had, of those mapped what may be expected."""
    return samples.map(lambda sample: own.get(sample, expected(quality))).astype(float).round(4)


def tell_expectation(quality: Mapping[str, np.ndarray]) -> None:
    """Log what may be expected of mapped samples, as a warning where it is little."""
    if words := expectation(quality):
        log.log(logging.WARNING if expected(quality) < DEPENDABLE else logging.INFO, "%s", words)
