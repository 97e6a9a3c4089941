"""Packed samples: a .gz of one file, a .zip or .tar of a folder. Unpacked into a folder that goes afterwards.

An archive is written by others: nothing of it leaves the folder, links are refused, and what grows beyond any measure
(a bomb) is stopped while it is unpacked, whatever its own list says of the sizes.
"""

import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

import anndata as ad

from semanticst.io.readers.base import PACKED, Reader, ReadError, Wanted
from semanticst.io.readers.files import open_bytes
from semanticst.io.readers.unpacking_limit import UnpackingLimit
from semanticst.wording import listed

MOST_NESTED = 3
"""Archives within one another, as a .h5ad.gz in the .tar of GEO; one that holds itself has no end."""
MOST_DEEP = 4
"""Levels of folders that are looked at for the sample."""
MOST_FILES = 2_000_000
"""A store of a large sample holds as many chunks; a bomb may hold more."""
SPARE = 1 << 30
"""Bytes of the disk that stay free."""
BLOCK = 1 << 20
SKIPPED = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._[^/]*$|images/)")
"""What macOS adds, and the images of a SpatialData store, which are most of it and not read."""
ONE_FILE = re.compile(r"\.(h5ad|gef)\.gz$", re.IGNORECASE)
DAMAGE = (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile, tarfile.TarError)

Entries = Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]
"""Name, whether it is a folder, and how to open it."""


def read_packed(path: Path, wanted: Wanted) -> ad.AnnData:
    """Unpack a sample and read what is in it. Raises ReadError, also for archives that are unsafe or hold no sample."""
    from semanticst.io.readers import is_sample, reader_for

    if wanted.n_packed >= MOST_NESTED:
        raise ReadError(f"an archive in {MOST_NESTED} others; unpack the outer ones, and give what was in them")
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=wanted.scratch) as place:
        limit = wanted.limit or UnpackingLimit(path.stat().st_size)
        packed = unpack(path, Path(place), limit)
        inside = sample_below(packed, is_sample)
        reader = reader_for(inside, wanted.platform)
        adata = reader.read(inside, replace(wanted, n_packed=wanted.n_packed + 1, limit=limit))
        if "picture" in adata.uns:
            adata.uns["picture"] = adata.uns["picture"].held()
    adata.uns["format"] = reader.name
    if inside != packed:
        note = f"of {path.name} only {inside.relative_to(packed).as_posix()} is read, the only sample in it"
        adata.uns["notes"] = [*adata.uns.get("notes", ()), note]
    return adata


def sample_below(folder: Path, is_sample: Callable[[Path], bool]) -> Path:
    """The only folder below ``folder`` that is a sample; ``folder`` itself where it is one, or there is not just one.

    A sample's own folders are not looked into. Raises ReadError with the names where there are several.
    """
    level = [folder]
    for _ in range(MOST_DEEP):
        found = [place for place in level if is_sample(place)]
        if len(found) > 1:
            names = listed([place.relative_to(folder).as_posix() for place in sorted(found)], 4)
            raise ReadError(f"it holds {len(found)} samples ({names}); unpack it, and give each a row")
        if found:
            return found[0]
        level = [below for place in level if place.is_dir() for below in place.iterdir() if below.is_dir()]
    return folder


def unpack(path: Path, place: Path, limit: UnpackingLimit | None = None) -> Path:
    """Unpack ``path`` into the empty folder ``place``; returns the file or folder that holds the sample.

    limit : of this archive and those that it is in together; that of this one alone where there is none.

    Raises ReadError when an entry would leave the folder, is a link or no file, when the archive is damaged, protected
    by a password, or grows without measure.
    """
    limit = limit or UnpackingLimit(path.stat().st_size)
    limit.free = limit.taken + shutil.disk_usage(place).free - SPARE
    try:
        if ONE_FILE.search(path.name):
            _write(place, path.name[:-3], False, partial(open_bytes, path), limit)
            return place / path.name[:-3]
        ending = next(e for e in PACKED if path.name.lower().endswith(e))
        folder = place / (path.name[: -len(ending)] or "sample")
        folder.mkdir()
        entries = _zip_entries if ending == ".zip" else _tar_entries
        for number, (name, is_folder, opened) in enumerate(entries(path)):
            if number >= MOST_FILES:
                raise ReadError(f"more than {MOST_FILES:,} files are packed in it")
            _write(folder, name, is_folder, opened, limit)
    except DAMAGE as error:
        raise ReadError(f"cannot be unpacked; damaged or incomplete? Copy it again ({error})") from error
    # a folder that holds one folder was packed with its name
    while len(found := list(folder.iterdir())) == 1:
        folder = found[0]
        if folder.is_file():
            return folder
    if not found:
        raise ReadError("nothing is packed in it")
    return folder


def _write(place: Path, name: str, is_folder: bool, opened: Callable[[], IO[bytes]], limit: UnpackingLimit) -> None:
    target = place / _inside(name)
    if is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened() as source, target.open("xb") as out:
        while block := source.read(BLOCK):
            limit.take(len(block))
            out.write(block)


def _inside(name: str) -> PurePosixPath:
    """A path below the folder. Raises ReadError for one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", name) or "\0" in name:
        raise ReadError(f"unsafe: {name!r} would be written outside of the folder")
    return path


def _zip_entries(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if SKIPPED.search(entry.filename):
                continue
            if entry.flag_bits & 1:
                raise ReadError("it is protected by a password; unpack it, and give the folder")
            mode = entry.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ReadError(f"unsafe: {entry.filename!r} is a link or no file")
            yield entry.filename, entry.is_dir(), partial(archive.open, entry)


def _tar_entries(path: Path) -> Entries:
    with tarfile.open(path, "r:*") as archive:
        for entry in archive:
            if SKIPPED.search(entry.name):
                continue
            if not entry.isreg() and not entry.isdir():
                raise ReadError(f"unsafe: {entry.name!r} is a link or no file")
            yield entry.name, entry.isdir(), partial(_open_entry, archive, entry)


def _open_entry(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(entry)
    if opened is None:
        raise ReadError(f"unsafe: {entry.name!r} is a link or no file")
    return opened


def _recognises(path: Path) -> bool:
    return path.is_file() and (path.name.lower().endswith(PACKED) or bool(ONE_FILE.search(path.name)))


ARCHIVE = Reader(
    name="packed",
    expects="one of these, packed (.zip, .tar, .tar.gz; .h5ad.gz)",
    recognises=_recognises,
    read=read_packed,
)
