"""Fit of cells and samples to a model: whether their surroundings are of a kind that its samples had.

Stability cannot say it: all base clusterings send a cell that is like none of the model's to the same nearest niche.
The density of the model's cells can. It is that of a coarse mixture on the widest average of the neighbourhood profile,
log p(x) up to a constant = log sum_k exp(-(x - mu_k)' Sigma^-1 (x - mu_k) / 2), averaged over the cell and its
neighbours. Parts weigh alike, so that a rare kind of tissue fits as well as a common one.

What is usual is learned by leaving out samples: the cells of each are measured against parts whose means, and most of
whose covariance, come from the other samples. The fit of a cell is the share of the model's own cells, measured so,
that lie further out: 0.5 is usual, below 0.05 lie 5 % of the model's own cells.
"""

import logging
from dataclasses import dataclass, replace
from functools import cached_property

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import logsumexp

from semanticst.constants import UNS, Context, Obs, Obsm, graph_key
from semanticst.niche.em import Cells, shared_covariance
from semanticst.niche.mixture import Mixture, MixtureSearch
from semanticst.niche.representations import Representation, principal_loadings

log = logging.getLogger(__name__)

PARTS, WIDTH = 4, 30
"""Few parts, many components: with more parts, or fewer components, tissue that no sample had lies closer to one."""
CELLS_OF_A_PART = 30
SHRINKAGE = 0.1
WITHOUT, FEW_SAMPLES = 0.8, 4
"""Part of the scatter of a sample that is left out with its means; none below so many samples, of which the others
would not know at all how samples differ. With all of it half of the unseen niches of the ladder passed."""
QUANTILES = 1_001
"""Stored quantiles of the density of the model's own cells."""
OUTSIDE = 0.05
"""Cells with a lower fit count as outside."""
MOST_OUTSIDE = 0.3
"""A sample fits when no more of its cells are outside, or no more than 1.5 times as many as of any of the model's."""
MOST_SHIFT = 0.6
"""A sample fits when batch correction moves it by no more of the spread of the model's cells, or 1.5 times the most."""
MOST_CHANGE = 0.7
"""A sample fits when the variances of its components change by no more, or 1.5 times the most. Measured: samples of a
cohort 0.05 to 0.44, one layer of a section 0.26 to 0.55, names of genes permuted 0.9 and more, noise 1.7 and more."""
SLACK = 1.5


