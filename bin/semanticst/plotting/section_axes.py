"""Axes of maps of sections: the frame, the size of dots, the scale bar."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from semanticst.plotting.style import INK
from semanticst.units import MICROMETRE
from semanticst.writing import atomic

_DOT_POINTS = (0.8, 14.0)
"""Smallest and largest diameter of a dot, in points: below the first it vanishes, above the second it hides others."""
_PACKED = 7
"""How hard zlib tries on small maps. 9 (what ``optimize`` stands for) makes them a tenth smaller in 7 times the time:
0.1 s a map, a quarter of the time of quality control. The report packs them anew, from their pixels."""


def fit(axes: Axes, xy: np.ndarray) -> float:
    """Frame the section (xy : n x 2) with room for the scale bar; y grows downwards, as in the microscope's image.

    Returns the points (1/72 inch) of a unit of the coordinates.
    """
    low, width, height, border = _frame(xy)
    axes.set_xlim(low[0] - border, low[0] + width + border)
    # room for the scale bar under the tissue
    axes.set_ylim(low[1] + height + 3 * border, low[1] - border)
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_axis_off()
    axes.apply_aspect()
    return axes.get_window_extent().width / axes.figure.dpi * 72 / (width + 2 * border)


def draw_bar(axes: Axes, xy: np.ndarray, unit: str, bar: float | None = None, font_size: float = 8) -> None:
    """Draw the scale bar under a section that `fit` has framed: ``bar`` units long, else fitted."""
    low, width, height, border = _frame(xy)
    length = bar or bar_length(width)
    y = low[1] + height + 1.6 * border
    axes.plot([low[0], low[0] + length], [y, y], color=INK, linewidth=2, solid_capstyle="butt")
    axes.text(low[0] + length + border / 2, y, bar_label(length, unit), va="center", fontsize=font_size)


def _frame(xy: np.ndarray) -> tuple[np.ndarray, float, float, float]:
    """Lower corner (2), width, height and border of the area that a map shows."""
    width, height = extent(xy)
    low = xy.min(axis=0) - (np.array([width, height]) - np.ptp(xy, axis=0)) / 2
    return low, width, height, 0.03 * max(width, height)


def dot_diameter(xy: np.ndarray, points_per_unit: float) -> float:
    """Diameter in points at which most dots just touch their nearest neighbour, within what the eye can use.

    The median distance to the nearest other position: on a lattice that is the lattice constant.
    """
    smallest, largest = _DOT_POINTS
    positions = np.unique(xy, axis=0)
    if len(positions) < 2:
        return largest
    nearest = scipy.spatial.cKDTree(positions).query(positions, k=2)[0][:, 1]
    return float(np.clip(np.median(nearest) * points_per_unit, smallest, largest))


def bar_length(width: float) -> float:
    """Return the largest of 1, 2, 5 x 10^k that is at most a quarter of ``width``."""
    target = width / 4
    power = 10.0 ** np.floor(np.log10(target))
    return float(max(step * power for step in (1, 2, 5) if step * power <= target * (1 + 1e-9)))


def bar_label(length: float, unit: str) -> str:
    """Label of a scale bar. Only micrometres are trusted; any other length is in the input's own units."""
    if unit != MICROMETRE:
        return f"{length:g} coordinate units (unknown)"
    return f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} \N{MICRO SIGN}m"


def extent(xy: np.ndarray) -> tuple[float, float]:
    """Width and height of a section, neither below a twentieth of the other: a line of cells has a shape too."""
    width, height = np.ptp(xy, axis=0)
    longest = max(width, height)
    if longest == 0:
        return 1.0, 1.0
    return float(max(width, longest / 20)), float(max(height, longest / 20))


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as the ending of ``path`` says (png, pdf)."""
    # no dates, no program versions: the same niches give the same bytes
    stamps = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
    with atomic(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=dpi, metadata=stamps, facecolor="white")


def save_small(figure: Figure, path: Path, dpi: int, colours: Sequence[str]) -> None:
    """Write a figure as PNG that holds these colours (hex), shades of them and greys: a third of the size, for pictures
    that go into the report."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(dpi)
    canvas.draw()
    shades = [np.array(to_rgb(colour)) * share + 1 - share for colour in colours for share in (1, 0.5)]
    shades += [np.full(3, level) for level in np.linspace(0, 1, 16)]
    palette = Image.new("P", (1, 1))
    palette.putpalette((np.array(shades) * 255).round().astype(np.uint8).ravel().tolist())
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with atomic(path) as partial:
        picture.quantize(palette=palette, dither=Image.Dither.NONE).save(partial, format="PNG", compress_level=_PACKED)
