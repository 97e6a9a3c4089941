"""Linear model of each feature on one variable, with standard errors that allow unequal variances.

Ordinary least squares with HC2 errors (MacKinnon & White 1985, J Econometrics 29:305) and the degrees of freedom of
Bell & McCaffrey (2002, Survey Methodology 28:169). For two groups without covariates the standard error is Welch's,
for complete pairs with patients as blocks it is that of the paired t-test.
"""

from dataclasses import dataclass

import numpy as np
import scipy

TINY = 1e-12


@dataclass(frozen=True)
class SlopeModel:
    """Everything about y = x * effect + Z * nuisance + error that does not depend on y.

    Attributes
    ----------
    nuisance
        float64, n x c orthonormal basis of the columns of Z.
    direction
        float64, n: x with Z taken out, divided by its squared length, so that ``direction @ y`` is the effect.
    weights
        float64, n: squared direction over (1 - leverage): the HC2 variance is ``weights @ residuals**2``.
    df
        Bell-McCaffrey degrees of freedom.
    """

    nuisance: np.ndarray
    direction: np.ndarray
    weights: np.ndarray
    df: float

    def without_nuisance(self, Y: np.ndarray) -> np.ndarray:
        """Residuals of Y (..., n, k) on Z."""
        return Y - self.nuisance @ (self.nuisance.T @ Y)

    def effect_and_residuals(self, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Effect (..., k) and residuals (..., n, k) of each column of Y (..., n, k)."""
        rest = self.without_nuisance(Y)
        effect = np.einsum("n,...nk->...k", self.direction, rest)
        own = self.direction / (self.direction @ self.direction)
        return effect, rest - own[:, None] * effect[..., None, :]

    def fit(self, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Effect and HC2 standard error of each column of Y (..., n, k)."""
        effect, residuals = self.effect_and_residuals(Y)
        variance = np.einsum("n,...nk->...k", self.weights, residuals**2)
        return effect, np.sqrt(np.maximum(variance, TINY))


def nuisance_basis(blocks: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Orthonormal basis (n x rank) of block indicators (an intercept, for one block) and covariates."""
    Z = (blocks[:, None] == np.unique(blocks)[None, :]).astype(float)
    if covariates.size:
        spread = covariates.std(axis=0)
        Z = np.column_stack([Z, (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])
    left, singular, _ = np.linalg.svd(Z, full_matrices=False)
    return left[:, singular > singular[0] * 1e-10]


def slope_model(x: np.ndarray, blocks: np.ndarray, covariates: np.ndarray) -> SlopeModel | None:
    """Prepare the model; None when blocks and covariates determine x, or leave no degree of freedom."""
    Q = nuisance_basis(blocks, covariates)
    return _model(x, Q)


def slope_through_origin(x: np.ndarray) -> SlopeModel | None:
    """The same without an intercept: y = x * effect + error."""
    return _model(x, np.zeros((len(x), 0)))


def _model(x: np.ndarray, Q: np.ndarray) -> SlopeModel | None:
    n = len(x)
    own = x - Q @ (Q.T @ x)
    reference = (x - x.mean()) @ (x - x.mean()) if Q.shape[1] else x @ x
    if own @ own <= 1e-8 * max(reference, TINY) or n - Q.shape[1] - 1 < 1:
        return None
    unit = own / np.sqrt(own @ own)
    full = np.column_stack([Q, unit])
    free = 1.0 - (full**2).sum(axis=1)
    # a unit with leverage 1 is fitted exactly: its residual is 0 and tells nothing of the variance
    weights = np.where(free > 1e-9, (own / (own @ own)) ** 2 / np.maximum(free, 1e-9), 0.0)
    return SlopeModel(Q, own / (own @ own), weights, _degrees_of_freedom(full, weights))


def _degrees_of_freedom(full: np.ndarray, weights: np.ndarray) -> float:
    """(sum of lambda)^2 / sum of lambda^2, lambda the eigenvalues of G'G, columns of G = sqrt(weight_i) (I - H)_i."""
    residual_maker = np.eye(len(full)) - full @ full.T
    scaled = residual_maker * np.sqrt(weights)[None, :]
    gram = scaled.T @ scaled
    return float(np.trace(gram) ** 2 / (gram**2).sum())


def welch_df(model: SlopeModel, x: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Degrees of freedom of each column of Y (n x k), never above those of ``model``, which assume equal variances.

    The same ratio with the variance that each value of x has in the data (Satterthwaite 1946, Biometrics Bull 2:110):
    Welch's for two groups without covariates. With values that hardly repeat (a number) those of the model.
    """
    if len(np.unique(x)) > len(x) / 2:
        return np.full(Y.shape[1], model.df)
    full = np.column_stack([model.nuisance, model.direction / np.sqrt(model.direction @ model.direction)])
    variance = variance_of_levels(x, full, model.effect_and_residuals(Y)[1])
    maker = np.eye(len(full)) - full @ full.T
    return np.minimum(model.df, satterthwaite(maker @ (model.weights[:, None] * maker), variance))


def variance_of_levels(x: np.ndarray, full: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Variance (n x k) that units of each value of x have; ``residuals`` (n x k) are those on the basis ``full``."""
    levels, level = np.unique(x, return_inverse=True)
    free = 1.0 - (full**2).sum(axis=1)
    # a unit with leverage 1 is fitted exactly and tells nothing of the variance
    of_level = ((level[None, :] == np.arange(len(levels))[:, None]) & (free > 1e-9)).astype(float)
    squares = residuals**2 / np.maximum(free, 1e-9)[:, None]
    return ((of_level @ squares) / np.maximum(of_level.sum(axis=1, keepdims=True), 1.0))[level] + TINY


def satterthwaite(quadratic: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Degrees of freedom of y' quadratic y (n x n), y independent with the variances of each column (n x k)."""
    spread = np.einsum("ik,ij,jk->k", variance, quadratic**2, variance)
    return (np.diag(quadratic) @ variance) ** 2 / spread


def t_test(model: SlopeModel, x: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Effect, standard error, degrees of freedom and two-sided p of each column of Y (n x k)."""
    effect, se = model.fit(Y)
    df = welch_df(model, x, Y)
    return effect, se, df, 2 * scipy.stats.t.sf(np.abs(effect / se), df)
