"""Survival: one Cox model per feature, its checks, and a median split for display.

The time runs from the origin the cohort chose; the event value is named by the contrast, everything else is censored.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.design import Design
from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.association.features.composition import Features
from semanticst.association.stats.cox import NOT_COVARIATES, CoxFit, fit_cox, leave_one_out_range, permutation_test
from semanticst.association.stats.linear_contrast import Settings, border_warning, sign_warning, untestable_feature
from semanticst.association.stats.linear_model import nuisance_basis
from semanticst.association.stats.permutation import MODELLED
from semanticst.association.stats.results import FEW_EVENTS, PRIMARY
from semanticst.wording import plural

if TYPE_CHECKING:
    from lifelines import KaplanMeierFitter

EFFECT = "log_hazard_ratio_per_sd"
EVENTS_PER_VARIABLE = 10
"""Below it the fit is penalised (Peduzzi et al. 1995, J Clin Epidemiol 48:1503)."""


def compare_survival(design: Design, features: Features, settings: Settings) -> list[dict]:
    """One row per feature; effect = log hazard ratio per SD (positive: the event comes earlier)."""
    base = base_frame(design)
    rows = []
    for row, y, use, reason in _questions(design, features, base):
        shown = features.shown[row["feature"], row["niche"]].to_numpy()[use]
        row.update(n_patients=int(use.sum()), n_events=int(base["event"][use].sum()))
        row["mean_all"] = shown.mean() if use.any() else np.nan
        row.update({"warnings": [reason]} if reason else _row(design, base[use], y[use], shown, settings))
        rows.append(row)
    return rows


def compare_survival_only(design: Design, features: Features, settings: Settings) -> list[dict]:
    """Rows as those of `compare_survival`, with effect, interval and p alone: for tests that are repeated often."""
    base = base_frame(design)
    rows = []
    for row, y, use, reason in _questions(design, features, base):
        fit = None if reason else _fit(base[use], y[use])[0]
        if fit is not None:
            half = scipy.stats.norm.ppf(0.975) * fit.se
            row.update(effect=fit.effect, effect_type=EFFECT, ci_low=fit.effect - half, ci_high=fit.effect + half)
            row["p"] = survival_p(base[use], y[use], fit, settings.permutations, settings.seed)[1]
        row["warnings"] = (
            [reason or "not testable: no hazard ratio fits these data (the Cox model does not converge)"]
            if fit is None
            else []
        )
        rows.append(row)
    return rows


def _questions(
    design: Design, features: Features, base: pd.DataFrame
) -> Iterator[tuple[dict, np.ndarray, np.ndarray, str]]:
    """The beginning of each row, the values of its feature, who has one (bool), and why it is not testable (or "")."""
    comparison = f"{design.contrast.event} == {design.contrast.event_value} over {design.contrast.time}"
    for feature, niche in features.modelled.columns:
        y = features.modelled[feature, niche].to_numpy()
        use = np.isfinite(y)
        row = {"feature": feature, "niche": niche, "comparison": comparison, "family": PRIMARY}
        reason = untestable_feature(y[use]) or too_few_events(int(use.sum()), int(base["event"][use].sum()))
        yield row, y, use, reason


def _fit(base: pd.DataFrame, y: np.ndarray) -> tuple[CoxFit | None, bool, float]:
    """The fit, whether it is penalised, and events per variable: penalised below 10, and where the plain one fails."""
    per_variable = int(base["event"].sum()) / (1 + base.shape[1] - len(NOT_COVARIATES))
    penalised = per_variable < EVENTS_PER_VARIABLE
    fit = fit_cox(base, y, penalised)
    if fit is None and not penalised:
        penalised, fit = True, fit_cox(base, y, True)
    return fit, penalised, per_variable


def too_few_events(n_patients: int, n_events: int) -> str:
    """Why a survival model makes no sense, empty when it may."""
    if n_events == 0:
        return "not testable: no event"
    if n_events < MIN_PER_GROUP or n_patients < 2 * MIN_PER_GROUP:
        return f"not testable: {plural(n_events, 'event')} in {plural(n_patients, 'patient')}, 3 in 6 are needed"
    return ""


def _row(design: Design, base: pd.DataFrame, y: np.ndarray, shown: np.ndarray, settings: Settings) -> dict:
    used = {str(c).removeprefix("covariate ") for c in base.columns[len(NOT_COVARIATES) :]}
    notes = [
        f"covariate {c} is determined by the others: not used" for c in design.covariates.columns if str(c) not in used
    ]
    fit, penalised, per_variable = _fit(base, y)
    if per_variable < EVENTS_PER_VARIABLE:
        notes.append(f"only {per_variable:.1f} {FEW_EVENTS}: the estimate is pulled towards no effect (penalised fit)")
    elif penalised:
        notes.append("perfect separation of the events: penalised fit")
    if fit is None:
        return {
            "warnings": ["not testable: covariates or strata determine the events (the Cox model does not converge)"]
        }
    if fit.p_proportional_hazards < 0.05:
        schoenfeld = f"Schoenfeld p = {fit.p_proportional_hazards:.2g}"
        notes.append(f"the hazard ratio changes over time ({schoenfeld}): an average is given")
    low, high = leave_one_out_range(fit)
    p_permutation, p, source = survival_p(base, y, fit, settings.permutations, settings.seed)
    half = scipy.stats.norm.ppf(0.975) * fit.se
    return {
        "effect": fit.effect,
        "effect_type": EFFECT,
        "ci_low": fit.effect - half,
        "ci_high": fit.effect + half,
        "p": p,
        "p_permutation": p_permutation,
        "p_source": source,
        "p_model": fit.p_likelihood_ratio,
        "p_logrank": median_split(base, shown)[1],
        "p_proportional_hazards": fit.p_proportional_hazards,
        "hazard_ratio": np.exp(fit.effect),
        "hazard_ratio_low": np.exp(fit.effect - half),
        "hazard_ratio_high": np.exp(fit.effect + half),
        "effect_loo_low": low,
        "effect_loo_high": high,
        "se": fit.se,
        "df": np.inf,
        "model": _describe(design, penalised, settings.permutations),
        "warnings": [*notes, *sign_warning(p, low, high), *border_warning(p, fit.effect - half, fit.effect + half)],
    }


def survival_p(
    base: pd.DataFrame, y: np.ndarray, fit: CoxFit, permutations: int, seed: int
) -> tuple[float, float, str]:
    """p by permutation (NaN with covariates, see ``permutation_test``), the p to read, and its source."""
    if base.shape[1] > len(NOT_COVARIATES):
        return np.nan, fit.p_likelihood_ratio, MODELLED
    return permutation_test(base, y, fit.p_likelihood_ratio, permutations, seed)


def base_frame(design: Design) -> pd.DataFrame:
    """time, event, stratum and covariates (each per SD) of every patient: the Cox model without a feature.

    A covariate that the ones before it (or the strata) determine is left out: it would adjust for nothing more.
    """
    covariates = design.covariates
    spread = covariates.std(ddof=1)
    covariates = (covariates - covariates.mean()) / spread.where(spread > 0, 1.0)
    covariates = covariates.loc[:, independent_columns(covariates.to_numpy(float), design.blocks)]
    frame = design.units[["time", "event"]].astype(float).assign(stratum=design.blocks)
    return pd.concat([frame, covariates.add_prefix("covariate ")], axis=1)


def independent_columns(values: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Bool per column of values (n x c): does it say more than the blocks and the columns before it?"""
    told = np.zeros(values.shape[1], dtype=bool)
    for j in range(values.shape[1]):
        Q = nuisance_basis(blocks, values[:, told])
        rest = values[:, j] - Q @ (Q.T @ values[:, j])
        told[j] = rest @ rest > 1e-8 * max(values[:, j] @ values[:, j], 1e-12)
    return told


