"""Effects in percentage points of cells."""

import numpy as np
import pytest
from scipy import stats

from clinical_helpers import make_cohort, row_of

COLUMNS = ["percentage_points", "percentage_points_low", "percentage_points_high"]


def shares_of(cohort, by: list[str]):
    counts = cohort.counts.groupby([cohort.sections[c] for c in by]).sum()
    return 100 * counts.div(counts.sum(axis=1), axis=0)[2]


def test_two_groups_have_the_difference_of_means_and_the_interval_of_welch():
    cohort = make_cohort((9, 9), n_sections=2, effect=1.5)
    share = shares_of(cohort, ["group", "patient"])
    known = stats.ttest_ind(share["g1"], share["g0"], equal_var=False)
    row = row_of(cohort.ask("groups", column="group"), 2)
    assert row["percentage_points"] == pytest.approx(share["g1"].mean() - share["g0"].mean())
    # of equal sizes the degrees of freedom are those of equal variances, 16
    half = stats.t.ppf(0.975, 16) * abs(row["percentage_points"] / known.statistic)
    assert row["percentage_points_high"] - row["percentage_points"] == pytest.approx(half)
    assert row["percentage_points"] == pytest.approx(100 * (row["mean_target"] - row["mean_reference"]))


def test_pairs_have_the_interval_of_the_paired_t_test():
    cohort = make_cohort((8,), n_sections=2, section_effect=1.0)
    share = shares_of(cohort, ["side", "patient"])
    known = stats.ttest_rel(share["s1"], share["s0"]).confidence_interval(0.95)
    row = row_of(cohort.ask("groups", column="side"), 2)
    assert tuple(row[COLUMNS[1:]]) == pytest.approx((known.low, known.high))


def test_several_values_within_a_patient_have_the_interval_of_the_patients_slopes():
    cohort = make_cohort((7,), n_sections=4)
    cohort.sections["visit"] = [str(i % 4) for i in range(len(cohort.sections))]
    share = shares_of(cohort, ["patient", "visit"]).unstack()
    slopes = [np.polyfit(np.arange(4.0), y, 1)[0] for y in share.to_numpy()]
    known = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    row = row_of(cohort.ask("ordered", column="visit", levels=("0", "1", "2", "3")), 2, "trend 0 < 1 < 2 < 3")
    assert tuple(row[COLUMNS]) == pytest.approx((np.mean(slopes), known.low, known.high))


def test_adjusted_for_a_covariate_but_not_for_numbers_of_cells():
    cohort = make_cohort((10, 10), effect=1.0)
    plain, cells, age = (
        row_of(cohort.ask("groups", column="group", **given), 2)
        for given in ({}, {"log_cells": "true"}, {"covariates": ("age",)})
    )
    assert tuple(plain[COLUMNS]) == tuple(cells[COLUMNS])
    share = shares_of(cohort, ["patient"]).to_numpy()
    design = np.column_stack([np.ones(20), np.repeat([0, 1], 10), cohort.sections["age"].astype(float)])
    assert age["percentage_points"] == pytest.approx(np.linalg.lstsq(design, share, rcond=None)[0][1])


def test_pairs_of_several_groups_have_one_and_tests_without_a_direction_none():
    cohort = make_cohort((6, 6, 6), effect=1.0)
    table = cohort.ask("groups", column="group").table.set_index(["comparison", "niche"])
    share = shares_of(cohort, ["group", "patient"])
    assert table.loc[("g2 vs g1", "2"), "percentage_points"] == pytest.approx(share["g2"].mean() - share["g1"].mean())
    assert table.loc["omnibus", "percentage_points"].isna().all()
    survival = cohort.ask("survival", time="time", event="event", event_value="1", permutations=99)
    assert survival.table["percentage_points"].isna().all()
