"""One linear comparison for all features: effect, interval, p by permutation, checks and robustness."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.association.features.composition import Features
from semanticst.association.stats.linear_model import SlopeModel, slope_model, slope_through_origin, t_test
from semanticst.association.stats.patient_slopes import has_courses, patient_slopes
from semanticst.association.stats.permutation import (
    FLOOR,
    Rearrangements,
    careful_p,
    critical_t,
    permutation_p,
    permutations_of,
    permuted_t,
    sign_flips_of,
)
from semanticst.association.stats.results import FEW_PERMUTATIONS
from semanticst.association.stats.sensitivity import leave_one_out
from semanticst.association.stats.unequal_groups import (
    CochranT,
    differ_in_spread,
    is_lopsided,
    rests_on_permutation,
)
from semanticst.constants import PERMUTATIONS
from semanticst.wording import plural

DETERMINED = "not testable: covariates or blocks determine the contrast, or leave too few patients"
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
    slopes: bool = False
    """Is a unit the course of a patient (see ``patient_slopes``)? Then x is its length, and signs are flipped."""

    def where(self, keep: np.ndarray) -> "Question":
        """The same question over some of the units."""
        return Question(
            self.x[keep], self.patients[keep], self.blocks[keep], self.covariates[keep],
            self.block_names, self.covariate_names, self.permutations, self.seed, self.continuous, self.slopes,
        )  # fmt: skip

    @property
    def model(self) -> SlopeModel | None:
        """None where blocks and covariates determine x, or leave no degree of freedom."""
        if self.slopes:
            return slope_through_origin(self.x)
        return slope_model(self.x, self.blocks, self.covariates)

    def rearranged(self) -> Rearrangements:
        """What makes the distribution without an effect."""
        if self.slopes:
            return sign_flips_of(len(self.x), self.permutations, self.seed)
        exact = self.covariates.size == 0
        return permutations_of(self.x, self.blocks, self.permutations, self.seed, exact_allowed=exact)

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
        text = "linear model, HC2 errors" if not self.slopes else "one slope per patient, HC2 errors"
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
    p_source: np.ndarray
    df: np.ndarray
    permutations: Rearrangements


def estimate(question: Question, model: SlopeModel, Y: np.ndarray, no_spread: np.ndarray | None = None) -> Estimates:
    """Effect, interval and p of each column of Y (float64, n x k) under the question's ``slope_model``.

    ``no_spread`` (bool, k): features that do not vary in a group; ``spreadless`` of Y when None.
    """
    x = question.x
    effect, se, df, p_model = t_test(model, x, Y)
    observed, of_model = np.abs(effect / se), scipy.stats.t.ppf(0.975, df)
    permutations, residuals = question.rearranged(), model.effect_and_residuals(Y)[1]
    uneven = not question.within_patient and differ_in_spread(residuals, x, permutations)
    if uneven and is_lopsided(x):
        cochran = CochranT(model, x, Y)
        p_model, of_model = cochran.p(observed), cochran.critical()
    null = permuted_t(model, Y, permutations)
    p_permutation = permutation_p(null, observed, permutations.exact)
    no_spread = spreadless(question, Y) if no_spread is None else no_spread
    enough = rests_on_permutation(x) and not uneven
    p, source = careful_p(p_permutation, null, observed, p_model, no_spread, enough)
    half = critical_t(permuted_t(model, residuals, permutations), of_model, permutations.exact) * se
    return Estimates(effect, se, effect - half, effect + half, p, p_permutation, p_model, source, df, permutations)


def spreadless(question: Question, Y: np.ndarray) -> np.ndarray:
    """Bool per column of Y (n x k): is there a value of x, of those that repeat, whose units are all the same?

    Never within patients, where differences of patients are the error and not the spread of a side.
    """
    levels, sizes = np.unique(question.x, return_counts=True)
    found = np.zeros(Y.shape[1], dtype=bool)
    if question.within_patient or len(levels) > len(Y) / 2:
        return found
    for level in levels[sizes > 1]:
        found |= np.ptp(Y[question.x == level], axis=0) < 1e-9
    return found


def compare(features: Features, question: Question) -> list[dict]:
    """One dict per feature, in the order of the columns of ``features``; an untestable one has only its reason."""
    values, shown = features.modelled, features.shown
    if question.within_patient:
        # a patient with one value only tells nothing of a difference within patients
        informative = question.contrasted
        values, shown, question = values[informative], shown[informative], question.where(informative)
    rows: list[dict] = [{} for _ in values.columns]
    defined = values.notna().to_numpy()
    # features that are defined for the same units share their permutations
    patterns, member = np.unique(defined, axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        columns = np.flatnonzero(member.reshape(-1) == k)
        keep = patterns[:, k]
        here = _compare_complete(values.iloc[keep, columns], shown.iloc[keep, columns], question.where(keep))
        for column, row in zip(columns, here):
            rows[column] = row
    for row, (feature, niche) in zip(rows, values.columns):
        row.update(feature=feature, niche=niche)
    return rows


def _compare_complete(values: pd.DataFrame, shown: pd.DataFrame, question: Question) -> list[dict]:
    n_patients = len(np.unique(question.patients))
    reasons = [untestable_feature(values.iloc[:, j].to_numpy()) for j in range(values.shape[1])]
    rows = [{"n_patients": n_patients, "warnings": [r]} for r in reasons]
    usable = np.array([not r for r in reasons])
    if not usable.any():
        return rows
    question, Y, reason = answerable(question, values.to_numpy(float)[:, usable])
    model = None if reason else question.model
    if model is None:
        return [{"n_patients": n_patients, "warnings": [reason]} for _ in rows]

    # a niche that a whole group lacks has no spread there, though its log-ratio moves with the other niches
    absent = spreadless(question, Y)
    if not question.within_patient:
        absent |= spreadless(question, shown.to_numpy(float)[:, usable])
    found = estimate(question, model, Y, absent)
    permutations, effect = found.permutations, found.effect
    low, high = leave_one_out(question.patients, lambda keep: _effects(Y[keep], question.where(keep)))
    low, high = np.broadcast_to(low, effect.shape), np.broadcast_to(high, effect.shape)
    for j, column in enumerate(np.flatnonzero(usable)):
        rows[column] = {
            "effect": effect[j],
            "ci_low": found.ci_low[j],
            "ci_high": found.ci_high[j],
            "p": found.p[j],
            "p_permutation": found.p_permutation[j],
            "p_model": found.p_model[j],
            "p_source": found.p_source[j],
            "n_patients": n_patients,
            "effect_loo_low": low[j],
            "effect_loo_high": high[j],
            "se": found.se[j],
            "df": found.df[j],
            "model": question.describe(permutations.describe()),
            "warnings": [
                *floor_warning(permutations, found.p_source[j], found.p[j] < found.p_permutation[j]),
                *sign_warning(found.p[j], low[j], high[j]),
                *border_warning(found.p[j], found.ci_low[j], found.ci_high[j]),
            ],  # fmt: skip
        }
    return rows


def answerable(question: Question, Y: np.ndarray) -> tuple[Question, np.ndarray, str]:
    """The question and Y (n x k) as they are tested, and why they cannot be (empty when they can), whatever Y holds."""
    reason = too_few(question)
    if not reason and question.within_patient and has_courses(question.x, question.patients):
        question, Y = courses(question, Y)
    if not reason and question.model is None:
        reason = DETERMINED
    return question, Y, reason


def courses(question: Question, Y: np.ndarray) -> tuple[Question, np.ndarray]:
    """The question of patients' slopes, and Y (n x k) as its outcomes (patients x k)."""
    patients, length, slopes = patient_slopes(question.x, question.patients, question.blocks, question.covariates, Y)
    none = np.zeros((len(patients), 0))
    new = replace(question, x=length, patients=patients, blocks=np.arange(len(patients)), covariates=none, slopes=True)
    return new, slopes


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
    if question.within_patient:
        n_pairs = len(np.unique(patients[inside]))
        if n_pairs < MIN_PER_GROUP:
            return f"not testable: patients with several values: {n_pairs}; {MIN_PER_GROUP} are needed"
        return ""
    if len(np.unique(x)) < 2:
        return "not testable: all patients have the same value" if len(x) else "not testable: no patient is left"
    n_patients, values = len(np.unique(patients[inside])), np.unique(x[inside])
    if question.continuous:
        if n_patients < 2 * MIN_PER_GROUP or len(values) < MIN_PER_GROUP:
            found = f"{plural(n_patients, 'patient')} with {plural(len(values), 'different value')}"
            return f"not testable: {found}, 6 with 3 are needed"
        return ""
    large = [v for v in values if len(np.unique(patients[inside & (x == v)])) >= MIN_PER_GROUP]
    if len(large) < 2:
        return f"not testable: fewer than {MIN_PER_GROUP} patients in a group"
    return ""


def floor_warning(permutations: Rearrangements, source: str, below: bool) -> list[str]:
    """What p rests on where no permutation is more extreme, and all are few enough to be listed."""
    if not permutations.exact:
        return []
    if source == FLOOR:
        return [f"no smaller p is possible ({len(permutations)} permutations, and a group that does not vary)"]
    if below or 2 / len(permutations) > COARSE:
        return [f"so few patients ({len(permutations)} permutations) that {FEW_PERMUTATIONS}"]
    return []


def _effects(Y: np.ndarray, question: Question) -> np.ndarray | None:
    model = question.model
    return None if model is None else model.fit(Y)[0]


def sign_warning(p: float, low: float, high: float) -> list[str]:
    """Warning when an effect with p < 0.05 owes its direction to one patient (one near 0 may point anywhere)."""
    return ["the sign changes when one patient is left out"] if p < 0.05 and low < 0 < high else []


def border_warning(p: float, ci_low: float, ci_high: float) -> list[str]:
    """p and interval come from different permutations (data, residuals), and few patients can part them at 0.05."""
    if (p <= 0.05) == (ci_low > 0 or ci_high < 0):
        return []
    return ["p and the 95 % interval disagree at 0.05: a borderline result"]
