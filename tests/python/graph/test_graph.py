from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from semanticst.graph import contexts
from semanticst.graph import neighbours as nb
from semanticst.graph.contexts import (
    cells_averaged,
    domain_context,
    expression_context,
    lattice_neighbours,
    neighbourhood_profile,
    smoothing_operator,
    spatial_context,
)


def hexagonal(rows=12, columns=12, step=100.0):
    return np.array(
        [[step * (c + 0.5 * (r % 2)), step * r * np.sqrt(3) / 2] for r in range(rows) for c in range(columns)]
    )


def square(side=12, step=200.0):
    return np.array([[step * r, step * c] for r in range(side) for c in range(side)], dtype=float)


def scattered(n=300, seed=0):
    return np.random.default_rng(seed).uniform(0, 1000, (n, 2))


def as_sets(A):
    return [set(A.indices[A.indptr[i] : A.indptr[i + 1]]) for i in range(A.shape[0])]


def test_lattices_are_recognised_whatever_the_unit():
    for factor in (1e-3, 1, 37.2):
        assert lattice_neighbours(hexagonal() * factor) == 6
        assert lattice_neighbours(square() * factor) == 4
        assert lattice_neighbours(scattered() * factor) == 0


def test_hexagonal_lattice_has_its_six_neighbours():
    A = spatial_context(hexagonal(), k=10)
    degrees = np.diff(A.indptr)
    assert degrees.max() == 6
    assert (degrees == 6).sum() == 100


def test_edges_over_a_gap_are_cut():
    left = scattered(150)
    both = np.vstack([left, left + [5000, 0]])
    A = spatial_context(both, k=10)
    assert A[:150, 150:].nnz == 0
    alone = spatial_context(np.vstack([left, [[50_000.0, 0]]]), k=10)
    assert alone[150].nnz == 0


def test_spatial_context_ignores_shift_turn_mirror_and_scale():
    xy = scattered()
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    expected = as_sets(spatial_context(xy, 10))
    for other in (xy + 1e4, xy @ turn, xy * [-1, 1], xy * 0.01):
        assert as_sets(spatial_context(other, 10)) == expected


def test_duplicated_positions_have_neighbours():
    xy = np.vstack([scattered(50), scattered(50)])
    A = spatial_context(xy, 6)
    assert np.diff(A.indptr).min() > 0
    assert (A.diagonal() == 0).all()


@pytest.mark.parametrize("context", [expression_context, domain_context])
def test_component_neighbours_are_the_nearest_and_symmetric(context):
    X = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    A = context(X, 4, seed=0)
    assert (A != A.T).nnz == 0
    distances = np.linalg.norm(X[:, None] - X[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = [set(row) for row in distances.argsort(1)[:, :4]]
    assert all(found >= wanted for found, wanted in zip(as_sets(A), nearest))


@pytest.fixture
def lists(monkeypatch):
    """Lists hold 20 cells, and neighbours are looked for among 600 to 1,500."""
    for name, value in {"COMPARED_CELLS": (600, 1500), "LIST_CELLS": 20}.items():
        monkeypatch.setattr(nb, name, value)


def test_the_log_says_whose_cells_are_looked_for_in_lists(lists, monkeypatch, caplog):
    monkeypatch.setattr(contexts, "nearest_in_components", partial(nb.nearest_in_components, exact_up_to=100))
    X = np.random.default_rng(6).normal(size=(3000, 4)).astype(np.float32)
    with caplog.at_level("INFO"):
        expression_context(X, 5, 0, "P1_S1")
        domain_context(X, 5, 0, "P1_S1")
    said = [record.getMessage() for record in caplog.records]
    assert [text.split(": each of 3000 cells is compared with ")[0] for text in said] == [
        "P1_S1, by expression",
        "P1_S1, by neighbourhood",
    ]
    assert all(text.endswith(" % of the nearest") for text in said)


def test_neighbours_in_near_lists_are_nearly_all_of_the_nearest(lists):
    """Six cell types that hold unequal numbers of cells."""
    rng = np.random.default_rng(2)
    types = rng.choice(6, 4000, p=[0.5, 0.2, 0.15, 0.1, 0.04, 0.01])
    X = (4 * rng.normal(size=(6, 8))[types] + rng.normal(size=(4000, 8))).astype(np.float32)
    found = nb.nearest_in_components(X, 10, exact_up_to=100)
    np.testing.assert_array_equal(found, nb.nearest_in_components(X, 10, exact_up_to=100))
    assert (found != np.arange(len(X))[:, None]).all()
    exact = nb.nearest_in_components(X, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found)]) > 0.95


