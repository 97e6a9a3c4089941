"""Visium HD folders: the choice of bins, positions from parquet, the scale that Space Ranger states."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from helpers import invoke, real_data
from semanticst.io.ingest import read_raw
from semanticst.io.internal import internal_faults, read_sample
from semanticst.io.readers import ReadError, Wanted, reader_for
from tenx_helpers import UM_PER_PX, cut, make_counts, make_features, write_h5, write_json, write_square


def read(path, bin_size=None, platform=""):
    reader = reader_for(path, platform)
    assert reader.name == "visium_hd"
    return reader.read(path, Wanted(platform, bin_size))


def ingest(tmp_path, path, **columns):
    row = {"sample": "s1", "patient": "p1", "path": str(path)} | columns
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    return invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")


@pytest.fixture
def outs(tmp_path):
    for size in (2, 8, 16):
        write_square(tmp_path / "run" / "outs" / "binned_outputs", size)
    (tmp_path / "run" / "outs" / "spatial").mkdir()
    return tmp_path / "run" / "outs"


@pytest.mark.parametrize(("wanted", "read_size"), [(None, 8), (2.0, 2), (8.0, 8), (16.0, 16)])
def test_the_wanted_bins_are_read(outs, wanted, read_size):
    adata = read(outs, wanted)
    table = pd.read_parquet(outs / f"binned_outputs/square_{read_size:03d}um/spatial/tissue_positions.parquet")
    expected = table.set_index("barcode").loc[adata.obs_names]
    assert len(adata) == 56
    assert (make_counts(56, 9, seed=read_size) != adata.X).nnz == 0
    assert np.array_equal(adata.obsm["spatial"], expected[["pxl_col_in_fullres", "pxl_row_in_fullres"]])
    assert np.array_equal(adata.obs[["array_row", "array_col"]], expected[["array_row", "array_col"]])
    assert adata.uns["um_per_unit"] == UM_PER_PX
    assert adata.uns["platform"] == "visium_hd"
    assert adata.uns["notes"] == [f"bins of square_{read_size:03d}um are read"]


def test_all_places_that_a_user_may_point_at(outs, tmp_path):
    for path in (outs.parent, outs, outs / "binned_outputs", outs / "binned_outputs" / "square_008um"):
        assert read(path).obs_names[0].startswith("s_008um_"), path
    shutil.copytree(outs / "binned_outputs" / "square_016um", tmp_path / "patient 3")
    assert read(tmp_path / "patient 3").obs_names[0].startswith("s_016um_")


def test_the_only_bins_are_read_and_among_others_one_must_be_named(outs):
    shutil.rmtree(outs / "binned_outputs" / "square_008um")
    with pytest.raises(ReadError, match=r"bins of 2 um, 16 um; write one into the column bin_size"):
        read(outs)
    shutil.rmtree(outs / "binned_outputs" / "square_016um")
    assert read(outs).obs_names[0].startswith("s_002um_")


@pytest.mark.parametrize("size", [4.0, 8.5])
def test_bins_that_are_not_there(outs, size):
    with pytest.raises(ReadError, match=f"no bins of {size:g} um, only of 2 um, 8 um, 16 um"):
        read(outs, size)
    with pytest.raises(ReadError, match=f"no bins of {size:g} um, only of 16 um"):
        read(outs / "binned_outputs" / "square_016um", size)


def test_a_folder_of_hd_is_never_taken_for_visium(outs):
    for path in (outs, outs / "binned_outputs" / "square_008um"):
        with pytest.raises(ReadError, match="platform visium is stated, but this is a Visium HD folder"):
            reader_for(path, "visium")


def test_raw_counts_only_inside_the_tissue(outs):
    square = outs / "binned_outputs" / "square_008um"
    table = pd.read_parquet(square / "spatial" / "tissue_positions.parquet")
    (square / "filtered_feature_bc_matrix.h5").unlink()
    X = make_counts(len(table), 9)
    write_h5(square / "raw_feature_bc_matrix.h5", X, table["barcode"], make_features(*["Gene Expression"] * 9))
    adata = read(outs)
    assert (X[8:] != adata.X).nnz == 0
    assert "8 of 64 barcodes are not in the tissue and left out" in adata.uns["notes"]


def test_cells_of_space_ranger_4_are_mentioned(outs):
    (outs / "segmented_outputs").mkdir()
    for path in (outs.parent, outs, outs / "binned_outputs" / "square_008um"):
        assert any("segmented_outputs" in note for note in read(path).uns["notes"]), path


def test_scale_from_the_side_of_a_bin(outs):
    factors = outs / "binned_outputs" / "square_008um" / "spatial" / "scalefactors_json.json"
    write_json(factors, bin_size_um=8.0, spot_diameter_fullres=8 / 0.25)
    assert read(outs).uns["um_per_unit"] == pytest.approx(0.25)
    for bad in (0, -1, "0.4", None, True):
        write_json(factors, bin_size_um=8.0, microns_per_pixel=bad)
        with pytest.raises(ReadError, match=r"scalefactors_json.json: microns_per_pixel is missing"):
            read(outs)


def test_bins_are_8_um_apart_after_ingest(outs, tmp_path):
    result = ingest(tmp_path, outs, platform="visium_hd")
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert internal_faults(adata) == []
    assert sorted(set(np.diff(np.unique(np.round(adata.obsm["spatial"][:, 0], 6))).round(6))) == [8]


def change_positions(**columns):
    def spoil(square):
        file = square / "spatial" / "tissue_positions.parquet"
        pd.read_parquet(file).assign(**columns).to_parquet(file)

    return spoil


def drop(name):
    def spoil(square):
        file = square / "spatial" / "tissue_positions.parquet"
        pd.read_parquet(file).drop(columns=name).to_parquet(file)

    return spoil


SPOILED = {
    "positions cut": (lambda f: cut(f / "spatial/tissue_positions.parquet", 0.5), "tissue_positions.parquet cannot be"),
    "no positions": (lambda f: (f / "spatial/tissue_positions.parquet").unlink(), "the table of positions is missing"),
    "no factors": (lambda f: (f / "spatial/scalefactors_json.json").unlink(), "scalefactors_json.json is missing"),
    "factors cut": (lambda f: cut(f / "spatial/scalefactors_json.json", 0.5), "scalefactors_json.json cannot be read"),
    "matrix cut": (lambda f: cut(f / "filtered_feature_bc_matrix.h5", 0.7), "filtered_feature_bc_matrix.h5 cannot be"),
    "no matrix": (lambda f: (f / "filtered_feature_bc_matrix.h5").unlink(), "the counts are missing"),
    "no column": (drop("array_row"), "tissue_positions.parquet: column array_row is missing"),
    "words": (change_positions(pxl_row_in_fullres="far"), "tissue_positions.parquet cannot be read as a table"),
    "no bin inside": (change_positions(in_tissue=0), "tissue_positions.parquet: none of the 56 barcodes"),
    "repeated": (change_positions(barcode="s_008um_00001_00001-1"), "1 barcodes occur more than once"),
    "numbers as barcodes": (change_positions(barcode=range(64)), "56 of 56 barcodes of filtered_feature_bc_matrix.h5"),
    "other bins": (lambda f: shutil.copy(f.parent / "square_016um/spatial/tissue_positions.parquet", f / "spatial"),
                   "are not in tissue_positions.parquet (first: s_008um_"),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_damaged_folders(outs, tmp_path, how):
    spoil, message = SPOILED[how]
    spoil(outs / "binned_outputs" / "square_008um")
    result = ingest(tmp_path, outs)
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.realdata
def test_real_folder(tmp_path):
    folder = real_data("vendor", "visium_hd")
    adata = read(folder)
    assert adata.shape == (10, 10)
    assert adata.uns["um_per_unit"] == pytest.approx(0.2738243)
    # a bin of row r and column c lies 2 um from the next, whichever way the slide was turned
    steps = adata.obs[["array_row", "array_col"]].to_numpy() * 2.0
    apart = np.linalg.norm(steps[:, None] - steps[None], axis=2)
    um = adata.obsm["spatial"] * adata.uns["um_per_unit"]
    assert np.allclose(np.linalg.norm(um[:, None] - um[None], axis=2), apart, rtol=0.01)
    result = ingest(tmp_path, folder)
    assert result.exit_code == 0, result.stderr


def write_segmented(folder, n=12, **scalefactors):
    """Cells of Space Ranger 4: squares of 10 pixels, in another order than in the matrix."""
    (folder / "spatial").mkdir(parents=True)
    rng = np.random.default_rng(0)
    X, centres = make_counts(n, 6), np.round(rng.uniform(100, 900, (n, 2)))
    ids = [f"cellid_{i:09d}-1" for i in range(1, n + 1)]
    write_h5(folder / "filtered_feature_cell_matrix.h5", X, ids, make_features(*["Gene Expression"] * 6))
    corners = np.array([[-5, -5], [5, -5], [5, 5], [-5, 5], [-5, -5]])
    features = [
        {
            "type": "Feature", "properties": {"cell_id": i + 1, "name": "a ] b"},
            "geometry": {"type": "Polygon", "coordinates": [(corners + centres[i]).tolist()]},
        }
        for i in range(n)
    ][::-1]  # fmt: skip
    outlines = {"type": "FeatureCollection", "note": "µm", "features": features}
    (folder / "cell_segmentations.geojson").write_text(json.dumps(outlines, indent=1, ensure_ascii=False))
    write_json(folder / "spatial" / "scalefactors_json.json", **(scalefactors or {"microns_per_pixel": UM_PER_PX}))
    return X, ids, centres


@pytest.mark.parametrize("block", [7, 1 << 20])
@pytest.mark.parametrize("outs", [False, True])
def test_cells_as_space_ranger_segments_them(tmp_path, monkeypatch, block, outs):
    monkeypatch.setattr("semanticst.io.readers.geojson.BLOCK", block)
    X, ids, centres = write_segmented(tmp_path / "outs/segmented_outputs")
    adata = read(tmp_path if outs else tmp_path / "outs/segmented_outputs")
    assert adata.obs_names.tolist() == ids
    assert (X != adata.X).nnz == 0
    assert np.allclose(adata.obsm["spatial"], centres)
    assert np.allclose(adata.obs["cell_area"], 100 * UM_PER_PX**2)
    assert adata.uns["um_per_unit"] == UM_PER_PX


@pytest.mark.parametrize("geometry", [None, {"type": "Polygon", "coordinates": []},
                                      {"type": "Polygon", "coordinates": [[[1, 1], [1, 1], [1, 1]]]}])  # fmt: skip
def test_a_cell_with_an_empty_outline_costs_no_other(tmp_path, geometry):
    X, ids, centres = write_segmented(tmp_path)
    file = tmp_path / "cell_segmentations.geojson"
    outlines = json.loads(file.read_text())
    outlines["features"][0]["geometry"] = geometry  # the last of the matrix
    file.write_text(json.dumps(outlines))
    raw, _ = read_raw({"path": str(tmp_path)})
    assert raw.obs_names.tolist() == ids[:-1]
    assert np.allclose(raw.obsm["spatial"], centres[:-1])


def test_bins_go_before_cells_where_both_are_there(tmp_path):
    write_segmented(tmp_path / "outs/segmented_outputs")
    write_square(tmp_path / "outs/binned_outputs", 8)
    adata = read(tmp_path / "outs")
    assert adata.obs_names[0].startswith("s_008um")
    assert "segmented_outputs (cells of Space Ranger 4) is there; give it as the path" in adata.uns["notes"][-1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: cut(f / "cell_segmentations.geojson", 0.5), "cell_segmentations.geojson cannot be read as GeoJSON"),
        (lambda f: (f / "cell_segmentations.geojson").write_text("{}"), "there is no list of features"),
        (lambda f: (f / "cell_segmentations.geojson").unlink(), "the file of outlines is missing"),
        (lambda f: (f / "spatial/scalefactors_json.json").unlink(), "with microns_per_pixel is missing"),
        (lambda f: cut(f / "filtered_feature_cell_matrix.h5", 0.5), "filtered_feature_cell_matrix.h5 cannot be read"),
    ],
)  # fmt: skip
def test_segmented_outputs_that_cannot_be_read(tmp_path, damage, message):
    write_segmented(tmp_path / "segmented_outputs")
    damage(tmp_path / "segmented_outputs")
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "segmented_outputs")
