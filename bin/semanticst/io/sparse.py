"""Sparse matrices: read piece by piece, changed in place.

A large sample fits into memory once, in float32 values with int32 column numbers, and hardly twice. Files hold wider
types (10x: int64 column numbers), so that reading a whole array and converting it would need three times as much.
"""

import numpy as np
import scipy.sparse as sp

from semanticst.errors import ReadError

BLOCK = 1 << 22
"""Entries that are handled at once."""


def load_csr(data, indices, indptr, shape: tuple[int, int]) -> sp.csr_matrix:
    """CSR float32 matrix, n_rows x n_columns, from the three arrays of a file (h5py datasets, zarr or numpy arrays).

    The arrays are read in blocks. Raises ReadError when they contradict one another or ``shape``, as they do in a
    damaged file: scipy would crash on them, or worse, not.
    """
    n_rows, n_columns = shape
    starts = np.asarray(indptr[:])
    n = int(data.shape[0])
    if starts.dtype.kind not in "iu" or indices.dtype.kind not in "iu" or data.dtype.kind not in "biuf":
        raise ReadError("the matrix is damaged: its arrays have the wrong kinds of numbers")
    starts = starts.astype(np.int64)
    if len(starts) != n_rows + 1 or len(starts) == 0 or starts[0] != 0 or starts[-1] != n or indices.shape[0] != n:
        raise ReadError(
            f"the matrix is damaged: {n_rows} x {n_columns} is stated, but there are {len(starts) - 1} rows, "
            f"{indices.shape[0]} positions and {n} values"
        )
    lengths = np.diff(starts)
    if (lengths < 0).any():
        raise ReadError("the matrix is damaged: its rows overlap")
    if len(lengths) and lengths.max() > n_columns:
        raise ReadError(f"the matrix is damaged: a row has {lengths.max()} values in {n_columns} columns")
    values, columns = np.empty(n, np.float32), np.empty(n, np.int32)
    for start in range(0, n, BLOCK):
        piece = slice(start, min(start + BLOCK, n))
        values[piece] = data[piece]
        block = np.asarray(indices[piece])
        if len(block) and (int(block.min()) < 0 or int(block.max()) >= n_columns):
            raise ReadError(f"the matrix is damaged: it has a position outside its {n_columns} columns")
        columns[piece] = block
    small = n <= np.iinfo(np.int32).max
    return sp.csr_matrix((values, columns, starts.astype(np.int32) if small else starts), shape=shape, copy=False)


def regroup_columns(X: sp.csr_matrix, target: np.ndarray, n_columns: int) -> sp.csr_matrix:
    """Move column j of a CSR matrix to column ``target[j]`` (int32; -1 drops it), adding what meets there.

    Works on the arrays of ``X`` themselves, which must not be used afterwards.
    """
    if (target < 0).any():
        for start in range(0, X.nnz, BLOCK):
            piece = slice(start, start + BLOCK)
            X.data[piece][target[X.indices[piece]] < 0] = 0
        X.eliminate_zeros()
    for start in range(0, X.nnz, BLOCK):
        piece = slice(start, start + BLOCK)
        X.indices[piece] = target[X.indices[piece]]
    moved = sp.csr_matrix((X.data, X.indices, X.indptr), shape=(X.shape[0], n_columns), copy=False)
    moved.sum_duplicates()
    return moved
