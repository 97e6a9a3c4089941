"""Batch correction learned from some of the cells: the others lie where it would have put them."""

import json

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from semanticst.features import batch_correction, harmony
from semanticst.features.build import build_components
from semanticst.features.harmony import correct


def batches_moved_by_kind(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``n`` cells in three batches, each moved as a whole and by kind: components float32, batch, kind."""
    rng = np.random.default_rng(seed)
    kinds, batch = rng.integers(4, size=n), rng.integers(3, size=n)
    whole, by_kind = rng.normal(size=(3, 8)), 0.8 * rng.normal(size=(3, 4, 8))
    X = 5 * np.eye(4, 8)[kinds] + whole[batch] + by_kind[batch, kinds] + rng.normal(size=(n, 8))
    return X.astype(np.float32), batch.astype(str), kinds


def test_cells_that_are_not_seen_are_moved_as_those_that_are():
    X, batch, _ = batches_moved_by_kind(900)
    alone, _ = correct(X, batch, seed=0)
    twice, _ = correct(np.vstack([X, X]), np.tile(batch, 2), seed=0, seen=np.arange(900))
    np.testing.assert_array_equal(twice[:900], alone)
    moved = np.zeros_like(X)
    for b in "012":
        of = batch == b
        moved[of] = (alone - X)[of] - (alone - X)[of].mean(0)
    assert np.linalg.norm(twice[900:] - alone) < 0.2 * np.linalg.norm(moved)


def test_moves_of_clusters_are_solved_only_for_cells_that_are_not_seen(monkeypatch):
    X, batch, _ = batches_moved_by_kind(900)
    solved, itself = [], harmony._moves_of_clusters
    monkeypatch.setattr(harmony, "_moves_of_clusters", lambda *given: solved.append(0) or itself(*given))
    correct(X, batch, seed=0)
    assert not solved
    correct(X, batch, seed=0, seen=np.arange(0, 900, 2))
    assert solved


def test_kinds_of_cells_that_are_not_seen_come_together():
    X, batch, kinds = batches_moved_by_kind(3000)
    rng = np.random.default_rng(0)
    # of the first batch, which is the largest then, a tenth is seen
    seen = np.flatnonzero((batch != "0") | (rng.random(3000) < 0.1))
    corrected, reference = correct(X, batch, seed=0, seen=seen)
    assert reference is not None
    unseen = np.setdiff1d(np.arange(3000), seen)

    def apart(X):
        own = [X[unseen][kinds[unseen] == k].mean(0) for k in range(4)]
        others = [X[(batch != "0") & (kinds == k)].mean(0) for k in range(4)]
        return np.linalg.norm(np.subtract(own, others), axis=1).mean()

    assert apart(corrected) < 0.3 * apart(X)


def test_one_batch_is_described_by_the_cells_that_are_seen():
    X, _, _ = batches_moved_by_kind(600)
    one = np.repeat("b", 600)
    corrected, reference = correct(X, one, seed=0, seen=np.arange(0, 600, 2))
    np.testing.assert_array_equal(corrected, X)
    np.testing.assert_array_equal(reference.centres, correct(X[::2], one[::2], seed=0)[1].centres)


def write(folder, name: str, n: int, part: str = "", batch: str = ""):
    rng = np.random.default_rng(len(name) + n)
    adata = ad.AnnData(sp.csr_matrix(rng.poisson(rng.gamma(1, 2, (n, 12))).astype(np.float32)))
    own = {"sample": name, "patient": name, "batch": batch or name}
    adata.obs_names = [f"c{i:05}" for i in range(n)]
    adata.var_names = [f"g{i}" for i in range(12)]
    for column, value in own.items():
        adata.obs[column] = value
    adata.obsm["spatial"] = rng.random((n, 2))
    adata.uns["semanticst"] = own | {"feature_type": "counts", "spatial_unit": "um", "platform": "", "study_part": part}
    path = folder / f"{name}.qc.h5ad"
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("sizes", "validation", "most", "seen"),
    [
        ({"a": 250, "b": 250, "c": 300}, {}, 60_000, 800),
        ({"a": 250, "b": 250, "c": 550}, {}, 60_000, 1050),
        ({"a": 250, "b": 250, "c": 1000}, {}, 60_000, 1000),
        ({"a": 250, "b": 250, "c": 1000}, {"d": 3000}, 60_000, 1000),
        ({"a": 250, "b": 300, "c": 350}, {}, 750, 750),
        ({"a": 250, "b": 300, "c": 350}, {}, 300, 660),
    ],
)
def test_harmony_sees_cells_that_have_a_say(tmp_path, monkeypatch, sizes, validation, most, seen):
    given, harmony_itself = [], harmony._harmony
    monkeypatch.setattr(batch_correction, "HARMONY_CELLS", most)
    monkeypatch.setattr(batch_correction, "HARMONY_LEAST", 220)
    monkeypatch.setattr(harmony, "_harmony", lambda X, *more: given.append(len(X)) or harmony_itself(X, *more))
    paths = [write(tmp_path, name, n, "discovery" if validation else "") for name, n in sizes.items()]
    paths += [write(tmp_path, name, n, "validation") for name, n in validation.items()]
    build_components(paths, tmp_path, n_components=5)
    assert set(given) == {seen}
    told = json.loads((tmp_path / "cohort.features.json").read_text())
    assert (told["harmony_cells"], told["harmony_cells_of"]) == (seen, sum(sizes.values()))
    for name, n in (sizes | validation).items():
        X = ad.read_h5ad(tmp_path / f"{name}.components.h5ad").obsm
        assert X["X_pca_harmony"].shape == X["X_pca"].shape == (n, 5)
        assert np.isfinite(X["X_pca_harmony"]).all()
        assert not np.allclose(X["X_pca_harmony"], X["X_pca"], atol=1e-3)


def test_nothing_is_said_of_cells_that_harmony_saw_where_there_is_one_batch(tmp_path):
    paths = [write(tmp_path, name, n, batch="b") for name, n in (("a", 250), ("c", 1000))]
    build_components(paths, tmp_path, n_components=5)
    told = json.loads((tmp_path / "cohort.features.json").read_text())
    assert told["cells_with_a_say"] == {"c": 500}
    assert not told["harmony"]
    assert "harmony_cells" not in told
