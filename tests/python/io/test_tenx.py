"""The matrix of 10x Genomics: the same counts from every layout, and a clear refusal of damaged ones."""

import gzip

import h5py
import numpy as np
import pytest
import scanpy as sc

from semanticst.io.readers import ReadError, matrix_market
from semanticst.io.readers.tenx import find_matrix, read_matrix
from tenx_helpers import cut, make_counts, make_features, write_h5, write_mtx

BARCODES = [f"{'ACGT' * 4}{i:02d}-1" for i in range(30)]
GENES = make_features(*["Gene Expression"] * 7)


def same(adata, peer):
    assert adata.obs_names.tolist() == peer.obs_names.tolist()
    assert adata.var_names.tolist() == peer.var_names.tolist()
    assert adata.var["gene_id"].tolist() == peer.var["gene_ids"].tolist()
    assert (adata.X != peer.X).nnz == 0
    assert adata.X.format == "csr"
    assert adata.X.dtype == np.float32


@pytest.mark.parametrize("genome", ["", "mm10"])
@pytest.mark.parametrize("seed", range(3))
def test_hdf5_as_scanpy_reads_it(tmp_path, genome, seed):
    X = make_counts(30, 7, seed)
    write_h5(tmp_path / "m.h5", X, BARCODES, GENES, genome)
    adata = read_matrix(tmp_path / "m.h5")
    same(adata, sc.read_10x_h5(tmp_path / "m.h5"))
    assert (adata.X != X).nnz == 0
    assert "control" not in adata.var


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_text_as_scanpy_reads_it(tmp_path, zipped, seed):
    X = make_counts(30, 7, seed)
    write_mtx(tmp_path / "m", X, BARCODES, GENES, zipped)
    write_mtx(tmp_path / "peer", X, BARCODES, GENES)  # scanpy knows these files only zipped
    same(read_matrix(tmp_path / "m"), sc.read_10x_mtx(tmp_path / "peer"))


def test_text_of_old_versions_and_with_prefixes(tmp_path):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped=False, old=True)
    same(read_matrix(tmp_path / "m"), sc.read_10x_mtx(tmp_path / "m"))
    for file in list((tmp_path / "m").iterdir()):
        file.rename(file.with_name(f"GSM1_{file.name}"))
    assert read_matrix(tmp_path / "m").shape == (30, 7)


@pytest.mark.parametrize("block", [1, 50, 1000])
@pytest.mark.parametrize("order", ["by cell", "by feature"])
def test_text_in_any_order_and_in_blocks(tmp_path, monkeypatch, block, order):
    monkeypatch.setattr(matrix_market, "BLOCK", block)
    X = make_counts(30, 7)
    write_mtx(tmp_path / "m", X, BARCODES, GENES, zipped=False)
    file = tmp_path / "m" / "matrix.mtx"
    lines = file.read_text().splitlines()
    entries = sorted(lines[3:], key=lambda line: [int(n) for n in line.split()][:: 1 if order == "by feature" else -1])
    file.write_text("\n".join(lines[:3] + entries) + "\n")
    assert (read_matrix(tmp_path / "m").X != X).nnz == 0


def test_text_that_ends_between_two_lines(tmp_path):
    file = tmp_path / "a.mtx"
    file.write_text("%%MatrixMarket matrix coordinate integer general\n2 3 3\n1 1 4\n2 3 1\n")
    with pytest.raises(ReadError, match=r"^a\.mtx: 3 entries are stated, but there are 2; the file is incomplete"):
        matrix_market.read_matrix_market(file)


def test_text_without_values_and_without_entries(tmp_path):
    (tmp_path / "a.mtx").write_text("%%MatrixMarket matrix coordinate pattern general\n% says who\n\n2 3 2\n1 1\n2 3\n")
    assert matrix_market.read_matrix_market(tmp_path / "a.mtx").toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    (tmp_path / "b.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 3 0\n")
    assert matrix_market.read_matrix_market(tmp_path / "b.mtx").shape == (3, 2)


def test_files_that_are_called_gz_and_are_not(tmp_path):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped=True)
    for file in (tmp_path / "m").iterdir():
        file.write_bytes(gzip.decompress(file.read_bytes()))
    assert read_matrix(tmp_path / "m").shape == (30, 7)


