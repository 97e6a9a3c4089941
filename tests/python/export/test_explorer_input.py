"""What the explorer and the exports do with files that cannot be used: every problem told, and nothing half written."""

import json
import shutil

import h5py
import numpy as np
import pytest

from explorer_helpers import columns, handed_over, make_explorer, record
from export_helpers import write_cohort_with_ids, write_samples
from helpers import ASSETS, invoke
from semanticst.association.checks.arbitrary_cuts import ARBITRARY
from semanticst.association.checks.unreproducible import UNREPRODUCIBLE
from semanticst.association.design.tables import read_text_table
from semanticst.association.output.summary_text import top_markers_text
from semanticst.errors import BadInput
from semanticst.export.explorer.listed_findings import read_findings
from semanticst.writing import together


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_explorer(tmp_path_factory.mktemp("explorer"))


def build(made, tmp_path, **instead):
    """Build with some files in place of those of ``made``; the folder must stay empty when that fails."""
    arguments = list(made.arguments)
    for name, value in instead.items():
        if name == "cohort":
            arguments[0] = value
        else:
            arguments[arguments.index(f"--{name}") + 1] = value
    result = invoke("explorer_build", *arguments, "--outdir", tmp_path / "out")
    if result.exit_code:
        assert list((tmp_path / "out").iterdir()) == []
    return result


MARKERS = "niche,feature,symbol,log2_fold_change,rank\n1,FLAT,FLAT,1.5,1\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("niche_markers.csv", MARKERS.replace("rank", "place"), "row 1, column 'rank': this column must exist"),
        ("niche_markers.csv", MARKERS.replace("log2_fold_change", "x"), "column 'log2_fold_change': this column must"),
        (
            "niche_markers.csv",
            MARKERS.replace("1.5", "high"),
            "column 'log2_fold_change': found 'high': a number",
        ),
        ("niche_markers.csv", MARKERS.replace(",1\n", ",first\n"), "row 2, column 'rank': found 'first': a number"),
        ("niche_markers.csv", "", "the file is empty"),
        ("niche_overview.csv", "number,markers\n1,A\n", "row 1, column 'niche': this column must exist"),
        ("niche_overview.csv", "niche,markers\none,A\n", "row 2, column 'niche': found 'one': a number is expected"),
        ("niche_overview.csv", "niche,markers\n1.5,A\n", "found '1.5': the number of a niche is expected"),
        ("niche_overview.csv", b"niche,markers\n1,\xff\xfe\n", "row 2: not UTF-8 text"),
    ],
)
def test_tables_of_niches(made, tmp_path, name, text, said):
    described = tmp_path / "described"
    described.mkdir()
    (described / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    result = build(made, tmp_path, described=described)
    assert result.exit_code == 3, result.stderr
    assert f"{name}" in result.stderr
    assert said in result.stderr


PLACE = {"sample": "s2", "file": "s2.jpg", "x": 0, "y": 0, "width": 60, "height": 60, "units_per_px": 2.0}


@pytest.mark.parametrize(
    ("about", "picture", "said"),
    [
        ("{", True, "s2.json: is no place of a picture (JSONDecodeError"),
        ("[1]", True, "s2.json: is no place of a picture (TypeError"),
        ({k: v for k, v in PLACE.items() if k != "width"}, True, "KeyError: 'width'"),
        (PLACE | {"x": "left"}, True, "could not convert string to float: 'left'"),
        (PLACE | {"x": float("nan")}, True, "no place"),
        (PLACE | {"units_per_px": 0}, True, "no place"),
        (PLACE, False, "found 's2.jpg': the picture is not there"),
        (PLACE, b"not a picture", "found 's2.jpg': the picture is no JPEG or PNG file"),
    ],
)
def test_pictures_of_the_tissue(made, tmp_path, about, picture, said):
    thumbnails = tmp_path / "thumbnails"
    thumbnails.mkdir()
    (thumbnails / "s2.json").write_text(about if isinstance(about, str) else json.dumps(about))
    if picture:
        (thumbnails / "s2.jpg").write_bytes(picture if isinstance(picture, bytes) else b"\xff\xd8\xff")
    result = build(made, tmp_path, thumbnails=thumbnails)
    assert result.exit_code == 3, result.stderr
    assert said in result.stderr


def test_pictures_under_the_maps(made, tmp_path):
    """The step of the maps reads the same files, before it writes anything."""
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "s2.json").write_text("{")
    (tmp_path / "thumbnails" / "s3.json").write_text(json.dumps(PLACE | {"file": "none.jpg"}))
    options = ("--thumbnails", tmp_path / "thumbnails", "--outdir", tmp_path / "out")
    result = invoke("niche_describe", made.arguments[0], *options)
    assert result.exit_code == 3, result.stderr
    assert "2 problems" in result.stderr
    assert "s2.json: is no place of a picture" in result.stderr
    assert "s3.json: found 'none.jpg': the picture is not there" in result.stderr


