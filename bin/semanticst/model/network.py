"""The network of SemanticST: context encoders, attention over contexts, decoder, soft communities."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from semanticst.constants import CONTEXTS, Context, TrainMode
from semanticst.model.edges import EdgeSet
from semanticst.model.sample_graphs import SampleGraphs, read_graphs

FUSIONS = ("attention", "mean")
"""How the embeddings of a cell in its contexts become one: weighed by learned attention, or all alike."""

LAYERS = {Context.SPATIAL: 2, Context.EXPRESSION: 1, Context.DOMAIN: 1}
"""Message-passing layers per context, and so the hops of halo that a tile needs in that context's graph.

Tissue is local, so the spatial encoder looks two rings far; neighbours in the other two graphs are alike already."""


@dataclass(frozen=True)
class NetworkShape:
    """All that is needed to build the network again."""

    n_input: int
    n_output: int
    n_batches: int
    n_latent: int = 32
    n_hidden: int = 64
    n_communities: int = 16
    contexts: tuple[str, ...] = CONTEXTS
    fusion: str = "attention"
    n_networks: int = 1

    def as_dict(self) -> dict:
        return {**asdict(self), "contexts": [str(c) for c in self.contexts]}

    @classmethod
    def from_dict(cls, stored: dict) -> "NetworkShape":
        return cls(**{**stored, "contexts": tuple(stored["contexts"])})

    @property
    def n_embedding(self) -> int:
        """Width of what is clustered."""
        return self.n_latent * self.n_networks

    @property
    def hops(self) -> dict[str, int]:
        return {c: LAYERS[Context(c)] for c in self.contexts}


class MLP(nn.Module):
    """Linear layers with ReLU between them: W_2 relu(W_1 x + b_1) + b_2 for three ``widths``.

    Weights, their names and what a seed draws are those of ``torch_geometric.nn.MLP`` without norm (a test compares),
    whose import costs 2 s and 200 MB in every task of the network.
    """

    def __init__(self, *widths: int):
        super().__init__()
        layers = [nn.Linear(a, b) for a, b in zip(widths, widths[1:])]
        for layer in layers:
            layer.reset_parameters()  # a second draw, as there: a seed gives the networks that it gave before
        self.lins = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (m, first width) -> (m, last width)."""
        for layer in self.lins[:-1]:
            x = torch.relu(layer(x))
        return self.lins[-1](x)


class EdgeScorer(nn.Module):
    """Learned weight of an edge, in (0, 1) and symmetric: g_ij = sigmoid(MLP[|h_i - h_j|, h_i * h_j]), h = x W."""

    def __init__(self, n_input: int, n_hidden: int = 16):
        super().__init__()
        self.project = nn.Linear(n_input, n_hidden, bias=False)
        self.score = MLP(2 * n_hidden, n_hidden, 1)

    def forward(self, x: torch.Tensor, edges: EdgeSet) -> torch.Tensor:
        """``x`` (m, p) -> weights (e,) in the order of the edges; both directions of a pair get the same."""
        h = self.project(x)
        a, b = h.index_select(0, edges.pairs[0]), h.index_select(0, edges.pairs[1])
        per_pair = torch.sigmoid(self.score(torch.cat([(a - b).abs(), a * b], dim=1))).squeeze(1)
        return per_pair.index_select(0, edges.pair_of_edge)


class ContextEncoder(nn.Module):
    """z = GNN over one context: per layer h_i <- ReLU(W_s h_i + W_n sum_j g_ij h_j / sum_j g_ij)."""

    def __init__(self, n_input: int, n_hidden: int, n_latent: int, n_layers: int):
        super().__init__()
        widths = [n_input, *[n_hidden] * (n_layers - 1), n_latent]
        self.scorer = EdgeScorer(n_input)
        self.own = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.neighbours = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(widths, widths[1:]))

    def forward(self, x: torch.Tensor, edges: EdgeSet) -> tuple[torch.Tensor, torch.Tensor]:
        """``x`` (m, p) -> embedding (m, latent) and edge weights (e,)."""
        weights = self.scorer(x, edges)
        degree = edges.sum_by_cell(weights).clamp_min(1e-6)
        shares = weights / degree.index_select(0, edges.destination)
        h = x
        for layer, (own, neighbours) in enumerate(zip(self.own, self.neighbours)):
            h = own(h) + edges.propagate(shares, neighbours(h))
            if layer + 1 < len(self.own):
                h = torch.relu(h)
        return h, weights


