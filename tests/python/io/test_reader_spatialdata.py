"""SpatialData and AnnData folders."""

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import make_truth, transformation, write_spatialdata


def read(folder, table=""):
    return reader_for(folder, "").read(folder, Wanted(table=table))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("elements", ["circles", "polygons", "points"])
def test_centroids_of_what_the_table_annotates(tmp_path, zarr_format, elements):
    truth = make_truth()
    adata = read(write_spatialdata(tmp_path / "s.zarr", truth, zarr_format, elements))
    truth.check(adata)
    assert adata.uns["spatial_unit"] == "unknown"
    assert elements in adata.uns["notes"][0]
    assert list(adata.obs) == []


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_coordinates_of_the_table_go_first(tmp_path, zarr_format):
    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth, zarr_format, spatial=True)
    shutil.rmtree(folder / "shapes")
    truth.check(read(folder))


def test_which_table(tmp_path):
    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth, tables=("cells", "nuclei"))
    with pytest.raises(ReadError, match="several tables: cells, nuclei; name one in the column table"):
        read(folder)
    with pytest.raises(ReadError, match="there is no table spots; tables in the folder: cells, nuclei"):
        read(folder, "spots")
    truth.check(read(folder, "nuclei"))


STEPS = {
    "scale": [{"type": "scale", "scale": [2.0, 3.0]}],
    "translation": [{"type": "translation", "translation": [5.0, -7.0]}],
    "affine": [{"type": "affine", "affine": [[0.0, 2.0, 1.0], [3.0, 0.0, 4.0]]}],
}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([STEPS["scale"][0]], lambda x, y: (2 * x, 3 * y)),
        ([STEPS["translation"][0]], lambda x, y: (x + 5, y - 7)),
        ([STEPS["affine"][0]], lambda x, y: (2 * y + 1, 3 * x + 4)),
        ([STEPS["scale"][0], STEPS["translation"][0]], lambda x, y: (2 * x + 5, 3 * y - 7)),
        ([STEPS["translation"][0], STEPS["scale"][0]], lambda x, y: (2 * (x + 5), 3 * (y - 7))),
    ],
)
@pytest.mark.parametrize("axes", ["xy", "yx"])
def test_transformations_to_the_global_system(tmp_path, steps, expected, axes):
    truth = make_truth()
    if len(steps) == 1:
        stated = transformation(steps[0], axes=axes)
    else:
        parts = [transformation(step, axes=axes) for step in steps]
        stated = transformation({"type": "sequence", "transformations": parts}, axes=axes)
    away = transformation({"type": "scale", "scale": [9.0, 9.0]}, target="elsewhere")
    adata = read(write_spatialdata(tmp_path / "s.zarr", truth, transformations=[away, stated]))
    x, y = truth.spatial.T
    first, second = expected(x, y) if axes == "xy" else expected(y, x)
    spatial = np.column_stack([first, second] if axes == "xy" else [second, first])
    truth.check(adata, spatial=spatial)


@pytest.mark.parametrize(
    ("transformations", "message"),
    [
        ([transformation({"type": "displacements"})], r"its coordinate transformation .* \(displacements"),
        ([transformation({"type": "scale", "scale": [1.0]})], "not understood"),
        ([transformation({"type": "identity"}, t) for t in ("a", "b")], "no coordinate system 'global', but a, b"),
    ],
)  # fmt: skip
def test_transformations_that_are_not_understood(tmp_path, transformations, message):
    folder = write_spatialdata(tmp_path / "s.zarr", make_truth(), transformations=transformations)
    with pytest.raises(ReadError, match=message):
        read(folder)


def test_cells_without_an_outline_are_left_out(tmp_path):
    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth, elements="points")
    part = folder / "points" / "points" / "points.parquet" / "part.0.parquet"
    pd.read_parquet(part).iloc[2:].to_parquet(part)
    adata = read(folder)
    assert adata.obs_names.tolist() == truth.ids[:-2]
    assert "2 of 12 cells are left out" in adata.uns["notes"][-1]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_anndata_folder(tmp_path, zarr_format, form):
    truth = make_truth()
    table = ad.AnnData(form(np.zeros_like(truth.counts, dtype=float)), pd.DataFrame(index=truth.ids))
    table.var_names = truth.genes
    table.layers["counts"] = sp.csr_matrix(truth.counts)
    table.obsm["spatial"] = truth.spatial
    table.uns["spatial_unit"] = "mm"
    ad.settings.zarr_write_format = zarr_format
    try:
        table.write_zarr(tmp_path / "a.zarr")
    finally:
        ad.settings.reset("zarr_write_format")
    adata = read(tmp_path / "a.zarr")
    truth.check(adata)
    assert adata.uns == {"spatial_unit": "mm", "notes": ["layers/counts is taken, not X"]}


def edit_json(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f / "shapes"), "annotates circles, which is not in the folder; store centroids"),
        (lambda f: shutil.rmtree(f / "tables/table"), "there is no table in the folder; it holds shapes, tables"),
        (lambda f: shutil.rmtree(f / "tables/table/obs"), "it has no 'obs'"),
        (lambda f: shutil.rmtree(f / "tables/table/X"), "there is no X"),
        (lambda f: shutil.rmtree(f / "tables/table/X/indptr"), "s.zarr cannot be read as a SpatialData"),
        (lambda f: shutil.rmtree(f / "tables/table/uns"), "neither obsm.*nor the columns of obs that link it"),
        (lambda f: (f / "tables/table/X/indices/0").write_bytes(b"x"), "s.zarr cannot be read"),
        (lambda f: (f / "tables/table/X/indices/.zarray").write_text("{"), "s.zarr cannot be read"),
        (lambda f: (f / "shapes/circles/shapes.parquet").write_bytes(b"PAR1"), "s.zarr cannot be read"),
        (
            lambda f: pd.DataFrame({"geometry": [b"no wkb"]}).to_parquet(f / "shapes/circles/shapes.parquet"),
            "s.zarr cannot be read",
        ),
        (lambda f: pd.DataFrame({"x": [1]}).to_parquet(f / "shapes/circles/shapes.parquet"), "a column geometry of ou"),
        (
            lambda f: pd.read_parquet(f / "shapes/circles/shapes.parquet")
            .reset_index(drop=True)
            .set_axis([i + 500 for i in range(12)])
            .to_parquet(f / "shapes/circles/shapes.parquet"),
            "none of its cells is among the outlines",
        ),
        (
            lambda f: pd.read_parquet(f / "shapes/circles/shapes.parquet")
            .set_axis([10] * 12)
            .to_parquet(f / "shapes/circles/shapes.parquet"),
            "shapes/circles: ids occur more than once",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, damage, message):
    folder = write_spatialdata(tmp_path / "s.zarr", make_truth())
    damage(folder)
    with pytest.raises(ReadError, match=message):
        read(folder)


def test_tables_of_label_images_need_coordinates(tmp_path):
    import zarr

    folder = write_spatialdata(tmp_path / "s.zarr", make_truth())
    shutil.rmtree(folder / "shapes")
    zarr.open_group(folder, mode="a").create_group("labels").create_group("circles")
    with pytest.raises(ReadError, match="an image of labels, whose centroids are not computed"):
        read(folder)
