"""Regions of a pathologist: the smallest outline counts, and cells in none stay nameless."""

import json

import numpy as np
import pytest

from semanticst.errors import ReadError
from semanticst.io.regions.annotation import annotated_regions


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
