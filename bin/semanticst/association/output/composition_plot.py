"""Composition of patients by niche, by group."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semanticst.association.associate import Association
from semanticst.plotting.palette import niche_colour, niche_hatch, niche_name
from semanticst.plotting.style import FAINT, new_figure, wrapped

MOST_NAMED = 60
"""Patients that are named below their bar."""
LETTERS = 15
"""Of a title on an inch."""


def composition(result: Association) -> Figure | None:
    """A bar per patient (per patient and level within patients): groups side by side, inside by the leading niche.

    The leading niche has the smallest p of all proportions, and lies at the bottom. For survival, events and those who
    were censored are the groups; a number is the order. None where no proportion could be tested.
    """
    shown = result.features.shown
    niches = [niche for feature, niche in shown.columns if feature == "proportion"]
    rows = result.primary[(result.primary["feature"] == "proportion") & result.primary["p"].notna()]
    if not niches or rows.empty:
        return None
    first = rows.sort_values("p", kind="stable")["niche"].iloc[0]
    table = 100 * shown["proportion"][[first, *(n for n in niches if n != first)]]
    groups = _groups(result, table)
    longest = max(len(line) for n in niches for line in _name(int(n)).splitlines())
    # the names stand beside the bars, and shall not take their room
    bars = min(11, max(5, 2.2 + 0.16 * len(table))) - 2.2
    figure = new_figure(bars + 2.2 + 0.07 * max(0, longest - 12), 4.2)
    widths = [len(units) for units in groups.values()]
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False, width_ratios=widths)[0]
    for ax, (name, units) in zip(axes, groups.items()):
        # a title may not reach over its neighbour or the names of the niches
        title = wrapped(name, max(8, int(LETTERS * bars * len(units) / sum(widths))))
        _bars(ax, table.loc[units], title, named=len(table) <= MOST_NAMED)
    axes[0].set_ylabel("proportion of cells (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", fontsize=8)
    return figure


def _groups(result: Association, table: pd.DataFrame) -> dict[str, pd.Index]:
    """Units of each group in the order in which they are drawn."""
    units, column = result.design.units.loc[table.index], result.contrast.column
    falling = table.iloc[:, 0].sort_values(ascending=False, kind="stable").index
    if result.contrast.type == "continuous":
        return {f"by {column}, rising": units["value"].astype(float).sort_values(kind="stable").index}
    if "event" in units:
        value, levels = units["event"].map(lambda event: "event" if event else "censored"), ["event", "censored"]
    else:
        value, levels = units["value"].astype(str), [str(level) for level in result.design.levels]
    found = {level: falling[(value.loc[falling] == level).to_numpy()] for level in levels}
    return {f"{level} (n = {len(own)})": own for level, own in found.items() if len(own)}


def _bars(ax: Axes, table: pd.DataFrame, title: str, named: bool) -> None:
    place, below = np.arange(len(table)), np.zeros(len(table))
    for niche in table:
        number = int(niche)
        ax.bar(
            place, table[niche].fillna(0), bottom=below, width=0.9, color=niche_colour(number), edgecolor="white",
            linewidth=0.3, label=_name(number), hatch=niche_hatch(number),
        )  # fmt: skip
        below = below + table[niche].fillna(0).to_numpy()
    ax.set_title(title, loc="left", fontsize=9)
    ax.set_xlim(-0.6, len(table) - 0.4)
    ax.set_ylim(0, 100)
    ax.set_xticks(place if named else [], table.index.astype(str) if named else [], rotation=90, fontsize=6)
    ax.tick_params(axis="x", length=0)
    ax.spines["bottom"].set_color(FAINT)


def _name(niche: int) -> str:
    return wrapped(niche_name(niche), 30)
