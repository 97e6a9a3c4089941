"""Changes of a sample that a model must not take in silence, or that must change nothing."""

from collections.abc import Callable, Sequence

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import UNS, FeatureType

DOMAIN = "domain"


def _named(rename: Callable[[np.ndarray], Sequence[str]]) -> Callable[[ad.AnnData], ad.AnnData]:
    def change(adata: ad.AnnData) -> ad.AnnData:
        adata.var_names = pd.Index([str(name) for name in rename(adata.var_names.to_numpy(str))])
        return adata

    return change


def _valued(change: Callable[[np.ndarray, str], np.ndarray]) -> Callable[[ad.AnnData], ad.AnnData]:
    def changed(adata: ad.AnnData) -> ad.AnnData:
        X = change(adata.X.toarray(), str(adata.uns[UNS]["feature_type"]))
        adata.X = sp.csr_matrix(X.astype(np.float32))
        return adata

    return changed


def _rotated(names: np.ndarray) -> list[str]:
    """A fifth of the ``names``, drawn at random, each under that of the next."""
    rows, found = (
        np.sort(np.random.default_rng(0).choice(len(names), max(2, len(names) // 5), replace=False)),
        names.copy(),
    )
    found[rows] = np.roll(names[rows], 1)
    return list(found)


def _noise(X: np.ndarray, kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == FeatureType.COUNTS:
        return rng.poisson(X.mean(), X.shape)
    if kind == FeatureType.ONEHOT:
        return np.eye(X.shape[1])[rng.integers(X.shape[1], size=len(X))]
    if kind == FeatureType.BINARY:
        return rng.random(X.shape) < X.mean()
    return rng.permuted(X, axis=0)


def _wider(adata: ad.AnnData) -> ad.AnnData:
    """With 400 further features that hold three quarters of the counts."""
    rng = np.random.default_rng(0)
    more = rng.poisson(3 * np.asarray(adata.X.sum(1)) / 400, (adata.n_obs, 400)).astype(np.float32)
    names = [*adata.var_names, *(f"further_{i}" for i in range(400))]
    found = ad.AnnData(sp.hstack([adata.X, sp.csr_matrix(more)]).tocsr(), obs=adata.obs, var=pd.DataFrame(index=names))
    found.obsm["spatial"], found.uns = adata.obsm["spatial"], adata.uns
    return found


def _platform(adata: ad.AnnData) -> ad.AnnData:
    adata.uns[UNS]["platform"] = "osmfish"
    return adata


def _crop(n: int) -> Callable[[ad.AnnData], ad.AnnData]:
    """The ``n`` cells in the middle."""

    def change(adata: ad.AnnData) -> ad.AnnData:
        xy = adata.obsm["spatial"]
        return adata[np.argsort(np.linalg.norm(xy - np.median(xy, axis=0), axis=1))[:n]].copy()

    return change


def _placed(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[ad.AnnData], ad.AnnData]:
    def changed(adata: ad.AnnData) -> ad.AnnData:
        adata.obsm["spatial"] = change(np.asarray(adata.obsm["spatial"]))
        return adata

    return changed


def _pixels(adata: ad.AnnData) -> ad.AnnData:
    adata.obsm["spatial"] = np.asarray(adata.obsm["spatial"]) / 0.2125
    adata.uns[UNS]["spatial_unit"] = "px"
    return adata


def _ids_beside_symbols(adata: ad.AnnData) -> ad.AnnData:
    adata.var["gene_id"] = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    return adata


def _reversed(adata: ad.AnnData) -> ad.AnnData:
    return adata[::-1, ::-1].copy()


def _largest_domain(adata: ad.AnnData) -> ad.AnnData:
    """Cells of the most frequent domain only; half of the section where there is no annotation."""
    if DOMAIN in adata.obs:
        domain = adata.obs[DOMAIN].astype(str)
        return adata[(domain == domain.value_counts().index[0]).to_numpy()].copy()
    x = np.asarray(adata.obsm["spatial"])[:, 0]
    return adata[x < np.median(x)].copy()


BAD_CASES: dict[str, Callable[[ad.AnnData], ad.AnnData]] = {
    "clean": lambda adata: adata,
    "names of features permuted": _named(lambda names: list(np.random.default_rng(0).permutation(names))),
    "names of a fifth of the features in rotation": _named(_rotated),
    "noise": _valued(_noise),
    "each feature shuffled over the cells": _valued(lambda X, _: np.random.default_rng(0).permuted(X, axis=0)),
    "cells at shuffled places": _placed(lambda xy: np.random.default_rng(0).permutation(xy)),
    "30 % of the depth": _valued(lambda X, _: np.random.default_rng(0).binomial(X.astype(int), 0.3)),
    "counts x 10": _valued(lambda X, _: 10 * X),
    "gain per gene of log SD 1": _valued(
        lambda X, _: (X * np.exp(np.random.default_rng(0).normal(size=X.shape[1]))).round()
    ),
    "logarithms, rounded": _valued(lambda X, _: np.log1p(1e4 * X / np.maximum(X.sum(1, keepdims=True), 1)).round()),
    "400 further features": _wider,
    "one feature missing": lambda adata: adata[:, 1:].copy(),
    "20 % of the features missing": lambda adata: adata[:, adata.n_vars // 5 :].copy(),
    "names in upper case": _named(lambda names: [name.upper() for name in names]),
    "Ensembl ids": _named(lambda names: [f"ENSG{i:011d}" for i in range(len(names))]),
    "Ensembl ids beside the symbols": _ids_beside_symbols,
    "features and cells in another order": _reversed,
    "coordinates x 7.31 + 1e6": _placed(lambda xy: 7.31 * xy + 1e6),
    "pixels instead of micrometres": _pixels,
    "another platform": _platform,
    "only the most frequent domain": _largest_domain,
    "60 cells": _crop(60),
    "25 cells": _crop(25),
    "10 cells": _crop(10),
}
ONLY_COUNTS = (
    "30 % of the depth",
    "counts x 10",
    "gain per gene of log SD 1",
    "logarithms, rounded",
    "400 further features",
)
BAD_SETTINGS = {"graph_k_spatial 30": {"k_spatial": 30}, "graph_hops 2": {"hops": 2}}
"""Settings that are not the model's, as arguments of ``build_graphs``."""
