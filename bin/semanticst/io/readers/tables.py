"""Tables of any origin: counts and coordinates in two files, or all in one.

STARmap, osmFISH, seqFISH, MIBI, IMC, CODEX and the like come this way, and what MCMICRO, QuPath, ark and steinbock
write.
"""

import re
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import pandas as pd

from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.assembly import assemble, by_order, only_once, pair_up, rows_of, same_spelling
from semanticst.io.readers.base import Reader, ReadError, Wanted, visible
from semanticst.io.readers.column_names import IDS, latin, spatial_pairs
from semanticst.io.readers.column_roles import roles, told_roles
from semanticst.io.readers.mtx import read_mtx
from semanticst.io.readers.object_types import only_cells
from semanticst.io.readers.table_cells import (
    BOX,
    USED,
    cells_of,
    id_column_or_rows,
    ids_of_fields,
    is_part,
    needed_id_column,
    obs_of,
    row_ids,
)
from semanticst.io.readers.table_layout import Layout, layout_of
from semanticst.io.readers.tabular import R_IDS, nameless_ids, read_counts, without_row_numbers
from semanticst.io.several_sections import check_sections, plain

TABLE = r"\.(csv|tsv|txt)(\.gz)?$"
COUNTS = re.compile(r"(^|[_.-])(counts?|expression|matrix|intensities)" + TABLE, re.IGNORECASE)
COORDINATES = re.compile(
    r"(^|[_.-])(coordinates|coords|positions|spatial|cells|centroids|locations|regionprops)" + TABLE, re.IGNORECASE
)
MTX = re.compile(r"(^|[_.-])matrix\.mtx(\.gz)?$", re.IGNORECASE)


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
    axes = [column for column in ("y", "z") if column in no_features]
    axes = axes if "y" in axes and not spatial_pairs(counts.columns) else []  # yellow and zeste, genes of the fly
    no_features = {column: role for column, role in no_features.items() if column not in axes}
    ids, names, X = read_counts(counts, {ids_in, *no_features})
    names, X, notes = without_row_numbers(names, X, counts.file)
    places = layout_of(places_of(counts_file))
    ids = pd.Index(ids.iloc[:, list(ids.columns).index(ids_in)], dtype=object)
    adata = place_counts(X, ids, names, counts.file, places, ids_in, part_columns)
    if axes:
        notes.append(f"taken for features, since the table has no pair of coordinates: {', '.join(axes)}")
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
    ids_in = id_column_or_rows(table)
    told = cells_of(table, ids_in, wanted.part_columns)
    cells, spatial = told.table, told.spatial
    no_features = roles(table.columns)
    _, features, X = read_counts(table, {ids_in or "", *cells.columns, *no_features})
    features, X, notes = without_row_numbers(features, X, file)
    obs = obs_of(cells, told.unit, wanted.part_columns)
    ids = row_ids(cells) if ids_in is None else pd.Index(cells[ids_in], dtype=object)
    ids, of_fields = ids_of_fields(ids, cells)
    if not wanted.in_parts:
        # ids of several images repeat: which of them the table holds, says more
        check_sections(ids, pd.DataFrame(obs, index=cells.index), told.points[:, :2])
        only_once(ids, file)
    notes = passed + notes
    notes.insert(0, f"taken for features: {len(features)} columns, {features[0]} to {features[-1]}")
    notes += of_fields
    if ids_in is None:
        notes.append(f"there is no column of cell ids: cells are called by their row in the image ({ids[0]}, ...)")
    boxed = BOX if spatial[0] not in table.columns else ()
    used = {
        ids_in,
        *spatial,
        *(c for c in table.columns if plain(c) in boxed),
        *(c for c in cells if plain(latin(c)) in USED or is_part(c, wanted.part_columns)),
    }
    notes += told_roles({c: role for c, role in no_features.items() if c not in used})
    return assemble(
        X, ids, features, told.points, unit=told.unit, notes=notes + told.notes, obs=obs, warnings=told.warnings
    )


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
    places_id = needed_id_column(places, or_first=True)
    told = cells_of(places, places_id, part_columns)
    placed = pd.Index(told.table[places_id], dtype=object)
    turned = pd.Index(names).isin(placed).any() or same_spelling(pd.Index(names), placed) is not None
    if not ids.isin(placed).any() and turned and same_spelling(ids, placed) is None:
        raise ReadError(f"{counts.name}: the cells are in the columns; transpose it: one row per cell is expected")
    known = ids.isin(placed).any() or same_spelling(ids, placed) is None
    if not _is_id(ids_in) and known and (2 * ids.isin(placed).sum() < len(ids) or not ids.is_unique):
        raise ReadError(
            f"{counts.name}: there is no column of cell ids: cell_id, cell, id, barcode, or a first column without a "
            f"name is expected, with the ids of {places.file.name}; the first column is {ids_in}"
        )
    nameless = all(NAMELESS.match(column) or column in R_IDS for column in (ids_in, places_id))
    shifted = by_order(ids, placed, counts, places.file, named=not nameless)
    rows, at, notes = pair_up(ids, ids if shifted else placed, counts, places.file)
    return assemble(
        rows_of(X, rows), ids[rows], names, told.points[at], unit=told.unit, notes=notes + told.notes,
        matrix=counts.name, obs=obs_of(told.table.iloc[at], told.unit, part_columns),
        warnings=told.warnings + ([shifted] if shifted else []),
    )  # fmt: skip


def _counts_id_column(table: Layout) -> str:
    """The first column of a table of counts, or what stands behind row numbers: a gene may be called as an id is."""
    first = table.columns[0]
    behind = next((column for column in table.columns if not NAMELESS.match(column)), first)
    if behind == first:
        return first
    return behind if plain(behind) in IDS else nameless_ids(table, R_IDS) or first


def _is_id(column: str) -> bool:
    return bool(NAMELESS.match(column)) or plain(column) in IDS


def _one(folder: Path, pattern: re.Pattern, besides: Path | None = None) -> Path | None:
    found = [p for p in visible(folder) if p.is_file() and pattern.search(p.name) and p != besides]
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
