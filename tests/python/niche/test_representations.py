"""Principal components of representations, made of a part of the cells at a time."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from semanticst.niche import representations as of
from semanticst.niche.representations import principal_components, principal_loadings


@pytest.fixture
def profile(monkeypatch) -> np.ndarray:
    """float32 (530, 9), far from the origin, in eleven blocks of which the last is not full."""
    monkeypatch.setattr(of, "BLOCK", 50)
    rng = np.random.default_rng(0)
    return (rng.normal(size=(530, 9)) @ rng.normal(size=(9, 9)) + 100).astype(np.float32)


def test_components_of_blocks_are_those_of_the_whole(profile):
    mean, loadings = principal_components(profile, (2, 8), 4)
    whole = profile[:, 2:8].astype(float)
    np.testing.assert_allclose(mean, whole.mean(0))
    np.testing.assert_allclose(loadings, principal_loadings(whole, 4), atol=1e-9)
    np.testing.assert_allclose(np.abs(loadings), np.abs(PCA(4, svd_solver="full").fit(whole).components_.T), atol=1e-9)


def test_only_cells_that_decide_count(profile):
    rows = np.flatnonzero(np.arange(len(profile)) % 3)
    mean, loadings = principal_components(profile, (0, 9), 3, rows)
    np.testing.assert_allclose(mean, profile[rows].mean(0, dtype=float))
    np.testing.assert_allclose(loadings, principal_loadings(profile[rows].astype(float), 3), atol=1e-9)


def test_values_that_are_all_the_same_have_no_components():
    mean, loadings = principal_components(np.ones((5, 3), dtype=np.float32), (0, 3), 2)
    np.testing.assert_array_equal(mean, 1)
    assert loadings.shape == (3, 0)
