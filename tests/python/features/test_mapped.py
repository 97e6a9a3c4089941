"""Samples that are mapped onto a model: what is asked of them, and what of it changes nothing."""

import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import make_internal
from semanticst.constants import GRAPH_SETTINGS
from semanticst.errors import BadInput
from semanticst.features.build import build_components
from semanticst.features.harmony import CLUSTER_RIDGE, HarmonyReference, correct
from semanticst.features.mapped import dominance

GRAPH = dict(zip(GRAPH_SETTINGS, (7, 5, 5, 2)))


def counts(sample, seed, n_cells=150, n_features=40, platform="xenium"):
    """A sample of counts whose features differ in their means by orders of magnitude, as genes do."""
    adata = make_internal(sample=sample, batch=sample, seed=seed, n_cells=n_cells, n_features=n_features)
    rng = np.random.default_rng(seed)
    left = rng.random(n_cells) < 0.5
    means = np.exp(np.random.default_rng(1).normal(0, 1.5, n_features))
    rates = np.where(left[:, None] == (np.arange(n_features) % 2 == 0), 3 * means, means)
    adata.X = sp.csr_matrix(rng.poisson(rates).astype(np.float32))
    adata.uns["semanticst"]["platform"] = platform
    return adata


def stored(folder, adata, name=None):
    if name:
        adata.uns["semanticst"]["sample"] = name
        adata.obs["sample"] = pd.Categorical([name] * adata.n_obs)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{adata.uns['semanticst']['sample']}.qc.h5ad"
    adata.write_h5ad(path)
    return path


def model_of(folder):
    """What mapping reads of the model whose features were fitted in ``folder``."""
    with np.load(folder / "cohort.basis.npz", allow_pickle=False) as file:
        basis = dict(file)
    network = {"shape": {"n_input": basis["loadings"].shape[1]}}
    return {"basis": basis, "network": network, "mixture": {k: np.array(v) for k, v in GRAPH.items()}}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    build_components([stored(folder, counts(f"s{i}", i)) for i in range(3)], folder, n_components=8)
    return model_of(folder)


def mapped(folder, adata, model, **settings):
    path = stored(folder, adata)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    build_components([path], out, model=model, **settings)
    return ad.read_h5ad(out / f"{path.name.split('.')[0]}.components.h5ad")


def with_further_genes(adata, seed=0):
    extra = sp.csr_matrix(np.random.default_rng(seed).poisson(5.0, (adata.n_obs, 60)).astype(np.float32))
    wide = ad.AnnData(
        sp.hstack([adata.X, extra]).tocsr(),
        obs=adata.obs,
        var=pd.DataFrame(index=[*adata.var_names, *(f"more_{i}" for i in range(60))]),
        obsm=dict(adata.obsm),
    )
    wide.uns = adata.uns
    return wide


def test_further_genes_of_a_mapped_sample_change_nothing(tmp_path, model):
    alone = mapped(tmp_path / "a", counts("new", 9), model)
    wide = mapped(tmp_path / "b", with_further_genes(counts("new", 9)), model)
    np.testing.assert_array_equal(alone.obsm["X_pca"], wide.obsm["X_pca"])
    np.testing.assert_array_equal(alone.obsm["X_pca_harmony"], wide.obsm["X_pca_harmony"])


def test_a_further_mapped_sample_leaves_the_others_as_they_are(tmp_path, model):
    """No byte of theirs: with -resume their graphs are not made anew."""
    one, other = counts("one", 9), counts("other", 10)
    mapped(tmp_path / "alone", one, model)
    paths = [stored(tmp_path, adata) for adata in (one, other)]
    (tmp_path / "both").mkdir()
    build_components(paths, tmp_path / "both", model=model)
    alone, both = (tmp_path / name / "one.components.h5ad" for name in ("alone/out", "both"))
    assert alone.read_bytes() == both.read_bytes()


def test_further_genes_of_one_sample_change_nothing_in_training(tmp_path):
    samples = [counts(f"s{i}", i) for i in range(3)]
    found = []
    for name, first in (("a", samples[0]), ("b", with_further_genes(samples[0]))):
        paths = [stored(tmp_path / name, first), *(stored(tmp_path / name, s) for s in samples[1:])]
        build_components(paths, tmp_path / name, n_components=8)
        found.append(ad.read_h5ad(tmp_path / name / "s0.components.h5ad").obsm["X_pca"])
    np.testing.assert_array_equal(*found)


