"""Cross-sample edges: cells of different samples whose neighbourhoods are each other's nearest.

They are no message-passing graph: a cell is embedded from its own sample alone, so that a new sample can be mapped. In
training they say which cells of different samples should come to lie together, as in STAligner (Zhou et al. 2023).
"""

import logging
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from semanticst.model.sample_graphs import SampleGraphs

log = logging.getLogger(__name__)

NO_MATCHES = np.empty((2, 0), dtype=np.int64)

ANCHORS = 10_000
"""Cells of the cohort that may be matched, so that the effort does not grow with it."""
ANCHORS_A_SAMPLE = (50, 2_000)
NEAREST = 3
REACH = 2.0
"""A match is no further than this many times the distance at which a cell has neighbours in its own sample. Two samples
without a niche in common have nearest cells too, but not that near."""


def matched_cells(samples: Sequence[SampleGraphs], seed: int) -> np.ndarray:
    """Mutual nearest neighbours between samples in the batch-corrected profile: (2, e) int64.

    Cells are numbered through all ``samples`` in their order; the first of a pair is of the earlier sample. Each of the
    two is among the ``NEAREST`` of the other (Haghverdi et al. 2018), within ``REACH``.
    """
    if len(samples) < 2:
        return NO_MATCHES
    per_sample = int(np.clip(ANCHORS // len(samples), *ANCHORS_A_SAMPLE))
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *(s.n for s in samples)])
    anchors = [np.sort(rng.permutation(s.n)[:per_sample]) for s in samples]
    profiles = [_neighbourhoods(s)[cells] for s, cells in zip(samples, anchors)]
    reaches = [REACH * np.sqrt(_own_distance(P)) for P in profiles]
    pairs = []
    for a, b in combinations(range(len(samples)), 2):
        i, j = _mutual(profiles[a], profiles[b], reaches[a], reaches[b])
        pairs.append(np.vstack([starts[a] + anchors[a][i], starts[b] + anchors[b][j]]))
    found = np.hstack(pairs).astype(np.int64)
    joined = sum(p.shape[1] > 0 for p in pairs)
    log.info("cross-sample edges: %d between %d of %d pairs of samples, %.0f %% of %d cells looked at have one",
             found.shape[1], joined, len(pairs), 100 * len(np.unique(found)) / sum(map(len, anchors)),
             sum(map(len, anchors)))  # fmt: skip
    return found


def _neighbourhoods(sample: SampleGraphs) -> np.ndarray:
    """The widest average of the profile, (n, p): what the domain context looks at within the sample."""
    return sample.target[:, -sample.x.shape[1] :]


def _squared_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.maximum((A**2).sum(1)[:, None] + (B**2).sum(1)[None, :] - 2 * A @ B.T, 0)


def _own_distance(P: np.ndarray) -> np.ndarray:
    """Squared distance (n,) to the ``NEAREST``-th other cell; infinite where there are not that many."""
    if len(P) <= NEAREST:
        return np.full(len(P), np.inf)
    return np.partition(_squared_distances(P, P), NEAREST, axis=1)[:, NEAREST]


def _among_nearest(D: np.ndarray) -> np.ndarray:
    """Whether each entry of ``D`` is one of the ``NEAREST`` smallest of its row."""
    last = min(NEAREST, D.shape[1]) - 1
    return np.partition(D, last, axis=1)[:, [last]] >= D


def _mutual(A: np.ndarray, B: np.ndarray, reach_a: np.ndarray, reach_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``A`` and of ``B`` that are among each other's nearest and within the larger reach of the two."""
    D = _squared_distances(A, B)
    i, j = np.nonzero(_among_nearest(D) & _among_nearest(D.T).T)
    within = np.sqrt(D[i, j]) <= np.maximum(reach_a[i], reach_b[j])
    return i[within], j[within]
