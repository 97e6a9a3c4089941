"""Files that people select cells with: ids, or outlines drawn in Xenium Explorer, AtoMx or QuPath."""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import shape

from semanticst.errors import ReadError
from semanticst.io.coordinates import extent_of
from semanticst.io.readers.column_names import id_column, spatial_pair
from semanticst.io.readers.files import open_text, reading
from semanticst.io.readers.geojson import features_of
from semanticst.io.regions.outline_fit import doubts
from semanticst.io.several_sections import plain
from semanticst.tables.delimited import SEPARATOR_LINE
from semanticst.tables.signs import one_form

GEOJSON = (".geojson", ".json")
OUTLINES = ("Polygon", "MultiPolygon", "GeometryCollection")
"""Geometries of GeoJSON that may enclose cells; of a collection its polygons."""
NAMES = ("selection", "selectionname", "name", "region", "class", "group")
"""Columns that tell several outlines of one table apart."""
CELLS = {"cell": "cells", "detection": "detections"}
NO_REGIONS = CELLS | {"tile": "tiles", "tmacore": "TMA cores", "root": "whole images"}
"""Objects of QuPath that nobody drew, and what several are called. Its export holds all objects by default."""
_OLD_TYPE = re.compile(r"(?:Path)?(\w+?)Object")
"""Until QuPath 0.2 the type stood in the place of the id: PathCellObject, TMACoreObject."""
EXPORT_ANNOTATIONS = (
    "in QuPath: Objects, Select, Select annotations, then File, Export objects as GeoJSON, and there Selected objects"
)


