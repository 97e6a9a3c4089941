import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from helpers import make_internal, random_values
from semanticst.constants import GRAPH_SETTINGS
from semanticst.errors import BadInput
from semanticst.features.basis import (
    Basis,
    Moments,
    cofactors,
    most_variable,
    principal_components,
    transform,
    typical_sizes,
)
from semanticst.features.build import build_components, load_basis
from semanticst.features.harmonise import common_names, common_panel
from semanticst.features.harmony import HarmonyReference, batch_shifts, correct


def write(folder, **settings):
    adata = make_internal(**settings)
    path = folder / f"{settings['sample']}.qc.h5ad"
    adata.write_h5ad(path)
    return path


def test_counts_are_scaled_to_one_depth_and_logged():
    X = sp.csr_matrix(np.array([[1.0, 3.0], [0.0, 8.0]]))
    found = transform(X, "counts", depth=4.0).toarray()
    np.testing.assert_allclose(found, np.log1p([[1.0, 3.0], [0.0, 4.0]]), rtol=1e-6)


def test_normalisation_is_that_of_scanpy():
    X = random_values("counts", 40, 8)
    peer = ad.AnnData(X.copy())
    sc.pp.normalize_total(peer, target_sum=500.0)
    sc.pp.log1p(peer)
    np.testing.assert_allclose(transform(X, "counts", 500.0).toarray(), peer.X.toarray(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "onehot"])
def test_marks_and_types_are_left_as_they_are(kind):
    X = random_values(kind, 30, 6)
    np.testing.assert_array_equal(transform(X, kind, depth=100.0).toarray(), X.toarray())


def test_intensities_are_linear_below_their_typical_size_and_a_logarithm_above():
    X = sp.csr_matrix(np.array([[0.0, -2.0], [10.0, 2.0], [1e4, 0.0], [2e4, 2e-4]]))
    sizes = np.vstack([typical_sizes(X), typical_sizes(3 * X), typical_sizes(X)])
    np.testing.assert_allclose(cofactors(sizes), [1e4, 2.0])
    found = transform(X, "continuous", 1.0, cofactor=cofactors(sizes)).toarray()
    np.testing.assert_allclose(found[:, 0], np.arcsinh([0, 1e-3, 1, 2]), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], np.arcsinh([-1, 1, 0, 1e-4]), rtol=1e-5)


def test_a_feature_that_no_sample_has_a_value_of_has_cofactor_1():
    empty = sp.csr_matrix((4, 1))
    assert cofactors(np.vstack([typical_sizes(empty), [np.nan]])) == [1.0]


def test_neither_the_unit_of_a_marker_nor_one_bright_pixel_decides_components(tmp_path):
    rng = np.random.default_rng(0)
    tumour = rng.random((300, 1)) < 0.4
    lit = tumour == (np.arange(6) < 3)  # three markers of tumour cells, three of the others
    values = np.exp(rng.normal(0, 0.4, lit.shape)) * np.where(lit, 20, 1)
    bright = values.copy()
    bright[0, 3] *= 1e4

    def found(name, values):
        sample = make_internal(sample="s1", kind="continuous", n_cells=300, n_features=6)
        sample.X = sp.csr_matrix(values, dtype=np.float32)
        (tmp_path / name).mkdir()
        sample.write_h5ad(tmp_path / name / "s1.qc.h5ad")
        build_components([tmp_path / name / "s1.qc.h5ad"], tmp_path / name)
        return ad.read_h5ad(tmp_path / name / "s1.components.h5ad")[sample.obs_names].obsm["X_pca"][:, 0]

    plain = found("plain", values)
    np.testing.assert_allclose(found("units", values * [1, 10, 1e3, 1e-3, 5, 2]), plain, atol=1e-3)
    np.testing.assert_allclose(found("bright", bright)[1:], plain[1:], atol=0.5)


def test_components_are_those_of_a_dense_decomposition():
    X = random_values("counts", 400, 12, seed=3)
    logged = transform(X, "counts", 30.0)
    moments = Moments()
    for part in (logged[:150], logged[150:]):
        moments.add(part, cross=True)
    loadings, variance = principal_components(moments, np.ones(12), 5)
    dense = logged.toarray().astype(float)
    centred = dense - dense.mean(0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(variance, (singular**2 / 400)[:5], rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.sum(loadings * rows[:5].T, axis=0)), 1, atol=1e-4)
    basis = Basis(np.arange(12).astype(str), "counts", 30.0, moments.mean, np.ones(12), loadings, variance)
    np.testing.assert_allclose(basis.project(X), centred @ loadings, atol=1e-4)


