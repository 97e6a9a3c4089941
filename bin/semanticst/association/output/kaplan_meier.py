"""Kaplan-Meier curves with the numbers at risk."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from semanticst.association.associate import Association
from semanticst.association.output.patient_plot import words_figure
from semanticst.association.output.summary_text import feature_name, is_share, p_text
from semanticst.association.output.time_words import time_label
from semanticst.association.stats.results import NOT_TESTABLE, reason_untested
from semanticst.association.stats.survival import base_frame, kaplan_meier, median_split
from semanticst.plotting.style import FAINT, INK, new_figure, row_colour, wrapped

LINE = 46
"""Letters of a title that fit above a panel."""


def survival_curves(result: Association) -> Figure:
    """Kaplan-Meier curves above and below the median proportion, with numbers at risk, of the four smallest p."""
    rows = result.primary[result.primary["p"].notna()].head(4)
    if rows.empty:
        return words_figure(f"{NOT_TESTABLE}{reason_untested(result.primary['warnings'])}")
    n_columns = min(2, len(rows))
    n_rows = -(-len(rows) // n_columns)
    figure = new_figure(4.8 * n_columns, 4.0 * n_rows)
    grid = figure.subfigures(n_rows, n_columns, squeeze=False)
    for part, (_, row) in zip(grid.ravel(), rows.iterrows()):
        _curve_panel(part, result, row)
    return figure


def _curve_panel(part: SubFigure, result: Association, row: pd.Series) -> None:
    base = base_frame(result.design)
    shown = result.features.shown[row["feature"], row["niche"]].to_numpy()
    defined = np.isfinite(shown)
    base, shown = base[defined], shown[defined]
    high, p_logrank = median_split(base, shown)
    ax, table = part.subplots(2, 1, height_ratios=(5, 1), sharex=True)
    ticks = _time_ticks(base["time"].max())
    beside = {"transform": table.get_yaxis_transform(), "ha": "right", "va": "center"}
    table.text(-0.02, 1.18, "at risk", **beside)
    percent = is_share(row["feature"])
    cut = f"{100 * np.median(shown):.1f} %" if percent else f"{np.median(shown):.2f}"
    # a dark line under a pale colour keeps yellow readable on white; below the median is dashed, for grey niches
    above = ({"color": INK, "lw": 3.2}, {"color": row_colour(row["niche"]), "lw": 2, "label": f"above median ({cut})"})
    below = ({"color": INK, "lw": 1.6, "ls": "--", "label": "at or below median"},)
    for keep, lines, name, height in ((high, above, "above", 0.72), (~high, below, "below", 0.17)):
        if not keep.any():
            continue
        fit = kaplan_meier(base, keep)
        curve = fit.survival_function_.iloc[:, 0]
        bounds = fit.confidence_interval_
        shade = row_colour(row["niche"]) if name == "above" else FAINT
        ax.fill_between(bounds.index, *bounds.to_numpy().T, step="post", color=shade, alpha=0.2, linewidth=0)
        for line in lines:
            ax.step(curve.index, curve, where="post", **line)
        censored = base["time"][keep & (base["event"] == 0)]
        ax.plot(censored, fit.predict(censored), "|", color=INK, ms=7)
        table.text(-0.02, height, name, **beside)
        for t in ticks:
            table.text(t, height, str(int((base["time"][keep] >= t).sum())), ha="center", va="center")
    ax.set_ylim(0, 1.03)
    ax.set_ylabel("event-free survival probability")
    ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.01), ncols=2, fontsize=9, columnspacing=1.2, handlelength=1.8)
    ratio = f"HR {row['hazard_ratio']:.2f} [{row['hazard_ratio_low']:.2f}, {row['hazard_ratio_high']:.2f}]"
    halves = f"log-rank test, median split {p_text(p_logrank)}" if np.isfinite(p_logrank) else "one half is empty"
    name = wrapped(feature_name(row), LINE)
    # a name that needs lines of its own has them
    after = ":\n" if len(feature_name(row)) > LINE // 2 else ": "
    ax.set_title(f"{name}{after}{ratio} per SD, {p_text(row['q'], 'q')}\n{halves}", loc="left")
    table.set_ylim(0, 1)
    table.set_yticks([])
    table.set_xticks(ticks)
    table.set_xlabel(time_label(result.contrast.time))
    table.spines[["left", "bottom"]].set_visible(False)
    table.tick_params(length=0)


def _time_ticks(longest: float) -> np.ndarray:
    """About six round times from 0."""
    ticks = np.asarray(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, max(longest, 1e-9)))
    return ticks[ticks <= longest]
