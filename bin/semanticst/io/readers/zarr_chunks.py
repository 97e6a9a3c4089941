"""Chunks of a Zarr array that are not there.

Zarr reads a chunk whose file is missing as zeros, and leaves out the file of a chunk that holds nothing else. A store
that was copied in part thus reads without an error, with zeros for what is lost.
"""

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from semanticst.errors import ReadError

if TYPE_CHECKING:
    import zarr

SURELY_LOST = 30
"""A chunk that would hold this many values that are no zeros, going by the other chunks, is lost and not empty."""

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


def _incomplete(array: "zarr.Array", n: int) -> ReadError:
    steps = array.shards or array.chunks
    total = int(np.prod([-(-length // step) for length, step in zip(array.shape, steps)]))
    return ReadError(
        f"{array.path or 'the array'}: {n} of {total} chunks are missing; the store was copied or written in part. "
        "Copy or write it again"
    )
