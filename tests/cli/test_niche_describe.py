"""``niche_describe.py``: from cohort.h5ad to tables, maps and report sections."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from published import inside
from report_helpers import make_cohort_object, write_cohort
from semanticst.plotting.section_axes import save

EXPECTED = {
    "niche_counts.csv": ["sample", "patient", "niche", "n_cells", "n_cells_sample"],
    "niche_markers.csv": [
        "niche", "modality", "feature", "symbol", "mean_in", "mean_out", "log2_fold_change", "score", "rank",
        "n_replicates",
    ],
    "niche_overview.csv": [
        "niche", "n_cells", "share", "n_samples", "n_patients", "stability", "markers", "cell_types",
    ],
    "niche_scores.csv": ["niche", "context", "mean", "sd"],
    "niche_contacts.csv": ["sample", "patient", "niche_a", "niche_b", "edges", "expected", "log2_ratio"],
    "niche_cell_types.csv": ["niche", "cell_type", "n_cells", "share", "share_all"],
    "niche_sample_cell_types.csv": ["sample", "patient", "niche", "cell_type", "n_cells"],
    "niche_patches.csv": ["sample", "patient", "niche", "n_cells", "n_patches"],
}  # fmt: skip
SECTIONS = (
    "composition",
    "markers",
    "markers_dots",
    "scores",
    "overview",
    "cell_types",
    "contacts",
    "stability",
)


def test_all_files(tmp_path):
    result = invoke("niche_describe", write_cohort(tmp_path), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    out = tmp_path / "out"
    for name, columns in EXPECTED.items():
        assert pd.read_csv(out / name).columns.tolist() == columns
    made = {path.name for path in out.iterdir()}
    assert made == {
        *EXPECTED, *(f"niche_{name}_mqc.json" for name in SECTIONS), "sample_overview_mqc.json", "maps",
    }  # fmt: skip
    maps = {path.name for path in (out / "maps").iterdir()}
    assert maps == {f"{s}.niches.{e}" for s in ("s1", "s2", "s3") for e in ("png", "pdf")} | {
        "niche_markers.png", "niche_markers.pdf",
    }  # fmt: skip


def test_reference_mode_has_numbered_graphs_and_no_stability(tmp_path):
    adata = make_cohort_object()
    adata.obsm["semantic_scores"] = np.full((adata.n_obs, 4), 0.25, dtype=np.float32)
    names = ["graph1", "graph2", "graph3", "graph4"]
    adata.uns["semanticst"] |= {"train_mode": "reference", "contexts": names}
    result = invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert sorted(pd.read_csv(tmp_path / "out" / "niche_scores.csv")["context"].unique()) == names
    assert not (tmp_path / "out" / "niche_stability_mqc.json").exists()
    assert "have a number only" in (tmp_path / "out" / "niche_scores_mqc.json").read_text()
    for name in ("sample_overview", "niche_overview"):
        assert "stability" not in json.loads((tmp_path / "out" / f"{name}_mqc.json").read_text())["headers"]


def test_the_table_of_niches_says_whether_they_come_back(tmp_path):
    adata = make_cohort_object()
    adata.obs["niche_jaccard"] = adata.obs["niche"].map({1: 0.9, 2: 0.75, 3: 0.3}).astype("float32")
    result = invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    table = json.loads((tmp_path / "out" / "niche_overview_mqc.json").read_text())
    assert [row["reading"] for row in table["data"].values()] == ["very high", "high", "not reproducible"]
    # as with --niche_bootstraps 0
    adata.obs["niche_jaccard"] = np.float32(np.nan)
    invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "none")
    headers = json.loads((tmp_path / "none" / "niche_overview_mqc.json").read_text())["headers"]
    assert not {"jaccard", "reading"} & set(headers)


@pytest.mark.parametrize("judged", [True, False])
def test_niches_whose_number_is_not_supported_are_called_cuts_however_often_they_come_back(tmp_path, judged):
    adata = make_cohort_object()
    if judged:
        adata.obs["niche_jaccard"] = np.float32(0.9)
    adata.uns["semanticst"]["niche_number_supported"] = False
    result = invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert pd.read_csv(tmp_path / "out" / "niche_overview.csv")["reading"].tolist() == ["arbitrary cut"] * 3
    table = json.loads((tmp_path / "out" / "niche_overview_mqc.json").read_text())
    assert [row["reading"] for row in table["data"].values()] == ["arbitrary cut"] * 3


@pytest.mark.parametrize("supported", [True, False])
def test_every_section_says_that_its_niches_are_arbitrary_cuts(tmp_path, supported, monkeypatch):
    dots = []

    def kept(figure, path, dpi):
        dots.append(figure)
        save(figure, path, dpi)

    monkeypatch.setattr("semanticst.describe.marker_dots.save", kept)
    adata = make_cohort_object()
    adata.obs["stability"] = np.float32(0.9)
    adata.obsm["X_pca_harmony"] = np.random.default_rng(0).normal(size=(adata.n_obs, 4)).astype("float32")
    adata.uns["semanticst"]["niche_number_supported"] = supported
    result = invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    told = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").glob("niche_*_mqc.json")}
    told = {name: section["description"] for name, section in told.items() if "description" in section}
    assert {f"niche_{name}_mqc.json" for name in ("tree", "markers", "stability", "composition")} <= set(told)
    for name, text in told.items():
        word = "Do not interpret these niches" if name == "niche_overview_mqc.json" else "are arbitrary cuts"
        assert (word in text) is not supported, name
    assert ("fewer niches would say nearly the same" in told["niche_tree_mqc.json"]) is supported
    assert [figure._suptitle is None for figure in dots] == [supported] * 2
    for path in (tmp_path / "out/maps").glob("*.niches.pdf"):
        words = b"".join(text for _, text in inside(path.name, path.read_bytes()))
        assert (b"arbitrary cuts, not to be interpreted" in words) is not supported


def test_gene_sets(tmp_path):
    (tmp_path / "sets.gmt").write_text("A\tx\tMARK1\tABSENT\nB\tx\tMARK2\n")
    options = ("--clinical-gene-sets", tmp_path / "sets.gmt", "--outdir", tmp_path / "out")
    result = invoke("niche_describe", write_cohort(tmp_path), *options)
    assert result.exit_code == 0, result.stderr
    assert "gene set A: 1 of 2 genes are in the cohort" in result.stderr
    table = pd.read_csv(tmp_path / "out" / "niche_gene_sets.csv")
    assert table.columns.tolist() == ["sample", "patient", "niche", "gene_set", "n_genes", "n_cells", "mean"]
    (tmp_path / "sets.gmt").write_text("A\n")
    assert invoke("niche_describe", write_cohort(tmp_path), *options).exit_code == 3


def test_the_input_is_not_touched_and_a_second_run_gives_the_same(tmp_path):
    cohort = write_cohort(tmp_path)
    before = cohort.read_bytes()
    for folder in ("a", "b"):
        assert invoke("niche_describe", cohort, "--outdir", tmp_path / folder).exit_code == 0
    assert cohort.read_bytes() == before
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_binary_features_give_differences_of_shares(tmp_path):
    cohort = write_cohort(tmp_path, kind="onehot")
    assert invoke("niche_describe", cohort, "--outdir", tmp_path).exit_code == 0
    table = pd.read_csv(tmp_path / "niche_markers.csv").set_index(["niche", "feature"])
    assert table.loc[(1, "MARK1"), "difference"] == 1
    assert table.loc[(2, "MARK1"), "difference"] == pytest.approx(-2 / 3)


def test_without_niches_or_positions_it_is_bad_input(tmp_path):
    adata = make_cohort_object(side=4)
    del adata.obs["niche"], adata.obsm["spatial"]
    result = invoke("niche_describe", write_cohort(tmp_path, adata), "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "2 problems in the input" in result.stderr
    assert "cohort.h5ad, column 'niche'" in result.stderr
    assert "obsm lacks 'spatial'" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_no_anndata_is_bad_input(tmp_path):
    (tmp_path / "cohort.h5ad").write_text("not HDF5")
    result = invoke("niche_describe", tmp_path / "cohort.h5ad", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "cohort.h5ad" in result.stderr
    assert "cannot be read" in result.stderr


def test_usage_errors(tmp_path):
    assert invoke("niche_describe", tmp_path / "absent.h5ad").exit_code == 2
    assert invoke("niche_describe", write_cohort(tmp_path), "--threads", -1).exit_code == 2
