"""Cells of planted niches, as the niche step gets them."""

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.neighbors import kneighbors_graph


def blobs(n=600, k=4, d=5, spread=6.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    stretched = np.linspace(0.3, 3, d)
    return rng.normal(scale=spread, size=(k, d))[labels] + rng.normal(size=(n, d)) * stretched, labels


def embedded(n=600, k=4, seed=0, hops=2):
    """A cohort as model_embed.py writes it: two samples, embedding and profiles that tell ``k`` niches apart.

    Each niche is a piece of tissue of its own in each sample: cells are joined to cells of their niche.
    """
    X, labels = blobs(n, k, d=6, seed=seed)
    rng = np.random.default_rng(seed + 1)
    sample = np.repeat(["s0", "s1"], n // 2)
    obs = pd.DataFrame({"sample": sample, "patient": sample, "batch": sample, "cell_id": [f"c{i}" for i in range(n)]})
    obs.index = obs["sample"] + ":" + obs["cell_id"]
    adata = ad.AnnData(obs=obs)
    adata.obsm["spatial"] = rng.uniform(size=(n, 2))
    adata.obsm["X_semantic"] = X.astype(np.float32)
    adata.obsm["X_profile"] = np.hstack([X + rng.normal(size=X.shape) for _ in range(hops)]).astype(np.float32)
    adata.obsm["X_pca"] = adata.obsm["X_pca_harmony"] = adata.obsm["X_semantic"]
    piece = labels + k * (sample == "s1")
    adata.obsp["spatial_connectivities"] = kneighbors_graph(np.column_stack([rng.uniform(size=n), 9.0 * piece]), 6)
    adata.uns["semanticst"] = {"graph_hops": hops, "feature_type": "counts", "spatial_unit": "um"}
    return adata, labels
