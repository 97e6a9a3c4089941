"""Overview of where the niches are: small maps of some sections, groups and patients in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.output.representative_sections import read_sections_of
from semanticst.association.output.time_words import outcome_words
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Html, Section
from semanticst.plotting.niche_maps import SectionMap, choose_sections, write_thumbnails
from semanticst.units import MICROMETRE
from semanticst.wording import CUTS_IN_SECTION, figure_caution

Groups = Mapping[str, tuple[str, str]]
"""Of each section the group in whose turn it is shown, and what its title says."""


def groups_of(record: dict | None) -> Groups:
    """Groups of the sections of a contrast (its record); empty without one."""
    if record is None:
        return {}
    said, kind = record["section_values"], record["contrast"]["type"]
    if kind == "survival":
        parts = {section: words.rpartition(", ") for section, words in said.items()}
        column = record["contrast"]["time"]
        return {s: (outcome, outcome_words(time, outcome, column)) for s, (time, _, outcome) in parts.items()}
    if kind == "continuous":
        values = pd.Series(said, dtype=float)
        high = values > values.median()
        return {s: ("high" if high[s] else "low", f"{record['contrast']['column']} {said[s]}") for s in values.index}
    return {section: (words, words) for section, words in said.items()}


def with_groups(sections: Sequence[SectionMap], groups: Groups) -> list[SectionMap]:
    """The sections with what a contrast knows of them."""
    unknown = ("", "")
    return [replace(s, group=groups.get(s.sample, unknown)[0], note=groups.get(s.sample, unknown)[1]) for s in sections]


def sections_to_show(counts: pd.DataFrame, groups: Groups, n: int) -> list[SectionMap]:
    """Choose ``n`` sections of ``niche_counts``, still without cells: those that a contrast compares, if there are any.

    A cohort is larger than memory may be, so the cells of these sections alone are read later (`read_sections_of`).
    """
    named = counts[["sample", "patient"]].drop_duplicates("sample")
    nothing = np.empty((0, 2)), np.empty(0, int)
    empty = [SectionMap(s, p, *nothing, "") for s, p in zip(named["sample"], named["patient"])]
    known = [s for s in with_groups(empty, groups) if s.group] or empty
    return choose_sections(known, n)


def overview_section(
    outdir: Path, niches: Path, counts: pd.DataFrame, record: dict | None, n: int, supported: bool = True
) -> None:
    """Write the sheet ``niche_maps.png`` and its section; nothing for ``n`` = 0.

    niches : ``niches.csv.gz``. counts : ``niche_counts.csv``. record : ``{contrast}.association.json`` of the contrast
    whose groups are shown in turn, or None. supported : does the tissue support the number of niches?
    """
    chosen = sections_to_show(counts, groups_of(record), n)
    if not chosen:
        return
    cells = read_sections_of(niches, {section.sample for section in chosen})
    drawn = [replace(cells[s.sample], group=s.group, note=s.note) for s in chosen]
    sheet = outdir / "niche_maps.png"
    write_thumbnails(drawn, sorted(counts["niche"].astype(int).unique()), sheet, figure_caution(supported))
    text = _text(drawn, counts["sample"].nunique(), record) + ("" if supported else CUTS_IN_SECTION)
    section = Section("niche_maps", NICHES, "Where the niches are", text)
    multiqc.image(outdir, section, sheet, alt=f"Maps of the niches in {len(drawn)} tissue sections")


def _text(drawn: Sequence[SectionMap], n: int, record: dict | None) -> Html:
    turns = "as many patients as fit"
    if record is not None and any(section.group for section in drawn):
        turns = f"groups of contrast {record['contrast']['name']} in turn, and of each as many patients as fit"
    shown = "All samples are shown." if len(drawn) == n else f"{len(drawn)} of {n} samples are shown, {turns}."
    unit = (
        "The bars are in micrometres or millimetres."
        if all(section.unit == MICROMETRE for section in drawn)
        else "The input does not say the unit of its coordinates, so the bars are in coordinate units (unknown)."
    )
    return multiqc.emphasised(
        "Every dot is a cell (or spot) in its place in the section, in the colour of its niche. {shown} {unit} "
        "Maps of every sample in full size (PNG, PDF) lie in the folder <code>niches/maps</code> of the results.",
        shown=shown,
        unit=unit,
    )
