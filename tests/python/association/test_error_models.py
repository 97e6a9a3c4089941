"""Designs beyond two groups have errors of their own: a test per fault that a statistician found, from fixed seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from semanticst.association.associate import examine
from semanticst.association.design.batch import account_for_batch
from semanticst.association.design.design import build_design
from semanticst.association.design.tables import Contrast
from semanticst.association.features.composition import Features
from semanticst.association.stats.cox import permutation_test
from semanticst.association.stats.linear_contrast import Question, compare
from semanticst.association.stats.linear_model import nuisance_basis
from semanticst.association.stats.mixed_model import fit_mixed
from semanticst.association.stats.omnibus import indicators, omnibus_test
from semanticst.bench.hard_cohorts.hard_designs import (
    HardDesign,
    cells_by_group,
    nested_batches,
    three_tissues,
    uneven_batches,
)
from semanticst.bench.hard_cohorts.hard_rows import HARD
from semanticst.bench.hard_cohorts.hard_survival import survival
from semanticst.bench.hard_cohorts.hard_tests import chunk, judge, one, rows


def rows_of(Y: np.ndarray, shown: np.ndarray | None = None, **question) -> pd.DataFrame:
    """Compare columns of Y (units x features) as the pipeline does."""
    columns = pd.MultiIndex.from_tuples([("proportion", str(k)) for k in range(Y.shape[1])], names=["feature", "niche"])
    tables = [pd.DataFrame(values, columns=columns) for values in (Y, Y if shown is None else shown)]
    n = len(Y)
    asked = {"patients": np.arange(n), "blocks": np.zeros(n, int), "covariates": np.zeros((n, 0)), "permutations": 499}
    return pd.DataFrame(compare(Features(*tables), Question(**(asked | question))))


def courses(rng: np.random.Generator, patients: int, times: int, slope: float, k: int = 100) -> tuple:
    patient, time = np.repeat(np.arange(patients), times), np.tile(np.arange(float(times)), patients)
    Y = (slope * rng.normal(size=(patients, k)))[patient] * time[:, None] + 0.3 * rng.normal(size=(len(time), k))
    return patient, time, Y


def test_own_courses_of_patients_are_no_common_trend():
    """C1: 8 patients, 5 times, slopes of SD 0.3; rows as if independent have 12 to 20 % at 0.05."""
    patient, time, Y = courses(np.random.default_rng(1), 8, 5, 0.3, 1000)
    table = rows_of(Y, x=time, patients=patient, blocks=patient, block_names=("patient",), continuous=True)
    assert 0.03 < (table["p"] <= 0.05).mean() < 0.07
    assert 0.92 < ((table["ci_low"] <= 0) & (table["ci_high"] >= 0)).mean() < 0.97
    slopes = np.array([np.polyfit(np.arange(5), y, 1)[0] for y in Y[:, 0].reshape(8, 5)])
    assert table["effect"][0] == pytest.approx(slopes.mean())
    assert table["p_model"][0] == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    assert "one slope per patient" in table["model"][0]
    assert "256 sign flips" in table["model"][0]


def test_the_mixed_model_knows_own_courses_too():
    """C1: with a random intercept alone it confirms what is none (0.20)."""
    patient, time, Y = courses(np.random.default_rng(2), 8, 5, 0.3)
    one = nuisance_basis(np.zeros(40, int), np.zeros((40, 0)))
    fits = [fit_mixed(y, time, patient, one, within=True, courses=True) for y in Y.T]
    assert np.mean([f.p <= 0.05 for f in fits if f is not None]) <= 0.1


@pytest.mark.parametrize(("joint", "highest"), [(True, 0.09), (False, 0.075)])
def test_groups_of_unequal_size_and_spread(joint, highest):
    """C2: SD 1.2 in 5 and 0.4 in 15 patients: 35 % at 0.05 with a pooled error; four, four and sixteen: 45 %."""
    rng = np.random.default_rng(3)
    p = []
    for i in range(150):
        sizes, spread = (((5, 15), (1.2, 0.4)), ((4, 4, 16), (1.2, 1.2, 0.4)))[i % 2]
        values = np.repeat(np.arange(len(sizes)), sizes).astype(object)
        Y = np.repeat(spread, sizes)[:, None] * rng.normal(size=(len(values), 6))
        X, none = indicators(values, tuple(range(len(sizes)))), np.zeros((len(values), 0))
        p.append(omnibus_test(Y, X, np.zeros(len(values), int), none, 199, i, joint=joint).p)
    assert (np.concatenate(p) <= 0.05).mean() < highest


def test_tissues_of_a_patient_of_which_two_are_alike():
    """Levels that change places in 8 patients have 8 % at 0.05, and any q < 0.05 in one cohort of six."""
    design = next(d for d in HARD if d.name.startswith("three tissues"))
    niches, composition = rows(design, [chunk(design, 0, 60, seed=15)])
    assert niches["pipeline"] < 0.065
    assert niches["any_q"] <= 0.05
    assert composition["pipeline"] <= 0.12
    question = three_tissues(5)(np.random.default_rng(16))
    table = examine(question.contrast, question.sections, question.counts, permutations=999, with_checks=False).primary
    assert table["model"].str.contains("of F (exact, 32 sign flips of patients)", regex=False).all()
    assert table["warnings"].str.contains("no p can be below 0.062 .32 sign flips").all()
    assert (table["p"] >= 2 / 32).all()


def test_f_of_two_groups_is_the_square_of_welchs_t_and_spread_is_said():
    rng = np.random.default_rng(4)
    Y = np.repeat([3.0, 0.3], (8, 12))[:, None] * rng.normal(size=(20, 4))
    values = np.repeat(["a", "b"], (8, 12)).astype(object)
    none = np.zeros((20, 0))
    result = omnibus_test(Y, indicators(values, ("a", "b")), np.zeros(20, int), none, 199, 0)
    table = rows_of(Y, x=(values == "b").astype(float), permutations=199)
    # the F keeps the spread of its groups in a second way, which may only be more careful
    assert (result.p_permutation >= table["p_permutation"] - 1e-12).all()
    np.testing.assert_allclose(result.p_permutation, table["p_permutation"], atol=0.06)
    assert result.p_dispersion < 0.01
    even = omnibus_test(rng.normal(size=(20, 4)), indicators(values, ("a", "b")), np.zeros(20, int), none, 199, 0)
    assert even.p_dispersion > 0.05


def test_nested_batches_are_compared_as_batches():
    """C3: 3 batches of 8 patients in each group, batches of SD 0.7: 32 % at 0.05 with patients as units."""
    found = judge(HardDesign("nested", nested_batches(3, 8, 0.7)), 20, seed=5)
    assert found["pipeline"] < 0.1
    question = nested_batches(3, 8, 0.7)(np.random.default_rng(5))
    table = examine(question.contrast, question.sections, question.counts, permutations=199, log_cells="false").primary
    logs = np.log(question.counts.div(question.counts.sum(axis=1), axis=0) + 0.001)
    clr = logs.sub(logs.mean(axis=1), axis=0)
    means = clr.groupby(question.sections["batch"].astype(int)).mean()
    for _, row in table.iterrows():
        values = means[int(row["niche"])].to_numpy()
        assert row["effect"] == pytest.approx(values[3:].mean() - values[:3].mean())
        assert (row["n_patients"], row["n_reference"], row["n_target"]) == (48, 24, 24)
        assert "batches are compared (3 v 3)" in row["warnings"]
        assert row["p_permutation"] >= 0.1


def test_fewer_than_three_nested_batches_are_refused():
    question = nested_batches(2, 8, 0.7)(np.random.default_rng(5))
    table = examine(question.contrast, question.sections, question.counts, permutations=199, with_checks=False).table
    assert table["p"].isna().all()
    assert table["warnings"].str.contains("each batch holds one group of the contrast only").all()


def test_survival_and_batch_are_judged_by_when_patients_died():
    """C4: one batch died early, 80 % events in both; the batch alone changes niche 2 (40 % at 0.05, no warning).

    By the strength of 0.3 alone, 18 % of such cohorts are not adjusted, of which half have p < 0.1.
    """
    draw = survival(40, 0.8, batch=1.6)
    checks = []
    for i in range(100):
        question = draw(np.random.default_rng([11, i]))
        checks.append(account_for_batch(build_design(question.contrast, question.sections)))
    weak = [design for design, check in checks if check.strength < 0.3]
    assert len(weak) > 10
    assert np.mean([design.block_names == ("batch",) for design in weak]) > 0.8
    p = [one(HardDesign("s", draw), np.random.default_rng([6, i]), i).p[0] for i in range(40)]
    assert np.mean(np.array(p) <= 0.05) < 0.15
    question = draw(np.random.default_rng(6))
    contrast = Contrast("c", "survival", time="months", event="dead", event_value="1")
    table = examine(contrast, question.sections, question.counts.iloc[:, :3], permutations=99, with_checks=False).table
    assert table["warnings"].str.contains("the contrast differs between batches").all()


def test_batches_of_nine_to_three_are_adjusted_for():
    """C4: Cramer's V of 0.46, a batch that makes a niche six times as frequent: 15 % at 0.05 without a word."""
    question = uneven_batches(1.8)(np.random.default_rng(7))
    table = examine(question.contrast, question.sections, question.counts, permutations=199, with_checks=False).primary
    assert table["model"].str.contains("blocks batch").all()
    assert table["warnings"].str.contains("compared inside batches only").all()


