"""Dot plot of the markers of niches: how much of a feature is in each niche, and how reliably it differs there."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from semanticst.describe.readings import LEAST_EFFECT
from semanticst.plotting.palette import niche_colour, niche_name
from semanticst.plotting.section_axes import save
from semanticst.plotting.style import STYLE, new_figure, wrapped
from semanticst.units import percent

LARGEST = 110.0
"""Area of the largest dot, points squared."""


def draw_marker_dots(markers: pd.DataFrame, chosen: list[str], words: str, path: Path, caution: str = "") -> None:
    """Write a dot plot as PNG and PDF: a row per niche, a column per feature of ``chosen`` (symbols), in that order.

    The area of a dot is the feature's mean inside the niche, as a part of its largest mean in any niche; the colour is
    the effect against all other cells. markers : as `markers.niche_markers` returns them, one modality. words : what
    the effect is. path : without its ending. caution : what stands above.
    """
    effect = next(name for name in LEAST_EFFECT if name in markers)
    mean = _wide(markers, chosen, "mean_in")
    size = (mean / mean.max().where(lambda most: most > 0, 1)).fillna(0).clip(lower=0)
    colour = _wide(markers, chosen, effect).fillna(0)
    bound = max(float(np.abs(colour.to_numpy()).max(initial=0)), 1e-9)
    with matplotlib.rc_context(STYLE):
        names = [wrapped(niche_name(int(niche)), 32) for niche in mean.index]
        lines = max(name.count("\n") + 1 for name in names)
        longest = max(len(line) for name in names for line in name.splitlines())
        width = 2.6 + max(0.0, 0.08 * (longest - 10)) + 0.27 * len(chosen)
        figure = new_figure(width, 1.9 + (0.15 + 0.15 * lines) * len(mean))
        axes = figure.subplots()
        column, row = np.meshgrid(np.arange(len(chosen)), np.arange(len(mean)))
        dots = axes.scatter(
            column.ravel(), row.ravel(), s=LARGEST * size.to_numpy().ravel(), c=colour.to_numpy().ravel(),
            cmap="RdBu_r", vmin=-bound, vmax=bound, edgecolors="#777777", linewidths=0.4,
        )  # fmt: skip
        axes.set_xticks(range(len(chosen)), chosen, rotation=90, fontsize=8)
        axes.set_yticks(range(len(mean)), names)
        for label, niche in zip(axes.get_yticklabels(), mean.index):
            label.set_bbox({"facecolor": "none", "edgecolor": niche_colour(int(niche)), "linewidth": 1.5, "pad": 1.5})
        axes.set_xlim(-0.7, len(chosen) - 0.3)
        axes.set_ylim(len(mean) - 0.4, -0.6)
        axes.tick_params(length=0)
        figure.colorbar(dots, ax=axes, label=words, shrink=0.9, aspect=12)
        sizes = [axes.scatter([], [], s=LARGEST * part, c="#BBBBBB", label=percent(part)) for part in (0.25, 0.5, 1)]
        figure.legend(
            handles=sizes, loc="outside lower left", ncols=3, fontsize=8, title_fontsize=8,
            title="mean inside, % of the largest of any niche",
        )  # fmt: skip
        if caution:
            figure.suptitle(caution, x=0.01, ha="left", fontsize=9)
        for ending in ("png", "pdf"):
            save(figure, path.with_name(f"{path.name}.{ending}"), dpi=150)


def _wide(markers: pd.DataFrame, chosen: list[str], values: str) -> pd.DataFrame:
    return markers[markers["symbol"].isin(chosen)].pivot_table(index="niche", columns="symbol", values=values)[chosen]
