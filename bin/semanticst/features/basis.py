"""Principal components of a cohort, computed sample by sample."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import SHARES, FeatureType
from semanticst.features.common_total import CommonTotal
from semanticst.writing import write_arrays

log = logging.getLogger(__name__)

ROWS = 8_192
"""Cells that are held as a dense block at once."""
VALUES = 1 << 22
"""Stored values that are summed at once."""
CONSTANT = 1e-6
"""A feature whose variance is below this share of its mean square (a coefficient of variation of 0.1 %) is constant."""


LEADING = 200
"""Features of `Basis.leading`: enough to tell how features vary together."""
LARGEST = np.float32(60.0)
"""Largest arcsinh that is turned back into a value: sinh of 89 is beyond float32."""

RANGE = {FeatureType.COUNTS: (0, np.inf), FeatureType.BINARY: (0, 1), FeatureType.ONEHOT: (0, 1)}
"""Lowest and highest value of a kind of features after `transform`."""


@dataclass(frozen=True)
class Basis:
    """How values of a cell become components: normalise, log, centre, (scale,) project.

    ``features`` (G,) names, ``mean`` and ``scale`` (G,) float64, ``loadings`` (G, p) float64 with orthonormal columns,
    ``variance`` (p,) of each component, ``depth`` the total to which counts of a cell are scaled, ``cofactor`` (G,) the
    intensity of each feature from which on `transform` is a logarithm (continuous values only, None elsewhere).
    ``panel`` (P,) the features over which the counts of a cell are added up to its total, those that the samples share
    before variable ones are chosen, and ``panel_shares`` (P,) the share of the cohort's counts in each of them.
    ``common_total`` and ``common_form``: of `semanticst.features.common_total`, to which continuous values of each
    sample are brought first; None where they are taken as they are.
    """

    features: np.ndarray
    feature_type: str
    depth: float
    mean: np.ndarray
    scale: np.ndarray
    loadings: np.ndarray
    variance: np.ndarray
    total_variance: float = field(default=np.nan)
    cofactor: np.ndarray | None = None
    panel: np.ndarray | None = None
    panel_shares: np.ndarray | None = None
    common_total: float | None = None
    common_form: str | None = None

    @property
    def common(self) -> CommonTotal | None:
        """What brings the values of samples to one total, where they had totals of their own."""
        if self.common_total is None or self.common_form is None:
            return None
        return CommonTotal(self.common_form, self.common_total)

    def totals(self, X: sp.csr_matrix, features: pd.Index) -> np.ndarray:
        """Counts (n,) of each cell over ``panel``, of ``X`` (n, those of a sample named in ``features``).

        A panel is what cells are compared in: further genes that one sample has would make its cells look shallow.
        """
        if self.panel is None or self.panel_shares is None:
            return row_sums(X)
        return panel_totals(X, features, self.panel, self.panel_shares)

    def covered(self, features: pd.Index) -> float:
        """Share of the variance of the components that lies in those features that ``features`` has."""
        weight = self.loadings**2 @ self.variance
        return float(weight[pd.Index(self.features).isin(features)].sum() / max(weight.sum(), 1e-300))

    def leading(self, n: int = LEADING) -> np.ndarray:
        """Indices (at most ``n``,) of the features with the largest variance in the components."""
        variance = self.loadings**2 @ self.variance
        return np.sort(np.lexsort((np.arange(len(variance)), -variance))[:n])

    def leading_loadings(self) -> np.ndarray:
        """Loadings float32 (F, p) of the `leading` features."""
        return self.loadings[self.leading()].astype(np.float32)

    @property
    def shares_mean(self) -> np.ndarray | None:
        """Mean (G,) of each feature where components are a panel of shares itself, less its means; None elsewhere.

        Means of components over cells, plus this, are then the composition of a neighbourhood.
        """
        square = self.loadings.shape[0] == self.loadings.shape[1]
        whole = self.feature_type in SHARES and square and np.array_equal(self.loadings, np.eye(len(self.loadings)))
        return self.mean if whole else None

    def project(
        self, X: sp.csr_matrix, totals: np.ndarray | None = None, present: np.ndarray | None = None
    ) -> np.ndarray:
        """Components, float32 (n, p), of cells whose columns of ``X`` are ``features`` in this order.

        ``totals`` (n,) are the counts of each cell over the shared panel; the row sums of ``X`` when not given.
        ``present`` (G,) bool: which features ``X`` has, where the sample lacks some. It counts as average in those,
        so that they take its cells nowhere.
        """
        columns = slice(None) if present is None else present
        loadings = (self.loadings / self.scale[:, None])[columns]
        offset = self.mean[columns] @ loadings
        cofactor = None if self.cofactor is None else self.cofactor[columns]
        values = transform(X, self.feature_type, self.depth, totals, cofactor)
        return np.asarray(values @ loadings - offset, dtype=np.float32)

    def restore(self, components: np.ndarray) -> np.ndarray:
        """Values of ``features``, float32 (n, G), of cells given by ``components`` (n, p): back through the loadings.

        Counts stay on the scale of ``transform``, log1p at ``depth``; other kinds are as they came. What lies outside
        the range of the kind (negative counts, marks below 0 or above 1) is set to its limit.
        """
        back = (self.loadings * self.scale[:, None]).T.astype(np.float32)
        values = np.asarray(components, dtype=np.float32) @ back
        values += self.mean.astype(np.float32)
        if self.cofactor is not None:
            values = np.sinh(np.clip(values, -LARGEST, LARGEST)) * self.cofactor.astype(np.float32)
        low, high = RANGE.get(FeatureType(self.feature_type), (None, None))
        return values if low is None else np.clip(values, low, high, out=values)

    def save(self, path: str | Path) -> None:
        write_arrays(path, self.arrays())

    def arrays(self) -> dict:
        """What ``from_arrays`` makes a basis from: the fields that are there."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def load(cls, path: str | Path) -> "Basis":
        with np.load(path, allow_pickle=False) as stored:
            return cls.from_arrays(dict(stored))

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "Basis":
        """A basis from what ``arrays`` gave."""
        return cls(
            features=np.asarray(stored["features"]),
            feature_type=str(stored["feature_type"]),
            depth=float(stored["depth"]),
            mean=np.asarray(stored["mean"]),
            scale=np.asarray(stored["scale"]),
            loadings=np.asarray(stored["loadings"]),
            variance=np.asarray(stored["variance"]),
            total_variance=float(stored["total_variance"]),
            panel=None if "panel" not in stored else np.asarray(stored["panel"]),
            panel_shares=None if "panel_shares" not in stored else np.asarray(stored["panel_shares"]),
            cofactor=np.asarray(stored["cofactor"]) if "cofactor" in stored else None,
            common_total=float(stored["common_total"]) if "common_total" in stored else None,
            common_form=str(stored["common_form"]) if "common_form" in stored else None,
        )


