"""Visium folders of all versions of Space Ranger."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from scipy.spatial import cKDTree

from helpers import invoke, real_data
from semanticst.io.internal import internal_faults, read_sample
from semanticst.io.readers import ReadError, Wanted, reader_for
from tenx_helpers import (
    UM_PER_PX,
    cut,
    make_counts,
    make_features,
    visium_positions,
    write_h5,
    write_json,
    write_mtx,
    write_visium,
)


def read(path, platform=""):
    reader = reader_for(path, platform)
    assert reader.name == "visium"
    return reader.read(path, Wanted(platform))


def ingest(tmp_path, path, **columns):
    row = {"sample": "s1", "patient": "p1", "path": str(path)} | columns
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    return invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")


def positions_of(adata, positions):
    return positions.set_index("barcode").loc[adata.obs_names]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("angle", [0, 0.03, 2.1])
def test_counts_positions_and_scale(tmp_path, version, angle):
    positions = visium_positions(angle=angle)
    X, barcodes = write_visium(tmp_path / "s", positions, version)
    adata = read(tmp_path / "s")
    assert adata.obs_names.tolist() == barcodes.tolist()
    assert (adata.X != X).nnz == 0
    expected = positions_of(adata, positions)
    assert np.array_equal(adata.obsm["spatial"], expected[["pxl_col_in_fullres", "pxl_row_in_fullres"]])
    assert np.array_equal(adata.obs[["array_row", "array_col"]], expected[["array_row", "array_col"]])
    assert adata.uns["um_per_unit"] == pytest.approx(UM_PER_PX, rel=2e-3)
    assert adata.uns["um_per_unit_source"] == "spacing of spots of 100 um"
    assert (adata.uns["spatial_unit"], adata.uns["platform"], adata.uns["notes"]) == ("px", "visium", [])


def test_all_places_in_which_the_files_lie(tmp_path):
    X, _ = write_visium(tmp_path / "run" / "outs")
    assert read(tmp_path / "run").shape == X.shape

    write_visium(tmp_path / "geo")
    for file in [*(tmp_path / "geo" / "spatial").iterdir(), tmp_path / "geo" / "filtered_feature_bc_matrix.h5"]:
        file.rename(tmp_path / "geo" / f"GSM7_sampleA_{file.name}")
    (tmp_path / "geo" / "spatial").rmdir()
    assert (read(tmp_path / "geo").X != X).nnz == 0

    write_visium(tmp_path / "parquet")
    spatial = tmp_path / "parquet" / "spatial"
    pd.read_csv(spatial / "tissue_positions.csv").to_parquet(spatial / "tissue_positions.parquet")
    (spatial / "tissue_positions.csv").unlink()
    assert (read(tmp_path / "parquet").X != X).nnz == 0


def test_counts_as_text(tmp_path):
    X, barcodes = write_visium(tmp_path / "s")
    (tmp_path / "s" / "filtered_feature_bc_matrix.h5").unlink()
    write_mtx(tmp_path / "s" / "filtered_feature_bc_matrix", X, barcodes, make_features(*["Gene Expression"] * 12))
    assert (read(tmp_path / "s").X != X).nnz == 0


def test_the_raw_matrix_is_read_where_it_is_the_only_one(tmp_path):
    positions = visium_positions()
    write_visium(tmp_path / "s", positions)
    X, features = make_counts(len(positions), 12, seed=5), make_features(*["Gene Expression"] * 12)
    write_h5(tmp_path / "s" / "raw_feature_bc_matrix.h5", X, positions["barcode"], features)
    assert read(tmp_path / "s").uns["notes"] == []

    (tmp_path / "s" / "filtered_feature_bc_matrix.h5").unlink()
    adata = read(tmp_path / "s")
    inside = (positions["in_tissue"] == 1).to_numpy()
    assert adata.obs_names.tolist() == positions.loc[inside, "barcode"].tolist()
    assert (X[inside] != adata.X).nnz == 0
    assert "raw_feature_bc_matrix.h5 is read" in adata.uns["notes"][0]
    assert f"{(~inside).sum()} of {len(inside)} barcodes are not in the tissue" in adata.uns["notes"][1]


def test_the_spot_diameter_helps_where_spots_lie_in_one_line(tmp_path):
    write_visium(tmp_path / "s", visium_positions(n_rows=1, n_columns=12))
    adata = read(tmp_path / "s")
    assert adata.uns["um_per_unit"] == pytest.approx(UM_PER_PX)
    assert adata.uns["um_per_unit_source"] == "spot_diameter_fullres spans 65 um"


def test_the_spacing_goes_before_a_contradicting_diameter_and_that_is_told(tmp_path):
    write_visium(tmp_path / "s", spot_um=55)
    adata = read(tmp_path / "s")
    assert adata.uns["um_per_unit"] == pytest.approx(UM_PER_PX, rel=2e-3)
    assert "spot_diameter_fullres gives 0.4727" in adata.uns["notes"][0]


def test_positions_that_are_no_lattice_do_not_give_the_scale(tmp_path):
    positions = visium_positions()
    positions["array_col"] = positions["array_col"].to_numpy()[::-1] ** 2
    write_visium(tmp_path / "s", positions)
    assert read(tmp_path / "s").uns["um_per_unit_source"].startswith("spot_diameter_fullres")
    (tmp_path / "s" / "spatial" / "scalefactors_json.json").unlink()
    with pytest.raises(ReadError, match=r"scale cannot be found.*scalefactors_json\.json"):
        read(tmp_path / "s")


def test_a_square_array_is_none_of_visium(tmp_path):
    """Spots of the first arrays, or bins, in the form of a Visium folder: what their diameter spans is not known."""
    positions = visium_positions()
    positions["array_col"] = np.tile(np.arange(10), 8)
    positions["pxl_col_in_fullres"] = 900 + 400 * positions["array_col"]
    positions["pxl_row_in_fullres"] = 900 + 400 * positions["array_row"]
    write_visium(tmp_path / "s", positions)
    adata = read(tmp_path / "s")
    assert not adata.uns["um_per_unit"]
    assert any("um_per_px in the samplesheet states the scale" in note for note in adata.uns["notes"])
    write_json(
        tmp_path / "s" / "spatial" / "scalefactors_json.json", spot_diameter_fullres=200.0, microns_per_pixel=0.5
    )
    assert read(tmp_path / "s").uns["um_per_unit"] == 0.5


def test_neighbours_are_100_um_apart_after_ingest(tmp_path):
    write_visium(tmp_path / "s", visium_positions(angle=0.4))
    result = ingest(tmp_path, tmp_path / "s")
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert internal_faults(adata) == []
    nearest = cKDTree(adata.obsm["spatial"]).query(adata.obsm["spatial"], k=2)[0][:, 1]
    assert np.median(nearest) == pytest.approx(100, rel=0.01)
    assert adata.uns["semanticst"]["spatial_unit"] == "um"
    assert adata.uns["semanticst"]["platform"] == "visium"


def change_positions(change):
    def spoil(folder):
        file = folder / "spatial" / "tissue_positions.csv"
        change(pd.read_csv(file, dtype=object)).to_csv(file, index=False)

    return spoil


def fewer(table):
    return table.iloc[:40]


def twice(table):
    return pd.concat([table, table.iloc[[7]]])


def outside(table):
    return table.assign(in_tissue=0)


def other_slide(table):
    return table.assign(barcode=table["barcode"].str.replace("-1", "-2"))


def words(table):
    return table.assign(pxl_row_in_fullres=["far", *table["pxl_row_in_fullres"][1:]])


def gap(table):
    return table.assign(pxl_row_in_fullres=[None, *table["pxl_row_in_fullres"][1:]])


def shares(table):
    return table.assign(in_tissue=0.5)


def no_column(table):
    return table.drop(columns="pxl_col_in_fullres")


SPOILED = {
    "no matrix, no positions": (
        lambda f: [(f / "filtered_feature_bc_matrix.h5").unlink(), (f / "spatial/tissue_positions.csv").unlink()],
        "the table of positions is missing: expected tissue_positions.parquet",
    ),
    "no positions": (lambda f: (f / "spatial/tissue_positions.csv").unlink(), "holds scalefactors_json.json"),
    "matrix cut": (lambda f: cut(f / "filtered_feature_bc_matrix.h5", 0.5), "filtered_feature_bc_matrix.h5 cannot be"),
    "positions empty": (lambda f: cut(f / "spatial/tissue_positions.csv", 0), "tissue_positions.csv"),
    "positions cut": (lambda f: cut(f / "spatial/tissue_positions.csv", 0.505), "tissue_positions.csv"),
    "factors cut": (lambda f: cut(f / "spatial/scalefactors_json.json", 0.5), "scalefactors_json.json cannot be read"),
    "fewer positions": (change_positions(fewer), "are not in tissue_positions.csv (first: "),
    "repeated": (change_positions(twice), "tissue_positions.csv: 1 barcodes occur more than once"),
    "no spot inside": (change_positions(outside), "tissue_positions.csv: none of the 60 barcodes"),
    "other slide": (change_positions(other_slide), "60 of 60 barcodes of filtered_feature_bc_matrix.h5 are"),
    "words": (change_positions(words), "tissue_positions.csv cannot be read as a table of positions"),
    "gap": (change_positions(gap), "tissue_positions.csv: row 2 is incomplete"),
    "shares": (
        change_positions(shares),
        "tissue_positions.csv: in_tissue of AAAAAAAAAAAAAAAA-1 is 0.5; 0 or 1",
    ),
    "no column": (change_positions(no_column), "tissue_positions.csv: column pxl_col_in_fullres is missing"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_damaged_folders(tmp_path, how):
    write_visium(tmp_path / "s")
    spoil, message = SPOILED[how]
    spoil(tmp_path / "s")
    result = ingest(tmp_path, tmp_path / "s", platform="visium")
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr
    assert "(sample s1)" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_no_counts_at_all(tmp_path):
    write_visium(tmp_path / "s")
    (tmp_path / "s" / "filtered_feature_bc_matrix.h5").unlink()
    with pytest.raises(ReadError, match="counts are missing: expected filtered_feature_bc_matrix.h5"):
        reader_for(tmp_path / "s", "visium").read(tmp_path / "s", Wanted("visium"))


def test_a_headerless_table_with_columns_too_few(tmp_path):
    write_visium(tmp_path / "s", version=1)
    file = tmp_path / "s" / "spatial" / "tissue_positions_list.csv"
    file.write_text("\n".join(line.rsplit(",", 1)[0] for line in file.read_text().splitlines()))
    with pytest.raises(ReadError, match=r"^tissue_positions_list.csv: 6 columns are expected .* 5 are there"):
        read(tmp_path / "s")


def test_scale_factors_that_are_no_numbers_are_not_used(tmp_path):
    write_visium(tmp_path / "s", visium_positions(n_rows=1, n_columns=12))
    write_json(tmp_path / "s" / "spatial" / "scalefactors_json.json", spot_diameter_fullres="wide")
    with pytest.raises(ReadError, match="scale cannot be found"):
        read(tmp_path / "s")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "shape", "um_per_px", "diameter"),
    [
        ("visium_spaceranger_1.0.0", (100, 100), 0.72518, 89.42751),
        ("visium_spaceranger_2_plain_mtx", (12, 5), 0.34370, 188.56909),
    ],
)
def test_real_folders(tmp_path, name, shape, um_per_px, diameter):
    folder = real_data("vendor", name)
    adata = read(folder)
    assert adata.shape == shape
    assert adata.uns["um_per_unit"] == pytest.approx(um_per_px, rel=1e-4)
    # what Space Ranger calls the diameter of a spot is 65 um, not the 55 um that spots have
    assert diameter * adata.uns["um_per_unit"] == pytest.approx(65, rel=0.005)
    result = ingest(tmp_path, folder)
    assert result.exit_code == 0, result.stderr
    points = read_sample(tmp_path / "out" / "s1.ingest.h5ad").obsm["spatial"]
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    assert nearest.min() == pytest.approx(100, rel=0.01)


@pytest.mark.realdata
def test_real_counts_as_scanpy_reads_them():
    folder = real_data("vendor", "visium_spaceranger_1.0.0")
    adata, peer = read(folder), sc.read_10x_h5(folder / "filtered_feature_bc_matrix.h5")
    assert adata.obs_names.tolist() == peer.obs_names.tolist()
    assert adata.var_names.tolist() == peer.var_names.tolist()
    assert (sp.csr_matrix(peer.X) != adata.X).nnz == 0
    assert adata.X.sum() == 932


def write_flat(folder, types=None, **columns):
    """A Visium sample as GEO has it: all files in one folder, packed, with a prefix, the matrix as text."""
    positions = visium_positions().assign(**columns)
    X, features = make_counts(len(positions), 6), make_features(*(types or ["Gene Expression"] * 6))
    write_mtx(folder / "m", X, positions["barcode"], features)
    for file in list((folder / "m").iterdir()):
        file.rename(folder / f"GSM1_{file.name}")
    (folder / "m").rmdir()
    positions.to_csv(folder / "GSM1_tissue_positions_list.csv.gz", index=False, header=False)
    return X, positions


@pytest.mark.parametrize("platform", ["", "visium"])
def test_one_folder_of_text_files_as_geo_has_it(tmp_path, platform):
    X, positions = write_flat(tmp_path, ["Gene Expression"] * 4 + ["Antibody Capture"] * 2)
    inside = (positions["in_tissue"] == 1).to_numpy()
    adata = read(tmp_path, platform)
    assert adata.obs_names.tolist() == positions["barcode"][inside].tolist()
    assert np.array_equal(adata.X.toarray(), X.toarray()[inside])
    assert adata.var["feature_types"].tolist() == ["Gene Expression"] * 4 + ["Antibody Capture"] * 2
    assert adata.uns["um_per_unit"] == pytest.approx(UM_PER_PX, rel=0.01)


def merged(positions):
    """The positions of two sections, as spaceranger aggr puts them together."""
    other = positions.assign(barcode=positions["barcode"].str.replace("-1", "-2"))
    return pd.concat([positions, other], ignore_index=True)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_several_sections_in_one_matrix_are_refused(tmp_path, named, flat):
    positions = merged(visium_positions())
    write_visium(tmp_path / "s", positions)
    file = tmp_path / "s" / "spatial" / "tissue_positions.csv"
    target = tmp_path / "s" / ("" if flat else "spatial") / ("GSE1_aggr_tissue_positions.csv" if named else file.name)
    file.rename(target)
    if flat:
        shutil.rmtree(tmp_path / "s" / "spatial")
    message = (
        "aggr_tissue_positions.csv holds the spots of several"
        if named
        else r"holds 2 sections \(barcodes end in -1, -2"
    )
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "s", "visium")


def test_positions_with_row_numbers_in_front(tmp_path):
    X, barcodes = write_visium(tmp_path / "s")
    file = tmp_path / "s" / "spatial" / "tissue_positions.csv"
    pd.read_csv(file).to_csv(file)
    assert read(tmp_path / "s").obs_names.tolist() == list(barcodes)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_positions_that_a_spreadsheet_saved(tmp_path, separator):
    X, barcodes = write_visium(tmp_path / "s")
    file = tmp_path / "s" / "spatial" / "tissue_positions.csv"
    pd.read_csv(file).to_csv(file, index=False, sep=separator)
    assert read(tmp_path / "s").obs_names.tolist() == list(barcodes)


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_spatial_that_is_missing_or_still_packed(tmp_path, packed):
    write_visium(tmp_path / "s")
    if packed:
        shutil.make_archive(str(tmp_path / "s" / "spatial"), "gztar", tmp_path / "s", "spatial")
    shutil.rmtree(tmp_path / "s" / "spatial")
    with pytest.raises(ReadError, match="the folder spatial with the positions .* is missing") as error:
        read(tmp_path / "s")
    assert ("still packed? Unpack spatial.tar.gz" in str(error.value)) == packed


IMAGE, ON_ARRAY = ["pxl_row_in_fullres", "pxl_col_in_fullres"], ["array_row", "array_col"]


def exchanged(positions, *pairs):
    """The table with the names of each pair of columns exchanged in its header."""
    names = {}
    for first, second in pairs:
        names |= {first: second, second: first}
    return positions.rename(columns=names)


@pytest.mark.parametrize("angle", [0, 2.1])
def test_exchanged_rows_and_columns_of_the_array_are_mended(tmp_path, angle):
    positions = visium_positions(angle=angle)
    write_visium(tmp_path / "s", positions)
    exchanged(positions, ON_ARRAY).to_csv(tmp_path / "s" / "spatial" / "tissue_positions.csv", index=False)
    adata = read(tmp_path / "s")
    assert np.array_equal(adata.obs[ON_ARRAY], positions_of(adata, positions)[ON_ARRAY])
    assert adata.uns["um_per_unit"] == pytest.approx(UM_PER_PX, rel=2e-3)
    assert ["array_row and array_col were exchanged" in note for note in adata.uns["notes"]] == [True]


@pytest.mark.parametrize("pairs", [[IMAGE], [IMAGE, ON_ARRAY]], ids=["image", "image and array"])
@pytest.mark.parametrize("angle", [0, 2.1])
def test_an_exchanged_header_of_the_image_is_refused(tmp_path, pairs, angle):
    """Believed, it would mirror the section; columns that were only put into another order are read by their names."""
    positions = visium_positions(angle=angle)
    write_visium(tmp_path / "s", positions)
    table = tmp_path / "s" / "spatial" / "tissue_positions.csv"
    exchanged(positions, *pairs).to_csv(table, index=False)
    with pytest.raises(ReadError, match="pxl_col_in_fullres before pxl_row_in_fullres.* mirrored"):
        read(tmp_path / "s")
    positions[[*positions.columns[:4], *IMAGE[::-1]]].to_csv(table, index=False)
    assert read(tmp_path / "s").uns["notes"] == []


def test_a_mirrored_section_in_the_usual_order_is_told(tmp_path):
    """Slides of CytAssist may be so: it is read as it is, and not without a word."""
    positions = visium_positions()
    positions[IMAGE] = positions[IMAGE[::-1]].to_numpy()
    write_visium(tmp_path / "s", positions)
    adata = read(tmp_path / "s")
    expected = positions_of(adata, positions)
    assert np.array_equal(adata.obsm["spatial"], expected[["pxl_col_in_fullres", "pxl_row_in_fullres"]])
    assert ["mirrored against their array positions" in note for note in adata.uns["notes"]] == [True]
