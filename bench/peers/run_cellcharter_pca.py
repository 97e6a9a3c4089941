"""CellCharter with PCA and Harmony in place of scVI: the components that others get too, of values of any kind."""

from _shared import Job, components, harmonised, normalised
from run_cellcharter import niches

COMPONENTS = 20
"""As many as the pipeline's own mixtures take; of itself and three rings that makes 80 for CellCharter's mixture."""


def main():
    job = Job()
    cells = components(normalised(job.read()), job.seed, COMPONENTS)
    job.note(f"PCA ({COMPONENTS} components) and Harmony in place of scVI")
    cells.obsm["reduced"] = harmonised(cells.obsm["X_pca"], cells.obs["batch"], job.seed).astype("float32")
    job.answer(cells, *niches(cells, job.k, job.seed))


if __name__ == "__main__":
    main()
