"""Omnibus tests of several groups: F per niche, PERMANOVA over the composition, both by permutation.

On centred log-ratios the Euclidean distance is Aitchison's, so that the pseudo-F of PERMANOVA (Anderson 2001, Austral
Ecology 26:32; with covariates McArdle & Anderson 2001, Ecology 82:290) is the F of the summed squares of all columns.
Groups may differ in spread, also where they differ in size: the explained sum of squares is divided by what the errors
of each unit add to it. For groups this is F2 of Anderson et al. (2017, Aust N Z J Stat 59:57), of one column that of
Brown & Forsythe (1974, Technometrics 16:129), and with two groups the square of the t of ``linear_model``.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from semanticst.association.stats.linear_model import TINY, nuisance_basis, satterthwaite, variance_of_levels
from semanticst.association.stats.permutation import (
    CHUNK,
    Permutations,
    Rearrangements,
    flips_of_patients,
    permutation_p,
    permutations_of,
    sign_flips_of,
)
from semanticst.association.stats.unequal_groups import DIFFERENT, dispersion_p


@dataclass(frozen=True)
class OmnibusResult:
    """Per column of Y (one value when joint): share of the variation explained, p by permutation, p of the F test.

    ``p_dispersion`` (one value): do groups differ in spread? By permutation; NaN with blocks or covariates.
    """

    explained: np.ndarray
    p: np.ndarray
    p_permutation: np.ndarray
    p_model: np.ndarray
    p_dispersion: float
    permutations: Rearrangements


def omnibus_test(
    Y: np.ndarray,
    X: np.ndarray,
    blocks: np.ndarray,
    covariates: np.ndarray,
    permutations: int,
    seed: int,
    joint: bool = False,
    patients: np.ndarray | None = None,
) -> OmnibusResult | None:
    """Test whether the columns of X (n x d) explain Y (n x k) beyond blocks and covariates.

    None when they cannot be told apart from blocks and covariates, or no residual degree of freedom is left.
    With ``joint`` all columns of Y are one multivariate outcome. Between groups p is the larger of the permutation's
    and that of random signs of the residuals (wild bootstrap: Liu 1988, Ann Stat 16:1696), which leaves every group its
    spread; ``joint`` where groups differ in spread (permuted alone, 5 + 10 + 15 patients of falling spread were below
    0.05 in 6.7 % of cohorts). Without ``joint`` it is not below
    ``p_model``, that of F with the degrees of freedom of Box (1954, Ann Math Stat 25:290) and Brunner et al. (1997,
    JASA 92:1494) at each group's own variance.

    ``patients`` (n) are given where levels are compared within them. Then all signs of a patient are flipped together:
    levels cannot change places where two of them are more alike than a third (no sphericity).
    """
    parts = parts_of_contrast(X, blocks, covariates)
    if parts is None:
        return None
    nuisance, effect = parts
    codes = _row_codes(X)
    if patients is None:
        drawn: Rearrangements = permutations_of(codes, blocks, permutations, seed, covariates.size == 0)
    else:
        drawn = flips_of_patients(patients, permutations, seed)
    spread = covariates.size == 0 and len(np.unique(blocks)) == 1
    groups = codes if len(np.unique(codes)) <= len(Y) / 2 else None
    return _explained(Y, effect, nuisance, drawn, groups, joint, spread, seed)


def parts_of_contrast(
    X: np.ndarray, blocks: np.ndarray, covariates: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Orthonormal bases of blocks and covariates, and of what X (n x d) has beyond them; None where it has nothing, or
    no residual degree of freedom is left."""
    nuisance = nuisance_basis(blocks, covariates)
    own = X - nuisance @ (nuisance.T @ X)
    left, singular, _ = np.linalg.svd(own, full_matrices=False)
    effect = left[:, singular > 1e-8 * max(float(np.linalg.norm(X - X.mean(axis=0))), 1e-12)]
    if effect.shape[1] < 1 or len(X) - nuisance.shape[1] - effect.shape[1] < 1:
        return None
    return nuisance, effect