class Attention(nn.Module):
    """Semantic scores a_ik = softmax_k(q_k . tanh(W_k z_ik)) and the fused embedding Z_i = sum_k a_ik z_ik."""

    def __init__(self, n_latent: int, n_contexts: int):
        super().__init__()
        self.keys = nn.ModuleList(nn.Linear(n_latent, n_latent) for _ in range(n_contexts))
        self.queries = nn.Parameter(torch.randn(n_contexts, n_latent) / n_latent**0.5)

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``z`` (contexts, m, latent) -> fused (m, latent), scores (m, contexts)."""
        logits = torch.stack([torch.tanh(key(part)) @ q for key, part, q in zip(self.keys, z, self.queries)], dim=1)
        scores = torch.softmax(logits, dim=1)
        return torch.einsum("mk,kml->ml", scores, z), scores


def mean_of_contexts(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``z`` (contexts, m, latent) -> mean over contexts (m, latent), scores (m, contexts) that are all alike."""
    return z.mean(0), z.new_full((z.shape[1], z.shape[0]), 1 / len(z))


@dataclass(frozen=True)
class Output:
    """``fused`` (i, latent), ``scores`` (i, contexts), ``contexts`` (contexts, i, latent), ``reconstruction``
    (i, p + q), ``communities`` (i, K) rows sum to 1, of the cells that were asked for; ``weights`` context -> (e,)."""

    fused: torch.Tensor
    scores: torch.Tensor
    contexts: torch.Tensor
    weights: dict[str, torch.Tensor]
    reconstruction: torch.Tensor
    communities: torch.Tensor


class SemanticNetwork(nn.Module):
    """One set of weights for all samples and batches of a cohort."""

    mode = TrainMode.SEMANTIC
    input_scale: torch.Tensor

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.shape = shape
        self.register_buffer("input_scale", torch.ones(()))
        self.encoders = nn.ModuleDict(
            {
                c: ContextEncoder(shape.n_input, shape.n_hidden, shape.n_latent, LAYERS[Context(c)])
                for c in shape.contexts
            }
        )
        self.norms = nn.ModuleDict({c: nn.LayerNorm(shape.n_latent) for c in shape.contexts})
        self.attention = Attention(shape.n_latent, len(shape.contexts))
        # the batch enters the decoder only: what is explained there need not be in the embedding
        self.batch_shift = nn.Embedding(max(shape.n_batches, 1), shape.n_latent)
        nn.init.zeros_(self.batch_shift.weight)
        self.decoder = MLP(shape.n_latent, shape.n_hidden, shape.n_output)
        self.communities = nn.Linear(shape.n_latent, shape.n_communities)

    @classmethod
    def from_stored(cls, shape: dict) -> "SemanticNetwork":
        return cls(NetworkShape.from_dict(shape))

    def read(self, path: Path) -> SampleGraphs:
        """What this network needs of one ``{sample}.graphs.h5ad``."""
        return read_graphs(path, self.shape.contexts)

    def embed(self, x: torch.Tensor, edges: dict[str, EdgeSet], cells: torch.Tensor | None = None):
        """Fused embedding (m, latent), semantic scores (m, contexts), context embeddings, edge weights.

        ``cells`` (i,) int64: only of these; the others send messages.
        """
        x = x / self.input_scale
        parts, weights = [], {}
        for context, encoder in self.encoders.items():
            z, weights[context] = encoder(x, edges[context])
            parts.append(self.norms[context](z if cells is None else z.index_select(0, cells)))
        z = torch.stack(parts)
        fused, scores = self.attention(z) if self.shape.fusion == "attention" else mean_of_contexts(z)
        return fused, scores, z, weights

    def decode(self, fused: torch.Tensor, batch: int | None) -> torch.Tensor:
        """Uncorrected components (m, p), in the units of the input, of cells given by ``fused`` (m, latent).

        ``batch`` is the index of their batch; None for one that the network has not seen: the mean of those it has.
        """
        shifts = self.batch_shift.weight
        decoded = self.decoder(fused + (shifts.mean(0) if batch is None else shifts[batch]))
        return decoded[:, : self.shape.n_input] * self.input_scale

    def forward(
        self, x: torch.Tensor, edges: dict[str, EdgeSet], batch: torch.Tensor, cells: torch.Tensor | None = None
    ) -> Output:
        """``x`` (m, p), ``batch`` (i,) of the ``cells`` (i,) that are asked for; of all m when not given."""
        fused, scores, z, weights = self.embed(x, edges, cells)
        decoded = self.decoder(fused + self.batch_shift(batch))
        return Output(fused, scores, z, weights, decoded, torch.softmax(self.communities(fused), dim=1))


def build_network(shape: NetworkShape, input_scale: float, seed: int) -> SemanticNetwork:
    """A network with weights drawn from ``seed``; inputs are divided by ``input_scale`` (one number: the components
    keep their relative sizes)."""
    torch.manual_seed(seed)
    network = SemanticNetwork(shape)
    network.input_scale.fill_(input_scale)
    return network


def known_contexts(names: Sequence[str]) -> tuple[str, ...]:
    """Names in the fixed order of ``CONTEXTS``; raises ValueError for an unknown name."""
    unknown = sorted(set(names) - set(CONTEXTS))
    if unknown:
        raise ValueError(f"unknown context {', '.join(unknown)}; choose from {', '.join(CONTEXTS)}")
    return tuple(c for c in CONTEXTS if c in names)
