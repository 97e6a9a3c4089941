"""A say for every sample: how many of its cells, at most, decide what the cohort is like.

What is fitted to pooled cells (averages, components, mixtures) is fitted to the samples with the most cells: beside one
sample of 1,500 cells of one kind, three niches of three samples of 150 cells were merged, and noise became a niche. So
no sample, and no patient, counts for more than a few times what is usual. All cells are then assigned.
"""

import logging
from collections.abc import Iterable, Mapping
from statistics import median_low

import numpy as np

log = logging.getLogger(__name__)

FACTOR = 2
"""Most cells of a sample, as a multiple of the median sample; the same for patients."""
LEAST = 200
"""No sample is limited to fewer cells: medians of very small samples are no measure of what is needed."""


def sample_caps(sizes: Mapping[str, int], patients: Mapping[str, str]) -> dict[str, int]:
    """Cells of each sample that have a say, given its cells (``sizes``) and its patient.

    At most ``FACTOR`` times those of the median sample, and of a patient at most ``FACTOR`` times those that the median
    patient has then: samples of a patient with more have as many each, as far as they have them. Where sizes are even,
    the smaller of the two medians counts, so that the larger of two samples is limited too.
    """
    most = _most_of_sample(sizes.values())
    caps = {sample: min(n, most) for sample, n in sizes.items()}
    of_patient: dict[str, list[str]] = {}
    for sample in sorted(sizes):
        of_patient.setdefault(patients[sample], []).append(sample)
    totals = {patient: sum(caps[s] for s in own) for patient, own in of_patient.items()}
    most = max(LEAST, FACTOR * median_low(totals.values()))
    for patient, own in of_patient.items():
        if totals[patient] > most:
            each = largest_share(np.array([caps[s] for s in own]), most)
            caps |= {s: min(caps[s], each) for s in own}
    return caps


def largest_share(sizes: np.ndarray, most: int) -> int:
    """The largest number of cells per sample with which no more than ``most`` are taken from samples of ``sizes``, at
    least 1: small samples leave theirs to the others."""
    ordered = np.sort(sizes)
    share = (most - np.cumsum(ordered) + ordered) // np.arange(len(ordered), 0, -1)
    found = share <= ordered
    return max(int(share[np.argmax(found)] if found.any() else ordered[-1]), 1)


def rows_with_a_say(
    samples: np.ndarray, patients: np.ndarray, seed: int, *, most: int | None = None, enough: int = 0
) -> np.ndarray | None:
    """Rows of the cells that decide, in their order, drawn at random within samples; None where all do.

    ``samples`` and ``patients`` (n,) of each cell. ``most``: no more cells than this in all, of every sample about as
    many where it has them. ``enough``: cells that a sample keeps whatever that leaves it, and whatever its patient has.
    """
    names, first, codes, sizes = np.unique(samples, return_index=True, return_inverse=True, return_counts=True)
    patient = {str(name): str(patients[i]) for name, i in zip(names, first)}
    caps = sample_caps({str(name): int(n) for name, n in zip(names, sizes)}, patient)
    limit = np.array([caps[str(name)] for name in names])
    if most is not None:
        limit = np.minimum(limit, largest_share(limit, most))
    limit = np.maximum(limit, np.minimum(sizes, min(enough, _most_of_sample(sizes))))
    if (limit == sizes).all():
        return None
    return rows_at_most(codes, limit, np.random.default_rng(seed))


def _most_of_sample(sizes: Iterable[int]) -> int:
    return max(LEAST, FACTOR * int(median_low(sizes)))


def rows_at_most(codes: np.ndarray, limit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows 0..n-1 in their order: of each sample 0..S-1 of ``codes`` (n,) at most ``limit`` (S,), drawn at random."""
    rank = np.empty(len(codes), dtype=np.int64)
    order = np.lexsort((rng.random(len(codes)), codes))
    sizes = np.bincount(codes)
    rank[order] = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.flatnonzero(rank < limit[codes])


def tell_caps(sizes: Mapping[str, int], caps: Mapping[str, int]) -> None:
    """Log each sample that does not count with all its cells."""
    for sample, n in sorted(sizes.items()):
        if caps[sample] < n:
            log.info("%s: %d of its %d cells have a say in what the cohort is like", sample, caps[sample], n)


def evenly(values: np.ndarray, n: int) -> np.ndarray:
    """``n`` of the ``values``, evenly through their order; all of them where there are no more."""
    if len(values) <= n:
        return values
    return np.sort(values)[((np.arange(n) + 0.5) * len(values) / n).astype(np.int64)]
