"""SpatialData store of a section: cells as circles, and the table that annotates them with their niches.

Written by anndata, zarr and pyarrow after the format of spatialdata 0.7 (container 0.2, shapes 0.3, table 0.2), so that
the library itself need not be installed.
"""

import json
import re
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
import shapely
import zarr

from semanticst import __version__
from semanticst.export.niche_outlines import median_spacing
from semanticst.export.section_cells import Section
from semanticst.plotting.palette import niche_colour, niche_name

CELLS = "cells"
KEYS = ("region", "instance")
"""Columns by which the format finds the circle of a row."""


def write_store(
    folder: Path, section: Section, columns: pd.DataFrame, values: sp.csr_matrix, features: pd.Index, n_niches: int
) -> None:
    """Write the store of a section (a new folder).

    columns : what ``obs`` of ``cohort.h5ad`` has of these cells, n_cells rows. values : n_cells x n_features.
    """
    root = zarr.open_group(folder, mode="w-", zarr_format=3)
    root.attrs["spatialdata_attrs"] = {
        "version": "0.2",
        "spatialdata_software_version": f"nf-semanticst {__version__}",
    }
    _write_shapes(root.create_group("shapes"), folder / "shapes" / CELLS, section)
    _write_table(root.create_group("tables"), section, columns, values, features, n_niches)


def _write_shapes(group: zarr.Group, folder: Path, section: Section) -> None:
    axes = [{"name": name, "type": "space", "unit": "unit"} for name in "xy"]
    cells = group.create_group(CELLS)
    cells.attrs.update({
        "encoding-type": "ngff:shapes",
        "axes": ["x", "y"],
        "coordinateTransformations": [
            {"type": "identity", "input": {"name": "xy", "axes": axes}, "output": {"name": "global", "axes": axes}}
        ],
        "spatialdata_attrs": {"version": "0.3"},
    })  # fmt: skip
    radius = median_spacing(np.unique(section.xy, axis=0)) / 2
    frame = pd.DataFrame({"geometry": shapely.to_wkb(shapely.points(section.xy)), "radius": radius})
    table = pa.Table.from_pandas(frame, preserve_index=True)
    geo = {
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "crs": None, "geometry_types": ["Point"]}},
        "version": "1.1.0",
    }
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), "geo": json.dumps(geo)})
    pq.write_table(table, folder / "shapes.parquet")


def _write_table(
    group: zarr.Group,
    section: Section,
    columns: pd.DataFrame,
    values: sp.csr_matrix,
    features: pd.Index,
    n_niches: int,
) -> None:
    numbers = range(1, n_niches + 1)
    obs = section.cells.set_axis(section.cell_ids.astype(str), axis=0)
    obs["niche"] = pd.Categorical(obs["niche"].map(niche_name), [niche_name(n) for n in numbers])
    for name, value in (("sample", section.sample), ("patient", section.patient), ("region", CELLS)):
        obs[name] = pd.Categorical([value] * len(obs))
    obs["instance"] = np.arange(len(obs))
    for name in columns.columns.difference(obs.columns.difference(KEYS), sort=False):
        found = columns[name].set_axis(obs.index)
        if isinstance(found.dtype, pd.CategoricalDtype):
            found = found.cat.remove_unused_categories()
        obs[valid_name(str(name), set(obs.columns))] = found
    table = ad.AnnData(sp.csr_matrix(values, dtype=np.float32), obs=obs, var=pd.DataFrame(index=features.astype(str)))
    table.obsm["spatial"] = section.xy
    regions = {"region": CELLS, "region_key": "region", "instance_key": "instance"}
    table.uns = {"niche_colors": [niche_colour(n) for n in numbers], "spatialdata_attrs": regions}
    with ad.settings.override(zarr_write_format=3):
        ad.io.write_elem(group, "table", table)
    group["table"].attrs.update({"spatialdata-encoding-type": "ngff:regions_table", **regions, "version": "0.2"})


def valid_name(name: str, taken: set[str]) -> str:
    """A name of a column as the format allows it: letters, digits, ``_``, ``.`` and ``-``.

    ``sample_`` is before it where another column is called the same, whatever the case.
    """
    allowed = re.sub(r"[^\w.-]", "_", name)
    # names that begin with two are the format's own
    allowed = re.sub("^__+", "_", allowed)
    others = {other.lower() for other in taken}
    while allowed.lower() in others or allowed in {"", ".", "..", "_index"}:
        allowed = f"sample_{allowed}"
    return allowed
