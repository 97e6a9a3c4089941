"""Parts of an AnnData object in a file (.h5ad) or a store (.zarr): values, names, coordinates, scale.

Groups of h5py and of zarr are read alike. Only what is needed is loaded, so that a file full of embeddings and images
costs no memory.
"""

from collections.abc import Callable, Collection

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from semanticst.constants import UNS, Obsm
from semanticst.io.gene_names import IDS, SYMBOLS
from semanticst.io.proteins import protein_key
from semanticst.io.readers.anndata_values import corrected_counts, is_array, other_counts, perhaps_counts, values_of
from semanticst.io.readers.base import ReadError, Wanted
from semanticst.io.readers.column_names import is_axis, spatial_pair, spatial_pairs
from semanticst.io.readers.object_scale import UNKNOWN, scale_of_object
from semanticst.io.readers.pictures import object_picture
from semanticst.io.readers.table_cells import other_places
from semanticst.io.several_sections import plain
from semanticst.io.sparse import load_csr

KEYS = ("spatial", "X_spatial", "spatial_coords", "X_spatial_coords", "coordinates", "X_centroids", "X_coordinates")
"""Of obsm, the first that is there: scanpy and squidpy; Curio Seeker and the converters of Seurat objects; others."""
ON_ARRAY = ("array_col", "array_row")
OF_SLIDE = "spatial_fov"
"""squidpy's reader of CosMx writes coordinates inside each field of view as ``spatial``, those on the slide as this."""

Check = Callable[[object], None]
"""Called with every stored array before it is read."""


def read_object(group, wanted: Wanted, check: Check = lambda array: None) -> ad.AnnData:
    """Values, obs, var and coordinates of a group; no coordinates where there are none.

    Values: whole numbers (counts) wherever the object has them, else ``layers['counts']``, else X; see `values_of`.
    Raises ReadError when parts are missing or contradict one another.
    """
    for part in ("obs", "var"):
        if part not in group:
            raise ReadError(f"not an AnnData object: it has no '{part}'")
        if is_array(group[part]):
            raise ReadError("written by anndata older than 0.7; read and write it again with a newer anndata")
        if "_index" in group[part].attrs:
            _check_all(group[part][group[part].attrs["_index"]], check)
    values, notes = values_of(group, wanted.feature_type)
    looks = (perhaps_counts, other_counts, corrected_counts)
    doubts = [text for look in looks for text in look(group, values, wanted.feature_type)]
    obs, var = read_elem(group["obs"]), read_elem(group["var"])
    if values == "raw/X":
        var = _names_added(read_elem(group["raw/var"]), var)
    X = read_matrix(group[values], check)
    if X.shape != (len(obs), len(var)):
        raise ReadError(
            f"damaged: {values} is {X.shape[0]} x {X.shape[1]}, but there are {len(obs)} x {len(var)} names"
        )
    adata = ad.AnnData(X, obs=obs, var=var, uns={"notes": notes, "matrix": values})
    points, found, unit = coordinates_of(group, obs, check)
    if points is not None:
        adata.obsm[Obsm.SPATIAL.value] = points
        more, doubtful = _other_places(group, obs)
        adata.uns["notes"] += found + more
        doubts += doubtful
    if doubts:
        adata.uns["warnings"] = doubts
    if (key := protein_key(group.get("obsm", ()))) is not None:
        adata.obsm[key] = _proteins(group, key, adata.obs_names, check)
    adata.uns |= scale_of_object(group, adata, wanted.platform, unit)
    if picture := object_picture(group.get("uns", {})):
        adata.uns["picture"] = picture
    return adata


def read_matrix(stored, check: Check = lambda array: None):
    """CSR float32 for what is stored by row, else as anndata reads it."""
    if is_array(stored):
        check(stored)
        return read_elem(stored)
    for name in ("data", "indices"):
        if name in stored:
            check(stored[name])
    if stored.attrs.get("encoding-type") == "csr_matrix":
        n_cells, n_features = (int(n) for n in stored.attrs["shape"])
        return load_csr(stored["data"], stored["indices"], stored["indptr"], (n_cells, n_features))
    return read_elem(stored)


def _proteins(group, key: str, cells: pd.Index, check: Check) -> pd.DataFrame | np.ndarray:
    """Proteins of ``obsm``, as a table where something names them: its columns, or an entry of ``uns``."""
    _check_all(group[f"obsm/{key}"], check)
    stored = read_elem(group[f"obsm/{key}"])
    if isinstance(stored, pd.DataFrame):
        return stored.set_axis(cells, axis=0)
    values = stored.toarray() if sp.issparse(stored) else np.asarray(stored)
    for place in (f"uns/{key}_names", "uns/protein_names", f"uns/{UNS}/protein_names"):
        names = np.ravel(read_elem(group[place])) if place in group else ()
        if values.ndim == 2 and len(names) == values.shape[1]:
            return pd.DataFrame(values, index=cells, columns=[str(name) for name in names])
    return values.reshape(len(cells), -1)


