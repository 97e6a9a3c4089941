"""Positions of the cells of a simulated section, and their niches."""

import numpy as np
from scipy.spatial import cKDTree

SPACING = 10.0
"""Distance of neighbouring cell centres, micrometres."""

GEOMETRIES = ("layers", "nested", "follicles", "patches")

CLUMP = 8
"""Cells of one type that lie together where niches differ by the arrangement of their cells."""
THIN = 2 * SPACING
"""Width of a thin niche, micrometres: two cells."""

CELLS_PER_PATCH = 150
"""A niche has one patch for so many cells of it; a larger section has more patches, not larger ones only."""
MOST_PATCHES = 20


def cell_positions(n_cells: int, rng: np.random.Generator) -> np.ndarray:
    """Cell centres of a section with an irregular outline and small gaps, in random order.

    A hexagonal lattice, jittered by less than half the spacing, so that no two cells overlap: a hard-core pattern that
    needs no search for conflicts.

    Returns float64, n_cells x 2, micrometres, from 0 upwards.
    """
    side = int(np.ceil(np.sqrt(1.8 * n_cells))) + 2
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    points = np.column_stack([(column + 0.5 * (row % 2)).ravel(), (row * np.sqrt(3) / 2).ravel()]) * SPACING
    radius = 0.3 * SPACING * np.sqrt(rng.random(len(points)))
    turn = rng.uniform(0, 2 * np.pi, len(points))
    points += np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])
    points = points[rng.random(len(points)) > 0.08]

    arm = points - points.mean(axis=0)
    angle = np.arctan2(arm[:, 1], arm[:, 0])
    outline = 1 + 0.12 * np.cos(2 * angle + rng.uniform(0, 6)) + 0.07 * np.cos(3 * angle + rng.uniform(0, 6))
    inside = np.argsort(np.hypot(*arm.T) / outline, kind="stable")[:n_cells]
    points = points[rng.permutation(inside)]
    return points - points.min(axis=0)


def smooth_field(points: np.ndarray, scale: float, rng: np.random.Generator, waves: int = 32) -> np.ndarray:
    """A smooth random field (mean 0, variance about 1) with correlation length ``scale`` at ``points`` (n x 2).

    Sum of random cosine waves (Rahimi & Recht 2007): no covariance matrix of the cells is needed.
    """
    field = np.zeros(len(points))
    for frequency, phase in zip(rng.normal(0, 1 / scale, (waves, 2)), rng.uniform(0, 2 * np.pi, waves)):
        field += np.cos(points @ frequency + phase)
    return field * np.sqrt(2 / waves)


def draw_niches(
    points: np.ndarray, shares: np.ndarray, geometry: str, outcome_niche: int, rng: np.random.Generator
) -> np.ndarray:
    """Niche (0, 1, ...) of each cell; niche ``k`` covers about ``shares[k]`` of the cells.

    layers    bands across the section, two niches in each
    nested    the outcome niche as a core, the next niche as a ring around it, patches of the others outside
    follicles the same with several small cores
    patches   compact patches of all niches (Voronoi cells with wavy borders)

    points : float64, n_cells x 2. shares : n_niches, sums to 1. Returns int64, n_cells.
    """
    size = np.sqrt(np.prod(np.ptp(points, axis=0)))
    warp = 0.05 * size * smooth_field(points, size / 3, rng)
    quotas = whole_quotas(shares, len(points))
    # niches keep their neighbours from section to section, the start and the direction change
    order = np.roll(np.arange(len(shares)), rng.integers(len(shares)))[:: rng.choice([-1, 1])]
    if geometry == "layers":
        return draw_layers(points, quotas, order, warp, rng)
    if geometry == "patches":
        return draw_patches(points, quotas, order, warp, rng)
    if geometry not in ("nested", "follicles"):
        raise ValueError(f"no such geometry: {geometry}")
    order = np.roll(order, -int(np.flatnonzero(order == outcome_niche)[0]))
    if geometry == "nested":
        centres = points.mean(axis=0)[None] + rng.uniform(-0.1, 0.1, (1, 2)) * size
    else:
        centres = spread_points(points, 1 + patches_of(quotas[outcome_niche]), rng)
    niche = np.empty(len(points), np.int64)
    inside, outside = carve(-distance_to_nearest(points, centres) + warp / 2, quotas[order[:2]])
    for k, cells in zip(order, inside):
        niche[cells] = k
    quotas = np.delete(quotas, order[:2])
    others = np.delete(np.arange(len(shares)), order[:2])
    if len(outside):
        niche[outside] = others[draw_patches(points[outside], quotas, np.arange(len(others)), warp[outside], rng)]
    return niche


