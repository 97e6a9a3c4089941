"""Differences and slopes against scipy and statsmodels called directly."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from clinical_helpers import clr, make_cohort, row_of
from semanticst.association.stats.group_contrasts import hedges_g
from semanticst.association.stats.linear_contrast import sign_warning
from semanticst.association.stats.linear_model import slope_model, t_test


def one_block(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(n, int), np.zeros((n, 0))


def test_two_groups_have_welchs_difference_and_error():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(20, 3)) * np.where(np.arange(20) < 7, 3, 1)[:, None], (np.arange(20) < 7) * 1.0
    effect, se, df, _ = t_test(slope_model(x, *one_block(20)), x, y)
    welch = stats.ttest_ind(y[:7], y[7:], equal_var=False)
    np.testing.assert_allclose(effect / se, welch.statistic)
    np.testing.assert_allclose(effect, y[:7].mean(axis=0) - y[7:].mean(axis=0))
    # never more degrees of freedom than with equal variances
    np.testing.assert_allclose(df, np.minimum(welch.df, slope_model(x, *one_block(20)).df))


def test_balanced_groups_have_students_degrees_of_freedom():
    assert slope_model(np.repeat([0.0, 1.0], 6), *one_block(12)).df == pytest.approx(10)


def test_small_group_has_its_own_degrees_of_freedom():
    """Welch and Satterthwaite's formula at equal variances: nearly all uncertainty is that of the three."""
    expected = (1 / 3 + 1 / 60) ** 2 / ((1 / 3) ** 2 / 2 + (1 / 60) ** 2 / 59)
    assert slope_model(np.repeat([1.0, 0.0], (3, 60)), *one_block(63)).df == pytest.approx(expected)


def test_complete_pairs_are_the_paired_t_test():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=9), rng.normal(size=9) + 1
    y, x = np.concatenate([before, after])[:, None], np.repeat([0.0, 1.0], 9)
    model = slope_model(x, np.tile(np.arange(9), 2), np.zeros((18, 0)))
    effect, se, _, p = t_test(model, x, y)
    paired = stats.ttest_rel(after, before)
    assert model.df == pytest.approx(8)
    assert effect[0] / se[0] == pytest.approx(paired.statistic)
    assert p[0] == pytest.approx(paired.pvalue)


def test_covariates_agree_with_statsmodels():
    rng = np.random.default_rng(2)
    x, Z = rng.normal(size=25), rng.normal(size=(25, 2))
    y = x + Z @ [1.0, -2.0] + rng.normal(size=25) * (1 + np.abs(x))
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, Z]))).fit(cov_type="HC2")
    effect, se, _, _ = t_test(slope_model(x, np.zeros(25, int), Z), x, y[:, None])
    assert (effect[0], se[0]) == pytest.approx((fit.params[1], fit.bse[1]))


def test_a_covariate_of_one_patient_takes_that_patient_out():
    rng = np.random.default_rng(3)
    x, y, Z = np.repeat([0.0, 1.0], 6), rng.normal(size=12), np.zeros((12, 1))
    Z[0] = 1
    with_dummy = t_test(slope_model(x, np.zeros(12, int), Z), x, y[:, None])
    without = t_test(slope_model(x[1:], *one_block(11)), x[1:], y[1:, None])
    np.testing.assert_allclose(np.ravel(with_dummy), np.ravel(without))


def test_a_covariate_that_determines_the_contrast_leaves_nothing_to_estimate():
    x = np.repeat([0.0, 1.0], 6)
    assert slope_model(x, np.zeros(12, int), 3 * x[:, None] + 1) is None


def test_table_holds_the_difference_of_centred_log_ratios():
    cohort = make_cohort((9, 11), n_sections=2, effect=1.0)
    result = cohort.ask("groups", column="group", permutations=9999)
    y = clr(cohort)
    target = y.index >= "p09"
    for niche in y.columns:
        row = row_of(result, niche)
        a, b = y.loc[target, niche], y.loc[~target, niche]
        welch = stats.ttest_ind(a, b, equal_var=False)
        assert row["effect"] == pytest.approx(a.mean() - b.mean())
        assert row["p_rank"] == pytest.approx(stats.mannwhitneyu(a, b).pvalue)
        assert row["p"] == pytest.approx(welch.pvalue, abs=0.03)
        low, high = welch.confidence_interval()
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=0.12)
        assert (row["n_reference"], row["n_target"], row["n_patients"]) == (9, 11, 20)
        assert row["effect_type"] == "clr_difference"
    shares = cohort.counts.groupby(cohort.sections["patient"]).sum()
    shares = shares.div(shares.sum(axis=1), axis=0)
    assert row_of(result, 2)["mean_target"] == pytest.approx(shares.loc[target, 2].mean())


