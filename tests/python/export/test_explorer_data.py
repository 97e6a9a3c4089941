"""What the explorer's data files hold, against the cohort that they were made from."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer_helpers import CONTRAST, GENE, SAMPLES, columns, handed_over, make_explorer
from export_helpers import HOSTILE
from helpers import ASSETS, invoke
from report_helpers import make_cohort_object
from semanticst.describe.readings import LEAST_EFFECT
from semanticst.export.explorer import build_explorer as builder
from semanticst.export.explorer.chosen_features import best_markers
from semanticst.export.explorer.clinical_variables import variables
from semanticst.export.explorer.quantise import codes_of, hundredths, levels_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_explorer(tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="module")
def about(made):
    return handed_over(made.folder / "data/cohort.js")


@pytest.mark.parametrize("sample", SAMPLES)
def test_cells_are_those_of_the_cohort(made, about, sample):
    section = next(s for s in about["sections"] if s["sample"] == sample)
    found = columns(made.folder / section["file"])
    truth = made.cells(sample).loc[found["ids"]]
    assert len(truth) == section["cells"] == section["shown"] == 144
    assert found["niche"].tolist() == truth["niche"].tolist()
    assert [about["types"][i] for i in found["type"]] == truth["cell_type"].tolist()
    for axis, corner in zip("xy", section["corner"]):
        assert np.abs(found[axis] * section["step"] + corner - truth[axis]).max() <= section["step"] / 2 + 1e-9
    for name in ("stability", "fit"):
        assert np.abs(found[name] / 100 - truth[name]).max() <= 0.005 + 1e-9
    for i, name in enumerate(about["contexts"]):
        assert np.abs(found[f"score{i}"] / 100 - truth[f"score_{name}"]).max() <= 0.005 + 1e-6
    for i, feature in enumerate(about["features"]):
        assert feature["exact"]
        assert np.array(feature["levels"])[found[f"feature{i}"]].tolist() == truth[feature["name"]].tolist()
    assert section["counts"] == np.bincount(truth["niche"], minlength=4)[1:].tolist()


def test_what_the_page_knows_of_the_cohort(about):
    assert [n["name"] for n in about["niches"]] == ["Niche 1", "Niche 2", "Niche 3"]
    assert [f["name"] for f in about["features"]] == [GENE, "MARK2", "MARK3"]
    assert about["variables"] == [
        {"name": "site", "kind": "text", "values": [HOSTILE, "b"]},
        {"name": "age", "kind": "number"},
        {"name": "group", "kind": "text", "values": ["a", "b"]},
    ]
    values = {s["sample"]: s["values"] for s in about["sections"]}
    assert values == {HOSTILE: [HOSTILE, 50, "a"], "s2": ["b", 50, "a"], "s3": ["b", 60, "b"], "s4": ["b", 70, "b"]}
    first, second = about["findings"]
    assert first["id"] == f"{CONTRAST}/1/proportion/a vs b"
    assert (first["p"], first["q"], first["found"], first["effect"]) == (0.004, 0.012, True, 1.25)
    assert (second["niche"], second["found"]) == (2, False)
    assert [bool(s["picture"]) for s in about["sections"]] == [s["sample"] == "s2" for s in about["sections"]]


def test_no_text_of_users_can_end_a_script(made):
    for path in (made.folder / "data").iterdir():
        assert "<" not in path.read_text(encoding="ascii")


def test_without_a_clinical_table_no_clinical_column_is_in_it(made, tmp_path):
    arguments = list(made.arguments)
    at = arguments.index("--clinical")
    del arguments[at : at + 2]
    assert invoke("explorer_build", *arguments, "--outdir", tmp_path).exit_code == 0
    found = handed_over(tmp_path / "data/cohort.js")
    assert [v["name"] for v in found["variables"]] == ["site"]
    assert "70" not in str([s["values"] for s in found["sections"]])


@pytest.mark.parametrize(
    ("choice", "expected"), [("none", []), ("FLAT", ["FLAT"]), ("FLAT, markers", ["FLAT", GENE, "MARK2", "MARK3"])]
)
def test_features_are_chosen(made, tmp_path, choice, expected):
    result = invoke("explorer_build", *made.arguments, "--explorer-genes", choice, "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert [f["name"] for f in handed_over(tmp_path / "data/cohort.js")["features"]] == expected


def test_markers_of_the_explorer_have_the_effects_that_the_overview_names(tmp_path, monkeypatch):
    monkeypatch.setitem(LEAST_EFFECT, "ratio", 1.5)
    (tmp_path / "markers.csv").write_text("niche,feature,rank,ratio\n1,A,1,2\n1,B,2,-1\n2,C,1,3\n")
    assert best_markers(tmp_path / "markers.csv", {name: name for name in "ABC"}) == ["A", "C"]


def test_a_feature_that_no_sample_has_is_bad_input(made, tmp_path):
    result = invoke("explorer_build", *made.arguments, "--explorer-genes", "markers,flat", "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "'flat'" in result.stderr
    assert "did you mean FLAT?" in result.stderr


def test_large_sections_are_thinned_and_it_is_said(made, tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "MOST_CELLS", 100)
    result = invoke("explorer_build", *made.arguments, "--outdir", tmp_path)
    assert "shown with 100 cells drawn at random" in result.stderr
    found = handed_over(tmp_path / "data/cohort.js")["sections"][0]
    assert (found["cells"], found["shown"], sum(found["counts"])) == (144, 100, 144)
    assert len(columns(tmp_path / found["file"])["ids"]) == 100


def test_the_same_cohort_gives_the_same_bytes(made, tmp_path):
    assert invoke("explorer_build", *made.arguments, "--outdir", tmp_path).exit_code == 0
    for path in sorted(p for p in made.folder.rglob("*") if p.is_file()):
        assert path.read_bytes() == (tmp_path / path.relative_to(made.folder)).read_bytes()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=600))
def test_values_come_back_as_near_as_levels_are(values):
    values = np.array(values, np.float32)
    levels = levels_of(values)
    back = levels.table[codes_of(values, levels)]
    if levels.exact:
        assert np.array_equal(back, values)
    else:
        distance = np.abs(values[:, None] - levels.table[None, :]).min(axis=1)
        assert np.allclose(np.abs(back - values), distance)


def test_fractions_that_are_not_known():
    assert hundredths(np.array([0.0, 0.005, 1.0, np.nan])).tolist() == [0, 0, 100, 255]


def test_variables_that_sort_nothing_are_left_out(tmp_path):
    n = 25
    sheet = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(n)], "patient": [f"p{i}" for i in range(n)], "path": "x", "same": "y"}
    )
    sheet["code"], sheet["depth"] = [f"code {i}" for i in range(n)], [*range(n - 1), ""]
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    found, values = variables(tmp_path / "sheet.csv", None)
    assert found == [{"name": "depth", "kind": "number"}]
    assert values["s3"] == [3.0]
    assert values["s24"] == [None]


def test_proteins_beside_genes_where_they_were_measured(tmp_path):
    """A protein with the name of a gene says what it is; sections without proteins have no value."""
    adata = make_cohort_object(samples={"s1": "p1", "s2": "p2"})
    measured = (adata.obs["sample"] == "s1").to_numpy()
    values = np.random.default_rng(0).gamma(2, 5, (adata.n_obs, 2)).astype(np.float32)
    values[~measured] = np.nan
    adata.obsm["protein"] = values
    adata.uns["semanticst"] |= {"protein_names": ["CD3", "MARK1"], "protein_type": "continuous"}
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    sheet = pd.DataFrame({"sample": ["s1", "s2"], "patient": ["p1", "p2"]})
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    options = ("--page", ASSETS / "explorer", "--samplesheet", tmp_path / "sheet.csv", "--outdir", tmp_path / "out")
    chosen = ("--explorer-genes", "CD3,MARK1,MARK1 (protein)")
    result = invoke("explorer_build", tmp_path / "cohort.h5ad", *options, *chosen)
    assert result.exit_code == 0, result.stderr
    features = handed_over(tmp_path / "out/data/cohort.js")["features"]
    kinds = [("CD3", "protein"), ("MARK1", "counts"), ("MARK1 (protein)", "protein")]
    assert [(f["name"], f["kind"]) for f in features] == kinds
    first, second = (columns(tmp_path / f"out/data/section_000{i}.js") for i in (1, 2))
    assert (second["feature0"] == 255).all()
    assert (second["feature1"] < 255).all()
    truth = adata[measured].obs.assign(value=values[measured, 1]).set_index("cell_id")["value"]
    levels = np.array(features[2]["levels"])
    near = np.abs(levels[first["feature2"]] - truth[first["ids"]].to_numpy())
    assert near.max() <= np.diff(levels).max() / 2 + 1e-3