@dataclass(frozen=True)
class FitReference:
    """What is usual for a model. ``representation`` of the profile and ``mixture`` in it; ``quantiles`` (Q,) of the
    log density of its own cells; ``outside``, ``shift`` and ``change`` (S,) of its own samples, sorted; ``spread`` of
    its cells, and ``variance`` (p,) of the components within its samples."""

    representation: Representation
    mixture: Mixture
    quantiles: np.ndarray
    outside: np.ndarray
    shift: np.ndarray
    change: np.ndarray
    spread: float
    variance: np.ndarray

    def cells(self, adata: ad.AnnData) -> np.ndarray:
        """Fit (n,) of the cells of ``adata``, 0 to 1."""
        density = np.concatenate([
            _log_density((block - self.representation.mean) @ self.representation.loadings, self.mixture)
            for block in self.representation.blocks(adata)
        ])  # fmt: skip
        return self.rank(_averaged(adata, density))

    def rank(self, density: np.ndarray) -> np.ndarray:
        """Share of the model's own cells whose density is lower, (n,)."""
        return np.interp(density, self.quantiles, np.linspace(0, 1, len(self.quantiles)), left=0.0, right=1.0)

    @cached_property
    def limits(self) -> tuple[float, float, float]:
        """Largest share of cells outside, largest shift, and largest change of variances, of a sample that fits."""
        return (
            max(MOST_OUTSIDE, SLACK * float(self.outside.max(initial=0.0))),
            max(MOST_SHIFT, SLACK * float(self.shift.max(initial=0.0))),
            max(MOST_CHANGE, SLACK * float(self.change.max(initial=0.0))),
        )

    def samples(self, adata: ad.AnnData, fit: np.ndarray) -> pd.DataFrame:
        """Per sample: n_cells, mean_fit, outside (share of its cells), shift (of the spread), change (of variances),
        fits, why."""
        shifts, changes = _shifts(adata, self.spread), _changes(adata, self.variance)
        most_outside, most_shift, most_change = self.limits
        rows = []
        for sample, cells in adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices.items():
            outside, shift = float((fit[cells] < OUTSIDE).mean()), shifts[sample]
            why = []
            if outside > most_outside:
                why.append(
                    f"{outside:.0%} of its cells are outside of what the model knows, at most {most_outside:.0%}"
                )
            if shift > most_shift:
                why.append(f"it lies {shift:.2f} of the spread away from the model's, at most {most_shift:.2f}")
            change = changes[sample]
            if change > most_change + 2 / np.sqrt(len(cells)):  # of few cells variances are not known well
                way = f"variances change by {change:.2f}, at most {most_change:.2f}"
                why.append(f"its features vary together in another way: {way}")
            of_sample = (str(sample), len(cells), fit[cells].mean(), outside, shift, change)
            rows.append((*of_sample, not why, "; ".join(why)))
        columns = ["sample", "n_cells", "mean_fit", "outside", "shift", "change", "fits", "why"]
        return pd.DataFrame(rows, columns=columns).round(dict.fromkeys(("mean_fit", "outside", "shift", "change"), 4))

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, for ``model.pt``."""
        r, m = self.representation, self.mixture
        return {
            "fit/source": np.array([r.source]), "fit/columns": np.array(r.columns), "fit/mean": r.mean,
            "fit/loadings": r.loadings, "fit/weights": m.weights, "fit/means": m.means, "fit/covariance": m.covariance,
            "fit/quantiles": self.quantiles, "fit/outside": self.outside, "fit/shift": self.shift,
            "fit/spread": np.array(self.spread),
            "fit/change": self.change, "fit/variance": self.variance,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "FitReference":
        """From what ``arrays`` gave; raises KeyError or ValueError when something is missing or does not fit."""
        start, stop = (int(c) for c in stored["fit/columns"])
        source = str(np.atleast_1d(stored["fit/source"])[0])
        representation = Representation("fit", source, (start, stop), stored["fit/mean"], stored["fit/loadings"])
        mixture = Mixture(stored["fit/weights"], stored["fit/means"], stored["fit/covariance"])
        outside, shift, change = (np.atleast_1d(stored[f"fit/{name}"]) for name in ("outside", "shift", "change"))
        spread, variance = float(stored["fit/spread"]), stored["fit/variance"]
        return cls(representation, mixture, stored["fit/quantiles"], outside, shift, change, spread, variance)


def learn_fit(adata: ad.AnnData, seed: int) -> tuple[FitReference, np.ndarray]:
    """What is usual for the samples of ``adata``, and the fit (n,) of its own cells, each sample left out in turn.

    One sample alone is measured against itself.
    """
    representation = _widest(adata)
    Z = representation.matrix(adata)
    n_parts = max(1, min(PARTS, len(Z) // CELLS_OF_A_PART))
    mixture = MixtureSearch(Cells.of(Z), starts=4, seed=seed).fit(n_parts, shrinkage=SHRINKAGE, refine=1)
    cells_of = {str(s): cells for s, cells in adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices.items()}
    density = _averaged(adata, _left_out(Z, mixture, list(cells_of.values())))
    spread = float(np.sqrt(np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float64).var(0).sum()))
    shifts = _shifts(adata, spread)
    components = np.asarray(adata.obsm[Obsm.COMPONENTS], dtype=np.float64)
    variance = sum(components[cells].var(0) * len(cells) for cells in cells_of.values()) / len(Z)
    changes = _changes(adata, variance)
    found = FitReference(
        representation, mixture, np.quantile(density, np.linspace(0, 1, QUANTILES)), np.empty(0),
        np.sort([shifts[s] for s in cells_of]), np.sort([changes[s] for s in cells_of]), spread, variance,
    )  # fmt: skip
    fit = found.rank(density)
    outside = np.sort([(fit[cells] < OUTSIDE).mean() for cells in cells_of.values()])
    return replace(found, outside=outside), fit


def tell_fit(samples: pd.DataFrame) -> None:
    """Log the fit of each sample, with a warning for those that do not fit."""
    for row in samples.itertuples():
        log.info("%s: mean fit %.2f, %.0f %% of the cells outside, shift %.2f",
                 row.sample, row.mean_fit, 100 * row.outside, row.shift)  # fmt: skip
        if not row.fits:
            log.warning("%s does not fit the model: %s; its niches may mean nothing, whatever their stability",
                        row.sample, row.why)  # fmt: skip


def _widest(adata: ad.AnnData) -> Representation:
    """Leading components of the profile's last hop."""
    hops = int(adata.uns[UNS]["graph_hops"])
    p = adata.obsm[Obsm.PROFILE].shape[1] // hops
    columns = ((hops - 1) * p, hops * p)
    block = np.asarray(adata.obsm[Obsm.PROFILE][:, columns[0] : columns[1]], dtype=np.float64)
    return Representation("fit", str(Obsm.PROFILE), columns, block.mean(0), principal_loadings(block, WIDTH))


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
    alone, without = len(samples) == 1, WITHOUT if len(samples) >= FEW_SAMPLES else 0.0
    sizes, sums, squares = R.sum(0), R.T @ Z, Z.T @ Z
    density = np.empty(len(Z))
    for cells in samples:
        own = Z[cells]
        left = sizes if alone else sizes - R[cells].sum(0)
        known = left > 1e-3 * len(Z) / len(sizes)  # a part of this sample only is none to the others
        means = ((sums if alone else sums - R[cells].T @ own) / np.maximum(left, 1e-9)[:, None])[known]
        n, second = len(Z) - without * len(own), squares - without * own.T @ own
        centre, shares = left[known] @ means / left[known].sum(), left[known] / left[known].sum()
        scatter = second / n - np.outer(centre, centre)
        covariance = shared_covariance(shares[None], (means - centre)[None], scatter, SHRINKAGE, floor=True)[0]
        density[cells] = _log_density(own, Mixture(shares, means, covariance))
    return density


