"""Expectation-maximisation of mixtures with one shared covariance, several starts at a time.

With a shared covariance, x' Sigma^-1 x is the same for all parts of a cell, so what decides between them is linear:

    log p(k | x) = log pi_k - mu_k' Sigma^-1 mu_k / 2 + x' Sigma^-1 mu_k + const(x)

One product of the cells with the discriminants of all parts of all starts gives the responsibilities, and one product
of these with the cells gives sizes and sums of the parts. The term that was left out enters the likelihood as a trace:
mean of x' Sigma^-1 x = tr(Sigma^-1 T), where T, the second moment of the cells, is fixed. Neither needs a triangular
solve over the cells.

Products over cells are float32, on cells that are centred; parameters, sums over blocks and likelihoods are float64.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

TOLERANCE = 1e-6
"""Gain of the likelihood per cell and component that counts as none."""
PRODUCT = 1_000_000
"""Multiplications of one product: up to here OpenBLAS does not copy the operands first, and results stay in cache."""


IMPOSSIBLE = np.float32(-60)
"""Log odds that count as none. Their exponentials are still normal numbers: subnormal ones are ten times as slow."""
LITTLE = 1e-3
"""Shrinkage below which a covariance may need a floor under its eigenvalues."""


@dataclass(frozen=True)
class Cells:
    """Cells as columns: ``columns`` (1 + d, n) float32, a row of ones and the centred components; their ``centre`` (d,)
    and second moment ``scatter`` (d, d) about it, float64."""

    columns: np.ndarray
    centre: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> "Cells":
        """From ``X`` (n, d)."""
        return cls.of_blocks([X], len(X))

    @classmethod
    def of_blocks(cls, blocks: Iterable[np.ndarray], n: int) -> "Cells":
        """From ``n`` cells that come in ``blocks`` (m, d), so that no copy of all is made in float64.

        Centred twice: about the mean of the first block, which need not be that of all, while digits are many.
        """
        first, shift, columns = 0, np.empty(0), np.empty((0, n), dtype=np.float32)
        for block in blocks:
            if first == 0:
                shift = block.mean(0, dtype=np.float64)
                columns = np.empty((1 + len(shift), n), dtype=np.float32)
                columns[0] = 1
            rows = slice(first, first + len(block))
            np.subtract(block.T, shift[:, None], out=columns[1:, rows], casting="same_kind")
            first = rows.stop
        rest = columns[1:].mean(1, dtype=np.float64)
        columns[1:] -= rest[:, None].astype(np.float32)
        return cls(columns, shift + rest.astype(np.float32), second_moment(columns))

    def leading(self, d: int) -> "Cells":
        """The same cells in their first ``d`` components."""
        return Cells(self.columns[: 1 + d], self.centre[:d], self.scatter[:d, :d])

    def taken(self, rows: np.ndarray, centre: float | np.ndarray = 0.0) -> "Cells":
        """Some of the cells, about a centre of their own; less ``centre``, where these cells are centred already."""
        found = Cells.of(self.columns[1:, rows].T)
        return Cells(found.columns, found.centre + centre, found.scatter)

    @property
    def n(self) -> int:
        return self.columns.shape[1]

    @property
    def d(self) -> int:
        return len(self.centre)


@dataclass(frozen=True)
class Parts:
    """S mixtures of K parts in the centred components of ``Cells``: ``weights`` (S, K), ``means`` (S, K, d),
    ``covariance`` (S, d, d), and ``log_likelihood`` (S,), the mean per cell, of what they were one step before."""

    weights: np.ndarray
    means: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray

    def __getitem__(self, chosen) -> "Parts":
        return Parts(self.weights[chosen], self.means[chosen], self.covariance[chosen], self.log_likelihood[chosen])


def second_moment(columns: np.ndarray) -> np.ndarray:
    """X X' / n (d, d) of ``columns`` (1 + d, n), float64; in blocks, which need no copy of all cells."""
    X, n = columns[1:], columns.shape[1]
    step = 10_000
    blocks = (X[:, first : first + step].astype(np.float64) for first in range(0, n, step))
    return sum((block @ block.T for block in blocks), np.zeros((len(X), len(X)))) / n


def start_from(cells: Cells, weights: np.ndarray, means: np.ndarray, shrinkage: float) -> Parts:
    """``weights`` (S, K) and centred ``means`` (S, K, d) with the covariance that belongs to them."""
    covariance = shared_covariance(weights, means, cells.scatter, shrinkage, floor=True)
    return Parts(weights, means, covariance, np.full(len(weights), -np.inf))


