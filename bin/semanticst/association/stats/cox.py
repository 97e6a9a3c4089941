"""Cox regression of one feature: estimate, likelihood ratio, permutation, influence of single patients.

The fit is that of lifelines (Davidson-Pilon 2019, J Open Source Softw 4:1317): ties as Efron (1977, J Am Stat Assoc
72:557), its steps and where it stops. A contrast fits hundreds of models, and what lifelines prepares around each
(baseline hazard, predictions, a summary of the data, a penalty by automatic differentiation) took 17 times as long.
What is asked of few models, residuals and the test of proportional hazards, comes from lifelines itself.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.variables import null_residuals
from semanticst.association.stats.linear_model import TINY
from semanticst.association.stats.permutation import permutation_p, permutations_of, refine_tail

if TYPE_CHECKING:  # steps that fit no Cox model read names of this module
    from lifelines import CoxPHFitter

NOT_COVARIATES = ("time", "event", "stratum")
SEPARATED = 10.0
"""An absolute log hazard ratio per SD above this (or no convergence) means that the likelihood has no maximum."""
FLAT = 5.0
"""So is a standard error per SD above this: the steps end where the likelihood hardly rises, which is long before the
effect is large where few patients differ. With 10 events and more it is below 1 where there is a maximum."""
INFLUENTIAL = 2
"""Patients refitted without, in each direction, to find the range of the effect."""
FIRST_STEP, MOST_STEPS = 0.95, 500
"""Part of a Newton step that the first goes, and how many there may be: as in lifelines."""


@dataclass(frozen=True)
class CoxFit:
    """Log hazard ratio of the feature per SD, its standard error, p of the likelihood ratio, and the data.

    ``frame``: time, event, ``stratum`` where there are several, covariates and ``feature``, a row per patient.
    """

    effect: float
    se: float
    p_likelihood_ratio: float
    frame: pd.DataFrame
    penalised: bool

    @cached_property
    def model(self) -> "CoxPHFitter":
        """The same fit by lifelines, for its residuals."""
        return _model(self.frame, self.penalised)

    @cached_property
    def p_proportional_hazards(self) -> float:
        """Schoenfeld residuals against rank time (Grambsch & Therneau 1994, Biometrika 81:515)."""
        from lifelines.statistics import proportional_hazard_test

        with _quiet():
            result = proportional_hazard_test(self.model, self.frame, time_transform="rank")
        return float(result.summary.loc["feature", "p"])


def fit_cox(base: pd.DataFrame, y: np.ndarray, penalised: bool) -> CoxFit | None:
    """Cox model of the feature y (float64, n) beside the covariates and strata of ``base``.

    None where it does not converge. The penalty is that of a normal prior with mean 0 and SD 1 on every log hazard
    ratio per SD: lifelines adds n * penalizer / 2 * beta^2, so that penalizer = 1 / n.
    """
    base = _without_idle_stratum(base)
    frame = base.assign(feature=(y - y.mean()) / y.std(ddof=1))
    try:
        full = _fit(frame, penalised)
        without = full.at_no_effect if len(full.effects) == 1 else _fit(base, penalised).log_likelihood
    except np.linalg.LinAlgError:
        return None
    effect, se = float(full.effects[-1]), float(full.errors[-1])
    if not np.isfinite(se) or (not penalised and _separated(effect, se)):
        return None
    ratio = 2 * (full.log_likelihood - without)
    return CoxFit(effect, se, float(scipy.stats.chi2.sf(max(0.0, ratio), 1)), frame, penalised)


def _separated(effect: float, se: float) -> bool:
    return abs(effect) > SEPARATED or se > FLAT


class _Maximum(NamedTuple):
    """Log hazard ratios (d), their standard errors (d), log partial likelihood less the penalty, and that of zeros."""

    effects: np.ndarray
    errors: np.ndarray
    log_likelihood: float
    at_no_effect: float


def _fit(frame: pd.DataFrame, penalised: bool) -> _Maximum:
    """Fit time and event on all other columns, inside ``stratum`` where there is one.

    Raises LinAlgError where it does not converge, or covariates explain each other.
    """
    from lifelines.utils import StepSizer

    x = frame.drop(columns=[name for name in NOT_COVARIATES if name in frame]).to_numpy(float)
    events, weight = _risk_sets(frame)
    step, previous, at_no_effect = StepSizer(FIRST_STEP), 0.0, 0.0
    effects, delta = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    with np.errstate(all="ignore"):  # what overflows has no maximum, and is told by the decomposition
        spread = x.std(axis=0, ddof=1)
        x = (x - x.mean(axis=0)) / spread
        for i in range(MOST_STEPS):
            effects = effects + step.next() * delta
            hazard = np.exp(x @ effects)
            at_risk = weight @ hazard
            mean = weight @ (hazard[:, None] * x) / at_risk[:, None]
            information = (x * (hazard * ((1 / at_risk) @ weight))[:, None]).T @ x - mean.T @ mean
            score = (x[events] - mean).sum(axis=0)
            log_likelihood = float((x[events] @ effects).sum() - np.log(at_risk).sum())
            if i == 0:
                at_no_effect = log_likelihood
            if penalised:
                log_likelihood -= effects @ effects / 2
                score = score - effects
                information = information + np.eye(len(effects))
            np.linalg.cholesky(information)  # raises where it is not positive definite
            delta = np.linalg.solve(information, score)
            length = float(np.linalg.norm(delta))
            if not np.isfinite(length):
                raise np.linalg.LinAlgError("the likelihood is not finite")
            if (
                length < 1e-7
                or (previous != 0 and abs(log_likelihood - previous) < 1e-9 * -previous)
                or score @ delta / 2 < 1e-7
                or step.next() <= 1e-5
                or (abs(log_likelihood) < 1e-4 and length > 1)
            ):
                break
            previous = log_likelihood
            step.update(length)
        errors = np.sqrt(np.linalg.inv(information).diagonal())
        return _Maximum(effects / spread, errors / spread, log_likelihood, at_no_effect)


def _risk_sets(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are events (m), and who is at risk at each of them (float64, m x n).

    Of k events at one time the j-th (from 0) sees each of the k with a weight of 1 - j / k (Efron).
    """
    time, event = frame["time"].to_numpy(), frame["event"].to_numpy().astype(bool)
    events = np.flatnonzero(event)
    at_risk = time >= time[events, None]
    tied = (time == time[events, None]) & event
    if "stratum" in frame:
        same = frame["stratum"].to_numpy() == frame["stratum"].to_numpy()[events, None]
        at_risk, tied = at_risk & same, tied & same
    before = np.tril(tied[:, events], -1).sum(axis=1)
    return events, at_risk - tied * (before / tied.sum(axis=1))[:, None]