def test_a_weak_split_of_batches_misleads_large_cohorts():
    """A: 24 + 16 v 16 + 24, V = 0.17, a niche six times as frequent by batch: 18 % at 0.05 if only V counts."""
    question = uneven_batches(1.8, 24, 16)(np.random.default_rng(7))
    table = examine(question.contrast, question.sections, question.counts, permutations=99, with_checks=False).primary
    assert (
        table["warnings"]
        .str.contains("V = 0.17, p = 0.074): patients are compared inside batches only", regex=False)
        .all()
    )
    chance = uneven_batches(1.8, 13, 11)(np.random.default_rng(7))
    table = examine(chance.contrast, chance.sections, chance.counts, permutations=99, with_checks=False).primary
    assert not table["warnings"].str.contains("batch").any()


@pytest.mark.parametrize("longer", [1.0, -1.0])
def test_follow_up_that_goes_with_the_niche(longer):
    """C5: carriers are followed longer (or shorter), the hazard is the same: 10 % (0.3 %) with the bare score."""
    design, p = survival(60, 0.3, followed_by_niche=longer), []
    for i in range(200):
        question = design(np.random.default_rng([8, i]))
        base = question.sections[["months", "dead"]].astype(float).set_axis(["time", "event"], axis=1).assign(stratum=0)
        y = (question.counts[2] > 0).to_numpy(float)
        p.append(permutation_test(base, y, 1.0, 199, i)[1] if np.ptp(y) > 0 else np.nan)
    assert 0.02 <= np.nanmean(np.array(p) <= 0.05) <= 0.085


