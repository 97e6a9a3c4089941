"""Features within a niche: fragmentation, proportions of cell types, expression of gene sets.

As for proportions of niches, cells are summed over the sections of a unit first. A unit with fewer cells of a niche
than the stated minimum has no value for it.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import scipy

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

MOST_DRAWS = 1000
"""Cells of a niche at which cell types are compared at most, however many there are."""


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
) -> tuple[dict[tuple[str, str], pd.Series], dict[tuple[str, str], pd.Series], dict[tuple[str, str], float]]:
    """Modelled and shown values per unit, and expected cells of each type, keyed by feature and niche.

    - ``fragmentation``: log2 of patches per cell; shown as patches per 100 cells.
    - ``cell_type:NAME``: log odds of the type among the cells of the niche, half a cell added on either side, at the
      same number of cells in all units (``log_odds_of_draws``); shown as proportion. A type that fewer than 3 units
      have in a niche is undefined there. Expected: its mean proportion times that number.
    - ``gene_set:NAME``: mean over cells; shown as it is.
    """
    table = table[table["sample"].isin(unit_of_sample.index)]
    table = table.assign(unit=table["sample"].map(unit_of_sample))
    make = {"fragmentation": _fragmentation, "cell_types": _cell_types, "gene_sets": _gene_sets}[kind]
    modelled, shown, expected = {}, {}, {}
    for key, log_value, value, n_cells in make(table, units, min_cells):
        enough = n_cells >= min_cells
        modelled[key], shown[key] = log_value.where(enough), value.where(enough)
        if kind == "cell_types":
            expected[key] = float(shown[key].mean() * draws_of(n_cells[enough]))
    return modelled, shown, expected


def _fragmentation(table: pd.DataFrame, units: pd.Index, _min_cells: int):
    for niche, rows in table.groupby("niche", sort=True):
        sums = rows.groupby("unit")[["n_patches", "n_cells"]].sum().reindex(units, fill_value=0.0)
        per_cell = sums["n_patches"] / sums["n_cells"].where(sums["n_cells"] > 0)
        yield ("fragmentation", str(niche)), np.log2(per_cell), 100 * per_cell, sums["n_cells"]


def draws_of(cells: pd.Series) -> int:
    """How many cells of a niche are drawn of every unit: as many as the unit with fewest has, or `MOST_DRAWS`."""
    return int(min(cells.min(), MOST_DRAWS)) if len(cells) else 0


def log_odds_of_draws(found: np.ndarray, cells: np.ndarray, draws: int) -> np.ndarray:
    """Expected log odds, half a cell added on either side, in ``draws`` of the ``cells`` of each unit (int, n).

    ``found`` (int, n) cells are of the type. The log odds of a rare type in all cells of a unit hang on how many there
    are: in 50 cells a type of 1 % is mostly not there, in 500 it mostly is. What is expected of equally many cells
    drawn from each (hypergeometric, as species are rarefied: Hurlbert 1971, Ecology 52:577) does not.
    """
    k = np.arange(min(draws, found.max(initial=0)) + 1)
    of_type, others = found[:, None], (cells - found)[:, None]
    possible = (k <= of_type) & (draws - k <= others)
    ways = _log_choose(of_type, k) + _log_choose(others, draws - k) - _log_choose(cells, draws)[:, None]
    return np.where(possible, np.exp(ways), 0.0) @ np.log((k + 0.5) / (draws - k + 0.5))


def _log_choose(n: np.ndarray, k: np.ndarray | int) -> np.ndarray:
    """Logarithm of the ways to choose k of n; where k is larger, a number without meaning."""
    gammaln = scipy.special.gammaln
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)


def _cell_types(table: pd.DataFrame, units: pd.Index, min_cells: int):
    for niche, rows in table.groupby("niche", sort=True):
        counts = rows.pivot_table(index="unit", columns="cell_type", values="n_cells", aggfunc="sum", fill_value=0)
        counts = counts.reindex(units, fill_value=0)
        total = counts.sum(axis=1)
        enough = (total >= max(min_cells, 1)).to_numpy()
        cells, draws = total.to_numpy()[enough].round().astype(int), draws_of(total[enough])
        for name in counts:
            odds = pd.Series(np.nan, index=units)
            if (counts[name] > 0).sum() >= MIN_PER_GROUP:
                found = counts[name].to_numpy()[enough].round().astype(int)
                odds[enough] = log_odds_of_draws(found, cells, draws)
            yield (f"{CELL_TYPE}{name}", str(niche)), odds, counts[name] / total.where(total > 0), total


def _gene_sets(table: pd.DataFrame, units: pd.Index, _min_cells: int):
    for (niche, name), rows in table.groupby(["niche", "gene_set"], sort=True):
        n_cells = rows.groupby("unit")["n_cells"].sum().reindex(units, fill_value=0.0)
        total = (rows["mean"] * rows["n_cells"]).groupby(rows["unit"]).sum().reindex(units)
        mean = total / n_cells.where(n_cells > 0)
        yield (f"{GENE_SET}{name}", str(niche)), mean, mean, n_cells
