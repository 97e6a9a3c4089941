"""Maps of an input that several samples are parts of: which cells went into which."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from semanticst.plotting.palette import REMOVED, niche_colour
from semanticst.plotting.section_axes import dot_diameter, draw_bar, extent, fit, save

MOST_DOTS = 30_000
"""Cells that are drawn: more cannot be told apart in a picture of this size."""


def draw_parts(points: np.ndarray, parts: Mapping[str, np.ndarray], unit: str, path: Path) -> None:
    """Write a PNG of all cells, coloured and named by part; cells that are in none are grey.

    points : float, n_cells x 2. parts : name -> bool, n_cells.
    """
    label = np.full(len(points), -1)
    for number, cells in enumerate(parts.values()):
        label[cells] = number
    finite = np.isfinite(points).all(axis=1)
    drawn = np.flatnonzero(finite)[:: max(1, int(finite.sum()) // MOST_DOTS)]
    xy, shown = points[drawn], label[drawn]
    width, height = extent(xy)
    scale = 8 / max(width, height)
    figure = Figure(figsize=(max(width * scale, 2), max(height * scale, 2) + 0.4))
    axes = figure.add_axes((0, 0, 1, 1))
    dot = dot_diameter(xy, fit(axes, xy))
    colours = np.array([niche_colour(number + 1) for number in range(len(parts))] + [REMOVED])
    axes.scatter(xy[:, 0], xy[:, 1], c=colours[shown], s=dot**2, linewidths=0, rasterized=True)
    for number, name in enumerate(parts):
        if (shown == number).any():
            x, y = np.median(xy[shown == number], axis=0)
            halo = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
            axes.text(x, y, name, ha="center", va="center", fontsize=7, bbox=halo)
    draw_bar(axes, xy, unit)
    save(figure, path, dpi=150)
