"""Files of a contrast: table, record for the report, MultiQC table, figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.associate import Association
from semanticst.association.design.region_parts import samples_of
from semanticst.association.features.composition import JOINT
from semanticst.association.output import plain_sentences
from semanticst.association.output.figures import draw_figures
from semanticst.association.output.replication import Replication
from semanticst.association.output.summary_text import (
    feature_name,
    is_share,
    n_patients,
    n_sections,
    paragraph,
    section_values,
    shared_warnings,
    top_markers_text,
    unit_words,
    who_was_compared,
)
from semanticst.association.stats.results import COMPOSITION, NOT_TESTABLE, PAIRWISE
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import ASSOCIATION, Column, Section
from semanticst.plotting.niche_names import with_names
from semanticst.writing import write_json, write_table

FIGURES = {
    "forest": (
        "effects",
        "Effect with its 95 % interval, bold where q < 0.05. Of many effects those with the smallest p are drawn.",
    ),
    "patients": (
        "patients",
        "Proportion of each niche; a point is a patient, the bold line the median, the box the quartiles (of 5 and "
        "more patients). Bold where q < 0.05.",
    ),
    "kaplan_meier": (
        "survival curves",
        "Patients above and below the median proportion, for the niches with the smallest p; shaded: 95 % "
        "confidence band. The cut is fixed beforehand and serves "
        "the eye only: the test uses the proportion itself.",
    ),
    "composition": (
        "composition",
        "A bar per patient, groups side by side, sorted by the niche with the smallest p, which lies at the bottom.",
    ),
    "representative_sections": (
        "representative sections",
        "Patients with the largest and with the smallest proportion of the niche with the smallest p, each by the "
        "largest section. The niche has its colour, all others are grey. Maps of all niches are in niches/maps.",
    ),
}
EXPLAINED = ("partial_eta_squared", "r_squared")
"""Effects that are a part of the variance."""
MOST_TABLE_ROWS = 60
"""Rows of the report's table; the CSV has all."""


def write_association(
    result: Association,
    outdir: Path,
    niches: Path | None = None,
    markers: Path | None = None,
    replication: Replication | None = None,
) -> None:
    """Write everything of one contrast into ``outdir``, named by the contrast.

    Its tables (CSV), its record for the report (JSON), figures (PNG with 150 dpi, PDF), custom content for MultiQC.

    Parameters
    ----------
    result
        Of ``associate``.
    outdir
        An existing folder.
    niches
        ``niches.csv.gz``, for maps; None: no maps.
    markers
        ``niche_markers.csv``, so that sentences say what a niche is enriched for.
    replication
        What the validation says of it, where there is one.

    Examples
    --------
    ``folder`` has the tables of a cohort.

    >>> from semanticst.association.associate import associate
    >>> tables = {name: folder / f"{name}.csv" for name in ("contrasts", "clinical", "samplesheet", "counts")}
    >>> write_association(associate("arm", **tables, permutations=99), folder)
    >>> sorted(path.name for path in folder.glob("arm*.png"))
    ['arm_composition.png', 'arm_forest.png', 'arm_patients.png']
    """
    if markers is not None:
        result = replace(result, top_markers=top_markers_text(markers))
    name = result.contrast.name
    write_table(outdir / f"{name}.csv", with_names(result.table))
    for what, table in (("sensitivity", result.checks.sensitivity), ("cell_types", result.checks.cell_types)):
        if table is not None and len(table):
            write_table(outdir / f"{name}_{what}.csv", with_names(table))
    figures = draw_figures(result, outdir, name, niches)
    write_json(outdir / f"{name}.association.json", record(result, figures, replication))
    report_table(result, outdir)
    for figure in figures:
        what, text = FIGURES[figure]
        section = Section(f"association_{name}_{figure}", ASSOCIATION, title(result, what), text)
        multiqc.image(outdir, section, outdir / f"{name}_{figure}.png", f"{title(result, what)}. {text}")


def record(result: Association, figures: list[str], replication: Replication | None = None) -> dict:
    """Everything the report may say about the contrast; ``validation`` of it is null where the study has none."""
    design, contrast = result.design, result.contrast
    question = {k: v for k, v in vars(contrast).items() if k not in ("file", "row")}
    share = result.features.shown.reset_index(names="unit")
    share.columns = ["/".join(c) if isinstance(c, tuple) and c[1] else np.atleast_1d(c)[0] for c in share.columns]
    units = design.units.reset_index(names="unit")
    families = result.table.groupby("family", sort=False)["p"].count()
    return {
        "contrast": question,
        "paragraph": paragraph(result),
        "n_patients": n_patients(result),
        "n_sections": n_sections(result),
        "n_events": int(units["event"].sum()) if "event" in units else None,
        "levels": {v: int((units["value"] == v).sum()) for v in design.levels},
        "within_patient": design.within_patient,
        "dropped_patients": dict(design.dropped),
        "dropped_sections": dict(getattr(design.dropped, "sections", {})),
        "sections": samples_of(design.sections.index).unique().tolist(),
        "section_values": section_values(design.sections),
        "warnings": shared_warnings(result.table),
        "batch_strength": result.batch_strength,
        "n_tests": {f: int(n) for f, n in families.items()},
        "n_found": len(result.findings),
        "found": plain_sentences.findings(result),
        "nearest": plain_sentences.nearest(result),
        "detectable": plain_sentences.detectable(result),
        "who": who_was_compared(result),
        "models": sorted(result.table["model"].dropna().unique()),
        "settings": result.settings,
        "validation": replication and replication.record(),
        "figures": figures,
        "rows": _records(result.table),
        "units": _records(units.merge(share, on="unit")),
    }


