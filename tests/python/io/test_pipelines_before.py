"""What sopa and nf-core/spatialaxe publish, pointed at as it is.

Layouts as their sources write them (sopa 2, spatialaxe 1): seen as written by us, not from a run of theirs.
"""

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from semanticst.io.ingest import ingest_sample, read_raw
from semanticst.io.readers import ReadError, Wanted, reader_for
from tenx_helpers import write_json, write_xenium
from vendor_helpers import make_truth, transformation, write_elements, write_spatialdata, write_text

XENIUM = transformation({"type": "scale", "scale": [1 / 0.2125, 1 / 0.2125]})


def row(path, **columns):
    return {"sample": "s1", "patient": "p1", "path": str(path)} | columns


def write_sopa(folder, truth, channels=("DAPI", "CD3", "CD20")):
    """``{name}.zarr`` with the table of the outlines that sopa found, and the table of the instrument renamed."""
    store = folder / "slide.zarr"
    rng, n = np.random.default_rng(0), len(truth.ids)
    obs = pd.DataFrame(
        {"region": pd.Categorical(["cellpose_boundaries"] * n), "slide": pd.Categorical(["morphology_focus"] * n),
         "cell_id": truth.ids, "area": rng.uniform(300, 900, n)}, index=truth.ids,
    )  # fmt: skip
    table = ad.AnnData(sp.csr_matrix(truth.counts.astype(np.float32)), obs=obs, var=pd.DataFrame(index=truth.genes))
    table.obsm["spatial"] = truth.spatial
    table.obsm["intensities"] = pd.DataFrame(rng.gamma(2, 300, (n, len(channels))), truth.ids, list(channels))
    table.uns["spatialdata_attrs"] = {
        "region": "cellpose_boundaries",
        "region_key": "region",
        "instance_key": "cell_id",
    }
    table.uns["sopa_attrs"] = {"transcripts": True, "intensities": True}
    root = zarr.open_group(store, mode="w", zarr_format=2)
    tables = root.create_group("tables")
    ad.io.write_elem(tables, "table", table)
    ad.io.write_elem(tables, "old_table", table[:3].copy())
    shapes = root.create_group("shapes")
    for name in ("cellpose_boundaries", "image_patches"):
        shapes.create_group(name).attrs["coordinateTransformations"] = [transformation({"type": "identity"})]
        write_elements(store / "shapes" / name, "polygons", truth, np.array(truth.ids, dtype=object))
    explorer = folder / "slide.explorer"
    explorer.mkdir()
    write_json(explorer / "experiment.xenium", num_cells=n)
    for name in ("cells.zarr.zip", "cell_feature_matrix.zarr.zip", "transcripts.zarr.zip", "morphology.ome.tif"):
        (explorer / name).write_bytes(b"PK")
    table.write_h5ad(explorer / "adata.h5ad")
    return table


def test_the_store_of_sopa_is_read_by_its_own_table_with_intensities_as_proteins(tmp_path):
    truth = make_truth(n_cells=40)
    table = write_sopa(tmp_path, truth)
    adata = ingest_sample(row(tmp_path / "slide.zarr", platform="xenium", um_per_px="0.2125"))
    truth.check(adata, spatial=truth.spatial * 0.2125)
    assert adata.uns["semanticst"]["protein_names"] == ["DAPI", "CD3", "CD20"]
    assert adata.uns["semanticst"]["protein_type"] == "continuous"
    np.testing.assert_allclose(adata.obsm["protein"], table.obsm["intensities"].to_numpy(), rtol=1e-6)
    truth.check(ingest_sample(row(tmp_path / "slide.explorer" / "adata.h5ad")))


def test_the_folder_for_xenium_explorer_leads_to_the_store(tmp_path):
    write_sopa(tmp_path, make_truth())
    with pytest.raises(ReadError, match=r"Xenium Explorer only, as sopa writes it\? Give its SpatialData folder"):
        ingest_sample(row(tmp_path / "slide.explorer", platform="xenium"))


