"""Niches under other choices, which have no vote and tell how sensitive a finding is."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from niche_helpers import embedded
from semanticst.niche.alternatives import alternative_clusterings, without_harmony
from semanticst.niche.representations import fit_representations, middle_representation

SETTINGS = {"shrinkage": 0.1, "starts": 4, "seed": 0}


@pytest.fixture(scope="module")
def batches():
    """Two batches that Harmony has put together: before it they lay further apart than niches do."""
    adata, labels = embedded()
    from_other = adata.obs["sample"] == "s1"
    adata.obsm["X_pca"] = adata.obsm["X_pca_harmony"] + 40 * from_other.to_numpy(np.float32)[:, None]
    return adata, labels, from_other.to_numpy()


def test_one_more_and_one_less_and_components_before_harmony(batches):
    adata, labels, from_other = batches
    found = alternative_clusterings(adata, fit_representations(adata), 4, {4}, **SETTINGS)
    assert list(found) == ["k=3, one base clustering", "k=5, one base clustering", "without Harmony"]
    assert [len(np.unique(parts)) for parts in found.values()] == [3, 5, 4]
    assert adjusted_rand_score(found["k=5, one base clustering"], labels) > 0.8
    overlap = np.array([np.unique(found["without Harmony"][rows]) for rows in (from_other, ~from_other)])
    assert len(set(overlap.ravel())) == overlap.size == 4  # no part has cells of both batches


def test_what_was_asked_for_already_is_not_done_again(batches):
    adata, _, _ = batches
    assert list(alternative_clusterings(adata, fit_representations(adata), 2, {2, 3}, **SETTINGS)) == [
        "without Harmony"
    ]


def test_where_harmony_moved_nothing_there_is_nothing_without_it():
    adata, _ = embedded()
    assert without_harmony(adata, middle_representation(fit_representations(adata))) is None


def test_the_profile_before_harmony_is_that_of_the_middle_hop(batches):
    adata, _, from_other = batches
    middle = middle_representation(fit_representations(adata))
    profile = without_harmony(adata, middle).obsm["X_profile"]
    assert profile.shape == adata.obsm["X_pca"].shape
    steps = middle.columns[1] // profile.shape[1]
    graph = adata.obsp["spatial_connectivities"][from_other][:, from_other]
    rows = adata.obsm["X_pca"][from_other]
    for _ in range(steps):
        rows = (rows + graph @ rows) / (1 + np.asarray(graph.sum(1)).reshape(-1, 1))
    assert profile[from_other] == pytest.approx(rows, rel=1e-4)
