"""Copies of a tiled TIFF picture, such as the OME-TIFF files of Xenium, of which only a small one is wanted.

Pillow opens no TIFF with tiles of JPEG 2000, but it decodes such a tile. Layout: TIFF 6.0, BigTIFF, and the SubIFDs
in which OME-TIFF keeps smaller copies (https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html).
"""

import io
import re
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from semanticst.errors import ReadError
from semanticst.plotting.picture import Level, Picture, image_of, scaled

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT, BITS, COMPRESSION, DESCRIPTION, SAMPLES, PREDICTOR = 256, 257, 258, 259, 270, 277, 317
TILE_WIDTH, TILE_HEIGHT, OFFSETS, SIZES, SUB_IFDS = 322, 323, 324, 325, 330
TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Types of values: bytes, text, and whole numbers of several sizes."""
NONE, DEFLATE, JPEG_2000 = (1,), (8, 32946), (33003, 33004, 33005, 34712)
MOST_TAGS = 4096


@dataclass(frozen=True)
class Copy:
    """One copy of a picture in a file: its tags."""

    file: Path
    order: str
    tags: dict[int, list[int]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.tags[WIDTH][0], self.tags[HEIGHT][0]


def tiff_picture(file: Path, um_per_px: float | None) -> Picture | None:
    """The first picture of a tiled TIFF with its smaller copies, whose pixels count from the corner of the coordinates.

    um_per_px : of the largest copy; None: what the OME description of the file says. None where the file is no tiled
    TIFF, or the size of a pixel is not known: the cells do without a thumbnail.
    """
    try:
        copies, description = _copies(file)
    except (OSError, ValueError, struct.error, KeyError, IndexError):
        return None
    um_per_px = um_per_px or _physical_size(description)
    if not copies or um_per_px is None:
        return None
    width = copies[0].size[0]
    copies = sorted(copies, key=lambda copy: -copy.size[0])
    levels = [Level(*copy.size, scaled(um_per_px * width / copy.size[0]), partial(decoded, copy)) for copy in copies]
    return Picture(file.name, tuple(levels))


def decoded(copy: Copy) -> "Image":
    """The picture of a copy. Raises ReadError when its tiles are packed in a way that is not known here."""
    tags, (width, height) = copy.tags, copy.size
    n, across, down = tags.get(SAMPLES, [1])[0], tags[TILE_WIDTH][0], tags[TILE_HEIGHT][0]
    kind, bits = tags.get(COMPRESSION, [1])[0], tags.get(BITS, [8])[0]
    if kind not in (*NONE, *DEFLATE, *JPEG_2000) or bits not in (8, 16) or n not in (1, 3):
        raise ReadError(f"compression {kind}, {n} samples of {bits} bits")
    if tags.get(PREDICTOR, [1])[0] != 1:
        raise ReadError(f"predictor {tags[PREDICTOR][0]}")
    pixels = np.zeros((height, width, n), np.dtype(f"{copy.order}u{bits // 8}"))
    columns = -(-width // across)
    with copy.file.open("rb") as opened:
        for number, (offset, size) in enumerate(zip(tags[OFFSETS], tags[SIZES])):
            row, column = number // columns * down, number % columns * across
            if not size or row >= height:
                continue  # a tile without content, or of a further plane
            opened.seek(offset)
            tile = _tile(opened.read(size), kind, pixels.dtype).reshape(-1, across, n)
            pixels[row : row + down, column : column + across] = tile[: height - row, : width - column]
    return image_of(pixels[:, :, 0] if n == 1 else pixels)


def _tile(packed: bytes, kind: int, dtype: np.dtype) -> np.ndarray:
    if kind in JPEG_2000:
        from PIL import Image

        with Image.open(io.BytesIO(packed)) as image:
            return np.asarray(image)
    return np.frombuffer(zlib.decompress(packed) if kind in DEFLATE else packed, dtype)


def _copies(file: Path) -> tuple[list[Copy], str]:
    """The first picture of a file and its smaller copies, and its description."""
    with file.open("rb") as opened:
        start = opened.read(16)
        order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        if not order or len(start) < 16:
            raise ValueError("no TIFF")
        (version,) = struct.unpack(f"{order}H", start[2:4])
        if version not in (42, 43):
            raise ValueError("no TIFF")
        big = version == 43
        (first,) = struct.unpack(f"{order}Q", start[8:]) if big else struct.unpack(f"{order}I", start[4:8])
        found = [_directory(opened, first, order, big)]
        found += [_directory(opened, offset, order, big) for offset in found[0].get(SUB_IFDS, [])]
    text = "".join(map(chr, found[0].get(DESCRIPTION, [])))
    needed = {WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT, OFFSETS, SIZES}
    tiled = [Copy(file, order, tags) for tags in found if needed <= set(tags)]
    return tiled, text


def _directory(opened: BinaryIO, offset: int, order: str, big: bool) -> dict[int, list[int]]:
    """Tags of whole numbers and texts (as codes of letters) at an offset."""
    opened.seek(offset)
    (n,) = struct.unpack(order + ("Q" if big else "H"), opened.read(8 if big else 2))
    if n > MOST_TAGS:
        raise ValueError("damaged")
    size, room = (20, 8) if big else (12, 4)
    entries = opened.read(size * n)
    tags = {}
    for at in range(0, size * n, size):
        tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), entries, at)
        if kind not in TYPES:
            continue
        letter = TYPES[kind].replace("c", "B")
        held, value = struct.calcsize(letter) * count, entries[at + size - room : at + size]
        if held > room:
            opened.seek(struct.unpack(order + ("Q" if big else "I"), value)[0])
            value = opened.read(held)
        tags[tag] = np.frombuffer(value[:held], np.dtype(order + letter)).tolist()
    return tags


def _physical_size(description: str) -> float | None:
    """Micrometres per pixel that an OME description states."""
    size = re.search(r'PhysicalSizeX="([\d.eE+-]+)"', description)
    unit = re.search(r'PhysicalSizeXUnit="([^"]*)"', description)
    if size is None or (unit is not None and unit[1] not in ("µm", "um", "\xc2\xb5m", "\u03bcm")):
        return None
    return float(size[1]) or None