def coordinates_of(group, obs: pd.DataFrame, check: Check) -> tuple[np.ndarray | None, list[str], str]:
    """n_cells x 2 or more, notes, and the unit where names of columns tell it, else unknown; None where neither obsm
    nor columns of obs hold them."""
    obsm = list(group["obsm"]) if "obsm" in group else []
    key = _key_of(obsm)
    if key is not None:
        stored = group[f"obsm/{key}"]
        _check_all(stored, check)
        points, notes, unit = in_order(read_elem(stored))
        if len(points) != len(obs):
            shape = " x ".join(map(str, points.shape))
            raise ReadError(f"obsm['{key}'] is {shape}, but there are {len(obs)} cells: cells x 2 is expected")
        if OF_SLIDE in obsm:
            _refuse_inside_fields(points, in_order(read_elem(group[f"obsm/{OF_SLIDE}"]))[0], obs)
        if key != Obsm.SPATIAL:
            notes.append(f"coordinates: obsm['{key}']")
        return points, notes, unit
    pair = next(iter(spatial_pairs(_numbers(obs))), None)
    if pair is None:
        return None, [], UNKNOWN
    return (
        _as_numbers(obs[list(pair[:2])]).to_numpy(np.float64),
        [f"coordinates: columns {pair[0]} and {pair[1]} of obs"],
        pair[2],
    )


def _key_of(obsm: Collection[str]) -> str | None:
    """The first of `KEYS` among the names of obsm, in that case or another."""
    by_name = {name.lower(): name for name in obsm}
    return next((key if key in obsm else by_name[key.lower()] for key in KEYS if key.lower() in by_name), None)


def _other_places(group, obs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Notes and warnings about further columns of obs with coordinates, where columns of obs are the coordinates."""
    if "obsm" in group and _key_of(list(group["obsm"])):
        return [], []
    (x, y, _), *others = spatial_pairs(_numbers(obs))
    return other_places(_as_numbers(obs[[x, y]]), others, lambda names: _as_numbers(obs[names]))


def _numbers(obs: pd.DataFrame) -> list[str]:
    """Names of the columns of numbers, and of those that are called as coordinates and hold numbers as text."""
    return [
        name for name in obs.columns
        if pd.api.types.is_numeric_dtype(obs[name].dtype)
        or (is_axis(str(name)) and _as_numbers(obs[[name]]).notna().to_numpy().mean() > 0.5)
    ]  # fmt: skip


def _as_numbers(columns: pd.DataFrame) -> pd.DataFrame:
    return columns.astype(object).apply(pd.to_numeric, errors="coerce")


def _refuse_inside_fields(points: np.ndarray, others: np.ndarray, obs: pd.DataFrame) -> None:
    """Raise ReadError when there are several fields of view, and ``others`` spans more than ``points``."""
    fields = next((obs[name] for name in obs.columns if plain(name) in ("fov", "fovid")), None)
    if fields is None or fields.nunique() < 2:
        return
    if np.ptp(others[:, :2], axis=0).max() > 1.2 * np.ptp(points[:, :2], axis=0).max():
        raise ReadError(
            f"obsm['spatial'] is inside each field of view (column {fields.name}), obsm['{OF_SLIDE}'] on the slide: "
            f"adata.obsm['spatial'] = adata.obsm['{OF_SLIDE}'], and write the file again"
        )


def in_order(stored) -> tuple[np.ndarray, list[str], str]:
    """Coordinates with x first where the names of columns tell which it is, a note about it, and their unit."""
    if not isinstance(stored, pd.DataFrame):
        points = stored.toarray() if sp.issparse(stored) else np.asarray(stored)
        return _from_text(points), [], UNKNOWN
    pair = spatial_pair(stored.columns) or ((*ON_ARRAY, UNKNOWN) if set(ON_ARRAY) <= set(stored.columns) else None)
    if pair is None:
        return stored.to_numpy(), [], UNKNOWN
    return stored[list(pair[:2])].to_numpy(np.float64), [f"coordinates: x is {pair[0]}, y is {pair[1]}"], pair[2]


def _from_text(points: np.ndarray) -> np.ndarray:
    """Numbers of what is stored as text; as it is where they are none."""
    if points.dtype.kind not in "OSUT" or points.ndim != 2:
        return points
    numbers = _as_numbers(pd.DataFrame(points))
    return points if numbers.isna().to_numpy().all() else numbers.to_numpy(np.float64)


def _names_added(raw: pd.DataFrame, var: pd.DataFrame) -> pd.DataFrame:
    """``raw.var`` with the columns of names that only ``var`` has."""
    known = {*IDS, *SYMBOLS, "control", "featuretypes", "featuretype"}
    lacking = [name for name in var.columns if plain(name) in known and name not in raw.columns]
    if not lacking or not var.index.is_unique:
        return raw
    return raw.join(var[lacking].astype(object))


def _check_all(stored, check: Check) -> None:
    """Check an array, or those of a group."""
    for array in [stored] if is_array(stored) else [stored[name] for name in stored if is_array(stored[name])]:
        check(array)
