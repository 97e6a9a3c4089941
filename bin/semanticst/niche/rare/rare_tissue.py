"""Rare tissue: patches in several patients that are like none of the niches and like no blend of them.

A mixture with a given number of parts cuts a large niche in two before it makes one of a hundred cells, however unlike
all else these are. Here nothing competes: cells are looked for that the niches do not explain, and of these only such
that lie together in the tissue (a patch) and look alike in several patients, which chance, a fold in a section or a
patient's own peculiarity do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse.csgraph import connected_components

from semanticst.constants import Context, Obs, Obsm, graph_key
from semanticst.niche.deciding_cells import deciding_cells
from semanticst.niche.rare.niche_blends import nearest_blends
from semanticst.niche.representations import Representation, is_reference, middle_representation

FURTHER_COMPONENTS = 4
"""Components that are looked at beyond the k that k niches and one more kind of tissue can differ in: with fewer what
is rare may be missed, with more noise hides that patches are alike."""
UNEXPLAINED = 0.02
"""Share of the cells among which patches are sought: those that the niches explain least."""
CELLS_OF_A_PATCH = 8
PATIENTS = 2
"""In which a kind of tissue has to be."""
ALIKE = 0.7
"""Mean cosine between patches of one kind, of what the niches leave unexplained of them."""
WEIGHT, CORE, GAIN = 0.4, 0.6, 4.0
"""A cell is of rare tissue where this weighs at least so much in its blend, and brings the cell so much nearer (squared
distance in SD of the inside of niches), both averaged over the cell and its neighbours. The middle of the tissue is
that of cells of which it is the larger part."""
CLEAR_GAIN = 12.0
"""The same gain, averaged over a patch, that makes it count: planted tissue has 16 to 29, parts of common niches 7 to
10, and up to 18 where the number of niches does not fit (docs/benchmarks.md)."""
LARGEST = 0.05
"""Share of the cells above which tissue is not rare: then the number of niches is too small."""
OF_A_NICHE = 1 / 3
"""Share of a niche that a kind of tissue has where it is this niche: the rest lies around it, and sees it."""
ROUNDS = 3
SHRINKAGE = 0.1
INTERIOR_CELLS = 20
"""Cells inside a niche that its middle takes; where there are fewer, all its cells count."""
PATCH_COLUMNS = ("rare_tissue", "sample", "patient", "n_cells", "x", "y", "nearest_niche", "gain")


@dataclass(frozen=True)
class RareTissue:
    """``kind`` (n,) of each cell, 1 for the kind with most patients, then cells, 0 for none; ``patches``, a row each:
    middle (``x``, ``y``, the unit of the coordinates), ``nearest_niche`` (from 1) of most cells, mean ``gain``.
    ``common``: cells and patients of each kind that is not explained either, and has too many cells to be rare."""

    kind: np.ndarray
    patches: pd.DataFrame
    common: tuple[tuple[int, int], ...] = ()


def find_rare_tissue(
    adata: ad.AnnData, representations: Sequence[Representation], labels: np.ndarray
) -> RareTissue | None:
    """Rare tissue among the cells of ``adata``; None where it cannot be looked for: fewer than two patients, or no
    neighbourhood profile (reference mode).

    representations : what the niches are found on; the first k + ``FURTHER_COMPONENTS`` components of the middle hop of
    the neighbourhood profile are looked at. labels : niche (n,) 0..k-1 of each cell.
    """
    patients = adata.obs[Obs.PATIENT].astype(str).to_numpy()
    if len(np.unique(patients)) < PATIENTS or is_reference(adata):
        return None
    width = labels.max() + 1 + FURTHER_COMPONENTS
    X = _wide_enough(representations, width).matrix(adata)[:, :width]
    graph = neighbours(adata)
    over = averaging(graph)
    Z, middles = in_sd_of_niches(X, labels, interior(labels, over))
    left = Z - nearest_blends(Z, middles) @ middles
    squared = (left**2).sum(1)
    unexplained = over @ np.sqrt(squared)
    least = np.quantile(unexplained[deciding_cells(adata)], 1 - UNEXPLAINED)
    rare: list[Kind] = []
    common: list[Kind] = []
    for seeds in alike_patches(connected_patches(unexplained > least, graph), left, patients):
        kind = _grown(seeds, Z, middles, squared, patients, graph, over)
        same = rare if len(kind.cells) <= LARGEST * adata.n_obs else common
        if kind.is_niche(labels):  # that the mixtures found as well
            continue
        if kind.is_clear(patients) and not any(kind.is_same(other) for other in same):
            same.append(kind)
    rare.sort(key=lambda kind: (-len(np.unique(patients[kind.cells])), -len(kind.cells)))
    number, patches = _rare_tissue(adata, labels, rare)
    return RareTissue(number, patches, tuple((len(k.cells), len(np.unique(patients[k.cells]))) for k in common))


def _wide_enough(representations: Sequence[Representation], width: int) -> Representation:
    """The narrowest of the middle hop that has ``width`` components, else the widest."""
    middle = middle_representation(representations)
    same = [r for r in representations if (r.source, r.columns) == (middle.source, middle.columns)]
    by_width = sorted(same, key=lambda r: r.loadings.shape[1])
    return next((r for r in by_width if r.loadings.shape[1] >= width), by_width[-1])


@dataclass(frozen=True)
class Kind:
    """A kind of tissue: its ``patches`` of cells, and the ``gain`` (n,) of all cells."""

    patches: list[np.ndarray]
    gain: np.ndarray

    @property
    def cells(self) -> np.ndarray:
        return np.concatenate(self.patches) if self.patches else np.empty(0, dtype=np.int64)

    def is_clear(self, patients: np.ndarray) -> bool:
        """Whether it is well told from blends of niches in several ``patients`` (n,)."""
        clear = [patch for patch in self.patches if self.gain[patch].mean() >= CLEAR_GAIN]
        return len({patients[patch[0]] for patch in clear}) >= PATIENTS

    def is_niche(self, labels: np.ndarray) -> bool:
        """Whether it is one of the niches ``labels`` (n,): half of its cells are in that, and are ``OF_A_NICHE`` of it.

        The median of a niche that is small lies on its way to the niches around, so that its own middle may look like
        tissue that no niche explains.
        """
        shared = np.bincount(labels[self.cells], minlength=1)
        niche = int(shared.argmax())
        of_niche = OF_A_NICHE * (labels == niche).sum()
        return bool(len(self.cells) and 2 * shared[niche] >= len(self.cells) and shared[niche] >= of_niche)

    def is_same(self, other: "Kind") -> bool:
        """Whether half of the cells of the smaller are of both."""
        shared = len(np.intersect1d(self.cells, other.cells))
        return 2 * shared >= min(len(self.cells), len(other.cells))


def neighbours(adata: ad.AnnData) -> sp.csr_matrix:
    """Who is beside whom in the tissue: ones, float64 (n, n)."""
    graph = sp.csr_matrix(adata.obsp[graph_key(Context.SPATIAL)])
    return sp.csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)


def averaging(graph: sp.csr_matrix) -> sp.csr_matrix:
    """The mean over each cell and its neighbours, as an operator (n, n)."""
    own = graph + sp.eye(graph.shape[0], format="csr")
    return sp.csr_matrix(sp.diags(1 / np.asarray(own.sum(1)).ravel()) @ own)


def interior(labels: np.ndarray, over: sp.csr_matrix) -> np.ndarray:
    """Whether (n,) all within two steps of a cell are of its niche."""
    n = len(labels)
    share = over @ sp.csr_matrix((np.ones(n), (np.arange(n), labels)))
    alone = np.asarray(share[np.arange(n), labels]).ravel() > 1 - 1e-6
    return alone & (over @ alone.astype(float) > 1 - 1e-6)


def in_sd_of_niches(X: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells (n, p) and medians of the niches (k, p), scaled so that cells ``inside`` (n,) niches have covariance 1."""
    own = []
    for niche in range(labels.max() + 1):
        cells = np.flatnonzero((labels == niche) & inside)
        own.append(cells if len(cells) >= INTERIOR_CELLS else np.flatnonzero(labels == niche))
    medians = np.stack([np.median(X[cells], axis=0) for cells in own])
    rows, p = np.concatenate(own), X.shape[1]
    scatter = np.cov(X[rows] - medians[labels[rows]], rowvar=False).reshape(p, p)
    sphere = max(np.trace(scatter) / p, 1e-12) * np.eye(p)
    scale = np.linalg.cholesky(np.linalg.inv((1 - SHRINKAGE) * scatter + SHRINKAGE * sphere))
    return X @ scale, medians @ scale


