"""Training on some samples and mapping others onto the model, in one process, as the pipeline does it."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import CONTEXTS, UNS, FeatureType
from semanticst.errors import BadInput
from semanticst.features.build import build_components
from semanticst.graph.build import build_graphs
from semanticst.model.run import run_embedding, run_training
from semanticst.model.store import assemble_model, load_whole_model
from semanticst.niche.cluster import cluster_niches


@dataclass(frozen=True)
class Mapped:
    """``niche`` and ``fit`` by cell (``sample:cell_id``), ``samples`` (`niche_fit.csv`), seconds of CPU, and what was
    ``told``: warnings, or why it was refused."""

    cells: pd.DataFrame
    samples: pd.DataFrame
    seconds: float
    told: str


class _Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def train(samples: Sequence[Path], k: int, seed: int, folder: Path, starts: int = 12) -> tuple[Mapped, Path]:
    """Train on ``{sample}.qc.h5ad``; the niches and ``model.pt``. The same that an earlier run left in ``folder`` is taken as it is."""
    asked = {"samples": sorted(path.name for path in samples), "niche_k": k, "seed": seed, "niche_starts": starts}
    kept = folder / "trained.json"
    if kept.exists() and (earlier := json.loads(kept.read_text()))["asked"] == asked:
        return _read(folder, earlier["seconds"], ""), folder / "model.pt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.process_time()
    build_components(samples, folder, seed=seed)
    build_graphs(sorted(folder.glob("*.components.h5ad")), folder, seed=seed)
    graphs = sorted(folder.glob("*.graphs.h5ad"))
    run_training(graphs, folder, contexts=",".join(CONTEXTS), device="cpu", seed=seed)
    run_embedding(graphs, folder / "network.pt", folder, device="cpu")
    embedding = folder / "cohort.embedding.h5ad"
    cluster_niches(embedding, folder, niche_k=str(k), starts=starts, bootstraps=0, seed=seed)
    seconds = time.process_time() - start
    basis, network, mixture = (folder / name for name in ("cohort.basis.npz", "network.pt", "niche_mixture.npz"))
    assemble_model(basis, network, mixture, folder / "model.pt")
    for graphs_or_components in (*folder.glob("*.graphs.h5ad"), *folder.glob("*.components.h5ad")):
        graphs_or_components.unlink()  # large, and nobody reads them again
    kept.write_text(json.dumps({"asked": asked, "seconds": round(seconds, 1)}))
    return _read(folder, seconds, ""), folder / "model.pt"


def as_types(sample: Path) -> None:
    """Make the features of a sample its cell types (``obs['cell_type']``), one-hot, in place."""
    adata = ad.read_h5ad(sample)
    types = pd.get_dummies(adata.obs["cell_type"].astype(str)).astype(np.float32)
    found = ad.AnnData(sp.csr_matrix(types.to_numpy()), obs=adata.obs, var=pd.DataFrame(index=list(types)))
    found.obsm["spatial"] = adata.obsm["spatial"]
    found.uns[UNS] = adata.uns[UNS] | {"feature_type": str(FeatureType.ONEHOT)}
    found.write_h5ad(sample)


def map_onto(samples: Sequence[Path], model: Path, folder: Path, **settings) -> Mapped:
    """Map ``{sample}.qc.h5ad`` onto ``model.pt``; a refusal is told, with no cells."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    told, root = _Told(), logging.getLogger("semanticst")
    root.addHandler(told)
    start = time.process_time()
    try:
        stored = load_whole_model(model)
        build_components(samples, folder, model=stored, **settings)
        build_graphs(sorted(folder.glob("*.components.h5ad")), folder)
        run_embedding(sorted(folder.glob("*.graphs.h5ad")), model, folder, device="cpu")
        cluster_niches(folder / "cohort.embedding.h5ad", folder, model=stored)
    except BadInput as error:
        return Mapped(
            pd.DataFrame(), pd.DataFrame(), time.process_time() - start, f"refused: {error.problems[0].message}"
        )
    finally:
        root.removeHandler(told)
    return _read(folder, time.process_time() - start, "; ".join(told.lines))


def _read(folder: Path, seconds: float, told: str) -> Mapped:
    cells = pd.read_csv(folder / "niches.csv.gz", dtype={"sample": str, "cell_id": str})
    cells.index = pd.Index(cells["sample"] + ":" + cells["cell_id"])
    return Mapped(cells, pd.read_csv(folder / "niche_fit.csv", dtype={"sample": str}), seconds, told)


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


def _crop(adata: ad.AnnData) -> ad.AnnData:
    xy = adata.obsm["spatial"]
    return adata[np.argsort(np.linalg.norm(xy - np.median(xy, axis=0), axis=1))[:25]].copy()


BAD_CASES: dict[str, Callable[[ad.AnnData], ad.AnnData]] = {
    "clean": lambda adata: adata,
    "names of features permuted": _named(lambda names: list(np.random.default_rng(0).permutation(names))),
    "noise": _valued(_noise),
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
    "another platform": _platform,
    "25 cells": _crop,
}
"""Changes of a sample that a model must not take in silence, or that must change nothing."""
ONLY_COUNTS = (
    "30 % of the depth",
    "counts x 10",
    "gain per gene of log SD 1",
    "logarithms, rounded",
    "400 further features",
)
