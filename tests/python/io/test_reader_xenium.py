"""Xenium folders: the matrix in three forms, the table of cells in three, ids in three."""

import json

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from helpers import invoke, real_data
from semanticst.io.internal import internal_faults, read_sample
from semanticst.io.readers import ReadError, Wanted, reader_for
from semanticst.io.readers.xenium import packed_ids
from tenx_helpers import XENIUM_TYPES, cut, make_features, write_cells, write_h5, write_json, write_xenium
from vendor_helpers import edit_text


def read(path, platform=""):
    reader = reader_for(path, platform)
    assert reader.name == "xenium"
    return reader.read(path, Wanted(platform))


def ingest(tmp_path, path, **columns):
    row = {"sample": "s1", "patient": "p1", "path": str(path)} | columns
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    return invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path / "out")


def check(adata, X, cells):
    assert adata.obs_names.tolist() == [i.decode() if isinstance(i, bytes) else str(i) for i in cells["cell_id"]]
    assert (adata.X != X).nnz == 0
    assert adata.X.format == "csr"
    assert np.allclose(adata.obsm["spatial"], cells[["x_centroid", "y_centroid"]])
    assert np.allclose(adata.obs["cell_area"], cells["cell_area"])
    assert adata.var_names.tolist() == [f"Gene{j}" for j in range(12)]
    assert adata.var["gene_id"].iloc[3] == "ENSG00000000003"
    assert adata.var["control"].tolist() == [False] * 8 + [True] * 4
    assert (adata.uns["spatial_unit"], adata.uns["platform"]) == ("um", "xenium")


@pytest.mark.parametrize("table", ["cells.parquet", "cells.csv.gz", "cells.csv"])
@pytest.mark.parametrize("matrix", ["h5", "folder", "zarr", "zarr.zip"])
def test_all_forms_hold_the_same(tmp_path, table, matrix):
    X, cells = write_xenium(tmp_path / "s", table=table, matrix=matrix)
    adata = read(tmp_path / "s")
    check(adata, X, cells)
    assert adata.uns["notes"] == ["experiment.xenium: software xenium-2.0.0, run run 7, panel brain"]


@pytest.mark.parametrize("table", ["cells.parquet", "cells.csv.gz"])
@pytest.mark.parametrize("ids", [range(1, 41), [f"id-{i}" for i in range(40)]])
def test_ids_are_numbers_or_texts(tmp_path, table, ids):
    X, cells = write_xenium(tmp_path / "s", list(ids), table)
    check(read(tmp_path / "s"), X, cells)


def test_ids_as_bytes_in_parquet(tmp_path):
    X, cells = write_xenium(tmp_path / "s", [f"aaab{i:04d}-1".encode() for i in range(40)])
    check(read(tmp_path / "s"), X, cells)


def test_an_unnamed_first_column(tmp_path):
    X, cells = write_xenium(tmp_path / "s", table="cells.csv")
    cells.to_csv(tmp_path / "s" / "cells.csv", index=True)
    check(read(tmp_path / "s"), X, cells)


def test_all_places_in_which_the_files_lie(tmp_path):
    X, cells = write_xenium(tmp_path / "run" / "outs")
    check(read(tmp_path / "run"), X, cells)
    for file in list((tmp_path / "run" / "outs").iterdir()):
        file.rename(file.with_name(f"GSM8_{file.name}"))
    check(read(tmp_path / "run"), X, cells)


def test_area_and_metadata_may_be_missing(tmp_path):
    _, cells = write_xenium(tmp_path / "s")
    write_cells(tmp_path / "s" / "cells.parquet", cells.drop(columns="cell_area"))
    (tmp_path / "s" / "experiment.xenium").unlink()
    adata = read(tmp_path / "s")
    assert list(adata.obs.columns) == []
    assert adata.uns["notes"] == []


