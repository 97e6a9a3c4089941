"""The tests that are compared: those of the pipeline, and those that count cells or sections as patients."""

import numpy as np
import pandas as pd
from scipy import stats

from semanticst.association.features.composition import centred_log_ratio, shares
from semanticst.association.stats.cox import CoxFit, fit_cox, martingale_residuals
from semanticst.association.stats.group_contrasts import standardised
from semanticst.association.stats.linear_contrast import Estimates, Question, estimate
from semanticst.association.stats.linear_model import nuisance_basis, slope_model
from semanticst.association.stats.mixed_model import fit_mixed
from semanticst.association.stats.omnibus import indicators, omnibus_test
from semanticst.association.stats.survival import EVENTS_PER_VARIABLE, survival_p
from semanticst.bench.material.simulated_counts import Cohort

PERMUTATIONS = 999


def units(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts per unit (patient, or patient and side), and patient and x of each unit."""
    layout = cohort.layout
    code = layout.patient * 2 + (layout.side if layout.kind == "paired" else 0)
    found, unit = np.unique(code, return_inverse=True)
    counts = np.zeros((len(found), cohort.counts.shape[1]), dtype=int)
    np.add.at(counts, unit, cohort.counts)
    patient = found // 2
    x = (found % 2).astype(float) if layout.kind == "paired" else cohort.x
    return counts, patient, x


def log_ratios(counts: np.ndarray) -> np.ndarray:
    """The modelled feature of each unit and niche, as in the pipeline."""
    return centred_log_ratio(shares(pd.DataFrame(counts))).to_numpy()


def question_of(cohort: Cohort, patient: np.ndarray, x: np.ndarray, seed: int) -> Question:
    layout = cohort.layout
    within = layout.kind == "paired"
    blocks = patient if within else patient % layout.batches if layout.batches else np.zeros(len(x), int)
    covariates = np.zeros((len(x), 0)) if within else cohort.covariates
    names = ("patient",) if within else ("batch",) if layout.batches else ()
    continuous = layout.kind == "continuous"
    x = standardised(x) if continuous else x
    return Question(x, patient, blocks, covariates, names, permutations=PERMUTATIONS, seed=seed, continuous=continuous)


def linear(cohort: Cohort, seed: int) -> Estimates | None:
    """Effects, intervals and p of all niches by the pipeline's linear model; None where it is not testable."""
    counts, patient, x = units(cohort)
    Y = log_ratios(counts)
    question = question_of(cohort, patient, x, seed)
    if question.within_patient:
        use = question.contrasted
        question, Y = question.where(use), Y[use]
    model = slope_model(question.x, question.blocks, question.covariates)
    return None if model is None else estimate(question, model, Y)


def omnibus(cohort: Cohort, seed: int, joint: bool = False) -> np.ndarray:
    """p of the test of several groups for all niches; ``joint``: of the whole composition (one p)."""
    counts, patient, x = units(cohort)
    question = question_of(cohort, patient, x, seed)
    levels = np.unique(x)
    X = indicators(x.astype(object), tuple(levels))
    result = omnibus_test(log_ratios(counts), X, question.blocks, question.covariates, PERMUTATIONS, seed, joint)
    return np.full(1 if joint else counts.shape[1], np.nan) if result is None else result.p


def survival(cohort: Cohort, seed: int, niches: range) -> np.ndarray:
    """p of the Cox regression of some niches."""
    base = survival_frame(cohort)
    p = []
    for niche in niches:
        y, fit = log_ratios(units(cohort)[0])[:, niche], cox(cohort, niche)
        p.append(survival_p(base, y, fit, PERMUTATIONS, seed)[1] if fit else np.nan)
    return np.array(p)


def cox(cohort: Cohort, niche: int) -> CoxFit | None:
    """The Cox regression of a niche, penalised as in the pipeline."""
    base, y = survival_frame(cohort), log_ratios(units(cohort)[0])[:, niche]
    penalised = base["event"].sum() < EVENTS_PER_VARIABLE * (1 + cohort.layout.covariates)
    return fit_cox(base, y, penalised) or fit_cox(base, y, True)


def survival_frame(cohort: Cohort) -> pd.DataFrame:
    """What ``survival.base_frame`` makes of a design."""
    base = pd.DataFrame({"time": cohort.time, "event": cohort.event, "stratum": 0})
    for i in range(cohort.layout.covariates):
        base[f"covariate {i}"] = standardised(cohort.covariates[:, i])
    return base


def mixed(cohort: Cohort, niche: int) -> tuple[float, float]:
    """p of the mixed model: by the t distribution of patients, as in the pipeline, and by the normal distribution."""
    layout = cohort.layout
    within = layout.kind == "paired"
    counts, patient, x = units(cohort) if within else (cohort.counts, layout.patient, cohort.x[layout.patient])
    nuisance = nuisance_basis(np.zeros(len(x), int), np.zeros((len(x), 0)))
    fit = fit_mixed(log_ratios(counts)[:, niche], x, patient, nuisance, within)
    return (np.nan, np.nan) if fit is None else (fit.p, 2 * stats.norm.sf(abs(fit.z)))


def of_cells(cohort: Cohort) -> np.ndarray:
    """p per niche with every cell as an observation: correlation of membership and x (chi-square for two groups)."""
    counts, _, x = units(cohort)
    return _membership(counts, martingale_residuals(survival_frame(cohort)) if cohort.layout.kind == "survival" else x)


def of_sections(cohort: Cohort) -> np.ndarray:
    """p per niche with every section as an observation: Pearson's correlation of the log-ratio and x."""
    layout = cohort.layout
    x = martingale_residuals(survival_frame(cohort)) if layout.kind == "survival" else cohort.x
    x = x if layout.kind == "paired" else x[layout.patient]
    return stats.pearsonr(log_ratios(cohort.counts), x[:, None], axis=0).pvalue


def _membership(counts: np.ndarray, x: np.ndarray) -> np.ndarray:
    cells = counts.sum(axis=1)
    n = cells.sum()
    x = x - cells @ x / n
    share = counts.sum(axis=0) / n
    r2 = (x @ counts) ** 2 / ((cells @ x**2) * n * share * (1 - share))
    return stats.chi2.sf(n * r2, 1)
