"""Cells of a table: their ids, coordinates, types and areas, and columns that tell sections."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.constants import CELL_AREA
from semanticst.io.coordinates import same_places
from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.base import AREA_IN_UNITS, ReadError
from semanticst.io.readers.column_names import (
    AREAS,
    AREAS_UM2,
    TYPES,
    depth_column,
    id_column,
    is_axis,
    latin,
    spatial_pairs,
)
from semanticst.io.readers.measurements import repeated_markers
from semanticst.io.readers.table_layout import Layout
from semanticst.io.readers.tabular import R_IDS, nameless_ids, read_columns
from semanticst.io.several_sections import FIELDS, SECTION_COLUMNS, plain
from semanticst.io.understood import UnitUnknown

BOX = ("xmin", "xmax", "ymin", "ymax")
KEPT = SECTION_COLUMNS | {"intissue", "arrayrow", "arraycol"}
"""Columns that become columns of obs as they are: what tells sections and tissue."""
IMAGES = ("image", "imagename", "imageid", "imagenumber")
USED = frozenset({*TYPES, *AREAS}) | KEPT


@dataclass(frozen=True)
class Cells:
    """What a table says of its cells."""

    table: pd.DataFrame
    """Ids, coordinates, cell type, area, and what tells sections."""
    spatial: tuple[str, ...]
    """Names of the coordinates: x, y and perhaps z."""
    unit: str
    notes: list[str]
    warnings: list[str]

    @property
    def points(self) -> np.ndarray:
        """float64, n_cells x 2 or 3; NaN where a cell has none."""
        return self.table[list(self.spatial)].to_numpy(np.float64)


def cells_of(table: Layout, ids_in: str | None, part_columns: tuple[str, ...] = ()) -> Cells:
    """What a table says of its cells. ids_in : the column of ids; None where there is none.

    Raises ReadError when there are no coordinates, and when one is no number.
    """
    pairs = spatial_pairs(table.columns, besides=(ids_in or "",))
    found = pairs[0] if pairs else None
    box = {plain(c): c for c in table.columns if plain(c) in BOX}
    if found is None and len(box) == len(BOX):
        return _boxed_cells(table, ids_in, box, part_columns)
    if found is None:
        raise ReadError(
            f"{table.file.name}: there are no columns of coordinates: a pair such as x and y, x_um and y_um, or "
            f"x_centroid and y_centroid is expected; columns found: {', '.join(table.columns[:12])}"
        )
    x, y, unit = found
    z = depth_column(table.columns, x)
    spatial = (x, y) if z is None else (x, y, z)
    cells = _described(table, ids_in, spatial, part_columns)
    if z is not None and cells[z].dropna().nunique() < 2:
        spatial = (x, y)
    notes, warnings = other_places(cells[[x, y]], pairs[1:], lambda names: _numbers(table, names))
    return Cells(cells, spatial, unit, unit_notes(unit, spatial) + notes, warnings)


def _numbers(table: Layout, names: list[str]) -> pd.DataFrame:
    return read_columns(table, names).apply(pd.to_numeric, errors="coerce")


def other_places(
    taken: pd.DataFrame, others: Sequence[tuple[str, str, str]], numbers: Callable[[list[str]], pd.DataFrame]
) -> tuple[list[str], list[str]]:
    """A note about further pairs of coordinates that tell the same places, and a warning about those that do not.

    taken : x and y. others : names of x and y and their unit, of the others. numbers : columns by their names.
    """
    alike: list[str] = []
    differing: list[str] = []
    for a, b, _ in others:
        (alike if same_places(taken, numbers([a, b])) else differing).append(f"{a} and {b}")
    x, y = taken.columns
    notes = [f"coordinates: {x} and {y}; {', '.join(alike)} tell the same places and are left"] if alike else []
    if not differing:
        return notes, []
    return notes, [
        f"there are several coordinates: {x} and {y} are taken, not {', '.join(differing)}, which tell other places; "
        "if others are those on the slide, leave only these"
    ]


def _boxed_cells(table: Layout, ids_in: str | None, box: dict[str, str], part_columns: tuple[str, ...]) -> Cells:
    """As `cells_of`, with the centres of the boxes around the cells, which is all that HALO writes."""
    cells = _described(table, ids_in, tuple(box.values()), part_columns)
    centres = []
    for axis in "xy":
        ends = [box[f"{axis}{end}"] for end in ("min", "max")]
        centres.append(f"the middle of {ends[0]} and {ends[1]}")
        cells[centres[-1]] = cells[ends].mean(axis=1, skipna=False)
    spatial = tuple(centres)
    return Cells(cells.drop(columns=list(box.values())), spatial, "unknown", unit_notes("unknown", spatial), [])


def _described(
    table: Layout, ids_in: str | None, places: tuple[str, ...], part_columns: tuple[str, ...]
) -> pd.DataFrame:
    """Ids, ``places`` and area (either may be empty for some cells), cell type, and what tells sections."""
    free = [c for c in table.columns if c not in (ids_in, *places)]
    kinds = [c for c in free if plain(c) in TYPES][:1]
    areas = sorted((c for c in free if plain(latin(c)) in AREAS), key=lambda c: AREAS[::-1].index(plain(latin(c))))[:1]
    kept = [c for c in free if plain(c) in KEPT or is_part(c, part_columns)]
    text = list(dict.fromkeys([*([] if ids_in is None else [ids_in]), *kinds, *(c for c in kept if c not in areas)]))
    numbers = [*places, *areas]
    return read_columns(table, text, numbers, gaps=numbers)


def id_column_or_rows(table: Layout) -> str | None:
    """The column of ids of a table; None where there is none, and none is needed (see `row_ids`).

    That is where a program names all that it measures: in other tables a column of ids with a name of its own would
    become a feature. Raises ReadError there.
    """
    try:
        return needed_id_column(table)
    except ReadError:
        if repeated_markers(table.columns)[1]:
            return None
        raise


def row_ids(cells: pd.DataFrame) -> pd.Index:
    """Ids of cells that have none, as in tables of QuPath before 0.4: their row within the image, from 1.

    Of several images the name of the image stands before it.
    """
    image = next((cells[column] for column in cells if plain(column) in IMAGES), pd.Series("", index=cells.index))
    numbers = (image.groupby(image).cumcount() + 1).astype(str)
    return pd.Index(numbers if image.nunique() < 2 else image + "_" + numbers, dtype=object, name=None)


def ids_of_fields(ids: pd.Index, cells: pd.DataFrame) -> tuple[pd.Index, list[str]]:
    """Ids with the field of view before them where they start again in each, and a note; as they are for others."""
    field = next((column for column in cells if plain(column) in FIELDS), None)
    if field is None or ids.is_unique:
        return ids, []
    joint = pd.Index(cells[field].astype(str).to_numpy() + "_" + ids.astype(str), dtype=object)
    if not joint.is_unique:
        return ids, []
    return joint, [f"ids start again in each field of view: {field} stands before them ({joint[0]}, ...)"]


def needed_id_column(table: Layout, or_first: bool = False) -> str:
    """The column of ids: one that is called so, or else the first if it has no name; or the first that is no axis."""
    found, first = id_column(table.columns), table.columns[0]
    if NAMELESS.match(first) and (found is None or NAMELESS.match(found)):
        found = nameless_ids(table, () if "Y" in table.columns else R_IDS)
    if found is None and or_first and not is_axis(first):
        found = first
    if found is None:
        raise ReadError(
            f"{table.file.name}: there is no column of cell ids: cell_id, cell, id, barcode, or a first column without "
            f"a name is expected; columns found: {', '.join(table.columns[:12])}"
        )
    return found


def is_part(column: str, part_columns: tuple[str, ...]) -> bool:
    return plain(column) in {plain(name) for name in part_columns}


def obs_of(cells: pd.DataFrame, unit: str, part_columns: tuple[str, ...] = ()) -> dict[str, object]:
    """Columns that later steps can use. An area whose name has no unit is in that of the coordinates, squared."""
    obs: dict[str, object] = {}
    for column in cells:
        name = plain(latin(column))
        if name in TYPES and not is_part(column, part_columns):
            obs["cell_type"] = cells[column].to_numpy()
        elif name in AREAS:
            obs[CELL_AREA if unit == "um" or name in AREAS_UM2 else AREA_IN_UNITS] = cells[column].to_numpy()
        elif name in KEPT or is_part(column, part_columns):
            obs[column] = cells[column].to_numpy()
    return obs


def unit_notes(unit: str, columns: tuple[str, ...]) -> list[str]:
    if unit != "unknown":
        return []
    which = " and ".join(columns[:2])
    return [UnitUnknown(f"the columns {which} do not say their unit; spatial_unit in the samplesheet states it")]
