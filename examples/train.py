"""The network alone, on one AnnData object: ./semanticst python examples/train.py sample.h5ad embedded.h5ad [steps]

Wanted: raw counts in ``X``, coordinates in ``obsm['spatial']``. The pipeline does the same for a whole cohort, on
components that are corrected for batch, and finds niches afterwards by a consensus of which the network is one source.
"""

import sys

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc

from semanticst.constants import Context, Obsm
from semanticst.graph.contexts import domain_context, expression_context, neighbourhood_profile, spatial_context
from semanticst.model.embed import embed_sample
from semanticst.model.sample_graphs import SampleGraphs
from semanticst.model.train import TrainSettings, choose_device, train_network


def semantic_graphs(adata: ad.AnnData, components: int = 30, k: int = 10, hops: int = 4) -> SampleGraphs:
    """Three edge sets over the same cells: neighbours in the tissue, in expression, and in neighbourhood profile."""
    normalised = sc.pp.log1p(sc.pp.normalize_total(adata, copy=True), copy=True)
    X = sc.pp.pca(normalised.X, n_comps=components, random_state=0).astype(np.float32)
    xy = np.asarray(adata.obsm["spatial"], dtype=np.float64)
    spatial = spatial_context(xy, k)
    profile = neighbourhood_profile(X, spatial, hops)
    graphs = {
        Context.SPATIAL: spatial,
        Context.EXPRESSION: expression_context(X, k, seed=0),
        Context.DOMAIN: domain_context(profile[:, -components:], k, seed=0),
    }
    return SampleGraphs("sample", "batch", X, np.hstack([X, profile]), xy, graphs)


def train(adata: ad.AnnData, steps: int = 200, seed: int = 0) -> pd.DataFrame:
    """Add the fused embedding and the semantic scores to ``adata.obsm``; returns the terms of the loss, by step."""
    sample, device = semantic_graphs(adata), choose_device("auto")
    network, _, history = train_network([sample], TrainSettings(steps=steps, seed=seed), device)
    adata.obsm[Obsm.EMBEDDING], adata.obsm[Obsm.SCORES] = embed_sample(network.to(device), sample, device)
    return history


if __name__ == "__main__":
    cells = ad.read_h5ad(sys.argv[1])
    print(train(cells, *map(int, sys.argv[3:])).iloc[[0, -1]].round(3).to_string(index=False))
    cells.write_h5ad(sys.argv[2])
