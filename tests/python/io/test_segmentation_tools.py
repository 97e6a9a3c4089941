"""proseg, Baysor, steinbock."""

import gzip

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.io import mmwrite

from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import make_truth, write_text


def read(path):
    return reader_for(path, "").read(path, Wanted())


def write_proseg(folder, truth, matrix="expected-counts.csv.gz"):
    cells = pd.DataFrame({"cell": truth.ids, "original_cell_id": "x", "centroid_x": truth.spatial[:, 0],
                          "centroid_y": truth.spatial[:, 1], "centroid_z": 3.0, "fov": 1, "volume": 90.0})  # fmt: skip
    write_text(folder / "cell-metadata.csv.gz", cells.to_csv(index=False))
    # means of a sampler: mostly a little below the whole number
    expected = truth.frame.reset_index(drop=True).astype(float) * 0.97
    if matrix == "counts.mtx.gz":
        with gzip.open(folder / matrix, "wb") as file:
            mmwrite(file, sp.coo_matrix(truth.counts))
        write_text(folder / "gene-metadata.csv.gz", pd.DataFrame({"gene": truth.genes}).to_csv(index=False))
    elif matrix.endswith("parquet"):
        expected.to_parquet(folder / matrix)
    else:
        write_text(folder / matrix, expected.round(3).to_csv(index=False))
    return folder


@pytest.mark.parametrize("matrix", ["expected-counts.csv.gz", "expected-counts.parquet", "counts.mtx.gz"])
def test_proseg(tmp_path, matrix):
    truth = make_truth()
    adata = read(write_proseg(tmp_path, truth, matrix))
    truth.check(adata)
    assert adata.uns["spatial_unit"] == "um"
    assert ("expected counts are rounded" in " ".join(adata.uns["notes"])) == ("expected" in matrix)


def test_cells_of_proseg_without_a_centroid_and_files_that_differ(tmp_path):
    truth = make_truth()
    write_proseg(tmp_path, truth)
    cells = pd.read_csv(tmp_path / "cell-metadata.csv.gz")
    cells.loc[3, ["centroid_x", "centroid_y"]] = np.nan
    write_text(tmp_path / "cell-metadata.csv.gz", cells.to_csv(index=False))
    adata = read(tmp_path)
    assert adata.obs_names.tolist() == [i for i in truth.ids if i != "4"]
    assert np.array_equal(adata.X.toarray(), np.delete(truth.counts, 3, axis=0))
    write_text(tmp_path / "cell-metadata.csv.gz", cells[:7].to_csv(index=False))
    with pytest.raises(
        ReadError, match="expected-counts.csv.gz is 12 x 4, but there are 7 cells in cell-metadata.csv.gz"
    ):
        read(tmp_path)


@pytest.mark.parametrize("form", ["tsv", "loom", "loom turned over", "damaged loom"])
def test_baysor(tmp_path, form):
    truth = make_truth()
    stats = pd.DataFrame({"cell": truth.ids, "x": truth.spatial[:, 0], "y": truth.spatial[:, 1], "area": 50.0})[::-1]
    write_text(tmp_path / "segmentation_cell_stats.csv", stats.to_csv(index=False))
    if form == "tsv":
        text = truth.frame.T.to_csv(sep="\t", index_label="gene")
        write_text(tmp_path / "segmentation_counts.tsv", text)
    else:
        with h5py.File(tmp_path / "segmentation_counts.loom", "w") as file:
            file["matrix"] = {"loom": truth.counts.T, "damaged loom": truth.counts[1:]}.get(form, truth.counts)
            file["row_attrs/Name"], file["col_attrs/CellID"] = np.array(truth.genes, "S"), np.array(truth.ids, "S")
    if form == "damaged loom":
        with pytest.raises(ReadError, match="segmentation_counts.loom: 4 x 11 values, but 12 cells and 4 features"):
            read(tmp_path)
        return
    truth.check(read(tmp_path))


def write_steinbock(folder, truth, image="img1"):
    measured = pd.DataFrame({"Object": truth.ids, "area": 50.0, "centroid-0": truth.spatial[:, 1],
                             "centroid-1": truth.spatial[:, 0], "axis_major_length": 9.0})  # fmt: skip
    write_text(folder / f"regionprops/{image}.csv", measured.to_csv(index=False))
    return write_text(folder / f"intensities/{image}.csv", truth.frame.to_csv(index_label="Object"))


@pytest.mark.parametrize("whole", [False, True])
def test_steinbock(tmp_path, whole):
    truth = make_truth()
    file = write_steinbock(tmp_path, truth)
    truth.check(read(tmp_path if whole else file))


def test_a_run_of_several_images_names_them(tmp_path):
    truth = make_truth()
    file = write_steinbock(tmp_path, truth)
    write_steinbock(tmp_path, truth, "img2")
    with pytest.raises(ReadError, match="there are 2 images; .*: intensities/img1.csv, intensities/img2.csv"):
        read(tmp_path)
    (tmp_path / "regionprops/img1.csv").unlink()
    with pytest.raises(ReadError, match="regionprops/img1.csv is missing beside intensities"):
        read(file)
