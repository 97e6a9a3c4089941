"""One partition out of many: cells that the members put together stay together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

MAX_STEPS = 200
DRAWN_STARTS = 10


@dataclass(frozen=True)
class Consensus:
    """One partition of n cells out of M members with K parts each.

    ``labels`` (n,) int64 0..K-1 by falling size; ``stability`` (n,) share of the members whose part of the cell stands
    for its niche; ``centres`` (K, M, K) share of a niche's cells in each part of each member; ``mapping`` (M, K) niche
    that each part stands for; ``reference`` index of the member that agrees best with ``labels``.
    """

    labels: np.ndarray
    stability: np.ndarray
    centres: np.ndarray
    mapping: np.ndarray
    reference: int


def agree(partitions: Sequence[np.ndarray], k: int) -> Consensus:
    """Consensus of ``partitions``, each (n,) ints in 0..k-1, by quadratic mutual information.

    k-means on the members' indicators side by side maximises the information that the consensus shares with the
    members (Topchy, Jain and Punch 2005, IEEE TPAMI 27:1866, section 5). No member's way of cutting is the measure of
    the others, as it is where all are aligned to one and vote. It starts from each member in turn, and from patterns of
    membership that are drawn far apart (always the same ones); cells that all members treat alike are one point.
    """
    patterns, pattern_of, sizes = np.unique(
        np.column_stack(partitions), axis=0, return_inverse=True, return_counts=True
    )
    rng = np.random.default_rng(0)
    drawn = [_far_apart(patterns, sizes, k, rng) for _ in range(DRAWN_STARTS)]
    tried = [_kmeans(patterns, sizes, start, k) for start in [*patterns.T, *drawn]]
    centres = tried[int(np.argmin([np.round(scatter, 6) for _, scatter in tried]))][0]
    n_cells = np.bincount(nearest_niche(patterns.T, centres), sizes, minlength=k)
    centres = centres[np.argsort(-n_cells, kind="stable")]
    labels = nearest_niche(patterns.T, centres)[pattern_of.ravel()]
    mapping = np.vstack([_align(p, labels, k) for p in partitions])
    agreement = [np.round(adjusted_rand_score(p, labels), 9) for p in partitions]
    return Consensus(labels, support(partitions, mapping, labels), centres, mapping, int(np.argmax(agreement)))


def nearest_niche(partitions: Sequence[np.ndarray], centres: np.ndarray) -> np.ndarray:
    """Niche (n,) of cells whose parts are ``partitions``, M times (n,), by the ``centres`` (K, M, K) of a consensus."""
    return _closeness(partitions, centres).argmax(axis=1)


def support(partitions: Sequence[np.ndarray], mapping: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of the members (n,) whose part of a cell stands for its niche."""
    return np.mean([to_niche[p] == labels for p, to_niche in zip(partitions, mapping)], axis=0)


def _far_apart(patterns: np.ndarray, sizes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Labels (u,) by the nearest of k patterns drawn as k-means++ does (Arthur and Vassilvitskii 2007)."""
    labels, distance = np.zeros(len(patterns), dtype=np.int64), np.full(len(patterns), np.inf)
    chance = sizes / sizes.sum()
    for niche in range(k):
        centre = patterns[rng.choice(len(patterns), p=chance)]
        own = (patterns != centre).sum(axis=1)
        labels[own < distance] = niche
        distance = np.minimum(distance, own)
        if not distance.any():
            break
        chance = distance * sizes / (distance @ sizes)
    return labels


def _kmeans(patterns: np.ndarray, sizes: np.ndarray, labels: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Centres (k, M, k) and scatter within, from the start ``labels`` (u,); ``patterns`` (u, M) of ``sizes`` cells."""
    for _ in range(MAX_STEPS):
        previous, centres = labels, _centres(patterns, sizes, labels, k)
        closeness = _closeness(patterns.T, centres)
        labels = closeness.argmax(axis=1)
        if np.array_equal(labels, previous):
            break
    return centres, float(sizes @ (patterns.shape[1] - 2 * closeness.max(axis=1)))


def _centres(patterns: np.ndarray, sizes: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    n_cells = np.maximum(np.bincount(labels, sizes, minlength=k), 1)
    shares = [np.bincount(labels * k + own, sizes, minlength=k * k).reshape(k, k) for own in patterns.T]
    return np.stack(shares, axis=1) / n_cells[:, None, None]


def _closeness(partitions: Sequence[np.ndarray], centres: np.ndarray) -> np.ndarray:
    """(M - |e - c|^2) / 2 for the indicators e of the cells and every centre c: (n, K)."""
    closeness = np.tile(-0.5 * (centres**2).sum(axis=(1, 2)), (len(partitions[0]), 1))
    for member, partition in enumerate(partitions):
        closeness += centres[:, member, partition].T
    return closeness


def _align(partition: np.ndarray, niches: np.ndarray, k: int) -> np.ndarray:
    """For each part of ``partition`` the niche it overlaps most with, one to one."""
    overlap = np.zeros((k, k))
    np.add.at(overlap, (partition, niches), 1)
    parts, matched = linear_sum_assignment(-overlap)
    mapping = np.empty(k, dtype=np.int64)
    mapping[parts] = matched
    return mapping
