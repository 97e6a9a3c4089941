"""What rare tissue is made of: markers and cell types of each kind, against all other cells."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from report_helpers import make_cohort_object, write_cohort
from semanticst.cohort.read_cohort import read_cohort
from semanticst.describe.rare_markers import rare_tissue_markers, rare_tissue_overview, report_rare_markers

CELLS = 144
"""Of each of the three samples s1, s2 (of p1) and s3 (of p2)."""


def with_rare_tissue(kinds=("1", "2"), n=15):
    """A cohort with ``n`` cells of each kind in s1 and s3; MARK2 is high in the first kind and ``FLAT`` in the second.

    They lie in niche 1, whose cells are T cells; those of the first kind are called ``Rare <i>cell</i>``. Of s2 no kind
    is known, as of a sample of a validation.
    """
    adata = make_cohort_object()
    kind = np.zeros(adata.n_obs, dtype=int)
    X, types = adata.X.toarray(), adata.obs["cell_type"].astype(object).to_numpy()
    for first in (0, 2 * CELLS):
        for place, name in enumerate(kinds):
            rows = slice(first + place * n, first + (place + 1) * n)
            kind[rows] = int(name)
            X[rows, 1 if name == "1" else 3] += 60
            types[rows] = "Rare <i>cell</i>" if name == "1" else types[rows]
    adata.X, adata.obs["cell_type"] = type(adata.X)(X), types
    known = pd.Series(kind.astype(str), adata.obs_names).where((adata.obs["sample"] != "s2").to_numpy())
    adata.obs["rare_tissue"] = pd.Categorical(known, ["0", *kinds])
    return adata


def test_each_kind_is_compared_with_all_other_cells(tmp_path):
    cohort = read_cohort(write_cohort(tmp_path, with_rare_tissue()))
    markers = rare_tissue_markers(cohort)
    best = markers[markers["rank"] == 1].set_index("rare_tissue")
    assert best["symbol"].to_dict() == {1: "MARK2", 2: "FLAT"}
    assert best["n_replicates"].tolist() == [2, 2]
    assert best.columns[0] == "modality"
    table = rare_tissue_overview(cohort, markers).set_index("rare_tissue")
    assert table["n_cells"].tolist() == [30, 30]
    assert table[["n_samples", "n_patients"]].to_numpy().tolist() == [[2, 2], [2, 2]]
    assert table["markers"].str.split(", ").str[0].tolist() == ["MARK2", "FLAT"]
    assert table["cell_types"].tolist() == ["Rare <i>cell</i> 100 %", "T cell 100 %"]


def test_one_kind_is_no_each(tmp_path):
    cohort = read_cohort(write_cohort(tmp_path, with_rare_tissue(("1",))))
    report_rare_markers(tmp_path, cohort, rare_tissue_markers(cohort))
    text = json.loads((tmp_path / "rare_tissue_markers_mqc.json").read_text())["description"]
    assert text == (
        "1 kind, compared with all other cells of the same patient. Markers are higher inside; best first, as those of "
        "niches are ranked. All features, with their fold change: <code>niches/rare_tissue_markers.csv</code>. Rare "
        "tissue was found by these same values, therefore no p-values are given; and some of what is higher lies in "
        "the cells around it."
    )


def test_few_cells_of_each_patient_are_pooled_and_the_log_calls_them_by_their_name(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    markers = rare_tissue_markers(read_cohort(write_cohort(tmp_path, with_rare_tissue(("1",), n=6))))
    assert markers["n_replicates"].unique().tolist() == [1]
    assert "no replicate has 10 cells inside and outside rare tissue 1, all are pooled" in caplog.text


def test_the_step_writes_table_and_section(tmp_path):
    result = invoke("niche_describe", write_cohort(tmp_path, with_rare_tissue()), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(tmp_path / "out/rare_tissue_markers.csv")
    assert table.columns.tolist() == [
        "rare_tissue", "modality", "feature", "symbol", "mean_in", "mean_out", "log2_fold_change", "score", "rank",
        "n_replicates",
    ]  # fmt: skip
    section = json.loads((tmp_path / "out/rare_tissue_markers_mqc.json").read_text())
    assert section["description"].startswith("2 kinds, each compared with all other cells of the same patient.")
    assert list(section["data"]) == ["1", "2"]
    rows = list(section["data"].values())
    assert [(row["n_cells"], row["n_patients"]) for row in rows] == [(30, 2), (30, 2)]
    assert rows[0]["cell_types"] == "Rare &lt;i&gt;cell&lt;/i&gt; 100 %"
    assert list(section["headers"]) == ["n_cells", "n_samples", "n_patients", "cell_types", "markers"]


@pytest.mark.parametrize("kinds", [None, "0"])
def test_nothing_is_written_where_there_is_none(tmp_path, kinds):
    adata = make_cohort_object()
    if kinds is not None:
        adata.obs["rare_tissue"] = pd.Categorical([kinds] * adata.n_obs)
    cohort = read_cohort(write_cohort(tmp_path, adata))
    assert rare_tissue_markers(cohort) is None
    assert invoke("niche_describe", cohort.path, "--outdir", tmp_path / "out").exit_code == 0
    assert not list((tmp_path / "out").glob("rare*"))
