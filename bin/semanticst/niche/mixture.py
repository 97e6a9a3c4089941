"""Gaussian mixture with one shared, shrunk covariance, fitted by a global search.

The shared ("tied") covariance is what mclust calls EEE. Its maximum-likelihood estimate lets noise components weigh as
much as signal, so it is shrunk towards a sphere (Ledoit & Wolf's target):

    Sigma = (1 - lambda) W + lambda tr(W) / d I,        W = T - sum_k pi_k (mu_k - m)(mu_k - m)'

where T is the total covariance and m the mean of all cells, both fixed: an EM step costs n d K, no n x K x d array.
"""

import logging
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.cluster import kmeans_plusplus

log = logging.getLogger(__name__)

SUBSAMPLE = 1_500
"""Cells on which a start is made (Ward's clustering needs all pairwise distances of them)."""
REFINE_CELLS = 20_000
"""Cells on which starts are compared; the winner is then fitted to all cells."""
BLOCK = 100_000
"""Rows for which responsibilities are held at once."""


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

    def log_joint(self, X: np.ndarray) -> np.ndarray:
        """log pi_k + log N(x_i | mu_k, Sigma), shape (n, K)."""
        factor = np.linalg.cholesky(self.covariance)
        Y = solve_triangular(factor, X.T, lower=True, check_finite=False).T
        M = solve_triangular(factor, self.means.T, lower=True, check_finite=False).T
        squared = (Y**2).sum(1)[:, None] - 2 * Y @ M.T + (M**2).sum(1)[None, :]
        d = X.shape[1]
        log_norm = -0.5 * d * np.log(2 * np.pi) - np.log(np.diag(factor)).sum()
        return np.log(np.maximum(self.weights, 1e-300))[None, :] + log_norm - 0.5 * np.maximum(squared, 0)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable part of each cell, int64, shape (n,)."""
        return np.concatenate([self.log_joint(block).argmax(1) for block in _blocks(X)])

    def bic(self, n: int) -> float:
        """Bayesian information criterion of ``n`` cells; larger is better (mclust's sign)."""
        return 2 * n * self.log_likelihood - self.n_parameters * np.log(n)


def fit_mixture(
    X: np.ndarray, k: int, *, shrinkage: float = 0.1, starts: int = 16, refine: int = 4, seed: int = 0
) -> Mixture:
    """Fit a tied mixture of ``k`` parts to ``X`` (n, d): ``starts`` short EM runs, the ``refine`` best to their end.

    Raises ValueError when there are fewer than ``k`` cells or a component is not finite.
    """
    X = np.ascontiguousarray(X, dtype=np.float64)
    n = len(X)
    if n < k:
        raise ValueError(f"{n} cells cannot form {k} niches")
    if not np.isfinite(X).all():
        raise ValueError("the embedding has values that are not finite")
    rng = np.random.default_rng(seed)
    trial = X[subsample_rows(n, REFINE_CELLS, rng)]
    moments = _Moments.of(trial)
    candidates = [
        _em(trial, _start(trial, k, rng, method, moments), moments, shrinkage, steps=30) for method in _methods(starts)
    ]
    candidates.sort(key=lambda m: -m.log_likelihood)
    refined = [_em(trial, m, moments, shrinkage, steps=200) for m in candidates[:refine]]
    best = max(refined, key=lambda m: m.log_likelihood)
    if len(trial) < n:
        best = _em(X, best, _Moments.of(X), shrinkage, steps=50)
    return best


def subsample_rows(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Rows 0..n-1 in their order: all of them, or ``most`` drawn at random."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


@dataclass(frozen=True)
class _Moments:
    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> "_Moments":
        mean = X.mean(0)
        return cls(mean, X.T @ X / len(X) - np.outer(mean, mean))


def _methods(starts: int) -> list[str]:
    """Half of the starts by Ward, half by k-means++, each in the given and in the whitened space."""
    return [("ward", "plusplus", "ward-white", "plusplus-white")[i % 4] for i in range(starts)]


def _start(X: np.ndarray, k: int, rng: np.random.Generator, method: str, moments: _Moments) -> Mixture:
    sub = X[rng.choice(len(X), min(SUBSAMPLE, len(X)), replace=False)]
    space = sub
    if method.endswith("-white"):
        values, vectors = np.linalg.eigh(moments.covariance)
        space = (sub - moments.mean) @ (vectors / np.sqrt(np.maximum(values, 1e-9 * values.max())))
    if method.startswith("ward"):
        labels = fcluster(linkage(space, "ward"), k, criterion="maxclust") - 1
    else:
        centres, _ = kmeans_plusplus(space, k, random_state=int(rng.integers(2**31 - 1)))
        labels = ((centres**2).sum(1)[None, :] - 2 * space @ centres.T).argmin(1)
    onehot = np.eye(k)[labels]
    sizes = onehot.sum(0)
    means = (onehot.T @ sub + moments.mean) / (sizes + 1)[:, None]
    return Mixture((sizes + 1) / (sizes + 1).sum(), means, moments.covariance)


def _em(X: np.ndarray, mixture: Mixture, moments: _Moments, shrinkage: float, steps: int, tol: float = 1e-6) -> Mixture:
    d = X.shape[1]
    # the first covariance belongs to the start's means, not to the total scatter
    mixture = Mixture(mixture.weights, mixture.means, _shared(mixture.weights, mixture.means, moments, shrinkage))
    previous = -np.inf
    for _ in range(steps):
        sizes, sums, total = np.zeros(len(mixture.weights)), np.zeros_like(mixture.means), 0.0
        for block in _blocks(X):
            joint = mixture.log_joint(block)
            norm = logsumexp(joint, axis=1)
            R = np.exp(joint - norm[:, None])
            sizes += R.sum(0)
            sums += R.T @ block
            total += norm.sum()
        likelihood = total / len(X)
        weights = sizes / len(X)
        # a part that lost all its cells stays where it was instead of dividing by zero
        means = np.where(sizes[:, None] > 1e-8, sums / np.maximum(sizes, 1e-8)[:, None], mixture.means)
        mixture = Mixture(weights, means, _shared(weights, means, moments, shrinkage), likelihood)
        if abs(likelihood - previous) < tol * d:
            break
        previous = likelihood
    return mixture


def _shared(weights: np.ndarray, means: np.ndarray, moments: _Moments, shrinkage: float) -> np.ndarray:
    centred = means - moments.mean
    W = moments.covariance - (centred * weights[:, None]).T @ centred
    d = len(W)
    # rounding can leave W barely indefinite: the floor is far below any real scatter
    sphere = max(np.trace(W) / d, 1e-12 * np.trace(moments.covariance) / d, 1e-300)
    values, vectors = np.linalg.eigh((W + W.T) / 2)
    W = (vectors * np.maximum(values, 1e-6 * sphere)) @ vectors.T
    return (1 - shrinkage) * W + shrinkage * sphere * np.eye(d)


def _blocks(X: np.ndarray):
    for start in range(0, len(X), BLOCK):
        yield X[start : start + BLOCK]