def test_missing_features_are_average_up_to_a_share_of_the_variance(tmp_path, model, caplog):
    weight = model["basis"]["loadings"] ** 2 @ model["basis"]["variance"]
    order = model["basis"]["features"][np.argsort(weight)]
    whole = mapped(tmp_path / "whole", counts("new", 9), model)
    few = counts("new", 9)
    few = few[:, ~few.var_names.isin(order[:4])].copy()
    with caplog.at_level(logging.WARNING):
        found = mapped(tmp_path / "few", few, model)
    assert "lacks 4 of the 40 features" in caplog.text
    assert np.corrcoef(found.obsm["X_pca"][:, 0], whole.obsm["X_pca"][:, 0])[0, 1] > 0.98
    many = counts("new", 9)
    many = many[:, ~many.var_names.isin(order[-12:])].copy()
    with pytest.raises(BadInput, match="lacks 12 of the 40 features.*at least 90 % are needed"):
        mapped(tmp_path / "many", many, model)
    assert mapped(tmp_path / "allowed", many, model, min_samples=0.2).n_obs == 150


def test_model_takes_its_own_samples_that_lack_features(tmp_path):
    samples = [counts(f"s{i}", i) for i in range(4)]
    samples[0] = samples[0][:, 15:].copy()
    paths = [stored(tmp_path, s) for s in samples]
    build_components(paths, tmp_path, n_components=8, min_samples=0.7)
    (tmp_path / "out").mkdir()
    build_components(paths[:1], tmp_path / "out", model=model_of(tmp_path))
    own, again = (ad.read_h5ad(f / "s0.components.h5ad").obsm["X_pca"] for f in (tmp_path, tmp_path / "out"))
    np.testing.assert_array_equal(own, again)


@pytest.mark.parametrize(
    ("rename", "said"),
    [
        (str.upper, "differ in upper and lower case"),
        (lambda name: f"ENSMUSG{int(name[5:]):011d}", "Ensembl ids and symbols"),
    ],
)
def test_names_of_features_in_another_form_are_shown_beside_the_models(tmp_path, model, rename, said):
    new = counts("new", 9)
    new.var_names = [rename(name) for name in new.var_names]
    with pytest.raises(BadInput) as error:
        mapped(tmp_path, new, model)
    assert said in str(error.value)
    assert "gene_0, gene_1" in str(error.value)
    assert str(new.var_names[0]) in str(error.value)


def test_logarithms_that_were_rounded_are_no_counts(tmp_path, model):
    new = counts("new", 9)
    totals = np.asarray(new.X.sum(1))
    logs = np.log1p(1e4 * new.X.toarray() / totals).round()
    new.X = sp.csr_matrix(logs.astype(np.float32))
    with pytest.raises(BadInput, match="as rounded logarithms are"):
        mapped(tmp_path / "refused", new, model)
    assert mapped(tmp_path / "accepted", new, model, accept=["values"]).n_obs == 150


def test_few_or_many_counts_are_counts(tmp_path, model):
    rng = np.random.default_rng(0)
    thin = counts("new", 9)
    thin.X.data = rng.binomial(thin.X.data.astype(int), 0.3).astype(np.float32)
    many = counts("more", 9)
    many.X.data *= 10
    for adata in (thin, many):
        assert mapped(tmp_path, adata, model).n_obs == 150


def test_few_cells_without_the_most_dominant_ones_are_counts(tmp_path, model):
    """25 cells of a kind with a flatter profile, as a crop has them, beside deep cells of one gene in the model."""
    record = model["basis"]["lowest_dominance"]
    less = model | {"basis": model["basis"] | {"lowest_dominance": record / 0.45}}
    with pytest.raises(BadInput, match="as rounded logarithms are"):
        mapped(tmp_path / "many", counts("many", 9, n_cells=400), less)
    assert mapped(tmp_path / "few", counts("few", 9, n_cells=25), less).n_obs == 25


