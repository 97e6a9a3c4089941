"""Gaussian mixture with one shared, shrunk covariance, fitted by a global search.

The shared ("tied") covariance is what mclust calls EEE. Its maximum-likelihood estimate lets noise components weigh as
much as signal, so it is shrunk towards a sphere (Ledoit & Wolf's target):

    Sigma = (1 - lambda) W + lambda tr(W) / d I,        W = T - sum_k pi_k (mu_k - m)(mu_k - m)'

where T is the total covariance and m the mean of all cells, both fixed: an EM step costs n d K, no n x K x d array.
"""

import logging
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import kmeans_plusplus

from semanticst.features.sample_caps import largest_share, rows_at_most
from semanticst.niche.em import TOLERANCE, Cells, Parts, discriminants, improve, inverted, start_from

log = logging.getLogger(__name__)

SUBSAMPLE = 1_500
"""Cells on which a start is made (Ward's clustering needs all pairwise distances of them)."""
REFINE_CELLS = 20_000
"""Cells on which starts are compared; the winner is then fitted to all cells."""
FIRST_STEPS, STEPS, LAST_STEPS = 30, 200, 50
"""Steps of EM at most: of every start, of the best of them, and of the winner on all cells."""


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture over ``d`` components with ``K`` parts.

    ``weights`` (K,), ``means`` (K, d), ``covariance`` (d, d), all float64; ``log_likelihood`` is the mean per cell.
    """

    weights: np.ndarray
    means: np.ndarray
    covariance: np.ndarray
    log_likelihood: float = np.nan

    @property
    def n_parameters(self) -> int:
        k, d = self.means.shape
        return k - 1 + k * d + d * (d + 1) // 2

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """``slopes`` (d, K) and ``constants`` (K,): ``X @ slopes + constants`` is log pi_k + log N(x_i | mu_k, Sigma),
        less what is the same for all parts of a cell."""
        # about the mean of the parts, where products are small and digits are many
        origin = self.weights @ self.means / self.weights.sum()
        (rows,) = discriminants(self.weights[None], (self.means - origin)[None], inverted(self.covariance)[0][None])
        return rows[:, 1:].T, rows[:, 0] - rows[:, 1:] @ origin

    def log_odds(self, X: np.ndarray) -> np.ndarray:
        """Logarithm of each part's probability, but for a constant per cell; float64, shape (n, K)."""
        slopes, constants = self.linear()
        return X @ slopes + constants

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable part of each cell, int64, shape (n,)."""
        return self.log_odds(X).argmax(1)

    def bic(self, n: int) -> float:
        """Bayesian information criterion of ``n`` cells; larger is better (mclust's sign)."""
        return 2 * n * self.log_likelihood - self.n_parameters * np.log(n)


def fit_mixture(
    X: np.ndarray, k: int, *, shrinkage: float = 0.1, starts: int = 16, refine: int = 4, seed: int = 0
) -> Mixture:
    """Fit a tied mixture of ``k`` parts to ``X`` (n, d): ``starts`` short EM runs, the ``refine`` best to their end.

    Raises ValueError when there are fewer than ``k`` cells or a component is not finite.
    """
    return MixtureSearch(Cells.of(X), starts=starts, seed=seed).fit(k, shrinkage=shrinkage, refine=refine)


class MixtureSearch:
    """The search for mixtures of ``cells``, with what does not depend on the number of parts: the subsamples on which
    starts are made, and Ward's tree of each.

    ``subsample``: cells of a start; in a small cohort all, with one tree in each of the two spaces.

    ``k_max``: k-means++ draws so many centres once, of which k parts take the first k; without, it draws anew for each
    number of parts. Raises ValueError when a component is not finite.
    """

    def __init__(
        self, cells: Cells, *, starts: int, seed: int, subsample: int = SUBSAMPLE, k_max: int | None = None
    ) -> None:
        if not np.isfinite(cells.scatter).all():
            raise ValueError("the embedding has values that are not finite")
        rng = np.random.default_rng(seed)
        self.cells = cells
        rows = subsample_rows(cells.n, REFINE_CELLS, rng)
        self.trial = cells if len(rows) == cells.n else cells.taken(rows)
        methods = _methods(starts)
        if self.trial.n <= subsample * math.sqrt(methods.count("ward")):
            # trees of nearly all cells are nearly the same: one of all takes no longer than those of so many subsamples
            subsample, methods = self.trial.n, _without_repeated_trees(methods)
        self._starts = [_Start.of(self.trial, rng, method, subsample, k_max) for method in methods]

    def fit(
        self, k: int, *, shrinkage: float, refine: int, first_steps: int = FIRST_STEPS, tolerance: float = TOLERANCE
    ) -> Mixture:
        """The mixture of ``k`` parts: all starts for ``first_steps``, the ``refine`` best of them to their end.

        They end where the likelihood gains less than ``tolerance`` per cell and component.

        Raises ValueError when there are fewer than ``k`` cells.
        """
        if self.cells.n < k:
            raise ValueError(f"{self.cells.n} cells cannot form {k} niches")
        weights, means = (np.stack(a) for a in zip(*(start.parts(k) for start in self._starts)))
        found = improve(
            self.trial, start_from(self.trial, weights, means, shrinkage), shrinkage, first_steps, tolerance
        )
        best = np.argsort(-found.log_likelihood, kind="stable")[:refine]
        found = improve(self.trial, found[best], shrinkage, STEPS, tolerance)
        found = found[[found.log_likelihood.argmax()]]
        if self.trial is not self.cells:
            on_all = start_from(self.cells, found.weights, found.means + self.trial.centre, shrinkage)
            found = improve(self.cells, on_all, shrinkage, LAST_STEPS, tolerance)
        return _mixture(found, self.cells.centre)


def subsample_rows(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows 0..n-1 in their order: all of them, or ``most`` drawn at random."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def rows_of_each(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of each group of ``groups`` (n,), in the order of their names."""
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])


