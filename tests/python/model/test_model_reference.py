"""The reference mode: graphs and losses that are what they say, and the same files as any other network."""

import logging

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from model_helpers import write_graphs
from semanticst.bench._ablations import VARIANTS
from semanticst.model.edges import EdgeSet
from semanticst.model.embed import embed_sample
from semanticst.model.kinds import network_of
from semanticst.model.network import SemanticNetwork
from semanticst.model.reference import (
    LOOP,
    NEAREST,
    GraphLearner,
    ReferenceNetwork,
    ReferenceSettings,
    convolution,
    descriptor_loss,
    graph_losses,
    log_mincut_loss,
    read_reference,
    similarity_loss,
    train_reference,
    with_loops,
)
from semanticst.model.run import run_embedding, run_training
from semanticst.model.store import load_network, save_network
from semanticst.model.tiles import collate, split_tiles

CPU = torch.device("cpu")
SHORT = ReferenceSettings(graph_passes=5, passes=10)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return [read_reference(p) for p in write_graphs(tmp_path_factory.mktemp("graphs"), n_samples=2)]


@pytest.fixture(scope="module")
def trained(samples):
    return train_reference(samples, SHORT, CPU)


def random_graph(m=30, seed=0):
    A = sp.random(m, m, 0.15, random_state=seed, format="csr")
    A = ((A + A.T) > 0).astype(np.float32).tolil()
    A.setdiag(0)
    return A.tocsr()


def weighted(edges, seed=0):
    g = torch.rand(edges.pairs.shape[1], generator=torch.Generator().manual_seed(seed))[edges.pair_of_edge]
    return g, edges.matrix(g).to_dense()


def whole(samples):
    return collate([(s, np.arange(s.n), s.n) for s in samples], {})


def test_every_cell_is_joined_to_its_five_nearest(samples):
    graph, xy = samples[0].graphs[NEAREST], samples[0].xy
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    nearest = np.argsort(distance, axis=1)[:, 1:6]
    expected = np.zeros(graph.shape, bool)
    np.put_along_axis(expected, nearest, True, axis=1)
    np.testing.assert_array_equal(graph.toarray() > 0, expected | expected.T)


def test_coordinates_are_not_cut_to_whole_numbers(tmp_path):
    import anndata as ad

    path = write_graphs(tmp_path, n_samples=1)[0]
    adata = ad.read_h5ad(path)
    adata.obsm["spatial"] = adata.obsm["spatial"] / 1e6
    before = read_reference(path).graphs[NEAREST]
    adata.write_h5ad(path)
    assert (read_reference(path).graphs[NEAREST] != before).nnz == 0


def test_components_are_not_corrected(tmp_path):
    import anndata as ad

    path = write_graphs(tmp_path, n_samples=1)[0]
    adata = ad.read_h5ad(path)
    adata.obsm["X_pca_harmony"] = adata.obsm["X_pca_harmony"] + 5
    adata.write_h5ad(path)
    np.testing.assert_array_equal(read_reference(path).x, adata.obsm["X_pca"])


def test_edge_scores_do_not_depend_on_the_order_of_cells():
    graph, x = random_graph(), torch.randn(30, 6)
    learner = GraphLearner(6)
    order = np.random.default_rng(0).permutation(30)
    dense = []
    for cells in (np.arange(30), order):
        edges = EdgeSet.of(graph[cells][:, cells])
        g = learner.scores(learner.project(x[cells]), edges)
        assert g.shape == (4, graph.nnz)
        dense.append(torch.stack([edges.matrix(weights).to_dense() for weights in g]))
    # pairs stand with the smaller number first: in another order of cells a one-way score would change
    torch.testing.assert_close(dense[0][:, order][:, :, order], dense[1])
    torch.testing.assert_close(dense[0], dense[0].transpose(1, 2))


def test_scores_are_those_of_the_mlp_on_both_orders():
    edges, learner = EdgeSet.of(random_graph()), GraphLearner(6)
    h = learner.project(torch.randn(30, 6))

    def score(a, b, k):
        hidden = torch.relu(learner.first(torch.cat([h[a], h[b]], dim=1))[:, 2 * k : 2 * k + 2])
        return hidden @ learner.second[k] + learner.offset[k]

    i, j = edges.destination, edges.source
    expected = torch.stack([torch.sigmoid((score(i, j, k) + score(j, i, k)) / 2) for k in range(4)])
    torch.testing.assert_close(learner.scores(h, edges), expected)


