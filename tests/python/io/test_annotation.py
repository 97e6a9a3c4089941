"""Regions of a pathologist: the smallest outline counts, and cells in none stay nameless."""

import json

import numpy as np
import pytest

from helpers import make_sample
from semanticst.errors import ReadError
from semanticst.io.read_check import look_at_samples
from semanticst.io.readers import geojson
from semanticst.io.regions.annotation import annotated_regions, region_names
from semanticst.io.regions.outlines import points_in, read_outlines
from semanticst.io.regions.region_names import spelled_alike


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


def test_one_outline_of_two_regions_is_warned_of(tmp_path):
    (tmp_path / "r.geojson").write_text(json.dumps([square(0, 5, "Tumor"), square(0, 5, "Stroma"), square(6, 8, "a")]))
    regions, _, warnings = annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)
    assert list(regions[:5]) == ["Stroma"] * 5
    assert warnings == ["r.geojson: one outline is Tumor and Stroma; Stroma counts: keep the one that is meant"]


@pytest.mark.parametrize("block", [1 << 22, 7])
@pytest.mark.parametrize(
    "before",
    [{"metadata": {"features": ["area"]}}, {"name": "features", "list": ["features", {"features": []}]}, {"a": '"}"[{'},
     {"note": "x\\"}],
)  # fmt: skip
def test_the_features_of_the_collection_itself_are_read(tmp_path, monkeypatch, before, block):
    monkeypatch.setattr(geojson, "BLOCK", block)
    file = tmp_path / "r.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", **before, "features": [square(0, 5, "Tumor")]}, indent=1))
    assert read_outlines(file).names == ["Tumor"]
    file.write_text(json.dumps({**square(0, 5, "one"), **before}))
    assert read_outlines(file).names == ["one"]


def test_outlines_in_pixels_and_without_a_name(tmp_path):
    (tmp_path / "r.geojson").write_text(json.dumps([square(0, 3, scale=2.0)]))
    assert list(annotated_regions(tmp_path / "r.geojson", POINTS, 0.5)[0]) == ["region"] * 3 + [""] * 7


def test_outlines_beside_the_section_are_refused(tmp_path):
    (tmp_path / "r.geojson").write_text(json.dumps([square(50, 60, "stroma")]))
    with pytest.raises(ReadError, match="no cell lies in an outline, which spans 50 to 60"):
        annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)


def as_object(feature, kind):
    """As QuPath exports an object: 0.4 and later, 0.3, and until 0.2."""
    named = {"objectType": {"objectType": kind}, "object_type": {"object_type": kind}, "id": {}}
    return [
        feature
        | {"properties": feature["properties"] | more}
        | ({"id": f"Path{kind.title()}Object"} if how == "id" else {})
        for how, more in named.items()
    ]


@pytest.mark.parametrize("way", range(3))
def test_cells_detections_and_tiles_of_qupath_are_no_regions(tmp_path, way):
    objects = [as_object(square(2 + i, 3 + i, "Positive"), kind)[way] for i, kind in enumerate(("cell", "detection"))]
    objects += [as_object(square(5, 9, "Stroma"), "tile")[way]]
    drawn = as_object(square(0, 8, "Tumour"), "annotation")[way]
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [*objects, drawn]}))
    regions, notes, _ = annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)
    assert list(regions) == ["Tumour"] * 8 + [""] * 2
    assert notes[-1] == (
        "r.geojson: 1 cell, 1 detection and 1 tile of QuPath in it are left out: only annotations count"
    )
    assert region_names(tmp_path / "r.geojson") == ["Tumour"]
    (tmp_path / "r.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": objects}))
    with pytest.raises(ReadError, match=r"r.geojson: it holds 1 cell, 1 detection and 1 tile of QuPath and no anno"):
        annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)


def test_a_region_in_several_spellings_is_one_in_a_section_and_in_a_cohort(tmp_path):
    outlines = [square(0, 2, "tumor "), square(2, 4, "Tumor"), square(4, 6, "TUMOR"), square(6, 8, "Tumor")]
    (tmp_path / "r.geojson").write_text(json.dumps(outlines))
    regions, notes, warnings = annotated_regions(tmp_path / "r.geojson", POINTS, 1.0)
    assert list(regions) == ["Tumor"] * 8 + [""] * 2
    assert notes[0] == "regions of r.geojson: Tumor 8 cells; 2 in none"
    assert warnings == ["r.geojson: regions spelled in several ways are one: TUMOR is Tumor, tumor is Tumor"]
    assert region_names(tmp_path / "r.geojson") == ["Tumor"]
    cohort = {"s1": ["Tumor", "stroma"], "s2": ["tumor", ""], "s3": ["Tumor", "immune-rich"], "s4": ["Immune rich"]}
    assert spelled_alike(cohort) == {"tumor": "Tumor", "immune-rich": "Immune rich"}


def test_the_check_tells_regions_that_sections_spell_otherwise(tmp_path):
    for i, name in enumerate(("Tumor", "Tumor", "tumor")):
        make_sample().write_h5ad(tmp_path / f"s{i}.h5ad")
        (tmp_path / f"s{i}.geojson").write_text(json.dumps([square(-1e6, 1e6, name)]))
    rows = [
        {"sample": f"s{i}", "patient": f"p{i}", "path": f"s{i}.h5ad", "annotation": f"s{i}.geojson"} for i in (0, 1, 2)
    ]
    found, problems = look_at_samples(rows, tmp_path / "sheet.csv")
    assert problems == []
    told = "regions spelled in several ways are one: tumor is Tumor, as in other sections"
    assert [told in sample["warnings"] for sample in found] == [False, False, True]


def test_derived_classes_of_qupath_have_several_names(tmp_path):
    feature = square(0, 8) | {"properties": {"classification": {"names": ["Tumour", "Positive"]}}}
    (tmp_path / "r.geojson").write_text(json.dumps([feature]))
    assert region_names(tmp_path / "r.geojson") == ["Tumour: Positive"]


def test_outlines_of_cells_that_say_nothing_are_a_warning(tmp_path):
    points = np.random.default_rng(0).permutation(np.indices((12, 12)).reshape(2, -1).T + 0.5)
    outlines = [square(0, 1) for _ in points]
    for feature, (x, y) in zip(outlines, points):
        feature["geometry"]["coordinates"] = [[[x + a, y + b] for a, b in (ring((0, 0), (0.4, 0), (0, 0.4)))]]
    (tmp_path / "r.geojson").write_text(json.dumps(outlines))
    _, _, warnings = annotated_regions(tmp_path / "r.geojson", points + 0.1, 1.0)
    assert warnings == [
        "r.geojson: most of its 144 outlines hold one cell: are they outlines of cells, and no regions?"
    ]


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
