"""Stereo-seq: GEM and GEF."""

import h5py
import numpy as np
import pytest

from semanticst.io.readers import ReadError, Wanted, reader_for
from semanticst.io.understood import numbers_left_out
from vendor_helpers import edit_text, gem_records, make_truth, write_cell_gef, write_gef, write_gem, write_text


def read(path, bin_size=None):
    return reader_for(path, "").read(path, Wanted(bin_size=bin_size))


def bin_ids(truth, side=100):
    return [f"{int(x) * side}_{int(y) * side}" for x, y in truth.spatial]


def seen(truth):
    """The truth without genes that are never counted, in the order in which a GEM file names them."""
    genes = list(dict.fromkeys(gem_records(truth, 1)["geneID"]))
    order = [truth.genes.index(g) for g in genes]
    return type(truth)(truth.counts[:, order], truth.spatial, truth.ids, genes)


@pytest.mark.parametrize("count", ["MIDCount", "MIDCounts", "UMICount"])
@pytest.mark.parametrize("name", ["a.gem", "a.gem.gz"])
def test_gem_in_bins_of_50_um(tmp_path, monkeypatch, name, count):
    monkeypatch.setattr("semanticst.io.readers.stereoseq.ROWS", 7)
    truth = seen(make_truth())
    adata = read(write_gem(tmp_path / name, truth, count=count))
    truth.check(adata, bin_ids(truth), spatial=truth.spatial * 100 + 49.5)
    assert (adata.uns["spatial_unit"], adata.uns["um_per_unit"], adata.uns["platform"]) == ("px", 0.5, "stereoseq")
    assert adata.uns["notes"] == ["bins of 100 x 100 DNBs, 50 um wide"]


def test_gem_in_the_bins_that_are_asked_for(tmp_path):
    truth = seen(make_truth())
    file = write_gem(tmp_path / "a.gem", truth, side=20)
    truth.check(read(file, 10), bin_ids(truth, 20), spatial=truth.spatial * 20 + 9.5)
    assert read(file, 1000).X.sum() == truth.counts.sum()
    with pytest.raises(ReadError, match="bin_size 10.2 um is no multiple of 0.5 um"):
        read(file, 10.2)
    edit_text(file, lambda text: text.replace("#BinSize=1\n", "#BinSize=50\n"))
    with pytest.raises(
        ReadError, match=r"a.gem holds bins of 50 DNBs \(25 um\), .* of 20 DNBs .*write bin_size 25 or a mul"
    ):
        read(file, 10)


@pytest.mark.parametrize("form", ["gem", "gef"])
def test_larger_bins_than_are_made_are_read_as_they_are(tmp_path, form):
    """Files of the databases are binned already, by 200 DNBs and others."""
    truth = make_truth()
    if form == "gef":
        file = write_gef(tmp_path / "a.gef", truth, sides=(200,))
    else:
        file = write_gem(tmp_path / "a.gem", truth)
        edit_text(file, lambda text: text.replace("#BinSize=1\n", "#BinSize=200\n"))
    adata = read(file)
    assert adata.X.sum() == truth.counts.sum()
    assert adata.uns["notes"] == ["bins of 200 x 200 DNBs, 100 um wide"]
    assert (adata.obsm["spatial"] % 200 == 99.5).all()
    with pytest.raises(ReadError, match="bins of .*100.* cannot be made"):
        read(file, 50)


@pytest.mark.parametrize("outside", ["0", "-1"])
def test_gem_with_cells(tmp_path, monkeypatch, outside):
    monkeypatch.setattr("semanticst.io.readers.stereoseq.ROWS", 7)
    truth = seen(make_truth())
    file = write_gem(tmp_path / "a.cellbin.gem.gz", truth, cells=True)
    edit_text(file, lambda text: text.replace("\t0\n", f"\t{outside}\n"))
    records = gem_records(truth, 100).groupby("CellID")[["x", "y"]].mean()
    truth.check(read(file), spatial=records.loc[[int(i) for i in truth.ids]].to_numpy())
    notes = read(file).uns["notes"]
    assert "cell 0, which is what lies outside of cells, is left out: " in notes[1]
    assert numbers_left_out(notes)["n_cells_left_out"] == 1
    assert read(file, 50).n_obs == truth.counts.shape[0]