def test_patients_seen_on_one_side_do_not_dilute_pairs():
    """C6: 10 pairs and 8 + 8 singles, SD 0.8 between, 0.3 within patients: power 0.41 against 0.62 of pairs alone."""
    rng = np.random.default_rng(9)
    alone, beside = [], []
    for _ in range(15):
        level = np.linspace(1, -1, 4) + 0.8 * rng.normal(size=(26, 4))
        patient = np.concatenate([np.repeat(np.arange(10), 2), np.arange(10, 26)])
        side = np.concatenate([np.tile([0, 1], 10), np.repeat([0, 1], 8)])
        logs = level[patient] + 0.3 * rng.normal(size=(36, 4))
        logs[:, 0] += 0.6 * side
        counts = pd.DataFrame(
            (np.exp(logs) / np.exp(logs).sum(1, keepdims=True) * 1e5).astype(int), columns=[1, 2, 3, 4]
        )
        sections = pd.DataFrame({"patient": [f"p{p}" for p in patient], "side": side.astype(str)}, counts.index)
        contrast = Contrast("c", "groups", column="side", block="patient")
        for keep, found in ((36, beside), (20, alone)):
            table = examine(
                contrast, sections[:keep], counts[:keep], permutations=99, log_cells="false", with_checks=False
            ).primary
            found.append(table.set_index("niche").loc["1", "p"])
    assert beside == alone
    assert np.mean(np.array(alone) <= 0.05) > 0.5


