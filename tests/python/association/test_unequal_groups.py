"""Groups that differ in size or in spread: p keeps its level, also in the tail on which q rests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from semanticst.association.features.composition import Features
from semanticst.association.stats.linear_contrast import Question, compare
from semanticst.association.stats.linear_model import slope_model, t_test
from semanticst.association.stats.omnibus import indicators, omnibus_test
from semanticst.association.stats.permutation import permutations_of
from semanticst.association.stats.unequal_groups import CochranT, differ_in_spread, is_lopsided, rests_on_permutation


def rows_of(Y: np.ndarray, sizes: tuple[int, int]) -> pd.DataFrame:
    columns = pd.MultiIndex.from_tuples([("proportion", str(k)) for k in range(Y.shape[1])], names=["feature", "niche"])
    values, n = pd.DataFrame(Y, columns=columns), len(Y)
    x = np.repeat([0.0, 1.0], sizes)
    question = Question(x, np.arange(n), np.zeros(n, int), np.zeros((n, 0)), permutations=999)
    return pd.DataFrame(compare(Features(values, values), question))


def of_groups(sizes: tuple[int, int], spread: tuple[float, float], k: int, seed: int = 0) -> np.ndarray:
    return np.repeat(spread, sizes)[:, None] * np.random.default_rng(seed).normal(size=(sum(sizes), k))


@pytest.mark.parametrize(
    ("sizes", "lopsided", "enough"),
    [
        ((5, 15), True, False),
        ((6, 9), True, False),
        ((5, 5), False, False),
        ((6, 6), False, True),
        ((8, 11), False, True),
    ],
)
def test_permutation_is_enough_for_groups_of_similar_size(sizes, lopsided, enough):
    x = np.repeat([0.0, 1.0], sizes)
    assert (is_lopsided(x), rests_on_permutation(x)) == (lopsided, enough)
    assert (is_lopsided(np.arange(20.0)), rests_on_permutation(np.arange(20.0))) == (False, False)


def test_few_patients_who_vary_more_are_no_finding_in_the_tail_either():
    """5 v 15 patients of SD 1.2 and 0.4: Welch's p is below the level of the first rank of eight in 1.1, not 0.6 %."""
    Y, x, k = of_groups((5, 15), (1.2, 0.4), 40_000), np.repeat([0.0, 1.0], (5, 15)), 8
    model = slope_model(x, np.zeros(20, int), np.zeros((20, 0)))
    effect, se, _, welch = t_test(model, x, Y)
    cochran = CochranT(model, x, Y)
    p = cochran.p(effect / se)
    assert (welch <= 0.05 / k).mean() > 0.009
    assert (p <= 0.05 / k).mean() < 0.007
    assert 0.044 < (p <= 0.05).mean() < 0.052
    # the interval holds 0 exactly where p is above 0.05
    np.testing.assert_array_equal(np.abs(effect / se) > cochran.critical(), p < 0.05)


def test_cochrans_critical_value_lies_between_those_of_the_groups():
    Y, x = of_groups((4, 9), (1.0, 1.0), 3), np.repeat([0.0, 1.0], (4, 9))
    cochran = CochranT(slope_model(x, np.zeros(13, int), np.zeros((13, 0))), x, Y)
    np.testing.assert_allclose(cochran.df, [3, 8])
    errors = np.array([Y[:4].var(axis=0, ddof=1) / 4, Y[4:].var(axis=0, ddof=1) / 9])
    np.testing.assert_allclose(cochran.share, errors / errors.sum(axis=0))
    np.testing.assert_allclose(cochran.critical(), (stats.t.isf(0.025, [3, 8]) @ errors) / errors.sum(axis=0))


