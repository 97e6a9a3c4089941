"""SpatialData and AnnData folders."""

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from semanticst.io.readers import ReadError, Wanted, reader_for
from vendor_helpers import make_truth, transformation, write_geoparquet, write_spatialdata


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


def test_an_empty_outline_costs_no_other_cell(tmp_path):
    import shapely

    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth, elements="polygons")
    file = folder / "shapes/polygons/shapes.parquet"
    frame = pd.read_parquet(file)
    frame.iloc[0, 0] = shapely.to_wkb(shapely.Polygon())
    write_geoparquet(file, frame)
    adata = read(folder)
    assert adata.n_obs == 11
    assert any("1 of 12 cells are left out: there is no outline" in str(note) for note in adata.uns["notes"])


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
    notes = ["layers/counts is taken, not X"]
    assert adata.uns == {"spatial_unit": "mm", "matrix": "layers/counts", "notes": notes}


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


def write_labels(folder, truth, axes="yx", scale=1.0):
    """The shapes replaced by an image of labels: a cell is a square of 2 x 2 pixels."""
    import zarr

    shutil.rmtree(folder / "shapes")
    image = np.zeros((40, 30), np.int32)
    corners = np.array([(3 * (i // 5), 4 * (i % 5)) for i in range(len(truth.ids))])
    for number, (y, x) in enumerate(corners, 10):
        image[y : y + 2, x : x + 2] = number
    group = zarr.open_group(folder, mode="a").create_group("labels").create_group("circles")
    group.create_array("0", data=image, chunks=(16, 16))
    group.attrs["multiscales"] = [{
        "axes": [{"name": axis} for axis in axes],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [scale, scale]}]}],
        "coordinateTransformations": [transformation({"type": "translation", "translation": [100.0, 0.0]}, axes="yx")],
    }]  # fmt: skip
    return (corners[:, ::-1] + 1.0) * scale + [0.0, 100.0]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_centroids_of_label_images(tmp_path, scale):
    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth)
    centres = write_labels(folder, truth, scale=scale)
    truth.check(read(folder), spatial=centres)


def test_label_images_that_are_not_flat(tmp_path):
    folder = write_spatialdata(tmp_path / "s.zarr", make_truth())
    write_labels(folder, make_truth(), axes="zyx")
    with pytest.raises(ReadError, match=r"a flat image of labels \(y, x\) is expected, not z, y, x"):
        read(folder)


