"""Batch correction of components with Harmony, and its reuse for samples that come later.

Harmony shrinks the correction of every batch in every cluster towards none: of a shift that all cells of a batch share
about a fifth remains. Averages over neighbours keep it while the noise of single cells goes, so that niches become
patients. Therefore the shift of a whole batch is estimated without shrinkage beside Harmony's clusters, which tell it
from a difference in composition, and Harmony has to correct only what is particular to a cluster. Both are means over
several starts of Harmony.

Where samples are large Harmony sees some of the cells (`semanticst.features.sample_caps`). The others are moved by what
was learned from these: by the shift of their batch, and by the clusters that they are in.
"""

import logging
from dataclasses import dataclass

import numpy as np

from semanticst.progress import progress

log = logging.getLogger(__name__)

MAX_CLUSTERS = 30
"""Few clusters on purpose: many would let Harmony match niches that only one patient has."""
SIGMA = 0.1
RIDGE = 1.0
"""Cells' worth of doubt in a shift: a batch that shares no cluster with others stays where it is."""
CLUSTER_RIDGE = 30.0
"""The same for a cluster of a batch that is mapped, whose whole shift is known."""
STARTS = 4
"""Harmony's clusters start at random, and niches of patients that differ in composition depend on them: over one start
the joint ARI of four tumours varied by 0.04, over the mean of four by 0.016."""
MAX_ROUNDS = 6
FAINT = 1e-3
"""Cells' worth of doubt in how far Harmony moved a cluster of a batch, which is known to its last digits."""
BLOCK = 20_000
"""Cells that are moved at once."""
TOLERANCE = 1e-4
"""Rounds end when the shifts of batches move by less than this share of the variance."""


@dataclass(frozen=True)
class HarmonyReference:
    """Where Harmony's clusters lie in the corrected space: ``centres`` (starts, C, p) float64, or (C, p) of one.

    The cells of the cohort lie at the mean of several starts. Those that are mapped are moved by the median over these
    (by one alone they lay half as far again from where the joint correction has them): a start in which two kinds of
    cells share a cluster would draw a batch that has only one of them half way to the other.
    """

    centres: np.ndarray

    @property
    def starts(self) -> list[np.ndarray]:
        """Centres (C, p) of each start."""
        return list(self.centres) if self.centres.ndim == 3 else [self.centres]

    def map(self, X: np.ndarray, batch: np.ndarray) -> np.ndarray:
        """New cells (n, p) moved onto the reference, which stays where it is, each batch for itself.

        As in `correct`, the shift of the whole batch comes first: the mean distance of its cells from the clusters that
        they are in, so that a batch without some of the clusters is not pulled towards these. What single clusters are
        away beyond that is moved as Symphony does (Kang et al. 2021), but ``CLUSTER_RIDGE`` cells' worth of doubt keep
        a cluster of few cells with its batch: its mean is mostly noise, and moving it takes their differences away.
        """
        corrected = np.asarray(X, dtype=np.float64).copy()
        for b in np.unique(batch):
            rows = batch == b
            moved = corrected[rows] - self.batch_shift(corrected[rows])
            corrected[rows] = moved - np.median([_cluster_shifts(moved, centres) for centres in self.starts], axis=0)
        return corrected.astype(np.float32)

    def batch_shift(self, X: np.ndarray) -> np.ndarray:
        """How far the cells ``X`` (n, p) of a batch lie from the reference as a whole, (p,)."""
        shift = np.zeros(X.shape[1])
        for _ in range(MAX_ROUNDS):
            away = [(X - memberships(X - shift, centres) @ centres).sum(0) for centres in self.starts]
            previous, shift = shift, np.median(away, axis=0) / (len(X) + RIDGE)
            if ((shift - previous) ** 2).sum() < TOLERANCE * max((shift**2).sum(), 1e-300):
                break
        return shift