def test_slope_per_sd_and_trend_per_level():
    cohort = make_cohort((7, 7, 7), effect=0.5)
    cohort.sections["batch"] = "b0"
    y = clr(cohort)
    x = cohort.sections.set_index("patient")["x"].astype(float).loc[y.index]
    row = row_of(cohort.ask("continuous", column="x"), 3)
    slope = np.polyfit((x - x.mean()) / x.std(ddof=1), y[3], 1)[0]
    assert (row["effect"], row["effect_type"]) == (pytest.approx(slope), "clr_slope_per_sd")
    assert row["p_rank"] == pytest.approx(stats.kendalltau(x, y[3]).pvalue)

    result = cohort.ask("ordered", column="group", levels=("g0", "g1", "g2"))
    row = row_of(result, 2, "trend g0 < g1 < g2")
    assert row["effect"] == pytest.approx(np.polyfit(np.repeat([0, 1, 2], 7), y[2], 1)[0])
    assert row["effect_type"] == "clr_slope_per_level"
    assert row["effect"] > 0
    turned = cohort.ask("ordered", column="group", levels=("g2", "g1", "g0"))
    assert row_of(turned, 2, "trend g2 < g1 < g0")["effect"] == pytest.approx(-row["effect"])


def test_several_groups_have_an_omnibus_row_and_pairs():
    cohort = make_cohort((6, 6, 6))
    table = cohort.ask("groups", column="group", reference="g1").table
    omnibus = table[table["comparison"] == "omnibus"]
    assert sorted(omnibus["niche"]) == list("12345")
    y = clr(cohort)
    groups = np.repeat([0, 1, 2], 6)
    f_test = stats.f_oneway(*(y[4][groups == g] for g in range(3)))
    row = omnibus[omnibus["niche"] == "4"].iloc[0]
    assert row["p_model"] == pytest.approx(f_test.pvalue, abs=0.01), "variances differ a little"
    assert row["p"] == pytest.approx(f_test.pvalue, abs=0.06)
    within = sum(((y[4][groups == g] - y[4][groups == g].mean()) ** 2).sum() for g in range(3))
    assert row["effect"] == pytest.approx(1 - within / ((y[4] - y[4].mean()) ** 2).sum())
    separated = row_of(make_cohort((5, 5, 5), effect=4.0).ask("groups", column="group"), 2, "omnibus")
    # never below its floor: one over the number of permutations
    assert (separated["p"], separated["p_source"]) == (separated["p_permutation"], "permutation")
    assert separated["p"] > separated["p_model"]
    pairs = table[table["family"] == "pairwise"]
    assert set(pairs["comparison"]) == {"g0 vs g1", "g2 vs g1", "g2 vs g0"}
    assert (pairs["n_patients"] == 12).all()


def test_pairs_are_tested_by_holm_in_what_passes_over_all_levels_and_nowhere_else():
    result = make_cohort((9, 9, 9), effect=1.2).ask("groups", column="group")
    omnibus = result.primary.set_index("niche")
    pairs = result.table[result.table["family"] == "pairwise"]
    passed = omnibus.index[omnibus["q"] < 0.05]
    assert 0 < len(passed) < 5
    inside = pairs["niche"].isin(passed)
    assert pairs.loc[~inside, ["p", "q"]].isna().all(axis=None)
    assert pairs.loc[~inside, "warnings"].str.contains("the test over all groups does not pass").all()
    assert pairs[["effect", "ci_low", "ci_high"]].notna().all(axis=None), "an effect is shown all the same"
    for _, rows in pairs[inside].groupby("niche"):
        p = np.sort(rows["p"])
        holm = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)  # Holm 1979, worked out by hand
        np.testing.assert_allclose(np.sort(rows["q"]), holm)
        assert (rows["n_tests"] == 3).all()


