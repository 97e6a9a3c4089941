"""Our own methods for benchmarks that compare methods: a name, and how it comes from samples to niches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anndata as ad
import numpy as np

from semanticst.bench._variants import VARIANTS, Variant, embed, partitions
from semanticst.constants import Obs, Obsm
from semanticst.features import build_components
from semanticst.graph.build import build_graphs
from semanticst.niche.cluster import fit_niches
from semanticst.niche.views import fit_views


@dataclass(frozen=True)
class Found:
    """What a method made of ``n`` cells: ``niche`` (n,), ``coordinates`` (n, d) of its joint space, ``cells`` (n,).

    Cells are named ``sample:cell_id``; a method may leave some out.
    """

    niche: np.ndarray
    coordinates: np.ndarray
    cells: np.ndarray


Method = Callable[[Sequence[Path], int, int, int, Path], Found]
"""Samples (``{sample}.qc.h5ad``), number of niches, seed, starts of each mixture, an empty folder."""


def with_network(variant: Variant, samples: Sequence[Path], k: int, seed: int, starts: int, folder: Path) -> Found:
    """The whole chain; its joint space is the embedding of the network."""
    cohort = embed(samples, variant, seed, folder)
    niche = partitions(cohort, k, seed, starts, parts=False)[""]
    return Found(niche, np.asarray(cohort.obsm[Obsm.EMBEDDING]), cohort.obs_names.to_numpy(str))


def without_network(variant: Variant, samples: Sequence[Path], k: int, seed: int, starts: int, folder: Path) -> Found:
    """Mixtures on neighbourhood profiles, nothing trained; the joint space are the profiles."""
    build_components(samples, folder, seed=seed, **variant.features)
    build_graphs(sorted(folder.glob("*.components.h5ad")), folder, seed=seed, **variant.graphs)
    cohort = _stacked(sorted(folder.glob("*.graphs.h5ad")))
    views = [view for view in fit_views(cohort) if view.source != Obsm.EMBEDDING]
    niche = fit_niches(cohort, views, k, starts, seed)[1].labels
    return Found(niche, np.asarray(cohort.obsm[Obsm.PROFILE]), cohort.obs_names.to_numpy(str))


def _stacked(graphs: Sequence[Path]) -> ad.AnnData:
    """All cells; components stand in for the embedding that there is none of."""
    parts = []
    for path in graphs:
        adata = ad.read_h5ad(path)
        names = adata.obs[Obs.SAMPLE].astype(str) + ":" + adata.obs_names
        obsm = {Obsm.PROFILE: adata.obsm[Obsm.PROFILE], Obsm.EMBEDDING: adata.obsm[Obsm.HARMONY]}
        parts.append(ad.AnnData(obs=adata.obs[[]].set_index(names), obsm=obsm, uns=adata.uns))
    return ad.concat(parts, merge="same", uns_merge="same")


OURS: dict[str, Method] = {
    "default": partial(with_network, VARIANTS["default"]),
    "without network": partial(without_network, VARIANTS["default"]),
    "without Harmony": partial(with_network, VARIANTS["without Harmony"]),
}