def memberships(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Soft clusters (n, C) of cells (n, p) around ``centres`` (C, p): softmax of cosine similarity (Korsunsky et al.
    2019, without the batch term)."""
    cosine = _unit(X) @ _unit(centres).T
    R = np.exp(2 * (cosine - cosine.max(1, keepdims=True)) / SIGMA)
    return R / R.sum(1, keepdims=True)


def _cluster_shifts(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """How far cells (n, p) of one batch are moved by the clusters that they are in, (n, p)."""
    R = memberships(X, centres)
    shift = (R.T @ X - R.sum(0)[:, None] * centres) / (R.sum(0) + CLUSTER_RIDGE)[:, None]
    return R @ shift


def correct(
    X: np.ndarray, batch: np.ndarray, seed: int, seen: np.ndarray | None = None
) -> tuple[np.ndarray, HarmonyReference | None]:
    """Components (n, p) float32 corrected for ``batch``, and the reference for batches that come later.

    Harmony sees the rows ``seen`` (m,), some of every batch; all where None. The other cells are moved by what was
    learned. One batch alone stays as it is; its reference are clusters of its cells by direction (spherical k-means).
    """
    levels, codes = np.unique(batch, return_inverse=True)
    own = (X if seen is None else X[seen]).astype(np.float64)
    n_clusters = int(np.clip(len(own) // 100, 2, MAX_CLUSTERS))
    if len(levels) < 2:
        log.info("one batch, nothing to correct")
        return X, _reference_of_one(own, n_clusters, seed)
    log.info("Harmony over %d batches and %d of %d cells with %d clusters", len(levels), len(own), len(X), n_clusters)
    of_seen = codes if seen is None else codes[seen]
    moves, reference, by_harmony = _learn(own, of_seen, n_clusters, seed, for_others=seen is not None)
    if moves is None:
        return by_harmony, reference
    corrected = moves.apply(X, codes)
    corrected[seen] = by_harmony
    return corrected, reference


@dataclass(frozen=True)
class _Moves:
    """What moves the cells of a batch: its ``shifts`` (L, p), and per start of Harmony the ``clusters`` (starts, L, C,
    p), by which a cell is moved as far as it is in them, around their ``centres`` (starts, C, p)."""

    shifts: np.ndarray
    clusters: np.ndarray
    centres: np.ndarray

    def apply(self, X: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Cells (n, p) float32 of the batches ``codes`` (n,), moved; float32.

        Memberships are those of a cell whose batch is moved, without what Harmony adds to spread each batch over the
        clusters. The cells that it saw come within a ninth of what it moves them beyond the shift of their batch (three
        cohorts of the ladder; another seed of Harmony: a third. By the mean move of the 5 nearest of them: a third).
        """
        moved = np.empty(X.shape, dtype=np.float32)
        for b, shift in enumerate(self.shifts):
            rows = np.flatnonzero(codes == b)
            for first in range(0, len(rows), BLOCK):
                some = rows[first : first + BLOCK]
                shifted = X[some] - shift
                by_cluster = [memberships(shifted, C) @ by for C, by in zip(self.centres, self.clusters[:, b])]
                moved[some] = shifted - np.mean(by_cluster, axis=0)
        return moved


def _learn(
    X: np.ndarray, codes: np.ndarray, n_clusters: int, seed: int, for_others: bool
) -> tuple[_Moves | None, HarmonyReference, np.ndarray]:
    """What moves cells, learned from ``X`` (n, p) float64 of the batches ``codes`` (n,), ``for_others`` only: these
    cells need it not; the reference; and these cells as Harmony has them, float32."""
    counts = np.bincount(codes)
    shifts = np.zeros((len(counts), X.shape[1]))
    for round_ in progress(range(MAX_ROUNDS), "rounds of batch correction, at most"):
        previous = shifts
        corrected, shifts, memberships_of, clusters = np.zeros_like(X), np.zeros_like(previous), [], []
        for start in range(STARTS):
            shifted = X - previous[codes]
            by_cluster, R = _harmony(shifted, codes, n_clusters, STARTS * seed + start)
            corrected += by_cluster / STARTS
            shifts += batch_shifts(X, codes, R) / STARTS
            if for_others:
                shifted -= by_cluster
                clusters.append(_moves_of_clusters(shifted, codes, R))
            memberships_of.append(R.astype(np.float32))
        moved = (counts @ (shifts - previous) ** 2).sum() / (counts.sum() * X.var(axis=0).sum())
        log.info("round %d: shifts of batches moved by %.2g of the variance", round_ + 1, moved)
        if moved < TOLERANCE:
            break
    centres = np.stack([R.T @ corrected / np.maximum(R.sum(0), 1e-9)[:, None] for R in memberships_of])
    moves = _Moves(previous, np.stack(clusters), centres) if for_others else None
    return moves, HarmonyReference(centres), corrected.astype(np.float32)


def _moves_of_clusters(moved: np.ndarray, codes: np.ndarray, R: np.ndarray) -> np.ndarray:
    """How far each cluster moves the cells of each batch, (L, C, p), of how far each cell was ``moved`` (n, p).

    Harmony moves a cell by the sum of its clusters' moves, weighted by its memberships ``R`` (n, C): these equations
    are solved. Clusters that a batch has no cells in move none.
    """
    found = []
    for b in range(codes.max() + 1):
        rows = codes == b
        own = R[rows].astype(np.float64)
        found.append(np.linalg.solve(own.T @ own + FAINT * np.eye(R.shape[1]), own.T @ moved[rows]))
    return np.stack(found)


def _reference_of_one(X: np.ndarray, n_clusters: int, seed: int) -> HarmonyReference | None:
    """Soft clusters of cells (n, p) of one batch, None where there are too few cells for them."""
    from sklearn.cluster import KMeans

    directions = _unit(X)
    different = len(np.unique(directions.round(6), axis=0))
    if different < 2:
        return None
    fitted = KMeans(min(n_clusters, different), n_init=STARTS, random_state=seed).fit(directions)
    centres = np.vstack([X[fitted.labels_ == c].mean(0) for c in range(fitted.n_clusters)])
    R = memberships(X, centres)
    return HarmonyReference(R.T @ X / np.maximum(R.sum(0), 1e-9)[:, None])


def batch_shifts(X: np.ndarray, codes: np.ndarray, memberships: np.ndarray) -> np.ndarray:
    """What the cells of a batch have in common beyond the clusters that they are in: (L, p), mean over cells 0.

    Least squares of ``X`` (n, p) on clusters and batches together (two-way analysis of variance without interaction),
    so that a batch with more of one cluster is not taken for shifted. ``codes`` (n,) batch 0..L-1, ``memberships``
    (n, C), rows sum to 1.
    """
    n_batches, n_clusters = codes.max() + 1, memberships.shape[1]
    sizes = np.bincount(codes, minlength=n_batches).astype(np.float64)
    shared, sums = np.zeros((n_batches, n_clusters)), np.zeros((n_batches, X.shape[1]))
    for b in range(n_batches):
        rows = codes == b
        shared[b], sums[b] = memberships[rows].sum(axis=0), X[rows].sum(axis=0)
    # clusters are eliminated first: L equations remain
    clusters = memberships.T @ memberships + 1e-6 * np.eye(n_clusters)
    by_cluster = np.linalg.solve(clusters, np.hstack([shared.T, memberships.T @ X]))
    within = np.diag(sizes + RIDGE) - shared @ by_cluster[:, :n_batches]
    shifts = np.linalg.solve(within, sums - shared @ by_cluster[:, n_batches:])
    return shifts - sizes @ shifts / sizes.sum()


def _harmony(X: np.ndarray, codes: np.ndarray, n_clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Harmony's corrected components (n, p) and soft clusters (n, C)."""
    import harmonypy
    import pandas as pd

    fitted = harmonypy.run_harmony(
        X,
        pd.DataFrame({"batch": codes}),
        ["batch"],
        nclust=n_clusters,
        sigma=SIGMA,
        random_state=seed,
        verbose=False,
        ncores=1,  # the order of sums must not depend on the machine
    )
    return np.asarray(fitted.Z_corr), np.asarray(fitted.R)


def _unit(X: np.ndarray) -> np.ndarray:
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
