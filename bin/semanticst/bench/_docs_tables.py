"""Tables between two marks of benchmarks.md, and figures, as the benchmarks write them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from semanticst.plotting.palette import niche_colour
from semanticst.plotting.style import FAINT, INK
from semanticst.writing import atomic

ALLOWED = (0.035, 0.065)
ANY_Q = 0.06
"""Proportion of cohorts without an effect that may have any q < 0.05."""
WHOLE = ("cohorts", "tests", "seconds")
"""Columns of whole numbers."""
HEADINGS = {
    "design": "Design",
    "cohorts": "Cohorts",
    "pipeline": "Pipeline",
    "error": "± (Monte Carlo)",
    "mixed_t": "Mixed model, t of patients",
    "mixed_z": "Mixed model, normal",
    "mixed_failed": "Not fitted",
    "sections": "Each section a patient",
    "cells": "Each cell a patient",
    "effect": "Planted effect",
    "true_difference": "True log-ratio difference",
    "true_log_hazard": "Log hazard ratio in the population",
    "power": "Power, p ≤ 0.05",
    "power_q": "Power, q ≤ 0.05",
    "first": "True niche first",
    "coverage": "Coverage, all niches",
    "coverage_planted": "Coverage, true niche",
    "any_q": "Cohorts with any q < 0.05",
    "refused": "Not testable",
    "seconds": "Seconds",
}


def write_report(
    docs: Path,
    null: pd.DataFrame,
    power: pd.DataFrame,
    hazard: pd.DataFrame,
    hard: pd.DataFrame,
    seed: int,
) -> None:
    """Write the tables and figures into ``docs``: ``benchmarks.md``, ``images/calibration*.png``; not of empty ones."""
    tables = [table[[c for c in HEADINGS if c in table]] for table in (null, power, hazard, hard)]
    null, power, hazard, hard = tables
    minutes = sum(table["seconds"].sum() for table in tables if "seconds" in table) / 60
    text = [f"Processor time of all tables: {minutes:.0f} minutes (seed {seed})."]
    if len(null):
        text.append(
            f"False positives at 0.05 in cohorts without an effect. Wanted: {ALLOWED[0]} to {ALLOWED[1]} (small or "
            f"lopsided groups may be below).\n\n{markdown(null)}"
        )
    if len(power):
        text.append(f"Planted effects. Wanted: coverage 0.92 to 0.97.\n\n{markdown(power)}")
    if len(hazard):
        text.append(
            "The same for log hazard ratios per SD. The ratio in the population is nearer to 1 than the planted one: "
            "niche counts measure a patient's niche with error.\n\n"
            f"{markdown(hazard.rename(columns={'true_difference': 'true_log_hazard'}))}"
        )
    if len(null) and len(power):
        _draw(docs, "calibration", figure(null, power))
        text.append("![Calibration of the association](images/calibration.png)")
    if len(hard):
        text.append(
            "Cohorts without an effect in which something else differs, through all that guards a test. Wanted: false "
            f"positives {ALLOWED[0]} to {ALLOWED[1]} (small groups may be below), any q in at most {ANY_Q} of cohorts, "
            "coverage 0.92 to 0.97. Survival is judged by two niches, what is inside a niche by the features named.\n\n"
            f"{markdown(hard)}\n\n![Cohorts in which something else differs](images/calibration_hard.png)"
        )
        _draw(docs, "calibration_hard", hard_figure(hard))
    replace_between_marks(docs / "benchmarks.md", "calibration", "Calibration of the association", "\n\n".join(text))


def _draw(docs: Path, name: str, drawn: Figure) -> None:
    with atomic(docs / "images" / f"{name}.png") as partial:
        drawn.savefig(partial, dpi=130, facecolor="white", metadata={"Software": None})


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; shares with three digits, empty where there is none."""
    lines = ["| " + " | ".join(HEADINGS[c] for c in table) + " |", "|---" + "|--:" * (table.shape[1] - 1) + "|"]
    for row in table.itertuples(index=False):
        cells = [
            v if isinstance(v, str) else "" if np.isnan(v) else f"{v:.0f}" if c in WHOLE else f"{v:.3f}"
            for c, v in zip(table, row)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def replace_between_marks(path: Path, mark: str, heading: str, text: str) -> None:
    """Put ``text`` between the marks in ``path``; a section for it is added where there is none."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    old = path.read_text() if path.exists() else "# nf-semanticst: benchmarks\n"
    if begin not in old:
        old = f"{old.rstrip()}\n\n## {heading}\n\n{begin}\n{end}\n"
    before, rest = old.split(begin, 1)
    with atomic(path) as partial:
        partial.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")


def figure(null: pd.DataFrame, power: pd.DataFrame) -> Figure:
    """Left: false positives per design and method. Right: power and coverage over the planted effect."""
    drawn = Figure(figsize=(13, 5.6), layout="constrained")
    left, right, below = drawn.subplot_mosaic([["null", "power"], ["null", "coverage"]], width_ratios=(1.4, 1)).values()
    _false_positives(left, null)
    for i, (name, rows) in enumerate(power.groupby("design", sort=False)):
        style = {"marker": "o", "ms": 4, "color": niche_colour(i + 1), "label": name}
        right.plot(rows["effect"], rows["power"], **style)
        below.plot(rows["effect"], rows["coverage_planted"], **style)
    right.axhline(0.05, color=FAINT, lw=0.8)
    right.set(ylabel="power, p ≤ 0.05", ylim=(0, 1.02))
    right.legend(frameon=False, fontsize=9)
    below.axhspan(0.92, 0.97, color=FAINT, alpha=0.25, lw=0)
    below.set(xlabel="planted change of the log proportion", ylabel="coverage of the\n95 % interval", ylim=(0.85, 1.0))
    for ax in (left, right, below):
        ax.spines[["top", "right"]].set_visible(False)
    return drawn


def _false_positives(ax, null: pd.DataFrame) -> None:
    place = np.arange(len(null))
    ax.axvspan(*ALLOWED, color=FAINT, alpha=0.25, lw=0)
    marks = {"cells": ("X", 6), "sections": ("s", 4), "mixed_z": ("D", 2), "mixed_t": ("o", 5), "pipeline": ("o", 1)}
    for column, (marker, colour) in marks.items():
        if column in null:
            style = {"s": 60 if column == "pipeline" else 34, "zorder": 4 if column == "pipeline" else 3}
            ax.scatter(
                null[column], place, marker=marker, color=niche_colour(colour), label=HEADINGS[column],
                edgecolor=INK, linewidth=0.5, **style,
            )  # fmt: skip
    ax.set_xscale("log")
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5, 1)
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_yticks(place, null["design"])
    ax.invert_yaxis()
    ax.set_xlabel("false positives at 0.05 (band: 0.035 to 0.065)")
    ax.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.45, -0.11), ncols=3)


def hard_figure(hard: pd.DataFrame) -> Figure:
    """False positives, and cohorts with any q < 0.05, of each hard design; bars are two Monte-Carlo errors."""
    drawn = Figure(figsize=(11, 0.24 * len(hard) + 1.6), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    place = np.arange(len(hard))
    left.axvspan(*ALLOWED, color=FAINT, alpha=0.25, lw=0)
    left.errorbar(hard["pipeline"], place, xerr=2 * hard["error"], fmt="o", ms=4, color=niche_colour(1), lw=1)
    left.set(xlabel="false positives at 0.05 (band: 0.035 to 0.065)", xlim=(0, None))
    left.set_yticks(place, hard["design"], fontsize=8)
    left.invert_yaxis()
    right.axvspan(0, ANY_Q, color=FAINT, alpha=0.25, lw=0)
    any_q = hard["any_q"].to_numpy(float)
    right.errorbar(
        any_q, place, xerr=2 * np.sqrt(any_q * (1 - any_q) / hard["cohorts"]), fmt="o", ms=4, color=INK, lw=1
    )
    right.set(xlabel=f"cohorts with any q < 0.05 (band: at most {ANY_Q})", xlim=(0, None))
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    return drawn