def test_a_sample_of_another_step(tmp_path):
    (sample,) = write_samples(tmp_path, {"s1": {}})
    with h5py.File(sample, "r+") as file:
        del file["uns/semanticst/sample"]
    result = invoke("export_write", write_cohort_with_ids(tmp_path), sample, "--outdir", tmp_path / "out")
    assert result.exit_code == 3, result.stderr
    assert "s1.qc.h5ad: not a sample that sample_qc.py wrote ('sample')" in result.stderr


def test_a_picture_without_its_place_is_told(made, tmp_path):
    thumbnails = tmp_path / "thumbnails"
    thumbnails.mkdir()
    (thumbnails / "s9.jpg").write_bytes(b"\xff\xd8\xff")
    result = build(made, tmp_path, thumbnails=thumbnails)
    assert result.exit_code == 0
    assert "not shown, since no .json says where they lie: s9.jpg" in result.stderr


def test_a_page_that_is_none(made, tmp_path):
    file, empty, part = tmp_path / "page.html", tmp_path / "empty", tmp_path / "part"
    file.touch()
    empty.mkdir()
    part.mkdir()
    shutil.copy(ASSETS / "explorer" / "index.html", part)
    said = {file: "is no folder", empty: "has no index.html", part: "draw.js is missing there"}
    for page, words in said.items():
        result = build(made, tmp_path, page=page)
        assert result.exit_code == 3, result.stderr
        assert words in result.stderr
        assert "give assets/explorer of the pipeline" in result.stderr


def change(**row):
    return record() | {"rows": [record()["rows"][0] | row]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        (record() | {"rows": [{"p": 1}]}, "a test without niche, feature, comparison"),
        (record() | {"found": [{"niche": "1"}]}, "a test without feature, comparison"),
        (change(p="small"), "could not convert string to float: 'small'"),
        (change(effect="up"), "could not convert string to float: 'up'"),
        (change(niche="9"), "niche 9 is not among the 3 of the cohort: of another run?"),
    ],
)
def test_records_of_contrasts(made, tmp_path, content, said):
    folder = tmp_path / "associations"
    folder.mkdir()
    (folder / "c.association.json").write_text(content if isinstance(content, str) else json.dumps(content))
    result = build(made, tmp_path, associations=folder)
    assert result.exit_code == 3, result.stderr
    assert "c.association.json: cannot be read" in result.stderr
    assert said in result.stderr


def test_an_interval_without_an_end(made, tmp_path):
    folder = tmp_path / "associations"
    folder.mkdir()
    (folder / "c.association.json").write_text(json.dumps(change(ci_high=float("inf"), effect=float("nan"))))
    assert build(made, tmp_path, associations=folder).exit_code == 0
    (finding,) = handed_over(tmp_path / "out/data/cohort.js")["findings"]
    assert (finding["effect"], finding["ci_low"], finding["ci_high"]) == (None, 0.5, None)