@pytest.mark.parametrize("new", [False, True])
def test_gef_bins(tmp_path, monkeypatch, new):
    monkeypatch.setattr("semanticst.io.readers.gef.BLOCK", 5)
    truth = make_truth(genes=("A", "B", "C", "D"))
    file = write_gef(tmp_path / "a.tissue.gef", truth, new=new)
    adata = read(file)
    truth.check(adata, bin_ids(truth), spatial=truth.spatial * 100 + 49.5)
    assert ("gene_id" in adata.var) == new
    finer = read(file, 0.5)  # from bin1
    assert finer.n_obs > adata.n_obs
    assert finer.X.sum() == truth.counts.sum()
    write_gef(file, truth, sides=(100,))
    with pytest.raises(ReadError, match="bins of 40 x 40 DNBs cannot be made of those in the file: 100"):
        read(file, 20)


def test_gef_cells(tmp_path):
    truth = make_truth()
    file = write_cell_gef(tmp_path / "a.cellbin.gef", truth)
    adata = read(file)
    truth.check(adata)
    assert set(adata.obs["cell_area"]) == {75.0}
    with pytest.raises(ReadError, match="neither geneExp"):
        read(file, 50)


def test_which_file_of_a_folder(tmp_path):
    truth = make_truth(genes=("A", "B", "C", "D"))
    write_gef(tmp_path / "a.raw.gef", make_truth(30, genes=("A", "B", "C", "D")))
    write_gef(tmp_path / "a.gef", truth)
    assert read(tmp_path).n_obs == 12
    write_gef(tmp_path / "a.tissue.gef", make_truth(11))
    assert read(tmp_path).n_obs == 11
    write_cell_gef(tmp_path / "a.cellbin.gef", make_truth(10))
    assert read(tmp_path).n_obs == 10
    write_cell_gef(tmp_path / "a.adjusted.cellbin.gef", make_truth(9))
    assert read(tmp_path).n_obs == 9
    assert read(tmp_path, 50).n_obs == 11
    write_gef(tmp_path / "b.tissue.gef", truth)
    with pytest.raises(ReadError, match=r"several files match \*.tissue.gef: a.tissue.gef, b.tissue.gef"):
        read(tmp_path, 50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("geneID", "name"), "a.gem: the column of the genes is missing: expected geneName"),
        (lambda t: t.replace("\ty\t", "\tz\t"), "the column of y is missing"),
        (lambda t: t.split("geneID")[0] + "geneID\tx\ty\tMIDCount\n", "a header and no rows"),
        (lambda t: t.split("geneID")[0], "a.gem is empty"),
        (lambda t: t.rstrip().rsplit("\t", 1)[0], "column MIDCount: the cell is empty .* or the row is cut off"),
        (lambda t: t + "VIM\tleft\t1\t1\n", "column x: 'left' is no number"),
        (lambda t: t + "VIM\t1.5\t1\t1\n", "a.gem cannot be read as a table"),
        (lambda t: t + "VIM\t1\t1\tNaN\n", "column MIDCount: the cell is empty"),
        (lambda t: t + "VIM\t-1\t1\t1\n", "there are negative coordinates"),
    ],
)  # fmt: skip
def test_damaged_gem(tmp_path, change, message):
    file = write_gem(tmp_path / "a.gem", make_truth())
    edit_text(file, change)
    with pytest.raises(ReadError, match=message):
        read(file)


def test_rows_are_counted_from_the_top_of_the_file(tmp_path):
    file = write_gem(tmp_path / "a.gem", make_truth())
    edit_text(file, lambda t: t + "VIM\tleft\t1\t1\n")
    n_lines = len(file.read_text().splitlines())
    with pytest.raises(ReadError, match=f"a.gem: row {n_lines}, column x"):
        read(file)


def replace(group, name, change):
    values = change(group[name][:])
    del group[name]
    group[name] = values


def without(field):
    return lambda values: values[[name for name in values.dtype.names if name != field]].copy()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: replace(f["geneExp/bin100"], "expression", lambda v: v[:-3]), "a.gef: damaged: .* are announced"),
        (lambda f: replace(f["geneExp/bin100"], "expression", without("y")), "expression lacks y"),
        (lambda f: replace(f["geneExp/bin100"], "gene", without("gene")), "the genes have no names"),
        (lambda f: replace(f["geneExp/bin100"], "gene", lambda v: v[:0]), "are announced"),
        (lambda f: replace(f["geneExp/bin100"], "gene", lambda v: np.arange(3)), "gene lacks count"),
        (lambda f: f["geneExp/bin100"].pop("gene"), "a.gef cannot be read as a GEF file"),
        (lambda f: f.pop("geneExp"), "neither geneExp"),
        (lambda f: (f.pop("geneExp/bin1"), f.pop("geneExp/bin100")), "bins of 100 x 100 DNBs cannot be made"),
    ],
)  # fmt: skip
def test_damaged_bins(tmp_path, damage, message):
    file = write_gef(tmp_path / "a.gef", make_truth())
    with h5py.File(file, "a") as opened:
        damage(opened)
    with pytest.raises(ReadError, match=message):
        read(file)


