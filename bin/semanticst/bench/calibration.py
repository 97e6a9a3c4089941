"""Calibration of the tests of the association: cohorts without an effect and with a known one.

``./semanticst bench calibration`` prints the tables and writes them, with a figure, into the documentation. Cohorts are
simulated as niche counts per section (see ``_cohorts``), so that thousands are judged in minutes on one core.
"""

from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import pandas as pd
from scipy import stats

from semanticst.association.stats.results import benjamini_hochberg
from semanticst.bench import _rival_tests
from semanticst.bench._docs_tables import write_hard, write_report
from semanticst.bench.hard_cohorts.hard_designs import HARD
from semanticst.bench.hard_cohorts.hard_tests import judge
from semanticst.bench.material.simulated_counts import N_NICHES, PLANTED, Cohort, Layout, draw
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
HARD_SHARE = 10
"""Cohorts over those of each hard design, which go through the whole contrast and take longer."""


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
    cohorts = draw(layout, n, seed)
    p = np.array([p_values(cohort, seed + i) for i, cohort in enumerate(cohorts)])
    repeats = len(layout.patient) > layout.n_patients
    row = {
        "design": layout.name,
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
    return row


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
        "effect": effect,
        "true_difference": truth[PLANTED],
        "power": np.mean(found),
        "power_q": np.mean(found_q),
        "first": np.mean(first),
        "coverage": np.mean(covered),
        "coverage_planted": np.mean(np.array(covered)[:, PLANTED]),
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
    many = draw(Layout("many", "survival", (20_000,), layout.sections, events=layout.events), 1, seed + 10**6, effect)[
        0
    ]
    truth = testable(_rival_tests.cox(many, PLANTED)).effect
    found, covered = [], []
    for i, cohort in enumerate(draw(layout, n, seed, effect)):
        fit = testable(_rival_tests.cox(cohort, PLANTED))
        found.append(_rival_tests.survival(cohort, seed + i, range(PLANTED, PLANTED + 1))[0] <= LEVEL)
        covered.append(abs(fit.effect - truth) <= stats.norm.ppf(0.975) * fit.se)
    row = {"design": layout.name, "effect": effect, "true_difference": truth, "power": np.mean(found)}
    return row | {"coverage_planted": np.mean(covered)}


@step()
@click.option(
    "--cohorts", type=click.IntRange(20), default=2000, show_default=True, help="Simulated cohorts per design."
)
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    default=DOCS,
    show_default="docs/ of the checkout",
    help="Folder of benchmarks.md and images/, for the table and the figure.",
)
@seed_option
def calibration(cohorts, docs, seed):
    """Judge the tests of the association: false positives, power, coverage, rank of the true niche."""
    # no two rows share their cohorts: what is luck in one would else be luck in all
    seeds = (int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(1000))
    null = pd.DataFrame([_said(false_positives(layout, cohorts, next(seeds))) for layout in DESIGNS])
    power = pd.DataFrame(
        [_said(planted(layout, effect, cohorts // 2, next(seeds))) for layout in PLANTED_DESIGNS for effect in EFFECTS]
    )
    hazard = pd.DataFrame(
        [
            _said(planted_hazard(layout, e, cohorts // 10, next(seeds)))
            for layout in SURVIVAL_DESIGNS
            for e in LOG_HAZARDS
        ]
    )
    write_report(docs, null, power, hazard, cohorts, seed)
    few = max(20, cohorts // HARD_SHARE)
    hard = pd.DataFrame([_said(judge(design, few, next(seeds))) for design in HARD])
    write_hard(docs, hard, few, seed)


def _said(row: dict) -> dict:
    click.echo("  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
    return row


if __name__ == "__main__":
    calibration()