@pytest.mark.parametrize(("warning", "said"), [
    (UNREPRODUCIBLE, "Not to be interpreted: niche of low reproducibility with other patients."),
    (ARBITRARY, "Not to be interpreted: number of niches not supported by the tissue: a test of arbitrary cuts."),
    ("few patients", ""),
])  # fmt: skip
def test_findings_of_niches_that_mean_nothing_are_marked(tmp_path, warning, said):
    file = tmp_path / "c.association.json"
    file.write_text(json.dumps(change(warnings=f"{warning}; another")))
    (finding,) = read_findings([file], 3)
    assert finding["caveat"] == said


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("samplesheet", "sample,patient\ns2,p1\ns2,p1\n", "row 3, column 'sample': found 's2': this sample has a row"),
        ("samplesheet", "sample,patient\ns2,p1\n", "found 's4': this sample of the cohort has no row"),
        ("samplesheet", "sample\ns2\n", "column 'patient': this column must exist"),
        ("samplesheet", "", "cannot be read as a table"),
        ("clinical", "patient,age\np1,50\np1,60\n", "patient p1 has several values"),
        ("clinical", b"patient,age\np1,\xff\n", "cannot be read as a table"),
    ],
)
def test_tables_of_samples_and_patients(made, tmp_path, option, text, said):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = build(made, tmp_path, **{option: path})
    assert result.exit_code == 3, result.stderr
    assert said in result.stderr


@pytest.mark.parametrize(("choice", "code", "said"), [
    ("", 0, "4 sections, 0 features"), (" ", 0, "4 sections, 0 features"), (",", 3, "holds no name"),
    ("none,FLAT", 3, "none stands alone"),
])  # fmt: skip
def test_a_list_of_features_that_names_none(made, tmp_path, choice, code, said):
    result = invoke("explorer_build", *made.arguments, "--explorer-genes", choice, "--outdir", tmp_path)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr


def test_an_explorer_takes_the_place_of_an_earlier_one(made, tmp_path):
    """Sections that are no longer in the cohort go, and what is somebody else's stays."""
    data = tmp_path / "out" / "data"
    data.mkdir(parents=True)
    for name in ("section_0004.js", "section_0005.js", "picture_0007.js", "mine.js"):
        (data / name).write_text("earlier")
    result = build(made, tmp_path)
    assert result.exit_code == 0
    assert "2 data files of an earlier explorer removed" in result.stderr
    assert {p.name for p in data.iterdir()} == {
        "cohort.js", "mine.js", "picture_0002.js", *(f"section_000{i}.js" for i in range(1, 5))
    }  # fmt: skip
    assert handed_over(data / "section_0004.js")["number"] == 4
    assert not list((tmp_path / "out").glob(".partial*"))


@pytest.mark.parametrize("ids", [["a\nb", "c", "", "d\r\n"], ["ab\nc", "defg"], ["", ""], ["\u00e9\u2028x", '"\\']])
def test_ids_hold_any_sign(made, tmp_path, ids):
    cohort = made.cohort.copy()
    cohort.obs["cell_id"] = [ids[i % len(ids)] for i in range(cohort.n_obs)]
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    assert build(made, tmp_path, cohort=tmp_path / "cohort.h5ad").exit_code == 0
    own = cohort[(cohort.obs["sample"] == "s2").to_numpy()]
    found = columns(tmp_path / "out/data/section_0002.js")
    about = handed_over(tmp_path / "out/data/cohort.js")["sections"][1]
    assert about["sample"] == "s2"
    place = np.column_stack([about["corner"][k] + about["step"] * found[axis] for k, axis in enumerate("xy")])
    truth = {tuple(xy): name for xy, name in zip(own.obsm["spatial"].tolist(), own.obs["cell_id"])}
    assert {tuple(xy): name for xy, name in zip(place.round().tolist(), found["ids"])} == truth


