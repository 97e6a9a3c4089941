from collections import Counter
from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
import torch
import torch_geometric.nn as peers

from model_helpers import write_graphs
from semanticst.constants import CONTEXTS
from semanticst.errors import BadInput
from semanticst.model.edges import EdgeSet
from semanticst.model.embed import embed_sample
from semanticst.model.losses import (
    attention_balance_loss,
    balance_loss,
    disentangle_loss,
    match_loss,
    mincut_loss,
    reconstruction_loss,
)
from semanticst.model.matches import matched_cells
from semanticst.model.network import MLP, EdgeScorer, NetworkShape, build_network, known_contexts
from semanticst.model.optimiser import AdamW
from semanticst.model.sample_graphs import read_graphs, sorted_by_sample
from semanticst.model.store import FORMAT, load_model, load_network, save_model, save_network
from semanticst.model.tiles import TileLoader, collate, split_tiles, with_halo
from semanticst.model.train import (
    TrainSettings,
    choose_device,
    rate_share,
    train_network,
    training_losses,
    worthwhile_threads,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return [read_graphs(p) for p in write_graphs(tmp_path_factory.mktemp("graphs"), n_samples=2)]


def random_graph(m=30, seed=0):
    A = sp.random(m, m, 0.15, random_state=seed, format="csr")
    A = ((A + A.T) > 0).astype(np.float32).tolil()
    A.setdiag(0)
    return A.tocsr()


def test_propagation_is_that_of_message_passing():
    edges = EdgeSet.of(random_graph())
    weights, H = torch.rand(len(edges.source)), torch.randn(30, 7)
    expected = peers.SimpleConv(aggr="sum")(H, torch.stack([edges.source, edges.destination]), weights)
    torch.testing.assert_close(edges.propagate(weights, H), expected)


@pytest.mark.parametrize("widths", [(32, 16, 1), (32, 64, 100), (7, 5, 4, 3)], ids=str)
def test_perceptron_is_that_of_torch_geometric(widths):
    torch.manual_seed(4)
    peer = peers.MLP(list(widths), norm=None)
    next_of_peer = torch.rand(3)
    torch.manual_seed(4)
    own = MLP(*widths)
    # what is drawn after it, too: one seed gives one network, whichever of them draws
    assert torch.equal(torch.rand(3), next_of_peer)
    assert list(own.state_dict()) == list(peer.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(own.state_dict().values(), peer.state_dict().values()))
    x = torch.randn(20, widths[0])
    assert torch.equal(own(x), peer(x))


def test_optimiser_is_that_of_torch():
    def trained(optimiser_of):
        torch.manual_seed(5)
        network = MLP(6, 5, 2)
        # never used in the loss: it has no gradient, and no step may move it
        network.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
        step = optimiser_of(network)
        for k in range(20):
            network.zero_grad()
            network(torch.randn(8, 6, generator=torch.Generator().manual_seed(k))).pow(2).sum().backward()
            step(0.01 / (k + 1))
        return list(network.state_dict().values())

    def peer(network):
        optimiser = torch.optim.AdamW(network.parameters(), lr=1.0, weight_decay=0.1)

        def step(rate):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()

        return step

    def own(network):
        optimiser = AdamW(network.parameters(), 1.0, decay=0.1)

        def step(rate):
            optimiser.rate = rate
            optimiser.step()

        return step

    assert all(torch.equal(a, b) for a, b in zip(trained(own), trained(peer), strict=True))


def test_gradients_of_propagation_are_right():
    edges = EdgeSet.of(random_graph(12))
    weights = torch.rand(len(edges.source), dtype=torch.float64, requires_grad=True)
    H = torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, h: edges.propagate(w, h), (weights, H))


def test_edge_set_knows_the_other_direction():
    edges = EdgeSet.of(random_graph())
    assert torch.equal(edges.source[edges.opposite], edges.destination)
    assert torch.equal(edges.destination[edges.opposite], edges.source)
    first, second = edges.pairs[:, edges.pair_of_edge]
    assert torch.equal(torch.minimum(edges.source, edges.destination), torch.minimum(first, second))


