"""Figures of a contrast: forest of effects, patients as points, Kaplan-Meier curves."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from semanticst.clinical.associate import Association  # noqa: E402
from semanticst.clinical.features import JOINT  # noqa: E402
from semanticst.clinical.sentences import SIGNIFICANT, feature_name, p_text  # noqa: E402
from semanticst.clinical.survival import base_frame, kaplan_meier, median_split  # noqa: E402
from semanticst.palette import niche_colour  # noqa: E402
from semanticst.writing import atomic  # noqa: E402

DPI = 150
INK, FAINT = "#222222", "#9A9A9A"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "pdf.fonttype": 42,
}
MOST_FOREST_ROWS = 40
"""Rows of the forest; with contacts there can be hundreds, the smallest p are drawn."""


def draw_figures(result: Association, outdir: Path, stem: str) -> list[str]:
    """Write all figures of a contrast as ``{stem}_{name}.png`` (150 dpi) and ``.pdf``; returns their names."""
    drawings = {"forest": forest}
    if result.contrast.type == "survival":
        drawings["kaplan_meier"] = survival_curves
    else:
        drawings["patients"] = patients
    with plt.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = draw(result)
            for path, options in ((f"{stem}_{name}.png", {"dpi": DPI}), (f"{stem}_{name}.pdf", {})):
                with atomic(outdir / path) as partial:
                    figure.savefig(partial, bbox_inches="tight", facecolor="white", **options)
            plt.close(figure)
    return list(drawings)


def row_colour(niche: str) -> str:
    """The niche's colour; ink where a row is about all niches."""
    return INK if niche == JOINT else niche_colour(int(niche))


def forest(result: Association) -> Figure:
    """Effects with 95 % intervals, one panel per comparison; untestable rows say so."""
    rows = result.effects
    if len(rows.drop_duplicates(["feature", "niche"])) > MOST_FOREST_ROWS:
        keep = rows.sort_values("p").drop_duplicates(["feature", "niche"]).head(MOST_FOREST_ROWS)
        rows = rows.merge(keep[["feature", "niche"]], on=["feature", "niche"])
    names = rows.drop_duplicates(["feature", "niche"]).assign(order=lambda t: t["niche"].map(_niche_order))
    names = names.sort_values(["order", "feature"])[["feature", "niche"]].reset_index(drop=True)
    comparisons = list(dict.fromkeys(rows["comparison"]))
    figure, axes = plt.subplots(
        len(comparisons),
        1,
        figsize=(8.5, len(comparisons) * (1.1 + 0.32 * len(names))),
        squeeze=False,
        layout="constrained",
    )
    for ax, comparison in zip(axes[:, 0], comparisons):
        here = rows[rows["comparison"] == comparison].set_index(["feature", "niche"])
        _forest_panel(ax, result, here.reindex(pd.MultiIndex.from_frame(names)), comparison)
    return figure


def _forest_panel(ax: Axes, result: Association, rows: pd.DataFrame, comparison: str) -> None:
    survival = result.contrast.type == "survival"
    columns = ["hazard_ratio", "hazard_ratio_low", "hazard_ratio_high"] if survival else ["effect", "ci_low", "ci_high"]
    labels = []
    for i, ((feature, niche), row) in enumerate(rows.iterrows()):
        labels.append(feature_name(pd.Series({"feature": feature, "niche": niche})))
        effect, low, high = row[columns]
        if not np.isfinite(effect):
            ax.text(1.02, i, "not testable", transform=ax.get_yaxis_transform(), va="center", color=FAINT)
            continue
        ax.plot([low, high], [i, i], color=INK, lw=1.2, solid_capstyle="butt", zorder=2)
        ax.scatter(effect, i, s=55, color=row_colour(niche), edgecolor=INK, linewidth=0.8, zorder=3)
        bold = "bold" if row["q"] < SIGNIFICANT else "normal"
        text = f"{effect:.2f} [{low:.2f}, {high:.2f}]   {p_text(row['q'], 'q')}".replace("-", "\N{MINUS SIGN}")
        ax.text(1.02, i, text, transform=ax.get_yaxis_transform(), va="center", fontweight=bold)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.axvline(1 if survival else 0, color=FAINT, lw=1, zorder=1)
    if survival:
        ax.set_xscale("log")
        _plain_log_ticks(ax)
        ax.set_xlabel(f"hazard ratio per SD (above 1: shorter time to {result.contrast.event})")
    elif result.contrast.type == "ordered" and comparison.startswith("trend"):
        ax.set_xlabel(f"change of log share (CLR) per step of {result.contrast.column}")
    elif result.contrast.type == "continuous":
        ax.set_xlabel(f"change of log share (CLR) per SD of {result.contrast.column}")
    else:
        ax.set_xlabel("difference of log share (CLR)")
    ax.set_title(comparison, loc="left")


