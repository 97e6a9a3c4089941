"""Proteins that were measured beside the genes of a section, from the file to quality control."""

import json

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import invoke, make_sample
from semanticst.io.ingest import ingest_sample
from semanticst.io.internal import internal_faults
from semanticst.io.readers import ReadError
from semanticst.io.understood import understood
from tenx_helpers import make_counts, make_features, visium_positions, write_h5, write_visium, write_xenium

GENES = 6


def read(path, **columns):
    return ingest_sample({"sample": "s1", "patient": "p1", "path": str(path)} | columns)


def cytassist(folder, isotype_counts=1):
    """Genes, three antibodies and an isotype control, as CytAssist writes them."""
    positions = visium_positions()
    write_visium(folder, positions)
    inside = positions.loc[positions["in_tissue"] == 1, "barcode"].sort_values().to_numpy()
    features = make_features(*["Gene Expression"] * GENES, *["Antibody Capture"] * 4)
    features["name"] = [*[f"G{j}" for j in range(GENES)], "CD3E.1", "PTPRC.1", "VIM.1", "mouse_IgG2a"]
    X = make_counts(len(inside), GENES + 4).toarray()
    X[:, GENES:] = np.random.default_rng(0).poisson([50, 20, 5, isotype_counts], (len(inside), 4))
    write_h5(folder / "filtered_feature_bc_matrix.h5", X, inside, features)
    return X


