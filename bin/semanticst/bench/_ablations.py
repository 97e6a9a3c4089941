"""The default of the benchmark of niches, and the same with one part switched off."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anndata as ad
import numpy as np

from semanticst.constants import CONTEXTS, Context, Obsm, TrainMode
from semanticst.features.build import build_components
from semanticst.graph.build import build_graphs
from semanticst.model.run import run_embedding, run_training
from semanticst.niche.cluster import SHRINKAGE, fit_niches
from semanticst.niche.consensus import Consensus
from semanticst.niche.deciding_cells import deciding_cells, mark_deciding_cells
from semanticst.niche.mixture import fit_mixture
from semanticst.niche.neighbourhood_spread import add_spread
from semanticst.niche.representations import fit_representations, principal_loadings
from semanticst.niche.spatial_refinement import HmrfInputs


@dataclass(frozen=True)
class Variant:
    """One setting of the whole chain; what is not named is the pipeline's default."""

    features: dict = field(default_factory=dict)
    graphs: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    contexts: tuple[str, ...] = CONTEXTS


def without(context: str) -> Variant:
    return Variant(contexts=tuple(c for c in CONTEXTS if c != context))


VARIANTS = {
    "default": Variant(),
    "without spatial context": without(Context.SPATIAL),
    "without expression context": without(Context.EXPRESSION),
    "without domain context": without(Context.DOMAIN),
    "without min-cut": Variant(training={"mincut": 0.0}),
    "without disentangling": Variant(training={"disentangle": 0.0}),
    "without attention balance": Variant(training={"attention": 0.0}),
    "without edges across samples": Variant(training={"matches": 0.0}),
    "nothing trained": Variant(training={"mode": TrainMode.NONE}),
    "three networks": Variant(training={"networks": 3}),
    "mean instead of attention": Variant(training={"fusion": "mean"}),
    "small tiles": Variant(training={"tile_cells": 500, "batch_cells": 1500}),
    "without Harmony": Variant(features={"harmony": False}),
    "1 hop": Variant(graphs={"hops": 1}),
    "2 hops": Variant(graphs={"hops": 2}),
    # all cells in one step, as released
    "reference": Variant(features={"n_top": 3000}, training={"mode": "reference", "batch_cells": 50_000}),
}


def embed(samples: Sequence[Path], variant: Variant, seed: int, folder: Path) -> ad.AnnData:
    """All cells with components, profile and embedding, made as the pipeline makes them from ``{sample}.qc.h5ad``, and
    which of them decide; no embedding where nothing is trained."""
    build_components(samples, folder, seed=seed, **variant.features)
    build_graphs(sorted(folder.glob("*.components.h5ad")), folder, seed=seed, **variant.graphs)
    graphs = sorted(folder.glob("*.graphs.h5ad"))
    network = None
    if variant.training.get("mode") != TrainMode.NONE:
        run_training(graphs, folder, contexts=",".join(variant.contexts), device="cpu", seed=seed, **variant.training)
        network = folder / "network.pt"
    run_embedding(graphs, network, folder, device="cpu")
    cohort = ad.read_h5ad(folder / "cohort.embedding.h5ad")
    add_spread(cohort)
    mark_deciding_cells(cohort, seed)
    return cohort


def default_niches(cohort: ad.AnnData, k: int, inputs: HmrfInputs | None, starts: int, seed: int) -> Consensus:
    """Niches as the pipeline finds them."""
    return fit_niches(cohort, fit_representations(cohort), k, inputs, starts, seed)[1]


def parts_of(cohort: ad.AnnData, k: int, inputs: HmrfInputs | None, starts: int, seed: int) -> dict[str, np.ndarray]:
    """Niches (n,) of the halves of the consensus, and of what has no tissue in it.

    ``without network``: the mixtures on neighbourhood profiles and their spread alone; without refinement this is the
    training-free baseline. ``without spread``: those on the profiles, and on the embedding where it is taken. ``network
    alone``: the mixtures on the embedding. ``no space``: one mixture on the corrected components.
    """
    representations = fit_representations(cohort, learned=True)

    def consensus(sources: Collection[str]) -> Consensus:
        chosen = [r for r in representations if r.source in sources]
        return fit_niches(cohort, chosen, k, inputs, starts, seed)[1]

    profiles = consensus((Obsm.PROFILE, Obsm.SPREAD))
    components, rows = np.asarray(cohort.obsm[Obsm.HARMONY], dtype=np.float64), deciding_cells(cohort)
    own = components @ principal_loadings(components[rows], 20)
    means = {r.source for r in fit_representations(cohort)} - {Obsm.SPREAD}
    return {
        "without network": profiles.labels,
        "without spread": consensus(means).labels,
        "without network or refinement": profiles.consensus_labels,
        "network alone": consensus((Obsm.EMBEDDING,)).labels,
        "no space": fit_mixture(own[rows], k, shrinkage=SHRINKAGE, starts=starts, seed=seed).predict(own),
    }
