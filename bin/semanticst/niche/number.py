"""How many niches: the curve of stability and of the Bayesian information criterion."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from semanticst.niche.mixture import fit_mixture, rows_at_most
from semanticst.report.multiqc import NICHES, Section, lines
from semanticst.threads import in_parallel

log = logging.getLogger(__name__)

TRIAL_CELLS = 4_000
SPLITS = 20
"""Pairs of halves. A partition that comes back in most of them, but not in all, has a spread of 0.1 to 0.3: over 5 pairs
neither mean nor spread is known well enough, and the number for DLPFC was anything from 3 to 11 by seed."""
TOLERANCE = 0.02
"""Numbers of niches whose stability is this close to the best (or within its own spread) are as stable."""


def number_curve(
    X: np.ndarray, candidates: Sequence[int], *, shrinkage: float, seed: int, threads: int = 1
) -> pd.DataFrame:
    """For each number of niches: ``k``, ``bic`` per cell, ``stability``, ``stability_sd``.

    ``X`` (n, d). Stability is the adjusted Rand index between partitions of the same cells by mixtures fitted to
    different random halves of them.
    """
    rng = np.random.default_rng(seed)
    trial = X[rows_at_most(len(X), TRIAL_CELLS, rng)]
    halves = [np.array_split(rng.permutation(len(trial)), 2) for _ in range(SPLITS)]

    def row(k: int) -> dict[str, float]:
        whole = fit_mixture(trial, k, shrinkage=shrinkage, starts=8, refine=2, seed=seed)
        agreement = []
        for i, (a, b) in enumerate(halves):
            one, two = (
                fit_mixture(trial[half], k, shrinkage=shrinkage, starts=4, refine=1, seed=seed + i) for half in (a, b)
            )
            agreement.append(adjusted_rand_score(one.predict(trial), two.predict(trial)))
        return {
            "k": k,
            "bic": whole.bic(len(trial)) / len(trial),
            "stability": float(np.mean(agreement)),
            "stability_sd": float(np.std(agreement)),
        }

    possible = [k for k in candidates if k * 4 <= len(trial)]
    rows = in_parallel(row, possible, threads, "number of niches")
    return pd.DataFrame(rows, columns=["k", "bic", "stability", "stability_sd"])


def choose_number(curve: pd.DataFrame) -> int:
    """Among the numbers as stable as the most stable one (from 3 up, where there are any), the best by BIC."""
    several = curve[curve["k"] >= 3] if (curve["k"] >= 3).any() else curve
    best = several.loc[several["stability"].idxmax()]
    stable = several[several["stability"] >= best["stability"] - max(TOLERANCE, best["stability_sd"])]
    chosen = int(stable.loc[stable["bic"].idxmax(), "k"])
    log.info("number of niches: %d (about as stable: %s)", chosen, ", ".join(map(str, stable["k"])))
    return chosen


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
        "agree (adjusted Rand index, 1 = the same). Among the numbers that are about as stable as the most stable one, "
        "the one with the best Bayesian information criterion is taken; the criterion is drawn from 0 (worst of those "
        "tried) to 1 (best).",
    )
    span = max(float(np.ptp(tried["bic"])), 1e-12)
    data = {
        "Stability": dict(zip(tried["k"].tolist(), tried["stability"])),
        "Bayesian information criterion": dict(zip(tried["k"].tolist(), (tried["bic"] - tried["bic"].min()) / span)),
    }
    lines(outdir, section, data, x="Number of niches", y="Stability and criterion")