@pytest.mark.parametrize(("kind", "highest"), [("counts", np.inf), ("binary", 1), ("continuous", np.inf)])
def test_values_come_back_from_all_components_and_keep_the_range_of_their_kind(kind, highest, tmp_path):
    X = random_values(kind, 200, 6)
    n = X.shape[1]
    cofactor = cofactors(typical_sizes(X)[None]) if kind == "continuous" else None
    transformed = transform(X, kind, 30.0, cofactor=cofactor)
    scale = np.linspace(0.5, 2, n)
    moments = Moments()
    moments.add(transformed, cross=True)
    loadings, variance = principal_components(moments, scale, n)
    basis = Basis(np.arange(n).astype(str), kind, 30.0, moments.mean, scale, loadings, variance, cofactor=cofactor)
    basis.save(tmp_path / "basis.npz")
    basis = Basis.load(tmp_path / "basis.npz")
    back = basis.restore(basis.project(X))
    assert back.dtype == np.float32
    as_measured = transformed.toarray() if kind == "counts" else X.toarray()
    np.testing.assert_allclose(back, as_measured, rtol=1e-3, atol=1e-4)
    far = [basis.restore(np.full((1, loadings.shape[1]), sign * 1e3)) for sign in (1, -1)]
    lowest = -np.inf if kind == "continuous" else 0
    assert min(f.min() for f in far) >= lowest
    assert max(f.max() for f in far) <= highest
    if kind == "continuous":
        assert min(f.min() for f in far) < 0


def test_features_are_chosen_by_variance_within_samples():
    # the second feature differs between the samples only: it must not be chosen for that
    within, between = np.array([1.0, 0.01, 0.5]), np.array([1.2, 0.01, 0.4])
    np.testing.assert_array_equal(most_variable([within, between], [10, 10], 2), [0, 2])


def test_panel_is_the_intersection():
    panel = common_panel({"a": ["g1", "g2", "g3"], "b": ["g3", "g2", "g4"]}, {"a": "counts", "b": "counts"})
    assert panel.features == ("g2", "g3")
    assert panel.left_out == {"a": 1, "b": 1}


def test_too_little_overlap_is_bad_input():
    with pytest.raises(BadInput, match="only 1 of its 4 features are in the other sample, and 1 of the 3 of a"):
        common_panel({"a": ["g1", "g2", "g3"], "b": ["g3", "x", "y", "z"]}, {"a": "counts", "b": "counts"})


def test_the_sample_with_another_panel_is_named():
    features = {name: ["g1", "g2", "g3"] for name in "abd"} | {"c": ["h1", "h2", "h3"]}
    with pytest.raises(BadInput, match="c: only 0 of its 3 features are in most of the other samples"):
        common_panel(features, dict.fromkeys("abcd", "counts"))


def test_a_feature_of_most_samples_may_be_used():
    features = {"a": ["g1", "g2", "g3"], "b": ["g1", "g2", "g3"], "c": ["g1", "g2", "g4"]}
    panel = common_panel(features, dict.fromkeys("abc", "counts"), min_samples=0.6)
    assert panel.features == ("g1", "g2", "g3")
    assert panel.left_out == {"a": 0, "b": 0, "c": 1}


def names_by_id(**tables):
    return {
        sample: pd.DataFrame({"gene_id": ids} if ids else {}, index=index) for sample, (index, ids) in tables.items()
    }


CD4, CD8A, EPCAM = "ENSG00000010610", "ENSG00000153563", "ENSG00000119888"


def test_ids_become_symbols_by_samples_that_have_both():
    tables = names_by_id(a=([CD4, CD8A, EPCAM], None), b=(["CD8A", "CD4", "ACTB"], [CD8A, CD4, "ENSG00000075624"]))
    names = common_names(tables)
    assert names["a"].tolist() == ["CD4", "CD8A", EPCAM]
    assert names["b"].tolist() == ["CD8A", "CD4", "ACTB"]


def test_two_ids_of_one_symbol_stay_ids():
    tables = names_by_id(a=([CD4, CD8A, EPCAM], None), b=(["X", "X", "EPCAM"], [CD4, CD8A, EPCAM]))
    assert common_names(tables)["a"].tolist() == [CD4, CD8A, "EPCAM"]


