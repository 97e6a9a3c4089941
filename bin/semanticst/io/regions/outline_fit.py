"""Whether outlines fit the section that they are laid on: their place and size against that of all its cells.

Outlines in pixels on cells in micrometres (or the reverse) still meet a few cells, and would pass for small regions.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike

from semanticst.errors import ReadError
from semanticst.io.coordinates import Extent
from semanticst.units import percent

LEAST_INSIDE = 0.5
"""Share of the area of the outlines that hold cells, within the rectangle around all cells. Below, the scale is wrong
for certain, but for an outline around nearly all cells."""
USUALLY_INSIDE = 0.9
AROUND_ALL = 0.95
"""Share of the cells in an outline that is drawn around the tissue, however far from it."""
MARGIN = 0.05
"""What the rectangle is widened by, as a share of its sides: people draw past the edge."""
MANY = 100
"""Outlines of people are fewer; where as many hold one cell each, they are outlines of cells."""
CORNER = 1 / 3
"""Outlines that all end before this share of x and y, counted from 0, may have a smaller unit."""
TO_MEND = "if they were drawn in pixels of an image, outline_um_per_px in the samplesheet says their size"


def doubts(
    polygons: Sequence[shapely.Geometry], n_inside: ArrayLike, share_inside: float, extent: Extent, file: str
) -> list[str]:
    """Warnings about outlines that may not be of these cells, or not in their unit.

    polygons : in the coordinates of the cells. n_inside : cells in each. share_inside : of the cells of the sample that
    are in any. extent : of all cells of the input.

    Raises ReadError when outlines that hold cells lie for the most part beside the section.
    """
    shapes, held = np.asarray(polygons, dtype=object), np.asarray(n_inside) > 0
    (low, high), sides = extent, np.maximum(extent[1] - extent[0], 1e-9)
    box = shapely.box(*(low - MARGIN * max(sides)), *(high + MARGIN * max(sides)))
    area = shapely.area(shapes)
    within = shapely.area(shapely.intersection(shapes, box))
    share = within[held].sum() / area[held].sum()
    if share < LEAST_INSIDE and share_inside < AROUND_ALL:
        raise ReadError(
            f"{file}: {percent(1 - share)} of the area of the outlines that hold cells lies beside the section: they "
            f"span {_span(polygons)}, the cells {_told(low, high)}; {TO_MEND}"
        )
    if share < USUALLY_INSIDE:
        return [f"{file}: {percent(1 - share)} of the area of the outlines lies beside the section; {TO_MEND}"]
    if 2 * within.sum() < area.sum() or 2 * held.sum() < len(held):
        empty = f"{int((~held).sum())} of {len(held)} outlines hold no cell"
        return [f"{file}: {empty}; are they of this section? They span {_span(polygons)}, the cells {_told(low, high)}"]
    if held.sum() >= MANY and np.median(np.asarray(n_inside)[held]) <= 1:
        return [f"{file}: most of its {len(held)} outlines hold one cell: are they outlines of cells, and no regions?"]
    return []


def corner_doubt(polygons: Sequence[shapely.Geometry], extent: Extent, file: str) -> list[str]:
    """A warning where all outlines of a section lie near 0, as those of a smaller unit do."""
    low, high = extent
    far = np.array(shapely.total_bounds(np.asarray(polygons, dtype=object)))[2:]
    if (far < CORNER * high).all() and (high > 0).all():
        return [
            f"{file}: all outlines lie in the corner near 0, 0: they span {_span(polygons)}, the cells "
            f"{_told(low, high)}; is their unit larger than that of the cells? If so, outline_um_per_px in the "
            "samplesheet says it"
        ]
    return []


def _span(polygons: Sequence[shapely.Geometry]) -> str:
    left, bottom, right, top = shapely.total_bounds(np.asarray(polygons, dtype=object))
    return _told(np.array([left, bottom]), np.array([right, top]))


def _told(low: np.ndarray, high: np.ndarray) -> str:
    return f"x {low[0]:.5g} to {high[0]:.5g}, y {low[1]:.5g} to {high[1]:.5g}"
