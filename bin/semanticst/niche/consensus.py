"""Consensus of base clusterings: aligned to the one that agrees best with all, then a weighted vote."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from semanticst.errors import BadInput, Problem
from semanticst.niche.mixture import rows_of_each

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
    def n_niches(self) -> int:
        """Niches that have a cell: fewer than parts where votes never agree on one."""
        return len(np.unique(self.labels))

    @property
    def consensus_labels(self) -> np.ndarray:
        """Labels (n,) by votes alone, before spatial refinement."""
        return self.votes.argmax(1)


def vote(
    partitions: Sequence[np.ndarray],
    k: int,
    weights: Sequence[float] | np.ndarray | None = None,
    rows: np.ndarray | slice = slice(None),  # noqa: B008 (immutable)
) -> Consensus:
    """Weighted hard votes of ``partitions`` (each (n,) ints in 0..k-1) after Hungarian alignment to the reference.

    ``rows`` decide which partition is the reference, and what its parts are called in the others.
    """
    given = np.ones(len(partitions)) if weights is None else np.asarray(weights, dtype=float)
    seen = [p[rows] for p in partitions]
    reference = most_central(seen)
    mapping = np.vstack([_align(p, seen[reference], k) for p in seen])
    shares = count_votes(partitions, mapping, given, k)
    return numbered_by_size(Consensus(shares.argmax(1), shares.max(1), mapping, reference, shares))[0]


def whole_partition(partitions: Sequence[np.ndarray], k: int) -> int:
    """Index of the first of ``partitions``, each (n,), that has cells in all of ``k`` parts.

    Raises BadInput where none has.
    """
    whole = [i for i, partition in enumerate(partitions) if len(np.unique(partition)) == k]
    if not whole:
        message = f"no base clustering has cells in each of {k} niches; ask for fewer (--niche_k)"
        raise BadInput(Problem("the cohort", message))
    return whole[0]


def weights_of_majority(weights: np.ndarray, index: int) -> np.ndarray:
    """``weights`` (base clusterings,) of votes with just more than half of the sum at ``index``."""
    others = np.delete(np.asarray(weights, dtype=float), index).sum()
    return np.where(np.arange(len(weights)) == index, 1.01 * others or 1.0, weights)


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
            agreement[a, b] = agreement[b, a] = rand_index(partitions[a], partitions[b])
    return int(np.round(agreement.sum(1), 9).argmax())


def rand_index(a: np.ndarray, b: np.ndarray) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985) of two partitions (n,) into parts 0, 1, ...

    scikit-learn's checks and sparse matrix take ten times as long, which counts over all pairs of base clusterings.
    """
    table = overlap(a, b)
    n = len(a)
    together, in_a, in_b = ((m * (m - 1.0)).sum() / 2 for m in (table, table.sum(1), table.sum(0)))
    expected, highest = in_a * in_b / max(n * (n - 1) / 2, 1), (in_a + in_b) / 2
    return 1.0 if highest == expected else float((together - expected) / (highest - expected))


def rand_index_within(a: np.ndarray, b: np.ndarray, samples: np.ndarray) -> float:
    """The same over pairs of cells of one sample only, each sample with the same say; ``samples`` (n,).

    Partitions that tell samples apart, and nothing within them, have 0: so have samples of which both see one part.
    """
    shared = highest = 0.0
    for rows in rows_of_each(samples):
        table, pairs = overlap(a[rows], b[rows]), len(rows) * (len(rows) - 1) / 2
        together, in_a, in_b = ((m * (m - 1.0)).sum() / 2 for m in (table, table.sum(1), table.sum(0)))
        if pairs:
            shared += (together - in_a * in_b / pairs) / pairs
            highest += ((in_a + in_b) / 2 - in_a * in_b / pairs) / pairs
    return float(shared / highest) if highest > 1e-12 else 0.0


def overlap(a: np.ndarray, b: np.ndarray, k: int = 0) -> np.ndarray:
    """Cells of each pair of parts, int64 (K, K), of as many parts as there are, at least ``k``."""
    k = max(k, a.max(initial=-1) + 1, b.max(initial=-1) + 1)
    return np.bincount(a * k + b, minlength=k * k).reshape(k, k)


def _align(partition: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """For each part of ``partition`` the part of ``reference`` it overlaps most with, one to one."""
    parts, matched = linear_sum_assignment(-overlap(partition, reference, k))
    mapping = np.empty(k, dtype=np.int64)
    mapping[parts] = matched
    return mapping
