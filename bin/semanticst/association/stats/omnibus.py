"""Omnibus tests of several groups: F per niche, PERMANOVA over the composition, both by permutation.

On centred log-ratios the Euclidean distance is Aitchison's, so that the pseudo-F of PERMANOVA (Anderson 2001, Austral
Ecology 26:32; with covariates McArdle & Anderson 2001, Ecology 82:290) is the F of the summed squares of all columns.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from semanticst.association.stats.linear_model import nuisance_basis
from semanticst.association.stats.permutation import CHUNK, Permutations, permutation_p, permutations_of, refine_tail


@dataclass(frozen=True)
class OmnibusResult:
    """Per column of Y (one value when joint): share of the variation explained, p by permutation, p of the F test."""

    explained: np.ndarray
    p: np.ndarray
    p_permutation: np.ndarray
    p_model: np.ndarray
    permutations: Permutations


def omnibus_test(
    Y: np.ndarray,
    X: np.ndarray,
    blocks: np.ndarray,
    covariates: np.ndarray,
    permutations: int,
    seed: int,
    joint: bool = False,
) -> OmnibusResult | None:
    """Test whether the columns of X (n x d) explain Y (n x k) beyond blocks and covariates.

    None when they cannot be told apart from blocks and covariates, or no residual degree of freedom is left.
    With ``joint`` all columns of Y are one multivariate outcome, and p is the permutation's alone.
    """
    nuisance = nuisance_basis(blocks, covariates)
    own = X - nuisance @ (nuisance.T @ X)
    left, singular, _ = np.linalg.svd(own, full_matrices=False)
    effect = left[:, singular > 1e-8 * max(float(np.linalg.norm(X - X.mean(axis=0))), 1e-12)]
    df_effect, df_rest = effect.shape[1], len(Y) - nuisance.shape[1] - effect.shape[1]
    if df_effect < 1 or df_rest < 1:
        return None

    def sums(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = (rest**2).sum(axis=-2)
        by_effect = ((effect.T @ rest) ** 2).sum(axis=-2)
        if joint:
            total, by_effect = total.sum(axis=-1, keepdims=True), by_effect.sum(axis=-1, keepdims=True)
        return by_effect, np.maximum(total - by_effect, 1e-12)

    rest = Y - nuisance @ (nuisance.T @ Y)
    by_effect, unexplained = sums(rest)
    observed = by_effect / unexplained
    drawn = permutations_of(_row_codes(X), blocks, permutations, seed, exact_allowed=covariates.size == 0)
    size = max(1, CHUNK // rest.size)
    parts = []
    for start in range(0, len(drawn), size):
        shuffled = rest[drawn.order[start : start + size]]
        a, b = sums(shuffled - nuisance @ (nuisance.T @ shuffled))
        parts.append(a / b)
    null = np.concatenate(parts)
    p_permutation = permutation_p(null, observed, drawn.exact)
    p_model = stats.f.sf(observed * df_rest / df_effect, df_effect, df_rest)
    p = p_permutation if joint else refine_tail(p_permutation, null, observed, p_model)
    return OmnibusResult(by_effect / (by_effect + unexplained), p, p_permutation, p_model, drawn)


def _row_codes(X: np.ndarray) -> np.ndarray:
    """One number per distinct row of X."""
    return np.unique(X, axis=0, return_inverse=True)[1].reshape(-1).astype(float)


def indicators(values: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """0/1 columns of all levels but the first: float64, n x (levels - 1)."""
    return (values[:, None] == np.array(levels[1:], dtype=object)[None, :]).astype(float)
