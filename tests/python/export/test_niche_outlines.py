"""Outlines of niches, and the annotations of QuPath that they become."""

import json

import h5py
import numpy as np
import pytest
import shapely

from export_helpers import niche_of, write_cohort_with_ids, write_samples
from helpers import invoke
from semanticst.export.niche_outlines import niche_outlines
from semanticst.export.qupath import rgb
from semanticst.export.section_cells import XENIUM_PIXEL, um_per_pixel
from semanticst.plotting.palette import niche_colour, niche_name


def test_cells_lie_in_the_outline_of_their_niche_and_of_no_other():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, (3000, 2))
    xy = xy[np.hypot(*(xy - 500).T) > 150]  # a hole in the tissue
    niche = 1 + (xy[:, 0] > 500) + 2 * (np.hypot(*(xy - 200).T) < 150)
    found = niche_outlines(xy, niche)
    assert sorted(found) == sorted(np.unique(niche))
    points = shapely.points(xy)
    inside = np.array([shapely.contains(outline, points) for _, outline in sorted(found.items())])
    own = niche == np.array(sorted(found))[:, None]
    assert inside[own].mean() > 0.97
    assert inside[~own].mean() < 0.01
    assert all(outline.is_valid for outline in found.values())
    assert not any(outline.contains(shapely.Point(500, 500)) for outline in found.values())
    area = sum(outline.area for outline in found.values())
    assert area == pytest.approx(1000**2 - np.pi * 150**2, rel=0.05)


def test_a_lonely_cell_among_others_is_not_drawn():
    x, y = np.meshgrid(np.arange(20.0), np.arange(20.0))
    niche = np.ones(400, int)
    niche[210] = 2
    assert list(niche_outlines(np.column_stack([x.ravel(), y.ravel()]), niche)) == [1]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_cells_have_an_outline(n):
    (outline,) = niche_outlines(np.column_stack([np.arange(n), np.zeros(n)]).astype(float), np.ones(n, int)).values()
    assert outline.is_valid
    assert outline.area > 0


def test_cells_at_one_place_are_no_trouble():
    xy = np.repeat(np.arange(10.0), 2)[:, None] * [1.0, 0.0]
    assert list(niche_outlines(xy, np.repeat([1, 2], 10))) == [1, 2]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"platform": "xenium", "um_per_unit": 1.0, "spatial_unit": "um"}, XENIUM_PIXEL),
        ({"platform": "visium", "um_per_unit": 0.5, "spatial_unit": "um"}, 0.5),
        ({"platform": "merscope", "um_per_unit": 1.0, "spatial_unit": "um"}, None),
        ({"platform": "cosmx", "um_per_unit": 1000.0, "spatial_unit": "um"}, None),
        ({"platform": "visium", "um_per_unit": 0.0, "spatial_unit": "px"}, None),
        ({}, None),
    ],
)
def test_scale_of_the_image(own, expected):
    assert um_per_pixel(own) == expected


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qupath")
    cohort = write_cohort_with_ids(folder)
    scaled = {"platform": "visium", "um_per_unit": 0.5}
    samples = write_samples(folder, {"s1": scaled, "s2": {"um_per_unit": 1.0}, "s3": {"um_per_unit": 0.0}})
    assert invoke("export_write", cohort, *samples, "--outdir", folder).exit_code == 0
    return cohort, {p.name.split(".")[0]: json.loads(p.read_text()) for p in (folder / "qupath").iterdir()}


def test_annotations_are_what_qupath_imports(annotations):
    cohort, files = annotations
    assert sorted(files) == ["s1", "s2", "s3"]
    counts = niche_of(cohort)["s1"].value_counts()
    for number, feature in enumerate(files["s1"]["features"], start=1):
        properties = feature["properties"]
        assert feature["type"] == "Feature"
        assert properties["objectType"] == "annotation"
        assert properties["classification"] == {"name": niche_name(number), "color": rgb(niche_colour(number))}
        assert properties["measurements"] == {"Cells": counts[number]}
        assert shapely.geometry.shape(feature["geometry"]).is_valid
    assert len({feature["id"] for file in files.values() for feature in file["features"]}) == 9


@pytest.mark.parametrize("supported", [True, False])
def test_annotations_of_arbitrary_cuts_say_so_beside_their_names(tmp_path, supported):
    cohort = write_cohort_with_ids(tmp_path)
    with h5py.File(cohort, "r+") as file:
        file["uns/semanticst/niche_number_supported"] = supported
    samples = write_samples(tmp_path, dict.fromkeys(("s1", "s2", "s3"), {}))
    result = invoke("export_write", cohort, *samples, "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    written = json.loads((tmp_path / "qupath/s1.niches.geojson").read_text())
    assert ("caution" in written) is not supported
    assert written.get("caution", "Niches: arbitrary cuts, not to be interpreted").startswith("Niches: arbitrary cuts")
    assert written["features"][0]["properties"]["name"] == "Niche 1"


def test_outlines_are_in_pixels_where_their_size_is_known(annotations):
    _, files = annotations
    extent = {
        name: np.ptp(
            np.vstack([shapely.get_coordinates(shapely.geometry.shape(f["geometry"])) for f in file["features"]])
        )
        for name, file in files.items()
    }
    assert extent["s1"] == pytest.approx(2 * extent["s2"], rel=0.01)
    assert files["s1"]["coordinates"] == "pixels of the image, 0.5 micrometres each"
    assert files["s2"]["coordinates"] == "micrometres"


def test_what_the_pipeline_itself_reads_as_regions(annotations, tmp_path):
    """The reader of pathologists' outlines takes a file of ours for what it is."""
    from semanticst.io.regions.outlines import read_outlines

    _, files = annotations
    (tmp_path / "s1.geojson").write_text(json.dumps(files["s1"]))
    found = read_outlines(tmp_path / "s1.geojson")
    assert set(found.names) == {"Niche 1", "Niche 2", "Niche 3"}
