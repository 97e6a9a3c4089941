"""Simulated cohorts as QC leaves them, and their niches: for tests of what must not change the niches."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.bench._variants import Variant, embed
from semanticst.niche.cluster import fit_niches
from semanticst.niche.views import fit_views
from semanticst.simulate.cohort import domain_names
from semanticst.simulate.expression import Batch, draw_counts, draw_types, niche_mixes, type_programmes
from semanticst.simulate.tissue import cell_positions, draw_niches

GENES, NICHES = 80, 4
NO_BATCH = Batch(depth=1.0, gene_factor=np.ones(GENES), dropout=0.0)


def simulated_section(
    name: str, n: int = 250, seed: int = 0, niches: list[int] | None = None, batch: str = "b1"
) -> ad.AnnData:
    """A section of ``n`` cells as QC writes it; ``obs['domain']`` is the truth, of ``niches`` (all by default)."""
    rng = np.random.default_rng([seed, 1])
    shares = np.zeros(NICHES)
    shares[niches if niches is not None else slice(None)] = 1
    points = cell_positions(n, rng)
    domain = draw_niches(points, shares / shares.sum(), "patches", 0, rng)
    mixes = niche_mixes(NICHES)
    programmes = type_programmes(mixes.shape[1], GENES, np.random.default_rng(0))
    counts = draw_counts(draw_types(domain, mixes, rng), programmes, NO_BATCH, 0.0, rng)
    obs = pd.DataFrame(
        {"sample": name, "patient": name, "batch": batch, "domain": np.array(domain_names(NICHES))[domain]},
        index=[f"c{i}" for i in range(n)],
    ).astype("category")
    var = pd.DataFrame(index=[f"g{g:03d}" for g in range(GENES)])
    adata = ad.AnnData(counts, obs=obs, var=var, obsm={"spatial": points})
    adata.uns["semanticst"] = {"sample": name, "platform": "", "feature_type": "counts", "spatial_unit": "um"}
    return adata


def as_another_batch(
    adata: ad.AnnData, name: str, batch: str, *, depth: float = 0.6, shift: float = 0.25, dropout: float = 0.1, seed=0
) -> ad.AnnData:
    """The same cells measured again, worse: counts thinned by depth, by gene (log-normal, SD ``shift``), by dropout."""
    rng = np.random.default_rng(seed)
    kept = np.minimum(depth * np.exp(rng.normal(0, shift, adata.n_vars)), 1.0) * (1 - dropout)
    copy = adata.copy()
    copy.X = sp.csr_matrix(rng.binomial(adata.X.toarray().astype(int), kept).astype(np.float32))
    for column, value in (("sample", name), ("patient", name), ("batch", batch)):
        copy.obs[column] = pd.Categorical([value] * copy.n_obs)
    copy.uns["semanticst"] = {**adata.uns["semanticst"], "sample": name}
    return copy


def niches_of(
    samples: list[ad.AnnData],
    folder: Path,
    k: int = NICHES,
    starts: int = 4,
    features: dict | None = None,
    **training,
) -> pd.Series:
    """Niche by ``sample:cell_id``, through the whole chain from what QC writes."""
    folder.mkdir(parents=True)
    paths = []
    for number, adata in enumerate(samples):
        paths.append(folder / f"{number}.qc.h5ad")
        adata.write_h5ad(paths[-1])
    return niches_of_files(paths, folder / "out", k, starts, features, **training)


def niches_of_files(
    paths: list[Path], folder: Path, k: int, starts: int = 4, features: dict | None = None, **training
) -> pd.Series:
    """The same of ``{sample}.qc.h5ad``."""
    variant = Variant(features=features or {}, training={"steps": 100} | training)
    cohort = embed(paths, variant, 0, folder)
    _, consensus = fit_niches(cohort, fit_views(cohort), k, starts, seed=0)
    return pd.Series(consensus.labels, index=cohort.obs_names)