@dataclass(frozen=True)
class Selection:
    """Ids of cells, or polygons with names (empty where they have none)."""

    ids: pd.Index | None = None
    polygons: list[shapely.Geometry] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What of the file is not in it, and what its objects were taken for."""
    hint: str = ""
    """What to do when no cell has one of the ids."""


@dataclass
class _Drawn:
    """Objects of a GeoJSON file."""

    polygons: list[shapely.Geometry] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """Number of objects of QuPath by kind (`NO_REGIONS`) that are no outlines."""
    ids: list[str] = field(default_factory=list)
    """Of those that are cells."""


def read_selection(file: Path) -> Selection:
    """Read a file of ids or outlines.

    GeoJSON (QuPath): its annotations and TMA cores, with the name of their class, else their own; where it has none
    but cells, the ids of these. A table with a column of ids (``Cell ID`` of Xenium Explorer, ``cell_id``, ``barcode``,
    ...), or one id per line: ids. A table with columns of x and y: an outline, one per name where a column has names.
    Lines that begin with # are comments.

    Raises ReadError when the file is missing, empty, damaged, or holds neither.
    """
    if not file.is_file():
        raise ReadError(f"{file.name}: there is no such file")
    if file.name.lower().removesuffix(".gz").removesuffix(".zip").endswith(GEOJSON):
        return _selected(file)
    rows = _rows(file)
    if not rows:
        raise ReadError(f"{file.name} is empty; ids of cells, or x and y of an outline are expected")
    header = rows[0]
    if named := id_column(header):
        return Selection(ids=_ids(rows[1:], header.index(named), file))
    if pair := spatial_pair(header):
        return _outline_table(rows, pair[0], pair[1], file)
    if len(header) == 1:
        return Selection(ids=_ids(rows, 0, file))
    raise ReadError(
        f"{file.name}: there is neither a column of ids (cell_id, Cell ID, barcode) nor a pair x and y; columns: "
        f"{', '.join(header[:12])}"
    )


def read_outlines(file: Path) -> Selection:
    """Polygons of a GeoJSON file that people drew: a feature, a list or a collection of features.

    Of the objects that QuPath exports these are the annotations; a note counts the others (`NO_REGIONS`). Features of
    other programs, which do not say what they are, all count.

    Raises ReadError when it is no GeoJSON, when it holds no such polygon, and when a coordinate is no number.
    """
    drawn = _drawn(file, tuple(NO_REGIONS))
    if not drawn.polygons:
        raise _no_outline(file, drawn)
    return Selection(polygons=drawn.polygons, names=drawn.names, notes=_left_out(file, drawn))


def _selected(file: Path) -> Selection:
    """As `read_outlines`, but the cores of a tissue array are outlines, too; without any, ids of the cells in it."""
    drawn = _drawn(file, tuple(kind for kind in NO_REGIONS if kind != "tmacore"))
    if drawn.polygons:
        return Selection(polygons=drawn.polygons, names=drawn.names, notes=_left_out(file, drawn))
    if not drawn.ids:
        raise _no_outline(file, drawn)
    what = _counted(drawn.others, CELLS)
    hint = f"; it holds {what} of QuPath, which are matched by their Object ID. To select by an outline, "
    note = f"{file.name}: the cells are those with the ids of its {what}, which are no outlines of a selection"
    rest = Counter({kind: n for kind, n in drawn.others.items() if kind not in CELLS})
    notes = [note, *_left_out(file, _Drawn(others=rest))]
    return Selection(ids=pd.Index(drawn.ids, dtype=object).unique(), notes=notes, hint=hint + EXPORT_ANNOTATIONS)


def _drawn(file: Path, no_outlines: tuple[str, ...]) -> _Drawn:
    found = _Drawn()
    with reading(file, "GeoJSON"):
        for number, feature in enumerate(features_of(file), 1):
            kind = _object_type(feature)
            if kind in no_outlines:
                found.others[kind] += 1
                if kind in CELLS and feature.get("id") and not _OLD_TYPE.fullmatch(str(feature["id"])):
                    found.ids.append(str(feature["id"]))
            elif (polygon := _polygon(feature, number)) is not None:
                found.polygons.append(polygon)
                found.names.append(_class_name(feature))
    return found


def _object_type(feature: dict) -> str:
    """What QuPath says that an object is (``annotation``, ``cell``, ...); empty where nothing says it."""
    properties = _properties(feature)
    old = _OLD_TYPE.fullmatch(str(feature.get("id") or ""))
    return plain(properties.get("objectType") or properties.get("object_type") or (old[1] if old else ""))


def _polygon(feature: dict, number: int) -> shapely.Geometry | None:
    geometry = feature.get("geometry", feature)
    if not isinstance(geometry, dict) or geometry.get("type") not in OUTLINES:
        return None
    try:
        polygon = repaired(shape(geometry))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise ReadError(f"outline {number} is none ({error}); export it again") from error
    return None if polygon.is_empty or polygon.area == 0 else polygon


def _no_outline(file: Path, drawn: _Drawn) -> ReadError:
    if not drawn.others:
        return ReadError(
            f"{file.name}: there is no outline (Polygon, MultiPolygon) in it; export the annotations again"
        )
    return ReadError(
        f"{file.name}: it holds {_counted(drawn.others, NO_REGIONS)} of QuPath and no annotation that encloses an "
        f"area; export the annotations ({EXPORT_ANNOTATIONS})"
    )


def _left_out(file: Path, drawn: _Drawn) -> list[str]:
    if not drawn.others:
        return []
    return [f"{file.name}: {_counted(drawn.others, NO_REGIONS)} of QuPath in it are left out: only annotations count"]


def _counted(objects: Counter[str], names: dict[str, str]) -> str:
    """``120 cells and 4 tiles``."""
    texts = [
        f"{objects[kind]} {name if objects[kind] > 1 else name[:-1]}" for kind, name in names.items() if objects[kind]
    ]
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def repaired(polygon: shapely.Geometry) -> shapely.Geometry:
    """An outline as it was meant: what its holes cover is out of it, also where they touch or cross its border, and
    what rings that cross themselves or parts that overlap enclose is in it.

    The other way of shapely, which takes all lines together, fills a hole that shares an edge with the border.
    """
    if polygon.geom_type == "GeometryCollection":
        parts = [part for part in polygon.geoms if part.geom_type in OUTLINES]
        return shapely.union_all([repaired(part) for part in parts])
    return shapely.make_valid(polygon, method="structure", keep_collapsed=False)


def inside(selection: Selection, points: np.ndarray, scale: float, file: str) -> tuple[np.ndarray, list[str]]:
    """Which points (float, n x 2) lie in any outline, bool, and warnings of `semanticst.io.regions.outline_fit`.

    scale : what an outline's numbers are multiplied with. Raises ReadError when no point does, with both extents: most
    often the units differ; and when the outlines do not fit the points.
    """
    found, held = np.zeros(len(points), dtype=bool), []
    for polygon in selection.polygons:
        cells = points_in(polygon, points, scale)
        held.append(int(cells.sum()))
        found |= cells
    if not found.any():
        raise ReadError(f"{file}: no cell lies in the outline{span(selection, scale, points)}")
    return found, doubts(placed(selection.polygons, scale), held, found.mean(), extent_of(points), file)


def placed(polygons: list[shapely.Geometry], scale: float) -> list[shapely.Geometry]:
    """Outlines in the coordinates of the cells."""
    return [shapely.transform(polygon, lambda corners: corners * scale) for polygon in polygons]


def span(selection: Selection, scale: float, points: np.ndarray) -> str:
    """Where outlines and cells lie, and what to do about units that differ, for messages."""
    low, high = (np.array(shapely.total_bounds(selection.polygons)) * scale).reshape(2, 2)
    cells = _span(np.nanmin(points, axis=0), np.nanmax(points, axis=0))
    return (
        f", which spans {_span(low, high)}; the cells span {cells}. Outlines in pixels of an image need "
        "outline_um_per_px in the samplesheet"
    )


def points_in(polygon: shapely.Geometry, points: np.ndarray, scale: float) -> np.ndarray:
    """Which points (float, n x 2) lie in one outline or on its line: bool, n."""
    (polygon,) = placed([polygon], scale)
    shapely.prepare(polygon)
    return np.asarray(shapely.intersects_xy(polygon, points[:, 0], points[:, 1]))


def _properties(feature: dict) -> dict:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _class_name(feature: dict) -> str:
    """Class of an object, else its name; of derived classes QuPath writes ``names`` (Tumour, Positive)."""
    properties = _properties(feature)
    named = properties.get("classification")
    if isinstance(named, dict):
        named = named.get("name") or ": ".join(map(str, named.get("names") or ()))
    return " ".join(one_form(str(named or properties.get("name") or "")).split())


def _rows(file: Path) -> list[list[str]]:
    with reading(file, "text"), open_text(file) as opened:
        text = opened.read().decode()
    text = SEPARATOR_LINE.sub("", "\n".join(text.splitlines()))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    separator = max((",", "\t", ";"), key=lines[0].count) if lines else ","
    return [[one_form(value).strip() for value in row] for row in csv.reader(lines, delimiter=separator)]


def _ids(rows: list[list[str]], column: int, file: Path) -> pd.Index:
    ids = pd.Index([row[column] for row in rows if len(row) > column and row[column]], dtype=object)
    if not len(ids):
        raise ReadError(f"{file.name}: there are no ids in it")
    return ids.unique()


def _outline_table(rows: list[list[str]], x: str, y: str, file: Path) -> Selection:
    header, *body = rows
    named = next((i for i, name in enumerate(header) if plain(name) in NAMES), None)
    corners: dict[str, list[tuple[float, float]]] = {}
    for number, row in enumerate(body, 1):
        try:
            corner = (float(row[header.index(x)]), float(row[header.index(y)]))
        except (ValueError, IndexError):
            raise ReadError(f"{file.name}: corner {number} of the outline is no pair of numbers") from None
        corners.setdefault(row[named] if named is not None else "", []).append(corner)
    if small := [name for name, ring in corners.items() if len(ring) < 3]:
        raise ReadError(f"{file.name}: an outline {small[0]} has fewer than 3 corners")
    polygons = [repaired(shapely.Polygon(ring)) for ring in corners.values()]
    return Selection(polygons=polygons, names=list(corners))


def _span(low: np.ndarray, high: np.ndarray) -> str:
    return f"{low[0]:.0f} to {high[0]:.0f} and {low[1]:.0f} to {high[1]:.0f}"
