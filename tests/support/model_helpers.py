"""Small graphs for tests of model and niches: two kinds of tissue side by side in each sample."""

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.graph import build_graphs


def write_components(folder, sample="s1", batch="b1", n=240, p=6, seed=0, patient="p1"):
    """``{sample}.components.h5ad`` of two regions, left and right, that differ in their components; its path."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 10 * np.sqrt(n), (n, 2))
    right = xy[:, 0] > 5 * np.sqrt(n)
    X = rng.normal(size=(n, p)).astype(np.float32)
    X[:, 0] += np.where(right, 1.5, -1.5)
    obs = pd.DataFrame(
        {"sample": sample, "patient": patient, "batch": batch}, index=[f"c{i}" for i in range(n)]
    ).astype("category")
    adata = ad.AnnData(obs=obs, obsm={"spatial": xy, "X_pca": X, "X_pca_harmony": X})
    adata.uns["semanticst"] = {"sample": sample, "platform": "", "feature_type": "counts", "spatial_unit": "um"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sample}.components.h5ad"
    adata.write_h5ad(path)
    return path


def write_graphs(folder, n_samples=2, hops=2, **settings):
    """``{sample}.graphs.h5ad`` of several samples; returns their paths."""
    paths = [
        write_components(folder, sample=f"s{i}", batch=f"b{i}", seed=i, patient=f"p{i}", **settings)
        for i in range(n_samples)
    ]
    build_graphs(paths, folder, k_spatial=6, k_expression=4, k_domain=4, hops=hops)
    return [folder / f"s{i}.graphs.h5ad" for i in range(n_samples)]
