"""Several samples from one folder or file: which cells are whose."""

import json
import unicodedata
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import invoke, make_sample
from semanticst.errors import ReadError
from semanticst.io.internal import read_sample
from semanticst.io.read_check import look_at_samples
from semanticst.io.readers import unpacking_limit
from semanticst.io.regions.outlines import read_outlines, read_selection
from semanticst.io.regions.section_parts import cells_of, part_of, same_cells, with_categories
from semanticst.io.understood import in_a_line

LEFT_HALF = [[0, 0], [50, 0], [50, 100], [0, 100], [0, 0]]


@pytest.fixture
def cells():
    """Ids, columns and positions of 100 cells, ten by ten, 10 um apart, in four fields."""
    y, x = np.divmod(np.arange(100), 10)
    ids = pd.Index([f"c{i}" for i in range(100)], dtype=object)
    obs = pd.DataFrame({"fov": 1 + 2 * (y >= 5) + (x >= 5), "Core ID": np.where(x < 5, "A-1", "B-1")}, index=ids)
    return ids, obs, np.column_stack([x, y]) * 10.0 + 2


def chosen(section, um_per_unit=1.0, **row):
    ids, obs, points = section
    return ids[cells_of(part_of({key: str(value) for key, value in row.items()}), ids, obs, points, um_per_unit)]


def outline(file, ring, name=None):
    properties = {"classification": {"name": name}} if name else {}
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return file


@pytest.mark.parametrize(("fovs", "expected"), [("1", {1}), ("1-3", {1, 2, 3}), ("2; 4", {2, 4}), ("001;3.0", {1, 3})])
def test_fields_of_view(cells, fovs, expected):
    assert set(cells[1].loc[chosen(cells, fovs=fovs), "fov"]) == expected


def test_values_of_a_column_whose_name_is_spelled_freely(cells):
    assert set(cells[1].loc[chosen(cells, part_column="core_id", part_value="A-1"), "Core ID"]) == {"A-1"}
    assert len(chosen(cells, part_column="Core ID", part_value="A-1;B-1")) == 100


@pytest.mark.parametrize("stored", [bool, str, int, "boolean", "category"])
@pytest.mark.parametrize("written", ["True", "TRUE", "true", "1"])
def test_truth_values_are_found_however_they_are_spelled(cells, stored, written):
    ids, obs, points = cells
    left = obs["Core ID"] == "A-1"
    section = ids, with_categories(obs.assign(tumour=left.astype(stored)), []), points
    assert set(chosen(section, part_column="tumour", part_value=written)) == set(ids[left])
    named = part_of({"part_column": "tumour", "part_value": written})
    categories = with_categories(section[1], [named])
    assert set(chosen((ids, categories, points), part_column="tumour", part_value=written)) == set(ids[left])
    with pytest.raises(ReadError, match="no cell has maybe; values of tumour in the input: False, True"):
        chosen(section, part_column="tumour", part_value="maybe")


@pytest.mark.parametrize(
    "text", ["cell_id\nc1\nc7\n", "c1\nc7\n", "#Selection name: Core 1\n#Area: 12\nCell ID,Transcripts\nc1,5\nc7,8\n"]
)
def test_ids_of_cells(tmp_path, cells, text):
    (tmp_path / "core.csv").write_text(text)
    assert list(chosen(cells, cells=tmp_path / "core.csv")) == ["c1", "c7"]


def test_outline_of_xenium_explorer_and_of_qupath(tmp_path, cells):
    corners = "".join(f"{x},{y}\n" for x, y in LEFT_HALF)
    (tmp_path / "core.csv").write_text("#Selection name: Core 1\n#Area (µm^2): 5000\nX,Y\n" + corners)
    in_pixels = [[x / 0.5, y / 0.5] for x, y in LEFT_HALF]
    left = set(cells[1].index[cells[1]["Core ID"] == "A-1"])
    assert set(chosen(cells, cells=tmp_path / "core.csv")) == left
    assert set(chosen(cells, cells=outline(tmp_path / "um.geojson", LEFT_HALF))) == left
    drawn = outline(tmp_path / "px.geojson", in_pixels)
    assert set(chosen(cells, cells=drawn, outline_um_per_px=0.5)) == left
    assert set(chosen(cells, um_per_unit=0.25, cells=drawn, outline_um_per_px=0.125)) == left


