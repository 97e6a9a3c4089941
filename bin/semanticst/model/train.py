"""Training: every network over the tiles of all samples."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
import torch

from semanticst.constants import CONTEXTS, Context
from semanticst.features.sample_caps import sample_caps
from semanticst.model.edges import EdgeSet
from semanticst.model.ensemble import Ensemble
from semanticst.model.losses import (
    attention_balance_loss,
    balance_loss,
    disentangle_loss,
    match_loss,
    mincut_loss,
    reconstruction_loss,
)
from semanticst.model.matches import NO_MATCHES, matched_cells
from semanticst.model.network import NetworkShape, Output, SemanticNetwork, build_network
from semanticst.model.optimiser import AdamW
from semanticst.model.sample_graphs import SampleGraphs
from semanticst.model.tiles import Batch, TileLoader
from semanticst.progress import Progress

log = logging.getLogger(__name__)


CELLS_OF_A_THREAD = 4_000
"""Cells of an optimisation step that a thread should have. Below that, threads wait for each other longer than they
work: 1,521 cells on busy cores take two half more time than one, of the CPUs and on the clock (docs/benchmarks.md)."""


@dataclass(frozen=True)
class TrainSettings:
    """How the networks are trained; ``steps`` are optimisation steps, each over about ``batch_cells`` cells, and more
    where a pass over the cohort takes more."""

    networks: int = 1
    steps: int = 100
    latent: int = 32
    communities: int = 16
    tile_cells: int = 2_000
    batch_cells: int = 4_000
    learning_rate: float = 3e-3
    reconstruction: float = 0.25
    mincut: float = 0.5
    disentangle: float = 0.1
    attention: float = 0.2
    matches: float = 0.5
    contexts: tuple[str, ...] = CONTEXTS
    fusion: str = "attention"
    seed: int = 0

    def as_dict(self) -> dict:
        return {**asdict(self), "contexts": [str(c) for c in self.contexts]}


def choose_device(name: str) -> torch.device:
    """``auto`` is a CUDA device where there is one. Raises ValueError when ``cuda`` is asked for and absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is visible to torch; use --device cpu or auto")
    device = torch.device(name)
    log.info("device: %s", torch.cuda.get_device_name(0) if device.type == "cuda" else "cpu")
    return device


def train_network(
    samples: Sequence[SampleGraphs], settings: TrainSettings, device: torch.device
) -> tuple[SemanticNetwork | Ensemble, dict[str, int], pd.DataFrame]:
    """Train on ``samples``; returns the network (on the CPU), the index of each batch, the history of the losses.

    Where ``settings.networks`` are several, they are trained one after the other from different weights and returned
    as an ensemble; the history is their mean.
    """
    # the other function for it, use_deterministic_algorithms, imports the compiler
    torch.set_deterministic_debug_mode("warn" if device.type == "cuda" else "error")
    # else every tensor is filled before it is written: an eighth of the time, for memory that nothing reads
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 (unknown to mypy)
    batch_index = {b: i for i, b in enumerate(sorted({s.batch for s in samples}))}
    most = cells_with_a_say(samples)
    n_cells = sum(most)
    shape = NetworkShape(
        n_input=samples[0].x.shape[1],
        n_output=samples[0].target.shape[1],
        n_batches=len(batch_index),
        n_latent=settings.latent,
        n_communities=settings.communities,
        contexts=settings.contexts,
        fusion=settings.fusion,
    )
    squares = (n / s.n * (s.x.astype(np.float64) ** 2).sum() for s, n in zip(samples, most))
    scale = float(np.sqrt(sum(squares) / (n_cells * shape.n_input)))
    loader = TileLoader(
        samples,
        batch_index,
        shape.hops,
        tile_cells=settings.tile_cells,
        batch_cells=settings.batch_cells,
        seed=settings.seed,
        matches=matched_cells(samples, settings.seed) if settings.matches else NO_MATCHES,
        cut=True,
        most=most,
    )
    settings = replace(settings, steps=max(settings.steps, math.ceil(n_cells / settings.batch_cells)))
    passes = settings.steps * min(settings.batch_cells, n_cells) / n_cells
    log.info("%d cells of %d samples in a pass, %d tiles, %d networks of %d steps, %.1f passes over the cohort",
             n_cells, len(samples), len(loader.tiles), settings.networks, settings.steps, passes)  # fmt: skip
    torch.set_num_threads(worthwhile_threads(torch.get_num_threads(), min(settings.batch_cells, n_cells)))
    networks, histories = [], []
    for number in range(settings.networks):
        network = build_network(shape, max(scale, 1e-6), settings.networks * settings.seed + number).to(device)
        histories.append(_train_one(network, loader, settings, device))
        networks.append(network.cpu().eval())
    history = pd.concat(histories).groupby("step", as_index=False).mean()
    return networks[0] if len(networks) == 1 else Ensemble(networks), batch_index, history


