"""Spread of neighbourhoods: what it is, and what the mean does not say."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from semanticst.graph.contexts import neighbourhood_profile, smoothing_operator, spatial_context
from semanticst.niche.mixture import fit_mixture
from semanticst.niche.neighbourhood_spread import add_spread, has_spread, neighbourhood_spread, spread_hops
from semanticst.niche.representations import fit_representations


def lattice(side: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)


def test_roots_of_shrunken_second_moments_cell_by_cell():
    rng = np.random.default_rng(0)
    xy, X = lattice(6), rng.normal(size=(36, 3)).astype(np.float32)
    spatial = spatial_context(xy, 6)
    found = neighbourhood_spread(X, spatial, range(2, 4))
    assert found.shape == (36, 2 * 3 * 4)
    assert found.dtype == np.float32
    weights = np.linalg.matrix_power(smoothing_operator(spatial).toarray().astype(float), 3)[7]
    own = X - weights @ X
    for part, Z in zip(np.split(found[7], 4)[2:], (own, X - X.mean(0))):
        moment = (weights[:, None] * Z).T @ Z
        shrunk = 0.9 * moment + 0.1 * np.trace(moment) / 3 * np.eye(3)
        root = scipy.linalg.sqrtm(shrunk).real
        rows, columns = np.tril_indices(3)
        expected = root[rows, columns] * np.where(rows == columns, 1, np.sqrt(2))
        assert part == pytest.approx(expected, abs=1e-4)


def test_same_mean_another_arrangement():
    """Left a mixture of two kinds of cells, right what lies between them: no mean tells, the spread does."""
    rng = np.random.default_rng(1)
    xy = lattice(24)
    right = xy[:, 0] >= 12
    X = rng.normal(scale=0.3, size=(len(xy), 4))
    X[~right, 0] += rng.choice([-2, 2], (~right).sum())
    spatial = spatial_context(xy, 6)

    def agreement(features: np.ndarray) -> float:
        return adjusted_rand_score(right, fit_mixture(features.astype(float), 2, starts=4).predict(features))

    assert agreement(neighbourhood_spread(X.astype(np.float32), spatial, range(3, 4))) > 0.7
    assert agreement(neighbourhood_profile(X.astype(np.float32), spatial, 3)[:, -4:]) < 0.3


def cohort(feature_type: str = "counts", hops: int = 4, components: int = 50) -> ad.AnnData:
    rng = np.random.default_rng(2)
    xy = lattice(8)
    two = sp.block_diag([spatial_context(xy, 6)] * 2, format="csr")
    X = rng.normal(size=(128, components)).astype(np.float32)
    return ad.AnnData(
        obs=pd.DataFrame({"sample": ["b"] * 64 + ["a"] * 64}, index=[str(i) for i in range(128)]),
        obsm={
            "X_pca_harmony": X,
            "X_profile": neighbourhood_profile(X, two, hops),
            "X_semantic": X[:, :5],
            "spatial": np.vstack([xy, xy]),
        },
        obsp={"spatial_connectivities": two},
        uns={"semanticst": {"feature_type": feature_type, "graph_hops": hops, "train_mode": "semantic"}},
    )


def test_each_cell_has_the_spread_of_its_own_sample():
    adata = cohort()
    add_spread(adata)
    of_a = adata.obsp["spatial_connectivities"][64:, 64:]
    alone = neighbourhood_spread(adata.obsm["X_pca_harmony"][64:, :12], of_a, range(3, 5))
    assert adata.obsm["X_spread"].shape == (128, 2 * 12 * 13)
    assert np.array_equal(adata.obsm["X_spread"][64:], alone)


def test_representations_of_the_widest_hops():
    adata = cohort()
    without = {r.name for r in fit_representations(adata)}
    add_spread(adata)
    added = [r for r in fit_representations(adata) if r.name not in without]
    assert [r.name for r in added] == [f"spread{h}-{w}" for h in (3, 4) for w in (10, 20, 30, 40, 50)]
    assert [r.columns for r in added] == [(0, 156)] * 5 + [(156, 312)] * 5
    assert added[0].matrix(adata).shape == (128, 10)


def test_spread_is_no_wider_than_the_means_beside_it():
    """Of few components the means have one width a hop: five of the spread would outvote them."""
    adata = cohort(components=6)
    add_spread(adata)
    names = [r.name for r in fit_representations(adata, learned=False)]
    assert names == ["profile2-6", "profile3-6", "profile4-6", "spread3-6", "spread4-6"]


@pytest.mark.parametrize(("hops", "expected"), [(1, []), (2, [2]), (3, [2, 3]), (4, [3, 4]), (6, [5, 6])])
def test_never_at_the_first_hop(hops, expected):
    assert list(spread_hops(hops)) == expected
    assert has_spread(cohort(hops=hops)) == bool(expected)


@pytest.mark.parametrize("feature_type", ["onehot", "binary"])
def test_shares_decide_their_own_spread(feature_type):
    assert not has_spread(cohort(feature_type))
