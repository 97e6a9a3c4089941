"""Calibration of the tests of the association: cohorts without an effect and with a known one.

``./semanticst bench calibration`` prints the tables and writes them, with a figure, into the documentation. Cohorts are
simulated as niche counts per section (see ``_cohorts``), so that thousands are judged in minutes on one core.
"""

from pathlib import Path
from time import process_time
from typing import TypeVar
from zlib import crc32

import click
import numpy as np
import pandas as pd
from scipy import stats

from semanticst.association.stats.results import benjamini_hochberg
from semanticst.bench import _rival_tests
from semanticst.bench._docs_tables import WHOLE, write_report
from semanticst.bench.hard_cohorts.hard_rows import HARD
from semanticst.bench.hard_cohorts.hard_tests import chunk, rows
from semanticst.bench.material.simulated_counts import N_NICHES, PLANTED, Cohort, Layout, draw
from semanticst.bench.measuring.kept import Part, done
from semanticst.cli import seed_option, step

DOCS = Path(__file__).resolve().parents[3] / "docs"

DESIGNS = (
    Layout("two groups, 8 + 8", "groups", (8, 8)),
    Layout("two groups, 8 + 8, 5 sections each", "groups", (8, 8), (5,)),
    Layout("two groups, 4 + 12", "groups", (4, 12)),
    Layout("two groups, 8 + 8, 1 to 6 sections", "groups", (8, 8), (1, 4, 2, 6, 3, 5, 1)),
    Layout("two groups, 8 + 8, two covariates", "groups", (8, 8), covariates=2),
    Layout("two groups, 12 + 12, inside three batches", "groups", (12, 12), batches=3),
    Layout("three groups, 5 + 5 + 5", "several", (5, 5, 5)),
    Layout("whole composition, 8 + 8", "joint", (8, 8)),
    Layout("ordered, 4 + 4 + 4, 10 sections each", "ordered", (4, 4, 4), (10,)),
    Layout("continuous, 16", "continuous", (16,)),
    Layout("paired, 8 patients, 2 sections", "paired", (8,), (2,)),
    Layout("paired, 8 patients, 5 sections", "paired", (8,), (5,)),
    Layout("survival, 33, 30 % events", "survival", (33,)),
    Layout("survival, 60, 30 % events, 5 sections each", "survival", (60,), (5,)),
    Layout("survival, 60, 40 % events, one covariate", "survival", (60,), covariates=1, events=0.4),
)
PLANTED_DESIGNS = (
    Layout("8 + 8", "groups", (8, 8)),
    Layout("8 + 8, 5 sections", "groups", (8, 8), (5,)),
    Layout("16 + 16", "groups", (16, 16)),
    Layout("8 pairs", "paired", (8,), (2,)),
)
SURVIVAL_DESIGNS = (
    Layout("survival, 33, 30 % events", "survival", (33,)),
    Layout("survival, 100, 30 % events", "survival", (100,)),
)
EFFECTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
LOG_HAZARDS = (0.0, 0.5, 1.0)
LEVEL = 0.05
CHUNK = 100
"""Cohorts of a hard design that are judged, and kept, together."""
NULL_CHUNK, PLANTED_CHUNK, HAZARD_CHUNK = 500, 250, 50
"""The same of the other designs without an effect, of planted effects and of planted hazards."""


def p_values(cohort: Cohort, seed: int) -> np.ndarray:
    """p of every niche (of two for survival, of all together for the joint test) as the pipeline gives it."""
    if cohort.layout.kind == "survival":
        return _rival_tests.survival(cohort, seed, range(PLANTED, PLANTED + 2))
    if cohort.layout.kind in ("several", "joint"):
        return _rival_tests.omnibus(cohort, seed, cohort.layout.kind == "joint")
    found = _rival_tests.linear(cohort, seed)
    # a covariate that happens to be the group: not testable
    return np.full(N_NICHES, np.nan) if found is None else found.p


def false_positives(layout: Layout, n: int, seed: int) -> dict:
    """Shares of p <= 0.05 in ``n`` cohorts without an effect: the pipeline, mixed models, sections, cells."""
    begun = process_time()
    cohorts = draw(layout, n, seed)
    p = np.array([p_values(cohort, seed + i) for i, cohort in enumerate(cohorts)])
    repeats = len(layout.patient) > layout.n_patients
    row = {
        "design": layout.name,
        "cohorts": n,
        "tests": int(np.isfinite(p).sum()),
        "pipeline": rate(p),
        "error": standard_error(p),
        "cells": rate(np.array([_rival_tests.of_cells(c) for c in cohorts])),
    }
    if repeats:
        row["sections"] = rate(np.array([_rival_tests.of_sections(c) for c in cohorts]))
    if repeats and layout.kind in ("groups", "paired"):
        fits = np.array([_rival_tests.mixed(c, PLANTED) for c in cohorts])
        row["mixed_t"], row["mixed_z"] = rate(fits[:, 0]), rate(fits[:, 1])
        row["mixed_failed"] = float(np.isnan(fits[:, 0]).mean())
    return row | {"seconds": process_time() - begun}


