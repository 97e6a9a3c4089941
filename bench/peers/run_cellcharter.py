"""CellCharter: components of a cell and of its neighbours up to three steps away, clustered by a Gaussian mixture.

Its guide reduces counts with scVI and proteins with trVAE first. Neither is trained here: PCA and Harmony stand in.
"""

import cellcharter as cc
import squidpy as sq
from _shared import Job, components, harmonised, normalised


def main():
    job = Job()
    cells = components(normalised(job.read()), job.seed)
    job.note("PCA and Harmony in place of scVI")
    cells.obsm["X_harmony"] = harmonised(cells.obsm["X_pca"], cells.obs["batch"], job.seed).astype("float32")
    sq.gr.spatial_neighbors(cells, library_key="sample", coord_type="generic", delaunay=True)
    cc.gr.remove_long_links(cells)
    cc.gr.aggregate_neighbors(cells, n_layers=3, use_rep="X_harmony", sample_key="sample", out_key="X_cellcharter")
    mixture = cc.tl.Cluster(n_clusters=job.k, random_state=job.seed, trainer_params={"accelerator": "cpu"})
    mixture.fit(cells, use_rep="X_cellcharter")
    job.answer(cells, mixture.predict(cells, use_rep="X_cellcharter"), cells.obsm["X_cellcharter"])


if __name__ == "__main__":
    main()
