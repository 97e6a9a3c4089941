"""Tables of any origin."""

import gzip
import unicodedata

import numpy as np
import pandas as pd
import pytest

from semanticst.io.ingest import ingest_sample
from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import edit_text, make_truth, write_mtx, write_pair, write_single, write_text


def read(path, platform=""):
    return reader_for(path, platform).read(path, Wanted(platform))


def test_a_folder_that_is_called_like_the_table_of_counts(tmp_path):
    """It is recognised by its name; that there is no table in it is told as what is wrong with the input."""
    (tmp_path / "counts.csv").mkdir()
    with pytest.raises(ReadError, match="the counts are missing.*holds counts.csv"):
        read(tmp_path)


@pytest.mark.parametrize("platform", ["", "starmap", "osmfish", "imc", "merfish", "other"])
def test_pair(tmp_path, platform):
    truth = make_truth()
    adata = read(write_pair(tmp_path, truth), platform)
    truth.check(adata)
    assert adata.uns["spatial_unit"] == "unknown"
    assert "do not say their unit" in adata.uns["notes"][0]


@pytest.mark.parametrize(
    ("x", "y", "unit"),
    [
        ("x_um", "y_um", "um"),
        ("X (µm)", "Y (µm)", "um"),
        ("Centroid X µm", "Centroid Y µm", "um"),
        ("center_x_mm", "center_y_mm", "mm"),
        ("x_px", "y_px", "px"),
        ("pxl_col_in_fullres", "pxl_row_in_fullres", "px"),
        ("x_centroid", "y_centroid", "unknown"),
        ("X", "Y", "unknown"),
        ("center_x", "center_y", "unknown"),
        ("X_Location", "Y_Location", "unknown"),
        ("sdimx", "sdimy", "unknown"),
    ],
)
def test_names_of_coordinates(tmp_path, x, y, unit):
    truth = make_truth()
    adata = read(write_pair(tmp_path, truth, x, y))
    truth.check(adata)
    assert adata.uns["spatial_unit"] == unit


def test_the_pair_with_the_best_unit_is_taken(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth, "x_um", "y_um", x=1.0, y=2.0, x_px=3.0, y_px=4.0)
    truth.check(read(tmp_path))


@pytest.mark.parametrize("last", ["T", "", "3"])
def test_separators_behind_the_rows_are_no_column_of_names(tmp_path, last):
    """Spreadsheets write them; R's tables have a header that is one name shorter, too."""
    truth = make_truth()
    frame = truth.frame.assign(x=truth.spatial[:, 0], y=truth.spatial[:, 1], cluster=last)
    header, *lines = frame.to_csv(index_label="cell_id").splitlines()
    truth.check(read(write_text(tmp_path / "t.csv", "\n".join([header, *(line + "," for line in lines)]))))


def test_columns_of_one_name_that_differ_are_refused(tmp_path):
    """As of two tables that were put side by side: of x and y the first would count without a word."""
    truth = make_truth()
    file = write_single(tmp_path / "t.csv", truth, x2=truth.spatial[:, 0])
    edit_text(file, lambda text: text.replace("x2", "x", 1))
    truth.check(read(file))
    file = write_single(tmp_path / "t.csv", truth, x2=truth.spatial[:, 1])
    edit_text(file, lambda text: text.replace("x2", "x", 1))
    with pytest.raises(ReadError, match="t.csv: 2 columns are called x, and differ; leave one"):
        read(file)