def test_a_hole_is_outside(tmp_path, cells):
    hole = [[11, 11], [33, 11], [33, 33], [11, 33], [11, 11]]
    geometry = {"type": "Polygon", "coordinates": [LEFT_HALF, hole]}
    (tmp_path / "ring.geojson").write_text(json.dumps({"type": "Feature", "geometry": geometry}))
    assert len(chosen(cells, cells=tmp_path / "ring.geojson")) == 50 - 9


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"fovs": "1;9"}, "no cell has 9; fields of view (column fov) in the input: 1, 2, 3, 4"),
        ({"fovs": "7-3"}, "from the lower to the higher"),
        ({"part_column": "Core ID", "part_value": "C-1"}, "no cell has C-1; values of Core ID in the input: A-1, B-1"),
        ({"part_column": "image", "part_value": "1"}, "no such column; columns: fov, Core ID"),
        ({"part_column": "image"}, "part_column is given without part_value"),
        ({"fovs": "1", "part_column": "a", "part_value": "b"}, "named by fovs and by part_column"),
    ],
)
def test_what_is_no_part(cells, row, message):
    with pytest.raises(ReadError) as raised:
        chosen(cells, **row)
    assert message in str(raised.value)


def test_what_is_no_selection(tmp_path, cells):
    for name, text, message in [
        ("a.csv", "", "is empty"),
        ("b.csv", "gene,count\nA,1\n", "neither a column of ids"),
        ("c.csv", "cell_id\nx1\nx2\n", "none of its 2 ids is a cell (x1, cells are called c0)"),
        ("d.csv", "cell_id\nc1\nx1\nx2\n", "2 of 3 ids are no cells"),
        ("e.geojson", '{"type": "FeatureCollection", "features": []}', "no outline"),
        ("f.geojson", "{", "cannot be read as GeoJSON"),
        ("g.csv", "X,Y\n1,2\n", "fewer than 3 corners"),
        ("h.csv", "X,Y\n1,a\n2,3\n3,4\n", "corner 1 of the outline is no pair of numbers"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(ReadError, match=".") as raised:
            chosen(cells, cells=tmp_path / name)
        assert message in str(raised.value), name
    far = outline(tmp_path / "far.geojson", [[9000, 9000], [9100, 9000], [9100, 9100]])
    with pytest.raises(ReadError, match="9000 to 9100 and 9000 to 9100; the cells span 2 to 92 and 2 to 92"):
        chosen(cells, cells=far)


def test_ids_that_are_no_cells_are_told_by_the_check_and_the_report(tmp_path):
    make_sample().write_h5ad(tmp_path / "slide.h5ad")
    (tmp_path / "some.csv").write_text("cell_id\n" + "\n".join([*make_sample().obs_names[:60], "x1"]))
    row = {"sample": "s", "patient": "p", "path": "slide.h5ad", "cells": "some.csv"}
    found, problems = look_at_samples([row], tmp_path / "sheet.csv")
    assert problems == []
    assert found[0]["n_cells"] == 60
    told = "some.csv: 1 of 61 ids are no cells of the input (first: x1) and are left out"
    assert found[0]["warnings"] == [told]
    assert f"WARNING: {told}" in in_a_line(found[0])


def qupath(kind, ring, number, name=None):
    """An object as QuPath exports it."""
    properties = {"objectType": kind} | ({"classification": {"name": name}} if name else {})
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": f"{number:08d}", "geometry": geometry, "properties": properties}


def dot(x, y):
    return [[x - 1, y - 1], [x + 1, y - 1], [x + 1, y + 1], [x - 1, y + 1], [x - 1, y - 1]]


def test_of_objects_of_qupath_annotations_and_cores_are_selections_and_others_are_counted(tmp_path, cells):
    detections = [qupath("cell", dot(52 + 10 * i, 52), i) for i in range(4)] + [qupath("tile", dot(52, 52), 9)]
    left = set(cells[1].index[cells[1]["Core ID"] == "A-1"])
    for kind in ("annotation", "tma_core"):
        file = tmp_path / f"{kind}.geojson"
        file.write_text(json.dumps([*detections, qupath(kind, LEFT_HALF, 10)]))
        assert set(chosen(cells, cells=file)) == left
        assert read_selection(file).notes == [
            f"{kind}.geojson: 4 cells and 1 tile of QuPath in it are left out: only annotations count"
        ]


def test_cells_of_qupath_alone_are_selected_by_their_ids(tmp_path, cells):
    ids, obs, points = cells
    named = pd.Index([f"{i:08d}" for i in range(100)], dtype=object), obs, points
    # their outlines lie over other cells
    (tmp_path / "some.geojson").write_text(json.dumps([qupath("detection", dot(92, 92), i) for i in (3, 7)]))
    assert list(chosen(named, cells=tmp_path / "some.geojson")) == ["00000003", "00000007"]
    assert "those with the ids of its 2 detections" in read_selection(tmp_path / "some.geojson").notes[0]
    with pytest.raises(ReadError, match=r"none of its 2 ids is a cell.*Object ID.*Selected objects"):
        chosen(cells, cells=tmp_path / "some.geojson")
    for objects, message in (
        ([qupath("tile", dot(2, 2), 1)], "it holds 1 tile of QuPath and no annotation .* Select annotations"),
        ([qupath("cell", dot(2, 2), 1) | {"id": "PathCellObject"}], "it holds 1 cell of QuPath and no annotation"),
    ):
        (tmp_path / "none.geojson").write_text(json.dumps(objects))
        with pytest.raises(ReadError, match=message):
            chosen(cells, cells=tmp_path / "none.geojson")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("S1;A", {"S1;A"}), ("S1 ; B", {"S1;B"}), ("S1;A;S2", {"S1;A", "S2"}), ("S2;S1;B;S3", {"S2", "S1;B", "S3"})],
)
def test_values_may_hold_the_separator(cells, written, expected):
    ids, obs, points = cells
    obs = obs.assign(lib=np.array(["S1;A", "S1;B", "S2", "S3"])[obs["fov"] - 1])
    assert set(obs.loc[chosen((ids, obs, points), part_column="lib", part_value=written), "lib"]) == expected
    with pytest.raises(ReadError, match="no cell has S1, C; values of lib in the input: S1;A, S1;B, S2, S3"):
        chosen((ids, obs, points), part_column="lib", part_value="S1;C")