def _averaged(adata: ad.AnnData, density: np.ndarray) -> np.ndarray:
    """Mean (n,) over each cell and its neighbours in space."""
    A = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    ones = sp.csr_matrix((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)
    return (ones @ density + density) / (np.diff(A.indptr) + 1)


def _shifts(adata: ad.AnnData, spread: float) -> dict[str, float]:
    """How far batch correction moved each sample, as a share of the ``spread`` of the model's cells."""
    moved = np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float64) - np.asarray(adata.obsm[Obsm.COMPONENTS])
    groups = adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices
    return {str(s): float(np.linalg.norm(moved[cells].mean(0)) / max(spread, 1e-300)) for s, cells in groups.items()}


def _changes(adata: ad.AnnData, variance: np.ndarray) -> dict[str, float]:
    """Mean of |log (v / ``variance``)| over the components, weighted by ``variance`` (p,), v those within each sample.

    What features that vary together do elsewhere: names of genes that are permuted, and noise, keep their means.
    """
    X, known = np.asarray(adata.obsm[Obsm.COMPONENTS], dtype=np.float64), variance > 0
    groups = adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices
    found = {}
    for sample, cells in groups.items():
        # a marker that one sample lacks is no more than a tenth of what others have
        ratio = np.clip(X[cells].var(0)[known] / variance[known], 0.1, 10)
        found[str(sample)] = float(np.average(np.abs(np.log(ratio)), weights=variance[known]) if known.any() else 0.0)
    return found
