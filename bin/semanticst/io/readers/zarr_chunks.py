"""Chunks of a Zarr array that are not there.

Zarr reads a chunk whose file is missing as zeros, and leaves out the file of a chunk that holds nothing else. A store
that was copied in part thus reads without an error, with zeros for what is lost.

Columns of a table are the hard case: 0 is the code of the first category, False, and the empty text, so that a chunk of
them may well be left out. `check_table` tells the two apart by what is around it.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from semanticst.errors import ReadError

if TYPE_CHECKING:
    import zarr

SURELY_LOST = 30
"""A chunk that would hold this many values that are no zeros, going by the other chunks, is lost and not empty."""

NO_CHANCE = 1e-6
"""A run of one value is not believed that is rarer than this, going by the rest of the column."""

Presence = Callable[[str], bool]
"""Whether the store holds an entry, by its path in the store."""


def missing_chunks(array: "zarr.Array", present: Presence) -> list[tuple[slice, ...]]:
    """The parts of ``array`` whose chunks (or shards) are not in the store."""
    steps = array.shards or array.chunks
    grid = product(*(range(-(-length // step)) for length, step in zip(array.shape, steps)))
    prefix = array.path.strip("/")
    return [
        tuple(slice(i * step, min((i + 1) * step, length)) for i, step, length in zip(at, steps, array.shape))
        for at in grid
        if not present("/".join(filter(None, (prefix, array.metadata.encode_chunk_key(at)))))
    ]


def need_whole(array: "zarr.Array", present: Presence) -> None:
    """Raise ReadError when a chunk is missing of an array that is nowhere zero for the length of a chunk."""
    lost = missing_chunks(array, present)
    if lost:
        raise _incomplete(array, len(lost))


def need_whole_dense(array: "zarr.Array", values: np.ndarray, present: Presence) -> None:
    """Raise ReadError when a missing chunk of a dense matrix (rows x columns) cannot have been empty.

    Chunks of genes that no cell has may be missing. One is lost when its columns hold so many values elsewhere that it
    would hold some, too.
    """
    lost = missing_chunks(array, present)
    if not lost:
        return
    there = np.ones(len(values), bool)
    for rows, columns in lost:
        others = there.copy()
        for lost_rows, lost_columns in lost:
            if lost_columns == columns:
                others[lost_rows] = False
        share = (values[others, columns] != 0).mean() if others.any() else 0.0
        size = (rows.stop - rows.start) * (columns.stop - columns.start)
        if share * size > SURELY_LOST or len(lost) == array.nchunks:
            raise _incomplete(array, len(lost))


def check_table(group: "zarr.Group", present: Presence) -> dict[str, int]:
    """Columns of a table (obs or var) with values whose chunks may be lost, or may hold one value only; and how many.

    Raises ReadError when a chunk is certainly lost: when the store has chunks of nothing but the value that stands for
    a missing one, so that its writer leaves out none; or when so long a run of that value is not believable, going by
    how values follow one another in the rest of the column.
    """
    doubtful = {}
    for name, part, array in _columns(group):
        lost = missing_chunks(array, present)
        if not lost or part == "mask" or (part == "codes" and group[name]["categories"].shape[0] == 1):
            continue  # no gap, and the only category: all may well be left out
        if part == "categories":
            if array.dtype.kind not in "biuf":
                raise _incomplete(array, len(lost))
        elif _has_empty_chunks(group, present):
            raise _incomplete(array, len(lost))
        elif not _may_be_left_out(array, lost) or (part == "codes" and _has_unused(group[name])):
            doubtful[name] = sum(rows.stop - rows.start for (rows,) in lost)
    return doubtful


def _columns(group: "zarr.Group") -> Iterator[tuple[str, str, "zarr.Array"]]:
    """Name of each column, name of the part (codes and categories, values and mask; else empty), and the array."""
    for name, column in group.members():
        parts = column.arrays() if hasattr(column, "arrays") else [("", column)]
        if name != group.attrs.get("_index"):
            yield from ((name, part, array) for part, array in parts if array.ndim == 1)


def _may_be_left_out(array: "zarr.Array", lost: list[tuple[slice, ...]]) -> bool:
    """Whether what is missing continues runs of the value that it reads as; False where nothing tells.

    Raises ReadError when runs of that length do not occur in the column.
    """
    values = np.asarray(array[:])
    filled = values == array.fill_value if array.fill_value is not None else np.zeros(len(values), bool)
    missing = np.zeros(len(values), bool)
    for (rows,) in lost:
        missing[rows] = True
    if missing.all():
        return bool(array.dtype.kind == "b")  # a flag that nothing has
    edges = np.diff(np.r_[False, missing, False].astype(np.int8))
    first, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    there = ~missing[1:] & ~missing[:-1]
    same = values[1:] == values[:-1]
    pairs = [some for some in (same[there], same[there & filled[:-1]]) if len(some)]
    stays = max(((some.sum() + 1) / (len(some) + 2) for some in pairs), default=1.0)
    if stays ** (stop - first).max() < NO_CHANCE:
        raise _incomplete(array, len(lost))
    return all(filled[i - 1] for i in first if i > 0) and all(filled[i] for i in stop if i < len(values))


def _has_unused(column: "zarr.Group") -> bool:
    """Whether a categorical column, as it is in the store, has a category without a value: those may be lost."""
    return bool(np.setdiff1d(np.arange(column["categories"].shape[0]), np.asarray(column["codes"][:])).size)


def _has_empty_chunks(group: "zarr.Group", present: Presence) -> bool:
    """Whether some column has a chunk in the store that holds nothing but the value of missing ones."""
    for _, _, array in _columns(group):
        lost, step = {rows.start for (rows,) in missing_chunks(array, present)}, (array.shards or array.chunks)[0]
        starts = [start for start in range(0, array.shape[0], step) if start not in lost]
        values = np.asarray(array[:]) if starts and array.fill_value is not None else None
        if values is not None and any((values[i : i + step] == array.fill_value).all() for i in starts):
            return True
    return False


def _incomplete(array: "zarr.Array", n: int) -> ReadError:
    steps = array.shards or array.chunks
    total = int(np.prod([-(-length // step) for length, step in zip(array.shape, steps)]))
    return ReadError(
        f"{array.path or 'the array'}: {n} of {total} chunks are missing; the store was copied or written in part. "
        "Copy or write it again"
    )
