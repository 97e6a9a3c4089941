"""Outlines that meet a few cells by chance, since their unit is another one."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import make_sample
from semanticst.constants import UNS
from semanticst.errors import ReadError
from semanticst.io.ingest import ingest_input, ingest_sample

PX = 0.2125
"""Micrometres per pixel of Xenium."""


def square(left, low, side, name, scale=1.0):
    ring = [[left, low], [left + side, low], [left + side, low + side], [left, low + side], [left, low]]
    ring = [[x * scale, y * scale] for x, y in ring]
    properties = {"classification": {"name": name}}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


@pytest.fixture
def section(tmp_path):
    """A section of 400 cells, 0 to 190 um on both sides."""
    sample = make_sample(n_cells=400)
    sample.obsm["spatial"] = np.argwhere(np.ones((20, 20))) * 10.0
    sample.uns["spatial_unit"] = "um"
    sample.write_h5ad(tmp_path / "s.h5ad")
    return tmp_path


def read(folder, *outlines, column="annotation", **row):
    (folder / "r.geojson").write_text(json.dumps(outlines))
    row = {"sample": "s1", "patient": "p1", "path": str(folder / "s.h5ad"), column: str(folder / "r.geojson")} | row
    if column == "cells":
        problems = []
        found = list(ingest_input([row], folder, folder, problems))
        if problems:
            raise ReadError(problems[0].message)
        return found[0][1]
    return ingest_sample(row)


TUMOUR, STROMA = (15, 15, 60, "Tumour"), (100, 30, 80, "Stroma")


@pytest.mark.parametrize("column", ["annotation", "cells"])
def test_outlines_in_pixels_are_refused_though_they_hold_a_few_cells(section, column):
    drawn = [square(*outline, scale=1 / PX) for outline in ((35, 35, 100, "Tumour"), STROMA)]
    with pytest.raises(ReadError, match="of the outlines that hold cells lies beside the section.*outline_um_per_px"):
        read(section, *drawn, column=column)
    found = read(section, *drawn, column=column, outline_um_per_px=str(PX))
    assert list(found.uns[UNS]["warnings"]) == []


@pytest.mark.parametrize("column", ["annotation", "cells"])
def test_outlines_that_fit_are_no_warning(section, column):
    for outlines in ([TUMOUR, STROMA], [STROMA], [(-5, -5, 200, "all")], [(150, 150, 45, "at the edge")]):
        found = read(section, *(square(*outline) for outline in outlines), column=column)
        assert list(found.uns[UNS]["warnings"]) == []


def test_an_outline_far_around_all_cells_is_a_warning(section):
    (warning,) = read(section, square(-200, -200, 600, "all")).uns[UNS]["warnings"]
    assert warning == (
        "r.geojson: 88 % of the area of the outlines lies beside the section; if they were drawn in pixels of an "
        "image, outline_um_per_px in the samplesheet says their size"
    )


def test_outlines_without_cells_are_a_warning(section):
    (warning,) = read(section, square(*TUMOUR), *(square(400 + 50 * i, 0, 40, "x") for i in range(3))).uns[UNS][
        "warnings"
    ]
    assert warning.startswith(
        "r.geojson: 3 of 4 outlines hold no cell; are they of this section? They span x 15 to 540"
    )


def test_outlines_in_a_larger_unit_lie_in_the_corner(section):
    (warning,) = read(section, square(*TUMOUR, scale=0.2), square(*STROMA, scale=0.2)).uns[UNS]["warnings"]
    assert warning.startswith("r.geojson: all outlines lie in the corner near 0, 0: they span x 3 to 36, y 3 to 22")


def test_outlines_of_a_slide_are_compared_with_all_its_cells(section):
    """An annotation of the whole slide, though each sample is a part of it."""
    cells = make_sample(n_cells=400).obs_names[np.arange(400) < 200]
    left = pd.DataFrame({"cell_id": cells})
    left.to_csv(section / "left.csv", index=False)
    row = {"cells": str(section / "left.csv")}
    (section / "r.geojson").write_text(json.dumps([square(-5, -5, 200, "all"), square(20, 20, 170, "in")]))
    row |= {"sample": "s1", "patient": "p1", "path": str(section / "s.h5ad"), "annotation": str(section / "r.geojson")}
    ((_, found, _),) = ingest_input([row], section, section, problems := [])
    assert problems == []
    assert found.n_obs == 200
    assert list(found.uns[UNS]["warnings"]) == []