def shifted(field):
    def change(values):
        values[field] += 1
        return values

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: replace(f["cellBin"], "cell", shifted("offset")), "do not follow one another"),
        (lambda f: replace(f["cellBin"], "cellExp", lambda v: v[:-3]), "a.cellbin.gef: the matrix is damaged"),
        (lambda f: replace(f["cellBin"], "cellExp", lambda v: shifted("geneID")(v)), "outside its 4 columns"),
        (lambda f: replace(f["cellBin"], "cell", without("x")), "cellBin/cell lacks x"),
        (lambda f: f["cellBin"].pop("cellExp"), "a.cellbin.gef cannot be read"),
    ],
)  # fmt: skip
def test_damaged_cells(tmp_path, damage, message):
    file = write_cell_gef(tmp_path / "a.cellbin.gef", make_truth())
    with h5py.File(file, "a") as opened:
        damage(opened)
    with pytest.raises(ReadError, match=message):
        read(file)


@pytest.mark.parametrize("keep", [0, 100, 2000])
def test_cut_off_files(tmp_path, keep):
    for file in (
        write_gef(tmp_path / "a.gef", make_truth()),
        write_cell_gef(tmp_path / "b.cellbin.gef", make_truth()),
        write_gem(tmp_path / "c.gem.gz", make_truth()),
    ):
        file.write_bytes(file.read_bytes()[: min(keep, file.stat().st_size - 5)])
        with pytest.raises(ReadError, match=file.name):
            read(file)


def test_an_empty_folder_names_what_is_expected(tmp_path):
    write_text(tmp_path / "notes.md", "nothing")
    with pytest.raises(ReadError, match="GEM or GEF"):
        reader_for(tmp_path, "stereoseq").read(tmp_path, Wanted("stereoseq"))


@pytest.mark.parametrize("nameless", [(0, 1, 2, 3), (1,)])
def test_genes_without_a_name_go_by_their_id(tmp_path, nameless):
    """As when the annotation had none: added up, all of them would be one gene."""
    truth = make_truth()
    names = ["" if j in nameless else gene for j, gene in enumerate(truth.genes)]
    expected = [f"ENSG-{gene}" if j in nameless else gene for j, gene in enumerate(truth.genes)]
    file = write_cell_gef(tmp_path / "a.cellbin.gef", truth)
    with h5py.File(file, "r+") as opened:
        gene = np.zeros(4, [("geneID", "S32"), ("geneName", "S32"), ("offset", "<u4"), ("cellCount", "<u4")])
        gene["geneName"] = [name.encode() for name in names]
        gene["geneID"] = [f"ENSG-{name}".encode() for name in truth.genes]
        del opened["cellBin/gene"]
        opened["cellBin/gene"] = gene
    truth.check(read(file), genes=expected)
    records = gem_records(truth, 100).rename(columns={"geneID": "geneName"}).drop(columns="CellID")
    records.insert(0, "geneID", "ENSG-" + records["geneName"])
    records["geneName"] = records["geneName"].where(~records["geneName"].isin([truth.genes[j] for j in nameless]), "")
    adata = read(write_text(tmp_path / "a.gem", records.to_csv(sep="\t", index=False)))
    assert sorted(adata.var_names) == sorted(expected)
    assert sorted(adata.var["gene_id"]) == sorted(f"ENSG-{gene}" for gene in truth.genes)


@pytest.mark.parametrize("folder", [False, True])
def test_a_gem_under_the_name_of_a_table(tmp_path, folder):
    truth = seen(make_truth())
    file = write_gem(tmp_path / "Mouse_brain_GEM_bin1.tsv.gz", truth, count="MIDCounts")
    truth.check(read(tmp_path if folder else file), bin_ids(truth), spatial=truth.spatial * 100 + 49.5)
