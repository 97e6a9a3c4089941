"""The network with the settings of the authors' released package (semanticst 1.1.3, MIT), for comparison.

Written anew from the released settings; no code is taken over. As released:

- 5 nearest cells in space, symmetrised. K = 4 graphs on these edges, learned first (Adagrad 1e-3, 250 passes) and then
  held fixed; one encoder for all graphs, attention over them, a decoder (Adam 1e-3, 1000 passes);
- loss 10 MSE + 0.1 min-cut; the min-cut looks at the last graph, and its communities are the 64 latent dimensions;
- self-loops weigh 0.1 in the encoder and in the min-cut, 1 elsewhere (the default of the released layers);
- no batch term: samples stand side by side, components are not corrected.

Different, each because the released form cannot be right or cannot be large:

- sparse throughout, no n x n array; samples are blocks of one graph, or tiles of it with their halo: no random cells;
- one network for all batches, saved and used again for cells that come later;
- edge scores are symmetric: the mean of the score of (i, j) and of (j, i);
- the node-similarity term is about the cells of each learned graph and has a gradient (released: edge scores looked up
  by the number of a cell, without gradient);
- input and output are the p principal components of the cohort instead of 3,000 genes. A linear layer on components
  is one on genes through the loadings; the squared error is that of the genes within the span of the loadings, up to a
  factor. Components are signed, so the decoder ends without ReLU. Normalisation and choice of genes are those of the
  features step, on every platform;
- coordinates are used as they are, not as whole numbers.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch_geometric.nn import GCNConv

from semanticst.constants import UNS, Obs, Obsm, TrainMode
from semanticst.graph.neighbours import nearest_in_space, symmetric_adjacency
from semanticst.model.edges import EdgeSet
from semanticst.model.network import Attention
from semanticst.model.sample_graphs import SampleGraphs
from semanticst.model.tiles import Batch, TileLoader
from semanticst.progress import progress

log = logging.getLogger(__name__)

NEAREST = "nearest"
NEIGHBOURS = 5
GRAPHS = 4
WIDTH = 32
LATENT = 64
LOOP = 0.1
RECONSTRUCTION, MINCUT, SIMILARITY = 10.0, 0.1, 0.01
HOPS = {NEAREST: 3}
"""Two layers, and one ring more for the degrees of the outermost cells that send messages."""


@dataclass(frozen=True)
class ReferenceSettings:
    """Passes over the cohort for the graphs and for the network; cells of a tile and of a batch."""

    graph_passes: int = 250
    passes: int = 1_000
    tile_cells: int = 2_000
    batch_cells: int = 8_000
    learning_rate: float = 1e-3
    seed: int = 0

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class ReferenceShape:
    """All that is needed to build the network again: the number of components, in and out."""

    n_input: int

    def as_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict) -> "ReferenceShape":
        return cls(**stored)

    @property
    def n_embedding(self) -> int:
        """What is clustered is the reconstruction, as wide as the input."""
        return self.n_input

    @property
    def contexts(self) -> tuple[str, ...]:
        """The learned graphs have no meaning of their own, only a number."""
        return tuple(f"graph{k + 1}" for k in range(GRAPHS))

    @property
    def hops(self) -> dict[str, int]:
        return HOPS


def read_reference(path: Path) -> SampleGraphs:
    """Components (not corrected) and the graph of the 5 nearest cells of one ``{sample}.graphs.h5ad``."""
    adata = ad.read_h5ad(path)
    xy = np.asarray(adata.obsm[Obsm.SPATIAL], dtype=np.float64)
    x = np.asarray(adata.obsm[Obsm.COMPONENTS], dtype=np.float32)
    return SampleGraphs(
        sample=str(adata.uns[UNS]["sample"]),
        batch=str(adata.obs[Obs.BATCH].iloc[0]),
        x=x,
        target=x,
        xy=xy,
        graphs={NEAREST: symmetric_adjacency(nearest_in_space(xy, NEIGHBOURS)[0])},
    )


def convolution(n_in: int, n_out: int) -> GCNConv:
    """Y = D^-1/2 A D^-1/2 X W + b, with D the row sums of A (Kipf & Welling 2017), called with ``with_loops(...)``."""
    return GCNConv(n_in, n_out, add_self_loops=False)  # those it would add weigh 1 or 2


def with_loops(edges: EdgeSet, g: torch.Tensor, loop: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A = G + ``loop`` I as GCNConv takes it: cells (2, e + m) int64 and weights (e + m,), of symmetric ``g`` (e,)."""
    cells = torch.arange(edges.n_cells, device=g.device)
    ends = torch.stack([torch.cat([edges.source, cells]), torch.cat([edges.destination, cells])])
    return ends, torch.cat([g, g.new_full((edges.n_cells,), loop)])