def test_ids_that_start_again_in_each_field_of_view(tmp_path):
    truth = make_truth()
    fields = [row % 2 for row in range(12)]
    frame = truth.frame.assign(cell_id=[row // 2 for row in range(12)], fov=fields)
    frame["x"], frame["y"] = truth.spatial[:, 0] + np.multiply(fields, 10_000), truth.spatial[:, 1]
    adata = read(write_text(tmp_path / "t.csv", frame.to_csv(index=False)))
    assert adata.obs_names.tolist() == [f"{row % 2}_{row // 2}" for row in range(12)]
    assert any("start again in each field of view: fov stands before them (0_0" in note for note in adata.uns["notes"])


def test_ids_that_a_spreadsheet_shortened_are_told(tmp_path):
    write_pair(tmp_path, make_truth())
    edit_text(tmp_path / "counts.csv", lambda text: text.replace("\n1,", "\n1.11E+18,").replace("\n2,", "\n1.11E+18,"))
    with pytest.raises(ReadError, match=r"first: 1.11E\+18\): a spreadsheet shortened long numbers"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["counts.csv.bz2", "expression.parquet", "cells.parquet"])
def test_a_folder_with_a_file_that_is_not_read_names_it(tmp_path, name):
    write_pair(tmp_path, make_truth())
    (tmp_path / "counts.csv").rename(tmp_path / name)
    with pytest.raises(ReadError, match=f"cannot be read: {name} is not read|a Xenium folder .cells.parquet., but not"):
        read(tmp_path)


@pytest.mark.parametrize("one_table", [True, False])
def test_a_second_pair_of_coordinates_is_told(tmp_path, one_table):
    """Places in another unit are a note; other places are a warning."""
    truth = make_truth()
    x, y = truth.spatial.T
    write = (lambda **more: write_single(tmp_path / "t.csv", truth, **more)) if one_table else (
        lambda **more: write_pair(tmp_path, truth, **more)
    )  # fmt: skip
    adata = read(write(x_px=2 * x + 5, y_px=2 * y))
    assert any("x_px and y_px; x and y tell the same places and are left" in note for note in adata.uns["notes"])
    assert "warnings" not in adata.uns
    adata = read(write(imagecol=y, imagerow=x))
    assert adata.uns["warnings"] == [
        "there are several coordinates: imagecol and imagerow are taken, not x and y, which tell other places; if "
        "others are those on the slide, leave only these"
    ]


@pytest.mark.parametrize("sep", ["\t", ";"])
def test_separators_and_names_of_files(tmp_path, sep):
    truth = make_truth()
    write_pair(tmp_path, truth, sep=sep)
    (tmp_path / "counts.csv").rename(tmp_path / "GSM1_Expression.tsv")
    (tmp_path / "coordinates.csv").rename(tmp_path / "GSM1_centroids.txt")
    truth.check(read(tmp_path))


@pytest.mark.parametrize("sep", [",", "\t"])
@pytest.mark.parametrize("mark", ["# ", "#"])
def test_a_header_behind_a_hash(tmp_path, sep, mark):
    """As numpy.savetxt writes it; other comments stay what they are."""
    truth = make_truth()
    file = write_single(tmp_path / "t.csv", truth)
    edit_text(file, lambda text: f"# made by us\n{mark}{text.replace(',', sep)}")
    truth.check(read(file))
    edit_text(file, lambda text: text + sep.join("q" for _ in text.splitlines()[-1].split(sep)) + "\n")
    with pytest.raises(ReadError, match="t.csv: row 15, column"):
        read(file)


def test_comments_before_a_header_are_none(tmp_path):
    truth = make_truth()
    file = write_single(tmp_path / "t.csv", truth)
    edit_text(file, lambda text: "#a" + ",a" * text.splitlines()[0].count(",") + "\n" + text)
    truth.check(read(file))


def test_r_tables_without_a_name_of_the_first_column(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    edit_text(tmp_path / "counts.csv", lambda text: text[1:])  # ",CD3E,..." -> "CD3E,..."
    edit_text(tmp_path / "coordinates.csv", lambda text: text.replace("cell_id,", ""))
    truth.check(read(tmp_path))


def test_repeated_features_keep_their_names(tmp_path):
    truth = make_truth(genes=("A", "B", "A"))
    truth.check(read(write_pair(tmp_path, truth)))


def test_cell_types_and_areas(tmp_path):
    kinds = [f"kind {i % 3}" for i in range(12)]
    adata = read(write_pair(tmp_path, make_truth(), "x_um", "y_um", CellType=kinds, area=[*range(11), ""]))
    assert adata.obs.loc[["1", "2", "3"], "cell_type"].tolist() == ["kind 0", "kind 1", "kind 2"]
    assert adata.obs.loc["2", "cell_area"] == 1
    assert np.isnan(adata.obs.loc["12", "cell_area"])
    other = read(write_pair(tmp_path, make_truth(), "x_px", "y_px", area=5))
    assert "cell_area" not in other.obs


@pytest.mark.parametrize("form", ["tsv", "csv"])
def test_matrix_market_with_lists_of_r(tmp_path, form):
    """write.table and write.csv: quotes, a header, and the numbers of the rows."""
    truth = make_truth()
    write_pair(tmp_path, truth)
    write_mtx(tmp_path, truth)
    sep, corner = ("\t", []) if form == "tsv" else (",", [""])
    for name, held in (("barcodes", truth.ids), ("features", truth.genes)):
        (tmp_path / f"{name}.tsv.gz").unlink()
        rows = [[*corner, "x"], *([str(i), value] for i, value in enumerate(held, 1))]
        write_text(tmp_path / f"{name}.{form}", "\n".join(sep.join(f'"{value}"' for value in row) for row in rows))
    (tmp_path / "counts.csv").unlink()
    truth.check(read(tmp_path))


@pytest.mark.parametrize("transposed", [True, False])
def test_matrix_market(tmp_path, transposed):
    truth = make_truth()
    write_pair(tmp_path, truth)
    (tmp_path / "counts.csv").unlink()
    write_mtx(tmp_path, truth, transposed=transposed)
    adata = read(tmp_path)
    truth.check(adata)
    assert adata.var["gene_id"].tolist() == ["ENSG0", "ENSG1", "ENSG2", "ENSG3"]


def test_matrix_market_with_cells_and_headers(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    write_mtx(tmp_path, truth)
    for name in ("counts.csv", "barcodes.tsv.gz", "features.tsv.gz"):
        (tmp_path / name).unlink()
    write_text(tmp_path / "cells.txt", "\n".join(["cell", *truth.ids]))
    write_text(tmp_path / "genes.csv", "\n".join(["gene", *truth.genes]))
    truth.check(read(tmp_path))


def test_one_table(tmp_path):
    truth = make_truth()
    kinds = [f"kind {i % 3}" for i in range(12)]
    file = write_single(tmp_path / "core1.csv.gz", truth, cell_type=kinds, Area=3, z=1, ImageID="one", Eccentricity=0.5)
    adata = read(file, "codex")
    truth.check(adata)
    assert adata.obs["cell_type"].tolist() == kinds
    assert adata.uns["notes"][:2] == [
        "taken for features: 4 columns, CD3E to VIM",
        "columns left out, as no features: places (z); shape and size (Eccentricity)",
    ]


@pytest.mark.parametrize("none", ["#N/A", "NA", "", "#NV", "(null)"])
def test_a_word_for_no_value_is_no_cell_type(tmp_path, none):
    file = write_single(tmp_path / "core1.csv", make_truth(), cell_type=["T", "unknown", none] * 4)
    sample = ingest_sample({"sample": "s", "patient": "p", "path": str(file), "platform": "codex"})
    types = sample.obs["cell_type"]
    assert types.isna().tolist() == [False, False, True] * 4
    assert types.dropna().tolist() == ["T", "unknown"] * 4
    sample.write_h5ad(tmp_path / "written.h5ad")
    file = write_single(tmp_path / "core2.csv", make_truth(), cell_type=none)
    sample = ingest_sample({"sample": "s", "patient": "p", "path": str(file), "platform": "codex"})
    assert "cell_type" not in sample.obs


def test_cell_types_are_one_however_their_letters_are_encoded(tmp_path):
    kinds = ["Mühle", unicodedata.normalize("NFD", "Mühle"), "T\u200b"] * 4
    file = write_single(tmp_path / "core1.csv", make_truth(), cell_type=kinds)
    sample = ingest_sample({"sample": "s", "patient": "p", "path": str(file), "platform": "codex"})
    assert sample.obs["cell_type"].tolist() == ["Mühle", "Mühle", "T"] * 4


def test_points_of_thousands_are_not_read_as_decimal(tmp_path):
    values = np.array([[f"{n:,}".replace(",", ".") for n in (850 + 40 * i, 90 * i + 1)] for i in range(12)])
    lines = [f"{i};{7 * i};{11 * i};{a};{b}" for i, (a, b) in enumerate(values)]
    (tmp_path / "core1.csv").write_text("\n".join(["cell_id;x;y;CD3;CD4", *lines]) + "\n")
    with pytest.raises(
        ReadError, match=r"core1.csv: row 6, column CD3: is 1.010 1010 or 1.010\? .* thousands without a mark"
    ):
        read(tmp_path / "core1.csv", "codex")
    decimal = [line.replace(f";{7 * i};", f";{7 * i}.5;") for i, line in enumerate(lines)]
    (tmp_path / "core2.csv").write_text("\n".join(["cell_id;x;y;CD3;CD4", *decimal]) + "\n")
    assert read(tmp_path / "core2.csv", "codex").X.toarray()[4, 0] == np.float32(1.010)


def test_areas_that_a_spreadsheet_could_not_tell_are_none(tmp_path):
    adata = read(write_pair(tmp_path, make_truth(), "x_um", "y_um", area=[*range(9), "#DIV/0!", "null", "#N/A"]))
    assert np.isnan(adata.obs["cell_area"]).tolist() == [False] * 9 + [True] * 3


@pytest.mark.parametrize("empty", ["", "NA", "NaN", "#N/A", "#DIV/0!"])
def test_an_empty_column_is_told_as_one(tmp_path, empty):
    with pytest.raises(ReadError, match="row 2, column CD4: the column is empty: none of its 12 cells has"):
        read(write_single(tmp_path / "core1.csv", make_truth(), CD4=empty))
    with pytest.raises(ReadError, match=r"row 9, column CD4: the cell is empty \(5 of 12 cells of the column are\)"):
        read(write_single(tmp_path / "core1.csv", make_truth(), CD4=["1"] * 7 + [empty] * 5))


def test_text_among_the_features_of_one_table_is_named(tmp_path):
    file = write_single(tmp_path / "core1.csv", make_truth(), Comment="good")
    with pytest.raises(ReadError, match="core1.csv: row 2, column Comment: 'good' is no number; if the column is no"):
        read(file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "coordinates.csv").unlink(), "the coordinates are missing: .* the folder holds counts.csv"),
        (lambda f: edit_text(f / "coordinates.csv", lambda t: t.replace("y\n", "why\n")), "no columns of coordinates"),
        (lambda f: edit_text(f / "coordinates.csv", lambda t: t.replace("\n1", "\nz1")), None),
        (lambda f: edit_text(f / "coordinates.csv", lambda t: t.rstrip().replace("\n", "\nz")), "0 ids in common"),
        (lambda f: edit_text(f / "coordinates.csv", lambda t: t + "1,2,3\n"), "coordinates.csv: 1 ids occur more"),
        (lambda f: edit_text(f / "coordinates.csv", lambda t: t + "99,2,inf\n"), "column y: 'inf' is no number"),
        (lambda f: write_text(f / "coordinates.csv", "x,y\n1,2\n"), "coordinates.csv: there is no column of cell ids"),
        (lambda f: write_text(f / "coordinates.csv", "cell_id,x,y\n"), "coordinates.csv has a header and no rows"),
        (lambda f: edit_text(f / "counts.csv", lambda t: t + "99,a,1,1,1\n"), "row 14, column CD3E: 'a' is no"),
        (lambda f: edit_text(f / "counts.csv", lambda t: t + "1,1,1,1,1\n"), "counts.csv: 1 ids occur more than once"),
        (lambda f: edit_text(f / "counts.csv", lambda t: t.replace("VIM", "VIM,X")), "header has 6 columns, the"),
        (lambda f: write_text(f / "my_counts.csv", "a,b\n1,2\n"), "several files would do: counts.csv, my_counts.csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, damage, message):
    write_pair(tmp_path, make_truth())
    damage(tmp_path)
    if message is None:  # 4 of 12 ids differ
        assert "4 of 12 cells are left out" in read(tmp_path).uns["notes"][0]
        return
    with pytest.raises(ReadError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("one_table", [True, False])
def test_a_header_within_the_table_is_told_with_its_row(tmp_path, one_table):
    truth = make_truth()
    file = write_single(tmp_path / "t.csv", truth) if one_table else write_pair(tmp_path, truth) / "coordinates.csv"
    edit_text(file, lambda text: text + text)
    with pytest.raises(ReadError, match="row 14, column (CD3E|x): the header stands here again: were several tables"):
        read(file if one_table else tmp_path)


def test_genes_of_the_fly_that_are_called_as_axes_are(tmp_path):
    """yellow and zeste; beside a pair of coordinates in the same table they are axes."""
    truth = make_truth()
    write_pair(tmp_path, truth)
    frame = truth.frame
    names = ["w", "y", "z", *frame.columns[3:]]
    write_text(tmp_path / "counts.csv", frame.set_axis(names, axis=1).to_csv(index_label="cell_id"))
    adata = read(tmp_path)
    assert adata.var_names.tolist() == names
    assert "taken for features, since the table has no pair of coordinates: y, z" in adata.uns["notes"]
    write_text(tmp_path / "counts.csv", frame.assign(x=1, y=2, z=3).to_csv(index_label="cell_id"))
    assert read(tmp_path).var_names.tolist() == truth.genes


def test_genes_by_cells_whose_ids_r_changed_is_told(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    frame = truth.frame.T
    frame.columns = [f"X{name}" for name in frame.columns]
    write_text(tmp_path / "counts.csv", frame.to_csv(index_label="gene"))
    with pytest.raises(ReadError, match="counts.csv: the cells are in the columns; transpose it"):
        read(tmp_path)


def test_genes_by_cells_is_told(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    write_text(tmp_path / "counts.csv", truth.frame.T.to_csv(index_label="gene"))
    with pytest.raises(ReadError, match=r"counts.csv: the cells are in the columns; transpose it"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell_id,x,y\n1,2,3\n", "t.csv: there are no columns of features"),
        ("cell_id,A,B\n1,2,3\n", "t.csv: there are no columns of coordinates"),
        ("A,B,x,y\n1,2,3,4\n", "t.csv: there is no column of cell ids"),
        ("cell_id,x,y,A\n1,2,3,4\n1,5,6,7\n", "t.csv: 1 ids occur more than once"),
        ("cell_id x y A\n1 2 3 4\n", "one column only; it is separated by spaces or"),
        ('cell_id,x,y,A\n1,"2,000",3,4\n', "row 2, column x: '2,000' is no number; commas of thousands"),
        ("cell_id,x,y,A\n,um,um,\n1,2,3,4\n", "row 2, column x: 'um' is no number; take the row of units out"),
        ("cell_id,x,y,cell_type\n1,2,3,T\n", "cell_type; give .* for niches of cell types alone, a column of 0 and 1"),
        ("\n\n", "t.csv is empty"),
        ("# only a comment\n", "t.csv is empty"),
        ('cell_id,x,y,A\n1,2,3,"4\n', "t.csv"),
        ("cell_id;x;y;A\n1;2,5;3;4\n", "t.csv: row 2, column x: '2,5' is no number"),
    ],
)
def test_what_one_table_lacks(tmp_path, text, message):
    file = write_text(tmp_path / "t.csv", text)
    with pytest.raises(ReadError, match=message):
        read(file)


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    truth = make_truth()
    file = write_single(tmp_path / "t.csv", truth)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    truth.check(read(file))


def test_chunks_give_the_same_as_the_whole(tmp_path, monkeypatch):
    truth = make_truth(40)
    write_pair(tmp_path, truth)
    monkeypatch.setattr("semanticst.io.readers.tabular.BLOCK", 17)
    truth.check(read(tmp_path))


def test_memory_of_a_wide_table_stays_far_below_the_dense_matrix(tmp_path, monkeypatch):
    import tracemalloc

    monkeypatch.setattr("semanticst.io.readers.tabular.BLOCK", 1 << 17)
    rng = np.random.default_rng(0)
    counts = (rng.random((12000, 200)) < 0.02).astype(int)
    frame = pd.DataFrame(counts, columns=[f"g{j}" for j in range(200)], index=[f"c{i}" for i in range(12000)])
    write_text(tmp_path / "counts.csv", frame.to_csv(index_label="cell_id"))
    places = pd.DataFrame({"x": rng.random(12000), "y": rng.random(12000)}, index=frame.index)
    write_text(tmp_path / "coordinates.csv", places.to_csv(index_label="cell_id"))
    tracemalloc.start()
    adata = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (adata.X.toarray() == counts).all()
    assert peak < counts.size * 8 / 3


SHAPES = ("Area", "MajorAxisLength", "Extent", "Solidity", "cell_size", "convex_area", "major_minor_axis_ratio",
          "area_nuclear", "Nucleus: Area µm^2", "Cell: Circularity", "Nucleus/Cell area ratio", "bbox-0",
          "axis_major_length", "Cell: Max diameter µm", "perimeter")  # fmt: skip


def test_measures_of_shape_are_no_markers(tmp_path):
    truth = make_truth()
    file = write_single(tmp_path / "cells.csv", truth, **dict.fromkeys(SHAPES, 0.5))
    adata = read(file)
    truth.check(adata)
    assert "as no features: shape and size (MajorAxisLength, Extent" in adata.uns["notes"][1]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "X", "...1", "index", "row_number", "any name at all"])
def test_row_numbers_are_no_markers(tmp_path, name):
    """In front of the ids, as pandas, R and spreadsheets leave them when they write a table again."""
    truth = make_truth()
    frame = truth.frame.assign(x=truth.spatial[:, 0], y=truth.spatial[:, 1])
    frame.insert(0, "CellID", truth.ids)
    frame.insert(0, name, np.arange(1, len(truth.ids) + 1))
    truth.check(read(write_text(tmp_path / "t.csv", frame.to_csv(index=False))))


def test_row_numbers_in_front_of_counts(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    frame = truth.frame.reset_index(names="cell_id").reset_index(names="")
    write_text(tmp_path / "counts.csv", frame.to_csv(index=False))
    truth.check(read(tmp_path))


def test_a_marker_that_rises_is_one(tmp_path):
    truth = make_truth()
    truth.counts[:, 1] = np.arange(len(truth.ids)) * 2
    truth.check(read(write_single(tmp_path / "t.csv", truth)))


def test_ids_that_are_called_so_go_before_labels_and_row_numbers(tmp_path):
    truth = make_truth()
    frame = truth.frame.assign(
        X_centroid=truth.spatial[:, 0], Y_centroid=truth.spatial[:, 1], label=5, CellID=truth.ids
    )
    truth.check(read(write_text(tmp_path / "t.csv", frame.to_csv(index_label="index"))))


def qupath(truth, **more):
    """A table as QuPath exports it: text, outlines, and statistics of each marker in each compartment."""
    frame = pd.DataFrame({
        "Image": "a.ome.tif", "Object ID": truth.ids, "Object type": "Cell", "Name": "", "Classification": "T",
        "Parent": "Annotation", "ROI": "Polygon", "Centroid X µm": truth.spatial[:, 0],
        "Centroid Y µm": truth.spatial[:, 1], "Nucleus: Area µm^2": 30.0, "Cell: Area µm^2": 80.0,
    })  # fmt: skip
    for part, statistic, factor in (
        ("Nucleus", "mean", 2),
        ("Cell", "mean", 1),
        ("Cell", "std dev", 3),
        ("Cell", "max", 4),
    ):
        for gene in truth.genes:
            frame[f"{part}: {gene} {statistic}"] = truth.frame[gene].to_numpy() * factor
    return frame.assign(**more)


def test_cellprofiler(tmp_path):
    """Means of channels are markers; shapes, relations of objects and other statistics are none."""
    truth = make_truth()
    table = pd.DataFrame({
        "ImageNumber": 1, "ObjectNumber": truth.ids, "AreaShape_Eccentricity": 0.5, "Children_Nuclei_Count": 1,
        "Parent_Cells": 3, "Texture_Contrast_DNA_3_00_256": 0.1, "Neighbors_NumberOfNeighbors_5": 2,
        "Location_Center_X": truth.spatial[:, 0], "Location_Center_Y": truth.spatial[:, 1],
    })  # fmt: skip
    for gene in truth.genes:
        table[f"Intensity_MeanIntensity_{gene}"] = truth.frame[gene].to_numpy()
        table[f"Intensity_StdIntensity_{gene}"] = table[f"Intensity_MaxIntensityEdge_{gene}"] = 7.0
    file = write_text(tmp_path / "Cells.csv", table.to_csv(index=False))
    truth.check(read(file, "mif"), genes=[f"Intensity_MeanIntensity_{gene}" for gene in truth.genes])


@pytest.mark.parametrize("at", [0, 5])
def test_annotations_among_the_cells_of_qupath_are_left_out(tmp_path, at):
    """They have neither an intensity nor, in old versions, an id."""
    truth = make_truth()
    cells = qupath(truth).astype(str)
    drawn = pd.DataFrame("", index=range(2), columns=cells.columns).assign(**{"Object type": "Annotation"})
    table = pd.concat([cells[:at], drawn, cells[at:]])
    file = tmp_path / "measurements.tsv"
    adata = read(write_text(file, table.to_csv(sep="\t", index=False)))
    assert adata.obs_names.tolist() == list(truth.ids)
    expected = f"2 of {len(truth.ids) + 2} rows are no cells (Object type: Annotation) and left out"
    assert expected in adata.uns["notes"]
    table.iloc[9, table.columns.get_loc(f"Cell: {truth.genes[0]} mean")] = "x"
    write_text(file, table.to_csv(sep="\t", index=False))
    with pytest.raises(ReadError, match="row 11, column .*'x' is no number"):
        read(file)


@pytest.mark.parametrize("images", [1, 2])
def test_qupath_before_objects_had_ids(tmp_path, images):
    """Cells are called by their row in the image; annotations among them are told by the name of their type."""
    truth = make_truth(60)
    table = qupath(truth).drop(columns=["Object ID", "Object type"], errors="ignore")
    table["Name"], table["Image"] = "PathCellObject", [f"i{n % images}" for n in range(60)]
    drawn = table.head(1).assign(Name="PathAnnotationObject")
    file = write_text(tmp_path / "m.tsv", pd.concat([drawn, table]).to_csv(sep="\t", index=False))
    adata = reader_for(file, "codex").read(file, Wanted("codex", in_parts=images > 1, part_columns=("Image",)))
    ids = [str(n + 1) for n in range(60)] if images == 1 else [f"i{n % 2}_{n // 2 + 1}" for n in range(60)]
    truth.check(adata, ids=ids, genes=[f"Cell: {gene} mean" for gene in truth.genes])
    assert (
        f"there is no column of cell ids: cells are called by their row in the image ({ids[0]}, ...)"
        in (adata.uns["notes"])
    )


def test_qupath(tmp_path):
    truth = make_truth()
    file = write_text(tmp_path / "measurements.tsv", qupath(truth).to_csv(sep="\t", index=False))
    adata = read(file, "codex")
    truth.check(adata, genes=[f"Cell: {gene} mean" for gene in truth.genes])
    assert adata.uns["spatial_unit"] == "um"
    assert set(adata.obs["cell_type"]) == {"T"}
    assert set(adata.obs["cell_area"]) == {80}


def test_ark_and_steinbock_count_rows_downwards(tmp_path):
    truth = make_truth()
    frame = truth.frame.assign(label=truth.ids, fov="fov1")
    frame["centroid-0"], frame["centroid-1"] = truth.spatial[:, 1], truth.spatial[:, 0]
    truth.check(read(write_text(tmp_path / "cell_table_size_normalized.csv", frame.to_csv(index=False))))


@pytest.mark.parametrize("repeated", [False, True])
def test_a_table_of_several_images_is_no_sample(tmp_path, repeated):
    truth = make_truth(60)
    file = write_single(tmp_path / "all.csv", truth, image=np.repeat(["a", "b", "c"], 20))
    if repeated:  # ids begin again in each image
        frame = pd.read_csv(file)
        write_text(file, frame.assign(cell_id=1 + np.arange(60) % 20).to_csv(index=False))
    with pytest.raises(ReadError, match=r"on top of each other: the column image tells 3 apart \(a, b, c\)"):
        read(file)


def test_what_tells_sections_and_tissue_comes_along(tmp_path):
    adata = read(write_pair(tmp_path, make_truth(), sample_id="s1", in_tissue=1, note="x"))
    assert sorted(adata.obs) == ["in_tissue", "sample_id"]


@pytest.mark.parametrize("pair", [True, False])
def test_a_stack_of_sections_in_one_table_is_refused(tmp_path, pair):
    truth = make_truth()
    z = np.repeat([0, 900], 6)
    path = write_pair(tmp_path, truth, z=z) if pair else write_single(tmp_path / "t.csv", truth, z=z)
    row = {"sample": "s", "patient": "p", "path": str(path)}
    with pytest.raises(ReadError, match="the third spans 900, .* a volume or a stack of sections"):
        ingest_sample(row)
    path = write_pair(tmp_path, truth, z=z / 100) if pair else write_single(tmp_path / "t.csv", truth, z=z / 100)
    adata = ingest_sample(row)
    assert np.array_equal(adata.obsm["spatial"][adata.obs_names.get_indexer(truth.ids)], truth.spatial)


@pytest.mark.parametrize(("counted", "placed"), [
    ("100000", "1e+05"), ("1e+05", "100000"), ("1200000", "1.2e+06"), ("c-1", "c.1"), ("70", "70.0"),
])  # fmt: skip
@pytest.mark.parametrize("more", [0, 3])
def test_some_ids_that_programs_spell_differently(tmp_path, counted, placed, more):
    """R writes the number 100000 as 1e+05, and those around it as they are."""
    truth = make_truth()
    write_pair(tmp_path, truth)
    for file, spelled in (("counts", counted), ("coordinates", placed)):
        frame = pd.read_csv(tmp_path / f"{file}.csv", dtype=str)
        ids = frame.columns[0]
        frame[ids] = frame[ids].replace("5", spelled)
        if file == "coordinates":  # cells without counts
            frame = pd.concat([frame, frame.head(more).assign(**{ids: [f"n{i}" for i in range(more)]})])
        frame.to_csv(tmp_path / f"{file}.csv", index=False)
    adata = read(tmp_path)
    adata.obs_names = ["5" if name == counted else name for name in adata.obs_names]
    truth.check(adata)
    assert (
        f"1 ids are spelled differently in counts.csv and coordinates.csv, and matched: {counted} is {placed}"
        in (adata.uns["notes"][0])
    )


def test_ids_of_other_cells_are_not_matched_by_their_spelling(tmp_path):
    """a1 and A1 are two cells of one list; and what a spreadsheet shortened may be any number."""
    for counted, placed in ((["a1", "A1"], ["A1", "b"]), (["1606390000000000000"], ["1.60639E+18"])):
        truth = make_truth()
        write_pair(tmp_path, truth)
        for file, spelled in (("counts", counted), ("coordinates", placed)):
            frame = pd.read_csv(tmp_path / f"{file}.csv", dtype=str)
            ids = frame.columns[0]
            frame[ids] = frame[ids].replace(dict(zip(["5", "6"], spelled)))
            frame.to_csv(tmp_path / f"{file}.csv", index=False)
        assert counted[0] not in read(tmp_path).obs_names


@pytest.mark.parametrize(("counted", "placed"), [
    ("AAACAAGTATCTCCCA.{i}", "AAACAAGTATCTCCCA-{i}"), ("{i}", "{i}.0"), ("X{i}", "{i}"), ("Cell_{i}", "cell {i}"),
])  # fmt: skip
@pytest.mark.parametrize("header", ["X", "cell_id"])
def test_ids_that_programs_spell_differently(tmp_path, counted, placed, header):
    truth = make_truth()
    write_pair(tmp_path, truth)
    for file, ids, name in (("counts", counted, header), ("coordinates", placed, "cell_id")):
        frame = pd.read_csv(tmp_path / f"{file}.csv")
        frame = frame.rename(columns={frame.columns[0]: name})
        frame[name] = [ids.format(i=i) for i in frame[name]]
        frame.to_csv(tmp_path / f"{file}.csv", index=False)
    adata = read(tmp_path)
    ids = [
        int(name.translate(str.maketrans({"X": "", "C": ""})).split(".")[-1].split("_")[-1]) for name in adata.obs_names
    ]
    adata.obs_names = [str(i) for i in ids]
    truth.check(adata)
    assert adata.uns["notes"][0].startswith("ids are spelled differently in counts.csv and coordinates.csv, and match")


@pytest.mark.parametrize("spelled", [("True", "False"), ("TRUE", "FALSE")])
@pytest.mark.parametrize("last", [True, False])
def test_positive_cells_as_truth_values(tmp_path, spelled, last):
    truth = make_truth()
    frame = truth.frame.gt(0).replace({True: spelled[0], False: spelled[1]})
    frame.insert(0, "cell_id", truth.ids)
    frame[["x", "y"]] = truth.spatial
    if not last:
        frame = frame[["cell_id", "x", "y", *truth.genes]]
    adata = read(write_text(tmp_path / "t.csv", frame.to_csv(index=False)))
    assert np.array_equal(adata.X.toarray(), truth.frame.gt(0).to_numpy())
    frame.iloc[4, list(frame.columns).index("VIM")] = "maybe"
    with pytest.raises(ReadError, match="row 6, column VIM: 'maybe' is no true or false"):
        read(write_text(tmp_path / "t.csv", frame.to_csv(index=False)))


def test_columns_of_codex_are_called_twice(tmp_path):
    truth = make_truth()
    frame = truth.frame.assign(x=truth.spatial[:, 0], y=truth.spatial[:, 1], cell_id=truth.ids, tile_num=1)
    frame.columns = [f"{name}:{name}" for name in frame.columns]
    truth.check(read(write_text(tmp_path / "t.csv", frame.to_csv(index=False))))


def test_a_folder_of_tables_tells_them(tmp_path):
    for name in ("core1.csv", "core2.csv"):
        write_single(tmp_path / name, make_truth())
    with pytest.raises(ReadError, match="give one of them: core1.csv, core2.csv"):
        read(tmp_path)


def test_counts_without_ids_are_refused(tmp_path):
    truth = make_truth(40)
    write_pair(tmp_path, truth)
    write_text(tmp_path / "counts.csv", truth.frame.to_csv(index=False))
    with pytest.raises(ReadError, match="counts.csv: there is no column of cell ids: .*the first column is CD3E"):
        read(tmp_path)


def test_a_first_column_of_any_name_that_holds_the_ids(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    write_text(tmp_path / "counts.csv", truth.frame.to_csv(index_label="my_cells"))
    truth.check(read(tmp_path))


def test_types_of_features_beside_a_matrix(tmp_path):
    truth = make_truth()
    write_pair(tmp_path, truth)
    (tmp_path / "counts.csv").unlink()
    write_mtx(tmp_path, truth)
    assert set(read(tmp_path).var["feature_types"]) == {"Gene Expression"}


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("zipped", [False, True])
def test_text_of_any_usual_encoding(tmp_path, encoding, zipped):
    """QuPath and Excel on Windows write the micro sign as Latin-1, or all of it as UTF-16."""
    names = ["Centroid X µm", "Centroid Y µm", "CD3", "CD20", "Classification"]
    rows = [f"c{i},{i},{2 * i + 1},{i % 3},{i % 4},Müller" for i in range(12)]
    text = "\n".join([",".join(["Object ID", *names]), *rows]) + "\n"
    file = tmp_path / ("s.csv.gz" if zipped else "s.csv")
    file.write_bytes(gzip.compress(text.encode(encoding)) if zipped else text.encode(encoding))
    adata = read(file)
    assert adata.obs_names.tolist() == [f"c{i}" for i in range(12)]
    assert (adata.uns["spatial_unit"], adata.var_names.tolist()) == ("um", ["CD3", "CD20"])
    assert np.array_equal(adata.obsm["spatial"], [[i, 2 * i + 1] for i in range(12)])
    assert set(adata.obs["cell_type"]) == {"Müller"}


@pytest.mark.parametrize(("content", "message"), [
    (b"cell_id,x,y,A,B\nc1,1,2,3,4\n" * 5000 + b"c\xe4,1,2,3,4\n", r"not UTF-8 throughout \(byte 0xe4 in '.*c\?,1"),
    ("cell_id,x,y,A,B\nc1,1,2,3,4\n".encode("utf-16-le"), "UTF-16 without its mark; save it as CSV UTF-8"),
    (b"cell_id,x,y,A,B\nc1,1,2,3,4\nc\x81\xe4,1,2,3,4\n", r"neither UTF-8 nor .*: byte 0x81 in row 3"),
], ids=["late", "no mark", "other"])  # fmt: skip
def test_text_of_no_usual_encoding(tmp_path, content, message):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "s.csv")


@pytest.mark.parametrize("start", [0, 1], ids=["pandas", "R"])
@pytest.mark.parametrize("ids", ["X", "Unnamed: 0", "cell"])
def test_row_numbers_in_front_of_the_ids_of_both_tables(tmp_path, start, ids):
    """The tables are in orders of their own: by the numbers of the rows they would pair up all the same."""
    truth = make_truth()
    write_pair(tmp_path, truth)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for reverse, file in enumerate(files):
        table = pd.read_csv(file, index_col=0)[:: -1 if reverse else 1]
        table.index.name = ids
        table.reset_index().set_axis(range(start, start + len(table))).to_csv(file)
    adata = read(tmp_path)
    truth.check(adata)
    assert sorted(adata.obs_names) == sorted(truth.ids)


@pytest.mark.parametrize("start", [0, 1, 100])
def test_a_column_that_counts_the_rows_is_no_feature(tmp_path, start):
    """Under any name, also where the table is a part of a larger one."""
    truth = make_truth()
    adata = read(write_single(tmp_path / "s.csv", truth, number=range(start, start + len(truth.ids))))
    truth.check(adata)
    assert "s.csv: the numbers of the rows are no feature: number" in adata.uns["notes"]


@pytest.mark.parametrize(("counts_from", "places_from"), [(0, 1), (1, 0)], ids=["pandas-R", "R-pandas"])
def test_row_numbers_that_start_differently_are_paired_by_order_with_a_warning(tmp_path, counts_from, places_from):
    """By the numbers each cell would get the position of its neighbour."""
    truth = make_truth()
    rows = np.arange(len(truth.ids))
    write_text(tmp_path / "counts.csv", truth.frame.set_axis(rows + counts_from, axis=0).to_csv())
    places = pd.DataFrame(truth.spatial[:, :2], columns=["x", "y"], index=rows + places_from)
    write_text(tmp_path / "coordinates.csv", places.to_csv())
    adata = read(tmp_path)
    assert adata.n_obs == len(rows)
    np.testing.assert_allclose(adata.obsm["spatial"], places.to_numpy(), rtol=1e-6)
    assert "numbers of the rows" in adata.uns["warnings"][0]
    assert "paired by their order" in adata.uns["warnings"][0]
    for file in ("counts.csv", "coordinates.csv"):  # ids with a name that are numbered differently
        edit_text(tmp_path / file, lambda text: "cell_id" + text)
    adata = read(tmp_path)
    np.testing.assert_allclose(adata.obsm["spatial"], places.to_numpy(), rtol=1e-6)
    assert adata.uns["warnings"][0].endswith("If that is wrong, give both tables the same ids")
    edit_text(tmp_path / "counts.csv", lambda text: text.removeprefix("cell_id"))
    write_text(tmp_path / "coordinates.csv", places[:-1].to_csv())
    with pytest.raises(ReadError, match="numbers of the rows.*nothing tells which belong together.*column cell_id"):
        read(tmp_path)


def test_row_numbers_of_one_start_and_ids_with_a_name_are_paired_as_they_are(tmp_path):
    truth = make_truth()
    rows = np.arange(len(truth.ids))
    places = pd.DataFrame(truth.spatial[:, :2], columns=["x", "y"], index=rows)
    write_text(tmp_path / "counts.csv", truth.frame.set_axis(rows, axis=0).to_csv())
    write_text(tmp_path / "coordinates.csv", places[:-1].to_csv())
    adata = read(tmp_path)
    assert adata.n_obs == len(rows) - 1
    assert "warnings" not in adata.uns
    # label 0 may be what lies outside of cells
    write_text(tmp_path / "counts.csv", truth.frame.set_axis(rows, axis=0).to_csv(index_label="cell_id"))
    write_text(tmp_path / "coordinates.csv", places[:-1].set_axis(rows[1:], axis=0).to_csv(index_label="cell_id"))
    adata = read(tmp_path)
    assert adata.obs_names.tolist() == [str(row) for row in rows[1:]]
    assert "warnings" not in adata.uns


@pytest.mark.parametrize("first", ["", "sep=,\n", '"sep=,"\r\n'])
def test_separators_within_quotes_and_the_line_for_excel(tmp_path, first):
    truth = make_truth()
    places = pd.DataFrame(truth.spatial[:, :2], columns=["x", "y"], index=truth.ids)
    places.insert(0, "Image", 'Case 5, slide "B", 2.ome.tif')
    text = places.join(truth.frame).to_csv(index_label="cell_id")
    write_text(tmp_path / "cells.csv", first + text)
    truth.check(read(tmp_path / "cells.csv"))
    lines = text.splitlines()
    write_text(tmp_path / "cells.csv", "\n".join([*lines[:3], lines[3].rpartition(",")[0], *lines[4:]]))
    n = lines[0].count(",") + 1
    with pytest.raises(ReadError, match=f"row 4 has {n - 1} columns, not {n} as the header"):
        read(tmp_path / "cells.csv")
