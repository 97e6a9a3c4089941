"""Features that may stand under each other's names: what each goes together with tells which one it is.

Row g of the correlations within samples says which features g rises and falls with. In a sample whose names were mixed
up, in a part of the panel or in all of it, the row of one feature is like the model's row of another. Rows are compared
by Fisher's z of their correlation, features that agree with the model counting more, and the names are exchanged
(linear assignment) where that gains more than ``CLEARLY``. Components do not tell: whatever is projected onto them
comes back with the model's own correlations.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
import scipy.sparse as sp
from scipy.special import ndtri

from semanticst.constants import FeatureType
from semanticst.features.basis import Basis, Moments, transform

CLEARLY = 0.5
"""Gain in Fisher's z from which on a feature looks like another: so far no two features of one program are apart."""
ENOUGH_FEATURES = 20
SHOWN = 3
"""Features that are named."""
LEAST_ROWS = 4
"""Features, with the weight that they have, from which on Fisher's z has a variance."""
TOGETHER, OF_FEATURES = "together", "together_features"
"""Names in ``model.pt``."""


class Exchanged(NamedTuple):
    """Gain of exchanging names: Fisher's z above ``CLEARLY``, mean over features; ``clear``, what of it chance does not
    explain; and which ``looks`` exchanged, the clearest first, as "A looks like B"."""

    gain: float
    clear: float
    looks: list[str]

    @classmethod
    def unknown(cls) -> "Exchanged":
        return cls(float("nan"), float("nan"), [])


@dataclass(frozen=True)
class Together:
    """How the leading ``features`` (F,) of a model go together: their ``correlation`` (F, F) float32 within its
    samples, 0 for one that does not vary."""

    features: np.ndarray
    correlation: np.ndarray

    @classmethod
    def learn(cls, basis: Basis, scatters: dict[str, np.ndarray], samples: Iterable[str]) -> "Together | None":
        """From the ``scatter`` of each of the ``samples``; None where it could not tell one feature from another.

        A cell is of one type only: correlations of types say no more than how frequent each is.
        """
        features = basis.features[basis.leading()].astype(str)
        if basis.feature_type == FeatureType.ONEHOT or len(features) < ENOUGH_FEATURES:
            return None
        return cls(features, _correlation(_sum(scatters, samples)).astype(np.float32))

    @classmethod
    def from_arrays(cls, stored: dict) -> "Together | None":
        """From what ``arrays`` gave; None for a model of before or of few features."""
        if TOGETHER not in stored or OF_FEATURES not in stored:
            return None
        return cls(np.asarray(stored[OF_FEATURES]).astype(str), np.asarray(stored[TOGETHER]))

    def arrays(self) -> dict[str, np.ndarray]:
        return {OF_FEATURES: self.features, TOGETHER: self.correlation}

    def exchanged(self, scatter: np.ndarray) -> Exchanged:
        """What exchanging names gains in a sample of ``scatter`` (F, F). NaN where too few features vary."""
        own, model = _correlation(scatter), self.correlation.astype(np.float64)
        vary = (np.diag(own) > 0) & (np.diag(model) > 0)
        if vary.sum() < ENOUGH_FEATURES:
            return Exchanged.unknown()
        own, model, names = own[np.ix_(vary, vary)], model[np.ix_(vary, vary)], self.features[vary]
        agree = _row_agreement(own, model, np.ones(len(own)))
        known = np.clip(np.tanh(np.diag(agree)), 0, None) + 1e-3  # rows of features that are exchanged mislead others
        agree = _row_agreement(own, model, known)
        enough = np.diag(agree) + CLEARLY
        one, other, found = _best_exchange(agree, enough)
        clear = _best_exchange(agree, np.maximum(enough, _by_chance(known)))[2]
        order = [i for i in np.argsort(-found, kind="stable") if found[i] > 0]
        looks = [f"{names[one[i]]} looks like {names[other[i]]}" for i in order]
        return Exchanged(float(found.mean()), float(clear.mean()), looks)