def draw_layers(points, quotas, order, warp, rng) -> np.ndarray:
    """Bands in the order given, two niches to a band, side by side."""
    turn = rng.uniform(0, 2 * np.pi)
    depth = points @ [np.cos(turn), np.sin(turn)] + warp
    along = points @ [-np.sin(turn), np.cos(turn)] + warp
    niche = np.empty(len(points), np.int64)
    pairs = [order[i : i + 2] for i in range(0, len(order), 2)]
    bands, _ = carve(depth, [quotas[pair].sum() for pair in pairs])
    for pair, band in zip(pairs, bands):
        sides, _ = carve(along[band], quotas[pair])
        for k, side in zip(pair, sides):
            niche[band[side]] = k
    return niche


def draw_thin(points: np.ndarray, n_niches: int, rng: np.random.Generator) -> np.ndarray:
    """Bands of the first half of the niches, of equal width, with a thin niche of the other half between each two of
    them: int64, n_cells."""
    turn = rng.uniform(0, 2 * np.pi)
    size = np.sqrt(np.prod(np.ptp(points, axis=0)))
    depth = points @ [np.cos(turn), np.sin(turn)] + 0.03 * size * smooth_field(points, size / 3, rng)
    wide = n_niches - n_niches // 2
    borders = np.quantile(depth, np.arange(1, wide) / wide)
    niche = np.searchsorted(borders, depth).astype(np.int64)
    for i, border in enumerate(borders):
        niche[np.abs(depth - border) < THIN / 2] = wide + i
    return niche


def draw_rare(points: np.ndarray, niche: np.ndarray, rare: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """The same niches (n_cells,) with a round patch of the ``rare`` one at a random place: ``share`` of the cells, at
    least one."""
    size = max(round(share * len(points)), 1)
    patch = cKDTree(points).query(points[rng.integers(len(points))], size)[1]
    found = niche.copy()
    found[patch] = rare
    return found


def clumps(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Number of the clump of about ``CLUMP`` neighbouring cells that each cell is in: int64, n_cells."""
    centres = points[rng.choice(len(points), max(len(points) // CLUMP, 1), replace=False)]
    return cKDTree(centres).query(points)[1].astype(np.int64)


def draw_patches(points, quotas, order, warp, rng) -> np.ndarray:
    """Each cell goes to the niche whose seed is nearest; the niches' handicaps are such that the quotas come out.

    The handicaps are found on a few thousand cells by raising those of niches that have got too much.
    """
    present = order[quotas[order] > 0]
    n_seeds = np.array([patches_of(q) for q in quotas[present]])
    owner = rng.permutation(np.repeat(np.arange(len(present)), n_seeds))
    seeds = spread_points(points, len(owner), rng)
    distance = np.column_stack([distance_to_nearest(points, seeds[owner == k]) for k in range(len(present))])
    distance += warp[:, None] * np.cos(2.4 * np.arange(len(present)))

    some = distance[rng.permutation(len(points))[:4000]]
    target = quotas[present] / quotas[present].sum()
    handicap = np.zeros(len(present))
    step = 0.5 * distance.std()
    for _ in range(150):
        got = np.bincount((some + handicap).argmin(axis=1), minlength=len(present)) / len(some)
        handicap += step * (got - target)
        step *= 0.99
    return present[(distance + handicap).argmin(axis=1)]


def carve(field: np.ndarray, quotas) -> tuple[list[np.ndarray], np.ndarray]:
    """The ``quotas[0]`` cells where ``field`` is highest, the next ``quotas[1]``, ..., and the rest: row numbers."""
    highest_first = np.argsort(-field, kind="stable")
    *pieces, rest = np.split(highest_first, np.cumsum(quotas))
    return pieces, rest


def patches_of(quota: int) -> int:
    """How many patches a niche of so many cells has."""
    return int(np.clip(round(quota / CELLS_PER_PATCH), 1, MOST_PATCHES))


def spread_points(points: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` of the points, far from each other: the best of several random draws. float64, n x 2."""
    n = min(n, len(points))
    draws = [points[rng.choice(len(points), n, replace=False)] for _ in range(50)]
    return max(draws, key=lambda draw: cKDTree(draw).query(draw, 2)[0][:, 1].min()) if n > 1 else draws[0]


def distance_to_nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest centre: float64, n."""
    return cKDTree(centres).query(points)[0]


def whole_quotas(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to ``total`` and are nearest to ``shares * total`` (largest remainders)."""
    exact = np.asarray(shares) * total
    quotas = np.floor(exact).astype(np.int64)
    short = total - quotas.sum()
    quotas[np.argsort(quotas - exact, kind="stable")[:short]] += 1
    return quotas
