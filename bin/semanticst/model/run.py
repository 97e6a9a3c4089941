"""The training and embedding steps: files in, files out."""

from collections.abc import Sequence
from pathlib import Path

import click
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.model.cohort import SampleGraphs, read_graphs, sorted_by_sample
from semanticst.model.embed import embed_cohort
from semanticst.model.network import known_contexts
from semanticst.model.store import load_network, save_network
from semanticst.model.train import TrainSettings, choose_device, train_network
from semanticst.report.multiqc import INTEGRATION, Section, lines
from semanticst.writing import write_json, write_table


def run_training(paths: Sequence[Path], outdir: Path, *, contexts: str, device: str, **settings) -> None:
    """Train on ``{sample}.graphs.h5ad`` of all samples; further arguments are those of ``TrainSettings``."""
    try:
        chosen = known_contexts(contexts.split(","))
        where = choose_device(device)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    samples = [read_graphs(path, chosen) for path in sorted_by_sample(paths)]
    _same_width(samples)
    settings = TrainSettings(contexts=chosen, **settings)
    network, batches, history = train_network(samples, settings, where)
    save_network(outdir / "network.pt", network, batches, settings.as_dict())
    write_table(outdir / "training.csv", history)
    write_json(
        outdir / "training.json",
        {
            **settings.as_dict(),
            "device": where.type,
            "n_samples": len(samples),
            "n_cells": sum(s.n for s in samples),
            "n_batches": len(batches),
            "n_weights": sum(p.numel() for p in network.parameters()),
            "first": history.iloc[0].to_dict(),
            "last": history.iloc[-1].to_dict(),
        },
    )
    _report(history, outdir)


def run_embedding(paths: Sequence[Path], network: Path, outdir: Path, *, device: str) -> None:
    """Embed ``{sample}.graphs.h5ad`` of all samples with the network of ``network.pt`` or ``model.pt``."""
    try:
        where = choose_device(device)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    trained, _ = load_network(network)
    embed_cohort(trained, sorted_by_sample(paths), where, outdir / "cohort.embedding.h5ad")


def _same_width(samples: Sequence[SampleGraphs]) -> None:
    widths = {s.sample: s.x.shape[1] for s in samples}
    if len(set(widths.values())) > 1:
        raise BadInput(
            [Problem(s, "samples differ in components; prepare all in one run", value=w) for s, w in widths.items()]
        )


def _report(history: pd.DataFrame, outdir: Path) -> None:
    terms = [c for c in history.columns if c != "step"]
    every = max(1, len(history) // 200)
    data = {t: {int(s): float(v) for s, v in zip(history["step"][::every], history[t][::every])} for t in terms}
    section = Section(
        "training",
        INTEGRATION,
        "Training of the network",
        "What the network was trained for, step by step; every term should fall and then level off. "
        "<em>profile</em>: decoding a cell's surroundings, <em>reconstruction</em>: decoding the cell itself, "
        "<em>mincut</em> and <em>balance</em>: communities that do not cut neighbours apart and are of like size, "
        "<em>disentangle</em>: contexts that repeat each other, <em>attention</em>: contexts that nobody listens to.",
    )
    lines(outdir, section, data, x="Step", y="Loss")
