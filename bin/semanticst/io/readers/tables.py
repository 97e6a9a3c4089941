"""Tables of any origin: counts and coordinates in two files, or all in one.

STARmap, osmFISH, seqFISH, MIBI, IMC, CODEX and the like come this way.
"""

import re
from pathlib import Path

import anndata as ad
import pandas as pd

from semanticst.io.readers.assembly import assemble, only_once, pair_up, rows_of
from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.readers.mtx import read_mtx
from semanticst.io.readers.tabular import Layout, layout_of, read_columns, read_counts

TABLE = r"\.(csv|tsv|txt)(\.gz)?$"
COUNTS = re.compile(r"(^|[_.-])(counts?|expression|matrix)" + TABLE, re.IGNORECASE)
COORDINATES = re.compile(
    r"(^|[_.-])(coordinates|coords|positions|spatial|cells|centroids|locations)" + TABLE, re.IGNORECASE
)
MTX = re.compile(r"(^|[_.-])matrix\.mtx(\.gz)?$", re.IGNORECASE)

IDS = ("cellid", "cell", "cells", "id", "ids", "barcode", "barcodes", "spot", "spotid", "bead", "objectid",
       "objectnumber", "cellname", "cellnumber", "cellindex", "celllabel", "entityid", "index")  # fmt: skip
AXIS = ("{}", "{}centroid", "centroid{}", "center{}", "{}center", "{}coord", "{}coordinate", "coord{}", "{}position",
        "{}pos", "position{}", "pos{}", "{}location", "location{}", "global{}", "{}global")  # fmt: skip
PXL = ("pxl_col_in_fullres", "pxl_row_in_fullres")
UNITS = {"um": "um", "micron": "um", "microns": "um", "micrometer": "um", "micrometers": "um", "mm": "mm", "px": "px",
         "pixel": "px", "pixels": "px"}  # fmt: skip
TYPES = ("celltype", "celltypes", "annotation", "phenotype", "celltypeannotation")
AREAS = ("area", "cellarea", "areaum2", "cellareaum2")
OTHERS = ("z", "fov", "region", "sample", "sampleid", "patient", "patientid", "slide", "slideid", "image", "imageid",
          "batch", "roi", "core", "cluster", "clusters", "leiden", "domain", "layer", "volume", "size", "perimeter",
          "eccentricity", "majoraxislength", "minoraxislength", "solidity", "orientation", "tile", "ncounts",
          "ngenes", "totalcounts", "intissue", "arrayrow", "arraycol")  # fmt: skip
"""Plain names (lower case, letters and digits) of columns that are neither features nor used."""