def test_ids_and_symbols_without_a_bridge_are_bad_input():
    with pytest.raises(BadInput, match="a: .*Ensembl id, those of b by symbol|^a.*Ensembl id, those of b by symbol"):
        common_names(names_by_id(a=([CD4, CD8A], None), b=(["CD8A", "CD4"], None)))


def test_constant_features_are_no_components():
    """In sums of float32, 40 constant columns had a variance, and the leading component was theirs."""
    rng = np.random.default_rng(0)
    varying = rng.gamma(2.0, 2.0, (5000, 3))
    rounded = np.float32(3.0) + rng.choice([0, 2e-7, -2e-7], 5000)
    constant = np.column_stack([np.tile(np.geomspace(1e-3, 20, 39), (5000, 1)), rounded])
    moments = Moments()
    moments.add(sp.csr_matrix(np.column_stack([constant, varying]).astype(np.float32)), cross=True)
    assert (moments.variance[:40] == 0).all()
    np.testing.assert_allclose(moments.variance[40:], varying.var(0), rtol=1e-5)
    scale = np.where(moments.variance > 0, np.sqrt(moments.variance), 1.0)
    loadings, variance = principal_components(moments, scale, 20)
    assert loadings.shape == (43, 3)
    assert not loadings[:40].any()
    np.testing.assert_allclose(variance.sum(), 3, rtol=1e-3)


def test_a_huge_feature_has_a_finite_cofactor():
    assert cofactors(typical_sizes(sp.csr_matrix(np.full((4, 1), 3e38, np.float32)))[None])[0] == pytest.approx(3e38)


def test_covariance_with_features_that_a_sample_lacks_is_that_of_mean_imputation():
    rng = np.random.default_rng(5)
    first, second = rng.poisson(2.0, (60, 5)).astype(float), rng.poisson(3.0, (40, 5)).astype(float)
    present = np.array([True, False, True, True, False])
    moments = Moments()
    moments.add(sp.csr_matrix(first), cross=True)
    moments.add(sp.csr_matrix(second[:, present]), cross=True, present=present)
    mean = np.where(present, np.vstack([first, second]).mean(0), first.mean(0))
    second[:, ~present] = mean[~present]
    np.testing.assert_allclose(moments.mean, mean)
    np.testing.assert_allclose(moments.covariance, np.cov(np.vstack([first, second]).T, ddof=0), atol=1e-6)


def test_a_sample_that_lacks_a_feature_is_average_in_it():
    X = random_values("counts", 100, 6, seed=2)
    moments = Moments()
    moments.add(transform(X, "counts", 20.0), cross=True)
    loadings, variance = principal_components(moments, np.ones(6), 3)
    basis = Basis(np.arange(6).astype(str), "counts", 20.0, moments.mean, np.ones(6), loadings, variance)
    present = np.array([True, True, True, True, True, False])
    totals = np.asarray(X.sum(1)).ravel()
    logged = transform(X, "counts", 20.0, totals).toarray().astype(float)
    logged[:, 5] = moments.mean[5]
    expected = (logged - moments.mean) @ loadings
    np.testing.assert_allclose(basis.project(X[:, present], totals, present), expected, atol=1e-4)


def test_panels_that_differ_in_part(tmp_path):
    paths = [write(tmp_path, sample=f"s{i}", batch="b", seed=i, n_cells=150) for i in range(3)]
    odd = ad.read_h5ad(paths[2])[:, 3:].copy()
    odd.write_h5ad(paths[2])
    build_components(paths, tmp_path / "all", n_components=5, harmony=False)
    build_components(paths, tmp_path / "most", n_components=5, harmony=False, min_samples=0.6)
    assert len(load_basis(tmp_path / "all" / "cohort.basis.npz")[0].features) == 17
    assert len(load_basis(tmp_path / "most" / "cohort.basis.npz")[0].features) == 20


