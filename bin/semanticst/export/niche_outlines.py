"""Outlines of niches: what lies nearer to cells of a niche than to any other cell, within reach of a cell."""

import numpy as np
import scipy
import shapely

REACH, MARGIN = 4.0, 1.0
"""Gaps between cells up to twice the first are tissue, and beyond the outermost cells it reaches as far as the second
(closing of the cells by a disc); in medians of the distance to the nearest cell."""
TOLERANCE = 0.35
"""An outline may be off by this, in the same unit: corners of single cells are not its business."""
LEAST_CELLS = 3
"""Connected parts of a niche with fewer cells are not drawn."""
LEAST_AREA = 0.5
"""Of a part, in squared medians for each of `LEAST_CELLS`."""


def niche_outlines(xy: np.ndarray, niche: np.ndarray) -> dict[int, shapely.MultiPolygon]:
    """Outline of every niche of a section, in the unit of ``xy`` (n x 2); those too small to be drawn are left out.

    Cells of the Voronoi diagram, cut where the tissue ends, are joined per niche and their corners rounded off.
    """
    places, first = np.unique(xy, axis=0, return_index=True)
    labels = niche[first]
    spacing = median_spacing(places)
    reach = REACH * spacing
    low, high = places.min(axis=0) - 2 * reach, places.max(axis=0) + 2 * reach
    cells = _voronoi(places, shapely.box(*low, *high))
    tissue = _tissue(places, cells, reach)
    least = LEAST_CELLS * LEAST_AREA * spacing**2
    found = {}
    for number in np.unique(labels):
        joined = shapely.intersection(shapely.coverage_union_all(cells[labels == number]), tissue)
        joined = shapely.simplify(joined, TOLERANCE * spacing)
        parts = [part for part in shapely.get_parts(joined) if part.geom_type == "Polygon" and part.area >= least]
        if parts:
            found[int(number)] = shapely.MultiPolygon(parts)
    return found


def median_spacing(places: np.ndarray) -> float:
    """Median distance of positions (n x 2, all different) to the nearest other; 1 where there is one position."""
    if len(places) < 2:
        return 1.0
    return float(np.median(scipy.spatial.cKDTree(places).query(places, k=2)[0][:, 1]))


def _tissue(places: np.ndarray, cells: np.ndarray, reach: float) -> shapely.Geometry:
    """Where tissue is: within reach of a position, less most of that at its border. Voronoi cells in its midst lie
    there as a whole, and discs are for others."""
    corners = shapely.get_num_coordinates(cells)
    away = np.linalg.norm(shapely.get_coordinates(cells) - np.repeat(places, corners, axis=0), axis=1)
    wide = np.maximum.reduceat(away, np.r_[0, np.cumsum(corners)[:-1]]) > reach
    discs = shapely.buffer(shapely.points(places[wide]), reach, quad_segs=4)
    reached = shapely.union_all([shapely.coverage_union_all(cells[~wide]), shapely.union_all(discs)])
    return shapely.buffer(reached, reach * (MARGIN / REACH - 1), quad_segs=4)


def _voronoi(places: np.ndarray, around: shapely.Polygon) -> np.ndarray:
    """Polygon of each position, in their order, inside a box."""
    if len(places) < 2:
        return np.full(len(places), around)
    points = shapely.multipoints(places)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=around, ordered=True))
    low, high = np.array(around.bounds[:2]), np.array(around.bounds[2:])
    bounds = shapely.bounds(cells)
    beyond = (bounds[:, :2] < low).any(axis=1) | (bounds[:, 2:] > high).any(axis=1)
    cells[beyond] = shapely.intersection(cells[beyond], around)
    return cells
