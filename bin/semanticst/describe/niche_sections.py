"""Sections of the report about niches: sizes, maps, markers, contacts, stability."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType, Obs
from semanticst.describe.marker_dots import draw_marker_dots
from semanticst.describe.markers import effect_name
from semanticst.describe.niche_tree import report_tree
from semanticst.describe.overview import UNSURE, by_modality, top_markers
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, QC, Column, Section
from semanticst.plotting.palette import given_names, niche_colour, niche_name
from semanticst.units import MICROMETRE

LOW_AGREEMENT = 0.5
"""Intraclass correlation below which most of a section is its own."""
_HEATMAP_FEATURES = 40
_FIRM, _FAIR = 0.9, 0.6

_EFFECT_WORDS = {"log2_fold_change": "log2 fold change", "difference": "Difference, inside minus outside"}
_CONTEXT_WORDS = {
    "spatial": "the cells next to it",
    "expression": "cells of the same sample with similar expression",
    "domain": "cells of the same sample with similar neighbourhoods",
}


def write_niche_sections(
    outdir: Path, cohort: Cohort, tables: dict[str, pd.DataFrame | None], sheet: Path | None, n_shown: int
) -> None:
    """Write the custom content of the niche part, and the columns of the table of samples.

    ``tables`` as made by `semanticst.describe.describe_niches`; ``sheet`` is the picture with ``n_shown`` small maps.
    """
    names = recognised(tables["niche_overview"])
    _sample_overview(outdir, cohort, tables["niche_counts"])
    _overview(outdir, cohort, tables["niche_overview"])
    if tables["niche_agreement"] is not None:
        _agreement(outdir, tables["niche_agreement"])
    if sheet is not None:
        _maps(outdir, cohort, sheet, n_shown)
    _composition(outdir, tables["niche_counts"])
    markers, proteins = by_modality(tables["niche_markers"])
    _markers(outdir, cohort, markers, "niche_markers", "Marker genes")
    beside = cohort.proteins()
    if beside is not None:
        _markers(outdir, beside, proteins, "niche_marker_proteins", "Marker proteins")
    if tables["niche_cell_types"] is not None:
        _cell_types(outdir, tables["niche_cell_types"])
    if Obs.STABILITY in cohort.cells:
        _stability(outdir, cohort)
    if len(cohort.niches) > 1:
        _contacts(outdir, tables["niche_contacts"], names)
    if tables["niche_tree"] is not None:
        report_tree(outdir, tables["niche_tree"])
    if tables["niche_scores"] is not None:
        _scores(outdir, tables["niche_scores"], names)


def _agreement(outdir: Path, table: pd.DataFrame) -> None:
    n_patients, n_sections = int(table["n_patients"].iloc[0]), int(table["n_sections"].iloc[0])
    low = table.loc[table["icc"] < LOW_AGREEMENT, "niche"]
    text = (
        "Of what differs between sections, the part that is the patient's: intraclass correlation of each niche's "
        f"log-ratio over the {n_sections} sections of the {n_patients} patients who have several, median "
        f"{table['icc'].median():.2f}. 1: sections of a patient are the same; 0: they resemble each other no more than "
        "those of others, and one section says little of its patient."
    )
    if len(low):
        text += f" Below {LOW_AGREEMENT}: {', '.join(niche_name(n) for n in low)}."
    frame = table.set_index(pd.Index([niche_name(n) for n in table["niche"]]))
    columns = {
        "icc": Column("ICC", "Intraclass correlation", "{:.2f}"),
        "icc_low": Column("from", "Lower end of its 95 % interval", "{:.2f}"),
        "icc_high": Column("to", "Upper end of its 95 % interval", "{:.2f}"),
    }
    section = Section("qc_agreement", QC, "Agreement of sections of one patient", text)
    multiqc.table(outdir, section, frame, columns, "Niche")


def _sample_overview(outdir: Path, cohort: Cohort, counts: pd.DataFrame) -> None:
    frame = cohort.samples.set_index("sample")[["patient", "n_cells"]]
    counts = counts.assign(present=(counts["n_cells"] >= 0.01 * counts["n_cells_sample"]) & (counts["n_cells"] > 0))
    frame["n_niches"] = counts.groupby("sample")["present"].sum()
    largest = counts.loc[counts.groupby("sample")["n_cells"].idxmax()].set_index("sample")
    frame["largest"] = [
        f"{niche_name(row.niche)} ({row.n_cells / row.n_cells_sample:.0%})" for row in largest.itertuples()
    ]
    if Obs.STABILITY in cohort.cells:
        frame["stability"] = cohort.cells.groupby(Obs.SAMPLE)[Obs.STABILITY].mean()
    columns = {
        "patient": Column("Patient", "Patient the sample was taken from."),
        "n_cells": Column("Cells in niches", "Cells (or spots) that were assigned to a niche.", format="{:,d}"),
        "n_niches": Column("Niches", "Niches that cover at least 1 % of the sample.", format="{:,d}"),
        "largest": Column("Largest niche", "The niche that covers most of the sample, and its proportion."),
        "stability": Column(
            "Stability",
            "How firmly the cells of the sample belong to their niches, on average: 1 = all base clusterings of the "
            "consensus agree.",
            format="{:.2f}",
            scale="Greens",
            low=0,
            high=1,
        ),
    }
    multiqc.general_stats(outdir, "sample_overview", frame, columns, "Niches", place=200)


def _overview(outdir: Path, cohort: Cohort, table: pd.DataFrame) -> None:
    frame = table.set_index("niche")
    frame.insert(0, "colour", [multiqc.swatch(niche_colour(niche)) for niche in frame.index])
    frame["markers"] = frame["markers"].replace("", "none stands out")
    if "proteins" in frame:
        frame["proteins"] = frame["proteins"].replace("", "none stands out")
    named = "cell_types" in frame
    n_samples, n_patients = len(cohort.samples), cohort.samples["patient"].nunique()
    frame.index = [niche_name(niche) for niche in frame.index]
    columns = {
        "colour": Column("Colour", "Colour of the niche in all maps and figures."),
        "cell_types": Column(
            "Cell types", "The most common cell types in the niche, with their proportion of its cells."
        ),
        "markers": Column(
            "Markers", "Features that are higher inside the niche than outside, in patient after patient."
        ),
        "proteins": Column("Proteins", "Proteins that are higher inside the niche, as for the markers."),
        "share": Column("Proportion", "Proportion of all cells of the cohort.", "{:.1%}", scale="Blues", low=0),
        "n_cells": Column("Cells", "Cells (or spots) in the niche.", "{:,d}"),
        "n_patients": Column("Patients", f"Patients (of {n_patients}) in which it covers 1 % of a sample.", "{:,d}"),
        "n_samples": Column("Samples", f"Samples (of {n_samples}) of which it covers 1 %.", "{:,d}", hidden=True),
        "stability": Column(
            "Stability",
            "Mean assignment confidence of its cells: 1 = all base clusterings of the consensus agree on all of them.",
            "{:.2f}",
            scale="Greens",
            low=0,
            high=1,
        ),
        "jaccard": Column(
            "Reproducibility",
            "Bootstrap Jaccard index: patients are drawn with replacement and niches found again, many times; how "
            "alike the niche and its best match are on average, 1 = the same cells.",
            "{:.2f}",
            scale="Greens",
            low=0,
            high=1,
        ),
        "reading": Column(
            "Reading",
            "Reading of the Jaccard index after Hennig 2007: from 0.85 very high, from 0.75 high, from 0.6 moderate "
            "(its borders are unsure), from 0.5 low, below that the niche is not reproducible. A niche of one patient "
            "alone is lost where this patient is not drawn.",
        ),
    }
    section = Section(
        "niche_overview",
        NICHES,
        "Niches",
        "One row per niche. "
        + ("Read the cell types and markers to recognise the tissue" if named else "The markers tell")
        + (" behind a niche. " if named else " which tissue is behind a niche. ")
        + f"The cohort has {n_patients} patient{_s(n_patients)} and {n_samples} sample{_s(n_samples)}; a niche found "
        "in one patient only says little about the others. Point at a heading for its meaning." + advice(table),
    )
    multiqc.table(outdir, section, frame, columns, row_title="Niche")


def advice(overview: pd.DataFrame) -> str:
    """What to do where niches would not come back with other patients; empty where all would, or none was judged."""
    if "reading" not in overview:
        return ""
    unsure = overview.loc[overview["reading"].isin(UNSURE), "niche"].astype(str).tolist()
    if not unsure:
        return ""
    which = f"niche {unsure[0]}" if len(unsure) == 1 else f"niches {', '.join(unsure[:-1])} and {unsure[-1]}"
    return f" <b>Do not interpret {which}: other patients may not show them again. Try fewer niches (--niche_k).</b>"


def _maps(outdir: Path, cohort: Cohort, sheet: Path, n_shown: int) -> None:
    n = len(cohort.samples)
    shown = (
        "All samples are shown." if n_shown == n else f"{n_shown} of {n} samples are shown, as many patients as fit."
    )
    unit = (
        "The bars are in micrometres or millimetres."
        if cohort.spatial_unit == MICROMETRE
        else "The input does not say the unit of its coordinates, so the bars are in coordinate units (unknown)."
    )
    section = Section(
        "niche_maps",
        NICHES,
        "Where the niches are",
        f"Every dot is a cell (or spot) in its place in the section, in the colour of its niche. {shown} {unit} "
        "Maps of every sample in full size (PNG, PDF) lie in the folder <code>niches/maps</code> of the results.",
    )
    multiqc.image(outdir, section, sheet, alt=f"Maps of the niches in {n_shown} tissue sections")


def _composition(outdir: Path, counts: pd.DataFrame) -> None:
    names = [niche_name(niche) for niche in counts["niche"].unique()]
    cells = counts.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum")
    cells.columns = names
    section = Section(
        "niche_composition",
        NICHES,
        "Composition of samples by niche",
        "One bar per sample, proportions of its cells. These proportions, over all samples of a patient, are what is "
        "compared with the clinical outcome.",
    )
    colours = {niche_name(niche): niche_colour(niche) for niche in counts["niche"].unique()}
    multiqc.bars(outdir, section, cells.to_dict("index"), y="Cells (number or %)", colours=colours)


def _markers(outdir: Path, cohort: Cohort, markers: pd.DataFrame, name: str, title: str) -> None:
    effect = effect_name(cohort.feature_type)
    each = int(np.clip(_HEATMAP_FEATURES // len(cohort.niches), 2, 6))
    chosen = dict.fromkeys(
        name for niche in cohort.niches for name in top_markers(markers, niche, each, cohort.feature_type)
    )
    frame = markers.pivot_table(index="niche", columns="symbol", values=effect)
    frame = frame.reindex(columns=list(chosen))
    if frame.empty or not len(chosen):
        return
    frame.index = [niche_name(niche) for niche in frame.index]
    what = {
        FeatureType.COUNTS: "log2 fold change, 1 is twice as much inside the niche as outside, -1 half as much",
        FeatureType.CONTINUOUS: "difference of the mean arcsinh(value / typical size), 0.6 is about twice the value",
    }.get(cohort.feature_type, "proportion of positive cells inside the niche minus the proportion outside it")
    n_replicates = int(markers["n_replicates"].max())
    n_patients = cohort.samples["patient"].nunique()
    replicates = "patients" if n_patients > 1 else "samples of the one patient"
    section = Section(
        name,
        NICHES,
        title,
        f"The best {each} markers of each niche; red is higher inside the niche, blue is lower. Colour: {what}. "
        "All features are in <code>niches/niche_markers.csv</code>.",
        help=f"Inside and outside are compared within each patient and then averaged (here over up to {n_replicates} "
        f"{replicates}). Markers are ranked by the average difference divided by its spread between patients, so that "
        "a feature that is high in one patient only does not come first. Niches were made from the same data, "
        "therefore no p-values are given here.",
    )
    multiqc.heatmap(outdir, section, frame, x="Feature", y="Niche", z=_EFFECT_WORDS[effect], diverging=True)
    dots = outdir / "maps" / name
    draw_marker_dots(markers, list(chosen), _EFFECT_WORDS[effect].lower(), dots)
    section = Section(
        f"{name}_dots",
        NICHES,
        f"{title}: dot plot",
        "The same markers as a figure to print (<code>niches/maps</code>: PNG, PDF). Size: mean inside the niche, of "
        "the largest mean in any niche. Colour: the difference from all other cells.",
    )
    multiqc.image(outdir, section, dots.with_suffix(".png"), f"Dot plot of the {title.lower()} of each niche")


def _cell_types(outdir: Path, types: pd.DataFrame) -> None:
    frame = types.pivot_table(index="niche", columns="cell_type", values="share", fill_value=0)
    common = types.drop_duplicates("cell_type").set_index("cell_type")["share_all"]
    frame = frame[common.sort_values(ascending=False, kind="stable").index[:_HEATMAP_FEATURES]]
    frame.index = [niche_name(niche) for niche in frame.index]
    section = Section(
        "niche_cell_types",
        NICHES,
        "Cell types of niches",
        "Proportion of each cell type among the cells of a niche; a row sums to 1. Cell types are those of the input.",
    )
    multiqc.heatmap(outdir, section, frame, x="Cell type", y="Niche", z="Proportion of the niche's cells", low=0)


def _stability(outdir: Path, cohort: Cohort) -> None:
    level = pd.cut(
        cohort.cells[Obs.STABILITY], [-np.inf, _FAIR, _FIRM, np.inf], right=False, labels=["low", "medium", "high"]
    )
    cells = pd.crosstab(cohort.cells[Obs.NICHE], level)
    colours = {
        f"high ({_FIRM:.0%} and more)": "#1B7837",
        f"medium ({_FAIR:.0%} to {_FIRM:.0%})": "#A6DBA0",
        f"low (below {_FAIR:.0%})": "#C2A5CF",
    }
    cells = cells.reindex(columns=["high", "medium", "low"], fill_value=0)
    cells.columns = list(colours)
    cells.index = [niche_name(niche) for niche in cells.index]
    section = Section(
        "niche_stability",
        NICHES,
        "Assignment confidence",
        "The niches are a consensus (ensemble): cells are clustered several times, on several representations of the "
        "data. The stability of a cell is the fraction of these base clusterings that agree on its niche. It is lower "
        "where two niches meet; a niche of mostly low confidence should not carry a conclusion. The reproducibility of "
        "a niche with other patients of the same kind is in the table of the niches.",
    )
    multiqc.bars(outdir, section, cells.to_dict("index"), y="Cells", colours=colours)


def recognised(overview: pd.DataFrame) -> dict[int, str]:
    """Names of niches with what they are known by: a name that was given, else the first cell type or marker.

    overview : ``niche_overview``.
    """
    known = overview["cell_types"] if "cell_types" in overview else overview["markers"]
    # "T cell 40 %, B cell 9 %" or "CD3E, VIM"
    first = known.fillna("").str.split(", ").str[0].str.replace(r" \d+%$", "", regex=True)
    named = given_names()
    return {
        niche: niche_name(niche) if niche in named or not word else f"{niche_name(niche)}: {word}"
        for niche, word in zip(overview["niche"], first)
    }


def _contacts(outdir: Path, contacts: pd.DataFrame, names: dict[int, str]) -> None:
    frame = border_proportions(contacts)
    frame.columns = [niche_name(niche) for niche in frame.index]
    frame.index = frame.index.map(names)
    section = Section(
        "niche_contacts",
        NICHES,
        "Which niche lies beside which",
        "Of the contacts that a niche (row) has with other niches, the proportion that is with each of them (column); "
        "a row sums to 1. Cells inside a niche are left out: a niche touches itself most, since it is a region.",
        help="Each cell is joined to its 6 nearest cells of the same sample; edges between two niches are summed over "
        "samples. A large niche has more border and so a darker column. Neighbourhood enrichment, log2 of the edges "
        "over those of shuffled cells, is in <code>niches/niche_contacts.csv</code> for every sample.",
    )
    words = "Proportion of the contacts with other niches"
    multiqc.heatmap(
        outdir, section, frame, "Beside", "Niche", words, low=0, high=float(np.nanmax([*frame.max(), 0.01]))
    )


def border_proportions(contacts: pd.DataFrame) -> pd.DataFrame:
    """Of the edges that leave a niche (row) the proportion to each other one (column), NaN for itself.

    contacts : ``niche_contacts``, one row per sample and pair. A niche without such edges has NaN in its row.
    """
    pooled = contacts.groupby(["niche_a", "niche_b"], as_index=False)["edges"].sum()
    mirrored = pooled.rename(columns={"niche_a": "niche_b", "niche_b": "niche_a"})
    frame = pd.concat([pooled, mirrored]).drop_duplicates(["niche_a", "niche_b"])
    frame = frame.pivot_table(index="niche_a", columns="niche_b", values="edges", dropna=False).astype(float)
    values = frame.to_numpy(copy=True)
    np.fill_diagonal(values, np.nan)
    total = np.nansum(values, axis=1, keepdims=True)
    return pd.DataFrame(values / np.where(total > 0, total, np.nan), frame.index, frame.columns)


def _scores(outdir: Path, scores: pd.DataFrame, names: dict[int, str]) -> None:
    frame = scores.pivot_table(index="niche", columns="context", values="mean", sort=False)
    frame.index = frame.index.map(names)
    meanings = [f"<b>{name}</b>: {_CONTEXT_WORDS[name]}" for name in frame.columns if name in _CONTEXT_WORDS]
    if not meanings:
        meanings = ["The contexts are learned weights of the same spatial neighbours and have a number only"]
    section = Section(
        "niche_scores",
        NICHES,
        "Attention weights",
        "The network sees each cell in several contexts and learns how much each of them counts. Mean weight "
        f"(attention) of each context in each niche; a row sums to 1. {'; '.join(meanings)}.",
    )
    multiqc.heatmap(outdir, section, frame, x="Context", y="Niche", z="Mean attention", low=0, high=1)


def _s(n: int) -> str:
    return "" if n == 1 else "s"
