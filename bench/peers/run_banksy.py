"""BANKSY for domains: one gradient, 20 components, Harmony, its own Leiden clustering.

Lambda is 0.8 with 15 neighbours, and 0.2 with 18 neighbours for spots of many cells, as its authors advise.
"""

import leidenalg
import numpy as np
import scanpy as sc
from _shared import VARIABLE_GENES, Job, bisected, harmonised, normalised, side_by_side

GRADIENTS = 1
COMPONENTS = 20


def main():
    job = Job()
    cells = normalised(job.read())
    if cells.uns["feature_type"] == "counts" and cells.n_vars > VARIABLE_GENES:
        sc.pp.highly_variable_genes(cells, n_top_genes=VARIABLE_GENES, batch_key="sample")
        cells = cells[:, cells.var["highly_variable"]].copy()
    cells.X = cells.X.toarray()
    cells = cells[:, cells.X.std(axis=0) > 0].copy()  # it divides by the standard deviation
    cells.obsm["staggered"] = side_by_side(cells)
    embedding = harmonised(components(cells, job.seed), cells.obs["batch"], job.seed)
    cluster = clustering(embedding, job.seed)
    niche, found = bisected(cluster, job.k)
    if found != job.k:
        job.note(f"no resolution gave {job.k} clusters, nearest {found}")
    job.answer(cells, niche, embedding)


def components(cells, seed):
    """Leading components (n, 20) of BANKSY's matrix."""
    from banksy.embed_banksy import generate_banksy_matrix
    from banksy.initialize_banksy import initialize_banksy
    from sklearn.decomposition import PCA

    share, neighbours = (0.2, 18) if cells.uns["spots"] else (0.8, 15)
    graphs = initialize_banksy(
        cells, ("x", "y", "staggered"), neighbours, "scaled_gaussian", GRADIENTS,
        plt_edge_hist=False, plt_nbr_weights=False, plt_agf_angles=False, plt_theta=False,
    )  # fmt: skip
    _, matrix = generate_banksy_matrix(cells, graphs, [share], GRADIENTS, verbose=False)
    values = np.nan_to_num(np.asarray(matrix.X))
    return PCA(min(COMPONENTS, *values.shape), random_state=seed).fit_transform(values)


def clustering(embedding, seed):
    """Labels for a resolution, by the package's partition of shared neighbours with its settings."""
    from banksy.main import LeidenPartition

    partitioner = LeidenPartition(
        embedding, num_nn=50, nns_have_weights=True, compute_shared_nn=True, filter_shared_nn=True,
        shared_nn_max_rank=3, shared_nn_min_shared_nbrs=5, verbose=False,
    )  # fmt: skip

    def cluster(resolution):
        label, _ = partitioner.partition(
            resolution=resolution,
            partition_metric=leidenalg.RBConfigurationVertexPartition,
            n_iterations=-1,
            seed=seed,
        )
        return label.dense

    return cluster


if __name__ == "__main__":
    main()
