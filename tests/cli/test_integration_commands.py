"""The commands between quality control and the description of niches, one after the other on a small cohort."""

import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import torch
from matplotlib.colors import to_hex
from sklearn.metrics import adjusted_rand_score

from chain_helpers import chain, done, files, two_tissues
from helpers import ROOT, invoke, make_internal
from semanticst.model.store import PARTS, load_whole_model, save_model
from semanticst.plotting.palette import niche_colour


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Folder in which the whole chain ran, samples given in the wrong order."""
    folder = tmp_path_factory.mktemp("chain")
    for i in range(3):
        two_tissues(f"s{i}", f"p{i % 2}", seed=i).write_h5ad(folder / f"s{i}.qc.h5ad")
    chain(folder, folder, [f"s{i}.qc.h5ad" for i in (2, 0, 1)])
    return folder


def test_planted_tissues_are_found(cohort):
    whole = ad.read_h5ad(cohort / "cohort.h5ad")
    assert adjusted_rand_score(whole.obs["truth"], whole.obs["niche"]) > 0.7


def test_proteins_that_samples_share_are_in_the_cohort_and_describe_niches(cohort, tmp_path):
    whole = ad.read_h5ad(cohort / "cohort.h5ad")
    own = whole.uns["semanticst"]
    assert (list(own["protein_names"]), own["protein_type"]) == (["CD3E", "VIM"], "counts")
    for sample in ("s0", "s2"):
        rows, part = whole[whole.obs["sample"] == sample], ad.read_h5ad(cohort / f"{sample}.qc.h5ad")
        assert np.array_equal(rows.obsm["protein"], part[rows.obs["cell_id"]].obsm["protein"][:, :2])
    assert np.isnan(whole[whole.obs["sample"] == "s1"].obsm["protein"]).all()
    done(invoke("niche_describe", cohort / "cohort.h5ad", "--outdir", tmp_path))
    table = pd.read_csv(tmp_path / "niche_markers.csv")
    assert table["modality"].value_counts().to_dict() == {"gene": 40, "protein": 4}
    proteins = table[table["modality"] == "protein"].set_index(["niche", "rank"])
    right = int(whole.obs.loc[whole.obs["truth"] == "right", "niche"].mode()[0])
    assert proteins.loc[(right, 1), "feature"] == "CD3E"
    # 20 of 36 against 4 of 20, of counts scaled to the same total
    assert proteins.loc[(right, 1), "log2_fold_change"] == pytest.approx(np.log2((20 / 36) / (4 / 20)), abs=0.4)
    # the two samples with proteins are of one patient
    assert (proteins["n_replicates"] == 2).all()
    assert (tmp_path / "niche_marker_proteins_mqc.json").exists()


def test_integrated_object_holds_what_is_promised(cohort):
    whole = ad.read_h5ad(cohort / "cohort.h5ad")
    first = ad.read_h5ad(cohort / "s0.qc.h5ad")
    assert {"sample", "patient", "batch", "cell_id", "niche", "stability", "niche_jaccard"} <= set(whole.obs)
    by_niche = pd.read_csv(cohort / "niche_stability.csv").set_index("niche")["jaccard"]
    np.testing.assert_allclose(whole.obs["niche_jaccard"], by_niche[whole.obs["niche"].astype(int)], atol=1e-6)
    assert by_niche.notna().all()
    assert {"spatial", "X_pca", "X_pca_harmony", "X_semantic", "semantic_scores"} <= set(whole.obsm)
    np.testing.assert_array_equal(whole[whole.obs["sample"] == "s0"].X.toarray(), first.X.toarray())
    assert whole.uns["semanticst"]["samples"].tolist() == ["s0", "s1", "s2"]
    # three samples, a batch each
    assert whole.uns["semanticst"]["batch_corrected"]
    # the object that niches are described from: what it does not say, no reading of a niche can
    supported = pd.read_csv(cohort / "niche_stability.csv")["supported"]
    assert bool(whole.uns["semanticst"]["niche_number_supported"]) is bool(supported.all())


def test_the_readme_names_the_columns_of_the_niches(cohort):
    columns = pd.read_csv(cohort / "niches.csv.gz", nrows=1).columns
    assert f"`{','.join(columns)}`" in (ROOT / "README.md").read_text()


def test_scanpy_draws_niches_in_the_colours_of_the_report(cohort):
    whole = ad.read_h5ad(cohort / "cohort.h5ad")
    assert list(whole.obs["niche"].cat.categories) == ["1", "2"]
    assert list(whole.uns["niche_colors"]) == [niche_colour(1), niche_colour(2)]
    assert whole.var["symbol"].tolist() == whole.var_names.tolist()
    axes = sc.pl.embedding(whole, basis="spatial", color="niche", show=False)
    drawn = {to_hex(colour).upper() for colour in axes.collections[0].get_facecolors()}
    assert drawn == {niche_colour(1), niche_colour(2)}


def test_niches_table_covers_every_cell_once(cohort):
    niches = pd.read_csv(cohort / "niches.csv.gz")
    assert len(niches) == 600
    assert not niches.duplicated(["sample", "cell_id"]).any()
    assert niches["sample"].is_monotonic_increasing


def test_model_can_be_loaded_without_running_code(cohort):
    model = torch.load(cohort / "model.pt", weights_only=True)
    assert {"network", "basis", "mixture", "format", "version"} <= set(model)
    assert model["basis"]["features"] == [f"gene_{i}" for i in sorted(range(20), key=str)]


def test_cells_that_are_like_no_others_are_drawn_and_counted(cohort):
    of_samples = pd.read_csv(cohort / "niche_fit.csv")
    section = json.loads((cohort / "niche_fit_mqc.json").read_text())
    worst = of_samples.sort_values(["outside", "sample"], ascending=[False, True]).iloc[0]
    assert f"{100 * worst['outside']:.0f} % in {worst['sample']}" in section["description"]
    assert section["data"].count("<figure") == 3
    assert 11 < int(re.search(r"averages over about (\d+) cells", section["description"])[1]) < 40  # two hops
    fit = pd.read_csv(cohort / "niches.csv.gz").groupby("sample")["fit"]
    assert of_samples["exchanged"].notna().all()  # of 20 genes, as features and embedding hand it on
    assert set(of_samples["checked"]) == {"outside, shift, change"}  # of 200 cells
    counted = of_samples.set_index("sample")["outside"]
    pd.testing.assert_series_equal(fit.apply(lambda own: (own < 0.05).mean()), counted, check_names=False, atol=0.02)


def test_known_samples_are_mapped_to_their_own_niches(cohort, tmp_path):
    chain(cohort, tmp_path, ["s1.qc.h5ad"], model=cohort / "model.pt")
    mapped = pd.read_csv(tmp_path / "niches.csv.gz").set_index("cell_id")["niche"]
    before = pd.read_csv(cohort / "niches.csv.gz").query("sample == 's1'").set_index("cell_id")["niche"]
    assert (mapped == before[mapped.index]).mean() > 0.9
    # the niches are given: nothing is drawn anew, and they are as reproducible as they were
    tables = (
        pd.read_csv(folder / "niche_stability.csv").set_index("niche")["jaccard"] for folder in (tmp_path, cohort)
    )
    pd.testing.assert_series_equal(*tables, atol=1e-4)


def test_neighbours_are_those_of_the_model(cohort, tmp_path):
    onto = ["--model", cohort / "model.pt"]
    done(invoke("cohort_features", cohort / "s1.qc.h5ad", *onto, "--outdir", tmp_path))
    other = ["--graph-hops", 3, "--graph-k-spatial", 30]
    result = invoke("graph_build", *files(tmp_path, "components"), *other, "--outdir", tmp_path)
    assert result.exit_code == 0
    assert "--graph_k_spatial 30 has no effect, the model's 10 is taken" in result.stderr
    assert "--graph_hops 3 has no effect, the model's 2 is taken" in result.stderr
    graphs = ad.read_h5ad(tmp_path / "s1.graphs.h5ad")
    assert graphs.uns["semanticst"]["graph_hops"] == 2
    assert graphs.obsm["X_profile"].shape == (200, 16)
    assert graphs.obsp["spatial_connectivities"].getnnz(1).mean() < 15


def test_graphs_are_the_same_with_any_number_of_threads(cohort, tmp_path):
    for threads in (1, 2):
        result = invoke(
            "graph_build", *files(cohort, "components"), "--threads", threads, "--outdir", tmp_path / f"{threads}"
        )
        assert result.exit_code == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == ["graphs.graphs.json", "s0.graphs.h5ad", "s1.graphs.h5ad", "s2.graphs.h5ad"]
    assert (tmp_path / "2" / names[0]).read_text() == (tmp_path / "1" / names[0]).read_text()
    for name in names[1:]:
        one, two = (ad.read_h5ad(tmp_path / threads / name) for threads in ("1", "2"))
        np.testing.assert_array_equal(one.obsm["X_profile"], two.obsm["X_profile"])
        assert all((one.obsp[graph] != two.obsp[graph]).nnz == 0 for graph in one.obsp)


def test_a_sample_of_one_cell_has_no_graph_whichever_process_reads_it(cohort, tmp_path):
    first, *others = files(cohort, "components")
    one = tmp_path / first.name
    ad.read_h5ad(first)[:1].copy().write_h5ad(one)
    result = invoke("graph_build", one, *others, "--threads", 2, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert f"sample '{first.name.split('.')[0]}' has 1 cell(s), a graph needs at least 2" in result.stderr
    assert not (tmp_path / "out" / "graphs.graphs.json").exists()


def test_model_card_says_what_a_model_is(cohort):
    result = invoke("model_inspect", cohort / "model.pt")
    assert result.exit_code == 0
    for words in ("600", "20", "graph_hops", "jaccard", "A sample fits with", "at most 30 % of its cells outside"):
        assert words in result.stdout
    found = json.loads(invoke("model_inspect", cohort / "model.pt", "--json").stdout)
    assert found["model"]["graph_hops"] == "2"
    record = json.loads((cohort / "cohort.features.json").read_text())
    assert found["model"]["Batches"] == str(len(record["batches"]))
    assert (found["model"]["Batch correction"] == "yes") is record["harmony"]
    assert found["supported"] in (True, False, None)
    assert all({"k", "stability", "zero"} == set(row) for row in found["curve"])
    assert [row["niche"] for row in found["niches"]] == [1, 2]
    assert invoke("model_inspect", cohort / "network.pt").exit_code == 3


def test_model_card_says_what_is_not_checked_and_no_limit_that_means_nothing(cohort, tmp_path):
    stored = load_whole_model(cohort / "model.pt")
    own = {"fit/moran": np.array([-0.017, -0.003]), "fit/coexpression": np.array([-0.1, 0.4])}
    save_model(tmp_path / "model.pt", {part: stored[part] for part in PARTS} | {"mixture": stored["mixture"] | own})
    said = invoke("model_inspect", tmp_path / "model.pt").stdout
    assert "Not checked, since the model has no measure of it: correlations between features" in said
    assert "It is to be looked at with a Moran's I" not in said
    assert "correlations of its features that agree" not in said
    limits = json.loads(invoke("model_inspect", tmp_path / "model.pt", "--json").stdout)["fit"]
    assert [name for name, limit in limits.items() if limit is None] == ["least_coexpression", "least_moran"]


def denoised(embedding, network, basis, out):
    done(invoke("model_denoise", embedding, "--network", network, "--basis", basis, "--outdir", out))
    return {path.name.split(".")[0]: ad.read_h5ad(path) for path in sorted(out.glob("*.denoised.h5ad"))}


def noise(adata, source):
    """Mean squared distance from the planted rates, on the scale of the file, as a share of that of the input."""
    measured = ad.read_h5ad(source / f"{adata.uns['semanticst']['sample']}.qc.h5ad")
    measured = measured[adata.obs["cell_id"].astype(str), adata.var_names]
    late = measured.var_names.str.removeprefix("gene_").astype(int).to_numpy() >= 10
    high = (measured.obs["truth"] == "right").to_numpy()[:, None] == late
    depth = adata.uns["semanticst"]["depth"]
    X = measured.X.toarray()
    rates, X = (np.log1p(depth * v / v.sum(1, keepdims=True)) for v in (np.where(high, 6.0, 1.0), X))
    return ((adata.X - rates) ** 2).mean() / ((X - rates) ** 2).mean()


def test_denoised_expression_is_nearer_to_the_truth_than_the_counts(cohort, tmp_path):
    chain(cohort, tmp_path, [f"s{i}.qc.h5ad" for i in range(3)], training=["--train-steps", 60])
    parts = (tmp_path / name for name in ("cohort.embedding.h5ad", "model.pt", "cohort.basis.npz"))
    found = denoised(*parts, tmp_path / "out")
    assert list(found) == ["s0", "s1", "s2"]
    whole = ad.read_h5ad(cohort / "cohort.h5ad")
    for sample, adata in found.items():
        assert adata.X.dtype == np.float32
        assert adata.shape == (200, 20)
        assert set(adata.var_names) == set(whole.var_names)
        assert set(adata.obs_names) == set(whole.obs_names[whole.obs["sample"] == sample])
        assert (adata.X >= 0).all()
        assert noise(adata, cohort) < 0.5


def test_denoised_expression_needs_the_basis_of_the_network(cohort, tmp_path):
    with np.load(cohort / "cohort.basis.npz") as basis:
        np.savez(tmp_path / "b.npz", **dict(basis) | {"loadings": basis["loadings"][:, :3]})
    parts = ["--network", cohort / "network.pt", "--basis", tmp_path / "b.npz", "--outdir", tmp_path / "out"]
    result = invoke("model_denoise", cohort / "cohort.embedding.h5ad", *parts)
    assert result.exit_code == 3
    assert "the network has 8 components" in result.stderr


@pytest.fixture(scope="module")
def without_network(cohort, tmp_path_factory):
    """Folder in which the chain ran without a network."""
    folder = tmp_path_factory.mktemp("without")
    chain(cohort, folder, [f"s{i}.qc.h5ad" for i in range(3)], training=None)
    return folder


def test_niches_without_a_network(without_network, tmp_path):
    whole = ad.read_h5ad(without_network / "cohort.h5ad")
    assert adjusted_rand_score(whole.obs["truth"], whole.obs["niche"]) > 0.7
    assert not {"X_semantic", "semantic_scores"} & set(whole.obsm)
    assert whole.uns["semanticst"]["train_mode"] == "none"
    assert "contexts" not in whole.uns["semanticst"]
    members = pd.read_csv(without_network / "niche_member_counts.csv")["member"].unique()
    others = {name for name in members if not name.startswith(("profile", "spread"))}
    assert others - {"without Harmony"} == {"k=3, one base clustering"}
    done(invoke("niche_describe", without_network / "cohort.h5ad", "--outdir", tmp_path))
    assert (tmp_path / "niche_markers.csv").is_file()
    assert not list(tmp_path.glob("*semantic_scores*"))


def test_samples_are_mapped_onto_a_model_without_a_network(cohort, without_network, tmp_path):
    model = without_network / "model.pt"
    chain(cohort, tmp_path, ["s1.qc.h5ad"], model=model)
    mapped = pd.read_csv(tmp_path / "niches.csv.gz").set_index("cell_id")["niche"]
    before = pd.read_csv(without_network / "niches.csv.gz").query("sample == 's1'").set_index("cell_id")["niche"]
    assert (mapped == before[mapped.index]).mean() > 0.9
    assert (tmp_path / "model.pt").read_bytes() == model.read_bytes()
    assert "semantic_scores" not in ad.read_h5ad(tmp_path / "cohort.h5ad").obsm
    assert json.loads((tmp_path / "cohort.features.json").read_text())["network_of_model"] is False
    assert json.loads(invoke("model_inspect", model, "--json").stdout)["model"]["Network"] == "none"
    parts = ["--network", model, "--basis", tmp_path / "cohort.basis.npz", "--outdir", tmp_path]
    result = invoke("model_denoise", tmp_path / "cohort.embedding.h5ad", *parts)
    assert result.exit_code == 3
    assert "made without a network (--train_mode none)" in result.stderr


def test_denoising_by_a_model_without_a_network_is_refused_when_features_are_made(cohort, without_network, tmp_path):
    model = ["--model", without_network / "model.pt", "--train-denoised", "--outdir", tmp_path]
    result = invoke("cohort_features", cohort / "s1.qc.h5ad", *model)
    assert result.exit_code == 3
    assert "there is nothing to denoise with; leave --train_denoised out" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def reference(cohort, tmp_path_factory):
    """Folder in which the chain ran in reference mode."""
    folder = tmp_path_factory.mktemp("reference")
    chain(cohort, folder, [f"s{i}.qc.h5ad" for i in range(3)], training=["--train-mode", "reference"])
    return folder


def test_reference_mode_runs_from_counts_to_the_object(reference):
    whole = ad.read_h5ad(reference / "cohort.h5ad")
    assert adjusted_rand_score(whole.obs["truth"], whole.obs["niche"]) > 0.3
    assert whole.uns["semanticst"]["train_mode"] == "reference"
    assert whole.uns["semanticst"]["contexts"].tolist() == ["graph1", "graph2", "graph3", "graph4"]
    assert whole.obsm["X_semantic"].shape == whole.obsm["X_pca"].shape
    assert whole.obsm["semantic_scores"].shape == (600, 4)
    assert (whole.obs["stability"] == 1).all()
    record = json.loads((reference / "training.json").read_text())
    assert record["mode"] == "reference"
    assert record["last"]["step"] == 1250
    assert len(pd.read_csv(reference / "training.csv")) == 1250
    series = json.loads((reference / "training_mqc.json").read_text())["data"]
    assert {"disentangle", "similarity", "reconstruction", "mincut"} <= set(series)
    # NaN is no JSON
    assert "NaN" not in (reference / "training_mqc.json").read_text() + (reference / "training.json").read_text()


def test_denoised_expression_in_reference_mode_is_the_reconstruction(reference, cohort, tmp_path):
    parts = reference / "cohort.embedding.h5ad", reference / "network.pt", reference / "cohort.basis.npz"
    assert noise(denoised(*parts, tmp_path)["s1"], cohort) < 0.5


def test_samples_are_mapped_onto_a_reference_model(cohort, reference, tmp_path):
    chain(cohort, tmp_path, ["s1.qc.h5ad"], model=reference / "model.pt")
    mapped = pd.read_csv(tmp_path / "niches.csv.gz").set_index("cell_id")["niche"]
    before = pd.read_csv(reference / "niches.csv.gz").query("sample == 's1'").set_index("cell_id")["niche"]
    assert (mapped == before[mapped.index]).mean() > 0.98


def test_sample_of_another_panel_is_not_mapped(cohort, tmp_path):
    other = make_internal(sample="x", n_features=5)
    other.write_h5ad(tmp_path / "x.qc.h5ad")
    result = invoke("cohort_features", tmp_path / "x.qc.h5ad", "--model", cohort / "model.pt", "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "x.qc.h5ad" in result.stderr
    assert "lacks 15 of the 20 features" in result.stderr
    assert not list(tmp_path.glob("*.components.h5ad"))


def test_wrong_model_is_bad_input(cohort, tmp_path):
    (tmp_path / "model.pt").write_text("no model")
    result = invoke("model_embed", *files(cohort, "graphs"), "--network", tmp_path / "model.pt", "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "not a trained model" in result.stderr


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("model_train", ["--train-contexts", "spatial,tissue"]),
        ("model_train", ["--train-steps", "0"]),
        ("model_train", ["--train-mode", "none"]),
        ("niche_cluster", ["--niche-k", "several"]),
        ("graph_build", ["--graph-hops", "0"]),
    ],
)
def test_wrong_usage_is_told_apart_from_bad_input(cohort, tmp_path, command, arguments):
    given = [cohort / "cohort.embedding.h5ad"] if command == "niche_cluster" else files(cohort, "graphs")
    result = invoke(command, *given, *arguments, "--outdir", tmp_path)
    assert result.exit_code == 2, result.stderr
    assert not list(tmp_path.iterdir())


def test_files_of_different_runs_are_not_joined(cohort, tmp_path):
    parts = ["--embedding", cohort / "cohort.embedding.h5ad", "--niches", cohort / "niches.csv.gz"]
    parts += ["--basis", cohort / "cohort.basis.npz", "--network", cohort / "network.pt"]
    parts += ["--mixture", cohort / "niche_mixture.npz", "--outdir", tmp_path]
    result = invoke("cohort_assemble", cohort / "s0.qc.h5ad", *parts)
    assert result.exit_code == 3
    assert "covers 600 cells, the samples hold 200" in result.stderr
    assert not list(tmp_path.iterdir())