def _plain_log_ticks(ax: Axes) -> None:
    low, high = ax.get_xlim()
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()


def _niche_order(niche: str) -> int:
    return 10**6 if niche == JOINT else int(niche)


def patients(result: Association) -> Figure:
    """One panel per niche, one point per patient (per patient and level within patients): the niche's share."""
    shown = result.features.shown
    niches = [n for f, n in shown.columns if f == "proportion"] or []
    panels = [("proportion", n) for n in niches] or list(shown.columns)[:20]
    n_columns = min(4, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(max(4.5, 2.6 * n_columns), 0.6 + 2.7 * n_rows), squeeze=False, layout="constrained"
    )
    for ax in axes.ravel()[len(panels) :]:
        ax.set_visible(False)
    primary = result.primary.set_index(["feature", "niche"])
    for ax, key in zip(axes.ravel(), panels):
        scale = 100 if key[0] == "proportion" else 1
        y = shown[key].to_numpy() * scale
        if result.contrast.type == "continuous":
            x = result.design.units["value"].to_numpy(float)
            ax.scatter(x, y, s=26, color=row_colour(key[1]), edgecolor=INK, linewidth=0.6)
        else:
            _points_by_level(ax, result, y, row_colour(key[1]))
        q = primary.loc[key, "q"]
        name = feature_name(pd.Series({"feature": key[0], "niche": key[1]}))
        ax.set_title(
            f"{name}, {p_text(q, 'q') if np.isfinite(q) else 'not testable'}",
            fontweight="bold" if q < SIGNIFICANT else "normal",
        )
        if key[0] == "proportion":
            ax.set_ylim(bottom=-0.04 * max(np.nanmax(y), 1e-9))
    if result.contrast.type != "continuous":
        _level_labels(axes, len(panels), result.design.levels)
    label = "share of cells (%)" if niches else "value"
    for ax in axes[:, 0]:
        ax.set_ylabel(label)
    if result.contrast.type == "continuous":
        figure.supxlabel(result.contrast.column, fontsize=10)
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
        if (values == level).any():
            ax.hlines(np.nanmean(y[values == level]), i - 0.32, i + 0.32, color=INK, lw=2, zorder=2)
    ax.set_xticks(range(len(levels)), levels)
    ax.set_xlim(-0.6, len(levels) - 0.4)


def _level_labels(axes: np.ndarray, n_panels: int, levels: tuple[str, ...]) -> None:
    """Names of levels under the lowest panel of each column, turned where they would run into each other."""
    n_rows, n_columns = axes.shape
    turned = sum(len(v) for v in levels) > 20
    for i, ax in enumerate(axes.ravel()[:n_panels]):
        if i + n_columns < n_panels:
            ax.set_xticklabels([])
        elif turned:
            ax.set_xticks(ax.get_xticks(), levels, rotation=30, ha="right", rotation_mode="anchor")