def test_leave_one_out_range_and_detectable_effect():
    cohort = make_cohort((6, 6), effect=1.0)
    row = row_of(cohort.ask("groups", column="group"), 2)
    y, target = clr(cohort)[2].to_numpy(), np.repeat([False, True], 6)
    effects = []
    for i in range(12):
        keep = np.arange(12) != i
        effects.append(y[keep & target].mean() - y[keep & ~target].mean())
    assert (row["effect_loo_low"], row["effect_loo_high"]) == pytest.approx((min(effects), max(effects)))
    se = np.sqrt(y[target].var(ddof=1) / 6 + y[~target].var(ddof=1) / 6)
    df = stats.ttest_ind(y[target], y[~target], equal_var=False).df
    # the level is the one that q asks of the smallest p of five niches
    level = 1 - 0.05 / 5 / 2
    assert row["detectable_effect"] == pytest.approx((stats.t.ppf(level, df) + stats.t.ppf(0.8, df)) * se)


def test_hedges_g_is_the_shrunken_standardised_difference():
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 1.0, 2.0, 1.0])
    pooled = np.sqrt((3 * a.var(ddof=1) + 4 * b.var(ddof=1)) / 7)
    assert hedges_g(a, b) == pytest.approx(1.5 / pooled * (1 - 3 / 27))
    assert np.isnan(hedges_g(np.ones(3), np.zeros(3)))


def test_q_is_benjamini_hochberg_over_the_niches():
    result = make_cohort((8, 8), effect=1.5, n_niches=7).ask("groups", column="group")
    primary = result.primary.sort_values("p")
    p = primary["p"].to_numpy()
    raw = p * len(p) / np.arange(1, len(p) + 1)
    np.testing.assert_allclose(primary["q"], np.minimum.accumulate(raw[::-1])[::-1])
    assert (primary["n_tests"] == 7).all()


def test_covariates_and_strata_are_named_and_used():
    cohort = make_cohort((10, 10), effect=1.0)
    y = clr(cohort)
    patients = cohort.sections.set_index("patient").loc[y.index]
    Z = np.column_stack([patients["age"].astype(float), patients["sex"] == "m"])
    X = sm.add_constant(np.column_stack([np.repeat([0, 1], 10), Z]).astype(float))
    expected = sm.OLS(y[2].to_numpy(), X).fit().params[1]
    by_covariate = row_of(cohort.ask("groups", column="group", covariates=("age", "sex")), 2)
    assert by_covariate["effect"] == pytest.approx(expected)
    assert "covariates age+sex_m" in by_covariate["model"]
    small = row_of(make_cohort((4, 4)).ask("groups", column="group", covariates=("age",)), 2)
    assert "Monte Carlo" in small["model"], "residuals of one group are not interchangeable"
    by_block = row_of(cohort.ask("groups", column="group", covariates=("age",), strata=("sex",)), 2)
    assert by_block["effect"] == pytest.approx(expected)
    assert "blocks sex" in by_block["model"]
    joint = row_of(cohort.ask("groups", column="group", covariates=("age",), strata=("sex",)), "all")
    assert "Aitchison distance, blocks sex, covariates age;" in joint["model"]


def test_entropy_and_its_effective_number():
    cohort = make_cohort((6, 6))
    result = cohort.ask("groups", column="group", kinds=("proportion", "entropy"))
    share = cohort.counts.groupby(cohort.sections["patient"]).sum()
    share = share.div(share.sum(axis=1), axis=0)
    entropy = pd.Series({p: stats.entropy(row) for p, row in share.iterrows()})
    row = result.table[result.table["feature"] == "entropy"].iloc[0]
    assert row["effect"] == pytest.approx(entropy[6:].mean() - entropy[:6].mean())
    assert row["effect_type"] == "entropy_difference"
    assert row["mean_target"] == pytest.approx(np.exp(entropy[6:]).mean())
    assert row["n_tests"] == 6


def test_a_finding_that_hangs_on_one_patient_is_pointed_out():
    assert sign_warning(0.01, -0.2, 1.0) == ["the sign changes when one patient is left out"]
    assert sign_warning(0.01, 0.2, 1.0) == []
    assert sign_warning(0.60, -0.2, 1.0) == [], "near zero the sign means nothing"
