"""MERSCOPE tables."""

import numpy as np
import pandas as pd
import pytest

from helpers import real_data
from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import edit_text, make_truth, write_merscope, write_text

COUNTS, METADATA = "cell_by_gene.csv", "cell_metadata.csv"


def read(folder):
    return reader_for(folder, "").read(folder, Wanted())


@pytest.mark.parametrize("id_column", ["", "EntityID", "cell", "X"])
def test_order_of_the_files_does_not_matter(tmp_path, id_column):
    truth = make_truth()
    adata = read(write_merscope(tmp_path, truth, id_column))
    truth.check(adata)
    assert adata.obs_names.tolist() == truth.ids
    assert (adata.uns["spatial_unit"], adata.uns["platform"], adata.uns["notes"]) == ("um", "merscope", [])
    assert set(adata.obs["fov"]) == {"7"}
    assert "control" not in adata.var


def test_long_ids_stay_whole(tmp_path):
    truth = make_truth()
    ids = [str(1_234_567_890_123_456_789 + i) for i in range(len(truth.ids))]
    write_merscope(tmp_path, type(truth)(truth.counts, truth.spatial, ids, truth.genes))
    truth.check(read(tmp_path), ids)


def test_blanks_are_controls(tmp_path):
    adata = read(write_merscope(tmp_path, make_truth(genes=("CD3E", "Blank-1", "Blank-22", "BLNK"))))
    assert adata.var["control"].tolist() == [False, True, True, False]


def test_cells_of_one_file_only_are_left_out_with_a_note(tmp_path):
    truth = make_truth()
    write_merscope(tmp_path, truth)
    edit_text(tmp_path / METADATA, lambda t: "\n".join(t.split("\n")[:-3]) + "\n77,7,1,1,1\n")
    adata = read(tmp_path)
    assert adata.obs_names.tolist() == truth.ids[2:]
    assert adata.uns["notes"] == [
        "2 of 12 cells are left out: cell_metadata.csv has no position for them",
        "1 of 11 cells of cell_metadata.csv have no counts and are left out",
    ]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / METADATA).unlink(), "the table of positions is missing: .* the folder holds cell_by_gene.csv"),
        (lambda f: edit_text(f / METADATA, lambda t: t.replace("center_x", "x")), "column center_x is missing"),
        (lambda f: edit_text(f / METADATA, lambda t: "name" + t), "no column of cell ids"),
        (lambda f: edit_text(f / COUNTS, lambda t: t[:-3]), f"{COUNTS}: row 13 has 4 columns, not 5"),
        (lambda f: edit_text(f / COUNTS, lambda t: t + "99,1,2,3,4,5,6\n"), f"{COUNTS}: row 14 has 7 columns, not 5"),
        (lambda f: edit_text(f / COUNTS, lambda t: t[:62]), f"{COUNTS}: row 5 has 4 columns, not 5"),
        (lambda f: edit_text(f / COUNTS, lambda t: "cell\n1\n2\n"), "one column only"),
        (lambda f: edit_text(f / COUNTS, lambda t: "\n".join(t.split("\n")[:5])), None),
        (lambda f: (f / COUNTS).write_bytes(b"cell,\x81\xfe\n1,2\n"), f"{COUNTS}: neither UTF-8 nor"),
        (lambda f: write_text(f / COUNTS, ""), f"{COUNTS}: the file is empty"),
        (lambda f: write_text(f / "b_cell_by_gene.csv", "cell,A\n1,1\n"), "several files match"),
        (lambda f: edit_text(f / METADATA, lambda t: t.replace("\n3,", "\n4,")), f"{METADATA}: 1 ids occur more"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, damage, message):
    write_merscope(tmp_path, make_truth())
    damage(tmp_path)
    if message is None:  # whole rows are gone: a note
        assert len(read(tmp_path).uns["notes"]) == 1
        return
    with pytest.raises(ReadError, match=message):
        read(tmp_path)


@pytest.mark.realdata
def test_real_folder():
    folder = real_data("vendor", "merscope_tiny")
    adata = read(folder)
    assert adata.shape == (8, 9)
    places = pd.read_csv(folder / "ovarian_p2s2_cell_metadata.csv", index_col=0)
    expected = places.loc[adata.obs_names.astype(int), ["center_x", "center_y"]].to_numpy()
    assert adata.obsm["spatial"] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "X"])
def test_row_numbers_in_front_of_the_ids_are_no_gene(tmp_path, name):
    truth = make_truth()
    write_merscope(tmp_path, truth)
    frame = truth.frame.reset_index(names="cell").reset_index(names=name)
    write_text(tmp_path / COUNTS, frame.to_csv(index=False))
    truth.check(read(tmp_path))


def test_row_numbers_of_pandas_in_front_of_both_tables_are_no_ids(tmp_path):
    """Both files were read and written again: row numbers match ids that count from 1, one cell off."""
    truth = make_truth()
    folder = write_merscope(tmp_path / "m", truth)
    for name in ("cell_by_gene.csv", "cell_metadata.csv"):
        pd.read_csv(folder / name).to_csv(folder / name)
    truth.check(reader_for(folder, "").read(folder, Wanted()))


@pytest.mark.parametrize("start", [0, 1], ids=["pandas", "R"])
@pytest.mark.parametrize(("numbers", "ids"), [("", "X"), ("", "Unnamed: 0"), ("Unnamed: 0.1", "Unnamed: 0")])
def test_row_numbers_in_front_of_ids_without_a_name(tmp_path, start, numbers, ids):
    """Both files are in orders of their own: by the numbers of the rows they would pair up all the same."""
    truth = make_truth()
    write_merscope(tmp_path, truth)
    for name in (COUNTS, METADATA):
        table = pd.read_csv(tmp_path / name, index_col=0)
        table.index.name = ids
        table = table.reset_index().set_axis(range(start, start + len(table)))
        table.to_csv(tmp_path / name, index_label=numbers)
    adata = read(tmp_path)
    truth.check(adata)
    assert adata.obs_names.tolist() == truth.ids


def test_row_numbers_that_start_differently_are_paired_by_order_with_a_warning(tmp_path):
    truth = make_truth()
    folder = write_merscope(tmp_path / "m", truth)
    places = pd.read_csv(folder / "cell_metadata.csv", index_col=0)
    counts = pd.read_csv(folder / "cell_by_gene.csv", index_col=0).loc[places.index]
    counts.reset_index(drop=True).to_csv(folder / "cell_by_gene.csv")
    places.set_axis(range(1, len(places) + 1), axis=0).to_csv(folder / "cell_metadata.csv")
    adata = reader_for(folder, "").read(folder, Wanted())
    np.testing.assert_allclose(adata.obsm["spatial"], places[["center_x", "center_y"]].to_numpy())
    assert "paired by their order" in adata.uns["warnings"][0]