def exchanged_features(
    together: Together | None, scatters: dict[str, np.ndarray], own: Collection[str]
) -> dict[str, Exchanged]:
    """What `Together.exchanged` says of each sample, by its ``scatter``. Those that are ``together``'s ``own`` are
    compared with the others of these."""
    if together is None:
        return dict.fromkeys(scatters, Exchanged.unknown())
    total, found = _sum(scatters, own) if own else np.zeros(()), {}
    for sample, found_in in scatters.items():
        others = replace(together, correlation=_correlation(total - found_in)) if sample in own else together
        found[sample] = others.exchanged(found_in)
    return found


def scatter(X: sp.csr_matrix, features: pd.Index, totals: np.ndarray, basis: Basis) -> np.ndarray:
    """Sums (F, F) float32 of products of deviations from the sample's means, of the leading features after `transform`;
    0 for those that it lacks. ``X`` (n, those in ``features``), ``totals`` (n,)."""
    leading = basis.leading()
    index = features.get_indexer(basis.features[leading])
    present = index >= 0
    cofactor = None if basis.cofactor is None else basis.cofactor[leading][present]
    moments = Moments()
    columns = sp.csr_matrix(X)[:, index[present]]
    moments.add(transform(columns, basis.feature_type, basis.depth, totals, cofactor), cross=True, present=present)
    return (moments.cross - X.shape[0] * np.outer(moments.mean, moments.mean)).astype(np.float32)


def _sum(scatters: dict[str, np.ndarray], samples: Iterable[str]) -> np.ndarray:
    return np.stack([scatters[sample] for sample in samples]).sum(0, dtype=np.float64)


def _correlation(scatter: np.ndarray) -> np.ndarray:
    sizes = np.sqrt(np.maximum(np.diag(scatter).astype(np.float64), 0))
    sizes[sizes <= 1e-3 * sizes.max(initial=0.0)] = np.inf  # does not vary
    return scatter / np.outer(sizes, sizes)


def _best_exchange(agree: np.ndarray, enough: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which feature goes to which name, and what that gains: Fisher's z ``agree`` (F, F) above ``enough`` (F,)."""
    gain = agree - enough[:, None]
    np.fill_diagonal(gain, 0)
    one, other = scipy.optimize.linear_sum_assignment(gain, maximize=True)
    return one, other, np.maximum(gain[one, other], 0)


def _by_chance(weights: np.ndarray) -> float:
    """Fisher's z that one of all pairs of features exceeds though no two go together: of few features, or few that
    have ``weights`` (F,), it lies far above ``CLEARLY``."""
    rows = max(weights.sum() ** 2 / (weights**2).sum(), LEAST_ROWS)
    return float(-ndtri(1 / len(weights) ** 2) / np.sqrt(rows - 3))


def _row_agreement(own: np.ndarray, model: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fisher's z (F, F) of the correlation of row g of ``own`` with row h of ``model``, over the features other than g
    and h, with ``weights`` (F,)."""
    A, B = own.copy(), model.copy()
    np.fill_diagonal(A, 0)
    np.fill_diagonal(B, 0)
    w = weights[None, :]
    total = weights.sum() - weights[:, None] - w
    np.fill_diagonal(total, weights.sum() - weights)
    mean_a, mean_b = ((A @ weights)[:, None] - A * w) / total, ((B @ weights)[None, :] - (B * w).T) / total
    square_a, square_b = (A**2 @ weights)[:, None] - A**2 * w, (B**2 @ weights)[None, :] - (B**2 * w).T
    variance_a, variance_b = square_a / total - mean_a**2, square_b / total - mean_b**2
    r = ((A * w) @ B.T / total - mean_a * mean_b) / np.sqrt(np.maximum(variance_a * variance_b, 1e-18))
    return np.arctanh(np.clip(r, -0.99, 0.99))