def _model(frame: pd.DataFrame, penalised: bool) -> "CoxPHFitter":
    """``_fit`` by lifelines: slower, with a baseline hazard and residuals."""
    from lifelines import CoxPHFitter

    strata = ["stratum"] if "stratum" in frame else None
    with _quiet():
        return CoxPHFitter(penalizer=1 / len(frame) if penalised else 0.0).fit(frame, "time", "event", strata=strata)


def _without_idle_stratum(base: pd.DataFrame) -> pd.DataFrame:
    return base.drop(columns="stratum") if base["stratum"].nunique() < 2 else base


@contextmanager
def _quiet() -> Iterator[None]:
    """Without lifelines' warnings of slow convergence (judged by the estimate) and of repeated strata (harmless)."""
    from lifelines.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "DataFrame Index is not unique")
        yield


def leave_one_out_range(fit: CoxFit) -> tuple[float, float]:
    """Lowest and highest effect without one patient.

    The one-step influence says which patients matter most; the model is refitted without each of those.
    """
    with _quiet():
        influence = fit.model.compute_residuals(fit.frame, "delta_beta")["feature"].loc[fit.frame.index].to_numpy()
    order = np.argsort(influence)
    effects = []
    for i in {*order[:INFLUENTIAL].tolist(), *order[-INFLUENTIAL:].tolist()}:
        try:
            without = _fit(fit.frame.drop(index=fit.frame.index[i]), fit.penalised)
        except np.linalg.LinAlgError:
            continue  # not a number without this patient: the range is over those that can be fitted
        if fit.penalised or not _separated(without.effects[-1], without.errors[-1]):
            effects.append(without.effects[-1])
    return (float(min(effects)), float(max(effects))) if effects else (np.nan, np.nan)


def martingale_residuals(base: pd.DataFrame) -> np.ndarray:
    """Events minus expected events (float64, n) under the model without the feature.

    Without covariates the expectation is Nelson and Aalen's inside strata, with covariates that of their Cox model.
    """
    if base.shape[1] > len(NOT_COVARIATES):
        frame = _without_idle_stratum(base)
        model = _model(frame, penalised=True)
        with _quiet():
            return model.compute_residuals(frame, "martingale").loc[base.index, "martingale"].to_numpy()
    return null_residuals(*(base[c].to_numpy() for c in NOT_COVARIATES))


def permutation_test(
    base: pd.DataFrame, y: np.ndarray, p_model: float, permutations: int, seed: int
) -> tuple[float, float, str]:
    """p of the Cox score by permutation inside strata: alone, with the model's tail below the floor, and its source.

    Only for models without covariates: with them residuals are not exchangeable (in simulation 9 % false positives at
    0.05).
    """
    orders = permutations_of(y, base["stratum"].to_numpy(), permutations, seed, exact_allowed=False)
    null = np.abs(score_z(base, y[orders.order]))[:, None]
    observed = np.abs(score_z(base, y[None]))
    p = permutation_p(null, observed, orders.exact)
    refined, source = refine_tail(p, null, observed, np.array([p_model]), np.zeros(1, dtype=bool))
    return float(p[0]), float(refined[0]), str(source[0])


def score_z(base: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """Score of the Cox model at no effect over its standard error (m), for each row of y (m x n).

    Both come from the risk sets (inside strata, ties as Breslow): an event adds y minus the mean of those at risk to
    the score, and their variance to its information. The score alone would take for granted that follow-up does not
    go with y: patients who are watched longer are in more risk sets.
    """
    time, event, stratum = (base[c].to_numpy() for c in NOT_COVARIATES)
    y = y - y.mean(axis=1, keepdims=True)
    events = np.flatnonzero(event)
    at_risk = (stratum[:, None] == stratum[None, events]) & (time[:, None] >= time[None, events])
    weight = at_risk / at_risk.sum(axis=0)
    mean = y @ weight
    information = (y**2 @ weight - mean**2).sum(axis=1)
    return (y[:, events] - mean).sum(axis=1) / np.sqrt(np.maximum(information, TINY))