def test_deep_cells_do_not_decide_how_dominant_genes_are():
    adata = counts("new", 9)
    X = adata.X.toarray()
    X[0] = np.r_[1e5, np.zeros(X.shape[1] - 1)]
    basis = type("Basis", (), {"features": adata.var_names.to_numpy()})
    usual, deep = (dominance(sp.csr_matrix(x), adata.var_names, basis) for x in (X[1:], X))
    totals = X.sum(1)
    assert deep < usual + totals[0] / totals.sum() + 1e-6
    by_pairs = (X * (X - 1)).sum() / (totals * (totals - 1)).sum()
    assert by_pairs > 0.99 > 0.95 > deep


def test_another_platform_is_refused_until_it_is_accepted(tmp_path, model):
    new = counts("new", 9, platform="merfish")
    with pytest.raises(BadInput, match=r"merfish.*another platform.*xenium.*--model_accept platform"):
        mapped(tmp_path / "a", new, model)
    accepted = mapped(tmp_path / "b", new, model, accept=["platform"])
    unknown = mapped(tmp_path / "c", counts("new", 9, platform=""), model)
    np.testing.assert_array_equal(accepted.obsm["X_pca"], unknown.obsm["X_pca"])


def test_graphs_of_mapped_samples_are_to_be_made_as_the_models(tmp_path, model):
    found = mapped(tmp_path, counts("new", 9), model).uns["semanticst"]
    assert {name: found[f"model_{name}"] for name in GRAPH} == GRAPH


@pytest.mark.parametrize("part", ["basis", "mixture", "network"])
def test_partial_model_is_bad_input(tmp_path, model, part):
    path = stored(tmp_path, counts("new", 9))
    for key in list(model[part]):
        if part == "basis" and key in ("harmony_centres", "n_batches", "n_cells", "total_variance", "cofactor"):
            continue
        less = model | {part: {k: v for k, v in model[part].items() if k != key}}
        if key in ("panel", "panel_shares", "lowest_dominance", "together", "together_features"):
            continue
        with pytest.raises(BadInput, match="no complete features"):
            build_components([path], tmp_path, model=less)


def batches(seed=0, n=400, p=6):
    """Cells of two batches in four clusters far apart, the second batch moved; batch of each, and its cluster."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(4, size=n)
    X = rng.normal(size=(n, p)) + 8 * np.eye(p)[cluster]
    batch = np.repeat(["a", "b"], n // 2)
    X[batch == "b"] += 0.8
    return X, batch, cluster


def test_small_batch_keeps_its_variance():
    X, batch, cluster = batches()
    _, reference = correct(X.astype(np.float32), batch, seed=0)
    rng = np.random.default_rng(5)
    kept = []
    for _ in range(20):
        rows = rng.choice(np.flatnonzero(batch == "b"), 25, replace=False)
        moved = reference.map(X[rows], np.repeat("new", 25))
        kept.append(moved.var(0).sum() / X[rows].var(0).sum())
    assert np.mean(kept) > 0.95
    assert CLUSTER_RIDGE > 1


def test_batch_without_half_of_the_clusters_lies_where_its_cells_lie_with_all():
    """In one start of Harmony two of the clusters share a centre."""
    X, batch, cluster = batches()
    _, reference = correct(X.astype(np.float32), batch, seed=0)
    new = batch == "b"
    some = cluster[new] < 2

    def distance(reference):
        whole = reference.map(X[new], np.repeat("new", new.sum()))
        half = reference.map(X[new][some], np.repeat("new", some.sum()))
        spread = np.linalg.norm(whole - whole.mean(0), axis=1).mean()
        return np.linalg.norm(half - whole[some], axis=1).mean() / spread

    assert distance(reference) < 0.1
    assert max(distance(HarmonyReference(centres)) for centres in reference.starts) > 0.3


def test_samples_are_moved_onto_a_model_of_one_batch():
    X, batch, _ = batches()
    first, new = X[batch == "a"], X[batch == "b"]
    same, reference = correct(first.astype(np.float32), np.repeat("a", len(first)), seed=0)
    np.testing.assert_array_equal(same, first.astype(np.float32))
    assert isinstance(reference, HarmonyReference)
    moved = reference.map(new, np.repeat("new", len(new)))
    assert np.abs(moved.mean(0) - new.mean(0) + 0.8).max() < 0.3
    own = reference.map(first, np.repeat("a", len(first)))
    assert np.linalg.norm(own - first, axis=1).mean() < 0.2
