"""Parts of an instrument's folder, and files of other programs, are refused with the way to the sample."""

import shutil

import numpy as np
import pandas as pd
import pytest

from semanticst.io.readers import ReadError, reader_for
from tenx_helpers import XENIUM_IDS, write_visium, write_xenium
from vendor_helpers import make_truth, write_cosmx, write_merscope, write_pair, write_single, write_slideseq, write_text


def refused(path, platform=""):
    with pytest.raises(ReadError) as error:
        reader_for(path, platform)
    return str(error.value)


WRITERS = {
    "visium": lambda folder: write_visium(folder),
    "xenium": lambda folder: write_xenium(folder, table="cells.csv.gz"),
    "cosmx": lambda folder: write_cosmx(folder, make_truth()),
    "merscope": lambda folder: write_merscope(folder, make_truth()),
    "slideseq": lambda folder: write_slideseq(folder, make_truth()),
}


@pytest.mark.parametrize("platform", WRITERS)
def test_every_file_of_a_folder_is_told_to_be_a_part(tmp_path, platform):
    WRITERS[platform](tmp_path / "s")
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        for stated in ("", platform):
            assert refused(path, stated).endswith("; give the folder"), path


def test_the_table_of_cells_of_xenium_under_another_name(tmp_path):
    """It has ids, places and numbers: as one table, its quality metrics would be the genes."""
    table = pd.DataFrame({
        "cell_id": XENIUM_IDS, "x_centroid": 1.0, "y_centroid": np.arange(40.0), "transcript_counts": 9,
        "control_probe_counts": 0, "total_counts": 9, "cell_area": 50.0, "nucleus_area": 20.0,
    })  # fmt: skip
    file = write_text(tmp_path / "my_cells.csv", table.to_csv(index=False))
    assert refused(file) == "this is the table of cells of a Xenium folder; give the folder"


@pytest.mark.parametrize("name", ["filtered_feature_bc_matrix", "spatial"])
def test_folders_inside_a_sample(tmp_path, name):
    write_visium(tmp_path / "s")
    if name != "spatial":
        (tmp_path / "s" / name).mkdir()
        for file in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"):
            write_text(tmp_path / "s" / name / file, "x")
    assert refused(tmp_path / "s" / name) == f"this is a part of a sample; give the folder that holds {name}"


def test_folders_of_these_names_that_are_samples(tmp_path):
    assert reader_for(write_pair(tmp_path / "P1_spatial", make_truth()), "").name == "pair of tables"


@pytest.mark.parametrize("platform", ["", "cosmx", "visium"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("S1.RDS", "it is an object of R"), ("s.h5Seurat", "SeuratDisk::Convert"), ("s.h5mu", "mudata"),
     ("s.xlsx", "save the"), ("s.ome.tif", "it is an image"), ("other.h5", "HDF5 of no known layout"),
     ("x.parquet", "a parquet table alone"), ("S1.7z", "it is packed; unpack it")],
)  # fmt: skip
def test_files_of_other_programs(tmp_path, platform, name, hint):
    (tmp_path / name).write_bytes(b"\x1f\x8b\x08\0")
    message = refused(tmp_path / name, platform)
    assert f"(file ending '.{name.rpartition('.')[2]}') cannot be read: " in message
    assert hint in message


@pytest.mark.parametrize("platform", ["", "xenium"])
def test_the_folder_above_the_samples_names_them(tmp_path, platform):
    write_xenium(tmp_path / "region_1")
    shutil.copytree(tmp_path / "region_1", tmp_path / "region_2")
    (tmp_path / "notes.txt").write_text("a,b\n1,2\n")
    message = refused(tmp_path, platform)
    assert "it is the folder above a sample; give region_1, region_2, each with a row" in message


def test_a_folder_that_its_platform_does_not_know_is_told_what_is_missing(tmp_path):
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(ReadError, match="the table of counts is missing: .*the folder holds notes.md"):
        reader_for(tmp_path, "cosmx").read(tmp_path, None)


def test_tables_that_are_samples_are_no_parts(tmp_path):
    file = write_single(tmp_path / "cells.csv", make_truth())
    assert reader_for(file, "").name == "table"