@pytest.mark.parametrize("loop", [LOOP, 1.0])
def test_convolution_is_the_dense_one(loop):
    edges = EdgeSet.of(random_graph())
    per_pair = torch.rand(edges.pairs.shape[1], requires_grad=True)
    g = per_pair[edges.pair_of_edge]
    x, layer = torch.randn(30, 5), convolution(5, 3)
    torch.nn.init.normal_(layer.bias)
    A = edges.matrix(g).to_dense() + loop * torch.eye(30)
    root = torch.diag(A.sum(1) ** -0.5)
    expected = root @ A @ root @ x @ layer.lin.weight.T + layer.bias
    found = layer(x, *with_loops(edges, g, loop))
    torch.testing.assert_close(found, expected)
    # the graphs are learned through it
    (gradient,) = torch.autograd.grad(found.pow(2).sum(), per_pair, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.pow(2).sum(), per_pair)[0])


def test_models_stored_with_earlier_names_are_read(trained, samples):
    network = trained[0]
    earlier = {name.replace(".lin.weight", ".weight.weight"): w for name, w in network.state_dict().items()}
    assert "encoder.weight.weight" in earlier
    state = {"mode": "reference", "shape": network.shape.as_dict(), "weights": earlier}
    x = embed_sample(network_of(state), samples[0], CPU)[0]
    np.testing.assert_array_equal(x, embed_sample(network, samples[0], CPU)[0])


def test_mincut_is_the_dense_formula_on_the_inner_cells():
    edges = EdgeSet.of(random_graph(20))
    g, A = weighted(edges)
    P = torch.softmax(3 * torch.randn(20, 4), 1)
    inner = torch.arange(20) < 15
    A = (A + LOOP * torch.eye(20))[:15, :15]
    C = P[:15].T @ A @ P[:15]
    expected = torch.log(((C.sum(1) - C.diagonal()) / C.sum(1)).sum())
    torch.testing.assert_close(log_mincut_loss(P, edges, g, inner), expected)


def test_mincut_rewards_communities_that_are_not_cut():
    edges = EdgeSet.of(sp.csr_matrix(np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4))))
    g, every = torch.ones(len(edges.source)), torch.ones(8, dtype=torch.bool)
    perfect, across = torch.eye(2).repeat_interleave(4, dim=0), torch.eye(2).repeat(4, 1)
    assert log_mincut_loss(perfect, edges, g, every) < log_mincut_loss(across, edges, g, every) - 5


def test_descriptor_loss_is_bounded_and_largest_for_copies():
    d = torch.randn(1, 8)
    assert descriptor_loss(d.repeat(4, 1)).item() == pytest.approx(6, abs=1e-4)
    assert descriptor_loss(torch.cat([d, -d, d, -d])).item() == pytest.approx(-2, abs=1e-4)


def test_similarity_is_zero_for_equal_neighbours_and_ignores_the_halo():
    edges = EdgeSet.of(random_graph())
    z = torch.ones(4, 30, 3)
    every = torch.ones(30, dtype=torch.bool)
    assert similarity_loss(z, edges, every).item() < 1e-4
    inner = torch.arange(30) < 20
    z[:, 20:] = 7
    assert similarity_loss(z, edges, inner).item() < 1e-4
    assert similarity_loss(z, edges, every).item() > 1


@pytest.mark.parametrize("term", ["disentangle", "similarity"])
def test_both_terms_of_the_graphs_have_a_gradient_for_the_edge_scores(samples, trained, term):
    network = ReferenceNetwork(trained[0].shape)
    network.load_state_dict(trained[0].state_dict())
    network.zero_grad()
    graph_losses(network, whole(samples))[term].backward()
    for weights in (network.learner.second, network.learner.first.weight, network.learner.project.weight):
        assert weights.grad.abs().max() > 0


def test_graphs_are_fixed_while_the_network_learns(samples):
    one = train_reference(samples, ReferenceSettings(graph_passes=4, passes=1), CPU)[0].state_dict()
    two = train_reference(samples, ReferenceSettings(graph_passes=4, passes=6), CPU)[0].state_dict()
    for name in one:
        same = torch.equal(one[name], two[name])
        assert same == name.startswith(("learner.", "input_scale")), name


