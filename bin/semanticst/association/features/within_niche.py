"""Features within a niche: fragmentation, proportions of cell types, expression of gene sets.

As for proportions of niches, cells are summed over the sections of a unit first. A unit with fewer cells of a niche
than the stated minimum has no value for it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.design.tables import read_text_table
from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.errors import BadInput, Problem

WITHIN_NICHE = {
    "fragmentation": ("niche_patches.csv", (), ("n_cells", "n_patches")),
    "cell_types": ("niche_sample_cell_types.csv", ("cell_type",), ("n_cells",)),
    "gene_sets": ("niche_gene_sets.csv", ("gene_set",), ("n_cells", "mean")),
}
"""Per kind of feature: the table it is made of, its columns that name something, and those that hold numbers."""

CELL_TYPE, GENE_SET = "cell_type:", "gene_set:"
"""Prefixes of the names of features."""


def read_within_niche(path: Path, kind: str) -> pd.DataFrame:
    """Read a table of `WITHIN_NICHE`: sample, niche (int), names (str), numbers (float64).

    Raises BadInput for a missing column, a number that is none, or a repeated row.
    """
    _, names, numbers = WITHIN_NICHE[kind]
    table = read_text_table(path, ("sample", "niche", *names, *numbers))
    numeric = table[["niche", *numbers]].apply(pd.to_numeric, errors="coerce")
    wrong = numeric.isna().any(axis=1) | table[["sample", *names]].isna().any(axis=1)
    wrong |= table.duplicated(["sample", "niche", *names])
    if wrong.any():
        message = f"expected one row per {', '.join(('sample', 'niche', *names))}, with numbers"
        raise BadInput(Problem(path, message, row=int(np.flatnonzero(wrong)[0]) + 2))
    table[["niche", *numbers]] = numeric
    return table.astype({"niche": int})[["sample", "niche", *names, *numbers]]


def within_niche_features(
    kind: str, table: pd.DataFrame, unit_of_sample: pd.Series, units: pd.Index, min_cells: int
) -> tuple[dict[tuple[str, str], pd.Series], dict[tuple[str, str], pd.Series]]:
    """Modelled and shown values per unit, keyed by feature and niche.

    - ``fragmentation``: log2 of patches per cell; shown as patches per 100 cells.
    - ``cell_type:NAME``: log odds of the type among the cells of the niche, half a cell added on either side; shown as
      proportion. A type that fewer than 3 units have in a niche is undefined there.
    - ``gene_set:NAME``: mean over cells; shown as it is.
    """
    table = table[table["sample"].isin(unit_of_sample.index)]
    table = table.assign(unit=table["sample"].map(unit_of_sample))
    make = {"fragmentation": _fragmentation, "cell_types": _cell_types, "gene_sets": _gene_sets}[kind]
    modelled, shown = {}, {}
    for key, log_value, value, n_cells in make(table, units):
        enough = n_cells >= min_cells
        modelled[key], shown[key] = log_value.where(enough), value.where(enough)
    return modelled, shown


def _fragmentation(table: pd.DataFrame, units: pd.Index):
    for niche, rows in table.groupby("niche", sort=True):
        sums = rows.groupby("unit")[["n_patches", "n_cells"]].sum().reindex(units, fill_value=0.0)
        per_cell = sums["n_patches"] / sums["n_cells"].where(sums["n_cells"] > 0)
        yield ("fragmentation", str(niche)), np.log2(per_cell), 100 * per_cell, sums["n_cells"]


def _cell_types(table: pd.DataFrame, units: pd.Index):
    for niche, rows in table.groupby("niche", sort=True):
        counts = rows.pivot_table(index="unit", columns="cell_type", values="n_cells", aggfunc="sum", fill_value=0)
        counts = counts.reindex(units, fill_value=0)
        total = counts.sum(axis=1)
        for name in counts:
            odds = np.log((counts[name] + 0.5) / (total - counts[name] + 0.5))
            if (counts[name] > 0).sum() < MIN_PER_GROUP:
                odds = odds * np.nan
            yield (f"{CELL_TYPE}{name}", str(niche)), odds, counts[name] / total.where(total > 0), total


def _gene_sets(table: pd.DataFrame, units: pd.Index):
    for (niche, name), rows in table.groupby(["niche", "gene_set"], sort=True):
        n_cells = rows.groupby("unit")["n_cells"].sum().reindex(units, fill_value=0.0)
        total = (rows["mean"] * rows["n_cells"]).groupby(rows["unit"]).sum().reindex(units)
        mean = total / n_cells.where(n_cells > 0)
        yield (f"{GENE_SET}{name}", str(niche)), mean, mean, n_cells
