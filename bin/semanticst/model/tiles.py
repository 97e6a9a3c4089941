"""Mini-batches: tiles of neighbouring cells, each with the cells that its messages come from.

Random cells have no neighbours among themselves. A tile keeps its edges; with its halo the embedding of its cells is
exactly that of a pass over the whole sample, so the tile size changes memory and not the result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from semanticst.model.edges import EdgeSet
from semanticst.model.matches import NO_MATCHES
from semanticst.model.sample_graphs import SampleGraphs


@dataclass(frozen=True)
class Batch:
    """Several tiles as one graph of ``m`` cells, ``i`` of them inner cells, of the tiles proper; the rest is halo.

    ``x`` (m, p), ``target`` (i, q) float32; ``batch`` (i,) int64 index of the sample's batch; ``edges`` context ->
    EdgeSet over the m cells; ``inner`` (m,) bool; ``inner_cells`` (i,) int64 where they are; ``matches`` (2, e) int64:
    inner cells of different samples that should lie together, numbered 0..i-1.
    """

    x: torch.Tensor
    target: torch.Tensor
    batch: torch.Tensor
    edges: dict[str, EdgeSet]
    inner: torch.Tensor
    inner_cells: torch.Tensor
    matches: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.x.to(device),
            self.target.to(device),
            self.batch.to(device),
            {c: e.to(device) for c, e in self.edges.items()},
            self.inner.to(device),
            self.inner_cells.to(device),
            self.matches.to(device),
        )


def split_tiles(xy: np.ndarray, max_cells: int) -> list[np.ndarray]:
    """Index arrays of compact tiles: the longer side is halved at its median until no piece exceeds ``max_cells``."""
    pending, tiles = [np.arange(len(xy))], []
    while pending:
        cells = pending.pop()
        if len(cells) <= max_cells:
            tiles.append(np.sort(cells))
            continue
        axis = np.ptp(xy[cells], axis=0).argmax()
        order = cells[np.argsort(xy[cells, axis], kind="stable")]
        pending += [order[len(order) // 2 :], order[: len(order) // 2]]
    return tiles


def with_halo(sample: SampleGraphs, tile: np.ndarray, hops: dict[str, int]) -> np.ndarray:
    """The tile's cells first, then every cell within ``hops[context]`` steps of them in that context's graph."""
    seen = np.zeros(sample.n, dtype=bool)
    seen[tile] = True
    halo = seen.copy()
    for context, n_hops in hops.items():
        front, reached = seen, seen.copy()
        for _ in range(n_hops):
            front = (sample.graphs[context] @ front.astype(np.float32)) > 0
            reached |= front
        halo |= reached
    halo[tile] = False
    return np.concatenate([tile, np.flatnonzero(halo)])


def cut_graph(graph: sp.csr_matrix, cells: np.ndarray, n_inner: int, layers: int) -> sp.csr_matrix:
    """The graph among ``cells``, of which the first ``n_inner`` are a tile, without edges that no message to the tile
    takes: bool CSR (m, m).

    In the last of ``layers`` only the tile's own cells receive; in the one before, their neighbours too, and so on.
    Most edges of a halo join two cells of it.
    """
    whole = graph[cells][:, cells]
    receives = np.arange(len(cells)) < n_inner
    for _ in range(layers - 1):
        receives = receives | (whole @ receives.astype(np.float32) > 0)
    degrees = np.diff(whole.indptr)
    kept = np.repeat(receives, degrees) | receives[whole.indices]
    pointers = np.concatenate([[0], np.cumsum(kept)])[whole.indptr]
    return sp.csr_matrix((np.ones(pointers[-1], dtype=bool), whole.indices[kept], pointers), shape=whole.shape)


def collate(
    pieces: Sequence[tuple[SampleGraphs, np.ndarray, int]],
    batch_index: dict[str, int],
    matches: np.ndarray = NO_MATCHES,
    graphs: Sequence[dict[str, sp.csr_matrix]] | None = None,
) -> Batch:
    """Join (sample, cells, number of inner cells) into one block-diagonal graph; ``matches`` number its inner cells.

    ``graphs`` of each piece, context -> CSR among its cells; cut from the sample's when not given.
    """
    xs, targets, batches, inner = [], [], [], []
    parts: dict[str, list[sp.csr_matrix]] = {c: [] for c in pieces[0][0].graphs}
    for piece, (sample, cells, n_inner) in enumerate(pieces):
        xs.append(sample.x[cells])
        targets.append(sample.target[cells[:n_inner]])
        batches.append(np.full(n_inner, batch_index.get(sample.batch, 0)))
        inner.append(np.arange(len(cells)) < n_inner)
        for context, graph in sample.graphs.items():
            if graphs is not None:
                parts[context].append(graphs[piece][context])
            else:
                parts[context].append(graph if n_inner == sample.n else graph[cells][:, cells])
    is_inner = np.concatenate(inner)
    return Batch(
        x=torch.from_numpy(np.vstack(xs)),
        target=torch.from_numpy(np.vstack(targets)),
        batch=torch.from_numpy(np.concatenate(batches)),
        edges={c: EdgeSet.of(sp.block_diag(several, format="csr")) for c, several in parts.items()},
        inner=torch.from_numpy(is_inner),
        inner_cells=torch.from_numpy(np.flatnonzero(is_inner)),
        matches=torch.from_numpy(matches),
    )


class TileLoader:
    """Endless stream of batches over all samples: every tile once per pass, in an order drawn anew from ``seed``.

    ``hops`` are those of the halo, context -> steps. ``cut``: as many layers of messages go over a context's graph, so
    that edges which reach no inner cell are left out. ``matches`` (2, e) are pairs of cells, numbered through all
    samples; a batch has those of which it holds both. ``most`` (S,): about so many cells of each sample are in a pass,
    tiles drawn at random; None: all.
    """

    def __init__(
        self,
        samples: Sequence[SampleGraphs],
        batch_index: dict[str, int],
        hops: dict[str, int],
        *,
        tile_cells: int,
        batch_cells: int,
        seed: int,
        matches: np.ndarray = NO_MATCHES,
        cut: bool = False,
        most: Sequence[int] | None = None,
    ):
        self.cut = cut
        self.samples, self.batch_index, self.hops = samples, batch_index, hops
        self.most = [s.n for s in samples] if most is None else list(most)
        # of a sample that is limited at least two tiles make up its part
        size = [tile_cells if n >= s.n else min(tile_cells, max(n // 2, 1)) for s, n in zip(samples, self.most)]
        self.tiles = [(i, tile) for i, s in enumerate(samples) for tile in split_tiles(s.xy, size[i])]
        self.batch_cells = batch_cells
        self.matches = matches
        self._starts = np.cumsum([0, *(s.n for s in samples)])
        self.rng = np.random.default_rng(seed)
        # cells, tile first, and graphs among them
        self._cut_tiles: dict[int, tuple[np.ndarray, dict[str, sp.csr_matrix]]] = {}
        self._whole: Batch | None = None

    @property
    def passes_in_one_batch(self) -> bool:
        limited = any(n < s.n for s, n in zip(self.samples, self.most))
        return not limited and sum(s.n for s in self.samples) <= self.batch_cells

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield from self.one_pass()

    def one_pass(self) -> Iterator[Batch]:
        """Batches that hold every cell once, of samples that are limited as many as they may have."""
        if self.passes_in_one_batch:
            # the whole cohort fits: the same graph every time, built once
            if self._whole is None:
                whole = [(s, np.arange(s.n), s.n) for s in self.samples]
                self._whole = collate(whole, self.batch_index, self.matches)
            yield self._whole
            return
        chosen, cells, left = [], 0, list(self.most)
        for t in self.rng.permutation(len(self.tiles)):
            i, tile = self.tiles[t]
            if 2 * left[i] < len(tile):
                continue
            left[i] -= len(tile)
            chosen.append(t)
            cells += len(tile)
            if cells >= self.batch_cells:
                yield self._of_tiles(chosen)
                chosen, cells = [], 0
        if chosen:
            yield self._of_tiles(chosen)

    def _of_tiles(self, chosen: Sequence[int]) -> Batch:
        pieces, graphs, position, filled = [], [], np.full(self._starts[-1], -1), 0
        for t in chosen:
            i, tile = self.tiles[t]
            cells, among = self._cut_tile(t)
            pieces.append((self.samples[i], cells, len(tile)))
            graphs.append(among)
            position[self._starts[i] + tile] = filled + np.arange(len(tile))
            filled += len(tile)
        here = position[self.matches]
        return collate(pieces, self.batch_index, here[:, (here >= 0).all(axis=0)], graphs)

    def _cut_tile(self, t: int) -> tuple[np.ndarray, dict[str, sp.csr_matrix]]:
        """Cells of a tile with its halo and the graphs among them, cut once: a tile comes back in every pass."""
        if t not in self._cut_tiles:
            i, tile = self.tiles[t]
            sample = self.samples[i]
            cells = with_halo(sample, tile, self.hops)
            graphs = {
                context: cut_graph(graph, cells, len(tile), self.hops[context])
                if self.cut
                else graph[cells][:, cells].astype(bool)
                for context, graph in sample.graphs.items()
            }
            self._cut_tiles[t] = cells.astype(np.int32), graphs
        return self._cut_tiles[t]
