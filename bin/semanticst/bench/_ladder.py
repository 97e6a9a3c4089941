"""Cohorts whose patients differ, level by level, and what is scored on each."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from semanticst.bench._ours import Method
from semanticst.bench._scores import agreement, annotated, lisi
from semanticst.bench.niches import DOMAIN, domains, prepare
from semanticst.simulate.cohort import simulate_cohort
from semanticst.simulate.settings import Settings

DEPTH, DROPOUT = 0.5, 0.2
"""Batch effects of every level that has any: SD of the log depth, largest share of counts that a batch loses."""


@dataclass(frozen=True)
class Level:
    """How patients differ: in their tissue, and in how it was measured."""

    missing: float
    """Share of (patient, niche) pairs in which the niche is absent."""
    imbalance: float
    """In each patient one niche is this many times more frequent."""
    shift: float
    """SD over batches of the log expression of each gene; 0 stands for no batch effect of any kind."""


@dataclass(frozen=True)
class Size:
    """How large the cohorts are."""

    patients: int = 8
    cells: int = 700
    """Cells of a section; a patient has one."""
    genes: int = 200
    niches: int = 8


LEVELS = tuple(Level(*values) for values in product((0.0, 0.4, 0.6), (1.0, 10.0), (0.25, 0.6)))


def without_batch(level: Level) -> Level:
    """The same tissue measured without batch effects."""
    return Level(level.missing, level.imbalance, 0.0)


def runs(levels: tuple[Level, ...], seeds: int) -> Iterator[tuple[Level, int]]:
    """Levels to run with their seeds: tissue without batch effects once, then with each kind of them."""
    for seed in range(seeds):
        seen = set()
        for level in levels:
            free = without_batch(level)
            if free not in seen:
                seen.add(free)
                yield free, seed
            yield level, seed


def settings_of(level: Level, size: Size, seed: int) -> Settings:
    """The cohort of a level; tissue depends on all but ``shift``."""
    batch = bool(level.shift)
    return Settings(
        patients=size.patients, sections=(1, 1), cells=size.cells, genes=size.genes, niches=size.niches,
        own_batches=True, effect=0.0, hazard=0.0, missing_niches=level.missing, imbalance=level.imbalance,
        batch_depth=DEPTH * batch, batch_shift=level.shift, batch_dropout=DROPOUT * batch, seed=seed,
    )  # fmt: skip


def make_cohort(level: Level, size: Size, seed: int, folder: Path) -> tuple[list[Path], pd.DataFrame]:
    """Checked samples (``{sample}.qc.h5ad``) of a level, and sample and true niche of each cell."""
    simulate_cohort(settings_of(level, size, seed), folder / "cohort")
    samples = prepare(folder / "cohort" / "samplesheet.csv", folder / "samples")
    return samples, domains(samples)


def score(method: Method, samples: list[Path], truth: pd.DataFrame, seed: int, starts: int, folder: Path) -> dict:
    """Joint ARI, ARI within samples, iLISI, domain LISI and seconds of a method, which is told the number of niches."""
    k = truth[DOMAIN][annotated(truth[DOMAIN])].nunique()
    start = time.monotonic()
    folder.mkdir(parents=True)
    found = method(samples, k, seed, starts, folder)
    seconds = time.monotonic() - start
    truth = truth.loc[found.cells]
    domain, sample = truth[DOMAIN].to_numpy(str), truth["sample"].to_numpy(str)
    agreed = agreement(domain, sample, found.niche)
    return {
        "ari": agreed["ari"],
        "ari_within": agreed["ari_within"],
        "ilisi": lisi(found.coordinates, sample),
        "clisi": lisi(found.coordinates, domain),
        "seconds": seconds,
    }


def climb(
    methods: dict[str, Method], levels: tuple[Level, ...], size: Size, seeds: int, starts: int, done: set, folder: Path
) -> Iterator[dict]:
    """Scores of every method at every level and seed; (method, level, seed) that are ``done`` are passed over."""
    for level, seed in runs(levels, seeds):
        wanted = {name: method for name, method in methods.items() if (name, level, seed) not in done}
        if not wanted:
            continue
        place = folder / f"{level.missing}-{level.imbalance}-{level.shift}-{seed}"
        samples, truth = make_cohort(level, size, seed, place)
        for i, (name, method) in enumerate(wanted.items()):
            scores = score(method, samples, truth, seed, starts, place / f"method-{i}")
            yield {"method": name, **asdict(level), "seed": seed, "cells": len(truth), **scores}
        shutil.rmtree(place)


def beside_batch_free(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per method, level with batch effects, and seed; ``x_free`` and ``x_change`` beside each score ``x``."""
    measured = ["ari", "ari_within", "ilisi", "clisi"]
    tissue = ["method", "missing", "imbalance", "seed"]
    free = scores[scores["shift"] == 0][[*tissue, *measured]]
    both = scores[scores["shift"] > 0].merge(free, on=tissue, suffixes=("", "_free"))
    for name in measured:
        both[f"{name}_change"] = both[name] - both[f"{name}_free"]
    return both
