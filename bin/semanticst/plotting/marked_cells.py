"""Map of a section in which some cells stand out."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from semanticst.plotting.section_axes import dot_diameter, draw_bar, extent, fit, save

MOST_DOTS = 20_000
USUAL, UNUSUAL = "#D9D9D9", "#B2182B"


def draw_marked(xy: np.ndarray, marked: np.ndarray, unit: str, path: Path) -> None:
    """Draw a PNG of cells at ``xy`` (n, 2), in ``unit``: those that are ``marked`` (n,) in red, the others in grey."""
    step = max(1, len(xy) // MOST_DOTS)
    xy, marked = xy[::step], marked[::step]
    width, height = extent(xy)
    scale = 5 / max(width, height)
    figure = Figure(figsize=(max(width * scale, 1.5), max(height * scale, 1.5)))
    axes = figure.add_axes((0, 0, 1, 1))
    dot = dot_diameter(xy, fit(axes, xy))
    for cells, colour in ((~marked, USUAL), (marked, UNUSUAL)):
        axes.scatter(xy[cells, 0], xy[cells, 1], c=colour, s=dot**2, linewidths=0, rasterized=True)
    draw_bar(axes, xy, unit)
    save(figure, path, dpi=100)