def test_values_and_ids_are_found_by_their_letters_however_these_are_encoded(tmp_path, cells):
    ids, obs, points = cells
    apart = unicodedata.normalize("NFD", "Köln")
    named = pd.Index([f"{apart}_{one}" for one in ids])
    obs = obs.assign(place=np.where(np.arange(len(ids)) < 5, apart, "Bonn"))
    assert list(chosen((named, obs, points), part_column="place", part_value="Köln")) == list(named[:5])
    (tmp_path / "cells.csv").write_text(f"cell_id\nKöln_{ids[1]}\n{apart}_{ids[2]}\n")
    assert chosen((named, obs, points), cells=str(tmp_path / "cells.csv")).tolist() == list(named[1:3])


def test_values_that_read_as_one_number_are_told_apart_by_their_spelling(cells):
    ids, obs, points = cells
    obs = obs.assign(roi=np.array(["1", "01", "2", "02"])[obs["fov"] - 1])
    section = ids, obs, points
    for written, expected in (("1", {"1"}), ("01", {"01"}), ("02;1", {"1", "02"})):
        assert set(obs.loc[chosen(section, part_column="roi", part_value=written), "roi"]) == expected
    with pytest.raises(ReadError, match="001 may be 01 or 1, which are different values of the input"):
        chosen(section, part_column="roi", part_value="001")
    two = ids, obs.assign(roi=np.where(obs["fov"] == 1, "1", "01")), points
    assert len(chosen(two, part_column="roi", part_value="1")) == (obs["fov"] == 1).sum()
    numbers = ids, obs.assign(roi=obs["fov"].astype(float)), points
    assert set(obs.loc[chosen(numbers, part_column="roi", part_value="03"), "fov"]) == {3}


def test_ids_behind_the_line_that_tells_excel_the_separator(tmp_path, cells):
    (tmp_path / "ids.csv").write_text("sep=,\ncell_id,Area\nc3,1\nc7,2\n")
    assert list(chosen(cells, cells=tmp_path / "ids.csv")) == ["c3", "c7"]


def test_geojson_that_qupath_packed(tmp_path, cells):
    file = outline(tmp_path / "core.geojson", LEFT_HALF, "Tumor")
    with zipfile.ZipFile(tmp_path / "core.geojson.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "core.geojson")
        archive.writestr("__MACOSX/._core.geojson", b"\0")
    assert list(chosen(cells, cells=tmp_path / "core.geojson.zip")) == list(chosen(cells, cells=file))
    assert read_outlines(tmp_path / "core.geojson.zip").names == ["Tumor"]
    with zipfile.ZipFile(tmp_path / "core.geojson.zip", "a") as archive:
        archive.write(file, "second.geojson")
    with pytest.raises(ReadError, match="core.geojson.zip: 2 files are packed in it, one is expected; unpack it"):
        chosen(cells, cells=tmp_path / "core.geojson.zip")


def test_a_geojson_that_grows_beyond_measure_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking_limit, "FREELY", 1 << 16)
    with zipfile.ZipFile(tmp_path / "bomb.geojson.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.geojson", b" " * (1 << 24))
    with pytest.raises(ReadError, match="bomb.geojson.zip: unsafe"):
        read_selection(tmp_path / "bomb.geojson.zip")


def test_fields_whose_names_have_spaces_are_a_column(cells):
    ids, obs, points = cells
    obs = obs.assign(fov="FOV " + obs["fov"].astype(str))
    with pytest.raises(ReadError, match="names with spaces are given as part_column fov and part_value"):
        chosen((ids, obs, points), fovs="FOV 1")


