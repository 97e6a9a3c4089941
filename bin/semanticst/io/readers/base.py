"""What a reader is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anndata as ad


class ReadError(Exception):
    """The input cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class Reader:
    """One input format."""

    name: str
    expects: str
    """The format in a few words, for messages."""
    recognises: Callable[[Path, str], bool]
    """Of a path and the platform that the samplesheet states: is this the format?"""
    read: "Callable[[Path], ad.AnnData]"
    """Raises ReadError."""