def test_antibodies_of_visium_are_kept_with_metrics_of_their_own(tmp_path):
    X = cytassist(tmp_path / "s")
    (tmp_path / "manifest.json").write_text(
        json.dumps([{"sample": "s1", "patient": "p1", "path": str(tmp_path / "s")}])
    )
    result = invoke("sample_ingest", "--manifest", tmp_path / "manifest.json", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    adata = ad.read_h5ad(tmp_path / "s1.ingest.h5ad")
    assert internal_faults(adata) == []
    assert adata.var_names.tolist() == [f"G{j}" for j in range(GENES)]
    assert np.array_equal(adata.obsm["protein"], X[:, GENES : GENES + 3])
    own = adata.uns["semanticst"]
    assert (list(own["protein_names"]), own["protein_type"]) == (["CD3E.1", "PTPRC.1", "VIM.1"], "counts")
    assert understood(own)["proteins"] == "3 (counts)"
    assert own["feature_type"] == "counts"

    result = invoke("sample_qc", tmp_path / "s1.ingest.h5ad", "--prefix", "all", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    (record,) = json.loads((tmp_path / "all.qc.json").read_text())
    total = X[:, GENES : GENES + 3].sum(axis=1)
    cells = pd.read_csv(tmp_path / "s1.qc_cells.csv.gz")
    assert np.array_equal(cells["protein_total"], total)
    assert np.array_equal(cells["n_proteins"], (X[:, GENES : GENES + 3] > 0).sum(axis=1))
    isotype = X[:, GENES + 3]
    np.testing.assert_allclose(cells["isotype_share"], isotype / (isotype + total), atol=1e-5)
    assert record["n_proteins"] == 3
    assert record["quantiles"]["input"]["protein_total"]["q50"] == np.median(total)
    kept = ad.read_h5ad(tmp_path / "s1.qc.h5ad")
    at = adata.obs_names.get_indexer(kept.obs_names)
    assert np.array_equal(kept.obsm["protein"], adata.obsm["protein"][at])

    result = invoke("report_qc", tmp_path / "all.qc.json", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "qc.csv")
    assert {"median_protein_total", "median_n_proteins", "median_isotype_share"} <= set(table)
    assert "Isotype fraction" in (tmp_path / "qc_metrics_mqc.json").read_text()
    assert "3 (counts)" in (tmp_path / "qc_notes_mqc.json").read_text()


def test_many_isotypes_are_a_warning(tmp_path):
    cytassist(tmp_path / "s", isotype_counts=40)
    read(tmp_path / "s").write_h5ad(tmp_path / "s1.ingest.h5ad")
    result = invoke("sample_qc", tmp_path / "s1.ingest.h5ad", "--prefix", "all", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    (record,) = json.loads((tmp_path / "all.qc.json").read_text())
    assert any("isotype fraction of" in reason for reason in record["reasons"])


def test_intensities_of_xenium_stay_as_they_are_and_genes_are_counts(tmp_path):
    X, _ = write_xenium(tmp_path / "s")
    with h5py.File(tmp_path / "s" / "cell_feature_matrix.h5", "a") as file:
        group = file["matrix"]
        values = sp.csr_matrix(X, dtype=np.float32)
        values.data[values.indices == 1] += 0.25
        values.data[values.indices == 2] += 0.5
        del group["data"]
        group["data"] = values.data
        types = group["features/feature_type"][:]
        types[[1, 2]] = b"Protein Expression"
        del group["features/feature_type"]
        group["features/feature_type"] = types.astype("S")
    adata = read(tmp_path / "s")
    assert np.array_equal(adata.obsm["protein"], values.toarray()[:, [1, 2]])
    assert adata.uns["semanticst"]["protein_type"] == "continuous"
    assert adata.uns["semanticst"]["feature_type"] == "counts"
    assert adata.n_vars == 6


@pytest.mark.parametrize("stored", ["table", "names in uns", "sparse"])
@pytest.mark.parametrize("ending", ["h5ad", "zarr"])
def test_proteins_in_obsm(tmp_path, stored, ending):
    sample = make_sample()
    values = np.random.default_rng(0).poisson(3.0, (sample.n_obs, 3)).astype(float)
    names = ["CD8", "IgG1_control" if stored == "table" else "Rat_IgG1", "PD-1"]
    if stored == "table":
        sample.obsm["protein_expression"] = pd.DataFrame(values, index=sample.obs_names, columns=names)
    else:
        sample.obsm["protein_expression"] = sp.csr_matrix(values) if stored == "sparse" else values
        sample.uns["protein_names"] = names
    path = tmp_path / f"s.{ending}"
    getattr(sample, f"write_{ending}")(path)
    adata = read(path)
    assert np.array_equal(adata.obsm["protein"], values[:, [0, 2]])
    assert adata.uns["semanticst"]["protein_names"] == ["CD8", "PD-1"]
    assert np.array_equal(adata.obs["isotype_total"], values[:, 1])
    assert adata.n_vars == 20


def test_proteins_without_names_are_left_out_with_a_warning(tmp_path):
    sample = make_sample()
    sample.obsm["protein"] = np.ones((sample.n_obs, 3))
    sample.write_h5ad(tmp_path / "s.h5ad")
    adata = read(tmp_path / "s.h5ad")
    assert "protein" not in adata.obsm
    own = adata.uns["semanticst"]
    assert any("obsm['protein'] is left out: nothing names its 3 proteins" in text for text in own["warnings"])
    assert own["n_features_left_out"] == 3
    sample.obsm["protein"] = pd.DataFrame(np.ones((sample.n_obs, 5)), index=sample.obs_names)
    sample.obsm["protein"].columns = [str(n) for n in range(5)]
    sample.write_h5ad(tmp_path / "s.h5ad")
    assert any(
        "no names but numbers (0, 1, 2" in text for text in read(tmp_path / "s.h5ad").uns["semanticst"]["warnings"]
    )


@pytest.mark.parametrize(("value", "message"), [(np.inf, "not finite"), ("high", "no numbers")])
def test_proteins_that_are_no_numbers_are_refused(tmp_path, value, message):
    sample = make_sample()
    table = pd.DataFrame({"CD8": np.ones(sample.n_obs), "CD4": 1.0}, index=sample.obs_names).astype(object)
    table.iloc[3, 1] = value
    sample.obsm["protein"] = table.astype({"CD8": float, "CD4": str if value == "high" else float})
    sample.write_h5ad(tmp_path / "s.h5ad")
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "s.h5ad")


def test_cells_without_proteins_have_none(tmp_path):
    sample = make_sample()
    table = pd.DataFrame({"CD8": np.ones(sample.n_obs), "CD4": 2.0}, index=sample.obs_names)
    table.iloc[:40, 0] = np.nan
    sample.obsm["protein"] = table
    sample.write_h5ad(tmp_path / "s1.h5ad")
    adata = read(tmp_path / "s1.h5ad")
    assert np.isnan(adata.obsm["protein"][:40]).all()
    adata.write_h5ad(tmp_path / "s1.ingest.h5ad")
    result = invoke("sample_qc", tmp_path / "s1.ingest.h5ad", "--prefix", "all", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    (record,) = json.loads((tmp_path / "all.qc.json").read_text())
    assert any(reason == "33 % of the cells have no protein" for reason in record["reasons"])


def test_a_missing_value_costs_neither_the_cell_nor_its_genes_and_is_counted(tmp_path):
    sample = make_sample()
    measured = np.random.default_rng(0).random((sample.n_obs, 4)).astype(np.float32)
    measured[:60, 3] = measured[100:] = np.nan  # a protein that most measured cells lack; cells without any
    measured[[2, 5], 1] = np.nan
    sample.obsm["protein"] = pd.DataFrame(measured, sample.obs_names, ["CD3", "CD8", "CD4", "PD1"])
    sample.write_h5ad(tmp_path / "s.h5ad")
    adata = read(tmp_path / "s.h5ad")
    assert adata.n_obs == sample.n_obs
    assert list(adata.uns["semanticst"]["protein_names"]) == ["CD3", "CD8", "CD4"]
    lacking = np.flatnonzero(np.isnan(adata.obsm["protein"]).any(axis=1))
    assert lacking.tolist() == [2, 5, *range(100, 120)]
    notes = list(adata.uns["semanticst"]["notes"])
    assert "1 proteins are left out: most cells have no value of them (PD1)" in notes
    assert (
        "2 of 120 cells lack a value of some proteins (CD8): they stay, with their genes, and count as without a "
        "measurement of proteins"
    ) in notes
