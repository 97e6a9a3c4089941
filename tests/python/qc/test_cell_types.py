"""Cell types by markers."""

import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp

from helpers import invoke, make_internal
from semanticst.errors import BadInput
from semanticst.io.internal import read_sample
from semanticst.qc.cell_types import check_markers, read_markers, score_genes, transform


def planted(n_cells: int = 90):
    """A third of the cells express the first two features, a third the next two, a third none of them."""
    rates = np.full((n_cells, 40), 1.0)
    rates[:, :4] = 0.05
    rates[:30, :2] = 6.0
    rates[30:60, 2:4] = 6.0
    adata = make_internal("s1", n_cells=n_cells, n_features=40)
    adata.X = sp.csr_matrix(np.random.default_rng(0).poisson(rates).astype(np.float32))
    del adata.obs["cell_type"]
    adata.var_names = ["CD3D", "CD3E", "Ms4a1", "Cd79a", *adata.var_names[4:]]
    return adata


def typed(folder, adata, text="cell_type,gene\nT,CD3D\nT,CD3E\nB,MS4A1\nB,CD79A\nNK,NCAM1\n"):
    adata.write_h5ad(folder / "s1.ingest.h5ad")
    (folder / "markers.csv").write_text(text)
    options = ("--cell-type-markers", folder / "markers.csv", "--qc-min-counts", 0, "--outdir", folder)
    result = invoke("sample_qc", folder / "s1.ingest.h5ad", *options)
    assert result.exit_code == 0, result.stderr
    return read_sample(folder / "s1.qc.h5ad")


def test_cells_are_of_the_type_whose_markers_they_express(tmp_path):
    clean = typed(tmp_path, planted())
    types = clean.obs["cell_type"].astype(str)
    expected = ["T (predicted)"] * 30 + ["B (predicted)"] * 30 + ["unknown (predicted)"] * 30
    assert (types == np.array(expected)).mean() > 0.95
    assert "predicted from markers of 2 of 3 types" in clean.uns["semanticst"]["notes"][-1]


@pytest.mark.parametrize("genes", [[0, 1], [3], [2, 5, 30]])
def test_scores_are_those_of_scanpy(genes):
    adata = planted()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.tl.score_genes(adata, list(adata.var_names[genes]), ctrl_size=40, n_bins=4)
    found = score_genes(transform(planted().X, "counts"), np.array(genes))
    np.testing.assert_allclose(found, adata.obs["score"], rtol=1e-4, atol=1e-5)


def test_bench_scores_them_against_the_types_of_the_samples(tmp_path):
    from semanticst.bench.niches import bench_niches

    adata = planted()
    adata.obs["cell_type"] = ["T"] * 30 + ["B"] * 30 + ["other"] * 30
    adata.write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "sheet.csv").write_text("sample,patient,path,qc_min_counts\ns1,p1,a.h5ad,0\n")
    (tmp_path / "markers.csv").write_text("cell_type,gene\nT,CD3D\nT,CD3E\nB,MS4A1\nB,CD79A\n")
    options = ("--input", tmp_path / "sheet.csv", "--cell-type-markers", tmp_path / "markers.csv")
    result = invoke(bench_niches, *options)
    assert result.exit_code == 0, result.stderr
    assert "macro F1" in result.stdout
    name, _, f1, types, cells, unknown = (part.strip() for part in result.stdout.splitlines()[2].strip("| ").split("|"))
    assert (name, types, cells) == ("s1", "2", "90")
    assert float(f1) > 0.9
    assert float(unknown) == pytest.approx(1 / 3, abs=0.1)


def test_types_of_the_input_are_kept(tmp_path):
    adata = planted()
    adata.obs["cell_type"] = "mine"
    assert set(typed(tmp_path, adata).obs["cell_type"]) == {"mine"}


def gathered(folder):
    return invoke("report_qc", folder / "samples.qc.json", "--outdir", folder / "report")


def test_markers_that_no_sample_has_are_told_with_what_may_be_meant(tmp_path):
    clean = typed(tmp_path, planted(), "cell_type,gene\nT,CD3D\nT,CD3\nB,MS4-A1\nB,CD79A\nNK,NCAM1\n")
    assert clean.uns["semanticst"]["notes"][-1].endswith("; no features are CD3 (CD3E?), MS4-A1 (Ms4a1?), NCAM1")
    result = gathered(tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "--cell_type_markers: no sample has CD3 (CD3E?), MS4-A1 (Ms4a1?), NCAM1" in result.stderr


def test_markers_of_which_no_sample_has_any_are_refused(tmp_path):
    typed(tmp_path, planted(), "cell_type,gene\nT,CD3\nNK,NCAM1\n")
    result = gathered(tmp_path)
    assert result.exit_code == 3
    assert "none of the 2 genes is a feature of any of the 1 samples without cell types: CD3 (CD3" in result.stderr


def test_markers_that_only_another_sample_has_are_no_fault(caplog):
    absent = [{"CD3": "", "NCAM1": ""}, {"CD8": "", "NCAM1": "NCAM2"}]
    check_markers([{"markers": {"n_found": 1, "absent": own}} for own in absent] + [{"sample": "with types"}])
    assert caplog.messages == ["--cell_type_markers: no sample has NCAM1 (NCAM2?)"]
    check_markers([{"sample": "with types"}])


def test_without_any_marker_there_is_no_type(tmp_path):
    assert "cell_type" not in typed(tmp_path, planted(), "cell_type,gene\nNK,NCAM1\n").obs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "type,gene\nT,CD3D\n",
            "column 'cell_type': this column must exist, .* columns are type, gene",
        ),
        ("cell_type,gene\nT,\n", "row 2: both"),
        ("cell_type,gene\nT,#N/A\n", "row 2: both"),
        ("cell_type,gene\n#N/A,CD3D\n", "row 2: both"),
        ("cell_type,gene\nUnknown,CD3D\n", "row 2: found 'Unknown'"),
        ("cell_type,gene\n", "holds no cell type"),
    ],
)
def test_bad_tables_of_markers(tmp_path, text, message):
    (tmp_path / "markers.csv").write_text(text)
    with pytest.raises(BadInput, match=message):
        read_markers(tmp_path / "markers.csv")


@pytest.mark.parametrize(
    "text",
    [
        "cell_type;gene\nT;CD3D\nT;CD3E\nB;MS4A1\n",  # of a German spreadsheet
        'Cell Type,Gene\nT,"CD3D, CD3E"\nB,MS4A1\n',
        "gene\tCell_Type\nCD3D|CD3E\tT\nMS4A1\tB\n",
    ],
)
def test_markers_as_people_write_them(tmp_path, text):
    (tmp_path / "markers.csv").write_text(text)
    assert read_markers(tmp_path / "markers.csv") == {"T": ["CD3D", "CD3E"], "B": ["MS4A1"]}
