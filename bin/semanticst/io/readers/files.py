"""Opening the files of a folder: gzipped or not, tables of millions of rows, and errors that name the file."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd

from semanticst.io.readers.base import ReadError, damaged, find_file, needed_columns


@contextmanager
def reading(file: Path, kind: str) -> Iterator[None]:
    """Let every error of the block become a ReadError that names ``file``."""
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{file.name}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:
        raise damaged(file, kind, error) from error


def open_bytes(file: Path) -> BinaryIO:
    """Open a file that may be gzipped; its content tells, since downloads are unpacked without being renamed."""
    with file.open("rb") as opened:
        zipped = opened.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(file, "rb") if zipped else file.open("rb"))


def read_start(folder: Path, *patterns: str, size: int = 1 << 22) -> bytes:
    """The first bytes of the file that matches, unpacked; nothing where there is none. Raises ReadError on damage."""
    file = find_file(folder, *patterns)
    if file is None:
        return b""
    with reading(file, "text"), open_bytes(file) as opened:
        return opened.read(size)


def parquet_columns(file: Path) -> list[str]:
    """Names of the columns of a parquet table. Raises ReadError when it is damaged."""
    import pyarrow.parquet as pq

    with reading(file, "a parquet table"):
        return pq.read_schema(file).names


def read_parquet(file: Path, needed: Iterable[str], wanted: Iterable[str] = ()) -> pd.DataFrame:
    """The columns ``needed`` of a parquet table, and those of ``wanted`` that are there; no others are loaded.

    Raises ReadError when the file is damaged, or a needed column missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = parquet_columns(file)
    needed_columns(names, needed, file)
    with reading(file, "a parquet table"):
        columns = [*needed, *(c for c in wanted if c in names)]
        # ids repeat nowhere, and looking for repeats takes more memory than the ids themselves
        table = pq.read_table(file, columns=columns).to_pandas(deduplicate_objects=False)
    pa.default_memory_pool().release_unused()  # the matrix is read next, and needs it
    return table
