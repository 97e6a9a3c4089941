"""Forest of effects with their intervals."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semanticst.association.associate import Association
from semanticst.association.features.composition import JOINT
from semanticst.association.output.summary_text import feature_name, p_text
from semanticst.association.stats.results import PAIRWISE, SIGNIFICANT
from semanticst.plotting.style import FAINT, INK, new_figure, row_colour, wrapped

MOST_ROWS, MOST_PANELS = 40, 6
"""With contacts or many groups there can be hundreds of effects: those with the smallest p are drawn."""

LONGEST, ELLIPSIS = 32, "\N{HORIZONTAL ELLIPSIS}"
"""Letters of a line of a name, and of the markers under it."""
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def forest(result: Association) -> Figure:
    """Effects with 95 % intervals, one panel per comparison; untestable rows say so."""
    ranked = result.effects.sort_values("p", kind="stable", na_position="last")
    strongest = ranked["comparison"].drop_duplicates().head(MOST_PANELS).tolist()
    comparisons = [c for c in dict.fromkeys(result.effects["comparison"]) if c in strongest]
    names = ranked.drop_duplicates(["feature", "niche"]).head(MOST_ROWS)[["feature", "niche"]]
    names = names.sort_values(["feature", "niche"], key=lambda column: column.map(_place))
    # within a kind of feature the largest effect stands first
    first = result.effects.drop_duplicates(["feature", "niche"]).set_index(["feature", "niche"])["effect"]
    names = names.assign(effect=first.reindex(pd.MultiIndex.from_frame(names)).to_numpy())
    names["kind"] = names["feature"].map(lambda feature: _place("contact_with_1" if "contact" in feature else feature))
    names = names.sort_values(["kind", "effect"], ascending=[True, False], kind="stable", na_position="last")
    names = names[["feature", "niche"]]
    height = _row_height(result, names)
    figure = new_figure(8.5, len(comparisons) * (1.1 + height * len(names)))
    # panels of one contrast are read against each other
    axes = figure.subplots(len(comparisons), 1, squeeze=False, sharex=True)[:, 0]
    for ax, comparison in zip(axes, comparisons):
        here = result.effects[result.effects["comparison"] == comparison].set_index(["feature", "niche"])
        _panel(ax, result, here.reindex(pd.MultiIndex.from_frame(names)), comparison)
    return figure


def _place(name: str) -> int:
    """Place of a feature or niche from top to bottom: shares, diversity, contacts; niches by number."""
    if name.isdigit():
        return int(name)
    fixed = {"proportion": 0, "entropy": 1, JOINT: 10**6, "fragmentation": 2}
    if name.startswith("contact_with_"):
        return 10 + int(name.removeprefix("contact_with_"))
    # cell types and gene sets come last, and keep their order
    return fixed.get(name, 10**5)


def _label(result: Association, feature: str, niche: str) -> str:
    """The name of a row in lines that leave room for the effects, and below it the first markers of a niche."""
    name = wrapped(feature_name(pd.Series({"feature": feature, "niche": niche})), LONGEST)
    first = result.top_markers.get(niche, "") if feature == "proportion" else ""
    return f"{name}\n{first if len(first) < LONGEST else first[: LONGEST - 1] + ELLIPSIS}" if first else name


def _row_height(result: Association, names: pd.DataFrame) -> float:
    """Inches of a row: the one with the most lines has to fit."""
    lines = max(_label(result, row.feature, row.niche).count("\n") + 1 for row in names.itertuples())
    return 0.32 if lines == 1 else 0.16 + 0.12 * lines


def _panel(ax: Axes, result: Association, rows: pd.DataFrame, comparison: str) -> None:
    survival = result.contrast.type == "survival"
    columns = ["hazard_ratio", "hazard_ratio_low", "hazard_ratio_high"] if survival else ["effect", "ci_low", "ci_high"]
    labels = []
    beside: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center"}
    for i, ((feature, niche), row) in enumerate(rows.iterrows()):
        labels.append(_label(result, feature, niche))
        effect, low, high = row[columns]
        if not np.isfinite(effect):
            ax.text(1.02, i, "not testable", color=FAINT, **beside)
            continue
        ax.plot([low, high], [i, i], color=INK, lw=1.2, solid_capstyle="butt", zorder=2)
        ax.scatter(effect, i, s=55, color=row_colour(niche), edgecolor=INK, linewidth=0.8, zorder=3)
        weight = "bold" if row["q"] < SIGNIFICANT else "normal"
        text = f"{effect:.2f} [{low:.2f}, {high:.2f}]   {_tested(row)}".replace("-", "\N{MINUS SIGN}")
        ax.text(1.02, i, text, fontweight=weight, **beside)
    several = any("\n" in label for label in labels)
    ax.set_yticks(range(len(labels)), labels, fontsize=8 if several else None)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.axvline(1 if survival else 0, color=FAINT, lw=1, zorder=1)
    if survival:
        ax.set_xscale("log")
        low, high = ax.get_xlim()
        shown = [t for t in TICKS if low <= t <= high]
        ax.set_xticks(shown, [f"{t:g}" for t in shown])
        ax.minorticks_off()
    ax.tick_params(axis="x", labelbottom=True)
    features = set(rows.index.get_level_values("feature"))
    ax.set_xlabel(wrapped(axis_label(asdict(result.contrast), comparison, features), 2 * LONGEST))
    ax.set_title(comparison.replace(" == ", " = "), loc="left")


def _tested(row: pd.Series) -> str:
    if np.isfinite(row["q"]):
        return p_text(row["q"], "q")
    return "not tested" if row["family"] == PAIRWISE else "no q"


def axis_label(contrast: dict, comparison: str, features: set[str]) -> str:
    """What the effects of ``features`` are. contrast : the fields of a contrast, as its record has them."""
    if contrast["type"] == "survival":
        return f"hazard ratio per SD (above 1: shorter time to {contrast['event']})"
    shares = features == {"proportion"}
    what = "log proportion (CLR; +0.69 = twice the proportion)" if shares else "the feature on its own scale"
    if comparison.startswith("trend"):
        return f"change of {what} per step of {contrast['column']}"
    per_sd = contrast["type"] == "continuous"
    return f"change of {what} per SD of {contrast['column']}" if per_sd else f"difference of {what}"
