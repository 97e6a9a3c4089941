"""Slide-seq pucks."""

import pandas as pd
import pytest

from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import edit_text, make_truth, slideseq_ids, write_slideseq, write_text

COUNTS, PLACES = "MappedDGEForR.csv", "BeadLocationsForR.csv"
HEADER = "%%MatrixMarket matrix coordinate integer general"


def read(folder):
    return reader_for(folder, "slideseq").read(folder, Wanted("slideseq"))


def wide_truth():
    truth = make_truth()
    truth.spatial[0, 0] = 4600
    return truth


@pytest.mark.parametrize("layout", ["portal", "tools"])
def test_layouts(tmp_path, layout):
    truth = wide_truth()
    adata = read(write_slideseq(tmp_path, truth, layout))
    truth.check(adata, slideseq_ids(truth))
    assert (adata.uns["platform"], adata.uns["spatial_unit"], adata.uns["um_per_unit"]) == ("slideseq", "px", 0.65)
    assert adata.uns["notes"] == []


def test_matrix_market_with_suffixed_barcodes(tmp_path):
    truth = wide_truth()
    adata = read(write_slideseq(tmp_path, truth, "mex"))
    truth.check(adata, [f"{bead}-1" for bead in slideseq_ids(truth)])
    assert adata.var["gene_id"].tolist() == ["ENSG0", "ENSG1", "ENSG2", "ENSG3"]


def test_a_span_that_micrometres_could_have_is_of_unknown_unit(tmp_path):
    truth = make_truth()
    assert truth.spatial.max() < 3000
    adata = read(write_slideseq(tmp_path, truth))
    assert adata.uns["spatial_unit"] == "unknown"
    assert "um_per_unit" not in adata.uns
    assert "not certain" in adata.uns["notes"][0]


def test_places_without_header(tmp_path):
    truth = make_truth()
    write_slideseq(tmp_path, truth)
    edit_text(tmp_path / PLACES, lambda t: "\n".join(line.split(",", 1)[1] for line in t.split("\n")[1:-1]))
    truth.check(read(tmp_path), slideseq_ids(truth))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / COUNTS).unlink(), "the table of counts is missing: expected .*MappedDGE"),
        (lambda f: (f / PLACES).unlink(), "the table of bead locations is missing"),
        (lambda f: edit_text(f / PLACES, lambda t: t.replace("xcoord", "column")), "column xcoord is missing"),
        (lambda f: write_text(f / PLACES, "xcoord,ycoord\n1,x\n"), "a column of barcodes is expected beside"),
        (lambda f: edit_text(f / PLACES, lambda t: t.replace("A", "N").replace("C", "N")), "0 ids in common"),
        (lambda f: edit_text(f / PLACES, lambda t: t + "99,AAAAAAAA,1,1\n"), f"{PLACES}: 1 ids occur more than once"),
        (lambda f: edit_text(f / PLACES, lambda t: t.replace("AAAAAAAA", "AAAAAAAA,")), f"{PLACES}"),
        (lambda f: edit_text(f / COUNTS, lambda t: t.replace("CD3E,", "CD3E,x")), "row 2, column AAAAAAAA: 'x"),
        (lambda f: edit_text(f / COUNTS, lambda t: t.replace(",CAAAAAAA", ",AAAAAAAA")), f"{COUNTS}: 1 ids occur more"),
        (lambda f: edit_text(f / COUNTS, lambda t: t.split("\n")[0]), "has a header and no rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, damage, message):
    write_slideseq(tmp_path, make_truth())
    damage(tmp_path)
    with pytest.raises(ReadError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("barcodes.tsv.gz", "A\nB\n", r"matrix.mtx.gz: the matrix is 4 x 12, but there are 2 cells and 4 features"),
        ("features.tsv.gz", "g\n", "there are 12 cells and 1 features"),
        ("matrix.mtx.gz", f"{HEADER}\n4 12 3\n1 1 1\n", "matrix.mtx.gz: 3 entries are stated, but there are 1"),
        ("matrix.mtx.gz", f"{HEADER}\n4 12 1\n9 1 1\n", "matrix.mtx.gz: there is a position outside 1 to 4"),
        ("matrix.mtx.gz", "1,2,3\n", "matrix.mtx.gz: the first line is not"),
        ("matrix.mtx.gz", "%%MatrixMarket matrix array real general\n1 1\n3\n", "the first line is not"),
    ],
)  # fmt: skip
def test_damaged_matrix(tmp_path, file, text, message):
    write_slideseq(tmp_path, make_truth(), "mex")
    write_text(tmp_path / file, text)
    with pytest.raises(ReadError, match=message):
        read(tmp_path)


def test_curio_seeker(tmp_path):
    truth = make_truth()
    write_slideseq(tmp_path, truth, "mex")
    names = {
        "matrix.mtx.gz": "S1_MoleculesPerMatchedBead.mtx.gz",
        "barcodes.tsv.gz": "S1_barcodes.tsv.gz",
        "features.tsv.gz": "S1_genes.tsv.gz",
        "BeadLocationsForR.csv": "S1_MatchedBeadLocation.csv",
    }
    for old, new in names.items():
        (tmp_path / old).rename(tmp_path / new)
    adata = reader_for(tmp_path, "").read(tmp_path, Wanted())
    truth.check(adata, [f"{bead}-1" for bead in slideseq_ids(truth)])
    assert adata.uns["spatial_unit"] == "unknown"
    assert "Curio Seeker does not say its unit" in adata.uns["notes"][-1]


def test_row_numbers_in_front_of_the_genes(tmp_path):
    truth = wide_truth()
    write_slideseq(tmp_path, truth)
    file = tmp_path / "MappedDGEForR.csv"
    pd.read_csv(file).to_csv(file)
    truth.check(read(tmp_path), slideseq_ids(truth))
