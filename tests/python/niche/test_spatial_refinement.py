"""Spatial refinement: votes that put one in the wrong place, lone cells, lattices, panels of cell types."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from semanticst.niche import spatial_refinement
from semanticst.niche.cluster import refine_labels
from semanticst.niche.consensus import vote
from semanticst.niche.spatial_refinement import (
    SMOOTHNESS,
    fit_hmrf,
    fit_states,
    hmrf_inputs,
    mean_field,
    potts_weights,
    shares_of_states,
)

SIDE = 40


def lattice(side: int) -> sp.csr_matrix:
    """Adjacency (side^2, side^2) of a square lattice, 4 neighbours."""
    line = sp.diags_array([np.ones(side - 1), np.ones(side - 1)], offsets=[-1, 1])
    return sp.csr_matrix(sp.kron(line, sp.eye_array(side)) + sp.kron(sp.eye_array(side), line), dtype=np.float32)


def tissue(kind="counts", seed=0):
    """Two halves, of 3 kinds of cells in shares of 80, 10 and 10 % and of 10, 10 and 80 %; truth and column by cell."""
    rng = np.random.default_rng(seed)
    column = np.repeat(np.arange(SIDE), SIDE)
    truth = (column >= SIDE // 2).astype(int)
    cell_type = np.array([rng.choice(3, p=[(0.8, 0.1, 0.1), (0.1, 0.1, 0.8)][niche]) for niche in truth])
    components = np.eye(3)[cell_type]
    if kind == "counts":
        components = 5 * components + rng.normal(size=(len(truth), 3))
    adata = ad.AnnData(obsm={"X_pca_harmony": components.astype(np.float32)})
    adata.obsp["spatial_connectivities"] = lattice(SIDE)
    adata.uns["semanticst"] = {"graph_hops": 2, "feature_type": kind}
    return adata, truth, column


def votes_of(labels, sure=0.8):
    votes = np.full((len(labels), labels.max() + 1), (1 - sure) / labels.max())
    votes[np.arange(len(labels)), labels] = sure
    return votes


@pytest.mark.parametrize("kind", ["counts", "onehot"])
def test_a_border_that_votes_put_in_the_wrong_place_is_moved(kind):
    adata, truth, column = tissue(kind)
    shifted = (column >= SIDE // 2 - 4).astype(int)
    votes = votes_of(shifted)
    hmrf = fit_hmrf(hmrf_inputs(adata, seed=0), votes)
    drawn = hmrf.refine(adata, votes)
    assert (drawn != truth).sum() < 0.6 * (shifted != truth).sum()
    # what a niche is made of is found beside it, not through the wrong border
    states = shares_of_states(hmrf.states, hmrf.representation.matrix(adata))
    expected = np.array([states[truth == niche].mean(0) for niche in (0, 1)])
    np.testing.assert_allclose(hmrf.composition, expected, atol=0.05)


def test_states_count_as_much_as_they_are_independent():
    adata, truth, column = tissue()
    votes = votes_of(truth)
    alone = fit_hmrf(hmrf_inputs(adata, seed=0), votes)
    assert alone.weight > 0.9
    # the same cells in blocks of 4 x 4: of the neighbours of one niche about three quarters are in the same block
    row = np.tile(np.arange(SIDE), SIDE)
    corner = (column - column % 4) * SIDE + row - row % 4
    adata.obsm["X_pca_harmony"] = adata.obsm["X_pca_harmony"][corner]
    inputs = hmrf_inputs(adata, seed=0)
    assert np.diff(inputs.potts.indptr).mean() == pytest.approx(3.9)
    blocks = fit_hmrf(inputs, votes)
    assert blocks.weight == pytest.approx(1 / (1 + 0.76 * 3.9), rel=0.1)
    # a block of 16 like cells in the other niche is one witness, not 16
    shifted = votes_of(truth, sure=0.6)
    lone = (blocks.refine_inputs(inputs, shifted) != truth).sum()
    assert lone < (replace(blocks, weight=1.0).refine_inputs(inputs, shifted) != truth).sum()


def test_states_say_nothing_where_niches_are_made_of_the_same():
    adata, _, column = tissue()
    rng = np.random.default_rng(1)
    adata.obsm["X_pca_harmony"] = adata.obsm["X_pca_harmony"][rng.permutation(SIDE**2)]
    voted = (column >= SIDE // 2).astype(int)
    votes = votes_of(voted, sure=0.95)
    drawn = fit_hmrf(hmrf_inputs(adata, seed=0), votes).refine(adata, votes)
    assert (drawn == voted).mean() > 0.97


def test_the_order_of_cells_does_not_matter():
    adata, _, column = tissue()
    votes = votes_of((column >= SIDE // 2 - 4).astype(int))
    hmrf = fit_hmrf(hmrf_inputs(adata, seed=0), votes)
    order = np.random.default_rng(0).permutation(SIDE**2)
    shuffled = ad.AnnData(obsm={"X_pca_harmony": adata.obsm["X_pca_harmony"][order]}, uns=adata.uns)
    shuffled.obsp["spatial_connectivities"] = adata.obsp["spatial_connectivities"][order][:, order]
    np.testing.assert_array_equal(hmrf.refine(shuffled, votes[order]), hmrf.refine(adata, votes)[order])


def test_cells_of_a_square_lattice_do_not_swing_for_ever():
    A = lattice(10)
    W = sp.csr_matrix(A, dtype=float)
    board = np.indices((10, 10)).sum(0).ravel() % 2  # whole steps turn this into its opposite again and again
    weak = np.zeros((100, 2))
    few, many = (mean_field(weak, np.eye(2)[board], W, steps) for steps in (60, 61))
    np.testing.assert_allclose(few, many, atol=1e-3)


def test_neighbours_count_as_much_together_however_many_there_are():
    A = lattice(4)
    adata = ad.AnnData(obsm={"X_pca_harmony": np.zeros((16, 2))}, obsp={"spatial_connectivities": 0.3 * A})
    W = potts_weights(adata)
    np.testing.assert_allclose(np.asarray(W.sum(1)).ravel(), SMOOTHNESS)
    assert W[0, 1] == SMOOTHNESS / 2  # a corner has two neighbours


def test_a_cell_without_neighbours_goes_by_itself():
    adata, _, column = tissue()
    votes = votes_of((column >= SIDE // 2).astype(int))
    graph = adata.obsp["spatial_connectivities"].tolil()
    graph[0], graph[:, 0] = 0, 0
    adata.obsp["spatial_connectivities"] = sp.csr_matrix(graph)
    adata.obsp["spatial_connectivities"].eliminate_zeros()
    assert potts_weights(adata)[[0]].nnz == 0
    adata.obsm["X_pca_harmony"][0] = [0, 0, 5]
    hmrf = fit_hmrf(hmrf_inputs(adata, seed=0), votes)
    assert hmrf.refine(adata, votes)[1] == 0
    votes[0] = 0.5
    assert hmrf.refine(adata, votes)[0] == 1


def test_states_of_a_panel_of_cell_types_are_the_types():
    adata, _, _ = tissue("onehot")
    representation, states = fit_states(adata, seed=0)
    found = shares_of_states(states, representation.matrix(adata))
    assert found.shape[1] == 3
    types = adata.obsm["X_pca_harmony"].argmax(1)
    assert adjusted_rand_score(types, found.argmax(1)) == 1
    assert found.max(1).min() > 0.99


def test_a_state_without_cells_does_no_harm(monkeypatch):
    adata, truth, _ = tissue()
    representation, states = fit_states(adata, seed=0)
    far = replace(states, weights=np.append(states.weights, 0.0), means=np.vstack([states.means, np.full((1, 3), 1e4)]))
    monkeypatch.setattr(spatial_refinement, "fit_states", lambda adata, seed: (representation, far))
    votes = votes_of(truth)
    hmrf = fit_hmrf(hmrf_inputs(adata, seed=0), votes)
    assert np.isfinite(hmrf.composition).all()
    assert (hmrf.refine(adata, votes) == truth).mean() > 0.95
    adata.obsm["X_pca_harmony"][0] = 1e4 / 5  # a cell of another cohort that is of this state
    assert (hmrf.refine(adata, votes)[1:] == truth[1:]).mean() > 0.95


def test_niches_are_numbered_by_size_again_and_stability_is_that_of_the_niche():
    adata, truth, column = tissue()
    # by votes the left niche has most cells, in truth the right one
    truth = (column >= SIDE // 2 - 3).astype(int)
    rng = np.random.default_rng(0)
    types = np.array([rng.choice(3, p=[(0.8, 0.1, 0.1), (0.1, 0.1, 0.8)][niche]) for niche in truth])
    adata.obsm["X_pca_harmony"] = (5 * np.eye(3)[types] + rng.normal(size=(SIDE**2, 3))).astype(np.float32)
    voted = (column >= SIDE // 2 + 2).astype(int)
    consensus = vote([voted, voted, truth], 2)
    assert (consensus.consensus_labels == voted).all()
    drawn, hmrf = refine_labels(hmrf_inputs(adata, seed=0), consensus)
    assert adjusted_rand_score(truth, drawn.labels) > 0.9
    assert np.bincount(drawn.labels)[0] > SIDE**2 / 2
    assert (drawn.labels == truth).mean() < 0.1, "the right half is the first niche now"
    np.testing.assert_array_equal(hmrf.refine(adata, drawn.votes), drawn.labels)
    np.testing.assert_allclose(drawn.stability, drawn.votes[np.arange(SIDE**2), drawn.labels])
    between = (column >= SIDE // 2 - 3) & (column < SIDE // 2 + 2) & (drawn.labels == 0)
    np.testing.assert_allclose(drawn.stability[between], 1 / 3)
    np.testing.assert_array_equal(drawn.mapping, [[1, 0], [1, 0], [1, 0]])


def test_where_a_niche_would_be_lost_nothing_is_refined(caplog):
    adata, truth, _ = tissue()
    labels = truth.copy()
    labels[[205, 405, 1205]] = 2
    consensus = vote([labels] * 3, 3)
    consensus.votes[[205, 405, 1205]] = 0.3, 0.3, 0.4
    drawn, hmrf = refine_labels(hmrf_inputs(adata, seed=0), consensus)
    assert hmrf is None
    np.testing.assert_array_equal(drawn.labels, consensus.labels)
    assert "niche 3 would lose all its cells" in caplog.text
