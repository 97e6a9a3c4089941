"""Readers of what users bring, one module per format.

A reader turns a path into an AnnData object (see `semanticst.io.readers.base.Reader`). It does not judge: that is done
once, for all formats, by `semanticst.io.ingest`. To add a format, write a module with a `Reader` and put it into
`READERS`.
"""

from pathlib import Path

from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.readers.cosmx import COSMX
from semanticst.io.readers.h5ad import H5AD
from semanticst.io.readers.merscope import MERSCOPE
from semanticst.io.readers.packed import ARCHIVE
from semanticst.io.readers.parts import foreign, need_whole_sample, parts_only
from semanticst.io.readers.segmentation_tools import BAYSOR, PROSEG, STEINBOCK
from semanticst.io.readers.slideseq import SLIDESEQ
from semanticst.io.readers.spatialdata import SPATIALDATA
from semanticst.io.readers.stereoseq import STEREOSEQ
from semanticst.io.readers.tables import PAIR, SINGLE
from semanticst.io.readers.visium import VISIUM
from semanticst.io.readers.visium_hd import VISIUM_HD
from semanticst.io.readers.xenium import XENIUM
from semanticst.wording import listed

__all__ = ["READERS", "ReadError", "Reader", "Wanted", "reader_for"]

READERS: tuple[Reader, ...] = (
    H5AD,
    VISIUM_HD,
    VISIUM,
    XENIUM,
    COSMX,
    MERSCOPE,
    SLIDESEQ,
    STEREOSEQ,
    SPATIALDATA,
    PROSEG,
    BAYSOR,
    STEINBOCK,
    PAIR,
    SINGLE,
    ARCHIVE,
)
"""Readers in the order in which they are asked; the first that recognises the path reads it."""
SAMPLE_FILES = (".h5ad", ".gef", ".gem")
MOST_BELOW = 50
"""Entries of a folder that are looked at when it is no sample itself."""


def reader_for(path: Path, platform: str) -> Reader:
    """The reader of ``path``. What the path holds goes first, since an .h5ad file may hold any platform.

    Parameters
    ----------
    path
        A file or folder.
    platform
        What the samplesheet says, or ``""``.

    Returns
    -------
    Reader
        The first of ``READERS`` that recognises the path.

    Raises
    ------
    ReadError
        When no reader recognises it, or when it holds another vendor's format than the platform that is stated.

    Examples
    --------
    ``folder`` has ``s1.components.h5ad``.

    >>> reader_for(folder / "s1.components.h5ad", "xenium").name
    'h5ad'
    """
    if not path.exists():
        raise ReadError("no such file or folder")
    need_whole_sample(path)
    owner = next((r for r in READERS if platform and platform in r.platforms), None)
    if owner and owner.recognises(path):
        return owner
    found = next((r for r in READERS if r.recognises(path)), None)
    if found and found.platforms and platform and platform not in found.platforms:
        raise ReadError(f"platform {platform} is stated, but this is {found.expects}; correct the samplesheet")
    if found:
        return found
    partly = "" if owner or not path.is_dir() else parts_only(path)  # an owner says best what is missing
    what = (partly or _samples_inside(path)) if path.is_dir() else foreign(path)
    if owner and path.is_dir() and not what:
        # an owner that does not recognise the folder says best what is missing
        return owner
    kind = "folder" if path.is_dir() else f"file ending '{path.suffix}'"
    expected = "expected: " + (owner.expects if owner else "; ".join(r.expects for r in READERS))
    raise ReadError(f"this kind of input ({kind}) cannot be read{': ' if what else '; '}{what or expected}")


def _samples_inside(folder: Path) -> str:
    """That samples lie in the folder, which is mostly one too far up; empty when none does."""
    below = sorted(p for p in folder.iterdir() if p.is_dir() or p.suffix.lower() in SAMPLE_FILES)[:MOST_BELOW]
    names = [p.name for p in below if not p.name.startswith(".") and is_sample(p)]
    if not names and not below:
        tables = sorted(p for p in folder.iterdir() if SINGLE.recognises(p) and not p.name.startswith("."))
        names = [p.name for p in tables[:MOST_BELOW] if is_sample(p)]
        if names:
            return f"it holds tables that are no pair of counts and coordinates; give one of them: {listed(names, 4)}"
    return f"it is the folder above a sample; give {', '.join(names[:4])}, each with a row" if names else ""


def is_sample(path: Path) -> bool:
    """Whether a reader recognises the path, and it is no part of an instrument's folder."""
    try:
        need_whole_sample(path)
    except ReadError:
        return False
    return any(reader.recognises(path) for reader in READERS)