def test_colours_of_a_picture_are_no_proteins(tmp_path):
    write_sopa(tmp_path, make_truth(), channels=("r", "g", "b"))
    adata = ingest_sample(row(tmp_path / "slide.zarr"))
    assert "protein" not in adata.obsm
    assert "obsm['intensities'] is left out: the colours of a picture" in adata.uns["semanticst"]["notes"]


@pytest.mark.parametrize("place", ["", "outs"])
def test_bundles_of_xenium_ranger(tmp_path, place):
    """xeniumranger/import_segementation/{sample}, with the bundle in it or in its folder outs."""
    X, _ = write_xenium(tmp_path / "s1" / place)
    adata = ingest_sample(row(tmp_path / "s1"))
    assert adata.n_obs == X.shape[0]
    assert adata.uns["semanticst"]["spatial_unit"] == "um"


def test_proseg_as_spatialaxe_runs_it(tmp_path):
    """proseg/preset: cells without a name of their own, expected counts."""
    truth = make_truth()
    cells = pd.DataFrame({"cell": np.arange(12), "centroid_x": truth.spatial[:, 0], "centroid_y": truth.spatial[:, 1]})
    write_text(tmp_path / "cell-metadata.csv.gz", cells.assign(volume=9.0, population=3).to_csv(index=False))
    write_text(tmp_path / "expected-counts.csv.gz", (truth.frame + 0.2).to_csv(index=False))
    for name in ("gene-metadata.csv.gz", "rates.csv.gz", "transcript-metadata.csv.gz"):
        write_text(tmp_path / name, "gene\nA\n")
    for name in ("cell-polygons.geojson.gz", "cell-polygons-layers.geojson.gz", "cell-hulls.geojson.gz"):
        write_text(tmp_path / name, "{}")
    write_text(tmp_path / "versions.yml", "PROSEG: 2\n")
    truth.check(ingest_sample(row(tmp_path)), ids=[str(i) for i in range(12)])


@pytest.mark.parametrize("spatial", [True, False])
def test_store_of_spatialaxe_has_the_scale_of_xenium(tmp_path, spatial):
    """spatialdata/write: a folder without .zarr in its name, outlines in um, the morphology image as the system."""
    truth = make_truth()
    store = write_spatialdata(
        tmp_path / "spatialdata", truth, elements="circles", spatial=spatial, transformations=[XENIUM]
    )
    adata = ingest_sample(row(store))
    truth.check(adata)
    assert adata.uns["semanticst"]["spatial_unit"] == "um"


def test_merged_stores_of_spatialaxe(tmp_path):
    """spatialdata/merge: tables and outlines renamed on the disk, names inside left as they were."""
    truth = make_truth()
    merged = write_spatialdata(tmp_path / "spatialdata_merged", truth, transformations=[XENIUM])
    for kind, name in (("tables", "table"), ("shapes", "circles")):
        shutil.copytree(merged / kind / name, merged / kind / f"reference_{name}")
        (merged / kind / name).rename(merged / kind / f"raw_{name}")
    with pytest.raises(ReadError, match="several tables: raw_table, reference_table; name one in the column table"):
        ingest_sample(row(merged))
    for table in ("raw_table", "reference_table"):
        adata = ingest_sample(row(merged, table=table))
        truth.check(adata)


def test_a_transformation_that_is_not_understood_costs_no_table(tmp_path):
    """With coordinates in the table, outlines are needed for the picture only."""
    truth = make_truth()
    odd = [transformation({"type": "displacement", "path": "x"})]
    store = write_spatialdata(tmp_path / "s.zarr", truth, spatial=True, transformations=odd)
    raw, _ = read_raw(row(store))
    truth.check(raw)
    assert json.loads((store / "shapes" / "circles" / ".zattrs").read_text())["coordinateTransformations"][0]["type"]
    assert reader_for(store, "").read(store, Wanted()).n_obs == 12
