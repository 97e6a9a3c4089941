"""Tables of any origin: counts and coordinates in two files, or all in one.

STARmap, osmFISH, seqFISH, MIBI, IMC, CODEX and the like come this way, and what MCMICRO, QuPath, ark and steinbock
write.
"""

import re
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import CELL_AREA
from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.assembly import assemble, by_order, only_once, pair_up, rows_of, same_spelling
from semanticst.io.readers.base import AREA_IN_UNITS, Reader, ReadError, Wanted
from semanticst.io.readers.column_names import (
    AREAS,
    AREAS_UM2,
    IDS,
    TYPES,
    depth_column,
    id_column,
    is_axis,
    latin,
    spatial_pair,
)
from semanticst.io.readers.column_roles import roles, told_roles
from semanticst.io.readers.mtx import read_mtx
from semanticst.io.readers.object_types import only_cells
from semanticst.io.readers.tabular import (
    R_IDS,
    Layout,
    layout_of,
    nameless_ids,
    read_columns,
    read_counts,
    without_row_numbers,
)
from semanticst.io.several_sections import SECTION_COLUMNS, check_sections, plain
from semanticst.io.understood import UnitUnknown

TABLE = r"\.(csv|tsv|txt)(\.gz)?$"
COUNTS = re.compile(r"(^|[_.-])(counts?|expression|matrix|intensities)" + TABLE, re.IGNORECASE)
COORDINATES = re.compile(
    r"(^|[_.-])(coordinates|coords|positions|spatial|cells|centroids|locations|regionprops)" + TABLE, re.IGNORECASE
)
MTX = re.compile(r"(^|[_.-])matrix\.mtx(\.gz)?$", re.IGNORECASE)
BOX = ("xmin", "xmax", "ymin", "ymax")
KEPT = SECTION_COLUMNS | {"intissue", "arrayrow", "arraycol"}
"""Columns that become columns of obs as they are: what tells sections and tissue."""


