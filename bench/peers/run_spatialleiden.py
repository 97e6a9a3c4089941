"""SpatialLeiden: Leiden over two layers at once, alike cells (after Harmony) and the ten nearest cells in space."""

import numpy as np
import scanpy as sc
import spatialleiden as sl
from _shared import Job, components, harmonised, normalised, side_by_side
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 10


def main():
    job = Job()
    cells = components(normalised(job.read()), job.seed)
    cells.obsm["X_harmony"] = harmonised(cells.obsm["X_pca"], cells.obs["batch"], job.seed)
    sc.pp.neighbors(cells, use_rep="X_harmony", random_state=job.seed)
    places = side_by_side(cells)
    distances = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(places).kneighbors_graph(mode="distance")
    cells.obsp["spatial_connectivities"] = sl.distance2connectivity(distances)
    latent = {"directed": False, "random_state": job.seed}
    both = {"directed": (False, True), "random_state": job.seed}
    resolution = sl.search_resolution(cells, job.k, latent_kwargs=dict(latent), spatial_kwargs=dict(both))
    sl.spatialleiden(cells, resolution=resolution, **both)
    niche = cells.obs["spatialleiden"].to_numpy()
    if (found := len(np.unique(niche))) != job.k:
        job.note(f"its search gave {found} clusters")
    job.answer(cells, niche, cells.obsm["X_harmony"])


if __name__ == "__main__":
    main()