def test_a_niche_that_one_of_two_tiny_groups_lacks():
    """D1: absent in 3 controls, 3 to 6 % in 3 cases: p was 0.00036; a permutation of six has 0.1."""
    share = np.array([[0.0], [0.0], [0.0], [0.03], [0.045], [0.06]])
    Y = np.log(share + 0.001)
    row = rows_of(Y, share, x=np.repeat([0.0, 1.0], 3)).iloc[0]
    assert (row["p"], row["p_source"]) == (pytest.approx(0.1), "floor")
    welch = stats.ttest_ind(Y[3:, 0], Y[:3, 0], equal_var=False)
    assert row["p_model"] == pytest.approx(welch.pvalue, rel=1e-3)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(welch.confidence_interval()), rel=1e-3)
    assert "a group that does not vary" in row["warnings"][0]


def test_two_niches_that_separate_three_from_three():
    """D1: q was 2.6e-27."""
    Y = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 3, axis=0)
    table = rows_of(Y, x=np.repeat([0.0, 1.0], 3))
    np.testing.assert_allclose(table["p"], 0.1)


def test_p_source_says_what_p_rests_on():
    rng = np.random.default_rng(10)
    x = np.repeat([0.0, 1.0], 4)
    Y = rng.normal(size=(8, 200))
    Y[:, 0] += 9 * x
    table = rows_of(Y, x=x)
    assert table["p_source"][0] == "model"
    assert table["p"][0] == table["p_model"][0] < table["p_permutation"][0]
    permuted = table["p_source"] == "permutation"
    assert permuted.any()
    assert (table["p"][permuted] == table["p_permutation"][permuted]).all()
    assert (table["p"] >= table["p_model"] - 1e-12).all()


def test_p_and_interval_that_disagree_are_pointed_out():
    """D3: of 4 v 4 with p or interval at 0.05, 46 % had only one of the two."""
    rng = np.random.default_rng(11)
    table = rows_of(rng.normal(size=(8, 2000)) + np.repeat([[0.0], [1.0]], 4, axis=0), x=np.repeat([0.0, 1.0], 4))
    outside, small = (table["ci_low"] > 0) | (table["ci_high"] < 0), table["p"] <= 0.05
    said = table["warnings"].map(lambda w: any("disagree" in t for t in w))
    assert (said == (outside != small)).all()
    assert (outside != small).sum() / (outside | small).sum() < 0.3


def test_columns_that_know_no_adjustment_are_empty_beside_an_adjusted_effect():
    """D4: strata with p = 0.55 and effect -0.41 stood beside p_rank = 0.003 and g = +0.85."""
    question = uneven_batches(1.8)(np.random.default_rng(12))
    contrast = Contrast("c", "groups", column="group", strata=("batch",))
    table = examine(contrast, question.sections, question.counts, permutations=199, with_checks=False).primary
    assert table[["p_rank", "hedges_g"]].isna().all(axis=None)
    plain = examine(
        question.contrast, question.sections.drop(columns="batch"), question.counts, permutations=199, log_cells="false"
    ).primary
    assert plain[["p_rank", "hedges_g"]].notna().all(axis=None)


def test_collinear_covariates_of_survival_are_dropped_and_named():
    """D8: age in years and in months: was "perfect separation of the events: penalised fit"."""
    question = survival(60, 0.8)(np.random.default_rng(13))
    age = np.random.default_rng(14).integers(30, 80, 60)
    sections = question.sections.assign(age=age.astype(str), age_months=(12 * age).astype(str))
    contrast = Contrast("c", "survival", time="months", event="dead", event_value="1", covariates=("age", "age_months"))
    table = examine(
        contrast, sections, question.counts.iloc[:, :3], permutations=99, log_cells="false", with_checks=False
    ).primary
    assert table["warnings"].str.contains("covariate age_months is determined by the others: not used").all()
    assert not table["warnings"].str.contains("separation").any()
    assert not table["model"].str.contains("ridge").any()


def test_every_hard_design_has_a_name_of_its_own():
    assert len({d.name for d in HARD}) == len(HARD)
    assert cells_by_group(60, 2000)(np.random.default_rng(0)).counts.sum(axis=1).min() > 10