def rate(p: np.ndarray) -> float:
    """Share of p at or below 0.05 among those that could be computed."""
    return float((p[np.isfinite(p)] <= LEVEL).mean())


def standard_error(p: np.ndarray) -> float:
    """Monte-Carlo error of ``rate`` (p: cohorts x tests); tests of one cohort are not independent."""
    p = p[np.isfinite(p).all(axis=1)]
    per_cohort = (p <= LEVEL).mean(axis=1)
    return float(per_cohort.std(ddof=1) / np.sqrt(len(per_cohort)))


Result = TypeVar("Result")


def testable(result: Result | None) -> Result:
    """The result of a test of a simulated cohort; raises ValueError where the cohort cannot be tested."""
    if result is None:
        raise ValueError("a simulated cohort is not testable: too few patients, or events, for its design")
    return result


def planted(layout: Layout, effect: float, n: int, seed: int) -> dict:
    """Power (p and q), rank of the planted niche, and coverage of all 95 % intervals in ``n`` cohorts."""
    begun = process_time()
    truth = population_effect(layout, effect, seed)
    found, found_q, first, covered = [], [], [], []
    for i, cohort in enumerate(draw(layout, n, seed, effect)):
        result = testable(_rival_tests.linear(cohort, seed + i))
        found.append(result.p[PLANTED] <= LEVEL)
        found_q.append(benjamini_hochberg(result.p)[PLANTED] <= LEVEL)
        first.append(np.argmin(result.p) == PLANTED)
        covered.append((result.ci_low <= truth) & (truth <= result.ci_high))
    return {
        "design": layout.name,
        "cohorts": n,
        "effect": effect,
        "true_difference": float(truth[PLANTED]),
        "power": float(np.mean(found)),
        "power_q": float(np.mean(found_q)),
        "first": float(np.mean(first)),
        "coverage": float(np.mean(covered)),
        "coverage_planted": float(np.mean(np.array(covered)[:, PLANTED])),
        "seconds": process_time() - begun,
    }