def write_chunked(folder, X, zarr_format=2, shards=None):
    """An AnnData store whose arrays have several chunks."""
    import zarr

    n, m = X.shape
    table = ad.AnnData(sp.csr_matrix(X), pd.DataFrame(index=[f"c{i}" for i in range(n)]))
    table.obsm["spatial"] = np.column_stack([np.arange(n) + 1.0, np.arange(n) % 7 + 1.0])
    root = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
    for name in ("obs", "var"):
        ad.io.write_elem(root, name, getattr(table, name))
    parts = {name: getattr(table.X, name) for name in ("data", "indices", "indptr")}
    for holder, arrays in (("X", parts), ("obsm", dict(table.obsm))):
        group = root.create_group(holder)
        for name, values in arrays.items():
            chunks = (10, 2) if values.ndim == 2 else (50,)
            group.create_array(name, data=values, chunks=chunks, shards=shards and tuple(2 * c for c in chunks))
    root["X"].attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [n, m]})
    root["obsm/spatial"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return table


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, True)])
def test_a_store_that_was_copied_in_part_is_refused(tmp_path, zarr_format, shards):
    X = np.random.default_rng(0).poisson(2.0, (100, 12)) + np.eye(100, 12, dtype=int)
    table = write_chunked(tmp_path / "a.zarr", X, zarr_format, shards)
    whole = read(tmp_path / "a.zarr")
    assert np.array_equal(whole.X.toarray(), X)
    assert np.array_equal(whole.obsm["spatial"], table.obsm["spatial"])
    for array in ("X/data", "X/indices", "X/indptr", "obsm/spatial", "obs/_index", "var/_index"):
        files = (tmp_path / "a.zarr" / array).rglob("*")
        chunks = sorted(p for p in files if p.is_file() and not p.name.startswith((".z", "zarr")))
        lost, content = chunks[len(chunks) // 2], chunks[len(chunks) // 2].read_bytes()
        lost.unlink()
        message = "matrix is damaged" if array == "X/indptr" else f"{array}: 1 of {len(chunks)} chunks are missing"
        with pytest.raises(ReadError, match=message):
            read(tmp_path / "a.zarr")
        lost.write_bytes(content)


TYPES = {
    "mixed": np.resize(["B", "T", "Myeloid", "B", "T"], 200),
    "sorted": np.repeat(["B", "T", "Myeloid"], (70, 80, 50)),
    "rare": np.where(np.arange(200) == 120, "T", "B"),
    "one": np.repeat("B", 200),
}


def write_types(folder, types, drop=None, empty_chunks=False, chunks=50):
    """A store with a categorical column of cell types in four chunks, of which one is dropped."""
    import zarr

    write_chunked(folder, np.random.default_rng(0).poisson(2.0, (200, 12)) + np.eye(200, 12, dtype=int))
    root = zarr.open_group(folder, mode="a")
    column = pd.Series(pd.Categorical(types, categories=list(dict.fromkeys(types))))
    ad.io.write_elem(root, "obs/cell_type", column.array)
    ad.io.write_elem(root, "obs/flag", np.zeros(200, bool))
    for name, values in (("cell_type/codes", column.cat.codes.to_numpy()), ("flag", np.zeros(200, bool))):
        attrs = root[f"obs/{name}"].attrs.asdict()
        config = {"write_empty_chunks": empty_chunks}
        new = root.create_array(
            f"obs/{name}", data=values, chunks=(chunks,), fill_value=0, config=config, overwrite=True
        )
        new.attrs.update(attrs)
    root["obs"].attrs["column-order"] = ["cell_type", "flag"]
    if drop is not None:
        (folder / "obs" / "cell_type" / "codes" / str(drop)).unlink()
    return column


@pytest.mark.parametrize(("how", "drop", "empty_chunks"), [("mixed", 0, False), ("mixed", 2, False), ("rare", 2, True)])
def test_lost_codes_of_a_category(tmp_path, how, drop, empty_chunks):
    """They would read as the first category: not so many alike in a row where types change from cell to cell, and not
    where the store has chunks of nothing else."""
    write_types(tmp_path / "a.zarr", TYPES[how], drop, empty_chunks)
    with pytest.raises(ReadError, match=r"codes: \d of 4 chunks are missing; the store was copied"):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize(("how", "drop", "doubtful"), [
    ("mixed", None, 0), ("sorted", None, 0), ("rare", None, 0), ("one", None, 0),
    ("sorted", 1, 100), ("sorted", 3, 100), ("rare", 2, 200),
])  # fmt: skip
def test_chunks_of_one_category_may_be_missing(tmp_path, how, drop, doubtful):
    """Zarr leaves out chunks of the first category; what nothing tells apart from a loss, is a warning."""
    expected = write_types(tmp_path / "a.zarr", TYPES[how], drop)
    adata = read(tmp_path / "a.zarr")
    if drop is None:
        assert adata.obs["cell_type"].tolist() == expected.tolist()
    told = adata.uns.get("warnings", [])
    expected = f"obs['cell_type']: {doubtful} of 200 values are not in the store and read as B"
    assert [expected in text for text in told] == ([True] if doubtful else [])


@pytest.mark.parametrize("part", ["var", "raw/var"])
def test_lost_types_of_features(tmp_path, part):
    """Controls would read as genes; of the two tables of features the one that is read counts."""
    truth = make_truth()
    types = pd.Categorical(["gene", "gene", "Blank Codeword", "gene"], categories=["gene", "Blank Codeword"])
    table = ad.AnnData(sp.csr_matrix(truth.counts.astype(np.float32)), pd.DataFrame(index=truth.ids))
    table.var = pd.DataFrame({"feature_types": types}, index=truth.genes)
    table.obsm["spatial"] = truth.spatial
    if part == "raw/var":
        table.raw = table.copy()
        table.X = np.log1p(table.X)
    ad.settings.zarr_write_format = 2
    try:
        table.write_zarr(tmp_path / "a.zarr")
    finally:
        ad.settings.reset("zarr_write_format")
    assert "warnings" not in read(tmp_path / "a.zarr").uns
    (tmp_path / "a.zarr" / part / "feature_types" / "codes" / "0").unlink()
    expected = f"{part}['feature_types']: 4 of 4 values are not in the store and read as gene"
    assert [expected in text for text in read(tmp_path / "a.zarr").uns["warnings"]] == [True]


def test_all_codes_of_a_category_are_missing(tmp_path):
    write_types(tmp_path / "a.zarr", TYPES["mixed"], drop=0, chunks=200)
    assert ["200 of 200 values are not in the store" in text for text in read(tmp_path / "a.zarr").uns["warnings"]] == [
        True
    ]


def test_chunks_of_genes_that_no_cell_has_may_be_missing(tmp_path):
    """Zarr writes no chunk of zeros; a lost one has values where the same genes of other cells have."""
    import zarr

    X = np.random.default_rng(0).poisson(1.0, (60, 20)).astype(np.float32)
    X[:, 10:15] = 0
    X[20:40, 15:] = 0
    X[:20, 15:] = np.eye(20, 5)
    X[40:, 15:] = 0
    write_chunked(tmp_path / "a.zarr", X)
    root = zarr.open_group(tmp_path / "a.zarr", mode="a")
    del root["X"]
    root.create_array("X", data=X, chunks=(20, 5)).attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    assert root["X"].nchunks_initialized == 12 - 3 - 2
    assert np.array_equal(np.asarray(read(tmp_path / "a.zarr").X), X)
    (tmp_path / "a.zarr/X/1.0").unlink()
    with pytest.raises(ReadError, match="X: 6 of 12 chunks are missing"):
        read(tmp_path / "a.zarr")


def test_what_lies_in_the_folder_goes_before_old_consolidated_metadata(tmp_path):
    import zarr

    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth)
    zarr.consolidate_metadata(folder)
    (folder / "tables/table").rename(folder / "tables/cells")
    truth.check(read(folder))


