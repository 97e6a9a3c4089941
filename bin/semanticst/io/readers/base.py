"""The form of a reader, and functions that all readers use."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from semanticst.errors import ReadError
from semanticst.io.readers.unpacking_limit import UnpackingLimit

if TYPE_CHECKING:
    import anndata as ad


AREA_IN_UNITS = "cell_area_in_units"
"""Column of ``obs`` with areas in squared units of the coordinates; ``cell_area`` where the scale is known."""


@dataclass(frozen=True)
class Wanted:
    """What the samplesheet says about how a sample is to be read; empty where it says nothing."""

    platform: str = ""
    bin_size: float | None = None
    """Side of the bins in micrometres, for formats that hold several."""
    table: str = ""
    """Name of the table, for formats that hold several."""
    feature_type: str = ""
    scratch: Path | None = None
    """Folder for what has to be unpacked; the system's where it is not given."""
    in_parts: bool = False
    """Whether samples are parts of the input: then several sections in it are what is expected."""
    part_columns: tuple[str, ...] = ()
    """Names of the columns of the cells that tell the parts; kept in ``obs`` under their own names."""
    n_packed: int = 0
    """Archives that the input was unpacked from, one in the other."""
    limit: UnpackingLimit | None = None
    """Of these archives together."""


@dataclass(frozen=True)
class Reader:
    """One input format.

    ``read`` gives an AnnData object, which `semanticst.io.ingest` judges and brings into the internal form:

    X : sparse (CSR if it costs nothing) or dense, n_cells x n_features, values as they came, control features included.
    obs : index = the vendor's own cell ids, made unique as the vendor does it (``fov_cell``); of the columns only what
        later steps can use: ``cell_area`` (square micrometres) or `AREA_IN_UNITS`, ``cell_type``, ``array_row``,
        ``array_col``, ``in_tissue`` (cells with 0 are left out), and what tells sections apart
        (`semanticst.io.several_sections`).
    var : index = gene symbols where there are any (they may repeat), else ids; ``gene_id`` where there is one beside
        the symbol; ``control`` (bool) where the format tells control features (negative probes, blanks, codewords), or
        ``feature_types`` as 10x Genomics names them.
    obsm['spatial'] : n_cells x 2, x (to the right) and y (down, as in an image), in the unit of the file; or x 3
        with z, which tells a stack of sections. NaN for cells without coordinates, which ingest leaves out.
    uns['spatial_unit'] : ``um``, ``mm``, ``px``, or ``unknown``.
    uns['um_per_unit'] : float, micrometres per unit of the coordinates, where the format tells it and they are no
        micrometres already, with ``uns['um_per_unit_source']``, where it comes from in a few words.
    uns['platform'] : the platform, as `assets/schema_input.json` spells it, where the format tells it.
    uns['matrix'] : where the values are, a file of the folder or a part of the object (``raw/X``); left out where that
        is the path itself.
    uns['picture'] : a picture of the tissue (`semanticst.plotting.picture.Picture`), where there is one.
    uns['notes'] : list of short sentences about what was decided (cells without a position left out, ...).
    uns['warnings'] : those that quality control shows as a reason to look at the sample, where there are any.
    """

    name: str
    expects: str
    """The format in a few words, for messages."""
    recognises: Callable[[Path], bool]
    """Is this path of the format? Looks at names, not into files, unless that is cheap."""
    read: "Callable[[Path, Wanted], ad.AnnData]"
    """Raises ReadError, which names the file inside the folder, what was expected, and what to do."""
    platforms: tuple[str, ...] = field(default=())
    """Platforms that only this reader reads: when the samplesheet names one, this reader is taken."""


def visible(folder: Path, pattern: str = "*") -> list[Path]:
    """Entries of a folder in order, without those that are hidden: macOS puts a ``._name`` beside each file."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def find_file(folder: Path, *patterns: str) -> Path | None:
    """The one file of ``folder`` that matches the first pattern that any file matches; None when none does.

    Raises ReadError when a pattern matches several files: which one is meant cannot be guessed.
    """
    for pattern in patterns:
        found = visible(folder, pattern)
        if len(found) > 1:
            names = ", ".join(p.name for p in found)
            raise ReadError(f"several files match {pattern}: {names}; leave one of them in the folder")
        if found:
            return found[0]
    return None


def needed_file(folder: Path, *patterns: str, what: str) -> Path:
    """As `find_file`, but a missing file is a ReadError that says ``what`` was expected and what the folder holds."""
    found = find_file(folder, *patterns)
    if found is None:
        held = f"the folder holds {file_names(folder)}{still_packed(folder)}"
        raise ReadError(f"{what} is missing: expected {' or '.join(patterns)}; {held}")
    return found


def needed_columns(columns: Iterable[str], wanted: Iterable[str], file: Path) -> None:
    """Raise ReadError when a table lacks columns; the message names the file and both sets of columns."""
    columns = list(columns)
    missing = [c for c in wanted if c not in columns]
    if missing:
        shown = ", ".join(map(str, columns[:12])) + (", ..." if len(columns) > 12 else "")
        raise ReadError(f"{file.name}: column {', '.join(missing)} is missing; columns found: {shown}")


AGAIN = "copy or export it again"
"""What to do about a file that contradicts itself."""


STORE = "store the centroids of the cells as obsm['spatial'] of the table"
"""What to do about places of a SpatialData store that cannot be read."""


def damaged(file: Path, kind: str, error: Exception) -> ReadError:
    """A ReadError for a file that a library failed on: libraries raise nearly anything on damaged files."""
    return ReadError(f"{file.name} cannot be read as {kind}; {what_ails(file, error)}")


def what_ails(file: Path, error: Exception) -> str:
    """Why a library failed on a file, and what to do."""
    if found := no_data(file):
        return found
    why = (str(error).splitlines() or [""])[0] or type(error).__name__
    if FILTER.search(why):
        return "it is compressed by a filter of hdf5plugin (zstd, blosc); write it again with compression='gzip'"
    return f"damaged or incomplete? Copy or export it again ({why})"


FILTER = re.compile(r"/plugin|filter .*(not|un)(available| available| registered)|required filter", re.IGNORECASE)
"""What HDF5 says of data that need a filter which is not there."""


def no_data(file: Path) -> str:
    """What a file holds in the place of its data, as failed downloads leave it, and what to do; ``""`` for others."""
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        start = opened.read(64)
    if not start:
        return "the file is empty; copy it again"
    start = start.lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS and not the data: git lfs pull brings them"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page: the download failed, or asked for a login. Download it again"
    return ""


PACKED = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip")
"""Endings of archives."""


def still_packed(folder: Path) -> str:
    """A hint at archives that lie in ``folder``, which hold what is missed; empty where there are none."""
    names = sorted(p.name for p in folder.iterdir() if p.name.lower().endswith(PACKED))
    return f"; still packed? Unpack {', '.join(names[:4])}" if names else ""


def file_names(folder: Path) -> str:
    """The first files of a folder, for messages."""
    names = sorted(p.name for p in folder.iterdir())
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