def test_classes_of_qupath_are_kept(tmp_path):
    assert read_selection(outline(tmp_path / "t.geojson", LEFT_HALF, "Tumour")).names == ["Tumour"]


def test_what_two_parts_have_in_common_by_their_names():
    def part(**row):
        return part_of(row)

    assert same_cells(part(fovs="1-4"), part(fovs="4;9")) == "field of view 4"
    assert same_cells(part(fovs="1-4"), part(fovs="5")) == ""
    assert same_cells(part(part_column="core", part_value="B"), part(part_column="Core", part_value="B")) == "core B"
    # they may be the cores "A;B" and "B": the input tells
    assert same_cells(part(part_column="core", part_value="A;B"), part(part_column="core", part_value="B")) == ""
    assert same_cells(part(cells="a.csv"), part(cells="a.csv")) == "the file a.csv"


def ingest_parts(folder, adata, *rows):
    adata.write_h5ad(folder / "slide.h5ad")
    manifest = [
        {"sample": f"s{i}", "patient": f"p{i}", "path": str(folder / "slide.h5ad")} | row for i, row in enumerate(rows)
    ]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return invoke("sample_ingest", "--manifest", folder / "manifest.json", "--outdir", folder / "out")


def slide():
    """120 cells of three cores that lie on top of each other: as one sample, the file is refused."""
    sample = make_sample()
    sample.obs["core"] = np.array(["A1", "A2", "B1"])[np.arange(120) % 3]
    return sample


def test_cores_of_one_file_become_samples_and_the_rest_is_counted_and_drawn(tmp_path):
    rows = [{"part_column": "core", "part_value": core} for core in ("A1", "B1")]
    result = ingest_parts(tmp_path, slide(), *rows)
    assert result.exit_code == 0, result.stderr
    whole = slide()
    for name, core in (("s0", "A1"), ("s1", "B1")):
        adata = read_sample(tmp_path / "out" / f"{name}.ingest.h5ad")
        assert list(adata.obs_names) == list(whole.obs_names[whole.obs["core"] == core])
        assert (adata.X != whole[adata.obs_names].X).nnz == 0
        note = f"part of slide.h5ad (core {core}): 40 of 120 cells; 40 are in no sample"
        assert adata.uns["semanticst"]["notes"][0] == note
    picture = np.asarray(Image.open(tmp_path / "out" / "s0.parts.png").convert("RGB")).reshape(-1, 3)
    # colours of the first and the second part, and of what is in none
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0xBD, 0xBD, 0xBD)):
        assert (picture == colour).all(axis=1).sum() > 20


def test_problems_of_all_parts_are_told_at_once_and_nothing_is_written(tmp_path):
    rows = [{"part_column": "core", "part_value": core} for core in ("A1", "C7", "D7")]
    result = ingest_parts(tmp_path, slide(), *rows)
    assert result.exit_code == 3
    assert "sample s1): no cell has C7" in result.stderr
    assert "sample s2): no cell has D7" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_cells_of_two_samples_are_refused(tmp_path):
    (tmp_path / "ids.csv").write_text("\n".join(slide().obs_names[:7]))
    result = ingest_parts(
        tmp_path, slide(), {"part_column": "core", "part_value": "A1"},
        {"part_column": "core", "part_value": "A1;A2"},
    )  # fmt: skip
    assert result.exit_code == 3
    assert "40 cells are in the parts of both s0 and s1" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_shared_input_is_opened_once(tmp_path, monkeypatch):
    from semanticst.io import ingest

    opened = []
    read = ingest.read_raw
    monkeypatch.setattr(
        ingest, "read_raw", lambda row, *more, **options: opened.append(row["sample"]) or read(row, *more, **options)
    )
    rows = [{"part_column": "core", "part_value": core} for core in ("A1", "A2", "B1")]
    assert ingest_parts(tmp_path, slide(), *rows).exit_code == 0
    assert opened == ["s0"]


def test_a_table_of_many_images_is_read_image_by_image(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((90, 4)).round(3), columns=["CD3", "CD8", "CK", "SMA"])
    table.insert(0, "cell_id", np.tile(np.arange(30), 3))
    table["x"], table["y"] = rng.random((2, 90)) * 100
    table["Annotation core"] = np.repeat(["A", "B", "C"], 30)
    table.to_csv(tmp_path / "cells.csv", index=False)
    named = {"path": str(tmp_path / "cells.csv"), "part_column": "Annotation core"}
    rows = [{"sample": core, "patient": core, "part_value": core} | named for core in "ABC"]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    for core in "ABC":
        adata = read_sample(tmp_path / "out" / f"{core}.ingest.h5ad")
        assert adata.shape == (30, 4)
