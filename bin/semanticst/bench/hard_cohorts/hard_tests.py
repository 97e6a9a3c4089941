"""Tests of the association on hard cohorts: false positives, findings, coverage, refusals."""

import logging
from time import perf_counter

import numpy as np

from semanticst.association.associate import examine
from semanticst.association.design.batch import account_for_batch
from semanticst.association.design.design import build_design
from semanticst.association.features.composition import centred_log_ratio, shares
from semanticst.association.stats.cox import fit_cox
from semanticst.association.stats.results import COMPOSITION, OMNIBUS
from semanticst.association.stats.survival import EVENTS_PER_VARIABLE, base_frame, survival_p
from semanticst.bench.hard_cohorts.hard_designs import HardDesign, Question

PERMUTATIONS = 999
LEVEL = 0.05
SURVIVAL_NICHES = (1, 2)
"""Niches (positions) that survival designs are judged by: the one that something goes with, and another."""


def judge(design: HardDesign, n: int, seed: int) -> dict:
    """Shares over ``n`` cohorts without an effect, and seconds.

    ``pipeline``: p <= 0.05; ``any_q``: any q < 0.05; ``coverage``: intervals that hold 0; ``refused``: cohorts in
    which nothing can be tested. NaN where there is none of it.
    """
    logging.getLogger("semanticst").setLevel(logging.WARNING)
    begun = perf_counter()
    found = [one(design, np.random.default_rng([seed, i]), i) for i in range(n)]
    tested = [f for f in found if np.isfinite(f["p"]).any()]
    rates = np.array([(f["p"][np.isfinite(f["p"])] <= LEVEL).mean() for f in tested])
    return {
        "design": design.name,
        "pipeline": rates.mean() if len(rates) else np.nan,
        "error": rates.std(ddof=1) / np.sqrt(len(rates)) if len(rates) > 1 else np.nan,
        "any_q": _mean([f["any_q"] for f in tested]),
        "coverage": _mean([v for f in tested for v in f["covered"]]),
        "refused": 1 - len(tested) / n,
        "seconds": perf_counter() - begun,
    }


def _mean(values: list) -> float:
    """Mean of what is no NaN."""
    there = [v for v in values if not np.isnan(v)]
    return float(np.mean(there)) if there else np.nan


def one(design: HardDesign, rng: np.random.Generator, seed: int) -> dict:
    """``p`` of what is judged, ``any_q`` and ``covered`` (NaN or empty where the test has none) of one cohort."""
    question = design.draw(rng)
    if question.contrast.type == "survival":
        return {"p": _survival(question, seed), "any_q": np.nan, "covered": []}
    result = examine(
        question.contrast, question.sections, question.counts, permutations=PERMUTATIONS, seed=seed, with_checks=False
    )
    if design.joint:
        p = result.table.loc[result.table["family"] == COMPOSITION, "p"].to_numpy(float)
        return {"p": p, "any_q": np.nan, "covered": []}
    rows = result.primary
    intervals = rows[rows["p"].notna() & (rows["comparison"] != OMNIBUS)]
    covered = ((intervals["ci_low"] <= 0) & (intervals["ci_high"] >= 0)).tolist()
    return {"p": rows["p"].to_numpy(float), "any_q": float((rows["q"] < LEVEL).any()), "covered": covered}


def _survival(question: Question, seed: int) -> np.ndarray:
    """p of two niches: the tests of ``compare_survival``, without the descriptions that make a row slow."""
    design, _ = account_for_batch(build_design(question.contrast, question.sections))
    base = base_frame(design)
    log_ratio = (
        centred_log_ratio(shares(question.counts)).set_axis(question.sections["patient"]).loc[design.units.index]
    )
    penalised = base["event"].sum() < EVENTS_PER_VARIABLE * (1 + design.covariates.shape[1])
    p = []
    for niche in SURVIVAL_NICHES:
        y = log_ratio.iloc[:, niche].to_numpy()
        fit = fit_cox(base, y, penalised) or fit_cox(base, y, True) if np.ptp(y) > 0 else None
        p.append(survival_p(base, y, fit, PERMUTATIONS, seed)[1] if fit else np.nan)
    return np.array(p)