def test_cells_are_compared_with_a_number_of_others_that_does_not_grow(lists, monkeypatch):
    compared, smallest = [], nb.smallest
    monkeypatch.setattr(nb, "smallest", lambda values, k: compared.append(values.shape) or smallest(values, k))
    rng = np.random.default_rng(3)
    apart = (20 * np.eye(12)[rng.choice(12, 4000)] + rng.normal(size=(4000, 12))).astype(np.float32)
    for X, most in ((apart, 700), (rng.normal(size=(4000, 12)).astype(np.float32), 1600)):
        compared.clear()
        nb.nearest_in_components(X, 5, exact_up_to=100)
        (judged, everyone), *of_lists = compared
        assert (judged, everyone) == (nb.JUDGED_CELLS, len(X))
        assert sum(cells for cells, _ in of_lists) == len(X)
        assert most - 100 <= max(others for _, others in of_lists) < most


@pytest.mark.parametrize("alike", [0, 1e-3], ids=["the same", "nearly the same"])
def test_cells_beside_thousands_that_are_alike_find_their_own(monkeypatch, alike):
    """The list, or the many lists, of those that are alike are nearer to the others than these to each other."""
    monkeypatch.setattr(nb, "COMPARED_CELLS", (600, 10**6))
    rng = np.random.default_rng(6)
    X = np.vstack([alike * rng.normal(size=(2000, 6)), rng.normal(size=(1000, 6))]).astype(np.float32)
    found, exact = (nb.nearest_in_components(X, 10, exact_up_to=n) for n in (100, len(X)))
    others = [len(set(a) & set(b)) / 10 for a, b in zip(exact[2000:], found[2000:])]
    assert np.mean(others) > 0.9


def test_values_that_are_not_finite_are_said():
    X = np.zeros((30, 3), dtype=np.float32)
    X[4, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        nb.nearest_in_components(X, 5)


@pytest.mark.parametrize("kinds", [1, 3])
def test_lists_of_cells_that_are_alike(lists, kinds):
    """On a one-hot panel all cells of a type are the same: most lists are empty, and some hold hundreds."""
    types = np.random.default_rng(4).choice(kinds, 1000)
    found = nb.nearest_in_components(np.eye(4, dtype=np.float32)[types], 10, exact_up_to=100)
    assert found.shape == (1000, 10)
    assert (types[found] == types[:, None]).all()
    assert (found != np.arange(1000)[:, None]).all()


def test_profile_is_the_mean_over_hops():
    chain = sp.csr_matrix(np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1))
    X = np.array([[0.0], [3.0], [6.0], [9.0]], dtype=np.float32)
    profile = neighbourhood_profile(X, chain, hops=2)
    np.testing.assert_allclose(profile[:, 0], [1.5, 3, 6, 7.5])
    np.testing.assert_allclose(profile[:, 1], [2.25, 3.5, 5.5, 6.75])


def test_profile_of_shares_is_their_square_root():
    chain = sp.csr_matrix(np.diag(np.ones(2), 1) + np.diag(np.ones(2), -1))
    types = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    mean = types.mean(axis=0)
    profile = neighbourhood_profile((types - mean).astype(np.float32), chain, 1, mean)
    np.testing.assert_allclose(profile, np.sqrt([[1 / 2, 1 / 2], [1 / 3, 2 / 3], [0, 1]]), atol=1e-6)
    np.testing.assert_allclose((profile**2).sum(axis=1), 1, rtol=1e-5)


def test_cell_without_neighbours_keeps_its_own_profile():
    lonely = sp.csr_matrix((3, 3), dtype=np.float32)
    X = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    np.testing.assert_array_equal(neighbourhood_profile(X, lonely, 1), X)
    np.testing.assert_allclose(np.asarray(smoothing_operator(lonely).sum(1)).ravel(), 1)


def test_exact_neighbours_are_those_of_scikit_learn(monkeypatch):
    """Also far from the origin, and where the last block is not full."""
    monkeypatch.setattr(nb, "ROWS", 64)
    X = np.random.default_rng(3).normal(loc=1e4, size=(300, 12)).astype(np.float32)
    expected = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(X - X.mean(0)).kneighbors(return_distance=False)
    np.testing.assert_array_equal(np.sort(nb.nearest_in_components(X, 6), 1), np.sort(expected, 1))


@pytest.mark.parametrize("n", [7, 300, 5_000])
@pytest.mark.parametrize("kinds", [2, 40, 10**6], ids="{} different values".format)
def test_smallest_values_are_those_of_a_sort(n, kinds):
    """Also where thousands are equal, as among cells of one type."""
    values = np.random.default_rng(5).integers(0, kinds, (30, n)).astype(np.float32)
    values[3] = 0
    np.testing.assert_array_equal(nb.smallest(values, 6), np.argsort(values, axis=1, kind="stable")[:, :6])


def test_cells_that_a_mean_is_worth():
    ring = sp.csr_matrix(np.roll(np.eye(50), 1, axis=1) + np.roll(np.eye(50), -1, axis=1))
    # one hop: three cells of a third; two hops: 1, 2, 3, 2, 1 ninths
    assert cells_averaged(ring, 2) == pytest.approx([3, 81 / 19], rel=1e-5)
