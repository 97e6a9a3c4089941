"""Matrix Market files (.mtx) of counts, features x cells.

Read here and not with scipy: its reader of open files ends the whole process when the header is damaged, which no
``except`` can catch, and it holds values as int64.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.io.readers.base import AGAIN, ReadError
from semanticst.io.readers.files import open_text, reading

BLOCK = 1 << 19
"""Lines that are read at once."""
KINDS = ("integer", "real", "pattern")


def read_matrix_market(file: Path) -> sp.csr_matrix:
    """The transposed matrix of a .mtx file, plain or gzipped: CSR float32, n_columns x n_rows of the file.

    Raises ReadError, which names the file, when it is no sparse general matrix of real numbers, or damaged.
    """
    with reading(file, "a Matrix Market file"), open_text(file) as opened:
        (n_rows, n_columns, n), has_values = _read_header(opened)
        row, column, value = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
        in_column = np.zeros(n_columns, np.int64)
        done = 0
        for block in _blocks(opened, has_values) if n else ():
            piece = slice(done, done + len(block))
            done += len(block)
            if done > n:
                raise ReadError(f"{n} entries are stated, but there are more; {AGAIN}")
            row[piece] = _positions(block["row"], n_rows)
            column[piece] = _positions(block["column"], n_columns)
            value[piece] = block["value"] if has_values else 1
            in_column += np.bincount(column[piece], minlength=n_columns)
        if done < n:
            raise ReadError(f"{n} entries are stated, but there are {done}; the file is incomplete: {AGAIN}")
        if np.isnan(value).any():
            raise ReadError(f"there are entries without a value; {AGAIN}")
        return _by_column(row, column, value, in_column, n_rows)


def _read_header(opened: BinaryIO) -> tuple[tuple[int, int, int], bool]:
    """Rows, columns and entries as stated, and whether entries have values; leaves the file at the first entry."""
    first = opened.readline(1000).decode("utf-8", "replace").lower().split()
    if len(first) != 5 or first[:3] != ["%%matrixmarket", "matrix", "coordinate"]:
        raise ReadError(
            "the first line is not '%%MatrixMarket matrix coordinate integer general'; write it as such "
            "(scipy.io.mmwrite, in R Matrix::writeMM)"
        )
    if first[3] not in KINDS or first[4] != "general":
        raise ReadError(f"a general matrix of integers is expected, not '{first[3]} {first[4]}'; bring the counts")
    line = opened.readline()
    while line.startswith(b"%") or line.isspace():
        line = opened.readline()
    numbers = [int(word) for word in line.split()]
    if len(numbers) != 3 or min(numbers) < 0 or max(numbers[:2]) > np.iinfo(np.int32).max:
        raise ReadError(f"the line with the numbers of rows, columns and entries is damaged; {AGAIN}")
    if numbers[2] > numbers[0] * numbers[1]:
        raise ReadError(f"{numbers[2]} entries are stated for a matrix of {numbers[0]} x {numbers[1]}; {AGAIN}")
    return (numbers[0], numbers[1], numbers[2]), first[3] != "pattern"


def _blocks(opened: BinaryIO, has_values: bool):
    names = {"row": np.int32, "column": np.int32} | ({"value": np.float32} if has_values else {})
    return pd.read_csv(
        opened, sep=r"\s+", header=None, names=list(names), dtype=names, index_col=False, chunksize=BLOCK
    )  # fmt: skip


def _positions(stated: pd.Series, n: int) -> np.ndarray:
    """Positions that count from 0, of those in the file, which count from 1."""
    if stated.min() < 1 or stated.max() > n:
        raise ReadError(f"there is a position outside 1 to {n}; {AGAIN}")
    return stated.to_numpy() - 1


def _by_column(row, column, value, in_column: np.ndarray, n_rows: int) -> sp.csr_matrix:
    """CSR matrix whose rows are the columns of the file; without a copy where the file lists column by column."""
    shape = (len(in_column), n_rows)
    if (column[1:] >= column[:-1]).all():
        starts = np.concatenate([[0], np.cumsum(in_column)])
        small = starts[-1] <= np.iinfo(np.int32).max
        return sp.csr_matrix((value, row, starts.astype(np.int32) if small else starts), shape=shape, copy=False)
    return sp.coo_matrix((value, (column, row)), shape=shape, copy=False).tocsr()
