"""Tables between two marks of benchmarks.md, and figures, as the benchmarks write them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from semanticst.plotting.palette import niche_colour
from semanticst.plotting.style import FAINT, INK
from semanticst.writing import atomic

ALLOWED = (0.035, 0.065)
HEADINGS = {
    "design": "Design",
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
    docs: Path, null: pd.DataFrame, power: pd.DataFrame, hazard: pd.DataFrame, cohorts: int, seed: int
) -> None:
    """Write the tables and the figure into ``docs``: ``benchmarks.md`` and ``images/calibration.png``."""
    null, power, hazard = (table[[c for c in HEADINGS if c in table]] for table in (null, power, hazard))
    text = (
        f"False positives at 0.05 in {cohorts} cohorts without an effect per design (seed {seed}). "
        f"Wanted: {ALLOWED[0]} to {ALLOWED[1]}.\n\n{markdown(null)}\n\n"
        f"Planted effects, {cohorts // 2} cohorts each. Wanted: coverage 0.92 to 0.97.\n\n{markdown(power)}\n\n"
        f"The same for log hazard ratios per SD, {cohorts // 10} cohorts each. The ratio in the population is nearer "
        "to 1 than the planted one: niche counts measure a patient's niche with error.\n\n"
        f"{markdown(hazard.rename(columns={'true_difference': 'true_log_hazard'}))}\n\n"
        "![Calibration of the association](images/calibration.png)"
    )
    replace_between_marks(docs / "benchmarks.md", "calibration", "Calibration of the association", text)
    with atomic(docs / "images" / "calibration.png") as partial:
        figure(null, power).savefig(partial, dpi=130, facecolor="white", metadata={"Software": None})


def write_hard(docs: Path, hard: pd.DataFrame, cohorts: int, seed: int) -> None:
    """Write the table of cohorts in which something else differs into ``benchmarks.md``."""
    text = (
        f"{cohorts} cohorts without an effect per design (seed {seed}), through all that guards a test. Wanted: false "
        f"positives "
        f"{ALLOWED[0]} to {ALLOWED[1]} (small groups may be below), any q at most 0.06, coverage 0.92 to 0.97.\n\n"
        f"{markdown(hard[[c for c in HEADINGS if c in hard]])}"
    )
    replace_between_marks(docs / "benchmarks.md", "hard_cohorts", "Cohorts in which something else differs", text)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; shares with three digits, empty where there is none."""
    lines = ["| " + " | ".join(HEADINGS[c] for c in table) + " |", "|---" + "|--:" * (table.shape[1] - 1) + "|"]
    for row in table.itertuples(index=False):
        cells = [v if isinstance(v, str) else "" if np.isnan(v) else f"{v:.3f}" for v in row]
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