def improve(cells: Cells, parts: Parts, shrinkage: float, steps: int, tolerance: float = TOLERANCE) -> Parts:
    """At most ``steps`` steps of EM for each of the mixtures, fewer where the likelihood stands still.

    ``tolerance``: gain of the likelihood per cell and component that counts as none.
    """
    weights, means, covariance, reached = (
        np.array(a) for a in (parts.weights, parts.means, parts.covariance, parts.log_likelihood)
    )
    previous, moving = np.full(len(weights), -np.inf), np.arange(len(weights))
    for _ in range(steps):
        sizes, sums, reached[moving] = _step(cells, weights[moving], means[moving], covariance[moving])
        weights[moving] = sizes / cells.n
        # a part that lost all its cells stays where it was instead of dividing by zero
        alive = sizes[:, :, None] > 1e-8
        means[moving] = np.where(alive, sums / np.maximum(sizes, 1e-8)[:, :, None], means[moving])
        covariance[moving] = shared_covariance(weights[moving], means[moving], cells.scatter, shrinkage)
        gain = np.abs(reached[moving] - previous[moving])
        previous[moving] = reached[moving]
        moving = moving[gain >= tolerance * cells.d]
        if not len(moving):
            break
    return Parts(weights, means, covariance, reached)


def shared_covariance(
    weights: np.ndarray, means: np.ndarray, scatter: np.ndarray, shrinkage: float, *, floor: bool = False
) -> np.ndarray:
    """(1 - lambda) W + lambda tr(W) / d I (S, d, d), with W = T - sum_k pi_k mu_k mu_k' of centred means.

    ``floor``: W can have negative eigenvalues, as that of means that were found on few of the cells. Where the means
    hold nearly all that there is, as of cells that lie on a few points, rounding (float32) leaves such ones, too.
    """
    W = scatter - (means * weights[:, :, None]).transpose(0, 2, 1) @ means
    d = len(scatter)
    diagonal = np.arange(d)
    within, total = W[:, diagonal, diagonal].sum(1) / d, np.trace(scatter) / d
    # the floor is far below any real scatter, and above what is left by rounding
    sphere = np.maximum(within, max(1e-6 * total, 1e-300))
    if floor or shrinkage < LITTLE or (within < 1e-2 * total).any():
        values, vectors = np.linalg.eigh(W)
        values = np.maximum(values, 1e-6 * sphere[:, None])
        W = (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)
    W *= 1 - shrinkage
    W[:, diagonal, diagonal] += shrinkage * sphere[:, None]
    return W


def discriminants(weights: np.ndarray, means: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Rows (S, K, 1 + d): log pi_k - mu_k' Sigma^-1 mu_k / 2, and Sigma^-1 mu_k, given the ``inverse`` (S, d, d)."""
    rows = np.empty((*weights.shape, 1 + means.shape[-1]))
    slopes = np.matmul(means, inverse, out=rows[..., 1:])
    rows[..., 0] = np.log(np.maximum(weights, 1e-300)) - 0.5 * (slopes * means).sum(-1)
    return rows


def inverted(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Inverse and log determinant of a covariance (d, d). Raises ValueError where it is not positive definite."""
    factor, failed = dpotrf(covariance, lower=1)
    if failed:
        raise ValueError("a covariance is not positive definite")
    # potri fills the lower triangle; above it there are the zeros that potrf left
    log_determinant = 2 * float(np.log(factor.diagonal()).sum())
    inverse, _ = dpotri(factor, lower=1)
    inverse = inverse + inverse.T
    inverse.flat[:: len(inverse) + 1] /= 2
    return inverse, log_determinant


def _step(
    cells: Cells, weights: np.ndarray, means: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes (S, K), sums (S, K, d) of the parts and the mean log likelihood (S,) of S mixtures."""
    S, K = weights.shape
    inverses, log_determinants = zip(*(inverted(one) for one in covariance))
    inverse = np.stack(inverses)
    distances = inverse.reshape(S, -1) @ cells.scatter.ravel()
    constant = -0.5 * (cells.d * np.log(2 * np.pi) + np.array(log_determinants) + distances)
    rows = discriminants(weights, means, inverse).astype(np.float32).reshape(S * K, -1)
    gathered, total = np.zeros((S * K, 1 + cells.d)), np.zeros(S)
    block = max(256, PRODUCT // rows.size)
    for first in range(0, cells.n, block):
        X = cells.columns[:, first : first + block]
        R = (rows @ X).reshape(S, K, -1)
        highest = R.max(1)
        R -= highest[:, None]
        np.exp(np.maximum(R, IMPOSSIBLE, out=R), out=R)
        evidence = R.sum(1)
        total += highest.sum(1, dtype=np.float64) + np.log(evidence).sum(1, dtype=np.float64)
        R *= np.reciprocal(evidence, out=evidence)[:, None]
        gathered += R.reshape(S * K, -1) @ X.T
    gathered = gathered.reshape(S, K, -1)
    return gathered[:, :, 0], gathered[:, :, 1:], total / cells.n + constant