def test_a_gene_called_na_and_one_without_symbol(tmp_path):
    features = GENES.copy()
    features.loc[0, "name"], features.loc[1, "name"] = "NA", ""
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, features)
    assert read_matrix(tmp_path / "m").var_names[:3].tolist() == ["NA", "ENSG00000000001", "Gene2"]


def edit_lines(file, change):
    file.write_text("".join(f"{line}\n" for line in change(file.read_text().splitlines())))


def unescaped(line):
    """What the peer writes with quotes because of those within, as 10x and R do."""
    return line.replace('"RNA 5""' + '"', 'RNA 5"')


def quoted(lines):
    """As R writes a table."""
    return ["\t".join(f'"{value}"' for value in line.split("\t")) for line in lines]


@pytest.mark.parametrize("quote", [quoted, lambda lines: [f'"{line}"' for line in lines]], ids=["values", "lines"])
@pytest.mark.parametrize("old", [True, False])
def test_quotes_around_names_are_no_letters(tmp_path, quote, old):
    X = make_counts(30, 7)
    features = GENES.copy()
    features.loc[3, "name"] = 'RNA 5"'
    write_mtx(tmp_path / "m", X, BARCODES, features, zipped=False, old=old)
    for name in ("barcodes.tsv", "genes.tsv" if old else "features.tsv"):
        edit_lines(tmp_path / "m" / name, lambda lines: quote([unescaped(line) for line in lines]))
    adata = read_matrix(tmp_path / "m")
    assert adata.obs_names.tolist() == BARCODES
    assert adata.var["gene_id"].tolist() == features["id"].tolist()
    assert adata.var_names.tolist() == features["name"].tolist()
    assert (adata.X != X).nnz == 0


@pytest.mark.parametrize("change", [
    lambda lines: ["x", *lines],
    lambda lines: quoted(["x", *lines]),
    lambda lines: ["-1\tSeuratX.ident", *(f"{line}\t{i % 3}" for i, line in enumerate(lines))],
    lambda lines: quoted(["x", *(f"{i}\t{line}" for i, line in enumerate(lines, 1))]),
    lambda lines: ["cell barcode", *lines],
    lambda lines: [f"{line}\tT cell" for line in lines],
], ids=["x", "quoted x", "identities", "row numbers", "words", "no header"])  # fmt: skip
def test_headers_of_r_in_front_of_barcodes(tmp_path, change):
    X = make_counts(30, 7)
    write_mtx(tmp_path / "m", X, BARCODES, GENES, zipped=False)
    edit_lines(tmp_path / "m" / "barcodes.tsv", change)
    edit_lines(tmp_path / "m" / "features.tsv", lambda lines: ["gene_id\tgene_name\tV3", *lines])
    adata = read_matrix(tmp_path / "m")
    assert adata.obs_names.tolist() == BARCODES
    assert adata.var_names.tolist() == GENES["name"].tolist()
    assert (adata.X != X).nnz == 0


@pytest.mark.parametrize("name", ["barcodes.tsv", "features.tsv"])
def test_one_name_too_many_is_no_header(tmp_path, name):
    """Which of them is too many nobody knows: all others would be moved by one."""
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped=False)
    edit_lines(tmp_path / "m" / name, lambda lines: [*lines, lines[-1].replace("0", "9")])
    with pytest.raises(
        ReadError, match=f"^m: the matrix is damaged: 30 x 7 values, but .*{'31' if 'bar' in name else '8'} "
    ):
        read_matrix(tmp_path / "m")


@pytest.mark.parametrize("form", ["h5", "folder"])
def test_controls_are_marked_proteins_kept_and_other_features_left_out(tmp_path, form):
    types = ["Gene Expression", "Antibody Capture", "Negative Control Probe", "Gene Expression", "CRISPR Guide Capture",
             "Blank Codeword", "Genomic Control", "Protein Expression", "Gene Expression"]  # fmt: skip
    X = make_counts(30, 9)
    write = write_h5 if form == "h5" else write_mtx
    write(tmp_path / "m", X, BARCODES, make_features(*types))
    if form == "h5":
        (tmp_path / "m").rename(tmp_path / "m.h5")
    adata = read_matrix(tmp_path / ("m.h5" if form == "h5" else "m"))
    kept = [0, 1, 2, 3, 5, 6, 7, 8]
    assert adata.var_names.tolist() == [f"Gene{j}" for j in kept]
    assert adata.var["control"].tolist() == [False, False, True, False, True, True, False, False]
    assert adata.var["feature_types"].tolist() == [types[j] for j in kept]
    assert (X[:, kept] != adata.X).nnz == 0
    (note,) = adata.uns["notes"]
    assert note.endswith("left out: 1 of type CRISPR Guide Capture")


