"""Everything that a run published, as bytes in which a text can be sought: also what is packed in other files."""

import base64
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from explorer_helpers import columns

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")
_PDF_SHOWN = re.compile(rb"\[((?:\((?:\\.|[^()\\])*\)|[^\]()])*)\]\s*TJ", re.S)
_PDF_TEXT = re.compile(rb"\(((?:\\.|[^()\\])*)\)")
_PDF_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.S)


def published(outdir: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of all that lies under ``outdir``: names of files themselves, and what is inside packed ones."""
    for path in sorted(outdir.rglob("*")):
        name = path.relative_to(outdir).as_posix()
        yield f"the name {name}", name.encode()
        if path.is_file():
            yield from inside(name, path.read_bytes())
            if path.suffix == ".h5ad":
                yield name, b"\n".join(_texts_of_hdf5(path))
            if name.startswith("explorer/data/section_"):
                yield name, "\n".join(columns(path)["ids"]).encode()


def inside(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """``content``, and what is packed in it: gzip, zip (also model.pt), streams of a PDF, base64 in a page."""
    yield name, content
    if content[:2] == b"\x1f\x8b":
        yield from inside(f"{name} (unpacked)", gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        yield from _members(name, content)
    elif content[:5] == b"%PDF-":
        for stream in _PDF_STREAM.findall(content):
            yield f"{name} (stream)", _with_words(_unpacked(stream))
    elif name.endswith((".html", ".json", ".js")):
        for packed in _BASE64.findall(content):
            text = base64.b64decode(packed + b"=" * (-len(packed) % 4))
            yield from inside(f"{name} (base64)", text)


def _members(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    import io

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            yield from inside(f"{name}: {member}", archive.read(member))


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:  # a stream that is not packed
        return stream


def _with_words(stream: bytes) -> bytes:
    """The stream, and its words without the moves between their letters: ``[(S4) 12 (K7)] TJ`` says S4K7."""
    words = [b"".join(_PDF_TEXT.findall(shown)) for shown in _PDF_SHOWN.findall(stream)]
    return stream + b"\n" + b"\n".join(words)


def _texts_of_hdf5(path: Path) -> list[bytes]:
    """All texts of an HDF5 file: names, attributes and values, which may be packed."""
    found: list[bytes] = []

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        found.append(name.encode())
        found.extend(str(value).encode() for value in item.attrs.values())
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "OS":
            values = item[()].ravel() if item.shape else [item[()]]
            found.extend(one if isinstance(one, bytes) else str(one).encode() for one in values)

    with h5py.File(path) as file:
        file.visititems(look)
    return found