@pytest.mark.parametrize(
    ("kind", "n_components", "whole"),
    [("onehot", 20, True), ("binary", 20, True), ("onehot", 5, False), ("counts", 20, False)],
)
def test_small_panels_of_shares_are_used_as_they_are(tmp_path, kind, n_components, whole):
    paths = [write(tmp_path, sample=f"s{i}", kind=kind, seed=i) for i in range(2)]
    build_components(paths, tmp_path, n_components=n_components)
    found = ad.read_h5ad(tmp_path / "s0.components.h5ad")
    basis, _ = load_basis(tmp_path / "cohort.basis.npz")
    X = ad.read_h5ad(paths[0])[found.obs_names, list(basis.features)].X.toarray()
    assert (basis.shares_mean is not None) == whole == ("shares_mean" in found.uns["semanticst"])
    if whole:
        np.testing.assert_allclose(found.obsm["X_pca"] + found.uns["semanticst"]["shares_mean"], X, atol=1e-6)


def test_mixed_kinds_are_bad_input_and_the_odd_sample_is_named():
    with pytest.raises(BadInput, match="^c, found|^c: found") as caught:
        common_panel({s: ["g1"] for s in "abc"}, {"a": "counts", "b": "counts", "c": "binary"})
    assert len(caught.value.problems) == 1


def as_model(folder):
    """What mapping reads of a model, from the features that were fitted into ``folder``."""
    with np.load(folder / "cohort.basis.npz", allow_pickle=False) as stored:
        basis = dict(stored)
    return {
        "basis": basis,
        "network": {"shape": {"n_input": basis["loadings"].shape[1]}},
        "mixture": dict.fromkeys(GRAPH_SETTINGS, 4),
    }


def test_a_cohort_of_images_in_some_of_which_no_cell_has_two_markers(tmp_path):
    """As quality control hands them on by hand, each sample for itself: the step that sees all of them decides."""
    paths = []
    for i, kind in enumerate(("binary", "onehot", "onehot")):
        adata = make_internal(sample=f"s{i}", kind=kind, seed=i)
        adata.uns["semanticst"]["feature_types"] = ["binary"] if kind == "binary" else ["onehot", "binary"]
        adata.write_h5ad(tmp_path / f"s{i}.qc.h5ad")
        paths.append(tmp_path / f"s{i}.qc.h5ad")
    build_components(paths, tmp_path / "out", n_components=20)
    assert json.loads((tmp_path / "out" / "cohort.features.json").read_text())["feature_type"] == "binary"
    assert ad.read_h5ad(tmp_path / "out" / "s1.components.h5ad").uns["semanticst"]["feature_type"] == "binary"
    build_components(paths[1:2], tmp_path / "mapped", model=as_model(tmp_path / "out"))
    assert ad.read_h5ad(tmp_path / "mapped" / "s1.components.h5ad").uns["semanticst"]["feature_type"] == "binary"


def test_order_of_arguments_does_not_matter(tmp_path):
    paths = [write(tmp_path, sample=f"s{i}", batch=f"b{i}", seed=i, n_cells=150) for i in range(3)]
    build_components(paths, tmp_path / "one", n_components=8)
    build_components(paths[::-1], tmp_path / "two", n_components=8)
    for i in range(3):
        one, two = (ad.read_h5ad(tmp_path / f / f"s{i}.components.h5ad") for f in ("one", "two"))
        np.testing.assert_array_equal(one.obsm["X_pca_harmony"], two.obsm["X_pca_harmony"])


def test_sample_given_twice_is_bad_input(tmp_path):
    path = write(tmp_path, sample="s0")
    copy = tmp_path / "copy.qc.h5ad"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(BadInput, match="given twice"):
        build_components([path, copy], tmp_path / "out")


def test_one_batch_is_not_corrected():
    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    corrected, reference = correct(X, np.array(["b"] * 50), seed=0)
    assert reference is not None  # batches that come later are moved onto it
    np.testing.assert_array_equal(corrected, X)


def shifted_batches(seed=0):
    """Two batches of the same four kinds of cells, the second moved by a constant."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=5, size=(4, 6))
    kinds = rng.integers(4, size=800)
    X = centres[kinds] + rng.normal(scale=0.5, size=(800, 6))
    batch = np.repeat(["a", "b"], 400)
    X[400:] += np.array([2.0, -2.0, 1.0, 0, 0, 1.5])
    return X.astype(np.float32), batch, kinds


def between_batches(X, batch, kinds):
    """Mean distance between the two batches' centres of the same kind."""
    return np.mean([np.linalg.norm(X[(kinds == k) & (batch == "a")].mean(0) - X[(kinds == k) & (batch == "b")].mean(0))
                    for k in range(4)])  # fmt: skip


