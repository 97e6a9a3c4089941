"""Niches beyond their cell types: the same test on plain proportions of cell types, and given them.

What cell types alone give of a niche is its expected share: the cell types of a patient, each spread over the niches as
it is on average over all patients (indirect standardisation). A contrast that only has more of a cell type changes the
expected share; a niche that changes beyond that is not explained by what cells there are, but by where they lie.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.features.composition import JOINT, Features, shares
from semanticst.association.features.summed_units import Units
from semanticst.association.stats.results import association_table, benjamini_hochberg

EXPECTED = "log-ratio expected from cell types"
"""Name of the covariate."""
FEWEST_TYPES = 2
COLUMNS = ("cell_type", "comparison", "effect", "effect_type", "ci_low", "ci_high", "p", "q", "n_patients",
           "mean_all", "mean_reference", "mean_target", "model", "warnings")  # fmt: skip

Model = Callable[[Design, Features], list[dict]]


@dataclass(frozen=True)
class CellTypes:
    """Cells per unit, niche and type (float64, units x niches x types), and the names of the types."""

    counts: np.ndarray
    names: tuple[str, ...]
    units: pd.Index
    niches: pd.Index

    @property
    def per_unit(self) -> pd.DataFrame:
        """Cells per unit (rows) and type (columns), all niches together."""
        return pd.DataFrame(self.counts.sum(axis=1), self.units, pd.Index(self.names))

    @property
    def expected(self) -> pd.DataFrame:
        """Share of each niche (columns) among the cells of a unit (rows) that its cell types alone would give."""
        of_unit = self.counts.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = self.counts / of_unit[:, None, :]
            mean_spread = np.nan_to_num(np.nanmean(np.where(of_unit[:, None, :] > 0, spread, np.nan), axis=0))
        share = of_unit @ mean_spread.T / of_unit.sum(axis=1, keepdims=True)
        return pd.DataFrame(share, self.units, self.niches)


def cell_types_of(table: pd.DataFrame, unit_of_sample: pd.Series, counts: pd.DataFrame) -> CellTypes | None:
    """Sum the table of `within_niche.read_within_niche` over the sections of units; None with fewer than two types.

    ``counts`` (units x niches) says which units and niches there are. Units without any typed cell make it None too.
    """
    table = table[table["sample"].isin(unit_of_sample.index)]
    table = table.assign(unit=table["sample"].map(unit_of_sample))
    names = sorted(table["cell_type"].unique())
    summed = table.groupby(["unit", "niche", "cell_type"])["n_cells"].sum()
    full = pd.MultiIndex.from_product([counts.index, counts.columns, names])
    cube = summed.reindex(full, fill_value=0.0).to_numpy(float).reshape(len(counts), counts.shape[1], len(names))
    if len(names) < FEWEST_TYPES or not len(counts) or (cube.sum(axis=(1, 2)) == 0).any():
        return None
    return CellTypes(cube, tuple(names), counts.index, counts.columns)


def add_cell_types(
    rows: list[dict], design: Design, features: Features, types: CellTypes, units: Units, model: Model
) -> None:
    """Fill the ``*_types`` and ``*_given_types`` columns of rows about shares of niches; changed in place.

    Parameters
    ----------
    rows
        As ``model`` gave them.
    design, features
        What they are of.
    types
        Cells of the units.
    units
        Whose cells were summed.
    model
        Rows of a design and features.
    """
    if "proportion" not in features.modelled.columns.get_level_values("feature"):
        return
    expected = units.features(types.expected, ("proportion",))
    alone = {_key(row): row for row in model(design, expected)}
    given: dict[tuple, dict] = {}
    for key in (key for key in features.modelled.columns if key[0] == "proportion"):
        covariate = expected.modelled[key]
        if not covariate.notna().all() or np.ptp(covariate) < 1e-9:
            continue
        adjusted = replace(design, covariates=design.covariates.assign(**{EXPECTED: covariate}))
        given |= {_key(row): row for row in model(adjusted, Features(features.modelled[[key]], features.shown[[key]]))}
    for row in rows:
        if "effect" not in row:
            continue
        for name, found in (("types", alone), ("given_types", given)):
            other = found.get(_key(row), {})
            row |= {f"{c}_{name}": other[c] for c in ("effect", "ci_low", "ci_high", "p") if c in other}


def _key(row: dict) -> tuple[str, str, str]:
    return row["feature"], row["niche"], row["comparison"]


def compare_cell_types(design: Design, types: CellTypes, units: Units, model: Model) -> pd.DataFrame:
    """The contrast's test on plain proportions of cell types: ``COLUMNS``, q over the types of a comparison."""
    share = shares(types.per_unit)
    numbered = share.set_axis(range(len(types.names)), axis=1)
    table = association_table(model(design, units.features(numbered, ("proportion",))))
    table = table.assign(cell_type=[types.names[int(i)] for i in table["niche"]], q=np.nan)
    for _, rows in table[table["p"].notna()].groupby("comparison", sort=False):
        table.loc[rows.index, "q"] = benjamini_hochberg(rows["p"].to_numpy())
    return table[table["niche"] != JOINT].sort_values(["comparison", "p"], kind="stable")[list(COLUMNS)]
