"""Permutations of patients: how many, which, and what p they give."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from semanticst.association.stats.linear_model import slope_model
from semanticst.association.stats.permutation import (
    careful_p,
    count_permutations,
    critical_t,
    permutation_p,
    permutations_of,
    permuted_t,
    refine_tail,
)


def labelled(order: np.ndarray, x: np.ndarray) -> set:
    """Rows that get each value of x, for every permutation."""
    return {tuple(frozenset(o[x == v]) for v in np.unique(x)) for o in order}


def test_all_permutations_of_two_groups():
    x = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    found = permutations_of(x, np.zeros(7, int), limit=100, seed=0)
    assert found.exact
    assert len(found) == 35
    assert {group[1] for group in labelled(found.order, x)} == {frozenset(c) for c in combinations(range(7), 4)}


def test_all_permutations_of_three_groups_inside_blocks():
    x = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 1.0])
    blocks = np.array([0, 0, 0, 1, 1, 1])
    found = permutations_of(x, blocks, limit=100, seed=0)
    assert len(found) == count_permutations(x, blocks) == 6 * 3
    assert len(labelled(found.order, x)) == 18
    assert all(set(o[:3]) == {0, 1, 2} for o in found.order)


def test_drawn_permutations_stay_inside_blocks_and_repeat_with_the_seed():
    x, blocks = np.arange(12.0), np.tile([2, 0, 1], 4)
    first = permutations_of(x, blocks, limit=50, seed=3)
    assert not first.exact
    assert (blocks[first.order] == blocks).all()
    assert (np.sort(first.order, axis=1) == np.arange(12)).all()
    np.testing.assert_array_equal(first.order, permutations_of(x, blocks, limit=50, seed=3).order)
    assert (first.order != permutations_of(x, blocks, limit=50, seed=4).order).any()


def test_with_covariates_nothing_is_enumerated():
    x = np.repeat([0.0, 1.0], 3)
    assert not permutations_of(x, np.zeros(6, int), limit=100, seed=0, exact_allowed=False).exact


def test_exact_p_is_that_of_scipy():
    rng = np.random.default_rng(5)
    y, x = rng.normal(size=10) + np.repeat([0, 1.3], 5), np.repeat([0.0, 1.0], 5)
    model = slope_model(x, np.zeros(10, int), np.zeros((10, 0)))
    found = permutations_of(x, np.zeros(10, int), 1000, 0)
    effect, se = model.fit(y[:, None])
    null = permuted_t(model, y[:, None], found)

    def welch(a, b, axis):
        return stats.ttest_ind(a, b, equal_var=False, axis=axis).statistic

    expected = stats.permutation_test((y[5:], y[:5]), welch, n_resamples=np.inf, vectorized=True).pvalue
    assert permutation_p(null, np.abs(effect / se), found.exact)[0] == pytest.approx(expected)


def test_drawn_p_counts_the_cohort_itself():
    null = np.array([[1.0], [2.0], [3.0]])
    assert permutation_p(null, np.array([2.5]), exact=False)[0] == pytest.approx(2 / 4)
    assert permutation_p(null, np.array([9.0]), exact=False)[0] == pytest.approx(1 / 4)
    assert permutation_p(null, np.array([2.0]), exact=True)[0] == pytest.approx(2 / 3)


def test_tail_below_the_floor_is_the_models():
    null = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    observed, p, p_model = np.array([3.0, 2.0]), np.array([0.3, 0.6]), np.array([0.01, 0.01])
    spread, none = np.zeros(2, bool), np.ones(2, bool)
    for expected, source, given in (
        ([0.01, 0.6], ["model", "permutation"], (p_model, spread)),
        ([0.3, 0.6], ["floor", "permutation"], (p_model, none)),
        ([0.3, 0.6], ["permutation", "permutation"], (np.array([0.9, 0.9]), none)),
    ):
        found = refine_tail(p, null, observed, *given)
        np.testing.assert_allclose(found[0], expected)
        assert found[1].tolist() == source


@pytest.mark.parametrize(
    ("enough", "expected", "sources"),
    [(False, [0.01, 0.7], ["model", "model"]), (True, [0.01, 0.6], ["model", "permutation"])],
)
def test_p_is_not_below_the_models_unless_a_permutation_is_enough(enough, expected, sources):
    null = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    given = np.array([0.3, 0.6]), null, np.array([3.0, 2.0]), np.array([0.01, 0.7]), np.zeros(2, bool)
    p, source = careful_p(*given, enough)
    np.testing.assert_allclose(p, expected)
    assert source.tolist() == sources


def test_critical_value_cuts_five_per_cent():
    null = np.arange(1.0, 101.0)[:, None]
    assert critical_t(null, 2.2, exact=True)[0] == 95
    assert (null > critical_t(null, 2.2, exact=True)).mean() == 0.05
    assert critical_t(null[:99], 2.2, exact=False)[0] == 95


def test_too_few_permutations_for_five_per_cent_use_the_models():
    null = np.repeat(np.arange(1.0, 11.0), 2)[:, None]
    assert critical_t(null, 2.78, exact=True)[0] == 2.78