@pytest.mark.parametrize("dense", [[[0, 1], [0, 0]], [[1, 1], [1, 0]]])
def test_edge_set_refuses_one_way_and_self_edges(dense):
    with pytest.raises(ValueError, match="not symmetric|self-loops"):
        EdgeSet.of(sp.csr_matrix(np.array(dense, dtype=float)))


def test_learned_weights_are_symmetric_and_in_range():
    edges = EdgeSet.of(random_graph())
    weights = EdgeScorer(5)(torch.randn(30, 5), edges)
    torch.testing.assert_close(weights, weights[edges.opposite])
    assert ((weights > 0) & (weights < 1)).all()


def test_tiles_cover_every_cell_once_and_stay_small():
    xy = np.random.default_rng(0).uniform(size=(1000, 2))
    tiles = split_tiles(xy, 150)
    assert max(map(len, tiles)) <= 150
    np.testing.assert_array_equal(np.sort(np.concatenate(tiles)), np.arange(1000))
    widths = [np.ptp(xy[t], axis=0).max() for t in tiles]
    assert max(widths) < 0.6


def test_tile_with_halo_is_embedded_as_in_the_whole_sample(samples):
    network = build_network(NetworkShape(6, 18, 1, n_latent=8), 1.0, seed=0).eval()
    whole, scores = embed_sample(network, samples[0], CPU)
    tiled, tiled_scores = embed_sample(network, samples[0], CPU, max_cells=60)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(tiled_scores, scores, atol=1e-5)


def test_without_halo_the_embedding_differs(samples):
    network = build_network(NetworkShape(6, 18, 1, n_latent=8), 1.0, seed=0).eval()
    whole, _ = embed_sample(network, samples[0], CPU)
    tile = split_tiles(samples[0].xy, 60)[0]
    batch = collate([(samples[0], tile, len(tile))], {})
    with torch.no_grad():
        bare = network.embed(batch.x, batch.edges)[0].numpy()
    assert np.abs(bare - whole[tile]).max() > 1e-2


def test_halo_reaches_as_far_as_the_messages(samples):
    s, tile = samples[0], np.arange(10)
    A = s.graphs["spatial"]
    ring = np.flatnonzero((A @ A + A)[tile].sum(0)).tolist()
    cells = with_halo(s, tile, {"spatial": 2})
    assert set(cells) == set(ring) | set(range(10))
    np.testing.assert_array_equal(cells[:10], tile)


def test_loader_draws_every_tile_once_a_pass(samples):
    loader = small_batches(samples)
    seen = [int(batch.inner.sum()) for batch in loader.one_pass()]
    assert sum(seen) == sum(s.n for s in samples)
    assert len(seen) > 2


def small_batches(samples, **matches):
    settings = {"tile_cells": 50, "batch_cells": 100, "seed": 0}
    return TileLoader(samples, {"b0": 0, "b1": 1}, {"spatial": 1}, **settings, **matches)


