"""Sections of the report about niches: which there are, how sure they are, what samples are made of."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType, Obs
from semanticst.describe.contact_sections import attention_section, contact_section, recognised
from semanticst.describe.marker_sections import cell_type_section, marker_section
from semanticst.describe.niche_tree import report_tree
from semanticst.describe.overview import by_modality, contents_to_read
from semanticst.describe.rare_markers import report_rare_markers
from semanticst.describe.readings import UNSURE
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, QC, Column, Section
from semanticst.plotting.palette import bar_colour, niche_colour, niche_name
from semanticst.units import percent
from semanticst.wording import CUTS_IN_SECTION, numbered, plural

LOW_AGREEMENT = 0.5
"""Intraclass correlation below which most of a section is its own."""
_FIRM, _FAIR = 0.9, 0.6


def write_niche_sections(
    outdir: Path, cohort: Cohort, tables: dict[str, pd.DataFrame | None], mapped: bool = False
) -> None:
    """Write the custom content of the niche part, and the columns of the table of samples.

    ``tables`` as made by `semanticst.describe.describe_niches`. Maps are in `semanticst.report.overview_maps`, which
    knows the groups. mapped : onto a model, whose niches these are.
    """
    names = recognised(tables["niche_overview"])
    # each section may be the only one that is read
    mark = "" if cohort.number_supported else CUTS_IN_SECTION
    over, over_discovery = cohort.over_all + mark, cohort.over_discovery + mark
    _sample_overview(outdir, cohort, tables["niche_counts"])
    _overview(outdir, cohort, tables["niche_overview"], mapped)
    if tables["niche_agreement"] is not None:
        _agreement(outdir, tables["niche_agreement"], over)
    _composition(outdir, tables["niche_counts"], over)
    markers, proteins = by_modality(tables["niche_markers"])
    title = "Marker genes" if cohort.feature_type is FeatureType.COUNTS else "Markers"
    marker_section(outdir, cohort, markers, "niche_markers", title, names, over_discovery)
    beside = cohort.proteins()
    if beside is not None:
        marker_section(outdir, beside, proteins, "niche_marker_proteins", "Marker proteins", names, over_discovery)
    if tables["niche_cell_types"] is not None:
        cell_type_section(outdir, tables["niche_cell_types"], over)
    if Obs.STABILITY in cohort.cells:
        _stability(outdir, cohort, mapped, over)
    if len(cohort.niches) > 1:
        contact_section(outdir, tables["niche_contacts"], names, over)
    if tables["niche_tree"] is not None:
        report_tree(outdir, tables["niche_tree"], over, cohort.number_supported)
    if tables["rare_tissue_markers"] is not None:
        report_rare_markers(outdir, cohort, tables["rare_tissue_markers"])
    if tables["niche_scores"] is not None:
        attention_section(outdir, tables["niche_scores"], names, over)


def _agreement(outdir: Path, table: pd.DataFrame, over: str = "") -> None:
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
        "icc_low": Column("95 % CI, low", "Lower end of its 95 % interval", "{:.2f}"),
        "icc_high": Column("95 % CI, high", "Upper end of its 95 % interval", "{:.2f}"),
    }
    section = Section("qc_agreement", QC, "Agreement of sections of one patient", text + over)
    multiqc.table(outdir, section, frame, columns, "Niche")


def _sample_overview(outdir: Path, cohort: Cohort, counts: pd.DataFrame) -> None:
    frame = cohort.samples.set_index("sample")[["patient", "n_cells"]]
    counts = counts.assign(present=(counts["n_cells"] >= 0.01 * counts["n_cells_sample"]) & (counts["n_cells"] > 0))
    frame["n_niches"] = counts.groupby("sample")["present"].sum()
    largest = counts.loc[counts.groupby("sample")["n_cells"].idxmax()].set_index("sample")
    frame["largest"] = [
        f"{niche_name(row.niche)} ({percent(row.n_cells / row.n_cells_sample)})" for row in largest.itertuples()
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


def _overview(outdir: Path, cohort: Cohort, table: pd.DataFrame, mapped: bool) -> None:
    frame = contents_to_read(table).set_index("niche")
    frame.insert(0, "colour", [multiqc.swatch(niche_colour(niche)) for niche in frame.index])
    named = "cell_types" in frame
    n_samples, n_patients = len(cohort.samples), cohort.samples["patient"].nunique()
    one = _of_one_patient(cohort, mapped)
    frame.index = [niche_name(niche) for niche in frame.index]
    columns = {
        "colour": Column("Colour", "Colour of the niche in all maps and figures."),
        "cell_types": Column(
            "Cell types", "The most common cell types in the niche, with their proportion of its cells."
        ),
        "markers": Column(
            "Markers",
            "Features that are higher inside the niche than outside"
            + (", in patient after patient." if n_patients > 1 else "."),
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
            ("As it was where the model was trained: bootstrap " if mapped else "Bootstrap ")
            + f"Jaccard index: {'cells of the one patient' if one else 'patients'}"
            + (" (of a single patient, cells)" if mapped else "")
            + " are drawn with replacement and niches found again, many times; how alike the niche and its best "
            "match are on average, 1 = the same cells.",
            "{:.2f}",
            scale="Greens",
            low=0,
            high=1,
        ),
        "reading": Column(
            "Reading",
            "Reading of the Jaccard index after Hennig 2007: from 0.85 very high, from 0.75 high, from 0.6 moderate "
            "(its borders are unsure), from 0.5 low, below that the niche is not reproducible. "
            + ("" if one else "A niche of one patient alone is lost where this patient is not drawn. ")
            + "Arbitrary cut: the tissue does not support the number of niches, and this one is no part of it, however "
            "often the cut comes back.",
        ),
    }
    section = Section(
        "niche_overview",
        NICHES,
        "Niches",
        multiqc.emphasised(
            "One row per niche. "
            + ("Read the cell types and markers to recognise the tissue" if named else "The markers tell")
            + (" behind a niche. " if named else " which tissue is behind a niche. ")
            + f"The cohort has {plural(n_patients, 'patient')} and {plural(n_samples, 'sample')}; "
            + ("what is found says little about others. " if n_patients == 1 else _OF_ONE_PATIENT)
            + "Proportions are rounded, so that they may add up to 99 or 101 %. "
            "Point at a heading for its meaning."
            + cohort.over_all
            + (advice(table, mapped, one) if cohort.number_supported else _CUTS)
        ),
    )
    multiqc.table(outdir, section, frame, columns, row_title="Niche")


def _of_one_patient(cohort: Cohort, mapped: bool) -> bool:
    """Whether niches were found on one patient, whose cells alone are drawn in bootstraps then."""
    return not mapped and len(cohort.cells.loc[cohort.decided, Obs.PATIENT].unique()) == 1


_OF_ONE_PATIENT = "a niche found in one patient only says little about the others. "


def advice(overview: pd.DataFrame, mapped: bool = False, one_patient: bool = False) -> str:
    """What to do where niches would not come back with other patients; empty where all would, or none was judged.

    mapped : onto a model, which brings number and reproducibility of its niches. one_patient : niches were found on.
    """
    if "reading" not in overview:
        return ""
    unsure = overview.loc[overview["reading"].isin(UNSURE), "niche"].astype(str).tolist()
    if not unsure:
        return ""
    which = numbered(unsure)
    again = "it" if len(unsure) == 1 else "them"
    if mapped:
        return (
            f" <b>Do not interpret {which}: resampled patients of the model (of a single patient, the cells) did not "
            f"show {again} again. The number of niches is that of the model; for another one take another model, or "
            "find niches in this cohort.</b>"
        )
    others = "resampled cells did not" if one_patient else "other patients may not"
    return f" <b>Do not interpret {which}: {others} show {again} again. Try fewer niches (--niche_k).</b>"


_CUTS = (
    " <b>Do not interpret these niches: the tissue does not support their number, and they cannot clearly be told from "
    "niches of shuffled cells.</b>"
)


def _composition(outdir: Path, counts: pd.DataFrame, over: str = "") -> None:
    names = [niche_name(niche) for niche in counts["niche"].unique()]
    cells = counts.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum")
    cells.columns = names
    section = Section(
        "niche_composition",
        NICHES,
        "Composition of samples by niche",
        "One bar per sample, proportions of its cells. These proportions, over all samples of a patient, are what is "
        "compared with the clinical outcome." + over,
    )
    colours = {niche_name(niche): bar_colour(niche) for niche in counts["niche"].unique()}
    multiqc.bars(outdir, section, cells.to_dict("index"), y="Cells", colours=colours)


_REPRODUCIBILITY = " The reproducibility of a niche with other patients of the same kind is in the table of the niches."
_OF_CELLS = (
    " The reproducibility of a niche when cells of the one patient are resampled is in the table of the niches; there "
    "are no other patients that could tell more."
)
_OF_THE_MODEL = " How reproducible a niche was where the model was trained is in the table of the niches."


def _stability(outdir: Path, cohort: Cohort, mapped: bool, over: str) -> None:
    of_cells = _OF_CELLS if _of_one_patient(cohort, mapped) else _REPRODUCIBILITY
    reproducibility = _OF_THE_MODEL if mapped else of_cells
    level = pd.cut(
        cohort.cells[Obs.STABILITY], [-np.inf, _FAIR, _FIRM, np.inf], right=False, labels=["low", "medium", "high"]
    )
    cells = pd.crosstab(cohort.cells[Obs.NICHE], level)
    colours = {
        f"high ({percent(_FIRM)} and more)": "#1B7837",
        f"medium ({percent(_FAIR)} to {percent(_FIRM)})": "#A6DBA0",
        f"low (below {percent(_FAIR)})": "#C2A5CF",
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
        "where two niches meet; a niche of mostly low confidence should not carry a conclusion."
        + (reproducibility if Obs.NICHE_JACCARD in cohort.cells else "")
        + over,
    )
    multiqc.bars(outdir, section, cells.to_dict("index"), y="Cells", colours=colours)
