"""Patients as points."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semanticst.association.associate import Association
from semanticst.association.output.summary_text import feature_name, is_share, p_text
from semanticst.association.stats.results import NOT_TESTABLE, SIGNIFICANT, reason_untested
from semanticst.plotting.style import FAINT, INK, new_figure, row_colour, wrapped

MOST_OTHERS = 8
"""Panels for features beside shares."""
FEWEST_OF_A_BOX = 5
"""Patients of a level that have quartiles."""
LINE = 26
"""Letters of a title that fit above a panel."""
DOTS_ABOVE = 22
"""Points that fit above each other in a panel."""


def patients(result: Association) -> Figure:
    """One panel per niche, one point per patient (per patient and level within patients): the niche's share.

    Other features follow where they have q < 0.05, those with the smallest p first.
    """
    shown = result.features.shown
    if shown.empty:
        return words_figure(f"{NOT_TESTABLE}{reason_untested(result.primary['warnings'])}")
    primary = result.primary.set_index(["feature", "niche"])
    niches = [key for key in shown.columns if key[0] == "proportion"]
    found = primary[(primary["q"] < SIGNIFICANT) & (primary.index.get_level_values(0) != "proportion")]
    panels = [*niches, *found.sort_values("p", kind="stable").index[:MOST_OTHERS]] or list(shown.columns)[:20]
    n_columns = min(4, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = new_figure(max(4.5, 2.6 * n_columns), 0.6 + 2.7 * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.ravel()[len(panels) :]:
        ax.set_visible(False)
    for ax, key in zip(axes.ravel(), panels):
        scale = 100 if is_share(key[0]) else 1
        y = shown[key].to_numpy() * scale
        if result.contrast.type == "continuous":
            x = result.design.units["value"].to_numpy(float)
            ax.scatter(x, y, s=26, color=row_colour(key[1]), edgecolor=INK, linewidth=0.6)
        else:
            _points_by_level(ax, result, y, row_colour(key[1]))
        q = primary.loc[key, "q"]
        name = feature_name(pd.Series({"feature": key[0], "niche": key[1]}))
        # q stays in one line
        tested = (p_text(q, "q") if np.isfinite(q) else "not testable").replace(" ", "\N{NO-BREAK SPACE}")
        ax.set_title(
            wrapped(f"{name}, {tested}", LINE),
            fontweight="bold" if q < SIGNIFICANT else "normal",
        )
        if key[0] != "proportion" and niches:
            ax.set_ylabel("proportion of its cells (%)" if is_share(key[0]) else "value")
        if is_share(key[0]):
            ax.set_ylim(bottom=-0.04 * max(np.nanmax(y), 1e-9))
        for points in ax.collections:
            points.set_clip_on(False)  # a point on the edge is a whole one
    if result.contrast.type != "continuous":
        _level_labels(axes, len(panels), result.design.levels)
    label = "proportion of cells (%)" if niches else "value"
    for ax in axes[:, 0]:
        if not ax.get_ylabel():
            ax.set_ylabel(label)
    figure.supxlabel(wrapped(result.contrast.column, LINE * n_columns), fontsize=10)
    return figure


def words_figure(text: str) -> Figure:
    """Why nothing is drawn."""
    figure = new_figure(6, 1.2)
    ax = figure.subplots()
    ax.axis("off")
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True)
    return figure


def _points_by_level(ax: Axes, result: Association, y: np.ndarray, colour: str) -> None:
    values, levels = result.design.units["value"].to_numpy(), result.design.levels
    position = np.array([levels.index(v) for v in values], dtype=float)
    if result.design.within_patient:
        ends = pd.DataFrame({"patient": result.design.patients, "x": position, "y": y}).sort_values("x")
        for _, one in ends.groupby("patient"):
            ax.plot(one["x"], one["y"], color=FAINT, lw=0.7, zorder=1)
    else:
        position = position + _spread(values, y, levels)
    ax.scatter(position, y, s=26, color=colour, edgecolor=INK, linewidth=0.6, zorder=3)
    for i, level in enumerate(levels):
        own = y[(values == level) & np.isfinite(y)]
        if len(own) >= FEWEST_OF_A_BOX:
            low, high = np.quantile(own, [0.25, 0.75])
            ax.add_patch(
                Rectangle((i - 0.34, low), 0.68, high - low, facecolor="none", edgecolor=FAINT, lw=1, zorder=1)
            )
        if len(own):
            ax.hlines(np.median(own), i - 0.34, i + 0.34, color=INK, lw=2, zorder=2)
    ax.set_xticks(range(len(levels)), levels)
    ax.set_xlim(-0.6, len(levels) - 0.4)


def _level_labels(axes: np.ndarray, n_panels: int, levels: tuple[str, ...]) -> None:
    """Names of levels under the lowest panel of each column, turned where they would run into each other."""
    n_rows, n_columns = axes.shape
    long = sum(len(v) for v in levels) > 20
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {"ha": "center"}
    for i, ax in enumerate(axes.ravel()[:n_panels]):
        lowest = i + n_columns >= n_panels
        ax.set_xticklabels([])
        for place, level in enumerate(levels if lowest else ()):
            words = ax.annotate(
                level, (place, 0), xytext=(0, -6), textcoords="offset points", va="top",
                xycoords=ax.get_xaxis_transform(), **turned,
            )  # fmt: skip
            # those above an empty place of the grid have room, and shall not push the rows apart
            words.set_in_layout(i // n_columns == n_rows - 1)


def _spread(values: np.ndarray, y: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """Sideways shift of points of a level that would hide each other, to both sides in turn; no chance in it."""
    shift = np.zeros(len(y))
    known = y[np.isfinite(y)]
    height = max(np.ptp(known), 1e-12) / DOTS_ABOVE if len(known) else 1.0
    for level in levels:
        here = np.flatnonzero((values == level) & np.isfinite(y))
        place = np.floor(y[here] / height)
        for one in np.unique(place):
            beside = here[place == one]
            step = min(0.11, 0.6 / len(beside))
            k = np.arange(len(beside))
            # 0, 1, -1, 2, -2 ... for an odd number, 1/2, -1/2, 3/2 ... for an even one
            shift[beside] = step * np.where(k % 2, 1, -1) * ((k + 1) // 2 if len(beside) % 2 else k // 2 + 0.5)
    return shift