def slopes_test(Y: np.ndarray, length: np.ndarray, permutations: int, seed: int) -> OmnibusResult | None:
    """The joint test of courses: is the mean slope of patients other than 0 in any column (``patient_slopes``)?"""
    if len(Y) < 2:
        return None
    effect = (length / np.sqrt(length @ length))[:, None]
    drawn = sign_flips_of(len(Y), permutations, seed)
    return _explained(Y, effect, np.zeros((len(Y), 0)), drawn, None, joint=True)


def _explained(
    Y: np.ndarray,
    effect: np.ndarray,
    nuisance: np.ndarray,
    drawn: Rearrangements,
    codes: np.ndarray | None,
    joint: bool,
    spread: bool = False,
    seed: int = 0,
) -> OmnibusResult:
    """What ``effect`` explains beside ``nuisance`` (both orthonormal, n x columns).

    ``codes`` are the groups, each with a variance of its own; None where there are none. With ``spread`` their
    dispersion is compared.
    """
    leverage = (effect**2).sum(axis=1)
    free = 1.0 - leverage - (nuisance**2).sum(axis=1)
    weights = np.where(free > 1e-9, leverage / np.maximum(free, 1e-9), 0.0)

    def sums(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        fitted = effect.T @ rest
        residuals = (rest - effect @ fitted) ** 2
        by_effect = (fitted**2).sum(axis=-2)
        by_error, unexplained = np.einsum("n,...nk->...k", weights, residuals), residuals.sum(axis=-2)
        if joint:
            by_effect, by_error, unexplained = (
                a.sum(axis=-1, keepdims=True) for a in (by_effect, by_error, unexplained)
            )
        return by_effect, np.maximum(by_error, TINY), unexplained

    rest = Y - nuisance @ (nuisance.T @ Y)
    by_effect, by_error, unexplained = sums(rest)
    observed = by_effect / by_error

    def share_beyond(values: np.ndarray, ways: Rearrangements) -> np.ndarray:
        size, parts = max(1, CHUNK // values.size), []
        for start in range(0, len(ways), size):
            shuffled = ways.of(values, start, start + size)
            a, b, _ = sums(shuffled - nuisance @ (nuisance.T @ shuffled))
            parts.append(a / b)
        return permutation_p(np.concatenate(parts), observed, ways.exact)

    p = share_beyond(rest, drawn)
    residuals, p_model = rest - effect @ (effect.T @ rest), np.full(len(observed), np.nan)
    p_dispersion = np.nan
    if codes is not None and isinstance(drawn, Permutations):
        p_dispersion = dispersion_p(residuals, codes, drawn)
        if not joint or p_dispersion < DIFFERENT:
            # patients that change places take their spread with them; those whose sign is turned keep it where it is
            own = residuals / np.sqrt(np.where(free > 1e-9, free, 1.0))[:, None]
            p = np.maximum(p, share_beyond(own, sign_flips_of(len(Y), len(drawn), seed)))
    p_permutation = p
    if not joint and codes is not None:
        full = np.column_stack([nuisance, effect])
        variance, maker = variance_of_levels(codes, full, residuals), np.eye(len(Y)) - full @ full.T
        df = satterthwaite(maker @ (weights[:, None] * maker), variance)
        p_model = scipy.stats.f.sf(observed, satterthwaite(effect @ effect.T, variance), df)
        p = np.maximum(p, p_model)
    share = by_effect / np.maximum(by_effect + unexplained, TINY)
    return OmnibusResult(share, p, p_permutation, p_model, p_dispersion if spread else np.nan, drawn)


def _row_codes(X: np.ndarray) -> np.ndarray:
    """One number per distinct row of X."""
    return np.unique(X, axis=0, return_inverse=True)[1].reshape(-1).astype(float)


def indicators(values: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """0/1 columns of all levels but the first: float64, n x (levels - 1)."""
    return (values[:, None] == np.array(levels[1:], dtype=object)[None, :]).astype(float)
