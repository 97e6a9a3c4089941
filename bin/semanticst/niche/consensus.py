"""Consensus of base clusterings: aligned to the one that agrees best with all, then a weighted vote."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

PRECEDENCE = 1e-9
"""By how much a base clustering counts more than the next: enough for ties, whatever number a niche has."""


@dataclass(frozen=True)
class Consensus:
    """``labels`` (n,) int64 0..K-1 by falling size, ``stability`` (n,) share of votes for the label,
    ``mapping`` (base clusterings, K): niche of each part, ``reference`` index of the one that all were aligned to,
    ``votes`` (n, K) shares of votes."""

    labels: np.ndarray
    stability: np.ndarray
    mapping: np.ndarray
    reference: int
    votes: np.ndarray

    @property
    def consensus_labels(self) -> np.ndarray:
        """Labels (n,) by votes alone, before spatial refinement."""
        return self.votes.argmax(1)


def vote(partitions: Sequence[np.ndarray], k: int, weights: Sequence[float] | np.ndarray | None = None) -> Consensus:
    """Weighted hard votes of ``partitions`` (each (n,) ints in 0..k-1) after Hungarian alignment to the reference."""
    given = np.ones(len(partitions)) if weights is None else np.asarray(weights, dtype=float)
    reference = most_central(partitions)
    mapping = np.vstack([_align(p, partitions[reference], k) for p in partitions])
    shares = count_votes(partitions, mapping, given, k)
    return numbered_by_size(Consensus(shares.argmax(1), shares.max(1), mapping, reference, shares))[0]


def numbered_by_size(consensus: Consensus) -> tuple[Consensus, np.ndarray]:
    """The same with the largest niche as number 0, and ``order`` (K,), the number that each niche had before."""
    k = consensus.votes.shape[1]
    order = np.argsort(-np.bincount(consensus.labels, minlength=k), kind="stable")
    rank = np.empty(k, dtype=np.int64)
    rank[order] = np.arange(k)
    return replace(
        consensus,
        labels=rank[consensus.labels],
        mapping=rank[consensus.mapping],
        votes=consensus.votes[:, order],
    ), order


def count_votes(partitions: Sequence[np.ndarray], mapping: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Shares of votes (n, k), given the ``mapping`` (base clusterings, k) of parts to niches."""
    weights = weights * (1 + PRECEDENCE * 0.5 ** np.arange(len(partitions)))
    rows = np.arange(len(partitions[0]))
    votes = np.zeros((len(rows), k))
    for partition, to_niche, weight in zip(partitions, mapping, weights):
        votes[rows, to_niche[partition]] += weight
    return votes / weights.sum()


def most_central(partitions: Sequence[np.ndarray]) -> int:
    """Index of the partition with the highest mean adjusted Rand index to the others (the first of equals)."""
    n = len(partitions)
    agreement = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 1, n):
            agreement[a, b] = agreement[b, a] = adjusted_rand_score(partitions[a], partitions[b])
    return int(np.round(agreement.sum(1), 9).argmax())


def _align(partition: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """For each part of ``partition`` the part of ``reference`` it overlaps most with, one to one."""
    overlap = np.zeros((k, k))
    np.add.at(overlap, (partition, reference), 1)
    parts, matched = linear_sum_assignment(-overlap)
    mapping = np.empty(k, dtype=np.int64)
    mapping[parts] = matched
    return mapping
