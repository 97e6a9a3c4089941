"""Readers of what users bring, one module per format.

A reader turns a path into an AnnData object: values in ``X``, the input's own cell ids and feature names, coordinates
in ``obsm['spatial']`` and, where the format tells it, their unit in ``uns['spatial_unit']``. It does not judge: that
is done once, for all formats, by `semanticst.io.ingest`. To add a format, write a module with a `Reader` and put it
into `READERS`.
"""

from semanticst.io.readers.base import Reader, ReadError
from semanticst.io.readers.h5ad import H5AD

__all__ = ["READERS", "ReadError", "Reader", "reader_for"]

READERS: tuple[Reader, ...] = (H5AD,)
"""Readers in the order in which they are asked; the first that recognises the path reads it."""


def reader_for(path, platform: str) -> Reader:
    """The reader of ``path``; ``platform`` is what the samplesheet says, or ``""``.

    Raises ReadError when there is none.
    """
    if not path.exists():
        raise ReadError("no such file or folder")
    for reader in READERS:
        if reader.recognises(path, platform):
            return reader
    kind = "folder" if path.is_dir() else f"file ending '{path.suffix}'"
    raise ReadError(f"this kind of input ({kind}) cannot be read; expected: " + ", ".join(r.expects for r in READERS))