def population_effect(layout: Layout, effect: float, seed: int) -> np.ndarray:
    """Difference of the modelled feature (per niche) between very many patients: what the intervals should cover.

    It is not ``effect`` itself: a niche that grows takes from the others, and the pseudo-share flattens rare ones.
    """
    many = 40_000
    sizes = (many,) if layout.kind == "paired" else (many // 2, many // 2)
    cohort = draw(Layout("many", layout.kind, sizes, layout.sections), 1, seed + 10**6, effect)[0]
    counts, _, x = _rival_tests.units(cohort)
    Y = _rival_tests.log_ratios(counts)
    return Y[x == 1].mean(axis=0) - Y[x == 0].mean(axis=0)


def planted_hazard(layout: Layout, effect: float, n: int, seed: int) -> dict:
    """Power and coverage of the hazard ratio of the planted niche in ``n`` cohorts; ``effect`` is its log per SD."""
    begun = process_time()
    many = draw(Layout("many", "survival", (20_000,), layout.sections, events=layout.events), 1, seed + 10**6, effect)[
        0
    ]
    truth = testable(_rival_tests.cox(many, PLANTED)).effect
    found, covered = [], []
    for i, cohort in enumerate(draw(layout, n, seed, effect)):
        fit = testable(_rival_tests.cox(cohort, PLANTED))
        found.append(_rival_tests.survival(cohort, seed + i, range(PLANTED, PLANTED + 1))[0] <= LEVEL)
        covered.append(abs(fit.effect - truth) <= stats.norm.ppf(0.975) * fit.se)
    row = {"design": layout.name, "cohorts": n, "effect": effect, "true_difference": float(truth)}
    row["power"] = float(np.mean(found))
    return row | {"coverage_planted": float(np.mean(covered)), "seconds": process_time() - begun}


@step()
@click.option(
    "--cohorts", type=click.IntRange(20), default=2000, show_default=True, help="Simulated cohorts per design."
)
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    default=DOCS,
    show_default="docs/ of the checkout",
    help="Folder of benchmarks.md and images/, for the table and the figures.",
)
@click.option(
    "--kept",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of parts that are done, of one version: a run that was cut short goes on from there.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes at the same time.")
@click.option(
    "--max-minutes",
    type=click.FloatRange(0),
    help="Begin nothing after so long: tables are made of the cohorts that there are, and say how many.",
)
@seed_option
def calibration(cohorts, docs, kept, workers, max_minutes, seed):
    """Judge the tests of the association: false positives, power, coverage, rank of the true niche."""
    parts = _parts(cohorts, seed)
    soft: dict[str, dict[str, list[dict]]] = {"null": {}, "power": {}, "hazard": {}}
    chunks: dict[str, list[dict]] = {design.name: [] for design in HARD}
    missing = []
    for (table, part), found in zip(parts, done([part for _, part in parts], kept, workers, max_minutes)):
        if found is None:
            missing.append(part.name)
        elif table == "hard":
            chunks[part.arguments[0]].append(found)
        else:
            soft[table].setdefault(part.name.rsplit(", ", 1)[0], []).append(found)
    hard = [row for design in HARD if chunks[design.name] for row in rows(design, chunks[design.name])]
    tables = {name: [together(found) for found in designs.values()] for name, designs in soft.items()}
    for row in (*tables["null"], *tables["power"], *tables["hazard"], *hard):
        _said(row)
    null, power, hazard = (pd.DataFrame(tables[name]) for name in tables)
    if missing:
        click.echo(f"not begun in {max_minutes:g} minutes: {len(missing)} of {len(parts)} parts")
    write_report(docs, null, power, hazard, pd.DataFrame(hard), seed)


def _parts(cohorts: int, seed: int) -> list[tuple[str, Part]]:
    """Table and part, in the order of work: a quarter of the hard cohorts, the other tables, the rest."""
    soft = []
    for layout in DESIGNS:
        name = f"null: {layout.name}"
        for first, n in _chunks(cohorts, NULL_CHUNK):
            at = _seed(seed, layout.name) + first
            soft.append(("null", Part(f"{name}, {first}", false_positives, (layout, n, at))))
    for layout in PLANTED_DESIGNS:
        for effect in EFFECTS:
            name = f"planted: {layout.name}, {effect:g}"
            for first, n in _chunks(cohorts // 2, PLANTED_CHUNK):
                at = _seed(seed, name) + first
                soft.append(("power", Part(f"{name}, {first}", planted, (layout, effect, n, at))))
    for layout in SURVIVAL_DESIGNS:
        for effect in LOG_HAZARDS:
            name = f"hazard: {layout.name}, {effect:g}"
            for first, n in _chunks(cohorts // 10, HAZARD_CHUNK):
                at = _seed(seed, name) + first
                soft.append(("hazard", Part(f"{name}, {first}", planted_hazard, (layout, effect, n, at))))
    hard = [
        ("hard", Part(f"hard: {d.name}, {first}", hard_chunk, (d.name, first, n, seed)))
        for first, n in _chunks(cohorts, CHUNK)
        for d in HARD
    ]
    quarter = len(hard) // 4
    return [*hard[:quarter], *soft, *hard[quarter:]]


def _chunks(cohorts: int, size: int) -> list[tuple[int, int]]:
    """First cohort and number of cohorts of each part."""
    return [(first, min(size, cohorts - first)) for first in range(0, cohorts, size)]


def together(parts: list[dict]) -> dict:
    """One row of the parts of a design: means weighted by their cohorts, sums of cohorts, tests and seconds."""
    n, row = np.array([part["cohorts"] for part in parts], dtype=float), dict(parts[0])
    for name, value in row.items():
        values = np.array([part[name] for part in parts])
        if name in WHOLE:
            row[name] = values.sum()
        elif name == "error":
            row[name] = float(np.sqrt(((n * values) ** 2).sum()) / n.sum())
        elif not isinstance(value, str):
            row[name] = float(np.average(values, weights=n))
    return row


def hard_chunk(name: str, first: int, n: int, seed: int) -> dict:
    """``hard_tests.chunk`` of the design of that name."""
    return chunk(next(design for design in HARD if design.name == name), first, n, _seed(seed, name))


def _seed(seed: int, name: str) -> int:
    """Of a row: no two share their cohorts, since what is luck in one would else be luck in all."""
    return int(np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1)[0])


def _said(row: dict) -> dict:
    click.echo("  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
    return row


if __name__ == "__main__":
    calibration()