def test_cells_beyond_the_matrix_and_a_wrong_number_of_cells_are_told(tmp_path):
    X, cells = write_xenium(tmp_path / "s")
    more = pd.concat([cells, cells.head(3).assign(cell_id=["x-1", "y-1", "z-1"])])
    write_cells(tmp_path / "s" / "cells.parquet", more)
    write_json(tmp_path / "s" / "experiment.xenium", num_cells=43, panel_name="N/A")
    adata = read(tmp_path / "s")
    check(adata, X, cells)
    assert adata.uns["notes"] == [
        "experiment.xenium states 43 cells, the matrix holds 40",
        "3 cells of cells.parquet are not in cell_feature_matrix.h5 and left out",
    ]


def test_packed_ids():
    packed = np.array([[0, 1], [16, 1], [27196, 1], [2**32 - 1, 2]], np.uint32)
    assert packed_ids(packed).tolist() == ["aaaaaaaa-1", "aaaaaaba-1", "aaaagkdm-1", "pppppppp-2"]
    assert packed_ids(np.array([1, 20], np.uint32)).tolist() == ["1", "20"]


def test_internal_form(tmp_path):
    X, cells = write_xenium(tmp_path / "s")
    result = ingest(tmp_path, tmp_path / "s", platform="xenium")
    assert result.exit_code == 0, result.stderr
    adata = read_sample(tmp_path / "out" / "s1.ingest.h5ad")
    assert internal_faults(adata) == []
    assert adata.var_names.tolist() == [f"Gene{j}" for j in range(8)]
    assert (X[:, :8] != adata.X).nnz == 0
    assert np.allclose(adata.obsm["spatial"], cells[["x_centroid", "y_centroid"]])
    assert adata.uns["semanticst"]["spatial_unit"] == "um"


def change_cells(change):
    def spoil(folder):
        change(pd.read_parquet(folder / "cells.parquet")).to_parquet(folder / "cells.parquet")

    return spoil


def first(table, column, value):
    return table.assign(**{column: [value, *table[column][1:]]})


SPOILED = {
    "matrix cut": (lambda f: cut(f / "cell_feature_matrix.h5", 0.6), "cell_feature_matrix.h5 cannot be read as a 10x"),
    "cells cut": (lambda f: cut(f / "cells.parquet", 0.6), "cells.parquet cannot be read as a parquet table"),
    "metadata cut": (lambda f: cut(f / "experiment.xenium", 0.6), "experiment.xenium cannot be read as JSON"),
    "no matrix": (lambda f: (f / "cell_feature_matrix.h5").unlink(), "the matrix cell_feature_matrix (.h5, a folder"),
    "no cells": (lambda f: (f / "cells.parquet").unlink(), "the table of cells is missing: expected cells.parquet or"),
    "other run": (
        change_cells(lambda t: t.assign(cell_id="b" + t["cell_id"])),
        "40 of 40 barcodes of cell_feature_matrix.h5 are not in cells.parquet (first: aaaaaaaa-1; the table begins "
        "with baaaaaa",
    ),
    "fewer cells": (change_cells(lambda t: t.head(12)), "28 of 40 barcodes of cell_feature_matrix.h5 are"),
    "repeated": (change_cells(lambda t: pd.concat([t, t.head(2)])), "cells.parquet: 2 cell ids occur more than once"),
    "no id": (change_cells(lambda t: first(t, "cell_id", None)), "cells.parquet: row 1 has no id; export the file"),
    "words": (change_cells(lambda t: t.assign(y_centroid="far")), "cells.parquet cannot be read as a table of cells"),
    "no column": (change_cells(lambda t: t.drop(columns="y_centroid")), "cells.parquet: column y_centroid is missing"),
    "empty table": (change_cells(lambda t: t.head(0)), "the table begins with nothing"),
}


