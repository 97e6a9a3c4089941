"""Principal components of a cohort, computed sample by sample."""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.writing import atomic

log = logging.getLogger(__name__)

ROWS = 8_192
"""Cells that are held as a dense block at once."""


@dataclass(frozen=True)
class Basis:
    """How values of a cell become components: normalise, log, centre, (scale,) project.

    ``features`` (G,) names, ``mean`` and ``scale`` (G,) float64, ``loadings`` (G, p) float64 with orthonormal columns,
    ``variance`` (p,) of each component, ``depth`` the total to which counts of a cell are scaled.
    """

    features: np.ndarray
    feature_type: str
    depth: float
    mean: np.ndarray
    scale: np.ndarray
    loadings: np.ndarray
    variance: np.ndarray
    total_variance: float = field(default=np.nan)

    def project(self, X: sp.csr_matrix, totals: np.ndarray | None = None) -> np.ndarray:
        """Components, float32 (n, p), of cells whose columns of ``X`` are ``features`` in this order.

        ``totals`` (n,) are the counts of each cell over its whole panel; the row sums of ``X`` when not given.
        """
        loadings = self.loadings / self.scale[:, None]
        offset = self.mean @ loadings
        return np.asarray(transform(X, self.feature_type, self.depth, totals) @ loadings - offset, dtype=np.float32)

    def save(self, path: str | Path) -> None:
        with atomic(path) as partial, open(partial, "wb") as handle:
            np.savez_compressed(handle, **asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> "Basis":
        with np.load(path, allow_pickle=False) as stored:
            return cls.from_arrays(dict(stored))

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "Basis":
        """A basis from the arrays that ``asdict`` or ``save`` gave."""
        return cls(
            features=np.asarray(stored["features"]),
            feature_type=str(stored["feature_type"]),
            depth=float(stored["depth"]),
            mean=np.asarray(stored["mean"]),
            scale=np.asarray(stored["scale"]),
            loadings=np.asarray(stored["loadings"]),
            variance=np.asarray(stored["variance"]),
            total_variance=float(stored["total_variance"]),
        )


def transform(X: sp.csr_matrix, feature_type: str, depth: float, totals: np.ndarray | None = None) -> sp.csr_matrix:
    """log1p of counts scaled to ``depth`` per cell; binary, one-hot and continuous values stay as they are.

    ``X`` is CSR (n, G); the result is CSR float32 of the same sparsity.
    """
    X = sp.csr_matrix(X, dtype=np.float32, copy=True)
    if feature_type == FeatureType.COUNTS:
        totals = np.asarray(X.sum(1)).ravel() if totals is None else totals
        factors = depth / np.maximum(totals, 1.0)
        X.data = np.log1p(X.data * np.repeat(factors, np.diff(X.indptr)).astype(np.float32))
    return X


@dataclass
class Moments:
    """Sums over cells, added sample by sample:  ``n``, ``total``, ``squares`` (G,), ``cross`` (G, G)."""

    n: int = 0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    cross: np.ndarray | float = 0.0

    def add(self, X: sp.csr_matrix, cross: bool) -> None:
        self.n += X.shape[0]
        self.total = self.total + np.asarray(X.sum(0), dtype=np.float64).ravel()
        self.squares = self.squares + np.asarray(X.multiply(X).sum(0), dtype=np.float64).ravel()
        if cross:
            for start in range(0, X.shape[0], ROWS):
                block = X[start : start + ROWS].toarray()
                self.cross = self.cross + (block.T @ block).astype(np.float64)

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.n

    @property
    def variance(self) -> np.ndarray:
        return np.maximum(self.squares / self.n - self.mean**2, 0.0)

    @property
    def covariance(self) -> np.ndarray:
        return self.cross / self.n - np.outer(self.mean, self.mean)


def most_variable(variances: Iterable[np.ndarray], sizes: Iterable[int], n_top: int) -> np.ndarray:
    """Indices (sorted) of the ``n_top`` features with the largest variance *within* samples.

    Within, so that a feature that only differs between batches is not chosen for it.
    """
    pooled = np.average(np.vstack(list(variances)), axis=0, weights=list(sizes))
    order = np.lexsort((np.arange(len(pooled)), -pooled))
    kept = order[:n_top]
    return np.sort(kept[pooled[kept] > 0])


def principal_components(moments: Moments, scale: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading eigenvectors (G, p) of the scaled covariance and their variances (p,), signs fixed."""
    covariance = moments.covariance / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(covariance)
    p = min(n_components, len(values))
    values, vectors = values[::-1][:p], vectors[:, ::-1][:, :p]
    keep = values > 1e-10 * max(values[0], 1e-300)
    values, vectors = values[keep], vectors[:, keep]
    # the largest loading of a component is positive: the same data give the same sign
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return vectors * signs, values
