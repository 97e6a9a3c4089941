"""Number of niches: stability over random halves, and the Bayesian information criterion."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.mqc.multiqc import NICHES, Section, lines
from semanticst.niche.consensus import rand_index
from semanticst.niche.em import Cells
from semanticst.niche.mixture import MixtureSearch, subsample_rows
from semanticst.threads import in_parallel

log = logging.getLogger(__name__)

TRIAL_CELLS = 4_000
SUBSAMPLE = 500
"""Cells on which a start is made: few find the best likelihood as often as many, and Ward's tree takes their square."""
SPLITS = 20
"""Pairs of halves. Agreement has a spread of 0.1 to 0.3 where a partition comes back in most of them, but not in all:
over 5 pairs its mean is not known well enough, and the number for DLPFC was anything from 3 to 11 by seed."""
TOLERANCE = 0.02
"""Peaks of stability this close to the highest are as high."""


def number_curve(
    X: np.ndarray, candidates: Sequence[int], *, shrinkage: float, seed: int, threads: int = 1
) -> pd.DataFrame:
    """For each number of niches: ``k``, ``bic`` per cell, ``stability``, ``stability_sd``.

    ``X`` (n, d). Stability is the adjusted Rand index between partitions of the same cells by mixtures fitted to
    different random halves of them.
    """
    rng = np.random.default_rng(seed)
    trial = X[subsample_rows(len(X), TRIAL_CELLS, rng)]
    halves = [np.array_split(rng.permutation(len(trial)), 2) for _ in range(SPLITS)]
    possible = [k for k in candidates if k * 4 <= len(trial)]
    if not possible:
        return pd.DataFrame(columns=["k", "bic", "stability", "stability_sd"])

    def agreements(number: int) -> list[float]:
        found = []
        for half in halves[number]:
            search = MixtureSearch(
                Cells.of(trial[half]), max(possible), starts=4, seed=seed + number, subsample=SUBSAMPLE
            )
            found.append([search.fit(k, shrinkage=shrinkage, refine=1).predict(trial) for k in possible])
        return [rand_index(one, two) for one, two in zip(*found)]

    whole = MixtureSearch(Cells.of(trial), max(possible), starts=8, seed=seed, subsample=SUBSAMPLE)
    bic = [whole.fit(k, shrinkage=shrinkage, refine=2).bic(len(trial)) / len(trial) for k in possible]
    agreement = np.array(in_parallel(agreements, range(SPLITS), threads, "number of niches"))
    return pd.DataFrame({"k": possible, "bic": bic, "stability": agreement.mean(0), "stability_sd": agreement.std(0)})


def choose_number(curve: pd.DataFrame) -> int:
    """The number at which stability has its highest peak; among peaks about as high, the best by BIC.

    Few parts are stable wherever one difference is large, and stability falls from there: a peak is what the tissue
    adds to this trend. CellCharter looks at peaks likewise (Varrone et al. 2024). 2 niches are not chosen where more
    were tried. Without a peak, and from a list with gaps, the most stable number is taken.
    """
    several = curve["k"] >= 3 if (curve["k"] >= 3).any() else curve["k"] >= 2
    peaks = several & stability_peaks(curve)
    tried = curve[peaks if peaks.any() else several]
    high = tried[tried["stability"] >= tried["stability"].max() - TOLERANCE]
    chosen = int(high.loc[high["bic"].idxmax(), "k"])
    log.info("number of niches: %d (peaks of stability: %s)", chosen, ", ".join(map(str, curve["k"][peaks])) or "none")
    return chosen


def stability_peaks(curve: pd.DataFrame) -> pd.Series:
    """Which numbers are more stable than one niche fewer and one more, where all from 2 up were tried; none elsewhere.

    The largest number is no peak: what comes after it is not known.
    """
    if curve["k"].tolist() != list(range(2, 2 + len(curve))):
        return pd.Series(False, index=curve.index)
    stability = curve["stability"]
    return (stability > stability.shift(1)) & (stability > stability.shift(-1))


def report_curve(curve: pd.DataFrame, outdir: Path) -> None:
    """Write the curve for the report, where more than one number was tried."""
    tried = curve.dropna(subset=["stability"])
    if len(tried) < 2:
        return
    chosen = int(curve.loc[curve["chosen"], "k"].iloc[0])
    section = Section(
        "niche_k",
        NICHES,
        "How many niches",
        f"{chosen} niches were chosen. Stability: how well partitions found on different random halves of the cells "
        "agree (adjusted Rand index, 1 = the same). A peak, above one niche fewer and one more, is a number that the "
        "tissue supports: the highest from 3 niches up is taken, and among peaks about as high the one with the best "
        "Bayesian information criterion, which is drawn from 0 (worst of those tried) to 1 (best).",
    )
    span = max(float(np.ptp(tried["bic"])), 1e-12)
    data = {
        "Stability": dict(zip(tried["k"].tolist(), tried["stability"])),
        "Bayesian information criterion": dict(zip(tried["k"].tolist(), (tried["bic"] - tried["bic"].min()) / span)),
    }
    lines(outdir, section, data, x="Number of niches", y="Stability and criterion")