@pytest.mark.parametrize(("in_table", "in_shapes"), [("int", "text"), ("text", "int"), ("float", "int")])
def test_ids_are_matched_as_text(tmp_path, in_table, in_shapes):
    import zarr

    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth)
    kinds = {"int": np.int64, "float": np.float64, "text": str}
    obs = zarr.open_group(folder, mode="a")["tables/table/obs"]
    numbers = np.arange(len(truth.ids)) + 10
    del obs["instance_id"]
    ad.io.write_elem(obs, "instance_id", numbers.astype(kinds[in_table]).astype(object if in_table == "text" else None))
    shapes = pd.read_parquet(folder / "shapes/circles/shapes.parquet")
    write_geoparquet(folder / "shapes/circles/shapes.parquet", shapes.set_axis(shapes.index.astype(kinds[in_shapes])))
    truth.check(read(folder))


def test_coordinates_that_are_empty_give_way_to_outlines(tmp_path):
    import zarr

    truth = make_truth()
    folder = write_spatialdata(tmp_path / "s.zarr", truth, spatial=True)
    zarr.open_group(folder, mode="a")["tables/table/obsm/spatial"][:] = np.nan
    adata = read(folder)
    truth.check(adata)
    assert "obsm['spatial'] is empty (NaN)" in adata.uns["notes"]


@pytest.mark.parametrize("systems", [("global", "global"), ("a", "b")])
def test_a_table_of_several_regions_is_no_sample(tmp_path, systems):
    """On top of each other in one coordinate system, or in a system each."""
    import zarr

    truth = make_truth(40)
    folder = write_spatialdata(tmp_path / "s.zarr", truth)
    root = zarr.open_group(folder, mode="a")
    shutil.copytree(folder / "shapes/circles", folder / "shapes/more")
    for region, system in zip(("circles", "more"), systems):
        root[f"shapes/{region}"].attrs["coordinateTransformations"] = [transformation({"type": "identity"}, system)]
    del root["tables/table/obs/region"]
    ad.io.write_elem(root["tables/table/obs"], "region", pd.Categorical(["circles", "more"] * 20))
    message = "regions that lie on top of each other" if systems[0] == systems[1] else "coordinate systems of their own"
    with pytest.raises(ReadError, match=message):
        read(folder)