def test_training_lowers_the_loss_of_both_stages(samples):
    _, batches, history = train_reference(samples, ReferenceSettings(graph_passes=150, passes=150), CPU)
    assert batches == {}
    assert history["step"].tolist() == list(range(1, 301))
    stages = dict(list(history.groupby("stage")))
    assert stages["graphs"]["loss"].iloc[-1] < stages["graphs"]["loss"].iloc[0] - 0.5
    assert stages["network"]["reconstruction"].iloc[-1] < 0.7 * stages["network"]["reconstruction"].iloc[0]
    assert stages["network"]["mincut"].notna().all()
    assert stages["graphs"]["mincut"].isna().all()


def test_a_pass_over_tiles_sees_every_cell_and_learns(samples):
    settings = ReferenceSettings(graph_passes=2, passes=20, tile_cells=60, batch_cells=120)
    _, _, history = train_reference(samples, settings, CPU)
    steps = history["stage"].value_counts()
    assert steps["graphs"] == 2 * 4
    assert steps["network"] == 20 * 4
    last = history[history["stage"] == "network"]["reconstruction"]
    assert last.iloc[-8:].mean() < last.iloc[:8].mean()


def test_tiles_are_embedded_as_in_the_whole_sample(samples, trained):
    whole_z, whole_scores = embed_sample(trained[0], samples[0], CPU)
    z, scores = embed_sample(trained[0], samples[0], CPU, max_cells=40)
    np.testing.assert_allclose(z, whole_z, atol=1e-5)
    np.testing.assert_allclose(scores, whole_scores, atol=1e-5)
    tile = split_tiles(samples[0].xy, 40)[0]
    batch = collate([(samples[0], tile, len(tile))], {})
    with torch.no_grad():
        bare = trained[0].embed(batch.x, batch.edges)[0].numpy()
    assert np.abs(bare - whole_z[tile]).max() > 1e-2


def test_embedding_is_a_reconstruction_in_the_units_of_the_input(samples):
    big = [type(s)(s.sample, s.batch, 50 * s.x, 50 * s.target, s.xy, s.graphs) for s in samples]
    small, large = (embed_sample(train_reference(given, SHORT, CPU)[0], given[0], CPU)[0] for given in (samples, big))
    assert small.shape == samples[0].x.shape
    np.testing.assert_allclose(large, 50 * small, rtol=1e-3, atol=1e-2)


def test_scores_are_shares_over_four_numbered_graphs(samples, trained):
    scores = embed_sample(trained[0], samples[0], CPU)[1]
    assert trained[0].shape.contexts == ("graph1", "graph2", "graph3", "graph4")
    assert scores.shape == (samples[0].n, 4)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_same_seed_same_network_other_seed_other_network(samples):
    def embedding(seed):
        settings = ReferenceSettings(graph_passes=3, passes=3, seed=seed)
        return embed_sample(train_reference(samples, settings, CPU)[0], samples[0], CPU)[0]

    np.testing.assert_array_equal(embedding(1), embedding(1))
    assert np.abs(embedding(1) - embedding(2)).max() > 1e-3


def test_file_brings_back_the_same_network(samples, trained, tmp_path):
    save_network(tmp_path / "network.pt", trained[0], {}, SHORT.as_dict())
    loaded, state = load_network(tmp_path / "network.pt")
    assert isinstance(loaded, ReferenceNetwork)
    assert state["mode"] == "reference"
    for before, after in zip(embed_sample(trained[0], samples[1], CPU), embed_sample(loaded, samples[1], CPU)):
        np.testing.assert_array_equal(before, after)


def test_file_without_a_mode_is_a_semantic_network(tmp_path):
    run_training(write_graphs(tmp_path, n_samples=1), tmp_path, contexts="spatial", device="cpu", steps=1)
    stored = torch.load(tmp_path / "network.pt", weights_only=True)
    del stored["network"]["mode"]
    assert isinstance(network_of(stored["network"]), SemanticNetwork)


def test_options_without_effect_are_named(tmp_path, caplog):
    paths = write_graphs(tmp_path, n_samples=1)
    given = {"graph_passes": 1, "passes": 1, "latent": 32, "communities": 5, "mincut": 0.5}
    with caplog.at_level(logging.WARNING):
        run_training(paths, tmp_path, contexts="spatial,expression,domain", device="cpu", mode="reference", **given)
    assert "without effect in reference mode: --train-communities" in caplog.text
    assert "latent" not in caplog.text
    run_embedding(paths, tmp_path / "network.pt", tmp_path, device="cpu")
    assert (tmp_path / "cohort.embedding.h5ad").exists()


def test_the_benchmark_has_a_row_for_it():
    assert VARIANTS["reference"].training["mode"] == "reference"