@pytest.mark.parametrize("table", ["cells.parquet", "cells.csv.gz"])
def test_a_cell_without_a_centre_is_left_out(tmp_path, table):
    _, cells = write_xenium(tmp_path / "s", table=table)
    (tmp_path / "s" / table).unlink()
    write_cells(tmp_path / "s" / table, first(cells, "x_centroid", None))
    result = ingest(tmp_path, tmp_path / "s")
    assert result.exit_code == 0, result.stderr
    own = read_sample(tmp_path / "out" / "s1.ingest.h5ad").uns["semanticst"]
    assert (own["n_cells_input"], own["n_cells_left_out"]) == (39, 1)


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (lambda text: text.replace(",", ";"), None),
        (lambda text: "# written by another program\n" + text, None),
        (lambda text: "\n".join([*text.splitlines()[:9], *text.splitlines()]), 10),
    ],
)
def test_tables_of_cells_that_were_written_again(tmp_path, change, row):
    """In another form they are read; a header within is told with its row."""
    _, cells = write_xenium(tmp_path / "s", table="cells.csv.gz")
    edit_text(tmp_path / "s" / "cells.csv.gz", change)
    if row is None:
        assert np.allclose(read(tmp_path / "s").obsm["spatial"], cells[["x_centroid", "y_centroid"]])
        return
    with pytest.raises(ReadError, match=f"row {row}, column x_centroid: the header stands here again"):
        read(tmp_path / "s")


@pytest.mark.parametrize("how", SPOILED)
def test_damaged_folders(tmp_path, how):
    write_xenium(tmp_path / "s")
    spoil, message = SPOILED[how]
    spoil(tmp_path / "s")
    result = ingest(tmp_path, tmp_path / "s")
    assert result.exit_code == 3, result.stderr
    assert message in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_truncated_zipped_tables_and_stores(tmp_path, share):
    write_xenium(tmp_path / "s", table="cells.csv.gz", matrix="zarr.zip")
    whole = (tmp_path / "s" / "cells.csv.gz").read_bytes()
    cut(tmp_path / "s" / "cells.csv.gz", share)
    with pytest.raises(ReadError, match=r"^cells.csv.gz"):
        read(tmp_path / "s")
    (tmp_path / "s" / "cells.csv.gz").write_bytes(whole)
    cut(tmp_path / "s" / "cell_feature_matrix.zarr.zip", share)
    with pytest.raises(ReadError, match=r"^cell_feature_matrix.zarr.zip cannot be read as a Zarr store"):
        read(tmp_path / "s")


def test_a_store_that_lacks_parts(tmp_path):
    import zarr

    write_xenium(tmp_path / "s", matrix="zarr")
    group = zarr.open_group(tmp_path / "s" / "cell_feature_matrix.zarr", mode="r+")["cell_features"]
    indices = group["indices"][:]
    indices[4] = 40
    group["indices"][:] = indices
    with pytest.raises(ReadError, match=r"^cell_feature_matrix.zarr: the matrix is damaged.*outside its 40 columns"):
        read(tmp_path / "s")
    del group["indices"]
    del group.attrs["feature_types"]
    with pytest.raises(ReadError, match=r"^cell_feature_matrix.zarr: cell_features lacks indices, feature_types"):
        read(tmp_path / "s")


def test_sums_over_genes_in_a_store_are_no_genes(tmp_path):
    import zarr

    X, _ = write_xenium(tmp_path / "s", matrix="zarr")
    group = zarr.open_group(tmp_path / "s" / "cell_feature_matrix.zarr", mode="r+")["cell_features"]
    group.attrs["feature_types"] = [*group.attrs["feature_types"][:-1], "aggregate_gene"]
    adata = read(tmp_path / "s")
    assert (X[:, :-1] != adata.X).nnz == 0
    assert "1 of type aggregate_gene" in adata.uns["notes"][0]


def test_cells_without_counts_are_kept_for_the_quality_control(tmp_path):
    X, cells = write_xenium(tmp_path / "s")
    X = X.tolil()
    X[5] = 0
    write_h5(tmp_path / "s" / "cell_feature_matrix.h5", X.tocsr(), cells["cell_id"], make_features(*XENIUM_TYPES))
    assert read(tmp_path / "s").shape == (40, 12)


