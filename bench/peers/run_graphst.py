"""GraphST: a self-supervised graph network over all sections, laid side by side; its matrices are cells x cells, dense.

It clusters with mclust's EEE model in R. That is a Gaussian mixture with one covariance, here scikit-learn's.
"""

import numpy as np
from _shared import Job, side_by_side
from GraphST.GraphST import GraphST
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

DENSE_CELLS = 5_000
"""With more cells its graph is the sparse one that it has for Slide-seq and Stereo-seq."""


def main():
    job = Job()
    cells = job.read()
    if cells.uns["feature_type"] != "counts":
        raise SystemExit("it is made for counts")
    dense = 8 * cells.n_obs**2 / 1e9
    print(f"dense matrices of {dense:.1f} GB each", flush=True)
    cells.obsm["spatial"] = side_by_side(cells)
    kind = "10X"
    if cells.n_obs > DENSE_CELLS:
        kind = "Slide"
        job.note("its sparse graph")
    trained = GraphST(cells, random_seed=job.seed, datatype=kind).train()
    embedding = PCA(n_components=20, random_state=42).fit_transform(np.asarray(trained.obsm["emb"]))
    mixture = GaussianMixture(job.k, covariance_type="tied", random_state=job.seed)
    job.note("scikit-learn's tied mixture in place of mclust")
    job.answer(cells, mixture.fit_predict(embedding), embedding)


if __name__ == "__main__":
    main()
