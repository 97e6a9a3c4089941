"""The niches in one table: size, certainty, what they are made of."""

import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType, Modality
from semanticst.describe.composition import niche_overview
from semanticst.describe.markers import effect_name
from semanticst.describe.readings import LEAST_EFFECT, NO_PART, reading
from semanticst.units import percent

NAMED_MARKERS = 6
NAMED_PROTEINS = 4
_LEAST_SHARE = 0.05
"""Share of a niche that a cell type has where it is named."""


def overview_table(cohort: Cohort, markers: pd.DataFrame, types: pd.DataFrame | None) -> pd.DataFrame:
    """One row per niche: niche, the columns of `composition.niche_overview`, reading (of the Jaccard index, where it is
    known; `NO_PART` where the tissue does not support the number of niches), markers (best first, joined by commas),
    proteins (where they were measured beside genes) and, where the input names them, cell_types with their shares.

    markers, types : as `markers.niche_markers` and `composition.niche_cell_types` return them.
    """
    table = niche_overview(cohort).reset_index()
    if "jaccard" in table:
        table["reading"] = [reading(value) for value in table["jaccard"]]
    if not cohort.number_supported:
        table["reading"] = NO_PART
    add_contents(table, cohort, markers, types)
    return table


def add_contents(table: pd.DataFrame, cohort: Cohort, markers: pd.DataFrame, types: pd.DataFrame | None) -> None:
    """Add the columns markers, proteins and cell_types of `overview_table` to a ``table`` with a column niche."""
    markers, proteins = by_modality(markers)
    table["markers"] = [
        ", ".join(top_markers(markers, niche, NAMED_MARKERS, cohort.feature_type)) for niche in table["niche"]
    ]
    if len(proteins):
        best = [top_markers(proteins, niche, NAMED_PROTEINS, cohort.protein_type) for niche in table["niche"]]
        table["proteins"] = [", ".join(names) for names in best]
    if types is not None:
        table["cell_types"] = [_common_types(types, niche) for niche in table["niche"]]


def contents_to_read(table: pd.DataFrame) -> pd.DataFrame:
    """The ``table`` with words in place of empty markers and proteins."""
    columns = [name for name in ("markers", "proteins") if name in table]
    return table.assign(**{name: table[name].replace("", "none stands out") for name in columns})


def by_modality(markers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The marker table of the features, and that of proteins that were measured beside them (may be empty)."""
    protein = markers["modality"] == Modality.PROTEIN
    return markers[~protein], markers[protein]


def top_markers(markers: pd.DataFrame, niche: int, n: int, feature_type: FeatureType) -> list[str]:
    """Symbols of the ``n`` best markers of a niche, of those that are higher inside it by a difference worth naming."""
    name = effect_name(feature_type)
    own = markers[(markers["niche"] == niche) & (markers[name] >= LEAST_EFFECT[name])]
    return own.nsmallest(n, "rank")["symbol"].tolist()


def _common_types(types: pd.DataFrame, niche: int) -> str:
    own = types[(types["niche"] == niche) & (types["share"] >= _LEAST_SHARE)].nlargest(3, "share", keep="first")
    return ", ".join(f"{row.cell_type} {percent(row.share)}" for row in own.itertuples())