def test_where_the_matrix_is_looked_for(tmp_path):
    write_mtx(tmp_path / "GSM1_filtered_feature_bc_matrix", make_counts(30, 7), BARCODES, GENES)
    assert find_matrix(tmp_path, "filtered_feature_bc_matrix").name == "GSM1_filtered_feature_bc_matrix"
    write_h5(tmp_path / "GSM1_filtered_feature_bc_matrix.h5", make_counts(30, 7), BARCODES, GENES)
    assert find_matrix(tmp_path, "filtered_feature_bc_matrix").name == "GSM1_filtered_feature_bc_matrix.h5"
    assert find_matrix(tmp_path, "raw_feature_bc_matrix") is None
    write_h5(tmp_path / "GSM2_filtered_feature_bc_matrix.h5", make_counts(30, 7), BARCODES, GENES)
    with pytest.raises(ReadError, match="several files match"):
        find_matrix(tmp_path, "filtered_feature_bc_matrix")


def replace(group, name, values):
    del group[name]
    group[name] = values


def spoil(file, how):
    """Break one thing of a good .h5 matrix."""
    with h5py.File(file, "r+") as opened:
        m = opened["matrix"]
        if how == "float shape":
            replace(m, "shape", np.array([7.0, 30.0]))
        elif how == "other shape":
            replace(m, "shape", np.array([7, 31]))
        elif how == "turned shape":
            replace(m, "shape", np.array([30, 7]))
        elif how == "three numbers":
            replace(m, "shape", np.array([7, 30, 1]))
        elif how == "float indices":
            replace(m, "indices", m["indices"][:].astype(float))
        elif how == "text values":
            replace(m, "data", m["data"][:].astype("S4"))
        elif how == "index too large":
            m["indices"][3] = 7
        elif how == "index negative":
            m["indices"][3] = -1
        elif how == "rows overlap":
            m["indptr"][4] = m["indptr"][6]
        elif how == "values missing":
            replace(m, "data", m["data"][:-1])
        elif how == "no data":
            del m["data"]
        elif how == "no features":
            del m["features"]
        elif how == "no types":
            del m["features/feature_type"]
        elif how == "fewer names":
            replace(m, "features/name", m["features/name"][:-1])
        elif how == "one feature less":
            for name in ("id", "name", "feature_type"):
                replace(m, f"features/{name}", m[f"features/{name}"][:-1])
        elif how == "numbers as barcodes":
            replace(m, "barcodes", np.arange(30))
        elif how == "repeated barcodes":
            replace(m, "barcodes", np.array([BARCODES[0], *BARCODES[:-1]], "S"))
        elif how == "no matrix":
            opened.move("matrix", "elsewhere")
        elif how == "no genes":
            replace(m, "features/feature_type", np.full(7, b"Antibody Capture"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("float shape", "shape is no pair of whole numbers"),
        ("other shape", "31 x 7 is stated, but there are 30 rows"),
        ("turned shape", "7 x 30 is stated"),
        ("three numbers", "shape is no pair of whole numbers"),
        ("float indices", "wrong kinds of numbers"),
        ("text values", "wrong kinds of numbers"),
        ("index too large", "outside its 7 columns"),
        ("index negative", "outside its 7 columns"),
        ("rows overlap", "rows overlap"),
        ("values missing", "the matrix is damaged"),
        ("no data", "/matrix lacks data"),
        ("no features", "/matrix lacks features/id, features/name, features/feature_type"),
        ("no types", "/matrix lacks features/feature_type"),
        ("fewer names", "differ in number"),
        ("one feature less", "30 x 7 values, but 30 barcodes and 6 features"),
        ("numbers as barcodes", "barcodes holds no texts"),
        ("repeated barcodes", "1 barcodes occur more than once (first: ACGTACGTACGTACGT00-1)"),
        ("no matrix", "no group 'matrix', only elsewhere"),
        ("no genes", "no features of type Gene Expression, only Antibody Capture"),
    ],
)
def test_damaged_hdf5(tmp_path, how, message):
    write_h5(tmp_path / "m.h5", make_counts(30, 7), BARCODES, GENES)
    assert read_matrix(tmp_path / "m.h5").shape == (30, 7)
    spoil(tmp_path / "m.h5", how)
    with pytest.raises(ReadError) as error:
        read_matrix(tmp_path / "m.h5")
    assert str(error.value).startswith("m.h5: ")
    assert message in str(error.value)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_truncated_hdf5(tmp_path, share):
    write_h5(tmp_path / "m.h5", make_counts(30, 7), BARCODES, GENES)
    cut(tmp_path / "m.h5", share)
    what = "damaged or incomplete" if share else "the file is empty"
    with pytest.raises(ReadError, match=rf"^m\.h5 cannot be read as a 10x HDF5 matrix; {what}"):
        read_matrix(tmp_path / "m.h5")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.3, 0.8])
