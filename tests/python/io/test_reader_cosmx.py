"""CosMx flat files."""

import gzip

import numpy as np
import pandas as pd
import pytest

from helpers import real_data
from semanticst.io.readers import ReadError, Wanted, reader_for
from semanticst.io.understood import numbers_left_out
from vendor_helpers import cosmx_ids, edit_text, make_truth, write_cosmx, write_text

COUNTS, METADATA = "S1_exprMat_file.csv.gz", "S1_metadata_file.csv.gz"
GENES = ("CD3E", "NegPrb3", "SystemControl1", "FalseCode7", "Negative02", "NEGR1")


def read(folder):
    return reader_for(folder, "cosmx").read(folder, Wanted("cosmx"))


def edit_metadata(folder, change):
    frame = change(pd.read_csv(folder / METADATA, dtype=str))
    write_text(folder / METADATA, frame.to_csv(index=False))


def test_cells_of_all_fields_without_the_background(tmp_path):
    truth = make_truth()
    adata = read(write_cosmx(tmp_path, truth))
    truth.check(adata, cosmx_ids(truth))
    assert adata.obs.loc["2_3", "fov"] == "2"
    assert adata.uns["platform"] == "cosmx"
    assert (adata.uns["spatial_unit"], adata.uns["um_per_unit"]) == ("px", 0.12028)
    assert np.allclose(adata.obs["cell_area"], 1000 * 0.12028**2)
    assert adata.uns["notes"] == ["2 of 14 rows are of cell_ID 0 (no cell) and left out"]
    assert numbers_left_out(adata.uns["notes"])["n_cells_left_out"] == 2


def test_names_of_newer_exports(tmp_path):
    truth = make_truth()
    adata = read(write_cosmx(tmp_path, truth, new=True))
    truth.check(adata, [f"c_3_{i}" for i in cosmx_ids(truth)])


@pytest.mark.parametrize("new", [False, True])
def test_columns_of_the_vendor_in_another_case(tmp_path, new):
    truth = make_truth()
    expected = read(write_cosmx(tmp_path, truth, new=new))
    for name in (COUNTS, METADATA):
        frame = pd.read_csv(tmp_path / name, dtype=str)
        changed = {"fov": "FOV", "cell_ID": "Cell_ID", "CenterX_global_px": "centerx_global_px", "Area": "area"}
        write_text(tmp_path / name, frame.rename(columns=changed).to_csv(index=False))
    adata = read(tmp_path)
    truth.check(adata, list(expected.obs_names))
    assert list(adata.obs) == list(expected.obs)


def test_names_alone_link_the_files(tmp_path):
    truth = make_truth()
    write_cosmx(tmp_path, truth, new=True)
    counts = pd.read_csv(tmp_path / COUNTS, dtype=str)
    counts.insert(0, "cell", "c_3_" + counts.pop("fov") + "_" + counts.pop("cell_ID"))
    write_text(tmp_path / COUNTS, counts.to_csv(index=False))
    truth.check(read(tmp_path), [f"c_3_{i}" for i in cosmx_ids(truth)])


def test_control_features(tmp_path):
    adata = read(write_cosmx(tmp_path, make_truth(genes=GENES)))
    assert adata.var["control"].tolist() == [False, True, True, True, True, False]


def test_millimetres_go_before_pixels(tmp_path):
    truth = make_truth()
    write_cosmx(tmp_path, truth)
    edit_metadata(tmp_path, lambda m: m.assign(x_slide_mm=m["CenterX_global_px"], y_slide_mm=m["CenterY_global_px"]))
    adata = read(tmp_path)
    truth.check(adata, cosmx_ids(truth))
    assert adata.uns["spatial_unit"] == "mm"
    assert "um_per_unit" not in adata.uns
    assert np.allclose(adata.obs["cell_area"], 1000 * 0.12028**2)


def test_wide_fields_tell_the_prototype(tmp_path):
    write_cosmx(tmp_path, make_truth())
    edit_metadata(tmp_path, lambda m: m.assign(CenterX_local_px=["5400"] + ["100"] * (len(m) - 1)))
    adata = read(tmp_path)
    assert adata.uns["um_per_unit"] == 0.18
    assert np.allclose(adata.obs["cell_area"], 1000 * 0.18**2)


def test_area_in_micrometres_is_taken_as_it_is(tmp_path):
    write_cosmx(tmp_path, make_truth())
    edit_metadata(tmp_path, lambda m: m.assign(**{"Area.um2": ["51.5"] * len(m)}))
    assert set(read(tmp_path).obs["cell_area"]) == {51.5}