def test_exports_appear_together(tmp_path):
    """The file of the last sample is missing: nothing of the others is left, and what was there stays."""
    cohort, out = write_cohort_with_ids(tmp_path), tmp_path / "out"
    samples = write_samples(tmp_path, {"s1": {}, "s2": {}})
    switches = ("--export-spatialdata", "--export-tissuumaps", "--outdir", out)
    result = invoke("export_write", cohort, *samples, *switches)
    assert result.exit_code == 3
    assert list(out.iterdir()) == []
    samples = write_samples(tmp_path, {"s1": {}, "s2": {}, "s3": {}})
    (out / "qupath").mkdir()
    (out / "qupath" / "s0.niches.geojson").touch()
    (out / "spatialdata" / "s1.zarr" / "old").mkdir(parents=True)
    result = invoke("export_write", cohort, *samples, *switches)
    assert result.exit_code == 0, result.stderr
    assert "qupath also holds 1 files that this cohort did not write (first: s0.niches.geojson)" in result.stderr
    assert sorted(p.name for p in out.iterdir()) == ["qupath", "spatialdata", "tissuumaps"]
    assert not (out / "spatialdata" / "s1.zarr" / "old").exists()
    assert len(list((out / "tissuumaps").iterdir())) == 6


def test_cells_without_a_place_are_told(made, tmp_path):
    cohort = made.cohort.copy()
    cohort.obsm["spatial"][[3, 5], 1] = np.nan
    cohort.write_h5ad(tmp_path / "cohort.h5ad")
    result = build(made, tmp_path, cohort=tmp_path / "cohort.h5ad")
    assert result.exit_code == 3, result.stderr
    assert "2 cells have no place in obsm['spatial']: two numbers are expected" in result.stderr


def test_names_of_niches_that_are_not_there(made, tmp_path):
    names = tmp_path / "names.csv"
    names.write_text("niche,name\n1,Tumour\n9,Stroma\n")
    samples = write_samples(tmp_path, {"s1": {}, "s2": {}, "s3": {}})
    for command, *arguments in (
        ("explorer_build", *made.arguments),
        ("export_write", write_cohort_with_ids(tmp_path), *samples),
    ):
        result = invoke(command, *arguments, "--niche-names", names, "--outdir", tmp_path / "out")
        assert result.exit_code == 3, result.stderr
        assert "there is no such niche; this run has 1 to 3" in result.stderr
        assert list((tmp_path / "out").iterdir()) == []


def test_markers_that_no_table_tells(made, tmp_path):
    result = build(made, tmp_path, described=made.folder)
    assert result.exit_code == 0, result.stderr
    assert "markers are not shown: no niche_markers.csv" in result.stderr
    assert "4 sections, 0 features" in result.stderr


def test_exports_with_all_formats_off(tmp_path):
    off = [f"--no-export-{name}" for name in ("xenium-explorer", "loupe", "qupath")]
    (sample,) = write_samples(tmp_path, {"s1": {}})
    result = invoke("export_write", write_cohort_with_ids(tmp_path), sample, *off, "--outdir", tmp_path / "out")
    assert result.exit_code == 2
    assert "all formats are switched off" in result.stderr


def test_a_folder_is_filled_at_once(tmp_path):
    (tmp_path / "kept").write_text("before")

    def fill():
        with together(tmp_path) as folder:
            (folder / "kept").write_text("after")
            (folder / "gone").read_text()

    with pytest.raises(FileNotFoundError):
        fill()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"kept": "before"}
    with together(tmp_path) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "new").write_text("after")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["kept", "new", "sub"]


def test_tables_that_are_none_are_bad_input_everywhere(tmp_path):
    (tmp_path / "m.csv").write_text("niche,symbol,log2_fold_change,rank\n1,A,high,1\n")
    with pytest.raises(BadInput, match="row 2, column 'log2_fold_change': found 'high': a number is expected"):
        top_markers_text(tmp_path / "m.csv")
    for text in (b"", b"\xff\xfe\xfa", b'a,b\n"x,y\n', b"a\n1,2\n3,4,5\n"):
        (tmp_path / "t.csv").write_bytes(text)
        with pytest.raises(BadInput, match="cannot be read as a table"):
            read_text_table(tmp_path / "t.csv", ())
