"""Embedding of all cells: one sparse pass per sample, no gradients."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import torch

from semanticst.constants import GRAPH_SETTINGS, UNS, VALIDATION, Context, Obs, Obsm, TrainMode, graph_key
from semanticst.errors import BadInput, Problem
from semanticst.model.sample_graphs import SampleGraphs
from semanticst.model.tiles import collate, split_tiles, with_halo
from semanticst.progress import progress
from semanticst.writing import write_h5ad

if TYPE_CHECKING:
    from semanticst.model.kinds import Network

log = logging.getLogger(__name__)

WHOLE_CELLS = 100_000
"""Samples up to this size are embedded in one pass, larger ones tile by tile: with the halo the result is the same."""


@torch.no_grad()
def embed_sample(
    network: "Network",
    sample: SampleGraphs,
    device: torch.device,
    max_cells: int = WHOLE_CELLS,
) -> tuple[np.ndarray, np.ndarray]:
    """Embedding (n, width) and semantic scores (n, contexts), float32."""
    fused = np.empty((sample.n, network.shape.n_embedding), dtype=np.float32)
    scores = np.empty((sample.n, len(network.shape.contexts)), dtype=np.float32)
    for tile in split_tiles(sample.xy, max_cells):
        cells = tile if len(tile) == sample.n else with_halo(sample, tile, network.shape.hops)
        batch = collate([(sample, cells, len(tile))], {}).to(device)
        z, a, _, _ = network.embed(batch.x, batch.edges)
        fused[tile] = z[: len(tile)].cpu().numpy()
        scores[tile] = a[: len(tile)].cpu().numpy()
    return fused, scores


def embed_cohort(network: "Network | None", paths: Sequence[Path], device: torch.device, out: Path) -> None:
    """Embed the samples in ``paths`` (``{sample}.graphs.h5ad``, in the order given); write one table of all cells.

    Without a network the table has neither embedding nor semantic scores.
    """
    parts = [_delta(path) for path in paths]
    if network is not None:
        network = network.to(device).eval()
        for path, part in progress(list(zip(paths, parts, strict=True)), "embedding"):
            part.obsm[Obsm.EMBEDDING], part.obsm[Obsm.SCORES] = embed_sample(network, network.read(path), device)
    cohort = ad.concat(parts, merge="same", pairwise=True)
    cohort.obs[[Obs.SAMPLE, Obs.PATIENT, Obs.BATCH]] = cohort.obs[[Obs.SAMPLE, Obs.PATIENT, Obs.BATCH]].astype(
        "category"
    )
    cohort.uns[UNS] = {
        **_of_network(network),
        **{name: _one_value(name, parts) for name in GRAPH_SETTINGS if name in parts[0].uns[UNS]},
        **_units(parts),
        "feature_type": str(parts[0].uns[UNS]["feature_type"]),
    }
    for of_features in ("shares_mean", "leading_loadings"):
        if of_features in parts[0].uns[UNS]:
            cohort.uns[UNS][of_features] = parts[0].uns[UNS][of_features]
    if all("exchanged_clear" in part.uns[UNS] for part in parts):
        cohort.uns[UNS] |= {
            "exchanged_samples": np.array([str(part.obs[Obs.SAMPLE].iloc[0]) for part in parts]),
            "exchanged": np.array([float(part.uns[UNS]["exchanged"]) for part in parts]),
            "exchanged_clear": np.array([float(part.uns[UNS]["exchanged_clear"]) for part in parts]),
            "exchanged_features": np.array([str(part.uns[UNS]["exchanged_features"]) for part in parts]),
        }
    write_h5ad(out, cohort)
    width = f"embedded in {network.shape.n_embedding} dimensions" if network else "put together, without a network"
    log.info("%d cells of %d samples %s", cohort.n_obs, len(parts), width)


def _of_network(network: "Network | None") -> dict:
    if network is None:
        return {"train_mode": str(TrainMode.NONE)}
    return {
        "train_mode": str(network.mode),
        "train_networks": getattr(network.shape, "n_networks", 1),
        "contexts": [str(c) for c in network.shape.contexts],
    }


def _delta(path: Path) -> ad.AnnData:
    adata = ad.read_h5ad(path)
    obs = adata.obs[[Obs.SAMPLE, Obs.PATIENT, Obs.BATCH]].astype(str)
    obs[Obs.CELL_ID] = adata.obs_names.astype(str)
    if part := str(adata.uns[UNS].get("study_part", "")):
        obs[Obs.STUDY_PART] = part
    obs.index = obs[Obs.SAMPLE] + ":" + obs[Obs.CELL_ID]
    kept = (Obsm.SPATIAL, Obsm.COMPONENTS, Obsm.HARMONY, Obsm.PROFILE)
    delta = ad.AnnData(obs=obs, obsm={key: adata.obsm[key] for key in kept}, uns={UNS: adata.uns[UNS]})
    delta.obsp[graph_key(Context.SPATIAL)] = adata.obsp[graph_key(Context.SPATIAL)]
    return delta


def _one_value(name: str, parts: Sequence[ad.AnnData]) -> int:
    values = sorted({int(part.uns[UNS][name]) for part in parts})
    if len(values) > 1:
        message = f"samples were prepared with different --{name.replace('_', '-')}; prepare all in one run"
        raise BadInput(Problem("the cohort", message, column=name, value=values))
    return values[0]


def _units(parts: Sequence[ad.AnnData]) -> dict[str, str]:
    """``spatial_unit`` of the samples; where a validation is among them that of the others, and ``validation_unit``."""
    unit = [str(part.uns[UNS]["spatial_unit"]) for part in parts]
    validation = [str(part.uns[UNS].get("study_part", "")) == VALIDATION for part in parts]
    if not any(validation) or all(validation):
        return {"spatial_unit": _common_unit(unit)}
    return {
        "spatial_unit": _common_unit([u for u, v in zip(unit, validation) if not v]),
        "validation_unit": _common_unit([u for u, v in zip(unit, validation) if v]),
    }


def _common_unit(units: list[str]) -> str:
    return units[0] if len(set(units)) == 1 else "mixed"
