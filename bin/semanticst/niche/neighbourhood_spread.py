"""Spread of a neighbourhood: which cells stand beside which, where the mean says only which there are.

Two neighbourhoods of one mean differ when one is a mixture of two kinds of cells and the other of what lies between
them, or when kinds come together in one and apart in the other. Of the leading corrected components x of the cells j
around cell i, with the weights w_ij of the mean m_i over the same hops:

    C_i = sum_j w_ij (x_j - m_i)(x_j - m_i)',        S_i = sum_j w_ij (x_j - x)(x_j - x)'

the covariance around the neighbourhood's own mean and the second moment around the mean x of the section. Both
are shrunk by a tenth to the sphere of the same trace, and of the matrix square root the lower triangle is taken, off
the diagonal times sqrt(2): distances between cells are those of Frobenius then. Second moments of neighbourhoods are
from CoSMIM (2026); the two together, and the hops, were chosen here (docs/benchmarks_appendix.md, "Spread").
"""

import logging

import anndata as ad
import numpy as np
import scipy.sparse as sp

from semanticst.constants import SHARES, SPREAD_COMPONENTS, UNS, Context, Obs, Obsm, graph_key
from semanticst.graph.contexts import smoothing_operator
from semanticst.niche.mixture import rows_of_each
from semanticst.niche.representations import is_reference, spread_hops

log = logging.getLogger(__name__)

SPHERE = 0.1
"""Shrinkage to the sphere: a neighbourhood of few cells has a covariance of low rank."""
BLOCK = 20_000
"""Cells whose matrices are held at once."""


def has_spread(adata: ad.AnnData) -> bool:
    """Whether spread is a representation: not of panels of cell types, whose shares decide their covariance, and not in
    reference mode."""
    several_hops = int(adata.uns[UNS]["graph_hops"]) > 1
    return several_hops and adata.uns[UNS]["feature_type"] not in SHARES and not is_reference(adata)


def add_spread(adata: ad.AnnData) -> None:
    """Put the spread of each neighbourhood into ``obsm['X_spread']``: float32, (n, hops * 2 * p (p + 1) / 2).

    Nothing where it is no representation, see `has_spread`.
    """
    if not has_spread(adata):
        return
    hops = spread_hops(int(adata.uns[UNS]["graph_hops"]))
    X = np.asarray(adata.obsm[Obsm.HARMONY], dtype=np.float32)[:, :SPREAD_COMPONENTS]
    spatial = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    p = X.shape[1]
    spread = np.empty((adata.n_obs, len(hops) * p * (p + 1)), dtype=np.float32)
    for rows in rows_of_each(adata.obs[Obs.SAMPLE].astype(str).to_numpy()):
        spread[rows] = neighbourhood_spread(X[rows], spatial[rows][:, rows], hops)
    adata.obsm[Obsm.SPREAD] = spread
    log.info("spread of neighbourhoods: %d components at hops %s", p, ", ".join(map(str, hops)))


def neighbourhood_spread(X: np.ndarray, spatial: sp.csr_matrix, hops: range) -> np.ndarray:
    """Roots of C and S side by side, hop by hop of ``hops``: float32 (n, len(hops) * p (p + 1)).

    ``X`` (n, p) components of the cells of one sample, ``spatial`` (n, n) their neighbours. Linear in cells.
    """
    M = smoothing_operator(spatial)
    rows, columns = np.tril_indices(X.shape[1])
    mean = X - X.mean(0)
    second = mean[:, rows] * mean[:, columns]
    found = []
    for hop in range(1, max(hops) + 1):
        mean, second = M @ mean, M @ second
        if hop in hops:
            found += [_root(second - mean[:, rows] * mean[:, columns]), _root(second)]
    return np.hstack(found)


def _root(triangle: np.ndarray) -> np.ndarray:
    """Lower triangles (n, p (p + 1) / 2) of the square roots of symmetric matrices given by theirs, shrunk first."""
    p = int(np.sqrt(2 * triangle.shape[1]))
    rows, columns = np.tril_indices(p)
    scale = np.where(rows == columns, 1.0, np.sqrt(2.0))
    roots = np.empty(triangle.shape, dtype=np.float32)
    for first in range(0, len(triangle), BLOCK):
        block = triangle[first : first + BLOCK].astype(np.float64)
        full = np.empty((len(block), p, p))
        full[:, rows, columns] = full[:, columns, rows] = block
        sphere = np.maximum(np.trace(full, axis1=1, axis2=2) / p, 1e-9)
        full = (1 - SPHERE) * full + SPHERE * sphere[:, None, None] * np.eye(p)
        values, vectors = np.linalg.eigh(full)
        root = (vectors * np.sqrt(np.maximum(values, 0))[:, None, :]) @ vectors.transpose(0, 2, 1)
        roots[first : first + BLOCK] = root[:, rows, columns] * scale
    return roots