def median_split(base: pd.DataFrame, shown: np.ndarray) -> tuple[np.ndarray, float]:
    """High (above the median, bool per patient) and the log-rank p between halves, NaN when a half is empty.

    The cut is the median and never the best cut, so that the curve shows the association and does not make it.
    """
    from lifelines.statistics import multivariate_logrank_test

    high = shown > np.median(shown)
    if high.all() or not high.any():
        return high, np.nan
    return high, float(multivariate_logrank_test(base["time"], high, base["event"]).p_value)


def kaplan_meier(base: pd.DataFrame, keep: np.ndarray) -> "KaplanMeierFitter":
    """Kaplan-Meier estimate of the patients in ``keep``."""
    from lifelines import KaplanMeierFitter

    return KaplanMeierFitter().fit(base["time"][keep], base["event"][keep])


def _describe(design: Design, penalised: bool, permutations: int) -> str:
    text = "Cox regression per SD"
    if design.block_names:
        text += f", strata {'+'.join(design.block_names)}"
    if design.covariates.shape[1]:
        text += f", covariates {'+'.join(design.covariates.columns)}"
    if penalised:
        text += ", ridge penalty (normal prior, SD 1)"
    if design.covariates.shape[1]:
        return f"{text}, Wald interval; p by likelihood ratio"
    how = f"Monte Carlo, {permutations} permutations"
    return f"{text}, Wald interval; p by permutation of the score over its error ({how})"
