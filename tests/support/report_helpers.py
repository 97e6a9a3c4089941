"""A small integrated object, as ``cohort_assemble.py`` writes it, with niches whose description is known."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

FEATURES = ("MARK1", "MARK2", "MARK3", "FLAT", "NONE")


def make_cohort_object(
    samples: dict[str, str] | None = None,
    side: int = 12,
    kind: str = "counts",
    unit: str = "um",
    cell_types: bool = True,
) -> ad.AnnData:
    """Return sections of ``side`` x ``side`` cells on a square lattice, 10 units apart, with three niches.

    Niche 1 is the upper half (small y), niche 2 the lower left and niche 3 the lower right quarter. Feature ``MARKk``
    is high in niche k, ``FLAT`` the same everywhere, ``NONE`` never seen. ``samples`` maps sample to patient.
    """
    samples = samples or {"s1": "p1", "s2": "p1", "s3": "p2"}
    rng = np.random.default_rng(0)
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    xy = np.column_stack([column.ravel(), row.ravel()]) * 10.0
    niche = np.where(xy[:, 1] < 10 * side / 2, 1, np.where(xy[:, 0] < 10 * side / 2, 2, 3))
    parts = []
    for sample, patient in samples.items():
        n = len(xy)
        high = np.eye(3)[niche - 1]
        if kind == "counts":
            values = np.column_stack([rng.poisson(2 + 18 * high), np.full(n, 5), np.zeros(n)])
        elif kind == "onehot":
            values = np.column_stack([high, np.zeros((n, 2))])
        else:
            values = np.column_stack([rng.gamma(2, 0.2 + high), np.full(n, 0.25), np.zeros(n)])
        obs = pd.DataFrame(
            {
                "sample": sample,
                "patient": patient,
                "batch": sample,
                "cell_id": [f"c{i}" for i in range(n)],
                "niche": niche,
                "stability": np.where(niche == 3, 0.5, 1.0),
            },
            index=[f"{sample}:c{i}" for i in range(n)],
        )
        if cell_types:
            obs["cell_type"] = np.where(
                niche == 1, "T cell", np.where(np.arange(n) % 2, "Tumour, <b>bold</b>", "B cell")
            )
        part = ad.AnnData(sp.csr_matrix(values.astype(np.float32)), obs=obs, var=pd.DataFrame(index=list(FEATURES)))
        part.obsm["spatial"] = xy.copy()
        part.obsm["semantic_scores"] = np.tile([0.5, 0.3, 0.2], (n, 1)).astype(np.float32)
        parts.append(part)
    cohort = ad.concat(parts)
    for key in ("sample", "patient", "batch"):
        cohort.obs[key] = cohort.obs[key].astype("category")
    cohort.uns["semanticst"] = {
        "feature_type": kind,
        "spatial_unit": unit,
        "contexts": ["spatial", "expression", "domain"],
    }
    return cohort


def write_cohort(folder: Path, adata: ad.AnnData | None = None, **settings) -> Path:
    """Write ``cohort.h5ad`` into ``folder``."""
    path = folder / "cohort.h5ad"
    (make_cohort_object(**settings) if adata is None else adata).write_h5ad(path)
    return path
