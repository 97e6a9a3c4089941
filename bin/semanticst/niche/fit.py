"""Fit of cells and samples to a model: whether their surroundings are of a kind that its samples had.

Stability cannot say it: all base clusterings send a cell that is like none of the model's to the same nearest niche.
The density of the model's cells can. It is that of a coarse mixture on the middle hop of the neighbourhood profile,
log p(x) up to a constant = log sum_k exp(-(x - mu_k)' Sigma^-1 (x - mu_k) / 2), averaged over the cell and its
neighbours. Parts weigh alike, so that a rare kind of tissue fits as well as a common one.

What is usual is learned by leaving out samples: the cells of each are measured against parts whose means, and most of
whose covariance, come from the other samples. The fit of a cell is the share of the model's own cells, measured so,
that lie further out: 0.5 is usual, below 0.05 lie 5 % of the model's own cells.
"""

import logging
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import logsumexp

from semanticst.constants import UNS, Context, Obsm, graph_key
from semanticst.niche.em import Cells, shared_covariance
from semanticst.niche.fit_of_samples import ENOUGH_CELLS, OUTSIDE, Limits, UsualSamples, cells_by_sample
from semanticst.niche.mixture import Mixture, MixtureSearch
from semanticst.niche.representations import Representation, principal_components

log = logging.getLogger(__name__)

PARTS, WIDTH = 8, 20
"""Each of the eight niches of the ladder held out: AUROC of the fit 0.978 (of each at least 0.94) on the middle hop and
0.970 (0.89) on the last; with 4 parts 0.971 (0.91); on the last with 4 parts and 30 components 0.955 (0.85)."""
CELLS_OF_A_PART = 30
SHRINKAGE = 0.1
WITHOUT, FEW_SAMPLES = 0.8, 4
"""Part of the scatter of a sample that is left out with its means. Below so many samples none is left out at all: the
others would not know how samples differ, and of two mice almost nothing was outside."""
QUANTILES = 1_001
"""Stored quantiles of the density of the model's own cells."""


@dataclass(frozen=True)
class FitReference:
    """What is usual for a model. ``representation`` of the profile and ``mixture`` in it; ``quantiles`` (Q,) of the
    log density of its own cells; what its own samples have is ``usual``."""

    representation: Representation
    mixture: Mixture
    quantiles: np.ndarray
    usual: UsualSamples

    def cells(self, adata: ad.AnnData) -> np.ndarray:
        """Fit (n,) of the cells of ``adata``, 0 to 1."""
        density = np.concatenate([
            _log_density((block - self.representation.mean) @ self.representation.loadings, self.mixture)
            for block in self.representation.blocks(adata)
        ])  # fmt: skip
        return _rank(_averaged(adata, density), self.quantiles)

    @property
    def limits(self) -> Limits:
        """Of a sample that fits."""
        return self.usual.limits

    def samples(self, adata: ad.AnnData, fit: np.ndarray) -> pd.DataFrame:
        """Per sample what ``UsualSamples.judge`` says."""
        return self.usual.judge(adata, fit)

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, for ``model.pt``."""
        r, m = self.representation, self.mixture
        return {
            "fit/source": np.array([r.source]), "fit/columns": np.array(r.columns), "fit/mean": r.mean,
            "fit/loadings": r.loadings, "fit/weights": m.weights, "fit/means": m.means, "fit/covariance": m.covariance,
            "fit/quantiles": self.quantiles, **self.usual.arrays(),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "FitReference":
        """From what ``arrays`` gave; raises KeyError or ValueError when something is missing or does not fit."""
        start, stop = (int(c) for c in stored["fit/columns"])
        source = str(np.atleast_1d(stored["fit/source"])[0])
        representation = Representation("fit", source, (start, stop), stored["fit/mean"], stored["fit/loadings"])
        mixture = Mixture(stored["fit/weights"], stored["fit/means"], stored["fit/covariance"])
        return cls(representation, mixture, stored["fit/quantiles"], UsualSamples.from_arrays(stored))


def learn_fit(adata: ad.AnnData, seed: int) -> tuple[FitReference, np.ndarray]:
    """What is usual for the samples of ``adata``, and the fit (n,) of its own cells, each sample left out in turn.

    Fewer than ``FEW_SAMPLES`` are measured against all of them.
    """
    representation = _middle(adata)
    Z = representation.matrix(adata)
    n_parts = max(1, min(PARTS, len(Z) // CELLS_OF_A_PART))
    mixture = MixtureSearch(Cells.of(Z), starts=4, seed=seed).fit(n_parts, shrinkage=SHRINKAGE, refine=1)
    samples = list(cells_by_sample(adata).values())
    density = _averaged(adata, _left_out(Z, mixture, samples))
    quantiles = np.quantile(density, np.linspace(0, 1, QUANTILES))
    fit = _rank(density, quantiles)
    outside = np.array([(fit[cells] < OUTSIDE).mean() for cells in samples])
    return FitReference(representation, mixture, quantiles, UsualSamples.learn(adata, outside)), fit


def tell_fit(samples: pd.DataFrame) -> None:
    """Log the fit of each sample, with a warning for those that do not fit."""
    for row in samples.itertuples():
        log.info("%s: mean fit %.2f, %.0f %% of the cells outside, shift %.2f",
                 row.sample, row.mean_fit, 100 * row.outside, row.shift)  # fmt: skip
        if not row.fits:
            log.warning("%s does not fit the model: %s; its niches may mean nothing, whatever their stability",
                        row.sample, row.why)  # fmt: skip
        elif row.why:
            log.warning("%s is to be looked at: %s", row.sample, row.why)


def tell_small(samples: pd.DataFrame) -> None:
    """Warn of mapped samples that are too small to be judged by correlations and Moran's I: that they fit says less."""
    small = samples.loc[samples["n_cells"] < ENOUGH_CELLS, "sample"].tolist()
    if small:
        message = (
            "%d of %d mapped samples have fewer than %d cells (%s%s): whether names of features or places of cells "
            "were mixed up cannot be told of them"
        )
        others = " and others" if len(small) > 5 else ""
        log.warning(message, len(small), len(samples), ENOUGH_CELLS, ", ".join(small[:5]), others)


