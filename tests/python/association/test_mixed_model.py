"""The mixed model beside the test of patients."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from clinical_helpers import Cohort, clr, make_cohort, row_of
from semanticst.association.stats.mixed_model import NOT_FITTED, fit_mixed


def test_balanced_sections_give_the_t_test_of_patient_means():
    """Patients differ far more than sections: mixed model and means of patients are the same estimate."""
    rng = np.random.default_rng(0)
    patients, group = np.repeat(np.arange(12), 4), np.repeat([0.0, 1.0], 24)
    y = rng.normal(size=12)[patients] + 0.3 * rng.normal(size=48)
    fit = fit_mixed(y, group, patients, np.full((48, 1), 48**-0.5))
    means = y.reshape(12, 4).mean(axis=1)
    student = stats.ttest_ind(means[6:], means[:6])
    assert fit.effect == pytest.approx(means[6:].mean() - means[:6].mean(), abs=1e-6)
    assert fit.p == pytest.approx(student.pvalue, rel=1e-3)
    low, high = student.confidence_interval()
    assert (fit.ci_low, fit.ci_high) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))


def test_complete_pairs_give_the_paired_t_test():
    rng = np.random.default_rng(1)
    patients, side = np.repeat(np.arange(9), 2), np.tile([0.0, 1.0], 9)
    y = rng.normal(size=9)[patients] + 0.4 * rng.normal(size=18) + 0.3 * side
    fit = fit_mixed(y, side, patients, np.full((18, 1), 18**-0.5), within=True)
    assert fit.p == pytest.approx(stats.ttest_rel(y[1::2], y[::2]).pvalue, rel=1e-3)


def test_columns_are_filled_where_patients_have_several_sections_only():
    several, one = make_cohort((8, 8), n_sections=3, effect=2.0), make_cohort((8, 8))
    row = row_of(several.ask("groups", column="group"), 2)
    sections = clr(Cohort(several.sections.assign(own=several.sections.index), several.counts, []), by="own")[2]
    means = sections.groupby(sections.index.str[:3]).mean()
    assert row["effect_mixed"] == pytest.approx(means[8:].mean() - means[:8].mean(), abs=1e-4)
    assert row["mixed_low"] < row["effect_mixed"] < row["mixed_high"]
    assert row["p_mixed"] < 0.01
    assert one.ask("groups", column="group").table["p_mixed"].isna().all()
    assert row_of(several.ask("groups", column="side"), 2)["p_mixed"] > 0


def test_without_convergence_the_test_of_patients_stands_and_the_row_says_so(monkeypatch):
    def fail(self, **_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(MixedLM, "fit", fail)
    row = row_of(make_cohort((8, 8), n_sections=2).ask("groups", column="group"), 2)
    assert np.isnan(row["p_mixed"])
    assert 0 < row["p"] <= 1
    assert NOT_FITTED in row["warnings"]
