"""What the scripts of the peers share: the job, the cells, and the form of the answer (see bench/_methods.py).

It runs in the environments of the peers, so it needs numpy, pandas, scipy, anndata and scanpy only.
"""

import json
import sys
import time
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc

COMPONENTS = 50
VARIABLE_GENES = 2_000
"""scanpy's number for highly variable genes, where the panel is larger."""
SPOTS = ("visium", "st")
"""Platforms that measure many cells together."""


class Job:
    """What ``job.json`` in the folder named on the command line asks for, and the answer to it."""

    def __init__(self):
        self.folder = Path(sys.argv[1])
        stored = json.loads((self.folder / "job.json").read_text())
        self.k, self.seed, self.own = stored["k"], stored["seed"], stored["own"]
        self.samples = [Path(p) for p in stored["samples"]]
        self.notes, self.beyond = [], 0.0

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def read(self):
        """All cells in one object: ``X`` as measured, features that all samples have, index ``sample:cell_id``."""
        parts = []
        for path in self.samples:
            part = ad.read_h5ad(path)
            sample = part.obs["sample"].astype(str)
            obs = part.obs[["sample", "batch"]].astype(str)
            obs.index = (sample + ":" + part.obs_names.astype(str)).to_numpy()
            uns = part.uns["semanticst"]
            part = ad.AnnData(part.X, obs=obs, var=part.var[[]], obsm={"spatial": np.asarray(part.obsm["spatial"])})
            parts.append(part)
        cells = ad.concat(parts, join="inner")
        cells.obs["sample"] = cells.obs["sample"].astype("category")
        cells.obs["batch"] = cells.obs["batch"].astype("category")
        cells.uns["feature_type"] = str(uns["feature_type"])
        cells.uns["spots"] = str(uns["platform"]) in SPOTS
        return cells

    def answer(self, cells, niche, embedding=None, own=None):
        """Write labels (and what was made beyond them) and embedding."""
        table = pd.DataFrame({"niche": np.asarray(niche).astype(str)}, index=pd.Index(cells.obs_names, name="cell"))
        if own is not None:
            table["own"] = np.asarray(own).astype(str)
        table.to_csv(self.folder / "labels.csv")
        if embedding is not None:
            np.savez(self.folder / "embedding.npz", X=np.asarray(embedding, dtype=np.float32))
        report = {"beyond": self.beyond, "note": "; ".join(self.notes)}
        (self.folder / "report.json").write_text(json.dumps(report))

    def aside(self, work):
        """Result of ``work()``, whose time is not counted."""
        start = time.process_time()
        result = work()
        self.beyond += time.process_time() - start
        return result


def normalised(cells):
    """In place: counts to the median total and log1p; one-hot, binary and continuous values stay as they are."""
    if cells.uns["feature_type"] == "counts":
        sc.pp.normalize_total(cells)
        sc.pp.log1p(cells)
    return cells


def components(cells, seed, most=COMPONENTS):
    """Normalised cells with ``obsm['X_pca']`` (n, most), restricted to variable genes where there are many."""
    if cells.uns["feature_type"] == "counts" and cells.n_vars > VARIABLE_GENES:
        sc.pp.highly_variable_genes(cells, n_top_genes=VARIABLE_GENES, batch_key="sample")
        cells = cells[:, cells.var["highly_variable"]].copy()
    n = min(most, cells.n_vars - 1, cells.n_obs - 1)
    sc.pp.pca(cells, n_comps=n, random_state=seed)
    return cells


def harmonised(X, batch, seed):
    """Components (n, p) after Harmony over ``batch`` with its own settings; unchanged where there is one batch only."""
    if batch.nunique() < 2:
        return np.asarray(X)
    import harmonypy

    fitted = harmonypy.run_harmony(
        np.asarray(X, dtype=np.float64), pd.DataFrame({"batch": batch.astype(str).to_numpy()}), ["batch"],
        random_state=seed, verbose=False,
    )  # fmt: skip
    Z = np.asarray(fitted.Z_corr)
    return Z if len(Z) == len(X) else Z.T


def bisected(cluster, k, low=0.01, high=4.0, tries=25):
    """Labels of ``cluster(resolution)`` that has ``k`` clusters or the number nearest to it; and that number."""
    best, best_number = None, None
    for _ in range(tries):
        middle = (low * high) ** 0.5  # resolutions act by ratio
        labels = np.asarray(cluster(middle))
        number = len(np.unique(labels))
        if best is None or abs(number - k) < abs(best_number - k):
            best, best_number = labels, number
        if number == k:
            break
        low, high = (middle, high) if number < k else (low, middle)
    return best, best_number


def side_by_side(cells):
    """Coordinates (n, 2) with the samples in a row, wide apart: for methods that know one section only."""
    places = np.array(cells.obsm["spatial"], dtype=np.float64)
    width = max(np.ptp(places[(cells.obs["sample"] == s).to_numpy(), 0]) for s in cells.obs["sample"].cat.categories)
    for i, sample in enumerate(cells.obs["sample"].cat.categories):
        rows = (cells.obs["sample"] == sample).to_numpy()
        places[rows] -= places[rows].min(axis=0)
        places[rows, 0] += 3 * i * width
    return places
