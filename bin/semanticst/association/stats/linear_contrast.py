"""One linear comparison for all features: effect, interval, p by permutation, checks and robustness."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.association.design.design import SINGLES
from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.association.features.composition import Features
from semanticst.association.stats.linear_model import SlopeModel, slope_model, t_test
from semanticst.association.stats.permutation import (
    Permutations,
    critical_t,
    permutation_p,
    permutations_of,
    permuted_t,
    refine_tail,
)
from semanticst.association.stats.sensitivity import detectable_effect, leave_one_out
from semanticst.constants import PERMUTATIONS

COARSE = 0.01
"""A warning is due when no permutation can give a p below this."""


@dataclass(frozen=True)
class Settings:
    """How permutations are drawn."""

    permutations: int = PERMUTATIONS
    seed: int = 0


@dataclass(frozen=True)
class Question:
    """What is compared: x (float64, n) over units of patients, inside blocks, given covariates (n x c)."""

    x: np.ndarray
    patients: np.ndarray
    blocks: np.ndarray
    covariates: np.ndarray
    block_names: tuple[str, ...] = ()
    covariate_names: tuple[str, ...] = ()
    permutations: int = PERMUTATIONS
    seed: int = 0
    continuous: bool = False

    def where(self, keep: np.ndarray) -> "Question":
        """The same question over some of the units."""
        return Question(
            self.x[keep], self.patients[keep], self.blocks[keep], self.covariates[keep],
            self.block_names, self.covariate_names, self.permutations, self.seed, self.continuous,
        )  # fmt: skip

    @property
    def within_patient(self) -> bool:
        """Are units of one patient compared with each other?"""
        return "patient" in self.block_names

    @property
    def contrasted(self) -> np.ndarray:
        """Bool per unit: is there more than one value of x in its block?"""
        several = [b for b in np.unique(self.blocks) if len(np.unique(self.x[self.blocks == b])) > 1]
        return np.isin(self.blocks, several)

    def describe(self, permutations: str) -> str:
        """The model in words, for the ``model`` column."""
        text = "linear model, HC2 errors"
        if self.block_names:
            text += f", blocks {'+'.join(self.block_names)}"
        if self.covariate_names:
            text += f", covariates {'+'.join(self.covariate_names)}"
        return f"{text}; p by permutation of t ({permutations})"


@dataclass(frozen=True)
class Estimates:
    """Per column of Y: effect, its HC2 error and 95 % interval, and p; ``p`` is the one to read."""

    effect: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p: np.ndarray
    p_permutation: np.ndarray
    p_model: np.ndarray
    permutations: Permutations


def estimate(question: Question, model: SlopeModel, Y: np.ndarray) -> Estimates:
    """Effect, interval and p of each column of Y (float64, n x k) under the question's ``slope_model``."""
    effect, se, p_model = t_test(model, Y)
    permutations, p_permutation, p = permutation_tests(question, model, Y)
    noise = permuted_t(model, model.effect_and_residuals(Y)[1], permutations)
    half = critical_t(noise, model.df, permutations.exact) * se
    return Estimates(effect, se, effect - half, effect + half, p, p_permutation, p_model, permutations)


def permutation_tests(
    question: Question, model: SlopeModel, Y: np.ndarray
) -> tuple[Permutations, np.ndarray, np.ndarray]:
    """The permutations, p by permutation alone, and the p to read, of each column of Y."""
    effect, se, p_model = t_test(model, Y)
    permutations = permutations_of(
        question.x, question.blocks, question.permutations, question.seed, exact_allowed=question.covariates.size == 0
    )
    null, observed = permuted_t(model, Y, permutations), np.abs(effect / se)
    p_permutation = permutation_p(null, observed, permutations.exact)
    return permutations, p_permutation, refine_tail(p_permutation, null, observed, p_model)


