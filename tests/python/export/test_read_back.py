"""What is written is read by the libraries of those who made the formats: spatialdata, qubalab, tissuumaps-schema."""

import json
import os

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr

from export_helpers import HOSTILE, niche_of, write_cohort_with_ids, write_samples
from formats_helpers import ecosystem  # noqa: F401  (a fixture)
from helpers import invoke
from report_helpers import FEATURES, make_cohort_object
from semanticst.export.spatialdata_store import valid_name
from semanticst.plotting.palette import niche_colour

SPATIALDATA = """
import json, sys
import spatialdata
data = spatialdata.read_zarr(sys.argv[1])
table, cells = data.tables["table"], data.shapes["cells"]
elements, joined = spatialdata.join_spatialelement_table(sdata=data, spatial_element_names="cells", table_name="table")
print(json.dumps({
    "ids": table.obs_names.tolist(), "niche": table.obs["niche"].astype(str).tolist(),
    "categories": table.obs["niche"].cat.categories.tolist(), "colours": list(table.uns["niche_colors"]),
    "features": table.var_names.tolist(), "total": float(table.X.sum()),
    "xy": [[p.x, p.y] for p in cells.geometry], "radius": float(cells.radius.iloc[0]), "joined": joined.n_obs,
    "stage": table.obs["Stage__UICC_"].unique().tolist(), "age": table.obs["age"].unique().tolist(),
    "region": table.obs["sample_region"].unique().tolist(), "shape": table.obs["region"].unique().tolist(),
}))
"""
QUPATH = """
import json, sys
from qubalab.objects.geojson import geojson_features_from_string
from qubalab.objects.image_feature import ImageFeature
found = geojson_features_from_string(json.dumps(json.load(open(sys.argv[1]))["features"]))
features = [ImageFeature.create_from_feature(feature) for feature in found]
print(json.dumps([[f.name, list(f.classification.names)[0], list(f.classification.color), f.is_annotation,
                   f.measurements, f.geometry["type"]] for f in features]))
"""
TISSUUMAPS = """
import json, sys
from tissuumaps_schema.v01 import Project
project = Project.model_validate_json(open(sys.argv[1]).read())
(markers,) = project.marker_files
header = markers.expected_header
print(json.dumps([markers.path, header.x, header.y, header.gb_col, header.cb_gr_dict]))
"""


def _add_columns(path):
    """As the tables of a cohort bring them, with names that the format of SpatialData does not know."""
    adata = ad.read_h5ad(path)
    patient = adata.obs["patient"].astype(str)
    adata.obs["Stage (UICC)"] = patient.map({"p1": "IIa", "p2": "III"}).astype("category")
    adata.obs["age"] = patient.map({"p1": 61.0, "p2": 55.0})
    adata.obs["region"] = adata.obs["sample"].astype(str).map({"s1": "core", "s2": "margin", "s3": "core"})
    adata.write_h5ad(path)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    cohort = write_cohort_with_ids(folder)
    _add_columns(cohort)
    samples = write_samples(folder, {s: {"platform": "visium", "um_per_unit": 0.5} for s in ("s1", "s2", "s3")})
    switches = ("--export-spatialdata", "--export-tissuumaps")
    result = invoke("export_write", cohort, *samples, *switches, "--outdir", folder)
    assert result.exit_code == 0, result.stderr
    return folder, cohort


def test_spatialdata_reads_the_store(written, ecosystem):  # noqa: F811
    folder, cohort = written
    found = ecosystem(SPATIALDATA, folder / "spatialdata" / "s2.zarr")
    niche, original = niche_of(cohort)["s2"], make_cohort_object()
    own = original[(original.obs["sample"] == "s2").to_numpy()]
    assert found["ids"] == niche.index.tolist()
    assert found["niche"] == [f"Niche {n}" for n in niche]
    assert found["categories"] == ["Niche 1", "Niche 2", "Niche 3"]
    assert found["colours"] == [niche_colour(n) for n in (1, 2, 3)]
    assert found["features"] == list(FEATURES)
    assert found["total"] == own.X.sum()
    assert found["xy"] == own.obsm["spatial"].tolist()
    assert found["radius"] == 5
    assert found["joined"] == len(niche)
    assert (found["stage"], found["age"], found["region"]) == (["IIa"], [61.0], ["margin"])
    assert found["shape"] == ["cells"]
    assert sorted(os.listdir(folder / "spatialdata")) == ["s1.zarr", "s2.zarr", "s3.zarr"]
    assert list(folder.glob(".partial*")) == []


def test_the_table_of_a_store_has_the_columns_of_the_object(written):
    folder, cohort = written
    group = zarr.open_group(folder / "spatialdata" / "s2.zarr", mode="r")["tables/table"]
    obs, original = ad.io.read_elem(group["obs"]), ad.read_h5ad(cohort).obs
    own = original[original["sample"] == "s2"]
    assert obs["age"].tolist() == own["age"].tolist()
    assert obs["Stage__UICC_"].astype(str).tolist() == own["Stage (UICC)"].astype(str).tolist()
    assert obs["sample_region"].astype(str).tolist() == ["margin"] * len(own)
    assert obs["region"].astype(str).unique().tolist() == ["cells"]
    assert obs["Stage__UICC_"].cat.categories.tolist() == ["IIa"]


@pytest.mark.parametrize(
    ("name", "taken", "valid"),
    [
        ("Grade", {"grade"}, "sample_Grade"),
        ("__x", set(), "_x"),
        ("T/N (mm)", set(), "T_N__mm_"),
        ("..", set(), "sample_.."),
    ],
)
def test_names_of_columns_that_the_format_allows(name, taken, valid):
    assert valid_name(name, taken) == valid


def test_qupaths_library_reads_the_annotations(written, ecosystem):  # noqa: F811
    folder, cohort = written
    counts = niche_of(cohort)["s1"].value_counts()
    colours = {1: [0, 114, 178], 2: [230, 159, 0], 3: [0, 158, 115]}
    assert ecosystem(QUPATH, folder / "qupath" / "s1.niches.geojson") == [
        [f"Niche {n}", f"Niche {n}", colours[n], True, {"Cells": counts[n]}, "MultiPolygon"] for n in (1, 2, 3)
    ]


def test_the_project_keeps_the_schema_of_tissuumaps(written, ecosystem):  # noqa: F811
    folder, cohort = written
    path, x, y, group, colours = ecosystem(TISSUUMAPS, folder / "tissuumaps" / "s3.tmap")
    table = pd.read_csv(folder / "tissuumaps" / path)
    niche = niche_of(cohort)["s3"]
    assert table["cell_id"].tolist() == niche.index.tolist()
    assert table[group].tolist() == [f"Niche {n}" for n in niche]
    xy = make_cohort_object().obsm["spatial"][: len(table)] / 0.5  # the scale of the image is known
    assert np.allclose(table[[x, y]], xy)
    assert json.loads(colours) == {f"Niche {n}": niche_colour(n) for n in (1, 2, 3)}


def test_hostile_names_are_data(tmp_path):
    """Cell types are the only free text in these files; they come back letter by letter."""
    adata = make_cohort_object()
    adata.obs["cell_type"] = HOSTILE
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    samples = write_samples(tmp_path, {s: {} for s in ("s1", "s2", "s3")})
    result = invoke("export_write", tmp_path / "cohort.h5ad", *samples, "--export-tissuumaps", "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert set(pd.read_csv(tmp_path / "tissuumaps" / "s1.cells.csv")["cell_type"]) == {HOSTILE}
