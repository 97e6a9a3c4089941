"""Sizes, cell types and attention of niches, counted by hand."""

import numpy as np
import pytest

from report_helpers import make_cohort_object, write_cohort
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.composition import niche_cell_types, niche_counts, niche_overview, niche_scores
from semanticst.errors import BadInput


@pytest.fixture
def cohort(tmp_path):
    adata = make_cohort_object(samples={"s2": "p1", "s1": "p1", "s3": "p2"}, side=4)
    adata.obs.loc[(adata.obs["sample"] == "s3") & (adata.obs["niche"] == 3), "niche"] = 1
    adata.obsm["semantic_scores"][0] = [1.0, 0.0, 0.0]
    return read_cohort(write_cohort(tmp_path, adata))


def test_every_sample_has_every_niche(cohort):
    table = niche_counts(cohort)
    assert table.columns.tolist() == ["sample", "patient", "niche", "n_cells", "n_cells_sample"]
    assert table["sample"].tolist() == ["s1"] * 3 + ["s2"] * 3 + ["s3"] * 3
    assert table["patient"].tolist() == ["p1"] * 6 + ["p2"] * 3
    assert table["niche"].tolist() == [1, 2, 3] * 3
    assert table["n_cells"].tolist() == [8, 4, 4, 8, 4, 4, 12, 4, 0]
    assert set(table["n_cells_sample"]) == {16}


def test_cells_of_samples_without_types_are_of_none(tmp_path):
    adata = make_cohort_object(samples={"s1": "p1", "s2": "p2"}, side=4)
    types = adata.obs["cell_type"].astype(str)
    adata.obs["cell_type"] = types.where(adata.obs["sample"] != "s2", "")  # as assembled
    read = read_cohort(write_cohort(tmp_path, adata)).cells
    assert set(read.loc[read["sample"] == "s2", "cell_type"]) == {"not given"}
    assert "not given" not in set(read.loc[read["sample"] == "s1", "cell_type"])


def test_cell_types_of_a_niche_sum_to_one(cohort):
    table = niche_cell_types(cohort)
    np.testing.assert_allclose(table.groupby("niche")["share"].sum(), 1)
    niche_2 = table[table["niche"] == 2].set_index("cell_type")["share"]
    assert niche_2.to_dict() == {"B cell": 0.5, "Tumour, <b>bold</b>": 0.5, "T cell": 0.0}
    overall = table.drop_duplicates("cell_type").set_index("cell_type")["share_all"]
    assert overall["T cell"] == pytest.approx(0.5)
    # falling share within a niche
    assert table.groupby("niche")["share"].apply(lambda values: values.is_monotonic_decreasing).all()


def test_attention_is_averaged_over_cells(cohort):
    table = niche_scores(cohort)
    assert table.columns.tolist() == ["niche", "context", "mean", "sd"]
    assert table["context"].tolist() == ["spatial", "expression", "domain"] * 3
    first = table.iloc[0]
    # 28 cells of niche 1, one of which looks at space alone
    assert first["mean"] == pytest.approx((27 * 0.5 + 1) / 28)
    assert first["sd"] == pytest.approx(np.std([0.5] * 27 + [1.0]))
    assert table[table["niche"] == 2]["sd"].max() == pytest.approx(0, abs=1e-7)


def test_overview(cohort):
    table = niche_overview(cohort)
    assert table["n_cells"].tolist() == [28, 12, 8]
    assert table["n_samples"].tolist() == [3, 3, 2]
    assert table["n_patients"].tolist() == [2, 2, 1]
    # the four cells of s3 that moved from niche 3 keep their stability of 0.5
    assert table["stability"].tolist() == pytest.approx([(24 + 4 * 0.5) / 28, 1.0, 0.5])


def test_all_problems_of_an_object_are_named_at_once(tmp_path):
    adata = make_cohort_object(side=4)
    del adata.obs["niche"], adata.obs["patient"], adata.obsm["spatial"]
    adata.uns["semanticst"]["feature_type"] = "reads"
    with pytest.raises(BadInput) as bad:
        read_cohort(write_cohort(tmp_path, adata))
    text = str(bad.value)
    assert len(bad.value.problems) == 4
    assert "'niche'" in text
    assert "'patient'" in text
    assert "'spatial'" in text
    assert "'reads'" in text


@pytest.mark.parametrize("value", [0, -1, np.nan, 1.5])
def test_a_cell_without_a_niche_is_bad_input(tmp_path, value):
    adata = make_cohort_object(side=4)
    adata.obs["niche"] = adata.obs["niche"].astype(float)
    adata.obs.iloc[3, adata.obs.columns.get_loc("niche")] = value
    with pytest.raises(BadInput, match="1 cells have no niche"):
        read_cohort(write_cohort(tmp_path, adata))


def test_gaps_in_the_numbering_stay_visible(tmp_path):
    adata = make_cohort_object(side=4)
    adata.obs["niche"] = adata.obs["niche"].replace(2, 4).astype(int)
    cohort = read_cohort(write_cohort(tmp_path, adata))
    assert cohort.niches == [1, 2, 3, 4]
    assert niche_counts(cohort)["n_cells"].tolist() == [8, 0, 4, 4] * 3
    assert niche_overview(cohort).loc[2, "n_patients"] == 0