def read_pair(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read a folder with counts (cells x features, or Matrix Market) and coordinates; the names of the files tell.

    Raises ReadError when a file or a column is missing, damaged, or has no number where one is expected.
    """
    if not _one(folder, MTX):
        counts_file = _one(folder, COUNTS) or _no_counts(folder)
        return join_tables(counts_file, lambda counts: _places_of(folder, counts), wanted.part_columns)
    X, ids, features, counts = read_mtx(folder)
    adata = place_counts(
        X, ids, features["name"].tolist(), counts, layout_of(_places_of(folder, counts)), "", wanted.part_columns
    )
    if (features["id"] != features["name"]).any():
        adata.var["gene_id"] = features["id"].to_numpy()
    if (features["type"] != "").any():
        adata.var["feature_types"] = features["type"].to_numpy()
    return adata


def join_tables(counts_file: Path, places_of: Callable[[Path], Path], part_columns: tuple[str, ...] = ()) -> ad.AnnData:
    """Read a table of counts, cells x features, and the table of the places of its cells, which is found beside it."""
    counts = layout_of(counts_file)
    ids_in = _counts_id_column(counts)
    no_features = roles(counts.columns)
    ids, names, X = read_counts(counts, {ids_in, *no_features})
    names, X, notes = without_row_numbers(names, X, counts.file)
    places = layout_of(places_of(counts_file))
    ids = pd.Index(ids.iloc[:, list(ids.columns).index(ids_in)], dtype=object)
    adata = place_counts(X, ids, names, counts.file, places, ids_in, part_columns)
    adata.uns["notes"] += notes + told_roles({c: role for c, role in no_features.items() if c and c != ids_in})
    return adata


def read_single(file: Path, wanted: Wanted) -> ad.AnnData:
    """Read one table with ids, x, y and features: every column that is not known as something else is a feature.

    Known are ids, coordinates, cell types, areas and shapes, row numbers, and the names in
    `semanticst.io.readers.column_names`. Of a table of QuPath the mean of each marker over the cell is taken.

    Raises ReadError when a column is missing, when a feature has no number somewhere, and when the table holds several
    images that lie on top of each other.
    """
    table, passed = only_cells(layout_of(file))
    ids_in = _id_column(table)
    cells, spatial, unit = _cells(table, ids_in, wanted.part_columns)
    no_features = roles(table.columns)
    _, features, X = read_counts(table, {ids_in, *cells.columns, *no_features})
    features, X, notes = without_row_numbers(features, X, file)
    obs, ids = _obs(cells, unit, wanted.part_columns), pd.Index(cells[ids_in], dtype=object)
    if not wanted.in_parts:
        # ids of several images repeat: which of them the table holds, says more
        check_sections(ids, pd.DataFrame(obs, index=cells.index), cells[list(spatial[:2])].to_numpy())
        only_once(ids, file)
    notes = passed + notes
    notes.insert(0, f"taken for features: {len(features)} columns, {features[0]} to {features[-1]}")
    boxed = BOX if spatial[0] not in table.columns else ()
    used = {
        ids_in,
        *spatial,
        *(c for c in table.columns if plain(c) in boxed),
        *(c for c in cells if plain(latin(c)) in _USED or _is_part(c, wanted.part_columns)),
    }
    notes += told_roles({c: role for c, role in no_features.items() if c not in used})
    return assemble(
        X, ids, features, cells[list(spatial)].to_numpy(), unit=unit, notes=notes + _unit_notes(unit, spatial), obs=obs
    )


_USED = frozenset({*TYPES, *AREAS}) | KEPT


def place_counts(
    X,
    ids: pd.Index,
    names: list[str],
    counts: Path,
    places: Layout,
    ids_in: str = "",
    part_columns: tuple[str, ...] = (),
) -> ad.AnnData:
    """Counts with what the table of places says.

    ids_in : what the column of ids of the counts is called.
    part_columns : columns of the places that are kept as they are.
    """
    if X.shape != (len(ids), len(names)):
        raise ReadError(
            f"{counts.name}: {X.shape[0]} x {X.shape[1]} values, but {len(ids)} cells and {len(names)} features; "
            "damaged, or of several samples? Export it again"
        )
    places_id = _id_column(places, or_first=True)
    cells, spatial, unit = _cells(places, places_id, part_columns)
    placed = pd.Index(cells[places_id], dtype=object)
    if not ids.isin(placed).any() and pd.Index(names).isin(placed).any():
        raise ReadError(f"{counts.name}: the cells are in the columns; transpose it: one row per cell is expected")
    known = ids.isin(placed).any() or same_spelling(ids, placed) is None
    if not _is_id(ids_in) and known and (2 * ids.isin(placed).sum() < len(ids) or not ids.is_unique):
        raise ReadError(
            f"{counts.name}: there is no column of cell ids: cell_id, cell, id, barcode, or a first column without a "
            f"name is expected, with the ids of {places.file.name}; the first column is {ids_in}"
        )
    nameless = all(NAMELESS.match(column) or column in R_IDS for column in (ids_in, places_id))
    shifted = by_order(ids, placed, counts, places.file) if nameless else ""
    rows, at, notes = pair_up(ids, ids if shifted else placed, counts, places.file)
    cells = cells.iloc[at]
    adata = assemble(
        rows_of(X, rows), ids[rows], names, cells[list(spatial)].to_numpy(), unit=unit,
        notes=notes + _unit_notes(unit, spatial), matrix=counts.name, obs=_obs(cells, unit, part_columns),
    )  # fmt: skip
    if shifted:
        adata.uns["warnings"] = [shifted]
    return adata


def _cells(table: Layout, ids_in: str, part_columns: tuple[str, ...] = ()) -> tuple[pd.DataFrame, tuple[str, ...], str]:
    """Ids, coordinates, cell type, area, and what tells sections; names of the coordinates, x, y and z; their unit."""
    found = spatial_pair(table.columns, besides=(ids_in,))
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
    cells = _described(table, ids_in, spatial, spatial[2:], part_columns)
    if z is not None and (cells[z].isna().any() or np.ptp(cells[z].to_numpy()) == 0):
        spatial = (x, y)
    return cells, spatial, unit


def _boxed_cells(
    table: Layout, ids_in: str, box: dict[str, str], part_columns: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[str, ...], str]:
    """As `_cells`, with the centres of the boxes around the cells, which is all that HALO writes."""
    cells = _described(table, ids_in, tuple(box.values()), (), part_columns)
    centres = []
    for axis in "xy":
        ends = [box[f"{axis}{end}"] for end in ("min", "max")]
        centres.append(f"the middle of {ends[0]} and {ends[1]}")
        cells[centres[-1]] = cells[ends].mean(axis=1)
    return cells.drop(columns=list(box.values())), tuple(centres), "unknown"


def _described(
    table: Layout, ids_in: str, places: tuple[str, ...], gaps: tuple[str, ...], part_columns: tuple[str, ...]
) -> pd.DataFrame:
    """Ids, ``places`` (``gaps`` of them may be empty), cell type, area, and what tells sections."""
    free = [c for c in table.columns if c not in (ids_in, *places)]
    kinds = [c for c in free if plain(c) in TYPES][:1]
    areas = sorted((c for c in free if plain(latin(c)) in AREAS), key=lambda c: AREAS[::-1].index(plain(latin(c))))[:1]
    kept = [c for c in free if plain(c) in KEPT or _is_part(c, part_columns)]
    text = list(dict.fromkeys([ids_in, *kinds, *(c for c in kept if c not in areas)]))
    return read_columns(table, text, [*places, *areas], gaps=[*areas, *gaps])


def _counts_id_column(table: Layout) -> str:
    """The first column of a table of counts, or what stands behind row numbers: a gene may be called as an id is."""
    first = table.columns[0]
    behind = next((column for column in table.columns if not NAMELESS.match(column)), first)
    if behind == first:
        return first
    return behind if plain(behind) in IDS else nameless_ids(table, R_IDS) or first


def _id_column(table: Layout, or_first: bool = False) -> str:
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


def _is_id(column: str) -> bool:
    return bool(NAMELESS.match(column)) or plain(column) in IDS


def _is_part(column: str, part_columns: tuple[str, ...]) -> bool:
    return plain(column) in {plain(name) for name in part_columns}


def _obs(cells: pd.DataFrame, unit: str, part_columns: tuple[str, ...] = ()) -> dict[str, object]:
    """Columns that later steps can use. An area whose name has no unit is in that of the coordinates, squared."""
    obs: dict[str, object] = {}
    for column in cells:
        name = plain(latin(column))
        if name in TYPES and not _is_part(column, part_columns):
            obs["cell_type"] = cells[column].to_numpy()
        elif name in AREAS:
            obs[CELL_AREA if unit == "um" or name in AREAS_UM2 else AREA_IN_UNITS] = cells[column].to_numpy()
        elif name in KEPT or _is_part(column, part_columns):
            obs[column] = cells[column].to_numpy()
    return obs


def _unit_notes(unit: str, columns: tuple[str, ...]) -> list[str]:
    if unit != "unknown":
        return []
    which = " and ".join(columns[:2])
    return [UnitUnknown(f"the columns {which} do not say their unit; spatial_unit in the samplesheet states it")]


def _one(folder: Path, pattern: re.Pattern, besides: Path | None = None) -> Path | None:
    found = sorted(p for p in folder.iterdir() if p.is_file() and pattern.search(p.name) and p != besides)
    if len(found) > 1:
        raise ReadError(f"several files would do: {', '.join(p.name for p in found)}; leave one of them in the folder")
    return found[0] if found else None


def _no_counts(folder: Path) -> Path:
    held = ", ".join(sorted(p.name for p in folder.iterdir()))
    raise ReadError(f"the counts are missing: a table counts.csv (or .tsv, .gz) is expected; the folder holds {held}")


def _places_of(folder: Path, counts: Path) -> Path:
    found = _one(folder, COORDINATES, besides=counts)
    if found:
        return found
    held = ", ".join(sorted(p.name for p in folder.iterdir()))
    raise ReadError(
        "the coordinates are missing: a table coordinates.csv, positions.csv, spatial.csv, cells.csv, centroids.csv or "
        f"locations.csv (or .tsv, .gz) is expected; the folder holds {held}"
    )


def _has_counts(path: Path) -> bool:
    return path.is_dir() and any(COUNTS.search(p.name) or MTX.search(p.name) for p in path.iterdir())


PAIR = Reader(
    name="pair of tables",
    expects="a folder with counts.csv (or matrix.mtx, barcodes.tsv, features.tsv) and coordinates.csv",
    recognises=_has_counts,
    read=read_pair,
)
SINGLE = Reader(
    name="table",
    expects="one table of cells (.csv, .tsv) with columns cell_id, x, y and features",
    recognises=lambda path: path.is_file() and bool(re.search(TABLE, path.name, re.IGNORECASE)),
    read=read_single,
)
