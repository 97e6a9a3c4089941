"""Representative sections: patients with the most and the least of the niche most associated with the contrast."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from semanticst.association.associate import Association
from semanticst.association.design.region_parts import samples_of
from semanticst.association.output.summary_text import p_text
from semanticst.association.output.time_words import outcome_words
from semanticst.association.stats.results import SIGNIFICANT
from semanticst.plotting.niche_maps import SectionMap, draw_section
from semanticst.plotting.palette import REMOVED, niche_colour, niche_name
from semanticst.plotting.style import new_figure, wrapped

SECTIONS_PER_SIDE = 3
"""Patients on either side."""
_ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class RepresentativeSection:
    """One patient (or part of a patient) to draw: the largest section, and what stands above it."""

    section: str
    title: str
    share: float


def strongest_niche(result: Association) -> pd.Series | None:
    """The row of the niche whose proportion has the smallest p; None where none could be tested."""
    rows = result.primary
    rows = rows[(rows["feature"] == "proportion") & rows["p"].notna()]
    return None if rows.empty else rows.iloc[0]


def representative_sections(result: Association) -> tuple[list[RepresentativeSection], list[RepresentativeSection]]:
    """Units with the most of the strongest niche (falling), and with the least (rising); no unit is on both sides.

    Of a unit with several sections the one with most cells stands for it.
    """
    row = strongest_niche(result)
    if row is None:
        return [], []
    share = result.features.shown["proportion", row["niche"]].sort_values(kind="stable", ascending=False)
    n = min(SECTIONS_PER_SIDE, len(share) // 2)
    found = []
    for unit in [*share.index[:n], *share.index[::-1][:n]]:
        sections = result.design.sections.index[result.design.sections["unit"] == unit]
        largest = str(result.cells.loc[sections].idxmax())
        found.append(
            RepresentativeSection(
                largest, f"{unit}{_outcome(result, unit)}\n{100 * share[unit]:.1f} %", float(share[unit])
            )
        )
    return found[:n], found[n:]


def _outcome(result: Association, unit: str) -> str:
    """What the contrast knows of a unit; empty where it is in the unit's name already."""
    design, contrast = result.design, result.contrast
    row = design.units.loc[unit]
    if contrast.type == "survival":
        outcome = "event" if row["event"] else "censored"
        return f", {outcome_words(format(row['time'], 'g'), outcome, contrast.time)}"
    if design.within_patient:
        return ""
    return f", {row['value']:.3g}" if contrast.type == "continuous" else f", {row['value']}"


def read_sections_of(niches: Path, samples: set[str]) -> dict[str, SectionMap]:
    """Positions and niches of some samples from ``niches.csv.gz``, in pieces: a cohort may be larger than memory."""
    parts = []
    columns = {"sample": str, "patient": str, "x": float, "y": float, "niche": int, "coordinate_unit": str}
    for part in pd.read_csv(
        niches, usecols=list(columns), dtype=columns, chunksize=_ROWS_AT_ONCE, keep_default_na=False
    ):
        parts.append(part[part["sample"].isin(samples)])
    return {
        sample: SectionMap(
            sample,
            rows["patient"].iloc[0],
            rows[["x", "y"]].to_numpy(),
            rows["niche"].to_numpy(),
            rows["coordinate_unit"].iloc[0],
        )
        for sample, rows in pd.concat(parts).groupby("sample", sort=True)
    }


def draw_representative_sections(result: Association, niches: Path) -> Figure | None:
    """Maps, most above and least below: the strongest niche in its colour, all others grey. None without a test."""
    most, least = representative_sections(result)
    row = strongest_niche(result)
    if not most or row is None:
        return None
    niche = int(row["niche"])
    sections = read_sections_of(niches, set(samples_of(pd.Index([e.section for e in (*most, *least)]))))
    figure = new_figure(2.9 * len(most), 6.6)
    axes = figure.subplots(2, len(most), squeeze=False)
    for ax, shown in zip(axes.ravel(), [*most, *least]):
        draw_section(
            ax,
            sections[samples_of(pd.Index([shown.section]))[0]],
            colour=lambda k: niche_colour(k) if k == niche else REMOVED,
        )
        ax.set_title(shown.title, fontsize=9, loc="left")
    figure.suptitle(
        wrapped(f"{niche_name(niche)}, {p_text(row['q'], 'q')}: most (above) and least (below)", 24 * len(most)),
        fontsize=10, fontweight="bold" if row["q"] < SIGNIFICANT else "normal",
    )  # fmt: skip
    return figure
