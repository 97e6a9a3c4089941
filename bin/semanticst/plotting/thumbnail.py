"""Thumbnail of the tissue: the picture that came with a sample, cut to its cells, with its scale."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semanticst.plotting.picture import MOST_PIXELS, Level, Picture, stretched
from semanticst.plotting.tissue_place import TissuePlace
from semanticst.units import MICROMETRE, percent
from semanticst.writing import atomic, write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

LONGEST = 1500
"""Pixels of the longer side, at most."""
MOST_BYTES = 1_000_000
MARGIN = 0.05
"""Around the cells, of the longer side of their box."""
COVERED = 0.9
"""Share of the cells that must lie in the picture: else it is of another section, or its scale is wrong."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture of a sample in the coordinates of its cells, x to the right and y down."""

    image: "Image"
    x: float
    y: float
    """Of the upper left corner of the picture, in the unit of the coordinates."""
    units_per_px: float
    source: str


def thumbnail_of(
    picture: Picture, points: np.ndarray, um_per_unit: float, longest: int = LONGEST
) -> tuple[Thumbnail | None, str]:
    """The part of a picture that shows the cells, and a note about it; None where there is none to show.

    points : float, n x 2, coordinates of the cells as results have them. um_per_unit : what those of the file were
    multiplied with to become them, 0 = nothing. Turned and stretched pictures are brought upright.
    """
    levels = [level for level in picture.levels if level.width * level.height <= MOST_PIXELS]
    if not levels:
        return (
            None,
            f"no thumbnail: {picture.source} has more than {MOST_PIXELS / 1e6:g} megapixels and no smaller copy",
        )
    matrices = [np.diag([um_per_unit or 1.0, um_per_unit or 1.0, 1.0]) @ level.to_file for level in levels]
    inside = _covered(levels[0], matrices[0], points)
    if inside < COVERED:
        return None, f"no thumbnail: only {percent(inside)} of the cells lie in the picture {picture.source}"
    low, high = _box(levels[0], matrices[0], points)
    why = ""
    while levels:
        pixels = [float(np.sqrt(abs(np.linalg.det(matrix[:2, :2])))) for matrix in matrices]
        # not finer than the picture is; the coarsest copy that is as fine as that
        step = max(float((high - low).max()) / longest, min(pixels))
        fit = max((i for i, size in enumerate(pixels) if size <= 1.01 * step), key=lambda i: pixels[i])
        level, matrix = levels.pop(fit), matrices.pop(fit)
        image, why = _shown(level, matrix, low, high, step)
        if image is not None:
            found = Thumbnail(image, float(low[0]), float(low[1]), step, level.source or picture.source)
            return found, f"thumbnail: {found.source}, {image.width} x {image.height} px"
    return None, f"no thumbnail: {picture.source} {why}"


def _shown(
    level: Level, matrix: np.ndarray, low: np.ndarray, high: np.ndarray, step: float
) -> tuple["Image | None", str]:
    """The picture between two corners, or why there is none: it cannot be read, or has one colour all over."""
    try:
        image = _upright(level.load(), matrix, low, high, step)
    except MemoryError:
        raise
    except Exception as error:
        # a damaged picture can make a library raise nearly anything, and the cells can do without it
        return None, f"cannot be read ({(str(error).splitlines() or [''])[0] or type(error).__name__})"
    if all(first == last for first, last in np.atleast_2d(image.getextrema())):
        return None, "has one colour all over"
    return image, ""


def write_thumbnail(thumbnail: Thumbnail, folder: Path, sample: str, unit: str) -> None:
    """Write ``{sample}.jpg``, of 1 MB at most, and ``{sample}.json`` with its scale and place.

    unit : of the coordinates.
    """
    image, step = thumbnail.image, thumbnail.units_per_px
    packed = _jpeg(image)
    while len(packed) > MOST_BYTES:
        width = max(1, int(image.width * 0.8))
        step *= image.width / width
        image = image.resize((width, max(1, round(image.height * width / image.width))))
        packed = _jpeg(image)
    with atomic(folder / f"{sample}.jpg", about=len(packed)) as partial:
        partial.write_bytes(packed)
    write_json(
        folder / f"{sample}.json",
        {
            "sample": sample,
            "file": f"{sample}.jpg",
            "source": thumbnail.source,
            "width": image.width,
            "height": image.height,
            "x": thumbnail.x,
            "y": thumbnail.y,
            "unit": unit,
            "units_per_px": step,
            "um_per_px": step if unit == MICROMETRE else None,
        },
    )


def draw_thumbnail(axes: "Axes", about: TissuePlace, bottom: float) -> None:
    """Draw a picture that `write_thumbnail` wrote, behind all else and at its place.

    ``bottom``: largest y of it, in the unit of the coordinates.
    """
    from PIL import Image

    x, y, step = about.x, about.y, about.units_per_px
    n_rows = int(np.clip(np.ceil((bottom - y) / step), 1, about.height))
    place = (x, x + about.width * step, y + n_rows * step, y)
    with Image.open(about.picture) as image:
        shown = np.asarray(image)[:n_rows]
    axes.imshow(shown, extent=place, origin="upper", cmap="gray", aspect="auto", zorder=0)


def _jpeg(image: "Image") -> bytes:
    with io.BytesIO() as stream:
        image.save(stream, "JPEG", quality=85, optimize=True)
        return stream.getvalue()


def _covered(level: Level, matrix: np.ndarray, points: np.ndarray) -> float:
    """Share of the points that lie in the picture."""
    back = np.linalg.inv(matrix)
    pixels = points @ back[:2, :2].T + back[:2, 2]
    return float(((pixels >= 0) & (pixels <= [level.width, level.height])).all(axis=1).mean())


def _box(level: Level, matrix: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the box of the cells with its margin, as far as the picture reaches."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * max(float((high - low).max()), 1e-9)
    ends = np.array([[x, y, 1.0] for x in (0, level.width) for y in (0, level.height)]) @ matrix.T
    return np.maximum(low - margin, ends[:, :2].min(axis=0)), np.minimum(high + margin, ends[:, :2].max(axis=0))


def _upright(image: "Image", matrix: np.ndarray, low: np.ndarray, high: np.ndarray, step: float) -> "Image":
    """The picture between two corners with ``step`` units per pixel. matrix : 3 x 3, pixels to units."""
    from PIL import Image

    image = _plain(image)
    # averages first: what takes single pixels of a large picture shows noise
    factor = max(1, int(step / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))))
    if factor > 1:
        image = image.reduce(factor)
    width, height = (max(1, round(float(side / step))) for side in high - low)
    output = np.array([[step, 0, low[0]], [0, step, low[1]], [0, 0, 1]])
    back = np.diag([1 / factor, 1 / factor, 1]) @ np.linalg.inv(matrix) @ output
    white = 255 if image.mode == "L" else (255, 255, 255)
    return image.transform(
        (width, height), Image.Transform.AFFINE, tuple(back[:2].ravel()), Image.Resampling.BICUBIC, fillcolor=white
    )


def _plain(image: "Image") -> "Image":
    """RGB, or grey as bytes; what is transparent is white."""
    from PIL import Image

    if image.mode in ("RGB", "L"):
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(stretched(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")
