"""What is done without any method for tissue: scanpy's PCA, Harmony, neighbours and Leiden."""

import scanpy as sc
from _shared import Job, bisected, components, harmonised, normalised


def main():
    job = Job()
    cells = components(normalised(job.read()), job.seed)
    cells.obsm["X_harmony"] = harmonised(cells.obsm["X_pca"], cells.obs["batch"], job.seed)
    sc.pp.neighbors(cells, use_rep="X_harmony", random_state=job.seed)

    def cluster(resolution):
        sc.tl.leiden(
            cells, resolution=resolution, random_state=job.seed, flavor="igraph", n_iterations=2, directed=False
        )
        return cells.obs["leiden"].to_numpy()

    niche, found = bisected(cluster, job.k)
    if found != job.k:
        job.note(f"no resolution gave {job.k} clusters, nearest {found}")
    own = job.aside(lambda: cluster(1.0)) if job.own else None
    job.answer(cells, niche, cells.obsm["X_harmony"], own)


if __name__ == "__main__":
    main()
