"""SpatialData folders (.zarr), and AnnData folders (.zarr).

Read without the packages spatialdata and spatialdata-io, which bring dask, geopandas and image libraries for what is
here one table and one column of outlines. Layout: https://spatialdata.scverse.org/en/latest/design_doc.html
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from anndata.io import read_elem

from semanticst.constants import LAYER_COUNTS, Obsm
from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.readers.files import reading
from semanticst.io.sparse import load_csr

if TYPE_CHECKING:
    import zarr

GLOBAL = "global"
"""Name of the coordinate system that every element has unless its writer chose others."""
ATTRS = "spatialdata_attrs"
KEPT = ("cell_area", "cell_type", "array_row", "array_col", "fov")


def read_spatialdata(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read a table of a SpatialData folder, or an AnnData folder.

    Values: ``layers['counts']``, else X. Coordinates: ``obsm['spatial']`` where the table has them, else centroids of
    the outlines or points that the table annotates, brought into the coordinate system "global". Their unit is unknown.

    Raises ReadError when the table is not named and there are several, when there are no coordinates, and when the
    folder is damaged.
    """
    import zarr

    with reading(folder, "a SpatialData or AnnData folder"):
        root = zarr.open_group(folder, mode="r")
        group = _table(root, wanted.table)
        table = _anndata(group)
        if Obsm.SPATIAL not in table.obsm:
            table = _placed(table, group, root, folder)
    table.obs = table.obs[[c for c in KEPT if c in table.obs]]
    table.uns.setdefault("spatial_unit", "unknown")
    return table


def _table(root: "zarr.Group", name: str) -> "zarr.Group":
    """The group of a table; an AnnData folder is its own table."""
    if "obs" in root:
        return root
    tables = next((root[holder] for holder in ("tables", "table") if holder in root), None)
    names = sorted(tables.group_keys()) if tables is not None else []
    if not names:
        raise ReadError(
            f"there is no table in the folder; it holds {', '.join(sorted(root.group_keys())) or 'nothing'}"
        )
    if name and name not in names:
        raise ReadError(f"there is no table {name}; tables in the folder: {', '.join(names)}")
    if not name and len(names) > 1:
        raise ReadError(
            f"there are several tables: {', '.join(names)}; name one in the column table of the samplesheet"
        )
    return tables[name or names[0]]


def _anndata(group: "zarr.Group") -> ad.AnnData:
    for part in ("obs", "var"):
        if part not in group:
            raise ReadError(f"{group.name} is no table: it has no '{part}'")
    values = f"layers/{LAYER_COUNTS}" if f"layers/{LAYER_COUNTS}" in group else "X"
    if values not in group:
        raise ReadError(f"{group.name}: there is no X and no layers['counts']")
    spatial = f"obsm/{Obsm.SPATIAL}"
    unit = {"spatial_unit": str(read_elem(group["uns/spatial_unit"]))} if "uns/spatial_unit" in group else {}
    return ad.AnnData(
        X=_values(group[values]),
        obs=read_elem(group["obs"]),
        var=read_elem(group["var"]),
        obsm={Obsm.SPATIAL.value: np.asarray(read_elem(group[spatial]))} if spatial in group else {},
        uns=unit | {"notes": [] if values == "X" else [f"{values} is taken, not X"]},
    )


def _values(stored):
    if stored.attrs.get("encoding-type") == "csr_matrix":
        n_cells, n_features = (int(n) for n in stored.attrs["shape"])
        return load_csr(stored["data"], stored["indices"], stored["indptr"], (n_cells, n_features))
    return read_elem(stored)


def _placed(table: ad.AnnData, group: "zarr.Group", root: "zarr.Group", folder: Path) -> ad.AnnData:
    """The table with the centroids of what it annotates; cells without one are left out."""
    attrs = read_elem(group[f"uns/{ATTRS}"]) if f"uns/{ATTRS}" in group else {}
    region_key, instance_key = (str(attrs.get(name)) for name in ("region_key", "instance_key"))
    if region_key not in table.obs or instance_key not in table.obs:
        raise ReadError(
            f"{group.name} has neither obsm['spatial'] nor the columns of obs that link it to outlines (uns['{ATTRS}'])"
        )
    spatial, notes = np.full((table.n_obs, 2), np.nan), table.uns["notes"]
    for region in sorted(set(table.obs[region_key].astype(str))):
        rows = np.flatnonzero(table.obs[region_key].astype(str) == region)
        points, note = _centroids(root, folder, region)
        at = points.index.get_indexer(table.obs[instance_key].iloc[rows].astype(points.index.dtype))
        spatial[rows[at >= 0]] = points.to_numpy()[at[at >= 0]]
        notes.append(note)
    found = np.isfinite(spatial).all(axis=1)
    if not found.any():
        raise ReadError(f"{group.name}: none of its cells is among the outlines that it annotates")
    if not found.all():
        notes.append(f"{(~found).sum()} of {len(found)} cells are left out: there is no outline of them")
        table, spatial = table[found].copy(), spatial[found]
    table.obsm[Obsm.SPATIAL.value] = spatial
    return table


