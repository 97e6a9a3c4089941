"""A mixed model beside the test of patients: patient as random intercept, sections (or parts of a patient) as rows.

It serves as a check. The test of a contrast permutes patients, whose cells were summed over sections: that keeps its
level whatever the cohort. The mixed model weighs patients by their sections, and has no such promise: with the normal
distribution that statsmodels refers it to, it has 6 to 9 % false positives at 0.05 with 8 to 16 patients (see
docs/benchmarks.md). So t has the degrees of freedom of the patients ("between-within", Schluchter & Elashoff 1990,
J Stat Comput Simul 37:69), and within patients a row is the part of a patient that has one value, not a section.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features
from semanticst.association.stats.linear_model import nuisance_basis
from semanticst.association.stats.patient_slopes import has_courses

NOT_FITTED = "the check by a mixed model of sections failed (it does not converge): the test of patients stands"


@dataclass(frozen=True)
class MixedFit:
    """Effect of x with its 95 % interval and two-sided p; ``z`` is effect over error."""

    effect: float
    ci_low: float
    ci_high: float
    p: float
    z: float


def fit_mixed(
    y: np.ndarray,
    x: np.ndarray,
    patients: np.ndarray,
    nuisance: np.ndarray,
    within: bool = False,
    courses: bool = False,
) -> MixedFit | None:
    """Fit y = x * effect + nuisance + patient + error by REML; None where it has no degree of freedom or no optimum.

    ``nuisance`` (n x c) holds the intercept, covariates and strata. Degrees of freedom are those between patients, or
    with ``within`` (x varies inside patients) those that are left after every patient has its own mean. With
    ``courses`` (three and more values of x in a patient) patients have slopes of their own.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    n_patients = len(np.unique(patients))
    rank = nuisance.shape[1]
    df = n_patients - 1 if courses else len(y) - n_patients - rank if within else n_patients - rank - 1
    if df < 1:
        return None
    own = np.column_stack([np.ones(len(y)), x]) if courses else None
    try:
        with warnings.catch_warnings():
            # a variance of 0 between patients is at the border of what is possible, and no failure
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "Random effects covariance is singular")
            fit = MixedLM(y, np.column_stack([x, nuisance]), groups=patients, exog_re=own).fit(reml=True)
    except np.linalg.LinAlgError:
        return None
    effect, se = float(fit.fe_params[0]), float(fit.bse_fe[0])
    if not fit.converged or not np.isfinite(se) or se <= 0:
        return None
    half = scipy.stats.t.ppf(0.975, df) * se
    p = float(2 * scipy.stats.t.sf(abs(effect / se), df))
    return MixedFit(effect, effect - half, effect + half, p, effect / se)


def add_mixed(rows: list[dict], design: Design, x: np.ndarray, units: Features, sections: Features) -> None:
    """Fill ``effect_mixed``, its interval and ``p_mixed`` of the rows that have an effect, where patients repeat.

    Parameters
    ----------
    rows
        Rows of the primary family; changed in place.
    design
        Units and sections that are compared.
    x
        Variable of each unit of the design.
    units, sections
        Features of each unit, and of each of ``design.sections``.
    """
    of_unit = pd.Series(np.arange(len(design.units)), index=design.units.index)
    place = of_unit.loc[design.sections["unit"]].to_numpy()
    if design.within_patient:
        place, values = np.arange(len(design.units)), units.modelled
    else:
        values = sections.modelled
    patients = design.patients[place]
    if len(np.unique(patients)) == len(patients):
        return
    covariates = design.covariates.to_numpy(float)[place]
    blocks = np.zeros(len(place), int) if design.within_patient else design.blocks[place]
    for row in rows:
        key = row["feature"], row["niche"]
        if "effect" not in row or key not in values:
            continue
        y = values[key].to_numpy()
        use = np.isfinite(y)
        nuisance = nuisance_basis(blocks[use], covariates[use])
        at, who = x[place][use], patients[use]
        courses = design.within_patient and has_courses(at, who)
        fit = fit_mixed(y[use], at, who, nuisance, design.within_patient, courses)
        if fit is None:
            row["warnings"] = [*row.get("warnings", []), NOT_FITTED]
            continue
        row.update(effect_mixed=fit.effect, mixed_low=fit.ci_low, mixed_high=fit.ci_high, p_mixed=fit.p)
