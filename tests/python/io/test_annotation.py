"""Regions of a pathologist: the smallest outline counts, and cells in none stay nameless."""

import json

import numpy as np
import pytest

from semanticst.errors import ReadError
from semanticst.io.regions.annotation import annotated_regions
from semanticst.io.regions.outlines import points_in, read_outlines


def square(low, high, name=None, scale=1.0):
    ring = [[low, low], [high, low], [high, high], [low, high], [low, low]]
    ring = [[x * scale, y * scale] for x, y in ring]
    properties = {"classification": {"name": name}} if name else {}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


POINTS = np.repeat(np.arange(0.5, 10), 2).reshape(-1, 2)
"""Ten cells on the diagonal."""


def test_smallest_outline_counts_in_any_order(tmp_path):
    outlines = [square(2, 4, "fold"), square(0, 8, "Tumour")]
    for order in (outlines, outlines[::-1]):
        (tmp_path / "r.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": order}))
        regions, notes, warnings = annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)
        assert list(regions) == ["Tumour"] * 2 + ["fold"] * 2 + ["Tumour"] * 4 + [""] * 2
    assert warnings == []
    assert notes == [
        "regions of r.geojson: Tumour 6 cells, fold 2 cells; 2 in none",
        "2 cells lie in outlines of several regions: the smallest outline counts",
    ]


def test_outlines_in_pixels_and_without_a_name(tmp_path):
    (tmp_path / "r.geojson").write_text(json.dumps([square(0, 3, scale=2.0)]))
    assert list(annotated_regions(tmp_path / "r.geojson", POINTS, 0.5)[0]) == ["region"] * 3 + [""] * 7


def test_outlines_beside_the_section_are_refused(tmp_path):
    (tmp_path / "r.geojson").write_text(json.dumps([square(50, 60, "stroma")]))
    with pytest.raises(ReadError, match="no cell lies in an outline, which spans 50 to 60"):
        annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)


def ring(*corners):
    return [list(corner) for corner in (*corners, corners[0])]


BORDER = ring((0, 0), (10, 0), (10, 10), (0, 10))
IN_HOLE, IN_TISSUE = (2, 4), (7, 8)


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": [BORDER, ring((1, 2), (4, 2), (4, 6), (1, 6))]},
        # a hole that shares an edge with the border, a corner, that crosses it; two that overlap
        {"type": "Polygon", "coordinates": [BORDER, ring((0, 2), (4, 2), (4, 6), (0, 6))]},
        {"type": "Polygon", "coordinates": [BORDER, ring((0, 0), (4, 0), (4, 6), (0, 6))]},
        {"type": "Polygon", "coordinates": [BORDER, ring((-3, 2), (4, 2), (4, 6), (-3, 6))]},
        {
            "type": "Polygon",
            "coordinates": [BORDER, ring((1, 2), (4, 2), (4, 6), (1, 6)), ring((1, 3), (5, 3), (5, 5), (1, 5))],
        },
        # a ring that goes around the hole, touching itself
        {
            "type": "Polygon",
            "coordinates": [ring((0, 0), (10, 0), (10, 10), (0, 10), (0, 6), (4, 6), (4, 2), (1, 2), (1, 6), (0, 6))],
        },
        {
            "type": "MultiPolygon",
            "coordinates": [[BORDER, ring((0, 2), (4, 2), (4, 6), (0, 6))], [ring((20, 0), (30, 0), (30, 9))]],
        },
        {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Polygon", "coordinates": [BORDER, ring((0, 2), (4, 2), (4, 6), (0, 6))]},
                {"type": "Point", "coordinates": [2, 4]},
            ],
        },
    ],
)
def test_what_a_hole_covers_is_outside_wherever_it_touches(tmp_path, geometry):
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "Feature", "geometry": geometry, "properties": {}}))
    (polygon,) = read_outlines(tmp_path / "r.geojson").polygons
    assert points_in(polygon, np.array([IN_HOLE, IN_TISSUE], dtype=float), 1.0).tolist() == [False, True]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": [ring((0, 0), (10, 10), (10, 0), (0, 10))]},  # an hourglass
        {
            "type": "MultiPolygon",
            "coordinates": [[ring((0, 0), (6, 0), (6, 10), (0, 10))], [ring((4, 0), (9, 0), (9, 10), (4, 10))]],
        },
        {
            "type": "MultiPolygon",
            "coordinates": [[ring((0, 0), (5, 0), (5, 10), (0, 10))], [ring((5, 0), (9, 0), (9, 10), (5, 10))]],
        },
    ],
)
def test_crossing_rings_and_overlapping_parts_are_filled(tmp_path, geometry):
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "Feature", "geometry": geometry, "properties": {}}))
    points = np.array([(1.0, 5.0), (5.2, 5.1), (8.0, 5.0), (30.0, 5.0)])
    (polygon,) = read_outlines(tmp_path / "r.geojson").polygons
    assert points_in(polygon, points, 1.0).tolist() == [True, True, True, False]
