"""Markers against answers worked out by hand."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from report_helpers import make_cohort_object, write_cohort
from semanticst.cohort import read_cohort as read_cohort_module
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe import markers
from semanticst.describe.markers import niche_markers
from semanticst.features.basis import transform


def by_hand(tmp_path, groups, kind="binary"):
    """Cohort from ``(sample, patient, niche, n_cells, values per feature)``; all cells of a group alike."""
    rows = [(s, p, k, values) for s, p, k, n, values in groups for _ in range(n)]
    obs = pd.DataFrame(
        {"sample": [r[0] for r in rows], "patient": [r[1] for r in rows], "niche": [r[2] for r in rows]},
        index=[str(i) for i in range(len(rows))],
    )
    values = np.array([r[3] for r in rows], dtype=np.float32)
    adata = ad.AnnData(
        sp.csr_matrix(values), obs=obs, var=pd.DataFrame(index=[f"F{j}" for j in range(values.shape[1])])
    )
    adata.obsm["spatial"] = np.random.default_rng(0).random((len(rows), 2))
    adata.uns["semanticst"] = {"feature_type": kind}
    return read_cohort(write_cohort(tmp_path, adata))


def row(table, niche, feature):
    return table[(table["niche"] == niche) & (table["feature"] == feature)].iloc[0]


def test_shares_are_averaged_over_patients_not_cells(tmp_path):
    # patient b has ten times the cells of patient a
    cohort = by_hand(
        tmp_path,
        [
            ("a1", "a", 1, 10, (1, 1)), ("a1", "a", 2, 10, (0, 0)),
            ("b1", "b", 1, 100, (1, 0)), ("b1", "b", 2, 100, (0, 0)),
        ],
    )  # fmt: skip
    table = niche_markers(cohort)
    first, second = row(table, 1, "F0"), row(table, 1, "F1")
    assert (first["mean_in"], first["mean_out"], first["difference"]) == (1, 0, 1)
    assert (second["mean_in"], second["difference"], second["n_replicates"]) == (0.5, 0.5, 2)
    # F0 differs by 1 in both patients (spread 0), F1 by 1 and 0 (spread 1/sqrt 2, the only one above 0: the floor)
    floor = 1 / np.sqrt(2)
    assert first["score"] == pytest.approx(1 / floor)
    assert second["score"] == pytest.approx(0.5 / (2 * floor))
    assert (first["rank"], second["rank"]) == (1, 2)
    assert row(table, 2, "F0")["difference"] == -1


def test_patients_with_few_cells_on_one_side_do_not_count(tmp_path):
    cohort = by_hand(
        tmp_path,
        [
            ("a1", "a", 1, 10, (1,)), ("a1", "a", 2, 10, (0,)),
            ("b1", "b", 1, 9, (0,)), ("b1", "b", 2, 50, (1,)),
        ],
    )  # fmt: skip
    found = row(niche_markers(cohort), 1, "F0")
    assert (found["difference"], found["n_replicates"]) == (1, 1)


def test_where_no_patient_has_enough_cells_all_are_pooled(tmp_path):
    cohort = by_hand(
        tmp_path, [("a1", "a", 1, 3, (1,)), ("a1", "a", 2, 3, (0,)), ("b1", "b", 1, 1, (0,)), ("b1", "b", 2, 3, (0,))]
    )
    found = row(niche_markers(cohort), 1, "F0")
    assert (found["mean_in"], found["difference"], found["n_replicates"]) == (0.75, 0.75, 1)


def test_samples_are_the_replicates_of_a_single_patient(tmp_path):
    groups = [(f"s{i}", "a", k, 10, (int(k == 1),)) for i in range(3) for k in (1, 2)]
    assert set(niche_markers(by_hand(tmp_path, groups))["n_replicates"]) == {3}


def test_the_only_niche_has_nothing_to_be_compared_with(tmp_path):
    table = niche_markers(by_hand(tmp_path, [("s", "a", 1, 20, (1, 0))]))
    assert np.isfinite(table[["mean_in", "mean_out", "difference", "score"]].to_numpy()).all()


def test_counts_are_scaled_to_the_median_depth(tmp_path):
    # depths 4 and 8, 20 cells each: median 6; F0 is half of a cell's counts in niche 1 and a quarter in niche 2
    cohort = by_hand(tmp_path, [("s", "a", 1, 20, (2, 2)), ("s", "a", 2, 20, (2, 6))], kind="counts")
    found = row(niche_markers(cohort), 1, "F0")
    assert found["mean_in"] == pytest.approx(np.log1p(3))
    assert found["mean_out"] == pytest.approx(np.log1p(1.5))
    assert found["log2_fold_change"] == pytest.approx(np.log2(3.1 / 1.6))
    assert found["score"] == pytest.approx(np.log(4 / 2.5))


def test_intensities_are_compared_on_one_scale(tmp_path):
    # typical sizes of F0: 10 in sample s, 30 in sample t, so c = 20; F1 is F0 in another unit
    groups = [("s", "a", 1, 30, (10, 0.1)), ("s", "a", 2, 10, (5, 0.05)),
              ("t", "b", 1, 30, (30, 0.3)), ("t", "b", 2, 10, (0, 0))]  # fmt: skip
    table = niche_markers(by_hand(tmp_path, groups, kind="continuous"))
    found = row(table, 1, "F0")
    assert found["mean_in"] == pytest.approx(np.arcsinh([0.5, 1.5]).mean())
    assert found["mean_out"] == pytest.approx(np.arcsinh([0.25, 0]).mean())
    assert found["difference"] == pytest.approx(found["mean_in"] - found["mean_out"])
    columns = ["mean_in", "mean_out", "difference", "score"]
    np.testing.assert_allclose(found[columns].tolist(), row(table, 1, "F1")[columns].tolist(), rtol=1e-5)


def test_empty_cells_stay_empty():
    scaled = transform(sp.csr_matrix([[0.0, 0.0], [1.0, 3.0]]), "counts", depth=8)
    np.testing.assert_allclose(scaled.toarray(), [[0, 0], [np.log1p(2), np.log1p(6)]], rtol=1e-6)


def test_readers_see_symbols_where_they_are_unique(tmp_path):
    adata = make_cohort_object()
    adata.var["symbol"] = ["CD3E", "TWICE", "TWICE", None, ""]
    table = niche_markers(read_cohort(write_cohort(tmp_path, adata))).drop_duplicates("feature").set_index("feature")
    names = {"MARK1": "CD3E", "MARK2": "MARK2", "MARK3": "MARK3", "FLAT": "FLAT", "NONE": "NONE"}
    assert table["symbol"].to_dict() == names


def test_planted_markers_come_first(tmp_path):
    table = niche_markers(read_cohort(write_cohort(tmp_path)))
    best = table[table["rank"] == 1].set_index("niche")["feature"]
    assert best.to_dict() == {1: "MARK1", 2: "MARK2", 3: "MARK3"}
    silent = table[table["feature"] == "NONE"]
    assert (silent[["mean_in", "mean_out", "log2_fold_change", "score"]] == 0).to_numpy().all()
    assert table.groupby("niche")["rank"].apply(list).map(sorted).tolist() == [[1, 2, 3, 4, 5]] * 3


@pytest.mark.parametrize("kind", ["counts", "onehot", "continuous"])
def test_blocks_do_not_change_the_result(tmp_path, monkeypatch, kind):
    cohort = read_cohort(write_cohort(tmp_path, make_cohort_object(kind=kind)))
    whole = niche_markers(cohort)
    monkeypatch.setattr(read_cohort_module, "_BLOCK", 7)
    pd.testing.assert_frame_equal(whole, niche_markers(cohort))


def test_features_are_never_dense_for_all_cells(tmp_path, monkeypatch):
    cohort = read_cohort(write_cohort(tmp_path))
    largest = []
    dense = sp.csr_matrix.toarray

    def watched(self, *args, **kwargs):
        largest.append(self.shape[0])
        return dense(self, *args, **kwargs)

    monkeypatch.setattr(sp.csr_matrix, "toarray", watched)
    markers.niche_markers(cohort)
    # patients x niches, not cells
    assert max(largest) == 6