def test_truncated_text(tmp_path, zipped, share):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped)
    name = "matrix.mtx.gz" if zipped else "matrix.mtx"
    cut(tmp_path / "m" / name, share)
    with pytest.raises(ReadError, match=f"^{name}(: | cannot be read)"):
        read_matrix(tmp_path / "m")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n1 1 ", "\n8 1 "),
        ("\n1 1 ", "\n0 1 "),
        ("\n1 1 ", "\n1 -1 "),
        ("\n1 1 ", "\n1 x "),
        ("\n1 1 ", "\n1 "),
        ("\n1 1 ", "\n"),
        ("\n1 1 ", "\n1 1 2\n1 1 "),
        ("general", "symmetric"),
        ("\n7 30 ", "\n7 "),
        ("\n7 30 ", "\n7.0 30 "),
        ("\n7 30 ", "\n7 3000000000000000000000 "),
        ("coordinate integer", "coordinate complex"),
        ("coordinate", "array"),
        ("%%MatrixMarket", "gene"),
    ],
)
def test_damaged_text(tmp_path, old, new):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped=False)
    text = (tmp_path / "m" / "matrix.mtx").read_text()
    assert old in text
    (tmp_path / "m" / "matrix.mtx").write_text(text.replace(old, new, 1))
    with pytest.raises(ReadError, match=r"^matrix\.mtx"):
        read_matrix(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "what"), [("matrix.mtx", "matrix"), ("barcodes.tsv", "barcodes"), ("features.tsv", "features")]
)
def test_missing_text(tmp_path, name, what):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES)
    (tmp_path / "m" / f"{name}.gz").unlink()
    with pytest.raises(ReadError, match=rf"the .*{what} of m is missing: expected {name} or"):
        read_matrix(tmp_path / "m")


@pytest.mark.parametrize(("name", "kept"), [("barcodes.tsv", 29), ("features.tsv", 6)])
def test_fewer_names_than_the_matrix_has(tmp_path, name, kept):
    write_mtx(tmp_path / "m", make_counts(30, 7), BARCODES, GENES, zipped=False)
    lines = (tmp_path / "m" / name).read_text().splitlines(keepends=True)
    (tmp_path / "m" / name).write_text("".join(lines[:kept]))
    with pytest.raises(ReadError, match=f"^m: the matrix is damaged: 30 x 7 values, but .*{kept} "):
        read_matrix(tmp_path / "m")


@pytest.mark.parametrize("seed", range(12))
def test_bytes_broken_at_random_never_end_as_a_bug(tmp_path, seed):
    rng = np.random.default_rng(seed)
    write_h5(tmp_path / "m.h5", make_counts(30, 7), BARCODES, GENES)
    raw = np.frombuffer((tmp_path / "m.h5").read_bytes(), np.uint8).copy()
    at = rng.integers(len(raw), size=200)
    raw[at] = rng.integers(256, size=200)
    (tmp_path / "m.h5").write_bytes(raw.tobytes())
    said = "m.h5"
    try:
        read_matrix(tmp_path / "m.h5")
    except ReadError as error:
        said = str(error)
    assert said.startswith("m.h5")
