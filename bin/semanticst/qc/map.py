"""Map of a sample after quality control: what was removed and flagged, and where."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from semanticst.plotting.section_axes import dot_diameter, draw_bar, extent, fit, save_small
from semanticst.qc.labels import KEPT, REASONS, title_of
from semanticst.qc.spatial import CHECKS

if TYPE_CHECKING:
    from semanticst.qc.sample import Judged

MAP_ENDING = ".qc_map.png"
_DPI = 100
_LONGEST = 6.2
_LEGEND_WIDTH = 2.8
_LEAST_HEIGHT = 3.2
_SEEN = 2.0
"""Smallest diameter, in points, of a cell that something was found about: few among many must be seen."""


def write_qc_map(path: Path, judged: "Judged", heading: str) -> None:
    """Write the map of all cells of a sample as PNG, about 900 pixels wide. heading : a line of text above."""
    width, height = extent(judged.points)
    scale = _LONGEST / max(width, height)
    map_width, map_height = max(width * scale, 1.5), max(height * scale, 1.5)
    total_width, total_height = map_width + _LEGEND_WIDTH, max(map_height + 0.5, _LEAST_HEIGHT)
    figure = Figure(figsize=(total_width, total_height), dpi=_DPI)
    bottom = total_height - 0.4 - map_height
    axes = figure.add_axes(
        (0.1 / total_width, bottom / total_height, map_width / total_width, map_height / total_height)
    )
    figure.text(0.1 / total_width, 1 - 0.08 / total_height, heading, va="top", fontsize=10, fontweight="bold")
    diameter = dot_diameter(judged.points, fit(axes, judged.points))
    layers = map_layers(judged)
    for _, colour, cells in layers:
        axes.plot(
            *judged.points[cells].T,
            linestyle="none",
            marker="o" if diameter > 1.5 else "s",
            markersize=diameter if colour == KEPT else max(diameter, _SEEN),
            markeredgewidth=0,
            color=colour,
            # few colours make a small file
            antialiased=diameter > 4,
        )
    draw_bar(axes, judged.points, judged.unit)
    figure.legend(
        handles=[
            Line2D([], [], linestyle="none", marker="o", markersize=7, color=colour, label=label)
            for label, colour, _ in reversed(layers)
        ],
        loc="upper left",
        bbox_to_anchor=((map_width + 0.15) / total_width, 1 - 0.35 / total_height),
        frameon=False,
        fontsize=9,
        handletextpad=0.2,
    )
    save_small(figure, path, _DPI, [colour for _, colour, _ in layers])


def map_layers(judged: "Judged") -> list[tuple[str, str, np.ndarray]]:
    """Layers of a map from the lowest to the topmost: label, colour, and the cells drawn in it (bool, n).

    Each cell is drawn once: as part of a dead region, else in the colour of the first reason for which it was removed,
    else of the first other flag, else grey. Labels count all cells with that reason or flag; cells may have several.
    """
    flags = {name: judged.metrics[column].to_numpy() for name, column in CHECKS.items() if column in judged.metrics}
    left = np.ones(len(judged.kept), bool)
    layers = []
    for name in ["dead", *(name for name in REASONS if name != "dead")]:
        cells = judged.removed.get(name, flags.get(name))
        if cells is None or not cells.any():
            continue
        label = f"{title_of(name, judged.counts)}: {cells.sum():,}"
        if name in flags:
            label += f" ({(cells & ~judged.kept).sum():,} removed)"
        layers.append((label, REASONS[name].colour, cells & left))
        left &= ~cells
    layers.append((f"Passed: {left.sum():,}", KEPT, left))
    return layers[::-1]
