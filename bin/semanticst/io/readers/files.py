"""Opening the files of a folder: gzipped or not, tables of millions of rows, and errors that name the file."""

import codecs
import gzip
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pandas as pd

from semanticst.io.readers.base import ReadError, damaged, find_file, needed_columns
from semanticst.io.readers.unpacking_limit import UnpackingLimit

ZIPPED_TEXT = (".geojson.zip", ".json.zip")
"""Endings of texts that programs offer to pack as they export them."""
HEAD = 1 << 16
"""Bytes of a text by which its encoding is told."""


@contextmanager
def reading(file: Path, kind: str) -> Iterator[None]:
    """Let every error of the block become a ReadError that names ``file``."""
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{file.name}: {error}") from None
    except MemoryError:
        raise
    except UnicodeDecodeError as error:
        raise not_utf8(file, error) from error
    except Exception as error:
        raise damaged(file, kind, error) from error


def not_utf8(file: Path, error: UnicodeDecodeError) -> ReadError:
    """A ReadError for text whose beginning is UTF-8 and which goes on otherwise."""
    around = error.object[max(0, error.start - 20) : error.end + 5].decode("ascii", "replace").strip()
    around = " ".join(around.split()).replace("\ufffd", "?")
    return ReadError(
        f"{file.name}: not UTF-8 throughout (byte {error.object[error.start]:#x} in '{around}'); save it as CSV UTF-8"
    )


def open_bytes(file: Path) -> BinaryIO:
    """Open a file that may be gzipped, or GeoJSON as the only file in a .zip (QuPath).

    The content tells, since downloads are unpacked without being renamed. What is read of a packed one
    raises ReadError beyond the limits of `semanticst.io.readers.unpacking_limit`.
    """
    with file.open("rb") as opened:
        start = opened.read(2)
    if start == b"PK" and file.name.lower().endswith(ZIPPED_TEXT):
        return cast(BinaryIO, io.BufferedReader(_Unzipped(file, _only_member(file)), HEAD))
    if start != b"\x1f\x8b":
        return file.open("rb")
    return cast(BinaryIO, io.BufferedReader(_Unzipped(file, gzip.GzipFile(file)), HEAD))


def _only_member(file: Path) -> io.BufferedIOBase:
    """The one file that a .zip holds, beside what macOS adds. Raises ReadError for none or several, and a password."""
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if not re.search(r"(^|/)(__MACOSX/|\.[^/]*$)|/$", name)]
    if len(names) != 1:
        archive.close()
        raise ReadError(f"{len(names)} files are packed in it, one is expected; unpack it, and give the one")
    return cast(io.BufferedIOBase, archive.open(names[0]))


class _Unzipped(io.RawIOBase):
    """A packed file that is not unpacked without end."""

    def __init__(self, file: Path, opened: io.BufferedIOBase):
        self.zipped, self.limit = opened, UnpackingLimit(file.stat().st_size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        n = self.zipped.readinto(buffer)
        self.limit.take(max(0, self.zipped.tell() - self.limit.taken))  # what is read again is counted once
        return n

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.zipped.seek(offset, whence)

    def tell(self) -> int:
        return self.zipped.tell()

    def close(self) -> None:
        self.zipped.close()
        super().close()


def open_text(file: Path) -> BinaryIO:
    """Open a text that may be gzipped, as UTF-8 without a byte-order mark whatever it is stored as; see `encoding_of`.

    What is read is made anew where the file is no UTF-8, so that it cannot be sought in.
    """
    encoding = encoding_of(file)
    opened = open_bytes(file)
    if encoding == "utf-8-sig":
        opened.read(len(codecs.BOM_UTF8))
    return opened if encoding.startswith("utf-8") else cast(BinaryIO, io.BufferedReader(_Recoded(opened, encoding)))


def encoding_of(file: Path) -> str:
    """utf-8, utf-8-sig or utf-16 (each with its mark), or cp1252, by the first bytes.

    Windows-1252 (with Latin-1 in it) is what programs on Windows write; in numbers and names it differs in such as the
    micro sign. Raises ReadError when it is no text, and where the bytes do not tell.
    """
    with open_bytes(file) as opened:
        start = opened.read(HEAD)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start.startswith(b"\x1f\x8b"):
        raise ReadError("it is packed twice (.gz in .gz); unpack it once")
    if b"\0" in start:
        raise ReadError("no text, or UTF-16 without its mark; save it as CSV UTF-8")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
        return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
    except UnicodeDecodeError:
        pass  # tried as the other one
    try:
        start.decode("cp1252")
    except UnicodeDecodeError as error:
        row = start[: error.start].count(b"\n") + 1
        raise ReadError(
            f"neither UTF-8 nor Windows-1252 (Latin-1): byte {start[error.start]:#x} in row {row}; save it as CSV UTF-8"
        ) from None
    return "cp1252"


class _Recoded(io.RawIOBase):
    """A text as UTF-8, read from a file of another encoding."""

    def __init__(self, opened: BinaryIO, encoding: str):
        self.text, self.rest = io.TextIOWrapper(opened, encoding, newline=""), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self.rest = self.rest or self.text.read(HEAD).encode()
        n = min(len(buffer), len(self.rest))
        buffer[:n], self.rest = self.rest[:n], self.rest[n:]
        return n

    def close(self) -> None:
        self.text.close()
        super().close()


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
