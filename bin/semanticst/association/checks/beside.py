"""Checks of one contrast together: the same under other choices, and given what else could explain it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from semanticst.association.checks.beyond_cell_types import CellTypes, add_cell_types, compare_cell_types
from semanticst.association.checks.echo import add_median_reference
from semanticst.association.checks.percentage_points import add_percentage_points
from semanticst.association.checks.sensitivity_table import Material, sensitivity_table
from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features, build_features
from semanticst.association.features.summed_units import Units
from semanticst.association.stats.cell_numbers import Cells
from semanticst.association.stats.clusters import means_of_features, of_clusters
from semanticst.association.stats.group_contrasts import slope_variable
from semanticst.association.stats.mixed_model import add_mixed
from semanticst.association.stats.results import PRIMARY
from semanticst.association.stats.sensitivity import sensitivity_to_clustering
from semanticst.constants import OTHER_NUMBER, WITHOUT_HARMONY

FROM_COUNTS = ("proportion", "entropy")
"""Features that niche counts alone give: for the mixed model of sections, and for each base clustering."""

Model = Callable[[Design, Features], list[dict]]


@dataclass(frozen=True)
class Checks:
    """Tables beside that of the contrast: sensitivity of each niche, and the test of plain cell types (if known)."""

    sensitivity: pd.DataFrame = field(default_factory=pd.DataFrame)
    cell_types: pd.DataFrame | None = None


def add_checks(
    rows: list[dict],
    asked: Design,
    design: Design,
    features: Features,
    units: Units,
    counts: pd.DataFrame,
    cells: Cells,
    kinds: tuple[str, ...],
    members: Mapping[str, pd.DataFrame],
    types: CellTypes | None,
    quick: Model,
) -> Checks:
    """Fill the columns of ``rows`` that check them; changed in place.

    Parameters
    ----------
    rows
        Of the tests, about ``features``.
    asked, design
        As the contrast asks, and adjusted for numbers of cells where these go with it.
    features
        As they are compared.
    units
        Whose cells are summed.
    counts
        Cells per section and niche.
    cells
        Cells of the units.
    kinds
        Of features.
    members
        ``counts`` under the niches of each base clustering, under other numbers of niches (named ``k=5``, or
        ``k=5, one base clustering``), and without Harmony.
    types
        Cells per unit, niche and type; None where types are not known.
    quick
        Rows of a design and features, with fewer permutations than those of ``rows``.
    """
    add_percentage_points(rows, of_clusters(asked), means_of_features(asked, features))
    add_median_reference(rows, features, lambda against_median: quick(design, against_median))
    if types is not None:
        add_cell_types(rows, design, features, types, units, quick)
    simple = tuple(k for k in kinds if k in FROM_COUNTS)
    sensitivity = pd.DataFrame()
    if simple:
        repeats = {name: quick(design, units.features(units.sum(own), simple)) for name, own in members.items()}
        numbers = {n.removeprefix(OTHER_NUMBER): r for n, r in repeats.items() if n.startswith(OTHER_NUMBER)}
        uncorrected = repeats.pop(WITHOUT_HARMONY, None)
        clusterings = {name: r for name, r in repeats.items() if not name.startswith(OTHER_NUMBER)}
        sensitivity_to_clustering(rows, list(clusterings.values()))
        x = slope_variable(design)
        if x is not None and design.clusters is None and not design.contrast.change:
            by_section = build_features(counts.loc[units.of.index], simple)
            add_mixed([row for row in rows if row["family"] == PRIMARY], design, x, features, by_section)
        # a single base clustering is the result itself
        several = clusterings if len(clusterings) > 1 else {}
        material = Material(asked, design, counts, units, several, numbers, uncorrected)
        if "proportion" in simple:
            sensitivity = sensitivity_table(rows, material, cells.log_total, quick)
    return Checks(sensitivity, None if types is None else compare_cell_types(design, types, units, quick))