class GraphLearner(nn.Module):
    """K graphs on the same edges, each with a descriptor.

    h = X W_h (m, 32). g^k_ij = sigmoid((s_k(h_i, h_j) + s_k(h_j, h_i)) / 2), s_k = MLP 64-2-1. Z^k = two convolutions
    (32-32-32, ReLU, shared over k) of h over g^k; d_k = linear(mean of Z^k over cells), (32,).
    """

    def __init__(self, n_input: int):
        super().__init__()
        self.project = nn.Linear(n_input, WIDTH, bias=False)
        # the first layer of all K scorers side by side; it is linear, so each half is computed once a cell
        self.first = nn.Linear(2 * WIDTH, 2 * GRAPHS)
        self.second = nn.Parameter(torch.empty(GRAPHS, 2))
        self.offset = nn.Parameter(torch.zeros(GRAPHS))
        self.layers = nn.ModuleList([convolution(WIDTH, WIDTH), convolution(WIDTH, WIDTH)])
        self.describe = nn.Linear(WIDTH, WIDTH)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.first.bias)
        for k in range(GRAPHS):
            nn.init.xavier_normal_(self.first.weight[2 * k : 2 * k + 2])
            nn.init.xavier_normal_(self.second[k : k + 1])

    def scores(self, h: torch.Tensor, edges: EdgeSet) -> torch.Tensor:
        """``h`` (m, 32) -> g (K, e), both directions of a pair alike."""
        left = h @ self.first.weight[:, :WIDTH].T + self.first.bias
        right = h @ self.first.weight[:, WIDTH:].T
        i, j = edges.pairs
        one = self._score(left.index_select(0, i) + right.index_select(0, j))
        other = self._score(left.index_select(0, j) + right.index_select(0, i))
        return torch.sigmoid((one + other) / 2).T.index_select(1, edges.pair_of_edge)

    def _score(self, hidden: torch.Tensor) -> torch.Tensor:
        """(pairs, 2 K) -> (pairs, K)."""
        return (torch.relu(hidden).view(-1, GRAPHS, 2) * self.second).sum(2) + self.offset

    def forward(self, x: torch.Tensor, edges: EdgeSet) -> tuple[torch.Tensor, torch.Tensor]:
        """``x`` (m, p) -> g (K, e) and Z (K, m, 32)."""
        h = self.project(x)
        g = self.scores(h, edges)
        parts = []
        for weights in g:
            z, graph = h, with_loops(edges, weights, 1.0)
            for layer in self.layers:
                z = torch.relu(layer(z, *graph))
            parts.append(z)
        return g, torch.stack(parts)

    def descriptors(self, z: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
        """``z`` (K, m, 32) -> d (K, 32), pooled over the ``inner`` cells."""
        return self.describe(z[:, inner].mean(1))


class ReferenceNetwork(nn.Module):
    """z_k = ReLU(GCN_{p->64}(X, g^k)), a_i = softmax_k(q_k . tanh(W_k z_ik)), Z = sum_k a_ik z_ik, Xhat = GCN(Z).

    The encoder is shared over k; the decoder, 64 -> p, goes over the unweighted graph.
    """

    mode = TrainMode.REFERENCE
    input_scale: torch.Tensor

    def __init__(self, shape: ReferenceShape):
        super().__init__()
        self.shape = shape
        self.register_buffer("input_scale", torch.ones(()))
        self.learner = GraphLearner(shape.n_input)
        self.encoder = convolution(shape.n_input, LATENT)
        self.attention = Attention(LATENT, GRAPHS)
        self.decoder = convolution(LATENT, shape.n_input)
        self.register_load_state_dict_pre_hook(_with_names_of_today)

    @classmethod
    def from_stored(cls, shape: dict) -> "ReferenceNetwork":
        return cls(ReferenceShape.from_dict(shape))

    def read(self, path: Path) -> SampleGraphs:
        return read_reference(path)

    @torch.no_grad()
    def graphs(self, x: torch.Tensor, edges: EdgeSet) -> torch.Tensor:
        """The learned graphs (K, e) of scaled input ``x`` (m, p), as constants."""
        return self.learner.scores(self.learner.project(x), edges)

    def forward(self, x: torch.Tensor, edges: EdgeSet) -> tuple[torch.Tensor, ...]:
        """Scaled ``x`` (m, p) -> Xhat (m, p), a (m, K), z (K, m, 64), Z (m, 64), g (K, e)."""
        g = self.graphs(x, edges)
        z = torch.stack([torch.relu(self.encoder(x, *with_loops(edges, weights, LOOP))) for weights in g])
        Z, a = self.attention(z)
        return self.decoder(Z, *with_loops(edges, torch.ones_like(g[0]), 1.0)), a, z, Z, g

    def embed(self, x: torch.Tensor, edges: dict[str, EdgeSet]):
        """Reconstructed components (m, p) in the units of ``x``, semantic scores (m, K), embeddings, graphs."""
        decoded, a, z, _, g = self(x / self.input_scale, edges[NEAREST])
        return decoded * self.input_scale, a, z, dict(zip(self.shape.contexts, g))

    def decode(self, fused: torch.Tensor, batch: int | None) -> torch.Tensor:
        """Components (m, p) of embedded cells: the embedding is the reconstruction, and there is no batch term."""
        return fused


def _with_names_of_today(_network: ReferenceNetwork, weights: dict[str, torch.Tensor], *_others: object) -> None:
    """Rename in place what models call otherwise that were stored before the layers were those of PyTorch Geometric."""
    for name in [n for n in weights if n.endswith(".weight.weight")]:
        weights[name.replace(".weight.weight", ".lin.weight")] = weights.pop(name)


def descriptor_loss(d: torch.Tensor) -> torch.Tensor:
    """sum_{k<l} cos(d_k, d_l), at least -K / 2. ``d`` (K, width)."""
    unit = nn.functional.normalize(d, dim=1)
    return torch.triu(unit @ unit.T, diagonal=1).sum()


def similarity_loss(z: torch.Tensor, edges: EdgeSet, inner: torch.Tensor) -> torch.Tensor:
    """sum_k mean_{ij} ||Z^k_i - Z^k_j|| over neighbouring ``inner`` cells. ``z`` (K, m, 32).

    The mean instead of the released sum: the term does not grow with the cohort.
    """
    i, j = edges.pairs[:, inner[edges.pairs].all(0)]
    # the root has no gradient at 0, where cells are duplicates
    return ((z[:, i] - z[:, j]).pow(2).sum(2) + 1e-12).sqrt().sum() / max(len(i), 1)


def log_mincut_loss(P: torch.Tensor, edges: EdgeSet, g: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """log sum_c (sum_b C_cb - C_cc) / sum_b C_cb, with C = P'AP (64, 64) and A = G + 0.1 I between ``inner`` cells.

    ``P`` (m, 64) soft communities, rows sum to 1; ``g`` (e,).
    """
    P = P * inner[:, None]
    C = P.T @ (edges.propagate(g, P) + LOOP * P)
    total = C.sum(1).clamp_min(1e-8)
    return ((total - C.diagonal()) / total).sum().clamp_min(1e-8).log()


def gumbel(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Gumbel noise, drawn on the CPU: the same on every device."""
    return -torch.log(-torch.log(torch.rand(shape, generator=generator).clamp(1e-9, 1 - 1e-7))).to(device)


def graph_losses(network: ReferenceNetwork, batch: Batch) -> dict[str, torch.Tensor]:
    """Terms of the first stage, ``loss`` their weighted sum."""
    edges = batch.edges[NEAREST]
    _, z = network.learner(batch.x / network.input_scale, edges)
    disentangle = descriptor_loss(network.learner.descriptors(z, batch.inner))
    similarity = similarity_loss(z, edges, batch.inner)
    return {"loss": disentangle + SIMILARITY * similarity, "disentangle": disentangle, "similarity": similarity}


def network_losses(network: ReferenceNetwork, batch: Batch, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Terms of the second stage, ``loss`` their weighted sum."""
    edges, inner = batch.edges[NEAREST], batch.inner
    x = batch.x / network.input_scale
    decoded, _, _, Z, g = network(x, edges)
    P = torch.softmax(Z + gumbel(tuple(Z.shape), generator, Z.device), dim=1)
    reconstruction = ((decoded - x)[inner] ** 2).mean()
    mincut = log_mincut_loss(P, edges, g[-1], inner)
    return {
        "loss": RECONSTRUCTION * reconstruction + MINCUT * mincut,
        "reconstruction": reconstruction,
        "mincut": mincut,
    }


def train_reference(
    samples: Sequence[SampleGraphs], settings: ReferenceSettings, device: torch.device
) -> tuple[ReferenceNetwork, dict[str, int], pd.DataFrame]:
    """Train on ``samples`` (of `read_reference`); returns the network (on the CPU), no batches, the losses."""
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    torch.manual_seed(settings.seed)
    network = ReferenceNetwork(ReferenceShape(samples[0].x.shape[1])).to(device)
    squares = sum((s.x.astype(np.float64) ** 2).sum() for s in samples)
    network.input_scale.fill_(max(float(np.sqrt(squares / sum(s.x.size for s in samples))), 1e-6))
    generator = torch.Generator().manual_seed(settings.seed)
    loader = TileLoader(
        samples, {}, HOPS, tile_cells=settings.tile_cells, batch_cells=settings.batch_cells, seed=settings.seed
    )
    second = [*network.encoder.parameters(), *network.attention.parameters(), *network.decoder.parameters()]
    n_cells, passes = sum(s.n for s in samples), f"{settings.graph_passes} + {settings.passes} passes"
    log.info("%d cells of %d samples in %d tiles, %s", n_cells, len(samples), len(loader.tiles), passes)
    stages = [
        ("graphs", settings.graph_passes, torch.optim.Adagrad(network.learner.parameters(), settings.learning_rate),
         lambda batch: graph_losses(network, batch)),
        ("network", settings.passes, torch.optim.Adam(second, settings.learning_rate),
         lambda batch: network_losses(network, batch, generator)),
    ]  # fmt: skip
    rows = [row for stage in stages for row in _train_stage(loader, *stage, device)]
    history = pd.DataFrame(rows)
    history.insert(0, "step", np.arange(1, len(history) + 1))
    return network.cpu().eval(), {}, history


def _train_stage(loader: TileLoader, name: str, passes: int, optimizer, losses, device: torch.device) -> list[dict]:
    """Minimise ``losses(batch)["loss"]`` over ``passes`` passes; the terms at every step."""
    rows = []
    for _ in progress(range(passes), f"training the {name}"):
        for batch in loader.one_pass():
            terms = losses(batch.to(device))
            optimizer.zero_grad()
            terms["loss"].backward()
            optimizer.step()
            rows.append({"stage": name, **{k: float(v.detach()) for k, v in terms.items()}})
    log.info("%s: loss %.3f -> %.3f in %d steps", name, rows[0]["loss"], rows[-1]["loss"], len(rows))
    return rows
