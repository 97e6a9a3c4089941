"""Tests of the association on hard cohorts: false positives, findings, coverage, refusals.

What is done is what ``associate.examine`` does, without the columns of the table that nothing here is judged by.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import process_time

import numpy as np

from semanticst.association.associate import MODELS
from semanticst.association.design.batch import account_for_batch
from semanticst.association.design.design import Design, build_design
from semanticst.association.features.composition import (
    Features,
    build_features,
    centred_log_ratio,
    shares,
    unit_contacts,
)
from semanticst.association.stats.cell_numbers import Cells, account_for_cells, compare_beside_cells
from semanticst.association.stats.clusters import compare_clusters
from semanticst.association.stats.group_contrasts import compare_omnibus
from semanticst.association.stats.linear_contrast import Settings
from semanticst.association.stats.permanova import compare_composition
from semanticst.association.stats.results import OMNIBUS, PRIMARY, benjamini_hochberg
from semanticst.association.stats.survival import compare_survival_only
from semanticst.bench.hard_cohorts.hard_designs import HardDesign, Question

PERMUTATIONS = 999
LEVEL = 0.05


@dataclass(frozen=True)
class Judged:
    """One cohort: p of each test (NaN: not testable), does each interval hold 0, and p of the composition (or NaN)."""

    p: np.ndarray
    covered: list[bool]
    joint: float


def chunk(design: HardDesign, first: int, n: int, seed: int) -> dict:
    """Cohorts ``first`` to ``first + n - 1`` in plain numbers, from which `rows` are made: see there."""
    begun = process_time()
    with quiet():
        found = [one(design, np.random.default_rng([seed, i]), i) for i in range(first, first + n)]
    tested = [f.p[np.isfinite(f.p)] for f in found]
    return {
        "cohorts": n,
        "rates": [float((p <= LEVEL).mean()) for p in tested if len(p)],
        "any_q": [bool((benjamini_hochberg(p) < LEVEL).any()) for p in tested if len(p)],
        "covered": int(sum(sum(f.covered) for f in found)),
        "intervals": sum(len(f.covered) for f in found),
        "joint": [f.joint for f in found if np.isfinite(f.joint)],
        "seconds": process_time() - begun,
    }


def rows(design: HardDesign, chunks: list[dict]) -> list[dict]:
    """Row of the niches, and with ``joint`` one of the composition, over all chunks.

    ``pipeline``: p <= 0.05; ``any_q``: cohorts with any q < 0.05; ``coverage``: intervals that hold 0; ``refused``:
    cohorts in which nothing can be tested; ``seconds``: of the processor. NaN where there is none of it.
    """
    n, seconds = sum(c["cohorts"] for c in chunks), sum(c["seconds"] for c in chunks)
    rates, any_q, joint = ([v for c in chunks for v in c[name]] for name in ("rates", "any_q", "joint"))
    intervals = sum(c["intervals"] for c in chunks)
    niches = {
        "design": design.name,
        "cohorts": n,
        **_mean(rates),
        "any_q": np.mean(any_q) if any_q else np.nan,
        "coverage": sum(c["covered"] for c in chunks) / intervals if intervals else np.nan,
        "refused": 1 - len(rates) / n,
        "seconds": seconds,
    }
    if not design.joint:
        return [niches]
    composition = {"any_q": np.nan, "coverage": np.nan, "refused": 1 - len(joint) / n, "seconds": np.nan}
    below = [float(p <= LEVEL) for p in joint]
    return [niches, {"design": f"{design.name}: whole composition", "cohorts": n, **_mean(below), **composition}]


def _mean(values: list[float]) -> dict:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return {"pipeline": np.mean(values) if values else np.nan, "error": error}


def judge(design: HardDesign, n: int, seed: int) -> dict:
    """The row of the niches over ``n`` cohorts."""
    return rows(design, [chunk(design, 0, n, seed)])[0]


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the library tells of each cohort."""
    logger = logging.getLogger("semanticst")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def one(design: HardDesign, rng: np.random.Generator, seed: int) -> Judged:
    """One cohort of a design."""
    return judge_question(design.draw(rng), Settings(permutations=PERMUTATIONS, seed=seed), design.joint)


def judge_question(question: Question, settings: Settings, joint: bool = False) -> Judged:
    """One cohort."""
    asked, _ = account_for_batch(build_design(question.contrast, question.sections))
    if asked.untestable:
        return Judged(np.full(1, np.nan), [], np.nan)
    unit = asked.sections["unit"]
    counts = question.counts.loc[unit.index].groupby(unit.to_numpy()).sum().reindex(asked.units.index)
    cells = Cells(counts)
    adjusted = account_for_cells(asked, cells)
    found = [row for row in _rows(question, asked, adjusted, cells, settings) if row["family"] == PRIMARY]
    p = np.array([row.get("p", np.nan) for row in found], dtype=float)
    intervals = [row for row in found if "ci_low" in row and row["comparison"] != OMNIBUS]
    covered = [bool(row["ci_low"] <= 0 <= row["ci_high"]) for row in intervals]
    whole = (
        compare_composition(adjusted, centred_log_ratio(shares(counts)), settings).get("p", np.nan) if joint else np.nan
    )
    return Judged(p, covered, float(whole))


def _rows(question: Question, asked: Design, adjusted: Design, cells: Cells, settings: Settings) -> list[dict]:
    """Rows of the association, of which those are made that are judged."""
    contrast, unit = question.contrast, asked.sections["unit"]
    kinds = (*question.within, *(["contacts"] if question.contacts is not None else [])) or ("proportion",)
    edges = None if question.contacts is None else unit_contacts(question.contacts, unit)
    features = build_features(cells.counts, kinds, edges, question.within, unit)
    if question.judged:
        keys = list(question.judged)
        features = Features(features.modelled[keys], features.shown[keys], features.expected)
    if contrast.type == "survival":
        return compare_survival_only(adjusted, features, settings)
    if contrast.type == "groups" and len(adjusted.levels) > 2:
        return compare_omnibus(adjusted, features, settings)

    def model(design: Design, features: Features) -> list[dict]:
        return compare_clusters(design, features, lambda d, f: MODELS[contrast.type](d, f, settings))

    if kinds == ("proportion",):
        return model(adjusted, features)
    return compare_beside_cells(asked, adjusted, features, cells, model)
