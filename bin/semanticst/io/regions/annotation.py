"""Regions that a pathologist outlined in a section (tumour, stroma, fold, necrosis), as a column of its cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from semanticst.errors import ReadError
from semanticst.io.coordinates import Extent, extent_of
from semanticst.io.regions.outline_fit import corner_doubt, doubts
from semanticst.io.regions.outlines import Selection, placed, points_in, read_outlines, span
from semanticst.io.regions.region_names import told, usual_spelling

UNNAMED = "region"
"""Name of outlines that have neither a class nor a name."""


def region_names(file: Path) -> list[str]:
    """The regions that a file outlines, sorted. Raises ReadError when it is no GeoJSON of outlines."""
    return sorted(set(_names(read_outlines(file))[0]))


def annotated_regions(
    file: Path, points: np.ndarray, scale: float, extent: Extent | None = None
) -> tuple[pd.Categorical, list[str], list[str]]:
    """The region of each cell, empty where it lies in none; notes: cells by region, and those in several; warnings.

    points : float, n x 2. extent : of the input that these cells are a part of, which the outlines may be of.
    scale : what the outlines' numbers are multiplied with to become coordinates of the cells.
    Where outlines overlap the smallest one counts, as in QuPath: a fold inside the tumour is a fold. Names that differ
    by case or spaces are one region.

    Raises ReadError when the file is no GeoJSON of outlines, when no cell lies in any, and when they do not fit the
    cells (`semanticst.io.regions.outline_fit`).
    """
    found = read_outlines(file)
    names, renamed = _names(found)
    region = np.zeros(len(points), dtype=np.int32)
    known = ["", *dict.fromkeys(names)]
    times = np.zeros(len(points), dtype=np.int32)
    held = np.zeros(len(names), dtype=np.int64)
    for place in sorted(range(len(names)), key=lambda i: -found.polygons[i].area):
        cells = points_in(found.polygons[place], points, scale)
        held[place] = cells.sum()
        times += cells & (region != known.index(names[place]))
        region[cells] = known.index(names[place])
    if not region.any():
        raise ReadError(f"{file.name}: no cell lies in an outline{span(found, scale, points)}")
    outlines, extent = placed(found.polygons, scale), extent or extent_of(points)
    doubtful = doubts(outlines, held, (region > 0).mean(), extent, file.name)
    doubtful = doubtful or (corner_doubt(outlines, extent, file.name) if scale == 1 else [])
    counts = np.bincount(region, minlength=len(known))
    notes = [
        f"regions of {file.name}: "
        + ", ".join(f"{name} {n} cells" for name, n in zip(known[1:], counts[1:]))
        + f"; {counts[0]} in none"
    ]
    if (several := int((times > 1).sum())) > 0:
        notes.append(f"{several} cells lie in outlines of several regions: the smallest outline counts")
    notes += found.notes
    doubtful += [f"{file.name}: {told(renamed)}"] if renamed else []
    doubtful += [f"{file.name}: {text}" for text in _one_outline_twice(found.polygons, names)]
    return pd.Categorical.from_codes(region, known), notes, doubtful


def _one_outline_twice(polygons: list[shapely.Geometry], names: list[str]) -> list[str]:
    """A warning of each outline that is drawn in several regions, of which the last of the file counts."""
    alike: dict[bytes, list[str]] = {}
    for polygon, name in zip(polygons, names, strict=True):
        alike.setdefault(shapely.normalize(polygon).wkb, []).append(name)
    return [
        f"one outline is {' and '.join(dict.fromkeys(several))}; {several[-1]} counts: keep the one that is meant"
        for several in alike.values()
        if len(set(several)) > 1
    ]


def _names(found: Selection) -> tuple[list[str], dict[str, str]]:
    """The region of each outline, and which spellings became another."""
    names = [name or UNNAMED for name in found.names]
    renamed = usual_spelling(names)
    return [renamed.get(name, name) for name in names], renamed