def connected_patches(chosen: np.ndarray, graph: sp.csr_matrix) -> list[np.ndarray]:
    """Cells of each connected patch of the ``chosen`` (n,) ones, of ``CELLS_OF_A_PATCH`` at least."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return []
    _, patch = connected_components(graph[rows][:, rows], directed=False)
    pieces = np.split(rows[np.argsort(patch, kind="stable")], np.cumsum(np.bincount(patch))[:-1])
    return [piece for piece in pieces if len(piece) >= CELLS_OF_A_PATCH]


def alike_patches(patches: list[np.ndarray], left: np.ndarray, patients: np.ndarray) -> list[np.ndarray]:
    """Cells of each group of ``patches`` whose means of what is ``left`` (n, p) point the same way, and that are in
    several ``patients`` (n,)."""
    if len(patches) < PATIENTS:
        return []
    means = np.stack([left[cells].mean(0) for cells in patches])
    group = fcluster(linkage(means, "average", metric="cosine"), 1 - ALIKE, "distance")
    groups = [np.concatenate([patches[i] for i in np.flatnonzero(group == g)]) for g in np.unique(group)]
    return [cells for cells in groups if len(np.unique(patients[cells])) >= PATIENTS]


def _grown(
    cells: np.ndarray, Z: np.ndarray, middles: np.ndarray, squared: np.ndarray, patients: np.ndarray,
    graph: sp.csr_matrix, over: sp.csr_matrix,
) -> Kind:  # fmt: skip
    """The kind of tissue that ``cells`` are of: all cells that are nearer to a blend with it than to one without."""
    rows = np.flatnonzero(squared > 1)  # nearer than this nothing is to be gained
    kind = Kind([], np.zeros(len(Z)))
    for _ in range(ROUNDS):
        who = patients[cells]
        middle = np.mean([Z[cells[who == patient]].mean(0) for patient in np.unique(who)], axis=0)
        with_it = np.vstack([middles, middle])
        blends = nearest_blends(Z[rows], with_it)
        weight, gain = np.zeros(len(Z)), np.zeros(len(Z))
        weight[rows] = blends[:, -1]
        gain[rows] = squared[rows] - ((Z[rows] - blends @ with_it) ** 2).sum(1)
        weight, gain = over @ weight, over @ gain
        kind = Kind(connected_patches((weight > WEIGHT) & (gain > GAIN), graph), gain)
        core = kind.cells[weight[kind.cells] > CORE]
        if not len(core):
            break
        cells = core
    return kind


def _rare_tissue(adata: ad.AnnData, labels: np.ndarray, kinds: list[Kind]) -> tuple[np.ndarray, pd.DataFrame]:
    """Numbers of cells and a row per patch; a cell of two kinds is of the first."""
    number, rows = np.zeros(adata.n_obs, dtype=np.int64), []
    xy = np.asarray(adata.obsm[Obsm.SPATIAL])
    for i, kind in enumerate(kinds, 1):
        for patch in kind.patches:
            free = patch[number[patch] == 0]
            if not len(free):
                continue
            number[free] = i
            obs = adata.obs.iloc[free[0]]
            rows.append((
                i, str(obs[Obs.SAMPLE]), str(obs[Obs.PATIENT]), len(free), *xy[free].mean(0).round(1),
                np.bincount(labels[free]).argmax() + 1, round(float(kind.gain[free].mean()), 1),
            ))  # fmt: skip
    return number, pd.DataFrame(rows, columns=list(PATCH_COLUMNS))
