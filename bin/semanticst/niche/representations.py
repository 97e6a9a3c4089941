"""Representations of the cells: the matrices that the base clusterings cluster, and how a new cell gets into them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np

from semanticst.constants import SHARES, UNS, Obsm, TrainMode
from semanticst.niche.deciding_cells import deciding_cells
from semanticst.niche.em import Cells

WIDTHS = (10, 20, 30, 40, 50)
"""Principal components of the representations. Near-equal partitions win or lose by the noise of a few; more widths
make the vote the same for every seed, and cost nothing where a niche is rare."""
SHARES_WIDTHS = (10, 20)
"""The same where neighbourhoods are proportions of cell types: the components behind these are single rare types."""
SPREAD_HOPS = 2
"""Hops, the widest, at which the spread of the neighbourhood is taken."""
BLOCK = 20_000
"""Cells that are held in float64 at once."""
REFERENCE_WIDTH = 20
"""Principal components that the released package clusters."""


@dataclass(frozen=True)
class Representation:
    """Leading principal components of the embedding, or of one hop of the neighbourhood profile.

    ``source`` is an ``obsm`` key, ``columns`` (start, stop) its part, ``mean`` (c,), ``loadings`` (c, p) float64.
    """

    name: str
    source: str
    columns: tuple[int, int]
    mean: np.ndarray
    loadings: np.ndarray

    def matrix(self, adata: ad.AnnData) -> np.ndarray:
        """float64 (n_cells, p)."""
        return np.concatenate([(block - self.mean) @ self.loadings for block in self.blocks(adata)])

    def blocks(self, adata: ad.AnnData) -> Iterator[np.ndarray]:
        """Columns of the source (m, c), float64, of at most ``BLOCK`` cells at a time."""
        source, (start, stop) = adata.obsm[self.source], self.columns
        for first in range(0, max(len(source), 1), BLOCK):
            yield np.asarray(source[first : first + BLOCK, start:stop], dtype=np.float64)

    def cells(self, adata: ad.AnnData) -> Cells:
        """The same as ``matrix``, as EM wants it."""
        return Cells.of_blocks(((block - self.mean) @ self.loadings for block in self.blocks(adata)), adata.n_obs)


def spread_hops(hops: int) -> range:
    """Hops at which spread is taken, of a profile of ``hops``: the widest, but never the first."""
    return range(max(2, hops - SPREAD_HOPS + 1), hops + 1)


def is_reference(adata: ad.AnnData) -> bool:
    """Whether the cells were embedded by a network of the reference mode."""
    return str(adata.uns[UNS].get("train_mode", TrainMode.SEMANTIC)) == TrainMode.REFERENCE


def fit_representations(
    adata: ad.AnnData, widths: tuple[int, ...] | None = None, learned: bool | None = None
) -> list[Representation]:
    """The neighbourhood profile at each hop from the second on, its spread at the widest where there is one, and the
    network's embedding where there is one, at some ``widths``.

    One hop is left out where there are more: it still says more of the cell than of its neighbourhood. So does the
    embedding of a panel of cell types, which is left out too; ``learned`` states whether it is taken. In reference mode
    the one representation is what the released package clusters, 20 components of the reconstruction. Components are
    those of the `deciding_cells`.
    """
    representations = []
    shares = adata.uns[UNS]["feature_type"] in SHARES
    widths = widths or (SHARES_WIDTHS if shares else WIDTHS)
    if is_reference(adata):
        widths = (REFERENCE_WIDTH,)
    usual = not shares and Obsm.EMBEDDING in adata.obsm
    for name, source, columns in _sources(adata, usual if learned is None else learned):
        mean, loadings = principal_components(adata.obsm[source], columns, max(widths), deciding_cells(adata))
        # no wider than the means: of a panel of few features there is one width of these, and spread would outvote them
        widest = min(loadings.shape[1], adata.obsm[Obsm.HARMONY].shape[1] if source == Obsm.SPREAD else max(widths))
        for width in sorted({min(w, widest) for w in widths}):
            representations.append(Representation(f"{name}-{width}", source, columns, mean, loadings[:, :width]))
    return representations


def representation_weights(representations: Sequence[Representation], n_networks: int) -> np.ndarray:
    """Votes of the base clustering of each representation: one, but on the joint embedding of several networks as many
    as there are networks."""
    return np.array([float(n_networks) if r.source == Obsm.EMBEDDING else 1.0 for r in representations])


def principal_components(
    source: np.ndarray,
    columns: tuple[int, int],
    width: int,
    rows: np.ndarray | slice = slice(None),  # noqa: B008 (immutable)
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (c,) and `principal_loadings` (c, p) of ``columns`` (start, stop) of ``source`` (n, at least c), float64.

    ``rows`` decide. They are converted ``BLOCK`` at a time: all of them in float64 would take more than all else.
    """
    decide = np.arange(len(source))[rows]
    blocks = [decide[first : first + BLOCK] for first in range(0, len(decide), BLOCK)]
    mean = sum(_float64(source, block, columns).sum(0) for block in blocks) / len(decide)
    products = np.zeros((len(mean), len(mean)))
    for block in blocks:
        centred = _float64(source, block, columns) - mean
        products += centred.T @ centred
    return mean, _loadings(products / max(len(decide) - 1, 1), width)


def _float64(source: np.ndarray, rows: np.ndarray, columns: tuple[int, int]) -> np.ndarray:
    return np.asarray(source[rows, columns[0] : columns[1]], dtype=np.float64)


def principal_loadings(block: np.ndarray, width: int) -> np.ndarray:
    """Loadings (c, p) of the leading principal components of ``block`` (n, c), at most ``width``, signs fixed."""
    return _loadings(np.cov(block, rowvar=False).reshape(block.shape[1], -1), width)


def _loadings(covariance: np.ndarray, width: int) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = vectors[:, : min(width, int((values > 1e-8 * max(values[0], 1e-300)).sum()))]
    return kept * np.sign(kept[np.abs(kept).argmax(0), np.arange(kept.shape[1])])


def middle_representation(representations: Sequence[Representation]) -> Representation:
    """The narrowest representation of the middle hop: the one on which the number of niches is chosen."""
    profiles = [r for r in representations if r.source == Obsm.PROFILE] or list(representations)
    hops = sorted({r.columns for r in profiles})
    return next(r for r in profiles if r.columns == hops[len(hops) // 2])


def _sources(adata: ad.AnnData, learned: bool) -> Iterator[tuple[str, str, tuple[int, int]]]:
    reference = is_reference(adata)
    if learned or reference:
        yield "embedding", str(Obsm.EMBEDDING), (0, adata.obsm[Obsm.EMBEDDING].shape[1])
    if reference:
        return
    hops = int(adata.uns[UNS]["graph_hops"])
    p = adata.obsm[Obsm.PROFILE].shape[1] // hops
    for hop in range(min(2, hops), hops + 1):
        yield f"profile{hop}", str(Obsm.PROFILE), ((hop - 1) * p, hop * p)
    if Obsm.SPREAD in adata.obsm:
        widest = spread_hops(hops)
        width = adata.obsm[Obsm.SPREAD].shape[1] // len(widest)
        for i, hop in enumerate(widest):
            yield f"spread{hop}", str(Obsm.SPREAD), (i * width, (i + 1) * width)