def read_pair(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read a folder with counts (cells x features, or Matrix Market) and coordinates; the names of the files tell.

    Raises ReadError when a file or a column is missing, damaged, or has no number where one is expected.
    """
    matrix = _one(folder, MTX)
    if matrix:
        X, ids, features, counts = read_mtx(folder)
        names = features["name"].tolist()
    else:
        table = layout_of(_one(folder, COUNTS) or _no_counts(folder))
        counts = table.file
        ids, names, X = read_counts(table, (table.columns[0],))
        ids = pd.Index(ids[table.columns[0]], dtype=object)
    places = layout_of(_one(folder, COORDINATES, besides=counts) or _no_coordinates(folder))
    id_column = _id_column(places, or_first=True)
    cells, spatial_columns, unit = _cells(places, id_column)
    placed = pd.Index(cells[id_column], dtype=object)
    if not matrix and not ids.isin(placed).any() and pd.Index(names).isin(placed).any():
        raise ReadError(f"{counts.name}: the cells are in the columns; transpose it: one row per cell is expected")
    rows, at, notes = pair_up(ids, placed, counts, places.file)
    cells = cells.iloc[at]
    adata = assemble(
        rows_of(X, rows), ids[rows], names, cells[spatial_columns].to_numpy(), unit=unit,
        notes=notes + _unit_notes(unit, spatial_columns), obs=_obs(cells, unit),
    )  # fmt: skip
    if matrix and (features["id"] != features["name"]).any():
        adata.var["gene_id"] = features["id"].to_numpy()
    return adata


def read_single(file: Path, wanted: Wanted) -> ad.AnnData:
    """Read one table with ids, x, y and features: every column that is not known as something else is a feature.

    Known are ids, coordinates, cell types, areas, and the names in `OTHERS`.

    Raises ReadError when a column is missing, or a feature has no number somewhere.
    """
    table = layout_of(file)
    id_column = _id_column(table)
    cells, spatial_columns, unit = _cells(table, id_column)
    known = {id_column, *cells.columns, *(c for c in table.columns if _is_known(c))}
    _, features, X = read_counts(table, known)
    ids = pd.Index(cells[id_column], dtype=object)
    only_once(ids, file)
    others = [c for c in table.columns if c in known and c not in cells.columns]
    notes = [f"taken for features: {len(features)} columns, {features[0]} to {features[-1]}"]
    notes += [f"neither used nor features: {', '.join(others)}"] if others else []
    return assemble(
        X, ids, features, cells[spatial_columns].to_numpy(), unit=unit,
        notes=notes + _unit_notes(unit, spatial_columns), obs=_obs(cells, unit),
    )  # fmt: skip


def _cells(table: Layout, id_column: str) -> tuple[pd.DataFrame, list[str], str]:
    """Ids, coordinates, cell type and area; names of the coordinates; their unit."""
    spatial_columns, unit = _spatial_columns(table, id_column)
    free = [c for c in table.columns if c not in (id_column, *spatial_columns)]
    kinds = [c for c in free if _plain(c) in TYPES][:1]
    areas = [c for c in free if _plain(c) in AREAS][:1]
    return read_columns(table, [id_column, *kinds], [*spatial_columns, *areas], gaps=areas), spatial_columns, unit


def _spatial_columns(table: Layout, id_column: str) -> tuple[list[str], str]:
    """The pair of coordinates and its unit, from the names; micrometres before mm, pixels, and no unit."""
    found: dict[tuple[str, str], str] = {}
    for axis in "xy":
        for column in table.columns:
            base, unit = _without_unit(column)
            if column != id_column and base in {name.format(axis) for name in AXIS}:
                found.setdefault((unit, axis), column)
    if set(PXL) <= set(table.columns):
        found |= {("px", "x"): PXL[0], ("px", "y"): PXL[1]}
    for unit in ("um", "mm", "px", "unknown"):
        if (unit, "x") in found and (unit, "y") in found:
            return [found[unit, "x"], found[unit, "y"]], unit
    raise ReadError(
        f"{table.file.name}: there are no columns of coordinates: a pair such as x and y, x_um and y_um, or x_centroid "
        f"and y_centroid is expected; columns found: {', '.join(table.columns[:12])}"
    )


def _without_unit(column: str) -> tuple[str, str]:
    """A plain name without the unit at its end, and the unit: x_centroid_um -> xcentroid, um."""
    words = re.sub(r"[()\[\]\s.]", "_", re.sub("[µμ]", "u", column)).strip("_")
    stem, _, last = words.rpartition("_")
    if stem and last.lower() in UNITS:
        return _plain(stem), UNITS[last.lower()]
    return _plain(column), "unknown"


def _id_column(table: Layout, or_first: bool = False) -> str:
    """The column of ids: one that is called so, or else the first if it has no name; or the first that is no axis."""
    found = next((c for c in table.columns if _plain(c) in IDS), None)
    first = table.columns[0]
    if found is None and (first in ("", "Unnamed: 0") or (or_first and not _is_axis(first))):
        found = first
    if found is None:
        raise ReadError(
            f"{table.file.name}: there is no column of cell ids: cell_id, cell, id, barcode, or a first column without "
            f"a name is expected; columns found: {', '.join(table.columns[:12])}"
        )
    return found


def _obs(cells: pd.DataFrame, unit: str) -> dict[str, pd.Series]:
    """Columns that later steps can use; an area only where it is certainly in square micrometres."""
    obs = {}
    for column in cells:
        plain = _plain(column)
        if plain in TYPES:
            obs["cell_type"] = cells[column]
        elif plain in AREAS and (unit == "um" or plain.endswith("um2")):
            obs["cell_area"] = cells[column]
    return obs


def _unit_notes(unit: str, columns: list[str]) -> list[str]:
    if unit != "unknown":
        return []
    return [f"the columns {' and '.join(columns)} do not say their unit; spatial_unit in the samplesheet states it"]


def _is_known(column: str) -> bool:
    return _plain(column) in (*IDS, *TYPES, *AREAS, *OTHERS) or _is_axis(column)


def _is_axis(column: str) -> bool:
    base = _without_unit(column)[0]
    return column in PXL or any(base == name.format(axis) for name in AXIS for axis in "xyz")


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _one(folder: Path, pattern: re.Pattern, besides: Path | None = None) -> Path | None:
    found = sorted(p for p in folder.iterdir() if p.is_file() and pattern.search(p.name) and p != besides)
    if len(found) > 1:
        raise ReadError(f"several files would do: {', '.join(p.name for p in found)}; leave one of them in the folder")
    return found[0] if found else None


def _no_counts(folder: Path) -> Path:
    held = ", ".join(sorted(p.name for p in folder.iterdir()))
    raise ReadError(f"the counts are missing: a table counts.csv (or .tsv, .gz) is expected; the folder holds {held}")


def _no_coordinates(folder: Path) -> Path:
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
