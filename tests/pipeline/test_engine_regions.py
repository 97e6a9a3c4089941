"""Several samples from one file, and regions of a pathologist, through the engine."""

import json

import numpy as np
import pandas as pd
import pytest

from engine_helpers import pipeline, write_sheet
from helpers import make_sample

pytestmark = pytest.mark.engine

QC = ("--stop_after", "qc", "--qc_exclude_regions", "it's folded,necrosis")


def rows(**columns):
    named = {"path": "slide one.h5ad", "part_column": "core", "annotation": "", "cells": "", "note": ""}
    third = {"sample": "c", "patient": "pc", "part_column": "", "part_value": "", "cells": "b2 of {x}.txt"}
    cores = [{"sample": name, "patient": f"p{name}", "part_value": core} for name, core in (("a", "A1"), ("b", "B1"))]
    return [named | cores[0] | columns, named | cores[1] | {"annotation": "b1.geojson"}, named | third]


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    """A file of three cores that lie on top of each other, one of them chosen by ids, one with a fold."""
    folder = tmp_path_factory.mktemp("regions")
    slide = make_sample(n_cells=240)
    slide.obs["core"] = np.array(["A1", "B1", "B2", "A9"])[np.arange(240) % 4]
    grey = np.tile(np.linspace(0, 1, 120), (120, 1))
    factor = 100 / slide.obsm["spatial"].max()
    slide.uns["spatial"] = {"lib": {"images": {"hires": grey}, "scalefactors": {"tissue_hires_scalef": factor}}}
    slide.write_h5ad(folder / "slide one.h5ad")
    chosen = slide.obs_names[slide.obs["core"] == "B2"]
    (folder / "b2 of {x}.txt").write_text("\n".join(chosen))
    low, high = slide.obsm["spatial"].min(axis=0) - 1, np.median(slide.obsm["spatial"], axis=0)
    ring = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]
    ring.append(ring[0])
    fold = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    fold["properties"] = {"classification": {"name": "It's folded"}}
    (folder / "b1.geojson").write_text(json.dumps([fold]))
    inside = (slide.obsm["spatial"] <= high).all(axis=1) & (slide.obs["core"] == "B1").to_numpy()
    sheet = write_sheet(folder / "sheet.csv", rows())
    return folder, slide, int(inside.sum()), pipeline(folder, "--input", sheet, *QC).ok()


def test_parts_of_a_file_are_samples_and_it_is_read_once(regions):
    _, slide, n_folded, run = regions
    assert run.executed["SAMPLE_INGEST"] == 1
    cells = {}
    for name, core in (("a", "A1"), ("b", "B1"), ("c", "B2")):
        cells[name] = pd.read_csv(run.outdir / f"qc/cells/{name}.qc_cells.csv.gz", keep_default_na=False)
        assert cells[name]["cell_id"].tolist() == slide.obs_names[slide.obs["core"] == core].tolist()
    assert n_folded > 5
    assert cells["b"]["reasons"].str.contains("region").sum() == n_folded
    assert not cells["a"]["reasons"].str.contains("region").any()
    assert (run.outdir / "qc/parts/a.parts.png").stat().st_size > 1000


def test_each_sample_has_the_thumbnail_of_its_part(regions):
    run = regions[-1]
    for name in "abc":
        about = json.loads((run.outdir / f"qc/thumbnails/{name}.json").read_text())
        assert (run.outdir / "qc/thumbnails" / about["file"]).stat().st_size < 1_000_000
    listed = pd.read_csv(run.outdir / "pipeline_info/outputs.csv")["file"]
    assert listed.str.startswith("qc/thumbnails/").sum() == 6


def test_the_used_sheet_has_the_paths_of_selections_and_annotations(regions):
    folder, _, _, run = regions
    used = pd.read_csv(run.outdir / "pipeline_info/samplesheet.used.csv", keep_default_na=False).set_index("sample")
    assert used.loc["c", "cells"] == str(folder / "b2 of {x}.txt")
    assert used.loc["b", "annotation"] == f"{folder}/b1.geojson"
    assert used.loc["a", "annotation"] == ""


def test_another_part_is_read_and_another_note_is_not(regions):
    folder, slide, _, _ = regions
    sheet = write_sheet(folder / "note.csv", rows(note="looked at"))
    same = pipeline(folder, "--input", sheet, *QC, "-resume").ok()
    assert same.executed["SAMPLE_INGEST"] == same.executed["SAMPLE_QC"] == 0
    sheet = write_sheet(folder / "other.csv", rows(part_value="A9"))
    other = pipeline(folder, "--input", sheet, *QC, "-resume").ok()
    assert other.executed["SAMPLE_INGEST"] == 1
    cells = pd.read_csv(other.outdir / "qc/cells/a.qc_cells.csv.gz")
    assert cells["cell_id"].tolist() == slide.obs_names[slide.obs["core"] == "A9"].tolist()