def compare(features: Features, question: Question) -> list[dict]:
    """One dict per feature, in the order of the columns of ``features``; an untestable one has only its reason."""
    values = features.modelled
    if question.within_patient:
        # a patient with one value only tells nothing of a difference within patients
        informative = question.contrasted
        values, question = values[informative], question.where(informative)
    rows: list[dict] = [{} for _ in values.columns]
    defined = values.notna().to_numpy()
    # features that are defined for the same units share their permutations
    patterns, member = np.unique(defined, axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        columns = np.flatnonzero(member.reshape(-1) == k)
        keep = patterns[:, k]
        for column, row in zip(columns, _compare_complete(values.iloc[keep, columns], question.where(keep))):
            rows[column] = row
    for row, (feature, niche) in zip(rows, values.columns):
        row.update(feature=feature, niche=niche)
    return rows


def _compare_complete(values: pd.DataFrame, question: Question) -> list[dict]:
    n_patients = len(np.unique(question.patients))
    reasons = [untestable_feature(values.iloc[:, j].to_numpy()) for j in range(values.shape[1])]
    rows = [{"n_patients": n_patients, "warnings": [r]} for r in reasons]
    usable = np.array([not r for r in reasons])
    if not usable.any():
        return rows
    model = slope_model(question.x, question.blocks, question.covariates)
    reason = too_few(question)
    if model is None and not reason:
        reason = "not testable: covariates or blocks determine the contrast, or leave no degree of freedom"
    if model is None or reason:
        return [{"n_patients": n_patients, "warnings": [reason]} for _ in rows]

    Y = values.to_numpy(float)[:, usable]
    found = estimate(question, model, Y)
    permutations, effect = found.permutations, found.effect
    low, high = leave_one_out(question.patients, lambda keep: _effects(Y[keep], question.where(keep)))
    low, high = np.broadcast_to(low, effect.shape), np.broadcast_to(high, effect.shape)
    warnings = []
    if permutations.exact and 2 / len(permutations) > COARSE:
        warnings = [f"only {len(permutations)} permutations of patients: a small p rests on the t distribution"]
    for j, column in enumerate(np.flatnonzero(usable)):
        rows[column] = {
            "effect": effect[j],
            "ci_low": found.ci_low[j],
            "ci_high": found.ci_high[j],
            "p": found.p[j],
            "p_permutation": found.p_permutation[j],
            "p_model": found.p_model[j],
            "n_patients": n_patients,
            "effect_loo_low": low[j],
            "effect_loo_high": high[j],
            "detectable_effect": detectable_effect(found.se[j], model.df),
            "model": question.describe(permutations.describe()),
            "warnings": [*warnings, *sign_warning(found.p[j], low[j], high[j])],
        }
    return rows


def untestable_feature(values: np.ndarray) -> str:
    """Why a feature cannot be tested, empty when it can."""
    if not len(values):
        return "not testable: undefined or without a single cell in these patients"
    if np.ptp(values) < 1e-9:
        return "not testable: the same value in all patients"
    return ""


def too_few(question: Question) -> str:
    """Why there are not enough patients for this question, empty when there are."""
    x, patients, inside = question.x, question.patients, question.contrasted
    if question.within_patient and not (inside & (question.blocks == SINGLES)).any():
        n_pairs = len(np.unique(patients[inside]))
        if n_pairs < MIN_PER_GROUP:
            return f"not testable: {n_pairs} patients have several values, {MIN_PER_GROUP} are needed"
        return ""
    if len(np.unique(x)) < 2:
        return "not testable: all patients have the same value" if len(x) else "not testable: no patient is left"
    n_patients, values = len(np.unique(patients[inside])), np.unique(x[inside])
    if question.continuous:
        if n_patients < 2 * MIN_PER_GROUP or len(values) < MIN_PER_GROUP:
            return f"not testable: {n_patients} patients with {len(values)} different values, 6 with 3 are needed"
        return ""
    large = [v for v in values if len(np.unique(patients[inside & (x == v)])) >= MIN_PER_GROUP]
    if len(large) < 2:
        return f"not testable: fewer than {MIN_PER_GROUP} patients in a group"
    return ""


def _effects(Y: np.ndarray, question: Question) -> np.ndarray | None:
    model = slope_model(question.x, question.blocks, question.covariates)
    return None if model is None else model.fit(Y)[0]


def sign_warning(p: float, low: float, high: float) -> list[str]:
    """Warning when an effect with p < 0.05 owes its direction to one patient (one near 0 may point anywhere)."""
    return ["the sign changes when one patient is left out"] if p < 0.05 and low < 0 < high else []
