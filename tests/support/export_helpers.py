"""A cohort for files of other programs: its object, and the sample files with what is recorded of each."""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from report_helpers import make_cohort_object

SAMPLES = {"s1": "p1", "s2": "p1", "s3": "p2"}
HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def write_samples(folder: Path, about: dict[str, dict]) -> list[Path]:
    """``{sample}.qc.h5ad`` of each sample with nothing but what is recorded of it."""
    paths = []
    for sample, own in about.items():
        path = folder / f"{sample}.qc.h5ad"
        adata = ad.AnnData(np.zeros((2, 2), np.float32))
        adata.uns["semanticst"] = {"sample": sample, "patient": SAMPLES.get(sample, "p"), "spatial_unit": "um"} | own
        adata.write_h5ad(path)
        paths.append(path)
    return paths


def write_cohort_with_ids(folder: Path, ids: dict[str, list[str]] | None = None, **settings) -> Path:
    """``cohort.h5ad`` of `make_cohort_object`; ``ids``: cell ids of some samples."""
    adata = make_cohort_object(**settings)
    for sample, names in (ids or {}).items():
        own = (adata.obs["sample"] == sample).to_numpy()
        adata.obs.loc[own, "cell_id"] = names[: own.sum()]
    adata.obs_names = adata.obs["sample"].astype(str) + ":" + adata.obs["cell_id"]
    path = folder / "cohort.h5ad"
    adata.write_h5ad(path)
    return path


def xenium_ids(n: int) -> list[str]:
    digits = [f"{i:08x}" for i in range(n)]
    return ["".join("abcdefghijklmnop"[int(d, 16)] for d in word) + "-1" for word in digits]


def visium_ids(n: int) -> list[str]:
    letters = np.array(list("ACGT"))
    return ["".join(letters[[(i >> 2 * k) & 3 for k in range(16)]]) + "-1" for i in range(n)]


def niche_of(path: Path) -> pd.Series:
    """Niche by sample and cell id, straight from the file."""
    with h5py.File(path) as file:
        obs = ad.io.read_elem(file["obs"])
    return obs.set_index(["sample", "cell_id"])["niche"].astype(int)