def _spread(values: np.ndarray, y: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """Sideways shift by rank inside a level, so that points do not hide each other; no chance in it."""
    shift = np.zeros(len(y))
    for level in levels:
        here = np.flatnonzero(values == level)
        order = here[np.argsort(y[here], kind="stable")]
        shift[order] = np.array([0.0, 0.12, -0.12, 0.24, -0.24])[np.arange(len(order)) % 5]
    return shift


def survival_curves(result: Association) -> Figure:
    """Kaplan-Meier curves above and below the median share, with numbers at risk, of the four smallest p."""
    rows = result.primary[result.primary["p"].notna()].head(4)
    if rows.empty:
        figure, ax = plt.subplots(figsize=(6, 1.2))
        ax.axis("off")
        ax.text(0.5, 0.5, result.primary["warnings"].iloc[0], ha="center", va="center", wrap=True)
        return figure
    n_columns = min(2, len(rows))
    n_rows = -(-len(rows) // n_columns)
    figure = plt.figure(figsize=(4.8 * n_columns, 4.0 * n_rows), layout="constrained")
    grid = figure.subfigures(n_rows, n_columns, squeeze=False)
    for part, (_, row) in zip(grid.ravel(), rows.iterrows()):
        _curve_panel(part, result, row)
    return figure


def _curve_panel(part, result: Association, row: pd.Series) -> None:
    base = base_frame(result.design)
    shown = result.features.shown[row["feature"], row["niche"]].to_numpy()
    defined = np.isfinite(shown)
    base, shown = base[defined], shown[defined]
    high, p_logrank = median_split(base, shown)
    ax, table = part.subplots(2, 1, height_ratios=(5, 1), sharex=True)
    ticks = _time_ticks(base["time"].max())
    cut = np.median(shown) * (100 if row["feature"] == "proportion" else 1)
    unit = " %" if row["feature"] == "proportion" else ""
    groups = ((high, row_colour(row["niche"]), f"above median ({cut:.1f}{unit})"), (~high, FAINT, "at or below median"))
    for line, (keep, colour, label) in enumerate(groups):
        if not keep.any():
            continue
        fit = kaplan_meier(base, keep)
        curve = fit.survival_function_.iloc[:, 0]
        # a dark line under a pale colour keeps yellow readable on white
        ax.step(curve.index, curve, where="post", color=INK, lw=3.2, zorder=2)
        ax.step(curve.index, curve, where="post", color=colour, lw=2, label=label, zorder=3)
        censored = base["time"][keep & (base["event"] == 0)]
        ax.plot(censored, fit.predict(censored), "|", color=INK, ms=7, zorder=4)
        for t in ticks:
            table.text(t, 0.72 - 0.55 * line, str(int((base["time"][keep] >= t).sum())), ha="center", va="center")
        table.text(
            -0.02,
            0.72 - 0.55 * line,
            "above" if line == 0 else "below",
            transform=table.get_yaxis_transform(),
            ha="right",
            va="center",
        )
    ax.set_ylim(0, 1.03)
    ax.set_ylabel("share without event")
    ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.01), ncols=2, fontsize=9, columnspacing=1.2, handlelength=1.5)
    ratio = f"HR {row['hazard_ratio']:.2f} [{row['hazard_ratio_low']:.2f}, {row['hazard_ratio_high']:.2f}]"
    text = f"{feature_name(row)}: {ratio} per SD, {p_text(row['q'], 'q')}"
    logrank = (
        f"log-rank of the halves {p_text(p_logrank)}" if np.isfinite(p_logrank) else "no log-rank: a half is empty"
    )
    ax.set_title(f"{text}\n{logrank}", loc="left")
    table.set_ylim(0, 1)
    table.set_yticks([])
    table.text(-0.02, 1.18, "at risk", transform=table.get_yaxis_transform(), ha="right", va="center")
    table.set_xticks(ticks)
    table.set_xlabel(result.contrast.time)
    for side in ("left", "bottom"):
        table.spines[side].set_visible(False)
    table.tick_params(length=0)


def _time_ticks(longest: float) -> np.ndarray:
    """About five round times from 0."""
    steps = [m * 10.0**k for k in range(-2, 6) for m in (1, 2, 2.5, 5)]
    step = next(s for s in steps if longest / s <= 5.5)
    return np.arange(0, longest + step * 0.01, step)