def _centroids(root: "zarr.Group", folder: Path, region: str) -> tuple[pd.DataFrame, str]:
    """x and y of the instances of an element, index = their ids, and what was done."""
    for kind, file in (("shapes", "shapes.parquet"), ("points", "points.parquet")):
        path = folder / kind / region / file
        if path.exists():
            points = _of_shapes(path) if kind == "shapes" else _of_points(path, root[f"{kind}/{region}"])
            if not points.index.is_unique:
                raise ReadError(f"{kind}/{region}: ids occur more than once")
            matrix, done = _to_global(root[f"{kind}/{region}"].attrs.asdict(), f"{kind}/{region}")
            xy = points.to_numpy() @ matrix[:2, :2].T + matrix[:2, 2]
            return pd.DataFrame(xy, index=points.index), f"coordinates: centroids of {kind}/{region}, {done}"
    what = "an image of labels, whose centroids are not computed" if f"labels/{region}" in root else "not in the folder"
    raise ReadError(
        f"there are no coordinates: no obsm['spatial'], and the table annotates {region}, which is {what}; store "
        "centroids as obsm['spatial'] of the table"
    )


def _of_shapes(path: Path) -> pd.DataFrame:
    """Centroids of a GeoParquet file of points, polygons or multipolygons."""
    import pyarrow.parquet as pq
    import shapely

    table = pq.read_table(path)
    geo = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("primary_column", "geometry")
    encoding = geo.get("columns", {}).get(column, {}).get("encoding", "WKB")
    if column not in table.column_names or encoding.upper() != "WKB":
        raise ReadError(f"{path.name}: a column {column} of outlines as WKB is expected, not {encoding}")
    frame = table.to_pandas()
    centroids = shapely.centroid(shapely.from_wkb(frame[column].to_numpy()))
    return pd.DataFrame({"x": shapely.get_x(centroids), "y": shapely.get_y(centroids)}, index=frame.index)


def _of_points(path: Path, element: "zarr.Group") -> pd.DataFrame:
    import pyarrow.parquet as pq

    frame = pq.read_table(path).to_pandas()
    key = element.attrs.get(ATTRS, {}).get("instance_key")
    return (frame.set_index(key) if key in frame else frame)[["x", "y"]]


def _to_global(attrs: dict, where: str) -> tuple[np.ndarray, str]:
    """3 x 3 matrix that takes x, y, 1 to the coordinate system "global", and what it is.

    The only other system is taken where there is no "global". Raises ReadError for a transformation that is not affine.
    """
    stated = attrs.get("coordinateTransformations") or [{"type": "identity", "output": {"name": GLOBAL}}]
    names = [t.get("output", {}).get("name") for t in stated]
    if GLOBAL not in names and len(names) > 1:
        raise ReadError(f"{where}: there is no coordinate system '{GLOBAL}', but {', '.join(map(str, names))}")
    chosen = stated[names.index(GLOBAL) if GLOBAL in names else 0]
    axes = [axis["name"] for axis in chosen.get("input", {}).get("axes", [])] or ["x", "y"]
    try:
        return _matrix(chosen, axes), f"in the coordinate system {chosen['output']['name']} ({chosen['type']})"
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ReadError(f"{where}: its coordinate transformation is not understood ({chosen.get('type')})") from error


def _matrix(step: dict, axes: list[str]) -> np.ndarray:
    """3 x 3 matrix over x, y, 1 of one transformation over ``axes``."""
    kind, matrix, order = step["type"], np.eye(3), [axes.index("x"), axes.index("y")]
    if kind == "sequence":
        for part in step["transformations"]:
            own = [axis["name"] for axis in part.get("input", {}).get("axes", [])] or axes
            matrix = _matrix(part, own) @ matrix
    elif kind == "scale":
        matrix[[0, 1], [0, 1]] = np.asarray(step["scale"], float)[order]
    elif kind == "translation":
        matrix[:2, 2] = np.asarray(step["translation"], float)[order]
    elif kind == "affine":
        ends = [axis["name"] for axis in step.get("output", {}).get("axes", [])] or axes
        rows = [ends.index("x"), ends.index("y")]
        matrix[:2] = np.asarray(step["affine"], float)[np.ix_(rows, [*order, len(axes)])]
    elif kind != "identity":
        raise ValueError(kind)
    return matrix


def _recognises(path: Path) -> bool:
    return (
        path.is_dir()
        and any((path / part).is_dir() for part in ("tables", "table", "obs"))
        and any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs", ".zmetadata"))
    )


SPATIALDATA = Reader(
    name="spatialdata",
    expects="a SpatialData or AnnData folder (.zarr)",
    recognises=_recognises,
    read=read_spatialdata,
)