def report_table(result: Association, outdir: Path) -> None:
    """The rows of the contrast with the paragraph above them, as a section of the report."""
    table = result.table
    if result.effects["family"].iloc[0] != PAIRWISE:
        table = table[table["family"] != PAIRWISE]
    if result.contrast.type == "survival":
        # in the report the ratio itself, in the CSV its logarithm
        ratio = table["hazard_ratio"].fillna(table["effect"])
        table = table.assign(effect=ratio, ci_low=table["hazard_ratio_low"], ci_high=table["hazard_ratio_high"])
    # what a test over all levels explains has no direction, and is no difference
    explained = table["effect_type"].isin(EXPLAINED)
    table = table.assign(explained=table["effect"].where(explained), effect=table["effect"].mask(explained))
    table = table.head(MOST_TABLE_ROWS)
    compared = table.loc[table["family"] != COMPOSITION, "comparison"]
    names = [
        feature_name(row) + (f", {row['comparison']}" if len(compared.unique()) > 1 and row["niche"] != JOINT else "")
        for _, row in table.iterrows()
    ]
    interval = [f"{a:.2f} to {b:.2f}" if np.isfinite(a) else None for a, b in zip(table["ci_low"], table["ci_high"])]
    means = ["mean_reference", "mean_target", "mean_all"]
    # the report shows means as shares: those of other features are in the CSV
    table = table.assign(**table[means].where(table["feature"].map(is_share)))
    if table["mean_target"].notna().any():
        table = table.drop(columns="mean_all")
    points = [f"{a:+.1f} ({b:.1f} to {c:.1f})" if np.isfinite(a) else None for a, b, c in _points(table)]
    agree = [f"{int(k)} of {int(m)}" if pd.notna(m) else None for k, m in zip(table["n_agree"], table["n_analyses"])]
    shown = table.assign(interval=interval, points=points, agrees=agree, warnings=_own_warnings(result, table))
    shown = shown.set_index(pd.Index(names))
    shown = shown.dropna(axis=1, how="all").loc[:, lambda t: (t != "").any()]
    section = Section(f"association_{result.contrast.name}", ASSOCIATION, title(result), paragraph(result))
    multiqc.table(outdir, section, shown, _columns(result), row_title="Niche")


def _own_warnings(result: Association, table: pd.DataFrame) -> list[str]:
    """Warnings of each row without those of all rows, which the paragraph above the table says."""
    said = {text for text in shared_warnings(result.table) if not text.startswith(NOT_TESTABLE)}
    return ["; ".join(text for text in own.split("; ") if text not in said) for own in table["warnings"]]


def _points(table: pd.DataFrame) -> np.ndarray:
    return table[["percentage_points", "percentage_points_low", "percentage_points_high"]].to_numpy(float)


def _columns(result: Association) -> dict[str, Column]:
    levels = result.design.levels
    low, high = (levels[0], levels[-1]) if len(levels) > 1 else ("reference", "target")
    if len(result.effects["comparison"].unique()) > 1:
        low, high = "reference", "target"
    survival = result.contrast.type == "survival"
    kinds = [kind for kind in result.effects["effect_type"].dropna().unique() if kind not in EXPLAINED]
    types = ", ".join(unit_words(kind) for kind in kinds)
    percent = "{:.1%}"
    return {
        "effect": Column("Hazard ratio" if survival else "Effect", "per SD" if survival else types, "{:.2f}"),
        "interval": Column("95 % interval", "of the effect"),
        "q": Column("q", "p corrected for the number of tests (Benjamini-Hochberg)", "{:.2g}"),
        "p": Column("p", "Two-sided", "{:.2g}"),
        "warnings": Column("Caveats", "What limits this row"),
        "points": Column("Percentage points", "Effect on the proportion of cells, with its 95 % interval"),
        "mean_reference": Column(f"Proportion, {low}", "Mean proportion of cells over patients", percent),
        "mean_target": Column(f"Proportion, {high}", "Mean proportion of cells over patients", percent),
        "mean_all": Column("Proportion, all", "Mean proportion of cells over all patients", percent),
        "explained": Column(
            "Explained", "Part of the variance that the levels explain: partial eta squared, R squared", "{:.0%}"
        ),
        "n_patients": Column("Patients", "In this test", "{:,d}"),
        "n_events": Column("Events", "In this test", "{:,d}"),
        "agrees": Column("Agrees", "Other analyses with the same sign and p < 0.05, see the sensitivity table"),
        "echo": Column("Echo", "yes: not found with the median niche as the reference"),
        "p_given_types": Column(
            "p given types", "Adjusted for what proportions of cell types alone would give", "{:.2g}"
        ),
    }


def title(result: Association, what: str = "") -> str:
    """Heading of a section; sections of one contrast stand together since they sort by it."""
    return f"Contrast {result.contrast.name}" + (f": {what}" if what else "")


def _records(table: pd.DataFrame) -> list[dict]:
    return table.astype(object).where(table.notna(), None).to_dict("records")
