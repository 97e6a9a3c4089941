"""Fit of whole samples to a model: how each differs from the model's own samples, which are the measure.

A sample may look usual cell by cell and still be none: permuted names and noise have usual averages, and cells at
shuffled places lie in the middle of everything. So a sample is also judged by how far batch correction moved it, by the
variances of its components, by the correlations between its features, and by whether neighbours in space are alike
(Moran 1950). Each limit follows the worst of the model's own samples.
"""

from dataclasses import dataclass, field, fields
from typing import NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import UNS, Context, Obs, Obsm, graph_key
from semanticst.units import percent

OUTSIDE = 0.05
"""Cells with a lower fit count as outside."""
SLACK = 1.5
"""A sample fits up to so many times what the worst of the model's own samples has."""
MOST_OUTSIDE = 0.3
"""Share of cells outside that always fits."""
MOST_SHIFT = 0.6
"""Shift by batch correction, of the spread of the model's cells, that always fits."""
MOST_CHANGE = 0.7
"""Change of the variances of components that always fits. Measured: samples of a cohort 0.05 to 0.44, one layer of a
section 0.26 to 0.55, names of genes permuted 0.9 and more, noise 1.7 and more."""
LEAST_COEXPRESSION, MOST_COEXPRESSION = 0.2, 0.8
"""The limit is the lowest of the model's own samples, its Fisher's z over ``SLACK``. The first is that of a model of
one sample, which does not know how samples differ; the second the most that is asked: sections of one donor are alike.
Measured: lowest of a cohort 0.49 (tumours) to 0.98, names permuted at most 0.05 (tumours) to 0.82, below the cohort's
own samples in all."""
LEAST_MORAN = 0.015
"""Moran's I below which cells lie as at random, or a third of the lowest of the model's own samples where that is less.
Measured: samples 0.036 to 0.36, single layers of cortex 0.02 to 0.32, places shuffled -0.02 to 0.01."""
LEAST_EXCHANGED, MOST_EXCHANGED = 0.02, 0.05
"""Gain of exchanging names (`Together`) that always fits, and the most that a model's own samples make usual: where it
would be more, since features do not go together and so look exchanged by chance, there is no limit. A sample of the
model whose gain chance does not explain (``clear`` above the former) is no measure: its names were mixed up.
Measured: samples of a cohort 0 (tumours up to 0.018), one layer of a section up to 0.004 (sections of Visium 0.026), of
the names of counts and intensities 10 % in rotation 0.004 to 0.18, 20 % 0.019 to 0.21, of 40 markers of tumours 0 to
0.14 and 0.011 to 0.19; noise of 20 to 40 features 0 to 0.5, clear in 4 % of its samples of 20 features, in 1 % of 24,
in none of 30 and more."""
ENOUGH_CELLS = 300
"""Cells of a sample from which on its correlations and Moran's I are known well enough to be judged."""
OF_ENOUGH = ("coexpression", "exchanged", "moran")
"""What is judged of such samples only."""
ENOUGH_PAIRS = 10
"""Pairs of features, from which on their correlations are compared."""


class Limits(NamedTuple):
    """Of a sample that fits: largest share of cells outside, shift and change; smallest coexpression; largest gain of
    exchanging names. A smaller Moran's I is a doubt. NaN: not checked, see `UNCHECKED`."""

    outside: float
    shift: float
    change: float
    coexpression: float
    moran: float
    exchanged: float


UNCHECKED = {
    "outside": "cells outside (two thirds and more of the cells of a sample of the model are)",
    "coexpression": "correlations between features (those of a sample of the model are unlike the others')",
    "exchanged": "names of features under which others stand (in samples of the model they look so by chance)",
    "moran": "Moran's I (in a sample of the model, neighbours in space are no more alike than other cells)",
}
"""What no sample is checked by, where the model's own samples are so that none could miss a limit, or that these would
themselves."""