def test_a_sample_that_is_limited_has_so_many_cells_in_a_pass(samples):
    n, m = (s.n for s in samples)
    limited = small_batches(samples, most=[n, m // 4])
    passes = [Counter(np.concatenate([b.batch.numpy() for b in limited.one_pass()])) for _ in range(20)]
    assert all(counts[0] == n for counts in passes)
    assert all(0.7 * m // 4 <= counts[1] <= 1.3 * (m // 4) for counts in passes)
    everywhere = TileLoader(samples, {"b0": 0, "b1": 1}, {}, tile_cells=50, batch_cells=10**6, seed=0, most=[n, m // 4])
    assert not everywhere.passes_in_one_batch
    all_alike = [b.inner_cells for b in small_batches(samples, most=[n, m]).one_pass()]
    for found, usual in zip(all_alike, small_batches(samples).one_pass(), strict=True):
        np.testing.assert_array_equal(found, usual.inner_cells)


def test_a_batch_has_the_matches_of_which_it_holds_both_cells(samples):
    n, m = (s.n for s in samples)
    every = np.vstack([np.repeat(np.arange(n), m), n + np.tile(np.arange(m), n)])
    targets = np.vstack([s.x for s in samples])
    seen = 0
    for batch in small_batches(samples, matches=every).one_pass():
        first, second = batch.matches
        of_first = int((batch.batch == 0).sum())
        assert batch.matches.shape[1] == of_first * (int(batch.inner.sum()) - of_first)
        assert (batch.batch[first] == 0).all()
        assert (batch.batch[second] == 1).all()
        seen += batch.matches.shape[1]
    assert 0 < seen < n * m
    (whole,) = TileLoader(samples, {"b0": 0, "b1": 1}, {}, tile_cells=50, batch_cells=10**6, seed=0,
                          matches=every).one_pass()  # fmt: skip
    np.testing.assert_array_equal(whole.x[whole.inner_cells[whole.matches[1]]], targets[every[1]])


def test_edges_that_reach_no_cell_of_a_tile_change_no_loss_and_no_gradient(samples):
    settings = TrainSettings(latent=8, communities=4)
    shape = NetworkShape(6, samples[0].target.shape[1], 2, n_latent=8, n_communities=4)
    found = []
    for cut in (False, True):
        loader = TileLoader(samples, {"b0": 0, "b1": 1}, shape.hops, tile_cells=30, batch_cells=60, seed=0, cut=cut)
        network = build_network(shape, 1.0, seed=0)
        batch = next(loader.one_pass())
        terms = training_losses(network, batch, settings)
        terms["loss"].backward()
        found.append((batch, terms, [p.grad for p in network.parameters()]))
    (whole, losses, gradients), (fewer, same, alike) = found
    for context, edges in fewer.edges.items():
        assert len(edges.source) < 0.8 * len(whole.edges[context].source)
    for name, value in losses.items():
        torch.testing.assert_close(same[name], value, rtol=1e-4, atol=1e-6)
    for one, other in zip(gradients, alike):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_a_tile_is_cut_once(samples, monkeypatch):
    loader = small_batches(samples)
    first = [batch.x.shape for batch in loader.one_pass()]
    monkeypatch.setattr("semanticst.model.tiles.with_halo", None)
    assert len(list(loader.one_pass())) == len(first)


def shifted(sample, by):
    """The same cells as another sample, their surroundings moved ``by`` times their spread."""
    target = sample.target + np.float32(by * sample.target.std())
    return replace(sample, sample=f"{sample.sample}'", target=target)


def test_matched_cells_are_each_others_nearest(samples):
    twin = shifted(samples[0], 0)
    first, second = matched_cells([samples[0], twin], seed=0)
    own = {(i, samples[0].n + i) for i in range(samples[0].n)}
    assert own <= set(zip(first.tolist(), second.tolist()))
    assert (first < samples[0].n).all()
    assert (second >= samples[0].n).all()


def test_samples_that_share_nothing_are_not_matched(samples):
    assert matched_cells([samples[0], shifted(samples[0], 20)], seed=0).shape == (2, 0)
    assert matched_cells(samples[:1], seed=0).shape == (2, 0)


def test_match_loss_is_relative_to_cells_at_random():
    torch.manual_seed(0)
    z = torch.randn(4000, 8)
    at_random = torch.arange(4000).reshape(2, -1)
    assert match_loss(z, at_random).item() == pytest.approx(1, abs=0.05)
    assert match_loss(100 * z, at_random).item() == pytest.approx(match_loss(z, at_random).item(), rel=1e-4)
    near = torch.cat([z, z + 0.1 * torch.randn(4000, 8)])
    assert match_loss(near, torch.arange(8000).reshape(2, -1)).item() < 0.02
    assert match_loss(z, torch.empty(2, 0, dtype=torch.long)).item() == 0


def test_training_brings_matched_cells_together(samples):
    pairs = matched_cells(samples, 0)
    assert pairs.shape[1] > 10

    def apart(weight):
        settings = TrainSettings(steps=60, latent=8, communities=4, matches=weight)
        network, _, history = train_network(samples, settings, CPU)
        z = np.vstack([embed_sample(network, s, CPU)[0] for s in samples])
        assert (history["matches"] > 0).all() == (weight > 0)
        return match_loss(torch.from_numpy(z), torch.from_numpy(pairs)).item()

    assert apart(5.0) < 0.8 * apart(0.0)


def test_perfect_communities_cost_no_cut_and_equal_ones_are_balanced():
    blocks = sp.csr_matrix(np.kron(np.eye(2), np.ones((4, 4)) - np.eye(4)))
    edges = EdgeSet.of(blocks)
    ones = torch.ones(len(edges.source))
    perfect = torch.eye(2).repeat_interleave(4, dim=0)
    mixed = torch.full((8, 2), 0.5)
    assert mincut_loss(perfect, [(edges, ones)]).item() == pytest.approx(0, abs=1e-6)
    # one community for all would cut nothing either: that is what the balance is for
    alone = torch.tensor([[1.0, 0.0]]).repeat(8, 1)
    assert balance_loss(perfect).item() == pytest.approx(0, abs=1e-6)
    assert balance_loss(alone).item() > 0.7
    assert balance_loss(mixed).item() > 0.7


def test_mincut_is_the_ratio_of_traces():
    edges = EdgeSet.of(random_graph(20))
    w = torch.rand(edges.pairs.shape[1])[edges.pair_of_edge]
    P = torch.softmax(torch.randn(20, 3), 1)
    A = edges.matrix(w).to_dense()
    expected = 1 - torch.trace(P.T @ A @ P) / torch.trace(P.T @ torch.diag(A.sum(1)) @ P)
    torch.testing.assert_close(mincut_loss(P, [(edges, w)]), expected)


def test_disentangling_is_one_for_copies_and_small_for_independent_contexts():
    z = torch.randn(500, 1)
    assert disentangle_loss(torch.stack([z, -3 * z])).item() == pytest.approx(1, abs=1e-4)
    assert disentangle_loss(torch.randn(2, 500, 4)).item() < 0.02
    assert disentangle_loss(torch.randn(1, 500, 4)).item() == 0


def test_attention_balance_is_zero_for_shared_and_one_for_single_attention():
    assert attention_balance_loss(torch.eye(3).repeat(5, 1)).item() == pytest.approx(0, abs=1e-6)
    assert attention_balance_loss(torch.tensor([[1.0, 0, 0]] * 9)).item() == pytest.approx(1, abs=1e-5)


def test_reconstruction_is_one_for_the_mean():
    target = torch.randn(200, 5)
    assert reconstruction_loss(target.mean(0).expand(200, 5), target).item() == pytest.approx(1, abs=1e-5)
    assert reconstruction_loss(target, target).item() == 0


def test_learning_rate_rises_then_falls_for_any_number_of_steps():
    for steps in (1, 2, 10, 200):
        shares = [rate_share(s, steps) for s in range(steps)]
        assert max(shares) == 1
        assert min(shares) >= 0
    assert rate_share(199, 200) < 0.01


def test_training_lowers_every_part_of_the_loss(samples):
    _, _, history = train_network(samples, TrainSettings(steps=60, latent=8, communities=4), CPU)
    assert len(history) == 60
    first, last = history.iloc[:3].mean(), history.iloc[-3:].mean()
    for term in ("loss", "profile", "reconstruction"):
        assert last[term] < 0.9 * first[term], term
    # the cut and its balance pull against each other: together they must fall
    assert last["mincut"] + last["balance"] < first["mincut"] + first["balance"]


def test_every_cell_is_seen_once_however_few_the_steps(samples):
    cells = sum(s.n for s in samples)
    settings = TrainSettings(steps=2, latent=8, tile_cells=25, batch_cells=50)
    _, _, history = train_network(samples, settings, CPU)
    assert len(history) == -(-cells // 50) > 2


@pytest.mark.parametrize(
    ("granted", "cells", "taken"), [(8, 1_521, 1), (8, 3_190, 1), (8, 8_000, 2), (1, 8_000, 1), (2, 40_000, 2)]
)
def test_a_thread_has_cells_enough(granted, cells, taken):
    assert worthwhile_threads(granted, cells) == taken


def test_a_small_cohort_is_trained_by_one_thread(samples):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train_network(samples, TrainSettings(steps=1), torch.device("cpu"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_same_seed_same_network_other_seed_other_network(samples):
    def embedding(seed):
        network, _, _ = train_network(samples, TrainSettings(steps=5, latent=8, seed=seed), CPU)
        return embed_sample(network, samples[0], CPU)[0]

    np.testing.assert_array_equal(embedding(1), embedding(1))
    assert np.abs(embedding(1) - embedding(2)).max() > 1e-3


def test_training_in_small_batches_works(samples):
    settings = TrainSettings(steps=30, latent=8, tile_cells=60, batch_cells=120)
    _, _, history = train_network(samples, settings, CPU)
    assert history["profile"].iloc[-5:].mean() < history["profile"].iloc[:5].mean()


def test_scores_are_shares_over_contexts(samples):
    network, _, _ = train_network(samples, TrainSettings(steps=5, latent=8), CPU)
    fused, scores = embed_sample(network, samples[0], CPU)
    assert fused.shape == (samples[0].n, 8)
    assert scores.shape == (samples[0].n, len(CONTEXTS))
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_mean_of_contexts_instead_of_attention(samples, tmp_path):
    settings = TrainSettings(steps=5, latent=8, fusion="mean")
    network, batches, _ = train_network(samples, settings, CPU)
    fused, scores = embed_sample(network, samples[0], CPU)
    np.testing.assert_allclose(scores, 1 / len(CONTEXTS))
    attended, _, _ = train_network(samples, TrainSettings(steps=5, latent=8), CPU)
    assert np.abs(fused - embed_sample(attended, samples[0], CPU)[0]).max() > 1e-3
    save_network(tmp_path / "network.pt", network, batches, settings.as_dict())
    loaded, _ = load_network(tmp_path / "network.pt")
    np.testing.assert_array_equal(embed_sample(loaded, samples[0], CPU)[0], fused)


def test_network_file_brings_back_the_same_embedding(samples, tmp_path):
    network, batches, _ = train_network(samples, TrainSettings(steps=3, latent=8), CPU)
    save_network(tmp_path / "network.pt", network, batches, {"steps": 3})
    loaded, state = load_network(tmp_path / "network.pt")
    np.testing.assert_array_equal(embed_sample(loaded, samples[1], CPU)[0], embed_sample(network, samples[1], CPU)[0])
    assert state["batches"] == {"b0": 0, "b1": 1}


def test_model_file_holds_no_code_and_brings_arrays_back(samples, tmp_path):
    network, batches, _ = train_network(samples, TrainSettings(steps=1, latent=8), CPU)
    save_network(tmp_path / "network.pt", network, batches, {})
    stored = {
        "network": load_model(tmp_path / "network.pt")["network"],
        "basis": {"features": np.array(["g1", "g2"]), "depth": np.array(3.5), "mean": np.arange(2.0)},
    }
    save_model(tmp_path / "model.pt", stored)
    assert torch.load(tmp_path / "model.pt", weights_only=True)["format"] == FORMAT
    basis = load_model(tmp_path / "model.pt")["basis"]
    assert basis["features"].tolist() == ["g1", "g2"]
    np.testing.assert_array_equal(basis["mean"], [0.0, 1.0])
    assert float(basis["depth"]) == 3.5


@pytest.mark.parametrize("name", ["network.pt", "model.pt"])
def test_the_same_model_gives_the_same_bytes(tmp_path, name):
    network = build_network(NetworkShape(5, 5, 1, n_latent=4, n_communities=2), 1.0, seed=0)
    for folder in ("first", "second"):
        path = tmp_path / folder / name
        if name == "network.pt":
            save_network(path, network, {"b0": 0}, {"steps": 1})
        else:
            save_model(path, {"basis": {"features": np.array(["g1", "g2"]), "mean": np.arange(2.0)}})
    assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_other_files_are_not_taken_for_a_model(tmp_path, content):
    path = tmp_path / "model.pt"
    if content is None:
        torch.save({"something": 1}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="not a trained model"):
        load_model(path)


def test_newer_format_is_refused(samples, tmp_path):
    network, batches, _ = train_network(samples, TrainSettings(steps=1, latent=8), CPU)
    save_network(tmp_path / "n.pt", network, batches, {})
    stored = torch.load(tmp_path / "n.pt", weights_only=True)
    stored["network"]["format"] = 99
    torch.save(stored, tmp_path / "n.pt")
    with pytest.raises(BadInput, match="format 99"):
        load_model(tmp_path / "n.pt")


def test_contexts_are_known_by_name_and_kept_in_order():
    assert known_contexts(["domain", "spatial"]) == ("spatial", "domain")
    with pytest.raises(ValueError, match="unknown context tissue"):
        known_contexts(["tissue"])


def test_missing_graph_and_repeated_sample_are_bad_input(tmp_path):
    path = write_graphs(tmp_path, n_samples=1)[0]
    with pytest.raises(BadInput, match="given twice"):
        sorted_by_sample([path, path])
    adata = ad.read_h5ad(path)
    del adata.obsp["domain_connectivities"]
    adata.write_h5ad(path)
    with pytest.raises(BadInput, match="no graph for context domain"):
        read_graphs(path)


def test_decoding_an_embedding_is_the_reconstruction_of_the_cell_itself(samples):
    network, _, _ = train_network(samples, TrainSettings(steps=5, latent=8), CPU)
    batch = collate([(samples[1], np.arange(samples[1].n), samples[1].n)], {samples[1].batch: 1})
    with torch.no_grad():
        whole = network(batch.x, batch.edges, batch.batch).reconstruction
        fused = torch.from_numpy(embed_sample(network, samples[1], CPU)[0])
        own, other, unknown = (network.decode(fused, i) for i in (1, 0, None))
    p = network.shape.n_input
    torch.testing.assert_close(own, whole[:, :p] * network.input_scale, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(own, other)
    assert not torch.allclose(own, unknown)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible to torch")
def test_a_gpu_trains_and_embeds_as_the_cpu_does(samples):
    settings = TrainSettings(steps=20, latent=8)
    (on_gpu, _, history), (_, _, on_cpu) = (train_network(samples, settings, choose_device(d)) for d in ("cuda", "cpu"))
    # sums are made in another order, so that steps drift apart slowly
    np.testing.assert_allclose(history["loss"], on_cpu["loss"], rtol=0.05)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    one, other = (embed_sample(on_gpu.to(d), samples[0], torch.device(d))[0] for d in ("cuda", "cpu"))
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_absent_cuda_is_said():
    with pytest.raises(ValueError, match="no CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


@pytest.fixture(scope="module")
def ensemble(samples):
    return train_network(samples, TrainSettings(networks=3, steps=5, latent=8, seed=1), CPU)


def test_networks_of_an_ensemble_differ_and_stand_side_by_side(samples, ensemble):
    network, _, history = ensemble
    fused, scores = embed_sample(network, samples[0], CPU)
    alone = [embed_sample(one, samples[0], CPU) for one in network.networks]
    np.testing.assert_array_equal(fused, np.hstack([z for z, _ in alone]))
    np.testing.assert_allclose(scores, np.mean([a for _, a in alone], axis=0), atol=1e-6)
    assert fused.shape == (samples[0].n, network.shape.n_embedding) == (samples[0].n, 24)
    assert min(np.abs(alone[a][0] - alone[b][0]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 1e-3
    assert history["step"].tolist() == [1, 2, 3, 4, 5]


def test_the_first_network_of_an_ensemble_is_that_of_its_seed(samples, ensemble):
    one, _, history = train_network(samples, TrainSettings(steps=5, latent=8, seed=3), CPU)
    for name, weights in ensemble[0].networks[0].state_dict().items():
        torch.testing.assert_close(weights, one.state_dict()[name], msg=name)
    assert ensemble[2]["loss"].iloc[0] != history["loss"].iloc[0]


def test_an_ensemble_decodes_to_the_mean_of_its_networks(samples, ensemble):
    network = ensemble[0]
    fused = torch.from_numpy(embed_sample(network, samples[0], CPU)[0])
    with torch.no_grad():
        parts = [one.decode(fused[:, 8 * i : 8 * i + 8], 0) for i, one in enumerate(network.networks)]
        torch.testing.assert_close(network.decode(fused, 0), sum(parts) / 3)


def test_an_ensemble_is_stored_whole(samples, ensemble, tmp_path):
    network, batches, _ = ensemble
    save_network(tmp_path / "network.pt", network, batches, {})
    loaded, _ = load_network(tmp_path / "network.pt")
    assert len(loaded.networks) == 3
    for one, other in zip(embed_sample(loaded, samples[1], CPU), embed_sample(network, samples[1], CPU)):
        np.testing.assert_array_equal(one, other)
