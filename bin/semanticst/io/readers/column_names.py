"""Names of columns in tables of cells: ids, coordinates, cell types, areas."""

import re
from collections.abc import Iterable
from itertools import product

from semanticst.io.coordinates import UNITS
from semanticst.io.several_sections import plain

IDS = (
    "cellid", "cell", "cells", "barcode", "barcodes", "spot", "spotid", "bead", "objectid", "objectnumber", "object",
    "entityid", "cellname", "cellnumber", "cellindex", "celllabel", "maskid", "id", "ids", "index", "label",
)  # fmt: skip
"""The better the name tells, the further in front; the last ones may be row numbers or classes beside another."""
AXIS = ("{}", "{}centroid", "centroid{}", "center{}", "{}center", "{}coord", "{}coordinate", "coord{}", "{}position",
        "{}pos", "position{}", "pos{}", "{}location", "location{}", "global{}", "{}global", "{}cent", "{}centre",
        "centre{}", "spatial{}", "{}spatial", "cellcentroid{}", "nucleuscentroid{}", "cell{}position",
        "locationcenter{}", "areashapecenter{}", "{}slide", "center{}global", "sdim{}")  # fmt: skip
NAMED_PAIRS = (
    ("pxl_col_in_fullres", "pxl_row_in_fullres", "px"), ("pxl_col", "pxl_row", "px"), ("imagecol", "imagerow", "px"),
    ("centroid-1", "centroid-0", "unknown"), ("centroid_1", "centroid_0", "unknown"),
    ("spatial1", "spatial2", "unknown"), ("spatial_1", "spatial_2", "unknown"), ("col", "row", "unknown"),
    ("column", "row", "unknown"), ("column_centroid", "row_centroid", "unknown"),
    ("col_centroid", "row_centroid", "unknown"), ("centroid_column", "centroid_row", "unknown"),
    ("centroid_col", "centroid_row", "unknown"), ("center_col", "center_row", "unknown"),
)  # fmt: skip
"""x, y and unit of names that do not say x and y. Images are counted by row (down) and column: in scikit-image, and so
in steinbock and ark, ``centroid-0`` is the row."""
ON_SLIDE = re.compile(r"global|slide", re.IGNORECASE)
"""In names of coordinates on the whole slide, beside which others may be those inside each field of view."""
TYPES = ("celltype", "celltypes", "annotation", "phenotype", "celltypeannotation", "cellclass", "cellmetacluster",
         "predictedcelltype", "class", "classification")  # fmt: skip
AREAS_UM2 = ("areaum2", "cellareaum2", "entirecellareasquaremicrons")
AREAS = ("areashapearea", "cellareashapearea", "cellsareashapearea", "cellsize", "area", "cellarea", *AREAS_UM2)
"""The better the name tells, the further behind. Those that are not in `AREAS_UM2` are in units of the coordinates."""


def spatial_pair(columns: Iterable[str], besides: Iterable[str] = ()) -> tuple[str, str, str] | None:
    """Names of x and y and their unit (um, mm, nm, px, unknown), told by the names; None where there is no such pair.

    The best of `spatial_pairs`.
    """
    return next(iter(spatial_pairs(columns, besides)), None)


def spatial_pairs(columns: Iterable[str], besides: Iterable[str] = ()) -> list[tuple[str, str, str]]:
    """Names of x and y and their unit of all pairs of coordinates, the best first.

    Those on the slide (`ON_SLIDE`) go before all others, then micrometres before mm, nm, pixels, and no unit. x and y
    are spelled alike: of ``X``, ``x``, ``y`` the first is a column of row numbers that R named.
    """
    columns = [column for column in dict.fromkeys(map(str, columns)) if column not in set(besides)]
    found: list[tuple[str, str, str]] = []
    for x in columns:
        base, unit = without_unit(x)
        mirrors = [m for m in _mirrored(x) if m in columns] if base in _axis("x") else []
        mirrors = [m for m in mirrors if without_unit(m)[0] in _axis("y")]
        if mirrors:
            found.append((x, mirrors[0], unit))
    if not found:  # spelled differently
        by_axis = {axis: [c for c in columns if without_unit(c)[0] in _axis(axis)] for axis in "xy"}
        for x, y in product(by_axis["x"], by_axis["y"]):
            of_x, of_y = without_unit(x)[1], without_unit(y)[1]
            if "unknown" in (of_x, of_y) or of_x == of_y:  # mm beside um is no pair
                return [(x, y, of_x if of_x == of_y else "unknown")]
    lower = {column.lower(): column for column in reversed(columns)}
    for x, y, unit in NAMED_PAIRS:
        if x in lower and y in lower:
            found.append((lower[x], lower[y], unit))
    units = ("um", "mm", "nm", "px", "unknown")
    return sorted(found, key=lambda pair: (not ON_SLIDE.search(pair[0]), units.index(pair[2])))


def depth_column(columns: Iterable[str], x: str) -> str | None:
    """The column of z that is spelled as ``x``; None where there is none."""
    names = [name for name in _replaced(x, {"x": "z", "X": "Z"}) if without_unit(name)[0] in _axis("z")]
    return next((name for name in names if name in set(columns)), None)


def without_unit(column: str) -> tuple[str, str]:
    """A plain name without the unit at its end, and the unit: x_centroid_um -> xcentroid, um."""
    words = re.sub(r"[()\[\]\s.]", "_", latin(column)).strip("_")
    stem, _, last = words.rpartition("_")
    if stem and last.lower() in UNITS:
        return plain(stem), UNITS[last.lower()]
    return plain(column), "unknown"


def latin(column: str) -> str:
    """With u for both micro signs of Unicode, and 2 for the raised one."""
    return re.sub("[µμ]", "u", str(column)).replace("²", "2")


def id_column(columns: Iterable[str]) -> str | None:
    """The column that is called as ids are; None where there is none."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(plain(column), column)
    return next((by_name[name] for name in IDS if name in by_name), None)


def is_axis(column: str) -> bool:
    names = {name for pair in NAMED_PAIRS for name in pair[:2]}
    return column.lower() in names or without_unit(column)[0] in _axis("x") | _axis("y") | _axis("z")


def _axis(axis: str) -> set[str]:
    return {name.format(axis) for name in AXIS}


def _mirrored(x: str) -> list[str]:
    """What y may be called where this is x: one letter x replaced by y."""
    return _replaced(x, {"x": "y", "X": "Y"})


def _replaced(name: str, letters: dict[str, str]) -> list[str]:
    return [name[:i] + letters[letter] + name[i + 1 :] for i, letter in enumerate(name) if letter in letters]