def unchecked(limits: Limits) -> str:
    """What samples are not checked by, and why, as a sentence; empty where nothing is left out."""
    which = [words for name, words in UNCHECKED.items() if np.isnan(getattr(limits, name))]
    return f"Not checked, since the model has no measure of it: {'; '.join(which)}." if which else ""


@dataclass(frozen=True)
class UsualSamples:
    """What the samples of a model have, sorted (S,): ``outside``, ``shift``, ``change``, ``coexpression``, ``moran``,
    ``exchanged``; ``spread`` of the model's cells, covariance ``within`` (p, p) its samples, and ``features`` (F, p),
    loadings of its leading features (none: coexpression is not known)."""

    outside: np.ndarray
    shift: np.ndarray
    change: np.ndarray
    coexpression: np.ndarray
    moran: np.ndarray
    spread: float
    within: np.ndarray
    features: np.ndarray
    exchanged: np.ndarray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def learn(cls, adata: ad.AnnData, outside: np.ndarray) -> "UsualSamples":
        """From the model's own samples; ``outside`` (S,) is the share of cells of each. Others are the measure of the
        coexpression of each."""
        X = np.asarray(adata.obsm[Obsm.COMPONENTS], dtype=np.float64)
        spread = float(np.sqrt(np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float64).var(0).sum()))
        features = np.asarray(adata.uns[UNS].get("leading_loadings", np.empty((0, X.shape[1]))), dtype=np.float64)
        by_sample = cells_by_sample(adata)
        samples, names = list(by_sample.values()), exchanged_of(adata)
        usual = [np.nan if names[of].clear > LEAST_EXCHANGED else names[of].gain for of in by_sample]
        scatters = np.array([_scatter(X[cells]) for cells in samples])
        within = scatters.sum(0) / len(X)
        enough = [len(cells) >= ENOUGH_CELLS for cells in samples]
        alone = len(samples) == 1
        together = [coexpression(own, within * len(X) - own, features) for own in scatters] if not alone else []
        return cls(
            np.sort(outside),
            np.sort([_shift(adata, cells, spread) for cells in samples]),
            np.sort([_change(X[cells], np.diag(within)) for cells in samples]),
            _known(np.array(together)[enough] if together else np.empty(0)),
            _known(np.array([moran(adata, cells) for cells in samples])[enough]),
            spread, within, features,
            _known(np.array(usual)[enough]),
        )  # fmt: skip

    @property
    def limits(self) -> Limits:
        """Each as far as it can be missed by a sample, and is not by the model's own."""
        nan = float("nan")
        least_coexpression = LEAST_COEXPRESSION
        if len(self.coexpression):
            lowest = float(np.clip(self.coexpression[0], -0.99, 0.99))
            least_coexpression = (
                min(MOST_COEXPRESSION, float(np.tanh(np.arctanh(lowest) / SLACK))) if lowest > 0 else nan
            )
        most_outside = max(MOST_OUTSIDE, SLACK * float(self.outside.max(initial=0.0)))
        most_exchanged = SLACK * float(self.exchanged.max(initial=0.0))
        lowest_moran = float(self.moran.min(initial=1.0))
        return Limits(
            most_outside if most_outside < 1 else nan,
            max(MOST_SHIFT, SLACK * float(self.shift.max(initial=0.0))),
            max(MOST_CHANGE, SLACK * float(self.change.max(initial=0.0))),
            least_coexpression,
            # a third of a number below 0 lies above it
            min(LEAST_MORAN, lowest_moran / 3) if lowest_moran > 0 else nan,
            max(LEAST_EXCHANGED, most_exchanged) if most_exchanged <= MOST_EXCHANGED else nan,
        )  # fmt: skip

    def judge(self, adata: ad.AnnData, fit: np.ndarray) -> pd.DataFrame:
        """Per sample: n_cells, mean_fit, outside (share of its cells), shift (of the spread), change (of variances),
        coexpression, exchanged (gain of it), moran, fits, why not or what else is to be looked at, checked (by which of
        these it was judged). ``fit`` (n,) of the cells."""
        rows, exchanged = [], exchanged_of(adata)
        for sample, cells in cells_by_sample(adata).items():
            X = np.asarray(adata.obsm[Obsm.COMPONENTS][cells], dtype=np.float64)
            found = {
                "outside": float((fit[cells] < OUTSIDE).mean()),
                "shift": _shift(adata, cells, self.spread),
                "change": _change(X, np.diag(self.within)),
                "coexpression": coexpression(_scatter(X), self.within, self.features),
                "exchanged": exchanged[sample].gain,
                "moran": moran(adata, cells),
            }
            why = self._why(found, len(cells), exchanged[sample].looks)
            doubt = self._doubt(found, len(cells))
            rows.append({"sample": sample, "n_cells": len(cells), "mean_fit": fit[cells].mean(), **found,
                         "fits": not why, "why": "; ".join(why + doubt),
                         "checked": ", ".join(_checked(found, self.limits, len(cells)))})  # fmt: skip
        measured = ("mean_fit", "outside", "shift", "change", "coexpression", "exchanged", "moran")
        return pd.DataFrame(rows).round(dict.fromkeys(measured, 4))

    def _why(self, found: dict[str, float], n_cells: int, looks: str) -> list[str]:
        """What of a sample is beyond a limit, in words."""
        limits, why = self.limits, []
        if found["outside"] > limits.outside:
            most = f"at most {percent(limits.outside)}"
            why.append(f"{percent(found['outside'])} of its cells are outside of what the model knows, {most}")
        if found["shift"] > limits.shift:
            why.append(f"it lies {found['shift']:.2f} of the spread away from the model's, at most {limits.shift:.2f}")
        if found["change"] > limits.change + 2 / np.sqrt(n_cells):  # of few cells variances are not known well
            way = f"variances change by {found['change']:.2f}, at most {limits.change:.2f}"
            why.append(f"its features vary together in another way: {way}")
        if n_cells >= ENOUGH_CELLS and found["coexpression"] < limits.coexpression:
            r = f"correlation {found['coexpression']:.2f} with the model's, at least {limits.coexpression:.2f}"
            why.append(f"other features go together, as where names were mixed up: {r}")
        if n_cells >= ENOUGH_CELLS and found["exchanged"] > limits.exchanged:
            gain = f"gain of exchanging them {found['exchanged']:.3f}, at most {limits.exchanged:.3f}"
            why.append(f"features look as under the names of others ({looks}): {gain}")
        return why

    def _doubt(self, found: dict[str, float], n_cells: int) -> list[str]:
        """What may be wrong with a sample that fits, in words: one homogeneous tissue cannot be told from it."""
        if n_cells < ENOUGH_CELLS or not found["moran"] < self.limits.moran:
            return []
        way = f"Moran's I {found['moran']:.3f}, usually at least {self.limits.moran:.3f}"
        return [f"its cells lie as at random, in one homogeneous tissue or at places of other cells: {way}"]

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, for ``model.pt``."""
        return {f"fit/{of.name}": np.asarray(getattr(self, of.name)) for of in fields(self)}

    @classmethod
    def from_arrays(cls, stored: dict[str, np.ndarray]) -> "UsualSamples":
        """From what ``arrays`` gave; raises KeyError when something is missing. Models of before have no
        ``exchanged``."""
        found = {of.name: stored[f"fit/{of.name}"] for of in fields(cls) if of.name != "exchanged"}
        found["exchanged"] = stored.get("fit/exchanged", np.empty(0))
        spread = float(found.pop("spread"))
        return cls(spread=spread, **{name: np.asarray(values, dtype=np.float64) for name, values in found.items()})


class Names(NamedTuple):
    """Gain of exchanging names of features, what of it chance does not explain, and which features, in words."""

    gain: float
    clear: float
    looks: str


def exchanged_of(adata: ad.AnnData) -> dict[str, Names]:
    """By sample, as the features were compared; NaN where not."""
    found = {str(sample): Names(float("nan"), float("nan"), "") for sample in adata.obs[Obs.SAMPLE].unique()}
    told = ("exchanged_samples", "exchanged", "exchanged_clear", "exchanged_features")
    for sample, gain, clear, looks in zip(*(np.atleast_1d(adata.uns[UNS].get(of, [])) for of in told), strict=True):
        found[str(sample)] = Names(float(gain), float(clear), str(looks))
    return found


def _checked(found: dict[str, float], limits: Limits, n_cells: int) -> list[str]:
    """What of ``found`` a sample is judged by."""
    return [
        name
        for name, value in found.items()
        if np.isfinite(value)
        and not np.isnan(getattr(limits, name))
        and (n_cells >= ENOUGH_CELLS or name not in OF_ENOUGH)
    ]


def cells_by_sample(adata: ad.AnnData) -> dict[str, np.ndarray]:
    """Rows of each sample, by name."""
    groups = adata.obs.groupby(Obs.SAMPLE, observed=True, sort=True).indices
    return {str(sample): np.asarray(cells) for sample, cells in groups.items()}


def coexpression(covariance: np.ndarray, reference: np.ndarray, loadings: np.ndarray) -> float:
    """Correlation, over pairs of features, of their correlation in one covariance (p, p) of components with that in
    another (Mantel 1967). ``loadings`` (F, p). NaN where fewer than ``ENOUGH_PAIRS`` vary in both."""
    both = [loadings @ C @ loadings.T for C in (covariance, reference)]
    sizes = [np.sqrt(np.maximum(np.diag(C), 0)) for C in both]
    vary = np.all([s > 1e-3 * s.max(initial=0.0) for s in sizes], axis=0)
    pairs = np.triu_indices(vary.sum(), 1)
    if len(pairs[0]) < ENOUGH_PAIRS:
        return float("nan")
    one, other = ((C[np.ix_(vary, vary)] / np.outer(s[vary], s[vary]))[pairs] for C, s in zip(both, sizes, strict=True))
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def moran(adata: ad.AnnData, cells: np.ndarray) -> float:
    """Moran's I of the corrected components of ``cells``, all components together, weights 1 / number of neighbours.

    sum_ij w_ij <x_i - x, x_j - x> / sum_i |x_i - x|^2: 0 where neighbours in space are no more alike than others.
    """
    A = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])[cells][:, cells]
    A = sp.csr_matrix((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)
    X = np.asarray(adata.obsm[Obsm.HARMONY][cells], dtype=np.float64)
    X -= X.mean(0)
    means = (A @ X) / np.maximum(np.diff(A.indptr), 1)[:, None]
    return float((X * means).sum() / max((X**2).sum(), 1e-300))


def _shift(adata: ad.AnnData, cells: np.ndarray, spread: float) -> float:
    """How far batch correction moved ``cells``, as a share of the ``spread`` of the model's cells."""
    moved = np.asarray(adata.obsm[Obsm.HARMONY][cells], dtype=np.float64) - adata.obsm[Obsm.COMPONENTS][cells]
    return float(np.linalg.norm(moved.mean(0)) / max(spread, 1e-300))


def _change(X: np.ndarray, variance: np.ndarray) -> float:
    """Mean of |log (v / ``variance``)| over components, weighted by ``variance`` (p,), v those of the cells (n, p)."""
    known = variance > 0
    if not known.any():
        return 0.0
    # a marker that one sample lacks is no more than a tenth of what others have
    ratio = np.clip(X.var(0)[known] / variance[known], 0.1, 10)
    return float(np.average(np.abs(np.log(ratio)), weights=variance[known]))


def _scatter(X: np.ndarray) -> np.ndarray:
    """Sums (p, p) of products of the deviations from the mean."""
    centred = X - X.mean(0)
    return centred.T @ centred


def _known(values: np.ndarray) -> np.ndarray:
    return np.sort(values[np.isfinite(values)])
