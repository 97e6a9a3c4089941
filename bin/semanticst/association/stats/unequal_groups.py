"""Two groups that differ in size or in spread: when a permutation is enough, and the t that holds where it is not."""

import numpy as np
import scipy

from semanticst.association.stats.linear_model import SlopeModel
from semanticst.association.stats.permutation import Rearrangements, permutation_p

LOPSIDED = 1.5
"""The larger group over the smaller, from which few patients who vary much could be taken for an effect."""

SMALL = 6
"""Patients in a group below which few permutations make p so coarse that it and the interval often disagree."""

DIFFERENT = 0.05
"""p of equal spread (``dispersion_p``) from which groups are taken to differ in it."""

HALVINGS = 60
"""Of the range of log p, in the search for the p of a t."""


def rests_on_permutation(x: np.ndarray) -> bool:
    """Is the permutation of x (float64, n) enough, if spread is equal? With two groups of similar size, not small."""
    sizes = np.unique(x, return_counts=True)[1]
    return len(sizes) == 2 and sizes.min() >= SMALL and sizes.max() < LOPSIDED * sizes.min()


def is_lopsided(x: np.ndarray) -> bool:
    """Are there two groups, of which one is much larger?"""
    sizes = np.unique(x, return_counts=True)[1]
    return len(sizes) == 2 and bool(sizes.max() >= LOPSIDED * sizes.min())


class CochranT:
    """t of each feature with the error of two groups, each with degrees of freedom of its own.

    Satterthwaite's single number of degrees of freedom is itself an estimate: where the smaller group carries the
    error and happens to vary little, t is large and its degrees of freedom are too many (5 v 15 with three times the
    SD: 1.1 % at 0.006). The critical value here is the mean of those of the groups, weighted by what each adds to the
    squared error, which keeps the level in the tail as well (Cochran 1964, Biometrics 20:191). Where spread is equal it
    would be too careful, and p by permutation is exact.

    ``share`` (2 x k): of the squared error; ``df`` (2): of the groups.
    """

    def __init__(self, model: SlopeModel, x: np.ndarray, Y: np.ndarray):
        full = np.column_stack([model.nuisance, model.direction / np.sqrt(model.direction @ model.direction)])
        maker = np.eye(len(full)) - full @ full.T
        squares = model.effect_and_residuals(Y)[1] ** 2
        parts, df = [], []
        for level in np.unique(x):
            weights = model.weights * (x == level)
            quadratic = maker @ (weights[:, None] * maker)
            parts.append(weights @ squares)
            df.append(np.trace(quadratic) ** 2 / max((quadratic**2).sum(), 1e-300))
        total = np.sum(parts, axis=0)
        self.share = np.array(parts) / np.where(total > 0, total, 1.0)
        self.df = np.maximum(df, 1.0)

    def critical(self, level: np.ndarray | float = 0.05) -> np.ndarray:
        """|t| that is passed with probability ``level``, per column."""
        return (self.share * scipy.stats.t.isf(np.asarray(level) / 2, self.df[:, None])).sum(axis=0)

    def p(self, t: np.ndarray) -> np.ndarray:
        """Two-sided p of each t (k): at which level is it the critical value?"""
        low, high = np.full(len(t), np.log(1e-300)), np.zeros(len(t))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = self.critical(np.exp(middle)) > np.abs(t)
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.exp(high)


def dispersion_p(residuals: np.ndarray, group: np.ndarray, drawn: Rearrangements) -> float:
    """p of equal spread: F of the units' distances to the mean of their group, by permutation (PERMDISP, Anderson
    2006, Biometrics 62:245; distances over sqrt(1 - 1 / n of the group), which a mean of few units makes too small).

    ``residuals``: n x k, all features together. One patient far off is no spread of a group: permuted, he or she is as
    far off in the other. NaN with a group of one.
    """
    member = (group[None, :] == np.unique(group)[:, None]).astype(float)
    sizes = member.sum(axis=1)
    if sizes.min() < 2:
        return np.nan
    distance = np.sqrt((residuals**2).sum(axis=1) / (1 - member.T @ (1 / sizes)))

    def ratio(d: np.ndarray) -> np.ndarray:
        between = ((d @ member.T) ** 2 / sizes).sum(axis=-1) - d.sum(axis=-1) ** 2 / len(group)
        return between / np.maximum((d**2).sum(axis=-1) - ((d @ member.T) ** 2 / sizes).sum(axis=-1), 1e-12)

    null = ratio(drawn.of(distance[:, None], 0, len(drawn))[..., 0])
    return float(permutation_p(null[:, None], ratio(distance)[None], drawn.exact)[0])


def differ_in_spread(residuals: np.ndarray, x: np.ndarray, drawn: Rearrangements) -> bool:
    """Do two groups differ in spread, over all columns of ``residuals`` (n x k), each taken in its own SD?"""
    if len(np.unique(x)) != 2:
        return False
    scaled = residuals / np.maximum(residuals.std(axis=0), 1e-12)
    return bool(dispersion_p(scaled, x, drawn) < DIFFERENT)