def test_lopsided_groups_that_differ_in_spread_have_its_p_and_interval():
    Y, x = of_groups((5, 15), (1.2, 0.4), 8), np.repeat([0.0, 1.0], (5, 15))
    table, model = rows_of(Y, (5, 15)), slope_model(x, np.zeros(20, int), np.zeros((20, 0)))
    cochran = CochranT(model, x, Y)
    np.testing.assert_allclose(table["p_model"], cochran.p((table["effect"] / table["se"]).to_numpy()))
    assert (table["p"] >= table["p_model"]).all()
    assert ((table["ci_high"] - table["effect"]) >= cochran.critical() * table["se"] * (1 - 1e-9)).all()


def test_lopsided_groups_of_one_spread_have_the_larger_of_permutation_and_welch():
    Y, x = of_groups((5, 15), (0.8, 0.8), 8, seed=2), np.repeat([0.0, 1.0], (5, 15))
    table = rows_of(Y, (5, 15))
    welch = t_test(slope_model(x, np.zeros(20, int), np.zeros((20, 0))), x, Y)[3]
    np.testing.assert_allclose(table["p_model"], welch)
    np.testing.assert_allclose(table["p"], np.maximum(table["p_permutation"], welch))


def test_where_groups_of_one_size_differ_in_spread_p_is_not_below_welchs():
    """8 v 8 patients of SD 1.2 and 0.4 in all niches: by permutation any q < 0.05 in 8 % of cohorts."""
    table = rows_of(of_groups((8, 8), (1.2, 0.4), 8, seed=3), (8, 8))
    assert (table["p"] >= table["p_model"]).all()
    assert (table["p_permutation"] < table["p_model"]).any()
    even = rows_of(of_groups((8, 8), (0.8, 0.8), 8, seed=3), (8, 8))
    assert (even["p"] == even["p_permutation"]).all()
    assert (even["p"] < even["p_model"]).any()


def test_one_patient_far_off_is_no_spread_and_costs_no_finding():
    rng = np.random.default_rng(1)
    Y = 0.3 * rng.normal(size=(12, 5))
    Y[6:, 0] += 2.0
    Y[11, 0] = 8.0
    table = rows_of(Y, (6, 6))
    assert table["p_permutation"][0] == table["p"][0] < 0.01
    assert table["p_model"][0] > 0.02
    x, ways = np.repeat([0.0, 1.0], 6), permutations_of(np.repeat([0.0, 1.0], 6), np.zeros(12, int), 999, 0)
    assert not differ_in_spread(Y - [Y[x == v].mean(axis=0) for v in x], x, ways)


def test_the_composition_of_groups_that_differ_in_spread_is_not_that_of_a_permutation_alone():
    """5 + 10 + 15 patients of SD 0.8, 0.6 and 0.4: 6.7 % of cohorts at 0.05 by permutation alone."""
    values = np.repeat(["a", "b", "c"], (5, 10, 15)).astype(object)
    X, none, block = indicators(values, ("a", "b", "c")), np.zeros((30, 0)), np.zeros(30, int)
    larger = 0
    for seed in range(12):
        noise = np.random.default_rng(seed).normal(size=(30, 8))
        Y = np.repeat([0.8, 0.6, 0.4], (5, 10, 15))[:, None] * noise
        found = omnibus_test(Y, X, block, none, 199, 0, joint=True)
        assert found.p_dispersion < 0.05
        larger += found.p[0] > _permuted_alone(Y, values, 199)
    assert larger >= 3


def _permuted_alone(Y: np.ndarray, values: np.ndarray, n: int) -> float:
    """F2 of Anderson et al. (2017) by its own formula, groups permuted."""
    rng = np.random.default_rng(0)

    def f2(groups: np.ndarray) -> float:
        parts = [Y[groups == g] for g in np.unique(groups)]
        between = sum(len(part) * ((part.mean(axis=0) - Y.mean(axis=0)) ** 2).sum() for part in parts)
        return between / sum((1 - len(part) / len(Y)) * part.var(axis=0, ddof=1).sum() for part in parts)

    observed = f2(values)
    return (1 + sum(f2(rng.permutation(values)) >= observed for _ in range(n))) / (n + 1)
