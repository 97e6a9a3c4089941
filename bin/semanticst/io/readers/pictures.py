"""Pictures of the tissue that lie beside the cells: H&E, or another stain as the instrument took it.

A reader says where a picture is and how its pixels lie among the coordinates; nothing is decoded before a thumbnail is
made (`semanticst.io.thumbnail`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semanticst.io.readers.base import find_file
from semanticst.io.readers.files import open_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
"""A level with more pixels is not decoded: 150 MB of memory as RGB. Images of that size come with smaller copies."""
STRETCHED = (0.5, 99.8)
"""Percentiles of a fluorescence channel that become black and white."""


@dataclass(frozen=True)
class Level:
    """One copy of a picture, of some resolution."""

    width: int
    height: int
    """Pixels."""
    to_file: np.ndarray
    """3 x 3: takes x, y, 1 in pixels (the upper left corner of the picture is 0, 0) to the coordinates of the file."""
    load: "Callable[[], Image]"
    """Decodes it; may raise nearly anything on a damaged file."""
    source: str = ""
    """File or part of the object, where the copies have several."""


@dataclass(frozen=True)
class Picture:
    """A picture of the tissue; ``levels`` from the finest to the coarsest."""

    source: str
    """File or part of the object that it is from."""
    levels: tuple[Level, ...]

    def held(self) -> "Picture":
        """The same with its finest level that is not too large in memory, for files that will be gone."""
        level = next((level for level in self.levels if level.width * level.height <= MOST_PIXELS), None)
        try:
            image = level.load() if level else None
        except Exception:  # damaged: whoever makes the thumbnail meets it again, and tells
            image = None
        if level is None or image is None:
            return self
        return replace(self, levels=(replace(level, load=lambda: image),))


def scaled(factor: float) -> np.ndarray:
    """3 x 3 matrix of a picture with ``factor`` units of the file per pixel, whose corner lies at 0, 0."""
    return np.diag([factor, factor, 1.0])


def spaceranger_picture(spatial: Path, factors: dict) -> Picture | None:
    """The picture of a ``spatial`` folder of Space Ranger, of which the file coordinates are full-resolution pixels.

    Raises ReadError when several files would do. None where there is no picture, or its scale is not known.
    """
    levels = []
    for name in ("hires", "lowres"):
        files = [f"{prefix}tissue_{name}_image.{end}" for prefix in ("", "*") for end in ("png", "jpg", "png.gz")]
        file = find_file(spatial, *files)
        factor = factors.get(f"tissue_{name}_scalef")
        if file and isinstance(factor, int | float) and np.isfinite(factor) and factor > 0:
            size = _size(file)
            if size:
                levels.append(Level(*size, scaled(1 / factor), partial(open_image, file), file.name))
    return Picture(levels[0].source, tuple(levels)) if levels else None


def object_picture(uns) -> Picture | None:
    """The picture in ``uns['spatial']`` of an AnnData object, as scanpy writes it; ``uns`` is a group of h5py or zarr.

    None where there is none, where there are several libraries, and where the scale is missing.
    """
    held = uns.get("spatial", {})
    libraries = [] if hasattr(held, "shape") else [held[name] for name in held]
    libraries = [library for library in libraries if not hasattr(library, "shape") and "images" in library]
    if len(libraries) != 1 or "scalefactors" not in libraries[0]:
        return None
    images, factors, levels = libraries[0]["images"], libraries[0]["scalefactors"], []
    for name in ("hires", "lowres"):
        if name not in images or f"tissue_{name}_scalef" not in factors:
            continue
        stored, factor = images[name], float(np.ravel(factors[f"tissue_{name}_scalef"][()])[0])
        if stored.ndim in (2, 3) and factor > 0:
            height, width = stored.shape[:2]
            load, source = partial(_stored_image, _place(stored)), str(stored.name).strip("/")
            levels.append(Level(width, height, scaled(1 / factor), load, source))
    return Picture(levels[0].source, tuple(levels)) if levels else None


def _place(stored) -> "tuple[str, str] | object":
    """Of an array of HDF5 its file and name, since the file will be closed; a Zarr array is its own place."""
    return (str(stored.file.filename), str(stored.name)) if hasattr(stored, "file") else stored


def _stored_image(place) -> "Image":
    import h5py

    if not isinstance(place, tuple):
        return image_of(np.asarray(place[:]))
    with h5py.File(place[0], "r") as file:
        return image_of(file[place[1]][:])


def open_image(file: Path) -> "Image":
    """The picture of a file (PNG, JPEG, TIFF; may be gzipped), decoded."""
    from PIL import Image

    with open_bytes(file) as opened:
        image = Image.open(opened)
        image.load()
        return image


def _size(file: Path) -> tuple[int, int] | None:
    """Width and height; None where it is no picture: the counts can be read all the same."""
    from PIL import Image, UnidentifiedImageError

    try:
        with open_bytes(file) as opened, Image.open(opened) as image:
            return image.size
    except (UnidentifiedImageError, OSError, EOFError, Image.DecompressionBombError):
        return None


def image_of(values: np.ndarray, channel: int = 0) -> "Image":
    """A picture of an array: y, x, or y, x, colours, of which one to four are there.

    Three or four colours of bytes, or of fractions of 1, are RGB; of other arrays ``channel`` is shown in grey.
    """
    from PIL import Image

    if values.ndim == 3 and values.shape[2] in (3, 4):
        if values.dtype == np.uint8:
            return Image.fromarray(np.ascontiguousarray(values))
        if values.dtype.kind == "f" and np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
            return Image.fromarray((np.nan_to_num(values) * 255).round().astype(np.uint8))
        if values.dtype.kind == "f" and np.nanmin(values) >= 0 and 1 < np.nanmax(values) <= 255:
            return Image.fromarray(np.nan_to_num(values).round().astype(np.uint8))
    if values.ndim == 3:
        values = values[:, :, min(channel, values.shape[2] - 1)]
    return Image.fromarray(stretched(values))


def stretched(values: np.ndarray) -> np.ndarray:
    """A channel as bytes, y x x: the percentiles of `STRETCHED` become black and white."""
    values = np.nan_to_num(np.asarray(values, np.float32))
    low, high = np.percentile(values, STRETCHED)
    if high <= low:
        low, high = float(values.min()), float(values.max())
    width = high - low if high > low else 1.0
    return (np.clip((values - low) / width, 0, 1) * 255).round().astype(np.uint8)
