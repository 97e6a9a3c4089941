"""Additional niches of mapped cells that fit none of the model's, behind these."""

import logging
from dataclasses import dataclass

import anndata as ad
import numpy as np

from semanticst.niche.em import Cells
from semanticst.niche.fit_of_samples import OUTSIDE
from semanticst.niche.mixture import MixtureSearch
from semanticst.niche.niche_model import NicheModel
from semanticst.niche.representations import middle_representation

log = logging.getLogger(__name__)

CELLS_OF_A_NICHE = 30
"""Cells outside that are needed for each additional niche."""


@dataclass(frozen=True)
class AddedNiches:
    """``n`` niches behind the ``k`` of the model: ``cells`` (m,) that are in them, which ``part`` (m,) 0..n-1, and the
    ``probability`` (m,) of it among them."""

    k: int
    n: int
    cells: np.ndarray
    part: np.ndarray
    probability: np.ndarray

    @classmethod
    def none(cls, k: int) -> "AddedNiches":
        return cls(k, 0, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Niche (n,) 0..k+n-1 of all cells, ``labels`` those of the model."""
        found = labels.copy()
        found[self.cells] = self.k + self.part
        return found

    def stability(self, stability: np.ndarray) -> np.ndarray:
        """The same of the ``stability`` (n,): votes know none of these niches."""
        found = stability.copy()
        found[self.cells] = self.probability
        return found

    def mapping(self, mapping: np.ndarray) -> np.ndarray:
        """``mapping`` (base clusterings, k) with the additional niches as parts of their own in each."""
        own = np.tile(np.arange(self.k, self.k + self.n), (len(mapping), 1))
        return np.hstack([mapping, own])


def add_niches(adata: ad.AnnData, model: NicheModel, fit: np.ndarray, n: int, seed: int) -> AddedNiches:
    """Cluster the cells whose ``fit`` (n,) is below ``OUTSIDE`` into at most ``n`` niches, the largest first."""
    cells = np.flatnonzero(fit < OUTSIDE)
    n = min(n, len(cells) // CELLS_OF_A_NICHE)
    if not n:
        log.warning(
            "no additional niche: %d cells fit none of the model's, %d are needed", len(cells), CELLS_OF_A_NICHE
        )
        return AddedNiches.none(model.k)
    X = middle_representation(model.representations).matrix(adata)[cells]
    mixture = MixtureSearch(Cells.of(X), starts=8, seed=seed).fit(n, shrinkage=0.1, refine=2)
    odds = mixture.log_odds(X)
    R = np.exp(odds - odds.max(1, keepdims=True))
    R /= R.sum(1, keepdims=True)
    order = np.argsort(-np.bincount(R.argmax(1), minlength=n), kind="stable")
    R = R[:, order]
    message = "%d cells that fit none of the model's niches are in niches %d to %d"
    log.info(message, len(cells), model.k + 1, model.k + n)
    return AddedNiches(model.k, n, cells, R.argmax(1), R.max(1))
