"""Permutation of patients: exact when there are few permutations, else Monte Carlo.

The statistic is the t value with unequal-variance error, which keeps its level when groups differ in size and spread
(Janssen 1997, Stat Probab Lett 36:9; Chung & Romano 2013, Ann Stat 41:484). Covariates are taken out first and the
residuals are permuted (Freedman & Lane 1983, J Bus Econ Stat 1:292). Nothing is permuted across blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np

from semanticst.association.stats.linear_model import SlopeModel

CHUNK = 4_000_000
"""Numbers held at once while permuting."""


@dataclass(frozen=True)
class Permutations:
    """Ways to hand outcomes to units: ``order`` (int, m x n) indexes rows of Y; ``exact`` when these are all."""

    order: np.ndarray
    exact: bool

    def __len__(self) -> int:
        return len(self.order)

    def describe(self) -> str:
        """How the model column states it."""
        return f"{'exact' if self.exact else 'Monte Carlo'}, {len(self)} permutations"

    def of(self, rest: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Rearranged rows (stop - start, n, k) of rest (n x k)."""
        return rest[self.order[start:stop]]


@dataclass(frozen=True)
class SignFlips:
    """Ways to turn the signs of units: ``sign`` (-1 or 1, m x n); ``exact`` when these are all."""

    sign: np.ndarray
    exact: bool

    def __len__(self) -> int:
        return len(self.sign)

    def describe(self) -> str:
        """How the model column states it."""
        return f"{'exact' if self.exact else 'Monte Carlo'}, {len(self)} sign flips of patients"

    def of(self, rest: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Rows of rest (n x k) with these signs: stop - start, n, k."""
        return self.sign[start:stop, :, None] * rest


Rearrangements = Permutations | SignFlips


def sign_flips_of(n: int, limit: int, seed: int) -> SignFlips:
    """All ways to give n units a sign when there are at most ``limit``, else ``limit`` random ones."""
    if 2**n <= limit:
        return SignFlips(1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1), True)
    return SignFlips(np.random.default_rng(seed).choice([-1.0, 1.0], (limit, n)), False)


def flips_of_patients(patients: np.ndarray, limit: int, seed: int) -> SignFlips:
    """The same for patients of several units, which keep a sign together."""
    row = np.unique(patients, return_inverse=True)[1]
    flips = sign_flips_of(row.max() + 1, limit, seed)
    return SignFlips(flips.sign[:, row], flips.exact)


def count_permutations(x: np.ndarray, blocks: np.ndarray) -> int:
    """Number of different ways to arrange the values of x inside blocks."""
    return prod(_multinomial(np.unique(x[blocks == b], return_counts=True)[1]) for b in np.unique(blocks))


def _multinomial(sizes: np.ndarray) -> int:
    total, ways = 0, 1
    for size in sizes.tolist():
        total += size
        ways *= comb(total, size)
    return ways


def permutations_of(
    x: np.ndarray, blocks: np.ndarray, limit: int, seed: int, exact_allowed: bool = True
) -> Permutations:
    """All permutations of x inside blocks when there are at most ``limit``, else ``limit`` random ones.

    ``exact_allowed`` is False with covariates: residuals differ, so that rows with the same x are not interchangeable.
    """
    n = len(x)
    if exact_allowed and count_permutations(x, blocks) <= limit:
        return Permutations(np.array(list(_all_orders(x, blocks))), True)
    draws = np.random.default_rng(seed).random((limit, n))
    # sorting random numbers inside blocks: blocks first, then the draw
    shuffled = np.lexsort((draws, np.broadcast_to(blocks, draws.shape)), axis=1)
    order = np.empty((limit, n), dtype=int)
    order[:, np.argsort(blocks, kind="stable")] = shuffled
    return Permutations(order, False)


def _all_orders(x: np.ndarray, blocks: np.ndarray) -> Iterator[np.ndarray]:
    members = [np.flatnonzero(blocks == b) for b in np.unique(blocks)]

    def extend(order: np.ndarray, block: int) -> Iterator[np.ndarray]:
        if block == len(members):
            yield order.copy()
            return
        places = members[block]
        slots = [places[x[places] == value] for value in np.unique(x[places])]
        for split in _splits(tuple(places), [len(s) for s in slots]):
            for slot, rows in zip(slots, split):
                order[slot] = rows
            yield from extend(order, block + 1)

    yield from extend(np.arange(len(x)), 0)


def _splits(rows: tuple, sizes: list[int]) -> Iterator[list[tuple]]:
    """All ways to split rows into unordered sets of the given sizes."""
    if len(sizes) == 1:
        yield [rows]
        return
    for first in combinations(rows, sizes[0]):
        rest = tuple(r for r in rows if r not in first)
        for others in _splits(rest, sizes[1:]):
            yield [first, *others]


def permuted_t(model: SlopeModel, Y: np.ndarray, permutations: Rearrangements) -> np.ndarray:
    """|t| of each permutation and column of Y (n x k): float64, m x k."""
    rest = model.without_nuisance(Y)
    size = max(1, CHUNK // rest.size)
    parts = []
    for start in range(0, len(permutations), size):
        effect, se = model.fit(permutations.of(rest, start, start + size))
        parts.append(np.abs(effect / se))
    return np.concatenate(parts)


def permutation_p(null: np.ndarray, observed: np.ndarray, exact: bool) -> np.ndarray:
    """Share of permutations at least as extreme: b / m when exact, (b + 1) / (m + 1) when drawn.

    The second form counts the cohort itself (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39).
    """
    extreme = (null >= observed * (1 - 1e-9)).sum(axis=0)
    return extreme / len(null) if exact else (extreme + 1) / (len(null) + 1)


PERMUTED, MODELLED, FLOOR = "permutation", "model", "floor"
"""Where p comes from: column ``p_source``."""


def refine_tail(
    p: np.ndarray, null: np.ndarray, observed: np.ndarray, p_model: np.ndarray, no_spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """p and its source; where no permutation is more extreme, the model's p if that is smaller.

    A permutation cannot go below one over the number of permutations (0.1 with two groups of three). What lies below
    that floor rests on the model, what lies above on the permutation alone. With ``no_spread`` (bool per column: a
    group in which the feature does not vary) the model's error is that of the others, and p stays at the floor.
    """
    below = (observed >= null.max(axis=0) * (1 - 1e-9)) & (p_model < p)
    source = np.where(below, np.where(no_spread, FLOOR, MODELLED), PERMUTED)
    return np.where(below & ~no_spread, p_model, p), source


def careful_p(
    p: np.ndarray, null: np.ndarray, observed: np.ndarray, p_model: np.ndarray, no_spread: np.ndarray, enough: bool
) -> tuple[np.ndarray, np.ndarray]:
    """p and its source as ``refine_tail``; nowhere below the model's p unless the permutation is ``enough``.

    Few patients who vary more than the many others are more often extreme than a permutation thinks (5 v 15 with three
    times the SD: 8 % at 0.05, 1.8 % at 0.006), the t of ``unequal_groups`` is not. Between groups of similar size and
    spread the permutation keeps its level, and outliers cost it less power.
    """
    refined, source = refine_tail(p, null, observed, p_model, no_spread)
    if enough:
        return refined, source
    return np.maximum(refined, p_model), np.where(p_model > refined, MODELLED, source)


def critical_t(null: np.ndarray, of_model: np.ndarray | float, exact: bool, level: float = 0.05) -> np.ndarray:
    """|t| that is passed with probability ``level``, per column: estimate +- this times its error is the interval.

    ``null`` comes from the residuals of the full model, not from the data: a large effect would else mix into the
    permutations and, with few patients, make the interval too narrow. It is never below ``of_model``, the model's,
    which it is with too few permutations for the level.
    """
    ordered = np.sort(null, axis=0)[::-1]
    allowed = int(np.floor(level * len(null) + 1e-9)) if exact else int(np.floor(level * (len(null) + 1) + 1e-9)) - 1
    critical = ordered[min(max(allowed, 0), len(null) - 1)]
    reachable = allowed >= (ordered >= ordered[0] * (1 - 1e-9)).sum(axis=0)
    return np.where(reachable, np.maximum(critical, of_model), of_model)
