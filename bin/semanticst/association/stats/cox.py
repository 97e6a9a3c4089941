"""Cox regression of one feature: estimate, likelihood ratio, permutation, influence of single patients."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
INFLUENTIAL = 2
"""Patients refitted without, in each direction, to find the range of the effect."""


@dataclass(frozen=True)
class CoxFit:
    """Log hazard ratio of the feature per SD, its standard error, p of the likelihood ratio, the model and its data."""

    effect: float
    se: float
    p_likelihood_ratio: float
    model: "CoxPHFitter"
    frame: pd.DataFrame

    @property
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
        ratio = full.log_likelihood_ratio_test().test_statistic
        if len(full.params_) > 1:
            ratio = 2 * (full.log_likelihood_ - _fit(base, penalised).log_likelihood_)
    except _not_converged():
        return None
    effect, se = float(full.params_["feature"]), float(full.standard_errors_["feature"])
    if not np.isfinite(se) or (not penalised and abs(effect) > SEPARATED):
        return None
    return CoxFit(effect, se, float(scipy.stats.chi2.sf(max(0.0, ratio), 1)), full, frame)


def _fit(frame: pd.DataFrame, penalised: bool) -> "CoxPHFitter":
    """Fit time and event on all other columns, inside ``stratum`` where there is one."""
    from lifelines import CoxPHFitter

    strata = ["stratum"] if "stratum" in frame else None
    with _quiet():
        return CoxPHFitter(penalizer=1 / len(frame) if penalised else 0.0).fit(frame, "time", "event", strata=strata)


def _not_converged() -> tuple[type[Exception], ...]:
    """Errors of a model that has no maximum, or whose covariates explain each other."""
    from lifelines.exceptions import ConvergenceError

    return ConvergenceError, np.linalg.LinAlgError


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


def leave_one_out_range(fit: CoxFit, penalised: bool) -> tuple[float, float]:
    """Lowest and highest effect without one patient.

    The one-step influence says which patients matter most; the model is refitted without each of those.
    """
    with _quiet():
        influence = fit.model.compute_residuals(fit.frame, "delta_beta")["feature"].loc[fit.frame.index].to_numpy()
    order = np.argsort(influence)
    effects = []
    for i in {*order[:INFLUENTIAL].tolist(), *order[-INFLUENTIAL:].tolist()}:
        try:
            effects.append(_fit(fit.frame.drop(index=fit.frame.index[i]), penalised).params_["feature"])
        except _not_converged():
            continue  # not a number without this patient: the range is over those that can be fitted
    return (float(min(effects)), float(max(effects))) if effects else (np.nan, np.nan)


def martingale_residuals(base: pd.DataFrame) -> np.ndarray:
    """Events minus expected events (float64, n) under the model without the feature.

    Without covariates the expectation is Nelson and Aalen's inside strata, with covariates that of their Cox model.
    """
    if base.shape[1] > len(NOT_COVARIATES):
        frame = _without_idle_stratum(base)
        model = _fit(frame, penalised=True)
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
