"""Sections that were exchanged between patients, from how much the profiles of sections resemble each other.

A section that was swapped spoils two patients: its own looks like another, and the sections of the patient that it was
given to no longer resemble each other. In a small cohort that is half of all sections, so that no share of those that
resemble their patient tells a swap from patients that are not told apart. Exchanging it back does: all fall into place.
"""

from dataclasses import dataclass, field

import numpy as np

from semanticst.units import percent

LEAST_SECTIONS, LEAST_PATIENTS = 6, 3
TOLD = 0.9
"""Share of the sections that resemble their own patient most once the swapped ones are exchanged back."""
LEAST_TOLD = 0.4
"""The same before, in larger cohorts: below, patients are not told apart, and exchanging sections is fitting noise."""
MOST_SWAPS = 6
ONE_IN = 4
"""At most one swap for as many sections."""
CLEAR = 0.25
"""Over the usual distance between own and other patients: how clearly a swapped section is nearer to the other one."""
SHUFFLES, CHANCE, CHANCE_OF_CLEAR = 199, 0.02, 0.15
"""Random assignments of sections to patients, and the share of them that may fall into place as well: the latter
where each section is clearly nearest to its own patient in the end, since 12 % of all assignments of 8 sections in
pairs are one exchange from any other."""
SURE = 24
"""Sections from which on chance does not put 9 of 10 into place with a few exchanges; no assignments are tried."""


@dataclass
class Swaps:
    """Pairs of sections (positions) that seem exchanged, or why that was not checked."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    not_checked: str = ""
    share: float = 0.0
    """Of the sections that resemble their own patient once these are exchanged back."""


class _Likeness:
    """Resemblance of n sections to P patients (mean over their sections, a section's own left out)."""

    def __init__(self, alike: np.ndarray, owner: np.ndarray):
        self.known = np.nan_to_num(alike)
        self.owner = owner
        self.sums = self.known @ np.eye(int(owner.max()) + 1)[owner]
        self.sizes = np.bincount(owner).astype(float)
        self.siblings = self.sizes[owner] > 1

    def margins(self, owner: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How much nearer each section is to its own patient than to the next one, and which is nearest."""
        rows = np.arange(len(owner))
        mean = sums / self.sizes
        mean[rows, owner] = sums[rows, owner] / np.maximum(self.sizes[owner] - 1, 1)
        # a single section has nothing to resemble of its own
        alone = self.sizes[owner] == 1
        mean[rows[alone], owner[alone]] = -np.inf
        nearest = mean.argmax(axis=1)
        own = mean[rows, owner]
        mean[rows, owner] = -np.inf
        return np.where(alone, 0.0, own - mean.max(axis=1)), nearest

    def exchanged(self, owner: np.ndarray, sums: np.ndarray, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Owners and sums once two sections of different patients have changed places."""
        moved, owner, sums = self.known[:, other] - self.known[:, one], owner.copy(), sums.copy()
        sums[:, owner[one]] += moved
        sums[:, owner[other]] -= moved
        owner[one], owner[other] = owner[other], owner[one]
        return owner, sums


def find_swaps(alike: np.ndarray, owners: np.ndarray, seed: int = 0) -> Swaps:
    """Swapped sections among all.

    alike : n x n, correlation of profiles, NaN on the diagonal. owners : patient of each section, n.

    Exchanges are sought one after the other, that which puts most sections beside their own patient first. They count
    when nearly all sections are there in the end, when each of the exchanged was clearly nearer to another patient
    before and is clearly nearest to its own after, and when random assignments seldom do as well with as many.
    """
    names, owner = np.unique(owners, return_inverse=True)
    siblings = np.bincount(owner)[owner] > 1
    if not siblings.any():
        return Swaps(not_checked="each patient has one section")
    if siblings.sum() < LEAST_SECTIONS or len(names) < LEAST_PATIENTS:
        return Swaps(
            not_checked=f"{siblings.sum()} sections have others of their patient, of {len(names)} patients; at least "
            f"{LEAST_SECTIONS} of {LEAST_PATIENTS} are needed"
        )
    start, _ = (like := _Likeness(alike, owner)).margins(owner, like.sums)
    pairs, end = _exchange(like, max(1, min(MOST_SWAPS, len(owner) // ONE_IN)))
    share = float((end[siblings] > 0).mean())
    if share < TOLD:
        own = percent((start[siblings] > 0).mean())
        return Swaps(
            not_checked=f"profiles do not tell patients apart ({own} of such sections resemble their own patient most)"
        )
    usual = float(np.median(end[siblings]))
    moved = [section for pair in pairs for section in pair]
    if any(start[section] > -CLEAR * usual or end[section] < CLEAR * usual for section in moved):
        return Swaps(
            not_checked="some sections are a little nearer to another patient, not clearly enough", share=share
        )
    if pairs and len(owner) < SURE:
        rng = np.random.default_rng(seed)
        reached = sum(_reaches(alike, rng.permutation(owner), len(pairs), share) for _ in range(SHUFFLES))
        all_clear = (end[siblings] >= CLEAR * usual).all()
        if (reached + 1) / (SHUFFLES + 1) > (CHANCE_OF_CLEAR if all_clear else CHANCE):
            return Swaps(
                not_checked=f"{len(owner)} sections of {len(names)} patients are too few: of random assignments of "
                f"them to patients, {percent((reached + 1) / (SHUFFLES + 1))} fit as well with {len(pairs)} exchanged"
            )
    return Swaps(pairs, share=share)


def _exchange(like: _Likeness, most: int) -> tuple[list[tuple[int, int]], np.ndarray]:
    """The pairs whose exchange puts most sections beside their own patient, one after the other; margins after."""
    owner, sums = like.owner, like.sums
    pairs: list[tuple[int, int]] = []
    margin, nearest = like.margins(owner, sums)
    tells = like.siblings
    least = LEAST_TOLD if len(owner) >= SURE else 0.0  # two swaps spoil eight of ten sections, two of each patient
    while len(pairs) < most and (margin[tells] > 0).mean() >= least:
        best = (int((margin[tells] > 0).sum()), -np.inf)
        found = None
        for one in np.flatnonzero(tells & (margin <= 0)).tolist():
            for other in np.flatnonzero(owner == nearest[one]).tolist():
                tried = like.exchanged(owner, sums, one, other)
                after, near = like.margins(*tried)
                gained = (int((after[tells] > 0).sum()), float(after[tells].mean()))
                if gained[0] > best[0] or (found and gained > best):
                    best, found = gained, (one, other, tried, after, near)
        if found is None:
            break
        one, other, (owner, sums), margin, nearest = found
        pairs.append((one, other))
    return pairs, margin


def _reaches(alike: np.ndarray, owner: np.ndarray, most: int, share: float) -> bool:
    """Whether an assignment of sections to patients falls into place as well, with as many exchanges."""
    like = _Likeness(alike, owner)
    _, margin = _exchange(like, most)
    return float((margin[like.siblings] > 0).mean()) >= share
