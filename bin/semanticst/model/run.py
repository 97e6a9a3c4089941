"""The training and embedding steps: files in, files out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from semanticst.constants import VALIDATION, TrainMode
from semanticst.errors import BadInput, Problem
from semanticst.model.embed import embed_cohort
from semanticst.model.network import known_contexts
from semanticst.model.sample_graphs import SampleGraphs, read_graphs, sorted_by_sample, study_part
from semanticst.model.store import network_if_any, save_network
from semanticst.model.train import TrainSettings, choose_device, train_network
from semanticst.mqc.multiqc import INTEGRATION, Section, emphasised, lines
from semanticst.writing import write_json, write_table

if TYPE_CHECKING:  # layers that only the reference mode needs take 2 s to import
    from semanticst.model.kinds import Network
    from semanticst.model.reference import ReferenceSettings

log = logging.getLogger(__name__)

REPORTED = {
    TrainMode.SEMANTIC: "What the network was trained for, step by step. The loss (their weighted sum) should fall "
    "and then level off; a term that is small from the start may rise first. "
    "<em>profile</em>: decoding a cell's neighbourhood, <em>reconstruction</em>: decoding the cell itself, "
    "<em>mincut</em> and <em>balance</em>: communities that do not cut neighbours apart and are of like size, "
    "<em>disentangle</em>: contexts that repeat each other, <em>attention</em>: unused contexts, "
    "<em>matches</em>: cells of different samples with the same neighbourhood that lie apart (0 in steps without any).",
    TrainMode.REFERENCE: "The network has the settings of the authors' released package. First its graphs were learned "
    "(<em>disentangle</em>: cosines between their descriptors, <em>similarity</em>: distance between neighbours), then "
    "the rest (<em>reconstruction</em>: decoding the cell, <em>mincut</em>: logarithm of the cut). <em>loss</em> is "
    "that of the stage, so it jumps where the second one begins.",
}


def run_training(
    paths: Sequence[Path], outdir: Path, *, contexts: str, device: str, mode: str = TrainMode.SEMANTIC, **settings
) -> None:
    """Train on ``{sample}.graphs.h5ad`` of all samples.

    Further arguments are those of ``TrainSettings``; in reference mode those of ``ReferenceSettings``, and the others
    of ``TrainSettings`` have no effect.
    """
    if mode == TrainMode.NONE:
        raise click.UsageError("with --train_mode none no network is trained: leave this step out")
    mode = TrainMode.SEMANTIC if mode == "auto" else mode
    try:
        chosen = known_contexts(contexts.split(","))
        where = choose_device(device)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    used: ReferenceSettings | TrainSettings
    network: Network
    if mode == TrainMode.REFERENCE:
        from semanticst.model.reference import read_reference, train_reference

        used = _reference_settings(settings | {"contexts": chosen})
        samples = _read(paths, read_reference)
        network, batches, history = train_reference(samples, used, where)
    else:
        used = TrainSettings(contexts=chosen, **settings)
        samples = _read(paths, partial(read_graphs, contexts=chosen))
        network, batches, history = train_network(samples, used, where)
    save_network(outdir / "network.pt", network, batches, used.as_dict())
    write_table(outdir / "training.csv", history)
    write_json(
        outdir / "training.json",
        {
            "mode": str(mode),
            **used.as_dict(),
            "device": where.type,
            "n_samples": len(samples),
            "n_cells": sum(s.n for s in samples),
            "n_batches": len(batches),
            "n_weights": sum(p.numel() for p in network.parameters()),
            "first": history.iloc[0].dropna().to_dict(),
            "last": history.iloc[-1].dropna().to_dict(),
        },
    )
    _report(history, outdir, TrainMode(mode))


def run_embedding(paths: Sequence[Path], network: Path | None, outdir: Path, *, device: str) -> None:
    """Embed ``{sample}.graphs.h5ad`` of all samples with the network of ``network.pt`` or ``model.pt``.

    Without one, or where the model was made without one, their cells are only put together.
    """
    try:
        where = choose_device(device)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    found = None if network is None else network_if_any(network)
    embed_cohort(found and found[0], sorted_by_sample(paths), where, outdir / "cohort.embedding.h5ad")


def _read(paths: Sequence[Path], read: Callable[[Path], SampleGraphs]) -> list[SampleGraphs]:
    """The samples that a network is trained on: all but those kept for validation."""
    samples = [read(path) for path in sorted_by_sample(paths) if study_part(path) != VALIDATION]
    _same_width(samples)
    return samples


def _same_width(samples: Sequence[SampleGraphs]) -> None:
    widths = {s.sample: s.x.shape[1] for s in samples}
    if len(set(widths.values())) > 1:
        raise BadInput(
            [Problem(s, "samples differ in components; prepare all in one run", value=w) for s, w in widths.items()]
        )


def _reference_settings(given: dict) -> "ReferenceSettings":
    """The settings that the reference mode takes; says which others were set in vain."""
    from semanticst.model.reference import ReferenceSettings

    known, usual = {f.name for f in fields(ReferenceSettings)} - {"learning_rate"}, asdict(TrainSettings())
    ignored = [name for name, value in given.items() if name not in known and value != usual.get(name)]
    if ignored:
        options = ", ".join(f"--train-{name.replace('_', '-')}" for name in ignored)
        log.warning("without effect in reference mode: %s", options)
    return ReferenceSettings(**{name: value for name, value in given.items() if name in known})


def _report(history: pd.DataFrame, outdir: Path, mode: TrainMode) -> None:
    terms = [c for c in history.columns if c not in ("step", "stage")]
    drawn = history.iloc[:: max(1, len(history) // 200)]
    data: dict[str, dict[float, float]] = {
        t: {int(s): float(v) for s, v in drawn.set_index("step")[t].dropna().items()} for t in terms
    }
    section = Section(
        "training",
        INTEGRATION,
        "Training of the network",
        emphasised(REPORTED[mode]),
    )
    lines(outdir, section, data, x="Step", y="Loss")