def test_harmony_brings_the_same_kinds_together():
    X, batch, kinds = shifted_batches()
    corrected, _ = correct(X, batch, seed=0)
    assert between_batches(corrected, batch, kinds) < 0.3 * between_batches(X, batch, kinds)


def unequal_batches(shares, size=600, seed=0):
    """Batches with these shares of kinds (batches x kinds); each is moved as a whole. Also the moves, mean 0."""
    rng = np.random.default_rng(seed)
    shares = np.asarray(shares, dtype=float)
    n_batches, n_kinds = shares.shape
    kinds = np.concatenate([rng.choice(n_kinds, size, p=p / p.sum()) for p in shares])
    codes = np.repeat(np.arange(n_batches), size)
    moves = 1.5 * rng.normal(size=(n_batches, 12))
    moves -= moves.mean(axis=0)
    X = 4 * np.eye(n_kinds, 12)[kinds] + moves[codes] + rng.normal(size=(len(codes), 12))
    return X.astype(np.float32), codes, kinds, moves


UNEQUAL = [[10, 1, 1, 1], [1, 10, 1, 0], [1, 1, 0, 10], [0, 1, 10, 1]]


def test_shifts_of_batches_are_told_from_composition():
    X, codes, kinds, moves = unequal_batches(UNEQUAL)
    found = batch_shifts(X.astype(float), codes, np.eye(4)[kinds])
    assert np.linalg.norm(found - moves) < 0.15 * np.linalg.norm(moves)
    centring = np.vstack([X[codes == b].mean(axis=0) for b in range(4)]) - X.mean(axis=0)
    assert np.linalg.norm(centring - moves) > 0.5 * np.linalg.norm(moves)


def test_a_batch_that_shares_nothing_stays_where_it_is():
    X, codes, kinds, _ = unequal_batches([[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 1, 1]])
    found = batch_shifts(X.astype(float), codes, np.eye(4)[kinds])
    assert np.linalg.norm(found[0] - found[1]) > 1
    # a constant for all batches together is free; against the mean of the other two it must not move
    np.testing.assert_allclose(found[2], found[:2].mean(axis=0), atol=0.05)


def test_nothing_remains_of_what_a_whole_batch_shares():
    X, codes, kinds, moves = unequal_batches([[3, 1, 1, 1], [1, 3, 1, 0], [1, 1, 0, 3], [0, 1, 3, 1]])
    corrected, _ = correct(X, codes.astype(str), seed=0)
    left = batch_shifts(corrected.astype(float), codes, np.eye(4)[kinds])
    assert np.linalg.norm(left) < 0.1 * np.linalg.norm(moves)
    centres = np.vstack([corrected[kinds == k].mean(axis=0) for k in range(4)])
    nearest = np.linalg.norm(corrected[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == kinds).mean() > 0.9


def test_new_batch_is_moved_onto_the_reference():
    X, batch, kinds = shifted_batches()
    first = X[batch == "a"]
    centres = np.vstack([first[kinds[:400] == k].mean(0) for k in range(4)])
    mapped = HarmonyReference(centres.astype(float)).map(X[400:], batch[400:])
    both = np.vstack([first, mapped])
    assert between_batches(both, batch, kinds) < 0.3 * between_batches(X, batch, kinds)


def test_basis_file_brings_back_the_same_projection(tmp_path):
    paths = [write(tmp_path, sample=f"s{i}", batch=f"b{i}", seed=i) for i in range(2)]
    build_components(paths, tmp_path, n_components=5)
    basis, reference = load_basis(tmp_path / "cohort.basis.npz")
    found = ad.read_h5ad(tmp_path / "s0.components.h5ad")
    X = ad.read_h5ad(paths[0])[found.obs_names, list(basis.features)].X
    np.testing.assert_allclose(basis.project(sp.csr_matrix(X)), found.obsm["X_pca"], atol=1e-5)
    assert reference is not None


def test_a_cohort_of_cells_that_are_all_alike_is_told_as_that(tmp_path):
    """It was laid on the file of the first sample, which is an internal one."""
    paths = []
    for name in ("a", "b"):
        adata = make_internal(sample=name, n_cells=30, n_features=20)
        adata.X = sp.csr_matrix(np.ones(adata.shape, np.float32))
        paths.append(tmp_path / f"{name}.qc.h5ad")
        adata.write_h5ad(paths[-1])
    with pytest.raises(BadInput, match="^the cohort: no feature varies between its cells"):
        build_components(paths, tmp_path)
