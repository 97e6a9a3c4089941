"""The three pictures of the first page: maps, effects and patients; without a contrast composition and niches."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semanticst.association.output.forest_plot import TICKS, axis_label
from semanticst.association.output.representative_sections import read_sections_of
from semanticst.association.output.summary_text import feature_name, is_share, p_text
from semanticst.association.output.time_words import time_label
from semanticst.association.stats.results import OMNIBUS, PAIRWISE, PRIMARY, SIGNIFICANT
from semanticst.plotting.niche_maps import draw_section
from semanticst.plotting.palette import niche_colour, niche_hatch, niche_name
from semanticst.plotting.section_axes import save_small
from semanticst.plotting.style import FAINT, INK, STYLE, new_figure, row_colour, wrapped
from semanticst.report.overview_maps import groups_of, sections_to_show
from semanticst.report.summary_facts import not_interpretable
from semanticst.report.summary_sentences import are_arbitrary_cuts
from semanticst.wording import plural

MAPS, ROWS, MOST_SAMPLES = 4, 8, 40
"""Sections in the first picture; niches in the second; bars without a contrast."""
_DAGGER = "\N{DAGGER}"
_SIZE, _DPI = (4.4, 4.0), 110
LINE = 36
"""Letters of a line beside or below an axis."""


def draw_summary(
    outdir: Path, summary: dict, record: dict | None, niches: Path | None, counts: pd.DataFrame | None
) -> list[tuple[str, Path]]:
    """Write the pictures into ``outdir``; returns caption and file of each.

    record : ``{contrast}.association.json`` of the leading contrast, or None. niches : ``niches.csv.gz``. counts :
    ``niche_counts.csv``. Nothing is drawn of what is None.
    """
    drawn: list[tuple[str, Figure]] = []
    with matplotlib.rc_context(STYLE):
        if niches is not None and counts is not None:
            drawn.append(_maps(niches, counts, record))
        if record is not None and any(row["p"] is not None for row in record["rows"]):
            drawn += [_effects(record, not_interpretable(summary["niches"])), _patients(record)]
        elif counts is not None:
            drawn += [_composition(counts), _sizes(summary["niches"])]
        made = []
        for number, (caption, figure) in enumerate(drawn, 1):
            path = outdir / f"summary_{number}.png"
            colours = [niche_colour(k) for k in range(1, 21)]
            save_small(figure, path, _DPI, colours)
            made.append((caption, path))
    return made


def _maps(niches: Path, counts: pd.DataFrame, record: dict | None) -> tuple[str, Figure]:
    chosen = sections_to_show(counts, groups_of(record), MAPS)
    drawn = read_sections_of(niches, {section.sample for section in chosen})
    figure = new_figure(*_SIZE)
    axes = figure.subplots(2, -(-len(chosen) // 2), squeeze=False)
    for ax in axes.ravel()[len(chosen) :]:
        ax.set_axis_off()
    for ax, section in zip(axes.ravel(), chosen):
        draw_section(ax, drawn[section.sample], font_size=6)
        ax.set_title(_short(section.title), fontsize=8, loc="left")
    return (
        f"Where the niches are: {len(chosen)} of {plural(counts['sample'].nunique(), 'sample')}, one colour a niche.",
        figure,
    )


def _effects(record: dict, doubtful: set[str]) -> tuple[str, Figure]:
    """Effects of the leading contrast with intervals, the strongest first. doubtful : niches not to be interpreted."""
    rows = pd.DataFrame(record["rows"])
    primary = rows[rows["family"] == PRIMARY]
    pairs = rows[rows["family"] == PAIRWISE]
    shown = pairs if (primary["comparison"] == OMNIBUS).any() and len(pairs) else primary
    # pairs are tested where their niche passes: others have no p of their own
    whole = primary.set_index(["niche", "feature"])["p"].groupby(level=[0, 1]).min().rename("whole")
    known = shown[shown["effect"].notna()].join(whole, on=["niche", "feature"])
    known = known.sort_values(["whole", "p"], kind="stable", na_position="last")
    shown = known.head(ROWS)
    survival = record["contrast"]["type"] == "survival"
    columns = ["hazard_ratio", "hazard_ratio_low", "hazard_ratio_high"] if survival else ["effect", "ci_low", "ci_high"]
    figure = new_figure(*_SIZE)
    ax = figure.subplots()
    labels = []
    for i, (_, row) in enumerate(shown.iterrows()):
        effect, low, high = row[columns].astype(float)
        ax.plot([low, high], [i, i], color=INK, lw=1.2)
        ax.scatter(effect, i, s=55, color=row_colour(str(row["niche"])), edgecolor=INK, linewidth=0.8, zorder=3)
        mark = ("*" if row["q"] < SIGNIFICANT else "") + (_DAGGER if str(row["niche"]) in doubtful else "")
        pair = f"\n{row['comparison']}" if len(shown["comparison"].unique()) > 1 else ""
        labels.append(wrapped(f"{feature_name(row)}{mark}", 26) + pair)
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.axvline(1 if survival else 0, color=FAINT, lw=1, zorder=1)
    if survival:
        ax.set_xscale("log")
        low, high = ax.get_xlim()
        shown_ticks = [t for t in TICKS if low <= t <= high]
        ax.set_xticks(shown_ticks, [f"{t:g}" for t in shown_ticks])
        ax.minorticks_off()
        ax.set_xlabel("hazard ratio per SD")
    else:
        words = axis_label(record["contrast"], str(shown["comparison"].iloc[0]), set(shown["feature"]))
        ax.set_xlabel(wrapped(words, LINE), fontsize=8)
    name = record["contrast"]["name"]
    sides = str(shown["comparison"].iloc[0]).split(" vs ")
    right = "higher hazard" if survival else f"more in {sides[0]}" if len(sides) == 2 and pairs.empty else ""
    side = f"; to the right: {right}" if right else ""
    marked = f"; {_DAGGER} not to be interpreted" if any(_DAGGER in label for label in labels) else ""
    whose = "effect of each niche" if set(shown["feature"]) == {"proportion"} else "each effect"
    which = whose if len(shown) == len(known) else f"of {len(known)} effects the {len(shown)} of the smallest p, each"
    return f"Contrast {name}: {which} with its 95 % interval; * where q < 0.05{side}{marked}.", figure


def _patients(record: dict) -> tuple[str, Figure]:
    """Patients by outcome, for the feature of the smallest p."""
    nearest, units = record["nearest"], pd.DataFrame(record["units"])
    row = next(
        row for row in record["rows"]
        if all(str(row[k]) == str(nearest[k]) for k in ("niche", "feature", "comparison")) and row["family"] == PRIMARY
    )  # fmt: skip
    name = feature_name(pd.Series(row))
    key = f"{row['feature']}/{row['niche']}"
    y = units[key if key in units else row["feature"]].astype(float).to_numpy()
    percent = is_share(row["feature"])
    y = 100 * y if percent else y
    figure = new_figure(*_SIZE)
    ax = figure.subplots()
    contrast = record["contrast"]
    if contrast["type"] == "survival":
        _curves(ax, units, y, row)
        ax.set_xlabel(wrapped(time_label(contrast["time"]), LINE))
        caption = f"{name}: patients above and below the median"
    else:
        if contrast["type"] == "continuous":
            x = units["value"].astype(float)
            ax.scatter(x, y, s=26, color=row_colour(str(row["niche"])), edgecolor=INK, linewidth=0.6)
            ax.set_xlabel(wrapped(contrast["column"], LINE))
        else:
            _by_level(ax, units, y, list(record["levels"]), row_colour(str(row["niche"])))
        ax.set_ylabel(wrapped(f"{name}, % of the cells" if percent else name, LINE))
        median = "" if contrast["type"] == "continuous" else "; the line is the median"
        caption = f"{name}: every point is a patient{median}"
    return f"{caption} ({p_text(row['q'], 'q')}).", figure


def _by_level(ax: Axes, units: pd.DataFrame, y: np.ndarray, levels: list[str], colour: str) -> None:
    values = units["value"].astype(str).to_numpy()
    for i, level in enumerate(levels):
        own = np.sort(y[(values == level) & np.isfinite(y)])
        if not len(own):
            continue
        x = i + 0.5 * (np.arange(len(own)) / max(len(own) - 1, 1) - 0.5)
        ax.scatter(x, own, s=26, color=colour, edgecolor=INK, linewidth=0.6, zorder=3)
        ax.hlines(np.median(own), i - 0.35, i + 0.35, color=INK, lw=2, zorder=2)
    ax.set_xticks(range(len(levels)), [_short(level, 48 // len(levels)) for level in levels])
    ax.set_xlim(-0.6, len(levels) - 0.4)


def _curves(ax: Axes, units: pd.DataFrame, y: np.ndarray, row: dict) -> None:
    from lifelines import KaplanMeierFitter

    known = np.isfinite(y)
    high = y > np.median(y[known])
    above: dict[str, Any] = {"color": row_colour(str(row["niche"])), "lw": 2.4}
    below: dict[str, Any] = {"color": INK, "ls": "--", "lw": 1.6}
    for keep, words, style in ((high, "above", above), (~high, "at or below", below)):
        part = units[keep & known]
        if len(part):
            curve = KaplanMeierFitter().fit(part["time"].astype(float), part["event"].astype(float))
            line = curve.survival_function_.iloc[:, 0]
            ax.step(line.index, line, where="post", label=f"{words} the median (n = {len(part)})", **style)
    ax.set_ylim(0, 1.03)
    ax.set_ylabel("event-free survival probability")
    ax.legend(loc="lower left", fontsize=8)


def _composition(counts: pd.DataFrame) -> tuple[str, Figure]:
    cells = counts.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum").head(MOST_SAMPLES)
    share = 100 * cells.div(cells.sum(axis=1).clip(lower=1), axis=0)
    figure = new_figure(*_SIZE)
    ax = figure.subplots()
    left = np.zeros(len(share))
    for niche in share:
        ax.barh(range(len(share)), share[niche], left=left, color=niche_colour(int(niche)), height=0.85,
                hatch=niche_hatch(int(niche)))  # fmt: skip
        left += share[niche].to_numpy()
    ax.set_yticks(range(len(share)), [_short(name, 18) for name in share.index], fontsize=6)
    ax.invert_yaxis()
    ax.set_xlabel("cells (%)")
    return f"What the samples are made of: {len(share)} of {plural(counts['sample'].nunique(), 'sample')}.", figure


def _sizes(niches: dict) -> tuple[str, Figure]:
    table = niches["table"]
    figure = new_figure(*_SIZE)
    ax = figure.subplots()
    judged = niches["judged"]
    values = [row["jaccard"] if judged else 100 * row["share"] for row in table]
    numbers = [int(row["niche"]) for row in table]
    colours, hatches = [niche_colour(k) for k in numbers], [niche_hatch(k) or "" for k in numbers]
    ax.barh(range(len(table)), values, color=colours, hatch=hatches)
    ax.set_yticks(range(len(table)), [wrapped(niche_name(int(row["niche"])), 26) for row in table], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("reproducibility\n(bootstrap Jaccard index)" if judged else "cells (%)")
    if judged:
        ax.axvline(0.6, color=FAINT, lw=1)
    if not judged:
        return "Sizes of the niches.", figure
    if niches["mapped"]:
        drawn = "where the model was trained, when its patients (of a single patient, the cells) are resampled"
    else:
        drawn = "when cells of the one patient are resampled" if niches["one_patient"] else "with other patients"
    if are_arbitrary_cuts(niches):
        return f"How often the cuts come back {drawn} (1: the same), though they are arbitrary.", figure
    return f"How sure the niches are (1: the same {drawn}).", figure


def _short(name: str, length: int = 26) -> str:
    return name if len(name) <= length else name[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
