"""Published files about niches: the object, the niches of all cells, their names and colours, and what changed."""

from pathlib import Path

import pandas as pd

from semanticst.cohort.annotate import annotate_cohort
from semanticst.describe.niche_changes import earlier_names, niche_changes, report_changes
from semanticst.errors import BadInput, Problem
from semanticst.plotting.niche_names import names_from, with_names
from semanticst.plotting.palette import given_names, niche_colour, niche_name
from semanticst.writing import write_table


def publish_niches(
    cohort: Path,
    niches: Path,
    stability: Path,
    sheet: Path,
    clinical: Path | None,
    outdir: Path,
    *,
    names: Path | None = None,
    earlier: Path | None = None,
    names_before: Path | None = None,
    share_clinical: bool = True,
    schema_dir: Path,
) -> None:
    """Write ``cohort.h5ad``, ``niches.csv.gz``, ``niche_stability.csv`` and ``niche_names.csv``.

    Where ``earlier`` (the ``niches.csv.gz`` of another run) is given also ``niche_changes.csv`` with its section of the
    report. ``names``, ``names_before``: tables of names of niches, of this run and the earlier one.

    Raises BadInput when a table cannot be used, and when files would be written over those that are read.
    """
    for path in (cohort, niches, stability):
        if (outdir / path.name).resolve() == path.resolve():
            raise BadInput(Problem(path, "lies in the folder of the results; give another --outdir"))
    by_niche = pd.read_csv(stability)
    with names_from(names, len(by_niche)):
        if earlier:
            changes, n_cells = niche_changes(earlier, niches)
            before = earlier_names(names_before)
            report_changes(outdir, changes, n_cells, before)
            if before:
                changes.insert(1, "earlier_niche_name", changes["earlier_niche"].map(before).fillna(""))
            write_table(outdir / "niche_changes.csv", with_names(changes))
        annotate_cohort(cohort, sheet, clinical, outdir / "cohort.h5ad", share_clinical, schema_dir)
        table = pd.read_csv(niches, dtype={"sample": str, "cell_id": str, "patient": str}, keep_default_na=False)
        write_table(outdir / niches.name, with_names(table))
        write_table(outdir / stability.name, with_names(by_niche))
        write_table(outdir / "niche_names.csv", legend(by_niche["niche"].tolist()))


def legend(niches: list[int]) -> pd.DataFrame:
    """Columns niche, name (``Niche 3`` where none was given), colour (hex), as in all figures."""
    names = [given_names().get(niche) or niche_name(niche) for niche in niches]
    return pd.DataFrame({"niche": niches, "name": names, "colour": [niche_colour(niche) for niche in niches]})