def _middle(adata: ad.AnnData) -> Representation:
    """Leading components of the profile's middle hop."""
    hops = int(adata.uns[UNS]["graph_hops"])
    p, hop = adata.obsm[Obsm.PROFILE].shape[1] // hops, max(1, hops // 2)
    columns = ((hop - 1) * p, hop * p)
    components = principal_components(adata.obsm[Obsm.PROFILE], columns, WIDTH)
    return Representation("fit", str(Obsm.PROFILE), columns, *components)


def _rank(density: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Share of the model's own cells whose density is lower, (n,)."""
    return np.interp(density, quantiles, np.linspace(0, 1, len(quantiles)), left=0.0, right=1.0)


def _log_density(Z: np.ndarray, mixture: Mixture) -> np.ndarray:
    """log sum_k exp(-d_k^2 / 2) (n,), d_k the Mahalanobis distance of ``Z`` (n, d) from part k."""
    white = np.linalg.inv(np.linalg.cholesky(mixture.covariance)).T
    X, M = Z @ white, mixture.means @ white
    distances = (X**2).sum(1)[:, None] - 2 * X @ M.T + (M**2).sum(1)
    return logsumexp(-0.5 * distances, axis=1)


def _left_out(Z: np.ndarray, mixture: Mixture, samples: list[np.ndarray]) -> np.ndarray:
    """Log density (n,) of each sample's cells (rows of ``Z``) by parts whose means and covariance are the others'."""
    odds = mixture.log_odds(Z)
    R = np.exp(odds - odds.max(1, keepdims=True))
    R /= R.sum(1, keepdims=True)
    few = len(samples) < FEW_SAMPLES
    without = 0.0 if few else WITHOUT
    sizes, sums, squares = R.sum(0), R.T @ Z, Z.T @ Z
    density = np.empty(len(Z))
    narrowest = 1e-3 * np.linalg.eigvalsh(mixture.covariance)[0]
    for cells in samples:
        own = Z[cells]
        left = sizes if few else sizes - R[cells].sum(0)
        known = left > 1e-3 * len(Z) / len(sizes)  # a part of this sample only is none to the others
        means = ((sums if few else sums - R[cells].T @ own) / np.maximum(left, 1e-9)[:, None])[known]
        n, second = len(Z) - without * len(own), squares - without * own.T @ own
        centre, shares = left[known] @ means / left[known].sum(), left[known] / left[known].sum()
        scatter = second / n - np.outer(centre, centre)
        covariance = shared_covariance(shares[None], (means - centre)[None], scatter, SHRINKAGE, floor=True)[0]
        if np.linalg.eigvalsh(covariance)[0] < narrowest:
            # nearly all cells are of this sample: what the others leave of the moments is no covariance
            covariance = mixture.covariance
        density[cells] = _log_density(own, Mixture(shares, means, covariance))
    return density


def _averaged(adata: ad.AnnData, density: np.ndarray) -> np.ndarray:
    """Mean (n,) over each cell and its neighbours in space."""
    A = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    ones = sp.csr_matrix((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)
    return (ones @ density + density) / (np.diff(A.indptr) + 1)
