"""Cohorts whose patients differ, level by level, and the scores on each."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.bench._methods import NOT_INSTALLED, Limits, Method, Outcome, run_method
from semanticst.bench.material.scaled_values import Form, sheet_in_form
from semanticst.bench.measuring.scores import agreement, annotated, found_again, lisi
from semanticst.bench.niches import DOMAIN, domains, prepare
from semanticst.constants import NICHE_STARTS
from semanticst.simulate.cohort import simulate_cohort
from semanticst.simulate.settings import Settings, Tissue

DEPTH, DROPOUT = 0.5, 0.2
"""Batch effects of every level that has any: SD of the log depth, largest share of counts that a batch loses."""
LATER = {"large": 1.0, "tissue": Tissue.NICHES.value, "rare": 0.0}
"""Columns that scores saved by earlier versions lack, with what holds for them."""
MEASURED = ("ari", "ari_within", "ilisi", "clisi", "recall", "precision")


@dataclass(frozen=True)
class Level:
    """How patients differ: in their tissue, and in how it was measured."""

    missing: float
    """Share of (patient, niche) pairs in which the niche is absent."""
    imbalance: float
    """In each patient one niche is this many times more frequent."""
    shift: float
    """SD over batches of the log expression of each gene; 0 stands for no batch effect of any kind."""
    large: float = 1.0
    """The last patient has this many times more cells, if more than 1 all of one niche; scores are of the others."""
    tissue: str = Tissue.NICHES.value
    """What tells niches apart, see `semanticst.simulate.settings.Tissue`."""
    rare: float = 0.0
    """One niche has this share of the cells of every third patient, lies nowhere else, and is scored by itself too."""


def name_of(level: Level) -> str:
    """``40%, 10, 0.6``, and what else is unusual about it."""
    name = f"{level.missing:.0%}, {level.imbalance:g}, {level.shift:g}"
    extra = [f"one patient x {level.large:g}"] * (level.large > 1) + [level.tissue] * (level.tissue != Level.tissue)
    extra += [f"one niche of {level.rare:.0%}"] * (level.rare > 0)
    return ", ".join([name, *extra])


@dataclass(frozen=True)
class Size:
    """How large the cohorts are."""

    patients: int = 8
    cells: int = 700
    """Cells of a section; a patient has one."""
    genes: int = 200
    niches: int = 8
    intensities: bool = False
    """Stainings instead of counts."""
    values: str = Form.GIVEN.value
    """What counts are turned into before they are read."""


LEVELS = (
    *(Level(*values) for values in product((0.0, 0.4, 0.6), (1.0, 10.0), (0.25, 0.6))),
    Level(0.0, 1.0, 0.25, 10.0),
    Level(0.0, 1.0, 0.25, 100.0),
    Level(0.0, 1.0, 0.25, tissue=Tissue.ARRANGED.value),
    Level(0.0, 1.0, 0.25, tissue=Tissue.THIN.value),
    *(Level(0.0, 1.0, 0.25, rare=share) for share in (0.01, 0.03, 0.1)),
)
WITHOUT_STRUCTURE = (
    Level(0.0, 1.0, 0.25, tissue=Tissue.RANDOM.value),
    Level(0.0, 1.0, 0.25, tissue=Tissue.UNIFORM.value),
    Level(0.6, 10.0, 0.25, tissue=Tissue.SHUFFLED.value),
)
"""Levels in which there are no niches to be found, and nothing to be scored but the claim that there are."""


def without_batch(level: Level) -> Level:
    """The same tissue measured without batch effects."""
    return replace(level, shift=0.0)


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
        large=level.large, tissue=Tissue(level.tissue), rare=level.rare, own_batches=True, effect=0.0, hazard=0.0,
        missing_niches=level.missing, imbalance=level.imbalance,
        batch_depth=DEPTH * batch, batch_shift=level.shift, batch_dropout=DROPOUT * batch,
        intensities=size.intensities, seed=seed,
    )  # fmt: skip


def make_cohort(level: Level, size: Size, seed: int, folder: Path) -> tuple[list[Path], pd.DataFrame]:
    """Checked samples (``{sample}.qc.h5ad``) of a level, and sample and true niche of each cell."""
    simulate_cohort(settings_of(level, size, seed), folder / "cohort")
    sheet = sheet_in_form(folder / "cohort" / "samplesheet.csv", Form(size.values), folder / "values", seed)
    samples = prepare(sheet, folder / "samples")
    return samples, domains(samples)


def scored(name: str, outcome: Outcome, truth: pd.DataFrame, without: str = "", rare: str | None = None) -> list[dict]:
    """Scores of one run and of its parts, which have no LISI; ``run`` is the method that was run.

    ``without``: a sample whose cells are not scored. ``rare``: a niche whose recall and precision are asked for.
    NaN where there is nothing to score; a run that failed says why in ``failed``.
    """
    failed, labels = outcome.failed, outcome.labels
    if labels is not None and not failed and not labels.index.sort_values().equals(truth.index.sort_values()):
        failed = "named other cells than it was given"  # scores of easy cells alone would stand beside those of all
    if labels is None or failed:
        return [{"method": name, "run": name, **dict.fromkeys((*MEASURED, "seconds"), np.nan), "failed": failed}]
    truth = truth.loc[labels.index]
    kept = (truth["sample"] != without).to_numpy()
    truth = truth[kept]
    domain, sample = truth[DOMAIN].to_numpy(str), truth["sample"].to_numpy(str)
    space = None if outcome.embedding is None else outcome.embedding[kept]

    def row(method: str, niche: pd.Series) -> dict:
        agreed = agreement(domain, sample, niche.to_numpy()[kept])
        row = {"method": method, "run": name, "cells": len(domain)} | {s: agreed[s] for s in ("ari", "ari_within")}
        row |= dict.fromkeys(("ilisi", "clisi", "recall", "precision", "seconds"), np.nan) | {"failed": ""}
        return row if rare is None else row | found_again(domain == rare, niche.to_numpy()[kept])

    whole = row(name, outcome.labels) | {"seconds": outcome.seconds, "note": outcome.note}
    if space is not None:
        whole |= {"ilisi": lisi(space, sample), "clisi": lisi(space, domain)}
    return [whole, *(row(part, outcome.parts[part]) for part in outcome.parts)]


def climb(
    methods: dict[str, Method], levels: tuple[Level, ...], size: Size, seeds: int, done: set, folder: Path, *,
    starts: int = NICHE_STARTS, limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> Iterator[list[dict]]:  # fmt: skip
    """Rows of every method at every level and seed, those of one run at a time.

    All methods get the same files. (method, level, seed) that are ``done`` are passed over. A method that fails at one
    level is run at the next, unless it is not installed, which it says at all of them.
    """
    absent: dict[str, Outcome] = {}
    for level, seed in runs(levels, seeds):
        wanted = {name: method for name, method in methods.items() if (name, level, seed) not in done}
        place = folder / "-".join(map(str, (*astuple(level), seed)))
        if set(wanted) - set(absent):
            samples, truth = make_cohort(level, size, seed, place)
            k = truth[DOMAIN][annotated(truth[DOMAIN])].nunique()
            large = truth["sample"].value_counts().idxmax() if level.large > 1 else ""
            rare = truth[DOMAIN].value_counts().idxmin() if level.rare else None
        for i, (name, method) in enumerate(wanted.items()):
            if not (outcome := absent.get(name)):
                at = place / f"method-{i}"
                outcome = run_method(method, samples, k, seed, at, limits=limits, starts=starts)
            if outcome.failed.startswith(NOT_INSTALLED):
                absent[name] = outcome
            yield [asdict(level) | {"seed": seed} | row for row in scored(name, outcome, truth, large, rare)]
        shutil.rmtree(place, ignore_errors=True)  # there is none where no method could be run


def beside_batch_free(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per method, level with batch effects, and seed; ``x_free`` and ``x_change`` beside each score ``x``."""
    same = ["method", "run", "missing", "imbalance", *LATER, "seed"]
    scores = scores.assign(
        **{name: scores[name].fillna(usual) if name in scores else usual for name, usual in LATER.items()}
    )
    scores = scores.reindex(columns=list(dict.fromkeys([*scores, *MEASURED])))  # those of earlier versions have fewer
    free = scores[scores["shift"] == 0][[*same, *MEASURED, "failed"]]
    both = scores[scores["shift"] > 0].merge(free, on=same, how="left", suffixes=("", "_free"))
    for name in MEASURED:
        both[f"{name}_change"] = both[name] - both[f"{name}_free"]
    return both
