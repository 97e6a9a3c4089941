"""CellCharter: what a cell and its neighbours up to three steps away express, clustered by a Gaussian mixture.

Counts are reduced by scVI, with the batch as its covariate, as its guide does; at most 5,000 variable genes.
"""

import cellcharter as cc
import scanpy as sc
import squidpy as sq
from _shared import Job

VARIABLE_GENES = 5_000


def main():
    job = Job()
    cells = job.read()
    if cells.uns["feature_type"] != "counts":
        raise SystemExit("it reduces counts; 'CellCharter, PCA' takes other values")
    cells.obsm["reduced"] = latent(cells, job.seed)
    job.answer(cells, *niches(cells, job.k, job.seed))


def latent(cells, seed):
    """scVI's latent variables (n, 10), trained on CPU with its own settings and early stopping."""
    import scvi

    scvi.settings.seed = seed
    if cells.n_vars > VARIABLE_GENES:
        sc.pp.highly_variable_genes(cells, n_top_genes=VARIABLE_GENES, flavor="seurat_v3", batch_key="sample")
        cells = cells[:, cells.var["highly_variable"]].copy()
    scvi.model.SCVI.setup_anndata(cells, batch_key="batch")
    model = scvi.model.SCVI(cells)
    model.train(early_stopping=True, accelerator="cpu", enable_progress_bar=False)
    return model.get_latent_representation(cells)


def niches(cells, k, seed):
    """Niches (n,) and what they were found in (n, 4 d), from ``obsm['reduced']`` (n, d)."""
    sq.gr.spatial_neighbors(cells, library_key="sample", coord_type="generic", delaunay=True)
    cc.gr.remove_long_links(cells)
    cc.gr.aggregate_neighbors(cells, n_layers=3, use_rep="reduced", sample_key="sample", out_key="aggregated")
    mixture = cc.tl.Cluster(n_clusters=k, random_state=seed, trainer_params={"accelerator": "cpu"})
    mixture.fit(cells, use_rep="aggregated")
    return mixture.predict(cells, use_rep="aggregated"), cells.obsm["aggregated"]


if __name__ == "__main__":
    main()