def transform(
    X: sp.csr_matrix,
    feature_type: str,
    depth: float,
    totals: np.ndarray | None = None,
    cofactor: np.ndarray | None = None,
) -> sp.csr_matrix:
    """log1p of counts scaled to ``depth`` per cell; arcsinh(x / cofactor) of continuous values; others as they are.

    ``X`` is CSR (n, G), ``cofactor`` (G,) that of each feature (see `cofactors`); the result is CSR float32 of the same
    sparsity.
    """
    X = sp.csr_matrix(X, dtype=np.float32, copy=True)
    if feature_type == FeatureType.COUNTS:
        totals = np.asarray(X.sum(1)).ravel() if totals is None else totals
        factors = depth / np.maximum(totals, 1.0)
        X.data = np.log1p(X.data * np.repeat(factors, np.diff(X.indptr)).astype(np.float32))
    if feature_type == FeatureType.CONTINUOUS and cofactor is not None:
        X.data = np.arcsinh(X.data / cofactor.astype(np.float32)[X.indices])
    return X


def row_sums(X: sp.spmatrix) -> np.ndarray:
    """Sum of each cell (n,)."""
    return np.asarray(X.sum(1)).ravel()


def panel_totals(X: sp.csr_matrix, features: pd.Index, panel: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Counts (n,) of each cell over those of ``panel`` (P,) that it has, as if it had all.

    ``features`` names the columns of ``X``, ``shares`` (P,) is the share of the cohort's counts in each of the panel.
    """
    inside = features.isin(panel)
    totals = row_sums(X) if inside.all() else np.asarray(sp.csr_matrix(X) @ inside.astype(np.float64)).ravel()
    present = pd.Index(panel).isin(features)
    return totals if present.all() else totals / max(float(shares[present].sum()), 1e-12)


def typical_sizes(X: sp.csr_matrix) -> np.ndarray:
    """Median size |x| of the values of each feature that are not 0, float64 (G,); NaN for a feature without any."""
    columns = sp.csc_matrix(X)
    sizes = np.full(X.shape[1], np.nan)
    for g, (start, stop) in enumerate(zip(columns.indptr, columns.indptr[1:])):
        if stop > start:
            sizes[g] = np.median(np.abs(columns.data[start:stop].astype(np.float64)))
    return sizes


def cofactors(sizes: np.ndarray) -> np.ndarray:
    """Cofactor (G,) of each feature: median over samples of their ``typical_sizes`` (samples, G), 1 where none has it.

    Intensities span orders of magnitude, their noise and the gain of a staining multiply, and single pixels are far too
    bright. arcsinh(x / c) is a logarithm above c and linear below, so that dim values do not become large negative
    ones (Bendall et al. 2011, who took c = 5 for all markers). A c of each marker's own needs no unit: a marker whose
    values are all multiplied by a number gives the same result.
    """
    known = ~np.isnan(sizes).all(axis=0)
    found = np.ones(sizes.shape[1])
    found[known] = np.nanmedian(sizes[:, known], axis=0)
    return found


@dataclass
class Moments:
    """Sums over cells, added sample by sample; a sample may lack features.

    ``n`` cells per feature (G,), ``total``, ``squares`` (G,), ``cross`` (G, G), and what `covariance` needs of each
    sample: its cells, which features it has, and their totals.
    """

    n: np.ndarray = field(default_factory=lambda: np.zeros(()))
    total: np.ndarray = field(default_factory=lambda: np.zeros(()))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(()))
    cross: np.ndarray = field(default_factory=lambda: np.zeros(()))
    samples: list[tuple[float, np.ndarray, np.ndarray]] = field(default_factory=list)

    def add(self, X: sp.csr_matrix, cross: bool, present: np.ndarray | None = None, weight: float = 1.0) -> None:
        """Add the cells of a sample, ``X`` n x (features present), each with ``weight``; ``present`` (G,) bool, None
        for all."""
        present = np.ones(X.shape[1], bool) if present is None else present
        total, squares = (weight * _spread(sums, present) for sums in _sums(X))
        self.samples.append((weight * X.shape[0], present, total))
        self.n = self.n + weight * X.shape[0] * present
        self.total = self.total + total
        self.squares = self.squares + squares
        if cross:
            if self.cross.ndim == 0:
                self.cross = np.zeros((len(present), len(present)))
            own = np.ix_(present, present)
            for start in range(0, X.shape[0], ROWS):
                block = X[start : start + ROWS].toarray()
                self.cross[own] += weight * (block.T @ block).astype(np.float64)

    @property
    def mean(self) -> np.ndarray:
        return self.total / np.maximum(self.n, 1)

    @property
    def variance(self) -> np.ndarray:
        """Of each feature; 0 for one that is constant but for the rounding of float32."""
        squared = self.squares / np.maximum(self.n, 1)
        found = squared - self.mean**2
        return np.where(found > CONSTANT * squared, found, 0.0)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (G, G) over all cells, those of a sample that lacks a feature being average in it."""
        cells = sum(n for n, _, _ in self.samples)
        if all(present.all() for _, present, _ in self.samples):
            return self.cross / cells - np.outer(self.mean, self.mean)
        centred = self.cross.copy()
        for n, present, total in self.samples:
            mean = self.mean * present
            centred -= np.outer(mean, total) + np.outer(total, mean) - n * np.outer(mean, mean)
        return centred / cells


def _sums(X: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the values and of their squares, float64 (G,): in float32, as scipy adds, a constant feature varies."""
    total, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for start in range(0, X.nnz, VALUES):
        columns, values = X.indices[start : start + VALUES], X.data[start : start + VALUES].astype(np.float64)
        total += np.bincount(columns, values, minlength=len(total))
        squares += np.bincount(columns, values**2, minlength=len(total))
    return total, squares


def _spread(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Values of the features that are present at their places among all features, 0 at the others."""
    spread = np.zeros(len(present))
    spread[present] = values
    return spread


def most_variable(variances: Iterable[np.ndarray], sizes: Iterable[int], n_top: int) -> np.ndarray:
    """Indices (sorted) of the ``n_top`` features with the largest variance *within* samples.

    Within, so that a feature that only differs between batches is not chosen for it. NaN: the sample lacks it.
    """
    variances, weights = np.vstack(list(variances)), np.asarray(list(sizes), float)[:, None]
    known = ~np.isnan(variances)
    pooled = np.nansum(variances * weights, axis=0) / np.maximum((known * weights).sum(axis=0), 1.0)
    order = np.lexsort((np.arange(len(pooled)), -pooled))
    kept = order[:n_top]
    return np.sort(kept[pooled[kept] > 0])


def whole_panel(moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Loadings (G, G) and variances (G,) of components that are the features themselves."""
    return np.eye(len(moments.variance)), moments.variance


def principal_components(moments: Moments, scale: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading eigenvectors (G, p) of the scaled covariance and their variances (p,), signs fixed."""
    covariance = moments.covariance / np.outer(scale, scale)
    # what rounding left of features that are constant would be components of its own
    constant = moments.variance == 0
    covariance[constant] = covariance[:, constant] = 0
    values, vectors = np.linalg.eigh(covariance)
    p = min(n_components, len(values))
    values, vectors = values[::-1][:p], vectors[:, ::-1][:, :p]
    keep = values > 1e-10 * max(values[0], 1e-300)
    values, vectors = values[keep], vectors[:, keep]
    # the largest loading of a component is positive: the same data give the same sign
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return vectors * signs, values
