"""Contacts between niches against answers worked out by hand."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from report_helpers import make_cohort_object, write_cohort
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.contact_sections import border_proportions
from semanticst.describe.neighbourhood import count_edges, expected_edges, log2_ratio, neighbour_edges, niche_contacts


def edges_of(xy, k):
    first, second = neighbour_edges(np.asarray(xy, dtype=float), k)
    return sorted(zip(first.tolist(), second.tolist()))


def test_neighbours_are_joined_when_one_names_the_other():
    # 0 and 1 choose each other, 2 chooses 1, 3 chooses 2
    assert edges_of([(0, 0), (1, 0), (2.5, 0), (4.5, 0)], k=1) == [(0, 1), (1, 2), (2, 3)]


def test_small_and_single_sections():
    assert edges_of([(0, 0), (1, 0), (0, 1)], k=6) == [(0, 1), (0, 2), (1, 2)]
    assert edges_of([(0, 0)], k=6) == []


def test_cells_at_the_same_spot_are_neighbours_and_no_cell_is_its_own():
    edges = edges_of([(0, 0), (0, 0), (0, 0), (9, 9)], k=2)
    assert set(edges) >= {(0, 1), (0, 2), (1, 2)}
    assert all(a < b for a, b in edges)


def test_edges_are_counted_once_whatever_their_direction():
    niche = np.array([0, 0, 1, 2])
    counted = count_edges(niche, np.array([0, 1, 3]), np.array([1, 2, 2]), 3)
    assert counted.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_expectation_is_the_mean_over_all_permutations():
    first, second = np.array([0, 0, 1, 3]), np.array([1, 2, 2, 4])
    labels = (0, 0, 0, 1, 2)
    seen = [count_edges(np.array(order), first, second, 3) for order in permutations(labels)]
    expected = expected_edges(np.array([3, 1, 1]), n_edges=4)
    np.testing.assert_allclose(np.triu(expected), np.mean(seen, axis=0), atol=1e-12)
    # by hand: 4 edges, 5 cells: 4 * 3 * 2 / 20 within niche 1, 4 * 2 * 3 / 20 between 1 and 2
    assert expected[0, 0] == pytest.approx(1.2)
    assert expected[0, 1] == pytest.approx(1.2)
    assert expected[1, 1] == 0


def test_ratio_has_half_an_edge_on_both_sides_and_is_empty_where_nothing_can_touch():
    ratio = log2_ratio(np.array([3.5, 0, 0]), np.array([0.5, 1.5, 0]))
    np.testing.assert_allclose(ratio[:2], [2, -2])
    assert np.isnan(ratio[2])


def test_table_has_every_pair_of_every_sample(tmp_path):
    adata = make_cohort_object(samples={"s2": "p1", "s1": "p2"})
    # s1 has no niche 3
    adata.obs.loc[(adata.obs["sample"] == "s1") & (adata.obs["niche"] == 3), "niche"] = 2
    table = niche_contacts(read_cohort(write_cohort(tmp_path, adata)))
    assert table.columns.tolist() == ["sample", "patient", "niche_a", "niche_b", "edges", "expected", "log2_ratio"]
    assert table[["sample", "patient"]].drop_duplicates().to_numpy().tolist() == [["s1", "p2"], ["s2", "p1"]]
    pairs = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    assert list(zip(table["niche_a"], table["niche_b"])) == pairs * 2
    assert (table["niche_a"] <= table["niche_b"]).all()
    absent = table[(table["sample"] == "s1") & (table["niche_b"] == 3)]
    assert absent["log2_ratio"].isna().all()
    assert absent["edges"].sum() == 0
    own = table[(table["sample"] == "s2") & (table["niche_a"] == table["niche_b"])]
    assert (own["log2_ratio"] > 0.5).all()
    apart = table[(table["sample"] == "s2") & (table["niche_a"] != table["niche_b"])]
    assert (apart["log2_ratio"] < -0.5).all()
    # permuting labels only moves edges between pairs
    sums = table.groupby("sample")[["edges", "expected"]].sum()
    np.testing.assert_allclose(sums["edges"], sums["expected"])


def test_borders_say_which_niche_lies_beside_which():
    pairs = [(1, 1, 900), (1, 2, 30), (1, 3, 10), (2, 2, 500), (2, 3, 0), (3, 3, 200)]
    contacts = pd.DataFrame(pairs, columns=["niche_a", "niche_b", "edges"])
    found = border_proportions(pd.concat([contacts, contacts]))
    assert found.loc[1].tolist()[1:] == [0.75, 0.25]
    assert found.loc[2, 1] == 1
    assert found.loc[3, 2] == 0
    assert np.isnan(np.diag(found)).all()
