"""The semantic contexts of a sample: three edge sets over the same cells."""

import logging

import numpy as np
import scipy.sparse as sp

from semanticst.graph.neighbours import nearest_in_components, nearest_in_space, symmetric_adjacency

log = logging.getLogger(__name__)

SIZED = 500
"""Cells whose neighbourhoods are measured to say how large they are."""
LONG_EDGE = 4.0
"""Spatial edges longer than this many times the sample's typical neighbour distance cross a gap in the tissue."""


def lattice_neighbours(xy: np.ndarray) -> int:
    """6 on a hexagonal lattice (Visium), 4 on a square one (ST), 0 where cells lie freely.

    Read off the ordered neighbour distances: on a lattice the first ring is equidistant and the next is sqrt(3)
    (hexagonal) or sqrt(2) (square) times as far.
    """
    if len(xy) < 20:
        return 0
    _, distances = nearest_in_space(xy, 8)
    d = np.median(distances, axis=0)
    if d.min() <= 0:
        return 0
    for ring, step in ((6, np.sqrt(3)), (4, np.sqrt(2))):
        even = d[ring - 1] / d[0] < 1.15
        gap = abs(d[ring] / d[ring - 1] - step) < 0.2
        if even and gap:
            return ring
    return 0


def spatial_context(xy: np.ndarray, k: int, sample: str = "spatial") -> sp.csr_matrix:
    """Neighbours in the tissue: the first ring of a lattice, else the ``k`` nearest; edges over gaps are cut.

    ``xy`` float64 (n, 2), any unit: the result does not change when coordinates are shifted, turned or rescaled.
    ``sample`` is named in the log.
    """
    ring = lattice_neighbours(xy)
    indices, distances = nearest_in_space(xy, ring or k)
    typical = np.median(distances)
    # a lattice's second ring starts at 1.41 (square) or 1.73 (hexagonal) steps
    keep = distances <= (1.2 if ring else LONG_EDGE) * typical if typical > 0 else None
    A = symmetric_adjacency(indices, keep)
    rule = f"lattice of {ring}" if ring else f"{k} nearest"
    alone = int((np.diff(A.indptr) == 0).sum())
    log.info("%s: %s, %.1f neighbours a cell, %d cells without any", sample, rule, A.nnz / A.shape[0], alone)
    return A


def smoothing_operator(spatial: sp.csr_matrix) -> sp.csr_matrix:
    """Row-stochastic mean over a cell and its spatial neighbours, CSR float32 (n, n)."""
    n = spatial.shape[0]
    with_self = (spatial + sp.identity(n, dtype=np.float32, format="csr")).tocsr()
    return sp.diags_array(1.0 / np.asarray(with_self.sum(1)).ravel()).astype(np.float32) @ with_self


def cells_averaged(spatial: sp.csr_matrix, hops: int) -> list[float]:
    """How many cells a mean over 1, 2, ..., ``hops`` hops is worth: 1 / sum_j w_ij^2 with the weights w of the cells in
    it (Kish 1965), which is their number where they weigh alike; median of at most ``SIZED`` cells i."""
    M = smoothing_operator(spatial)
    weights = M[np.linspace(0, M.shape[0] - 1, min(SIZED, M.shape[0])).astype(int)]
    found = []
    for _ in range(hops):
        found.append(float(np.median(1 / np.asarray(weights.power(2).sum(1)).ravel())))
        weights = weights @ M
    return found


def neighbourhood_profile(
    X: np.ndarray, spatial: sp.csr_matrix, hops: int, shares_mean: np.ndarray | None = None
) -> np.ndarray:
    """Means of ``X`` (n, p) over 1, 2, ..., ``hops`` hops side by side: float32 (n, hops * p).

    Multi-hop averages as in BANKSY (Singhal et al. 2024) and CellCharter (Varrone et al. 2024). With ``shares_mean``
    (p,) the means plus it are proportions of cells in the neighbourhood, and the profile is their square root:
    distances are those of Hellinger then, in which rare kinds of cells count beside common ones (Legendre
    and Gallagher 2001).
    """
    M = smoothing_operator(spatial)
    layers, current = [], X
    for _ in range(hops):
        current = M @ current
        layer = current if shares_mean is None else np.sqrt(np.maximum(current + shares_mean, 0))
        layers.append(np.asarray(layer, dtype=np.float32))
    return np.hstack(layers)


def expression_context(X: np.ndarray, k: int, seed: int, sample: str = "cells") -> sp.csr_matrix:
    """Cells of the same kind: ``k`` nearest in the cohort's components ``X`` (n, p), within ``sample``, which is named
    in the log."""
    return symmetric_adjacency(nearest_in_components(X, k, seed, of=f"{sample}, by expression"))


def domain_context(profile: np.ndarray, k: int, seed: int, sample: str = "cells") -> sp.csr_matrix:
    """Cells whose neighbourhoods look alike: ``k`` nearest in the neighbourhood profile (n, q), within ``sample``,
    which is named in the log."""
    return symmetric_adjacency(nearest_in_components(profile, k, seed, of=f"{sample}, by neighbourhood"))
