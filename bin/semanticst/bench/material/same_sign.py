"""Whether mapped units are associated with groups as they are in the joint training."""

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

STRONG = 2.0
"""|t| in the joint training from which on a difference is counted as one."""
MOST_HALVES = 500
"""Splits into halves, at most."""


def as_joint(mapped: pd.Series, trained: pd.Series, joint: pd.Series) -> pd.Series:
    """Niches of ``mapped`` cells under the numbers of the ``joint`` training; its model's cells are ``trained``."""
    shared = pd.crosstab(trained, joint.loc[trained.index])
    own, theirs = linear_sum_assignment(-shared.to_numpy())
    return mapped.map(dict(zip(shared.index[own], shared.columns[theirs], strict=True)))


def same_sign(
    mapped: dict[str, pd.Series], joint: pd.Series, groups: dict[str, str] | None = None
) -> tuple[int, int, float]:
    """Differences in the mean log proportion with |t| of at least ``STRONG`` in the joint training, how many of them
    have the same sign mapped, and the correlation of all: of all niches, between each two of the ``groups``, or over
    splits of the units into halves.

    ``mapped``: niches of the cells of each unit, under the numbers of ``joint``. ``groups``: that of each unit.
    """
    niches = sorted(joint.unique())
    both = [
        np.array([_log_proportions(cells, niches) for cells in of_units])
        for of_units in ([joint.loc[cells.index] for cells in mapped.values()], mapped.values())
    ]
    sides = _halves(len(mapped)) if groups is None else _pairs([groups[unit] for unit in mapped])
    differences = [[_difference(values, a, b) for values in both] for a, b in sides]
    (d_joint, t), (d_mapped, _) = (np.concatenate([d[i] for d in differences], axis=1) for i in (0, 1))
    strong = np.abs(t) >= STRONG
    same = np.sign(d_joint[strong]) == np.sign(d_mapped[strong])
    return int(strong.sum()), int(same.sum()), float(np.corrcoef(d_joint, d_mapped)[0, 1])


def _pairs(groups: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Units of each two groups that have two units at least."""
    of_group = np.array(groups)
    levels = [level for level, n in zip(*np.unique(of_group, return_counts=True)) if level and n > 1]
    return [(of_group == a, of_group == b) for a, b in combinations(levels, 2)]


def _halves(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits of n units into halves: each once, or ``MOST_HALVES`` at random where there are more."""
    if comb(n, n // 2) <= 2 * MOST_HALVES:
        found = [np.isin(range(n), half) for half in combinations(range(n), n // 2) if n % 2 or 0 in half]
    else:
        rng = np.random.default_rng(0)
        found = [rng.permutation(n) < n // 2 for _ in range(MOST_HALVES)]
    return [(half, ~half) for half in found]


def _log_proportions(niche: pd.Series, niches: list) -> np.ndarray:
    counts = niche.value_counts().reindex(niches, fill_value=0).to_numpy() + 0.5
    return np.log(counts / counts.sum())


def _difference(values: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean of the units of ``one`` less that of the ``other``, and its t (Welch), (2, niches)."""
    a, b = values[one], values[other]
    d = a.mean(0) - b.mean(0)
    error = np.sqrt(a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b))
    return np.array([d, d / np.maximum(error, 1e-12)])