@pytest.mark.realdata
def test_real_folder(tmp_path):
    folder = real_data("vendor", "xenium_mouse_brain_subset")
    adata, peer = read(folder), sc.read_10x_h5(folder / "cell_feature_matrix.h5", gex_only=False)
    assert adata.shape == (36602, 541)
    assert adata.obs_names.tolist() == peer.obs_names.tolist()
    assert adata.var_names.tolist() == peer.var_names.tolist()
    assert adata.var["gene_id"].tolist() == peer.var["gene_ids"].tolist()
    assert (adata.X != peer.X).nnz == 0
    assert adata.var["control"].tolist() == (peer.var["feature_types"] != "Gene Expression").tolist()
    assert adata.var["control"].sum() == 293
    # the instrument's own sums say whether cells and centres were matched rightly
    table = pd.read_csv(folder / "cells.csv.gz", dtype={"cell_id": str}).set_index("cell_id").loc[adata.obs_names]
    genes = np.asarray(adata.X[:, ~adata.var["control"].to_numpy()].sum(axis=1)).ravel()
    assert np.array_equal(genes, table["transcript_counts"])
    assert np.array_equal(adata.obsm["spatial"], table[["x_centroid", "y_centroid"]])
    result = ingest(tmp_path, folder, platform="xenium")
    assert result.exit_code == 0, result.stderr
    assert read_sample(tmp_path / "out" / "s1.ingest.h5ad").shape == (36602, 248)


@pytest.mark.realdata
def test_real_damaged_folder(tmp_path):
    result = ingest(tmp_path, real_data("vendor", "xenium_tiny_float_shape"))
    assert result.exit_code == 3
    assert "cell_feature_matrix.h5: the matrix is damaged: its shape is no pair of whole numbers" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("platform", ["", "xenium"])
@pytest.mark.parametrize("table", ["cells.csv.gz", "cells.parquet"])
def test_one_folder_of_text_files_as_geo_has_it(tmp_path, platform, table):
    folder = tmp_path / "s"
    X, cells = write_xenium(folder, table=table, matrix="folder")
    (folder / "experiment.xenium").unlink()
    for file in list((folder / "cell_feature_matrix").iterdir()):
        file.rename(folder / f"GSM1_{file.name}")
    (folder / "cell_feature_matrix").rmdir()
    (folder / table).rename(folder / f"GSM1_{table}")
    adata = read(folder, platform)
    assert adata.uns["spatial_unit"] == "um"
    assert adata.var["control"].tolist() == [False] * 8 + [True] * 4
    assert np.array_equal(adata.X.toarray(), X.toarray())
    assert np.allclose(adata.obsm["spatial"], cells[["x_centroid", "y_centroid"]])


def test_flat_files_are_told_by_the_types_of_features(tmp_path):
    """A table of cells without quality metrics, beside a matrix: of Xenium only where the features say so."""
    X, cells = write_xenium(tmp_path / "s", table="cells.csv", matrix="folder")
    for file in [tmp_path / "s/experiment.xenium", *(tmp_path / "s/cell_feature_matrix").iterdir()]:
        file.rename(
            tmp_path / "s" / f"GSM1_{file.name}.txt" if "experiment" in file.name else tmp_path / "s" / file.name
        )
    (tmp_path / "s/cell_feature_matrix").rmdir()
    (tmp_path / "s/GSM1_experiment.xenium.txt").unlink()
    cells[["cell_id", "x_centroid", "y_centroid"]].to_csv(tmp_path / "s/cells.csv", index=False)
    assert read(tmp_path / "s").shape == X.shape
    features = pd.read_csv(tmp_path / "s/features.tsv.gz", sep="\t", header=None)
    features[2] = "Gene Expression"
    features.to_csv(tmp_path / "s/features.tsv.gz", sep="\t", header=False, index=False)
    assert reader_for(tmp_path / "s", "").name == "pair of tables"


def test_a_zarr_store_that_lacks_a_chunk(tmp_path):
    folder = tmp_path / "s"
    write_xenium(folder, matrix="zarr")
    (folder / "cell_feature_matrix.zarr/cell_features/indices/0").unlink()
    with pytest.raises(ReadError, match="cell_features/indices: 1 of 1 chunks are missing"):
        read(folder)
