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

from semanticst.constants import Obsm
from semanticst.io.readers.anndata_parts import read_object
from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.readers.files import reading
from semanticst.io.readers.label_images import label_centroids
from semanticst.io.readers.store_images import annotated, store_picture, transformations_of
from semanticst.io.readers.transformations import to_global
from semanticst.io.readers.zarr_chunks import check_table, need_whole, need_whole_dense
from semanticst.io.several_sections import OVERLAP, SECTION_COLUMNS, how_to_split, overlap, plain
from semanticst.io.understood import cells_left_out

if TYPE_CHECKING:
    import zarr

TABLES = ("obs", "var", "raw/var")
ATTRS = "spatialdata_attrs"
XENIUM_PX = 0.2125
"""Micrometres of a pixel of the morphology image of Xenium."""
OLD = "old_"
"""What sopa puts in front of the table of an earlier step."""
KEPT = ("cell_area", "cell_type")
KEPT_PLAIN = SECTION_COLUMNS | {"intissue", "arrayrow", "arraycol"}
"""Columns of obs that are kept: what later steps use, and what tells sections and tissue."""


def read_spatialdata(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read a table of a SpatialData folder, or an AnnData folder.

    Values: see `semanticst.io.readers.anndata_values`. Coordinates: ``obsm['spatial']`` where the table has them, else
    centroids of the outlines, points or labels that the table annotates, brought into the coordinate system "global".
    Their unit is unknown, but of Xenium as spatialdata-io reads it.

    Raises ReadError when the table is not named and there are several, when there are no coordinates, when it annotates
    several regions that lie on top of each other, and when the folder is damaged or was copied in part.
    """
    import zarr

    def check(array) -> None:
        if array.ndim == 2 and not array.path.rpartition("/")[0].endswith("obsm"):
            need_whole_dense(array, np.asarray(array[:]), present)
        else:
            need_whole(array, present)

    def present(key: str) -> bool:
        return (folder / key).exists()

    with reading(folder, "a SpatialData or AnnData folder"):
        # what is there, not what was there when the metadata were put together
        root = zarr.open_group(folder, mode="r", use_consolidated=False)
        group = _table(root, wanted.table)
        doubtful = {part: check_table(group[part], present) for part in TABLES if _is_table(group, part)}
        table = read_object(group, wanted, check)
        doubts = _doubts(doubtful, table)
        keys = _keys(group, table)
        if Obsm.SPATIAL in table.obsm and np.isnan(table.obsm[Obsm.SPATIAL]).all() and keys:
            del table.obsm[Obsm.SPATIAL]
            table.uns["notes"].append("obsm['spatial'] is empty (NaN)")
        by_centroids = Obsm.SPATIAL not in table.obsm
        if by_centroids:
            table = _placed(table, group, keys, root, folder, wanted.in_parts)
        if keys:
            _add_picture_and_scale(table, keys, root, group.basename, by_centroids, wanted.platform)
        if keys and not wanted.in_parts:
            regions = table.obs[keys[0]].astype(str)
            several_regions(
                pd.factorize(regions)[0], sorted(set(regions)), np.asarray(table.obsm[Obsm.SPATIAL]), keys[0]
            )
    parts = {plain(name) for name in wanted.part_columns}
    kept = [c for c in table.obs if (c in KEPT or plain(c) in KEPT_PLAIN) and c not in (keys or ())]
    table.obs = table.obs[[c for c in table.obs if c in kept or plain(c) in parts]]
    names = "raw/var" if table.uns["matrix"] == "raw/X" else "var"
    used = {("obs", c) for c in (*table.obs, *(keys or ()))} | {(names, c) for c in table.var}
    if told := [text for column, text in doubts.items() if column in used]:
        table.uns["warnings"] = [*table.uns.get("warnings", []), *told]
    table.uns.setdefault("spatial_unit", "unknown")
    return table


def _is_table(group: "zarr.Group", part: str) -> bool:
    return part in group and hasattr(group[part], "members")


def _doubts(doubtful: dict[str, dict[str, int]], table: ad.AnnData) -> dict[tuple[str, str], str]:
    """A warning for each column of obs and var (table, column) of which values may be lost; see `check_table`."""
    texts = {}
    for part, columns in doubtful.items():
        frame = table.obs if part == "obs" else table.var
        for column, n in columns.items():
            kind = frame[column].dtype if column in frame else None
            read_as = kind.categories[0] if isinstance(kind, pd.CategoricalDtype) else "0, False or empty"
            texts[part, column] = (
                f"{part}['{column}']: {n} of {len(frame)} values are not in the store and read as {read_as}; it leaves "
                "out chunks of nothing else, but so does a copy in part: compare the column with the original"
            )
    return texts


def _table(root: "zarr.Group", name: str) -> "zarr.Group":
    """The group of a table; an AnnData folder is its own table."""
    if "obs" in root:
        return root
    tables = next((root[holder] for holder in ("tables", "table") if holder in root), None)
    names = [] if tables is None else sorted(tables.group_keys())
    if tables is None or not names:
        raise ReadError(
            f"there is no table in the folder; it holds {', '.join(sorted(root.group_keys())) or 'nothing'}"
        )
    if not name:
        names = [n for n in names if not n.startswith(OLD)] or names
    if name and name not in names:
        raise ReadError(f"there is no table {name}; tables in the folder: {', '.join(names)}")
    if not name and len(names) > 1:
        raise ReadError(
            f"there are several tables: {', '.join(names)}; name one in the column table of the samplesheet"
        )
    return tables[name or names[0]]


def _keys(group: "zarr.Group", table: ad.AnnData) -> tuple[str, str] | None:
    """The columns of obs that link the table to outlines: their region, and the id of the instance in it."""
    attrs = read_elem(group[f"uns/{ATTRS}"]) if f"uns/{ATTRS}" in group else {}
    region_key, instance_key = (str(attrs.get(name)) for name in ("region_key", "instance_key"))
    return (region_key, instance_key) if {region_key, instance_key} <= set(table.obs.columns) else None


def _placed(
    table: ad.AnnData,
    group: "zarr.Group",
    keys: tuple[str, str] | None,
    root: "zarr.Group",
    folder: Path,
    in_parts: bool,
) -> ad.AnnData:
    """The table with the centroids of what it annotates; cells without one are left out."""
    if not keys:
        raise ReadError(
            f"{group.name} has neither obsm['spatial'] nor the columns of obs that link it to outlines (uns['{ATTRS}'])"
        )
    spatial, notes, systems = np.full((table.n_obs, 2), np.nan), table.uns["notes"], {}
    regions, instances = table.obs[keys[0]].astype(str).to_numpy(), as_text(table.obs[keys[1]])
    for region in sorted(set(regions)):
        rows = np.flatnonzero(regions == region)
        points, systems[region], note = _centroids(root, folder, region, group.basename)
        at = as_text(points.index).get_indexer(instances[rows])
        spatial[rows[at >= 0]] = points.to_numpy()[at[at >= 0]]
        notes.append(note)
    if len(set(systems.values())) > 1 and not in_parts:
        where = ", ".join(f"{region} in {system}" for region, system in systems.items())
        raise ReadError(
            f"{group.name} annotates several regions in coordinate systems of their own ({where}): "
            f"{how_to_split(keys[0])}"
        )
    found = np.asarray(np.isfinite(spatial).all(axis=1))
    if not found.any():
        raise ReadError(
            f"{group.name}: none of its cells is among the outlines that it annotates (its ids begin with "
            f"{instances[0]}, theirs with {as_text(points.index)[0] if len(points) else 'nothing'})"
        )
    if not found.all():
        note = f"{(~found).sum()} of {len(found)} cells are left out: there is no outline of them"
        notes.append(cells_left_out((~found).sum(), note))
        table, spatial = table[found].copy(), spatial[found]
    table.obsm[Obsm.SPATIAL.value] = spatial
    return table


def _add_picture_and_scale(
    table: ad.AnnData, keys: tuple[str, str], root: "zarr.Group", name: str, by_centroids: bool, platform: str
) -> None:
    """Add the picture among whose pixels the cells lie, and the scale of Xenium, to ``uns``.

    Nothing where the table annotates several regions, or one that is not in the folder. name : of the table.
    """
    regions = table.obs[keys[0]].astype(str).unique()
    element = annotated(root, regions[0], name) if len(regions) == 1 else None
    if element is None:
        return
    # obsm['spatial'] is in the coordinates of the element, and centroids in those of its system
    try:
        to_system = to_global(transformations_of(element), regions[0])[0]
    except ReadError:
        return
    if picture := store_picture(root, element, to_system if by_centroids else np.eye(3)):
        table.uns["picture"] = picture
    # spatialdata-io's reader of Xenium: outlines in um, which the pixels of the morphology image are the system of
    is_xenium = np.allclose(to_system, np.diag([1 / XENIUM_PX, 1 / XENIUM_PX, 1]), rtol=0.005)
    if is_xenium and platform in ("", "xenium") and "spatial_unit" not in table.uns:
        table.uns["spatial_unit"] = "px" if by_centroids else "um"
        if by_centroids:
            table.uns |= {"um_per_unit": XENIUM_PX, "um_per_unit_source": "pixel of Xenium's morphology image"}


def as_text(ids: pd.Series | pd.Index) -> pd.Index:
    """Ids of cells as text: 7, 7.0, "7" and b"7" are one."""
    values = pd.Index(ids)
    if values.dtype.kind == "f" and not values.isna().any() and (values == np.floor(values)).all():
        values = values.astype(np.int64)
    return pd.Index([i.decode() if isinstance(i, bytes) else str(i) for i in values.astype(object)], dtype=object)


def several_regions(labels: np.ndarray, names: list[str], points: np.ndarray, column: str) -> None:
    """Raise ReadError when the regions of a table lie on top of each other. labels : number of each cell's region."""
    if len(names) > 1 and overlap(labels, points) >= OVERLAP:
        raise ReadError(
            f"the table annotates {len(names)} regions that lie on top of each other ({', '.join(names[:5])}): "
            f"{how_to_split(column)}"
        )


def _centroids(root: "zarr.Group", folder: Path, region: str, table: str) -> tuple[pd.DataFrame, str, str]:
    """x and y of the instances of an element, index = their ids; the coordinate system; and what was done."""
    element = annotated(root, region, table)
    if element is None:
        raise ReadError(
            f"there are no coordinates: no obsm['spatial'], and the table annotates {region}, which is not in the "
            "folder; store centroids as obsm['spatial'] of the table"
        )
    name = element.path
    kind = name.partition("/")[0]
    path = folder / name / {"shapes": "shapes.parquet", "points": "points.parquet", "labels": ""}[kind]
    if kind == "labels":
        points, attrs = label_centroids(element)
    else:
        points = _of_shapes(path) if kind == "shapes" else _of_points(path, element)
        attrs = element.attrs.asdict()
    if not points.index.is_unique:
        first = points.index[points.index.duplicated()][0]
        raise ReadError(f"{name}: ids occur more than once (first: {first}); one outline per cell is expected")
    matrix, system, done = to_global(attrs, name)
    xy = points.to_numpy() @ matrix[:2, :2].T + matrix[:2, 2]
    return pd.DataFrame(xy, index=points.index), system, f"coordinates: centroids of {name}, {done}"


def _of_shapes(path: Path) -> pd.DataFrame:
    """Centroids of a GeoParquet file of points, polygons or multipolygons."""
    import pyarrow.parquet as pq
    import shapely

    table = pq.read_table(path)
    geo = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("primary_column", "geometry")
    encoding = geo.get("columns", {}).get(column, {}).get("encoding", "WKB")
    if column not in table.column_names or encoding.upper() != "WKB":
        raise ReadError(
            f"{path.name}: a column {column} of outlines as WKB is expected, not {encoding}; write it again "
            "with spatialdata"
        )
    frame = table.to_pandas()
    centroids = shapely.centroid(shapely.from_wkb(frame[column].to_numpy()))
    points, given = np.full((len(frame), 2), np.nan), ~shapely.is_empty(centroids) & ~shapely.is_missing(centroids)
    points[given] = shapely.get_coordinates(centroids[given])
    return pd.DataFrame(points, columns=["x", "y"], index=frame.index)


def _of_points(path: Path, element: "zarr.Group") -> pd.DataFrame:
    import pyarrow.parquet as pq

    frame = pq.read_table(path).to_pandas()
    key = element.attrs.get(ATTRS, {}).get("instance_key")
    return (frame.set_index(key) if key in frame else frame)[["x", "y"]]


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