def rows_of_samples(samples: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows 0..n-1 in their order: all of them, or at most ``most``, of every sample about as many where it has them.

    Where all samples have the same number of cells this is drawing at random. ``samples`` (n,).
    """
    codes, sizes = np.unique(samples, return_inverse=True, return_counts=True)[1:]
    if len(codes) <= most:
        return np.arange(len(codes))
    return rows_at_most(codes, np.full(len(sizes), largest_share(sizes, most)), rng)


def _mixture(found: Parts, centre: np.ndarray) -> Mixture:
    return Mixture(found.weights[0], found.means[0] + centre, found.covariance[0], float(found.log_likelihood[0]))


def _methods(starts: int) -> list[str]:
    """Half of the starts by Ward, half by k-means++, each in the given and in the whitened space."""
    return [("ward", "plusplus", "ward-white", "plusplus-white")[i % 4] for i in range(starts)]


def _without_repeated_trees(methods: list[str]) -> list[str]:
    return [method for i, method in enumerate(methods) if "plusplus" in method or method not in methods[:i]]


@dataclass(frozen=True)
class _Start:
    """Where EM starts: ``sub`` (m, d) of the centred cells, the ``space`` (m, p) in which they are partitioned, by
    Ward's ``tree`` or, without one, by k-means++ from ``seed``, ``k_max`` centres at once where that is given."""

    sub: np.ndarray
    space: np.ndarray
    tree: np.ndarray | None
    seed: int
    k_max: int | None

    @classmethod
    def of(cls, cells: Cells, rng: np.random.Generator, method: str, subsample: int, k_max: int | None) -> "_Start":
        rows = rng.choice(cells.n, min(subsample, cells.n), replace=False)
        sub = space = cells.columns[1:, rows].T.astype(np.float64)
        if method.endswith("-white"):
            values, vectors = np.linalg.eigh(cells.scatter)
            space = sub @ (vectors / np.sqrt(np.maximum(values, max(1e-9 * values.max(), 1e-300))))
        if method.startswith("ward") and len(space) > 1:
            return cls(sub, space, linkage(space, "ward"), 0, None)
        return cls(sub, space, None, int(rng.integers(2**31 - 1)), k_max)

    @cached_property
    def _most(self) -> np.ndarray:
        return self._drawn(min(self.k_max or 1, len(self.space)))

    def _drawn(self, k: int) -> np.ndarray:
        return kmeans_plusplus(self.space, k, random_state=self.seed)[0]

    def parts(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights (k,) and centred means (k, d)."""
        if self.tree is not None:
            labels = fcluster(self.tree, k, criterion="maxclust") - 1
        else:
            centres = self._drawn(k) if self.k_max is None else self._most[:k]
            labels = ((centres**2).sum(1)[None, :] - 2 * self.space @ centres.T).argmin(1)
        onehot = np.eye(k)[labels]
        sizes = onehot.sum(0) + 1
        # one cell at the centre of all: no part is without a place
        return sizes / sizes.sum(), (onehot.T @ self.sub) / sizes[:, None]
