"""Nearest neighbours within one sample."""

import logging

import numpy as np
import scipy.sparse as sp

log = logging.getLogger(__name__)

EXACT_CELLS = 24_000
"""Up to this many cells each is compared with all others; above, with those of the lists next to its own."""
RECALL, JUDGED_CELLS = 0.98, 256
"""Share of the nearest neighbours that are to be among the cells that are compared, and cells on which it is judged."""
COMPARED_CELLS = 8_000, 60_000
"""Cells that each is compared with, at least and at most. Kinds of cells that lie apart need few; in a cloud without
kinds, or where thousands of cells are the same, only many have the nearest among them."""
LIST_CELLS, LIST_ROUNDS, LIST_SAMPLE = 160, 3, 20
"""Cells of a list on average; rounds of k-means that find the lists' centres, and cells of each that these look at."""
ROWS = 256
"""Cells whose distances to others are held at once (ROWS x EXACT_CELLS x 4 bytes = 25 MB)."""
PARTS = 64
"""Values of a row from which one, the least, is looked at first."""


def nearest_in_space(xy: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and distances, (n, k), of the ``k`` nearest other cells in the plane, by a k-d tree.

    Cells at the very same position (they exist in public files) are neighbours at distance 0.
    """
    from scipy.spatial import cKDTree

    k = min(k, len(xy) - 1)
    distances, indices = cKDTree(xy).query(xy, k=k + 1)
    kept = _others(indices)
    return indices[kept].reshape(len(xy), k), distances[kept].reshape(len(xy), k)


def nearest_in_components(
    X: np.ndarray, k: int, seed: int = 0, exact_up_to: int = EXACT_CELLS, of: str = "components"
) -> np.ndarray:
    """Indices (n, k) of the ``k`` nearest other cells by Euclidean distance of ``X`` (n, d) float32.

    Exact for at most ``exact_up_to`` cells. Above, cells are put into lists around centres (an inverted file: Jégou et
    al. 2011, section IV) and looked for in the nearest lists only, so that time grows with cells and not with their
    square, unless most of them are the same; ``seed`` is that of the centres, and ``of`` is named in the log. Raises
    ValueError for values that are not finite.
    """
    k = min(k, len(X) - 1)
    if not np.isfinite(X).all():
        raise ValueError("components hold values that are not finite")
    X = np.ascontiguousarray(X - X.mean(0), dtype=np.float32)  # distances lose digits far from the origin
    indices = _among_all(X, k + 1) if len(X) <= exact_up_to else _among_near_lists(X, k + 1, seed, of)
    kept = _others(indices)
    return indices[kept].reshape(len(X), k)


def _among_all(X: np.ndarray, k: int) -> np.ndarray:
    """Blocks of all distances: n x n work, never n x n memory. No torch: as fast, and slow to import."""
    rows, columns = _factors(X)
    block, indices = np.empty((min(ROWS, len(X)), len(X)), dtype=np.float32), np.empty((len(X), k), dtype=np.int64)
    for start in range(0, len(X), ROWS):  # into the same memory: a block that is made anew costs more than the product
        some = rows[start : start + ROWS]
        indices[start : start + ROWS] = smallest(np.matmul(some, columns.T, out=block[: len(some)]), k)
    return indices


def _among_near_lists(X: np.ndarray, k: int, seed: int, of: str) -> np.ndarray:
    """Cells of a list are compared with its own and the nearest lists' cells, as many as `_cells_to_compare` says."""
    rng = np.random.default_rng(seed)
    centres = _centres(X, len(X) // LIST_CELLS, rng)
    list_of = _nearest_centre(X, centres)
    order = np.argsort(list_of, kind="stable")
    sizes = np.bincount(list_of, minlength=len(centres))
    first = np.concatenate([[0], np.cumsum(sizes)])
    rows, columns = _factors(X)
    compared, share = _cells_to_compare(rows, columns, k, list_of, sizes, centres, rng)
    log.info("%s: each of %d cells is compared with %d others, which have %.0f %% of the nearest", of, len(X),
             min(compared, len(X)), 100 * share)  # fmt: skip
    rows, columns = rows[order], columns[order]
    indices = np.empty((len(X), k), dtype=np.int64)
    for one in np.flatnonzero(sizes).tolist():
        near = _ranked_lists(centres, one)
        held = np.cumsum(sizes[near])
        near = np.sort(near[: np.searchsorted(held, compared) + 1])
        others = np.concatenate([np.arange(first[i], first[i + 1]) for i in near])
        of_others = columns[others]
        for start in range(first[one], first[one + 1], ROWS):
            some = slice(start, min(start + ROWS, first[one + 1]))
            indices[order[some]] = order[others[smallest(rows[some] @ of_others.T, k)]]
    return indices


def _factors(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``a`` and ``b`` (n, d + 1): ``a_i b_j`` is |x_j|^2 - 2 x_i x_j, and lacks of the distance what all j share."""
    squares = (X**2).sum(1, keepdims=True)
    return np.hstack([X, np.ones_like(squares)]), np.hstack([-2 * X, squares])


def _cells_to_compare(
    rows: np.ndarray,
    columns: np.ndarray,
    k: int,
    list_of: np.ndarray,
    sizes: np.ndarray,
    centres: np.ndarray,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """How many cells of the lists next to it a cell needs for ``RECALL`` of its ``k`` nearest, by all distances of some
    cells; within ``COMPARED_CELLS``. Beside it the share of the nearest that are among so many."""
    n = len(rows)
    some = rng.choice(n, min(n, JUDGED_CELLS), replace=False)
    parts = np.array_split(some, n // EXACT_CELLS + 1)  # as many distances at once as of `EXACT_CELLS`
    nearest = np.concatenate([smallest(rows[part] @ columns.T, k) for part in parts])
    needed = np.empty(nearest.shape, dtype=np.int64)
    for i, one in enumerate(list_of[some].tolist()):
        near = _ranked_lists(centres, one)
        held = np.empty_like(sizes)
        held[near] = np.cumsum(sizes[near])
        needed[i] = held[list_of[nearest[i]]]
    compared = int(np.clip(np.quantile(needed, RECALL), *COMPARED_CELLS))
    return compared, float((needed <= compared).mean())


def _centres(X: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """A few rounds of k-means on some of the cells: lists need not be good clusters, only near cells together."""
    some = X[np.sort(rng.choice(len(X), min(len(X), number * LIST_SAMPLE), replace=False))]
    centres = some[np.sort(rng.choice(len(some), number, replace=False))]
    for _ in range(LIST_ROUNDS):
        list_of = _nearest_centre(some, centres)
        members = sp.csr_matrix((np.ones_like(list_of, X.dtype), (list_of, np.arange(len(some)))), (number, len(some)))
        cells = np.bincount(list_of, minlength=number)
        filled = cells > 0  # cells that are the same give centres that are the same, all but one without cells
        centres[filled] = (members @ some)[filled] / cells[filled, None]
    return centres


def _nearest_centre(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index (n,) of the centre (m, d) that is nearest to each row of ``X`` (n, d)."""
    (rows, _), (_, columns) = _factors(X), _factors(centres)
    return np.concatenate([(rows[i : i + ROWS] @ columns.T).argmin(1) for i in range(0, len(rows), ROWS)])


def _ranked_lists(centres: np.ndarray, one: int) -> np.ndarray:
    """All lists, those nearest to ``one`` first, and that before all: of centres that are the same too."""
    distances = ((centres - centres[one]) ** 2).sum(1)
    distances[one] = -1
    return np.argsort(distances, kind="stable")


def smallest(values: np.ndarray, k: int) -> np.ndarray:
    """Columns (m, k) of the ``k`` smallest ``values`` (m, n) of each row, ascending; of equal ones the first."""
    m, n = values.shape
    width = n // PARTS
    if width < k:
        return np.argsort(values, axis=1, kind="stable")[:, :k]
    # of disjoint parts the least: k of them are no larger than the k-th, so nothing above it is looked for
    least = values[:, : PARTS * width].reshape(m, PARTS, width).min(1)
    limit = np.partition(least, k - 1, axis=1)[:, k - 1]
    wanted = values <= limit[:, None]
    number = np.array([np.count_nonzero(row) for row in wanted])  # numpy counts and looks far faster in one dimension
    crowded = np.flatnonzero(number > PARTS * k)  # cells that are alike, by the thousand
    wanted[crowded] = False
    number[crowded] = 0
    row = np.repeat(np.arange(m), number)
    column = np.flatnonzero(wanted) - row * n
    place = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    shape = m, max(number.max(), k)
    few, of = np.full(shape, np.inf, values.dtype), np.zeros(shape, dtype=np.int64)
    few[row, place], of[row, place] = values[row, column], column
    found = np.take_along_axis(of, np.argsort(few, axis=1, kind="stable")[:, :k], axis=1)
    for i in crowded:
        found[i] = _smallest_of_row(values[i], k, limit[i])
    return found


def _smallest_of_row(values: np.ndarray, k: int, limit: float) -> np.ndarray:
    """``limit``: no less than the k-th smallest, and that itself where fewer are below: of cells that are all the same,
    the first are taken without looking for it."""
    below = np.flatnonzero(values < limit)
    last = np.partition(values, k - 1)[k - 1] if len(below) >= k else limit
    below = np.flatnonzero(values < last)
    found = np.concatenate([below, np.flatnonzero(values == last)[: k - len(below)]])
    return found[np.argsort(values[found], kind="stable")]


def _others(indices: np.ndarray) -> np.ndarray:
    """All entries (n, k) but one a row: the cell itself, or the last where a duplicate took its place."""
    own = indices == np.arange(len(indices))[:, None]
    own[~own.any(1), -1] = True
    return ~own


def symmetric_adjacency(indices: np.ndarray, keep: np.ndarray | None = None) -> sp.csr_matrix:
    """CSR float32 (n, n) of ones: cells are joined when either is among the other's neighbours (``indices``, (n, k)).

    ``keep`` (n, k) bool marks the entries to use; all when not given. No self-loops, sorted indices.
    """
    n, k = indices.shape
    rows = np.repeat(np.arange(n), k)
    columns = indices.ravel()
    if keep is not None:
        rows, columns = rows[keep.ravel()], columns[keep.ravel()]
    A = sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n, n))
    A = A.maximum(A.T).tocsr()
    A.setdiag(0)
    A.eliminate_zeros()
    A.data[:] = 1.0
    A.sort_indices()
    return A