def worthwhile_threads(granted: int, cells: int) -> int:
    """Of the threads ``granted``, as many as the ``cells`` of an optimisation step are worth."""
    return min(granted, max(1, round(cells / CELLS_OF_A_THREAD)))


def cells_with_a_say(samples: Sequence[SampleGraphs]) -> list[int]:
    """Cells of each sample in a pass, see `sample_caps`."""
    caps = sample_caps({s.sample: s.n for s in samples}, {s.sample: s.patient or s.sample for s in samples})
    return [caps[s.sample] for s in samples]


def _train_one(
    network: SemanticNetwork, loader: TileLoader, settings: TrainSettings, device: torch.device
) -> pd.DataFrame:
    """Train ``network`` in place; the terms of the loss, a row per step."""
    optimiser = AdamW(network.parameters(), settings.learning_rate, decay=1e-4)
    history, started = [], time.monotonic()
    with Progress("training", settings.steps) as counted:
        for step, batch in zip(range(settings.steps), loader):
            terms = training_losses(network, batch.to(device), settings)
            optimiser.zero_grad()
            terms["loss"].backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.rate = settings.learning_rate * rate_share(step, settings.steps)
            optimiser.step()
            history.append({"step": step + 1, **{k: float(v.detach()) for k, v in terms.items()}})
            counted.note = f"loss {history[-1]['loss']:.3f}"
            counted.advance()
    log.info(
        "trained in %.0f s, loss %.3f -> %.3f", time.monotonic() - started, history[0]["loss"], history[-1]["loss"]
    )
    return pd.DataFrame(history)


def rate_share(step: int, steps: int) -> float:
    """Share of the largest learning rate at ``step``: a linear rise over the first tenth, then half a cosine to 0."""
    rise = max(steps // 10, 1)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def training_losses(network: SemanticNetwork, batch: Batch, settings: TrainSettings) -> dict[str, torch.Tensor]:
    """All terms of the loss over the inner cells of a batch, ``loss`` their weighted sum."""
    out = network(batch.x, batch.edges, batch.batch, batch.inner_cells)
    P = out.communities
    everywhere = P.new_zeros(len(batch.inner), P.shape[1]).index_copy(0, batch.inner_cells, P)
    predicted, target = out.reconstruction, batch.target / network.input_scale
    own = network.shape.n_input
    terms = {
        "reconstruction": reconstruction_loss(predicted[:, :own], target[:, :own]),
        "profile": reconstruction_loss(predicted[:, own:], target[:, own:]),
        "mincut": mincut_loss(everywhere, _edges_to_keep(batch, out)),
        "balance": balance_loss(P),
        "disentangle": disentangle_loss(out.contexts),
        "attention": attention_balance_loss(out.scores),
        "matches": match_loss(out.fused, batch.matches),
    }
    loss = (
        terms["profile"]
        + settings.reconstruction * terms["reconstruction"]
        + settings.mincut * (terms["mincut"] + terms["balance"])
        + settings.disentangle * terms["disentangle"]
        + settings.attention * terms["attention"]
        + settings.matches * terms["matches"]
    )
    return {"loss": loss, **terms}


def _edges_to_keep(batch: Batch, out: Output) -> list[tuple[EdgeSet, torch.Tensor]]:
    """Edges that communities should not cut: tissue neighbours and, where used, cells of like neighbourhoods.

    Learned weights are constants here: otherwise the cut would be lowered by switching edges off. Edges of halo cells,
    whose embedding is not complete, weigh nothing.
    """
    chosen: list[str] = [c for c in (Context.SPATIAL, Context.DOMAIN) if c in batch.edges] or list(batch.edges)
    kept = []
    for context in chosen:
        edges = batch.edges[context]
        inside = batch.inner[edges.source] & batch.inner[edges.destination]
        kept.append((edges, out.weights[context].detach() * inside))
    return kept
