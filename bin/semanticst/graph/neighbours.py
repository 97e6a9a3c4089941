"""Nearest neighbours within one sample."""

import numpy as np
import scipy.sparse as sp

EXACT_CELLS = 60_000
"""Up to this many cells neighbours in component space are exact; above, by nearest-neighbour descent."""
ROWS = 256
"""Cells whose distances to all others are held at once (at most ROWS x EXACT_CELLS x 4 bytes = 61 MB)."""
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


def nearest_in_components(X: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Indices (n, k) of the ``k`` nearest other cells by Euclidean distance of ``X`` (n, d) float32."""
    k = min(k, len(X) - 1)
    if len(X) <= EXACT_CELLS:
        indices = _exact(X, k + 1)
    else:
        from pynndescent import NNDescent

        index = NNDescent(np.ascontiguousarray(X), n_neighbors=k + 1, random_state=seed, n_jobs=1)
        indices, _ = index.neighbor_graph
    kept = _others(indices)
    return indices[kept].reshape(len(X), k)


def _exact(X: np.ndarray, k: int) -> np.ndarray:
    """Blocks of all distances: n x n work, never n x n memory.

    Ranked by |x_j|^2 - 2 x_i x_j, one product into the same memory each time: what it lacks of the squared distance is
    the same for all j, and a block that is made anew costs more than the product. No torch: as fast, and its import
    costs more than the neighbours of 10,000 cells.
    """
    X = np.ascontiguousarray(X - X.mean(0), dtype=np.float32)
    squares, columns = (X**2).sum(1), np.ascontiguousarray(-2 * X.T)
    block, indices = np.empty((min(ROWS, len(X)), len(X)), dtype=np.float32), np.empty((len(X), k), dtype=np.int64)
    for start in range(0, len(X), ROWS):
        rows = X[start : start + ROWS]
        ranked = np.matmul(rows, columns, out=block[: len(rows)])
        ranked += squares
        indices[start : start + len(rows)] = smallest(ranked, k)
    return indices


def smallest(values: np.ndarray, k: int) -> np.ndarray:
    """Columns (m, k) of the ``k`` smallest ``values`` (m, n) of each row, ascending; of equal ones the first."""
    m, n = values.shape
    width = n // PARTS
    if width < k:
        return np.argsort(values, axis=1, kind="stable")[:, :k]
    # of disjoint parts the least: k of them are no larger than the k-th, so nothing above it is looked for
    least = values[:, : PARTS * width].reshape(m, PARTS, width).min(1)
    wanted = values <= np.partition(least, k - 1, axis=1)[:, k - 1 : k]
    number = np.count_nonzero(wanted, axis=1)
    crowded = np.flatnonzero(number > PARTS * k)  # cells that are alike, by the thousand
    wanted[crowded] = False
    number[crowded] = 0
    row, column = np.nonzero(wanted)
    place = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    shape = m, max(number.max(), k)
    few, of = np.full(shape, np.inf, values.dtype), np.zeros(shape, dtype=np.int64)
    few[row, place], of[row, place] = values[row, column], column
    found = np.take_along_axis(of, np.argsort(few, axis=1, kind="stable")[:, :k], axis=1)
    for i in crowded:
        found[i] = _smallest_of_row(values[i], k)
    return found


def _smallest_of_row(values: np.ndarray, k: int) -> np.ndarray:
    last = np.partition(values, k - 1)[k - 1]
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
