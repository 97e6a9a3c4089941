"""Features and cell types of each kind of rare tissue, beside all other cells."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import Obs
from semanticst.describe.composition import niche_cell_types
from semanticst.describe.markers import effect_name, niche_markers
from semanticst.describe.overview import add_contents, contents_to_read
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Column, Section
from semanticst.wording import plural


def has_rare_tissue(cohort: Cohort) -> bool:
    """Whether some was looked for, and found."""
    return Obs.RARE_TISSUE in cohort.cells and bool((cohort.cells[Obs.RARE_TISSUE] > 0).any())


def rare_tissue_markers(cohort: Cohort) -> pd.DataFrame | None:
    """Compare each feature inside a kind of rare tissue with all other cells, as `markers.niche_markers` does; None
    where there is no rare tissue.

    Returns the columns of that, ``rare_tissue`` in place of ``niche``.
    """
    if not has_rare_tissue(cohort):
        return None
    return _of_kinds(niche_markers(_by_kind(cohort), "rare tissue"))


def rare_tissue_overview(cohort: Cohort, markers: pd.DataFrame) -> pd.DataFrame:
    """One row per kind: rare_tissue, n_cells, n_samples, n_patients, markers (best first, joined by commas), proteins
    (where they were measured beside genes) and, where the input names them, cell_types with their shares.

    ``markers`` as `rare_tissue_markers` returns them.
    """
    kinds = _by_kind(cohort)
    found = kinds.cells[cohort.cells[Obs.RARE_TISSUE] > 0].groupby(Obs.NICHE.value)
    table = found.size().reset_index(name="n_cells")
    for name in (Obs.SAMPLE, Obs.PATIENT):
        table[f"n_{name}s"] = found[name].nunique().to_numpy()
    add_contents(table, cohort, markers.rename(columns={"rare_tissue": "niche"}), niche_cell_types(kinds))
    return table.rename(columns={"niche": "rare_tissue"})


def report_rare_markers(outdir: Path, cohort: Cohort, markers: pd.DataFrame) -> None:
    """Write the section: a row for each kind, with what is higher in it."""
    table = contents_to_read(rare_tissue_overview(cohort, markers)).set_index("rare_tissue")
    table.index = table.index.astype(str)
    replicate = "patient" if len(set(cohort.samples[Obs.PATIENT])) > 1 else "sample"
    each = "each " if len(table) > 1 else ""
    effect = "fold change" if effect_name(cohort.feature_type) == "log2_fold_change" else "difference"
    section = Section(
        "rare_tissue_markers",
        NICHES,
        "What the rare tissue is made of",
        multiqc.emphasised(
            f"{plural(len(table), 'kind')}, {each}compared with all other cells of the same {replicate}. Markers are "
            "higher inside; best first, as those of niches are ranked. All features, with their "
            f"{effect}: <code>niches/rare_tissue_markers.csv</code>. Rare tissue was found by these same values, "
            "therefore no p-values are given; and some of what is higher lies in the cells around it."
            + cohort.over_discovery
        ),
    )
    columns = {
        "n_cells": Column("Cells", "Cells (or spots) of this kind", format="{:,d}"),
        "n_samples": Column("Samples", "Samples that have some", format="{:,d}"),
        "n_patients": Column("Patients", "Patients that have some", format="{:,d}"),
        "cell_types": Column("Cell types", "The commonest, with their proportion"),
        "markers": Column("Markers", "Features that are higher inside, best first"),
        "proteins": Column("Proteins", "Proteins that are higher inside, best first"),
    }
    shown = {name: column for name, column in columns.items() if name in table}
    multiqc.table(outdir, section, table, shown, row_title="Kind")


def _by_kind(cohort: Cohort) -> Cohort:
    """The cohort with kinds of rare tissue in place of niches, and all other cells as the last."""
    kinds = cohort.cells[Obs.RARE_TISSUE].fillna(0).astype(int)
    return replace(cohort, cells=cohort.cells.assign(**{Obs.NICHE.value: kinds.where(kinds > 0, kinds.max() + 1)}))


def _of_kinds(table: pd.DataFrame) -> pd.DataFrame:
    of_others = table["niche"] == table["niche"].max()
    return table[~of_others].rename(columns={"niche": "rare_tissue"}).reset_index(drop=True)