def test_local_coordinates_need_the_positions_of_the_fields(tmp_path):
    truth = make_truth()
    write_cosmx(tmp_path, truth)
    offset = {"1": (0.0, 5000.0), "2": (4256.0, 70.0)}

    def local(metadata):
        for axis, k in (("X", 0), ("Y", 1)):
            shift = metadata["fov"].map(lambda fov, k=k: offset[fov][k])
            metadata[f"Center{axis}_local_px"] = metadata.pop(f"Center{axis}_global_px").astype(float) - shift
        return metadata

    edit_metadata(tmp_path, local)
    with pytest.raises(ReadError, match="only coordinates inside each field"):
        read(tmp_path)
    positions = "fov,x_global_px,y_global_px\n" + "".join(f"{fov},{x},{y}\n" for fov, (x, y) in offset.items())
    file = write_text(tmp_path / "S1_fov_positions_file.csv", positions)
    truth.check(read(tmp_path), cosmx_ids(truth))
    write_text(file, positions.replace("x_global", "X_global"))
    truth.check(read(tmp_path), cosmx_ids(truth))
    write_text(file, positions.replace("fov,", "FOV,"))  # of AtoMx, which counts y in a field from the other side
    with pytest.raises(
        ReadError, match="fov_positions_file.csv is of an export of AtoMx .* export the metadata with Cen"
    ):
        read(tmp_path)
    write_text(file, positions.replace("\n2,", "\n3,"))
    with pytest.raises(ReadError, match=r"fov_positions_file.csv: one position is expected .* fov 2 has none"):
        read(tmp_path)


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: cut(f / COUNTS), f"{COUNTS} cannot be read as a table"),
        (lambda f: cut(f / METADATA), f"{METADATA} cannot be read as a table"),
        (lambda f: (f / COUNTS).write_bytes(b"\x1f\x8bnot gzip"), f"{COUNTS} cannot be read"),
        (lambda f: (f / COUNTS).write_bytes(gzip.compress(b"")), f"{COUNTS} is empty"),
        (lambda f: (f / METADATA).unlink(), "the metadata of the cells is missing"),
        (lambda f: edit_text(f / COUNTS, lambda t: t.split("\n")[0] + "\n"), f"{COUNTS} has a header and no rows"),
        (lambda f: edit_text(f / COUNTS, lambda t: "\n".join(t.split("\n")[:3])), "no cells but cell_ID 0"),
        (lambda f: edit_text(f / COUNTS, lambda t: t.replace("cell_ID", "number")), "column cell_ID is missing"),
        (lambda f: edit_text(f / METADATA, lambda t: t.replace("_px", "_voxel")), "CenterX_global_px, CenterY_glo"),
        (lambda f: edit_metadata(f, lambda m: m.assign(fov="8" + m["fov"])), "0 ids in common"),
        (lambda f: edit_metadata(f, lambda m: pd.concat([m, m.head(1)])), f"{METADATA}: 1 ids occur more than once"),
        (lambda f: edit_text(f / COUNTS, lambda t: t + t.split("\n")[5] + "\n"), f"{COUNTS}: 1 ids occur more"),
        (
            lambda f: edit_metadata(f, lambda m: m.assign(CenterX_global_px=["1", "far", *m["CenterX_global_px"][2:]])),
            f"{METADATA}: row 3, column CenterX_global_px: 'far' is no number",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, damage, message):
    write_cosmx(tmp_path, make_truth())
    damage(tmp_path)
    with pytest.raises(ReadError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("value", ["many", "NaN", "", "inf", "1;2", "nan"])
@pytest.mark.parametrize("row", [2, 9])
def test_a_count_that_is_no_number(tmp_path, monkeypatch, value, row):
    monkeypatch.setattr("semanticst.io.readers.tabular.BLOCK", 20)  # several chunks
    write_cosmx(tmp_path, make_truth())

    def damage(text):
        lines = text.split("\n")
        lines[row - 1] = ",".join([*lines[row - 1].split(",")[:3], value, *lines[row - 1].split(",")[4:]])
        return "\n".join(lines)

    edit_text(tmp_path / COUNTS, damage)
    with pytest.raises(ReadError, match=f"^{COUNTS}: row {row}, column MS4A1: "):
        read(tmp_path)


@pytest.mark.realdata
def test_real_folder():
    adata = read(real_data("vendor", "cosmx_lung"))
    assert adata.shape == (9233, 980)
    assert adata.var["control"].sum() == 20
    assert adata.obs_names[0] == "10_1"
    assert adata.obs["fov"].value_counts().to_dict() == {"11": 4630, "10": 4603}
    # neighbouring fields of this prototype are 985 um apart
    assert adata.uns["um_per_unit"] == 0.18
    assert 80 < adata.obs["cell_area"].median() < 110
    assert not adata.uns["notes"]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "any"])
def test_row_numbers_are_no_gene(tmp_path, name):
    truth = make_truth()
    write_cosmx(tmp_path, truth)
    counts = pd.read_csv(tmp_path / COUNTS)
    counts.insert(0, name, np.arange(len(counts)))
    write_text(tmp_path / COUNTS, counts.to_csv(index=False))
    truth.check(read(tmp_path), cosmx_ids(truth))


def test_isotypes_of_a_protein_panel_are_controls_and_slides_come_along(tmp_path):
    truth = make_truth(genes=("CD3", "Ms IgG1", "Rb IgG", "IGHG1"))
    write_cosmx(tmp_path, truth)
    edit_metadata(tmp_path, lambda frame: frame.assign(slide_ID=3, Run_Tissue_name="core A"))
    adata = read(tmp_path)
    assert adata.var["control"].tolist() == [False, True, True, False]
    assert adata.obs[["slide_ID", "section"]].drop_duplicates().to_numpy().tolist() == [["3", "core A"]]
