"""Picture of the tissue that came with a sample: its copies, and how its pixels lie among the coordinates.

A reader says where a picture is (`semanticst.io.readers.pictures`); nothing is decoded before a
thumbnail is made of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

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
