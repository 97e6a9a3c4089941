"""SpaGCN without an image, for several sections: its matrices are cells x cells, dense."""

import random

import numpy as np
import scanpy as sc
import SpaGCN as spg  # noqa: N813 (as its guide calls it)
import torch
from _shared import Job, side_by_side


def main():
    job = Job()
    cells = job.read()
    if cells.uns["feature_type"] != "counts":
        raise SystemExit("it is made for counts")
    places = side_by_side(cells)
    distances = spg.calculate_adj_matrix(x=places[:, 0].tolist(), y=places[:, 1].tolist(), histology=False)
    spg.prefilter_genes(cells, min_cells=3)
    spg.prefilter_specialgenes(cells)
    sc.pp.normalize_total(cells)
    sc.pp.log1p(cells)
    length = spg.search_l(0.5, distances, start=0.01, end=1000, tol=0.01, max_run=100)
    seeds = {"r_seed": job.seed, "t_seed": job.seed, "n_seed": job.seed}
    resolution = spg.search_res(
        cells, distances, length, job.k, start=0.7, step=0.1, tol=5e-3, lr=0.05, max_epochs=20, **seeds
    )
    model = spg.SpaGCN()
    model.set_l(length)
    random.seed(job.seed)
    torch.manual_seed(job.seed)
    np.random.seed(job.seed)  # noqa: NPY002 (what the package draws from)
    model.train(cells, distances, init_spa=True, init="louvain", res=resolution, tol=5e-3, lr=0.05, max_epochs=200)
    niche, _ = model.predict()
    if (found := len(np.unique(niche))) != job.k:
        job.note(f"its search gave {found} clusters")
    job.answer(cells, niche)


if __name__ == "__main__":
    main()
