"""Niches of an earlier run and those of this one: which became which, by the cells that both have."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import NICHES, Column, Section
from semanticst.plotting.palette import niche_colour, niche_name

NICHES_FILE, NAMES_FILE = "niches.csv.gz", "niche_names.csv"


def niche_changes(earlier: Path, niches: Path) -> tuple[pd.DataFrame, int]:
    """Pairs of niches with cells in common, and the number of cells that both runs have.

    earlier, niches : ``niches.csv.gz`` of the earlier run and of this one. Cells are the same by sample and
    ``cell_id``.

    Columns: earlier_niche, niche, n_shared, share_of_earlier, share_of_niche (of the cells that both runs have),
    jaccard (shared cells over cells of either), counterpart (bool: each is the other's best, by Jaccard). Sorted by
    earlier niche, best first.

    Raises BadInput when a table cannot be read, or the runs have no cell in common.
    """
    before, now = (_read(path) for path in (earlier, niches))
    both = before.merge(now, on=["sample", "cell_id"], suffixes=("_before", ""))
    if both.empty:
        there, here = (", ".join(sorted(table["sample"].unique())[:3]) for table in (before, now))
        message = f"no cell of it is in this run (samples there: {there} ...; here: {here} ...)"
        raise BadInput(Problem(earlier, message + "; runs with pseudonyms need the same key"))
    counts = pd.crosstab(both["niche_before"], both["niche"])
    shared = counts.to_numpy()
    of_earlier, of_niche = shared.sum(axis=1, keepdims=True), shared.sum(axis=0, keepdims=True)
    jaccard = shared / (of_earlier + of_niche - shared)
    best = (jaccard == jaccard.max(axis=1, keepdims=True)) & (jaccard == jaccard.max(axis=0, keepdims=True))
    rows, columns = np.nonzero(shared)
    table = pd.DataFrame(
        {
            "earlier_niche": counts.index[rows],
            "niche": counts.columns[columns],
            "n_shared": shared[rows, columns],
            "share_of_earlier": (shared / of_earlier)[rows, columns].round(4),
            "share_of_niche": (shared / of_niche)[rows, columns].round(4),
            "jaccard": jaccard[rows, columns].round(4),
            "counterpart": best[rows, columns],
        }
    )
    order = ["earlier_niche", "jaccard", "niche"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True), len(both)


def earlier_names(path: Path | None) -> dict[int, str]:
    """Names of the niches of the earlier run, of its ``niche_names.csv``; none without this file."""
    if path is None:
        return {}
    table = pd.read_csv(path, dtype={"name": str}, keep_default_na=False)
    return {int(niche): name for niche, name in zip(table["niche"], table["name"]) if name != f"Niche {niche}"}


def report_changes(outdir: Path, changes: pd.DataFrame, n_cells: int, names: dict[int, str]) -> None:
    """The section of the report: where most cells of each earlier niche are now."""
    best = changes.drop_duplicates("earlier_niche")
    called = [f"Niche {n}" + (f" ({names[n]})" if n in names else "") for n in best["earlier_niche"]]
    frame = best.assign(
        colour=[multiqc.swatch(niche_colour(int(n))) for n in best["niche"]],
        now=[niche_name(int(n)) for n in best["niche"]],
        same=["yes" if same else "no" for same in best["counterpart"]],
    ).set_index(pd.Index(called))
    columns = {
        "colour": Column("Colour", "Colour of the niche of this run"),
        "now": Column("Most like it now", "Niche of this run with the largest Jaccard index"),
        "share_of_earlier": Column("Of the earlier", "Proportion of the earlier niche's cells in it", "{:.0%}"),
        "share_of_niche": Column("Of the new", "Proportion of the new niche's cells that come from it", "{:.0%}"),
        "jaccard": Column("Jaccard", "Shared cells over cells of either", "{:.2f}", scale="Greens", low=0, high=1),
        "same": Column("Counterpart", "yes: the two are each other's best"),
    }
    text = multiqc.emphasised(
        f"Compared over the {n_cells:,} cells that both runs have. Numbers of niches follow from their sizes, so that "
        "they change with the cohort and the number of niches. All pairs: <code>niches/niche_changes.csv</code>."
    )
    section = Section("niche_changes", NICHES, "Niches of the earlier run", text)
    multiqc.table(outdir, section, frame, columns, row_title="Earlier niche")


def _read(path: Path) -> pd.DataFrame:
    try:
        text = {"sample": "category", "cell_id": str}
        table = pd.read_csv(path, usecols=["sample", "cell_id", "niche"], dtype=text, keep_default_na=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); niches/niches.csv.gz of a run is expected")) from error
    return table.assign(sample=table["sample"].astype(str))
