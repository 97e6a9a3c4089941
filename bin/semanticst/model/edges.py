"""Message passing over a sparse graph, with gradients for the messages and for the edge weights.

``A @ H`` with A in CSR form and its two gradients are each one call of a sparse kernel. Gathering a message per edge
and scattering it (as general message passing does) gives the same numbers more slowly on a CPU, and holds an array of
edges x width.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

# said once by torch of every CSR tensor; the operations used here are held to dense ones by tests
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")


class _SparseTimesDense(torch.autograd.Function):
    """Y = A(w) H; dH = A(w)' dY; dw_ij = dY_i . H_j (only where there is an edge)."""

    @staticmethod
    def forward(ctx, weights, H, edges):
        ctx.save_for_backward(weights, H)
        ctx.edges = edges
        return edges.matrix(weights) @ H

    @staticmethod
    def backward(ctx, dY):
        weights, H = ctx.saved_tensors
        edges = ctx.edges
        dY = dY.contiguous()
        d_weights = d_H = None
        if ctx.needs_input_grad[0]:
            # beta = 0: the values of the first argument only lend their pattern
            pattern = edges.matrix(torch.zeros_like(weights))
            d_weights = torch.sparse.sampled_addmm(pattern, dY, H.T.contiguous(), beta=0.0).values()
        if ctx.needs_input_grad[1]:
            # the pattern is symmetric: A' has the same rows, with each weight taken from the opposite direction
            d_H = edges.matrix(weights.index_select(0, edges.opposite)) @ dY
        return d_weights, d_H, None


@dataclass(frozen=True)
class EdgeSet:
    """A symmetric graph over m cells; every pair stands in it twice, once a direction.

    ``pointers`` (m + 1,), ``source`` (e,): CSR with destinations as rows; ``destination`` (e,); ``opposite`` (e,):
    where the same pair stands in the other direction; ``pairs`` (2, e / 2) and ``pair_of_edge`` (e,): each pair once.
    All int64.
    """

    pointers: torch.Tensor
    source: torch.Tensor
    destination: torch.Tensor
    opposite: torch.Tensor
    pairs: torch.Tensor
    pair_of_edge: torch.Tensor

    @classmethod
    def of(cls, graph: sp.csr_matrix) -> "EdgeSet":
        """From a CSR adjacency with a symmetric pattern and no self-loops; raises ValueError otherwise."""
        graph = graph.tocsr()
        graph.sort_indices()
        m = graph.shape[0]
        source = graph.indices.astype(np.int64)
        destination = np.repeat(np.arange(m), np.diff(graph.indptr)).astype(np.int64)
        # CSR order is by (destination, source), and columns list the opposite directions
        places = sp.csr_matrix((np.arange(len(source)), graph.indices, graph.indptr), shape=graph.shape)
        opposite = places.tocsc().data
        if not (np.array_equal(source[opposite], destination) and np.array_equal(destination[opposite], source)):
            raise ValueError("the graph is not symmetric")
        if (source == destination).any():
            raise ValueError("the graph has self-loops")
        first = np.flatnonzero(source < destination)
        pair_of_edge = np.empty(len(source), dtype=np.int64)
        pair_of_edge[first] = np.arange(len(first))
        pair_of_edge[opposite[first]] = np.arange(len(first))
        arrays = (
            graph.indptr.astype(np.int64),
            source,
            destination,
            opposite,
            np.vstack([source[first], destination[first]]),
            pair_of_edge,
        )
        return cls(*(torch.from_numpy(a) for a in arrays))

    def to(self, device: torch.device) -> "EdgeSet":
        return EdgeSet(*(t.to(device) for t in vars(self).values()))

    @property
    def n_cells(self) -> int:
        return len(self.pointers) - 1

    def matrix(self, weights: torch.Tensor) -> torch.Tensor:
        """Sparse CSR (m, m) with ``weights`` (e,) as values."""
        return torch.sparse_csr_tensor(
            self.pointers, self.source, weights, (self.n_cells, self.n_cells), check_invariants=False
        )

    def propagate(self, weights: torch.Tensor, H: torch.Tensor) -> torch.Tensor:
        """sum_j w_ij H_j for every cell i: (m, width)."""
        return _SparseTimesDense.apply(weights, H, self)

    def sum_by_cell(self, weights: torch.Tensor) -> torch.Tensor:
        """sum_j w_ij for every cell i: (m,)."""
        return torch.zeros(self.n_cells, dtype=weights.dtype, device=weights.device).index_add(
            0, self.destination, weights
        )
