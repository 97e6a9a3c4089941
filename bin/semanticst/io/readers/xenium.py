"""Xenium: the folder that Xenium Onboard Analysis, or Xenium Ranger in ``outs``, writes."""

import json
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import Obsm
from semanticst.io.readers.base import Reader, ReadError, Wanted, find_file, needed_columns, needed_file, visible
from semanticst.io.readers.files import open_bytes, open_text, parquet_columns, read_parquet, read_start, reading
from semanticst.io.readers.table_layout import layout_of
from semanticst.io.readers.tabular import read_columns
from semanticst.io.readers.tenx import assemble, find_flat_matrix, find_matrix, locate, read_matrix
from semanticst.io.readers.tiff import tiff_picture
from semanticst.io.readers.zarr_chunks import need_whole
from semanticst.io.sparse import load_csr
from semanticst.io.understood import cells_left_out
from semanticst.plotting.picture import Picture

CELLS = tuple(prefix + name for prefix in ("", "*") for name in ("cells.parquet", "cells.csv.gz", "cells.csv"))
MORPHOLOGY = (
    ("morphology_focus", "*0000*.ome.tif"), (".", "*morphology_focus.ome.tif"), (".", "*morphology_mip.ome.tif")
)  # fmt: skip
"""Where the image of the nuclei is: of software since 2, and of 1; the stack morphology.ome.tif is not read."""
CENTRE = ("x_centroid", "y_centroid")
AREA = "cell_area"
ZARR = ("cell_feature_matrix.zarr.zip", "cell_feature_matrix.zarr", "*cell_feature_matrix.zarr*")


def read_xenium(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read a Xenium sample: all cells of the matrix, control features marked, centres in micrometres."""
    outs = _outs(path)
    if find_file(outs, *CELLS) is None and (outs / "cells.zarr.zip").is_file():
        raise ReadError(
            "the table of cells (cells.parquet, cells.csv.gz) is missing: a folder for Xenium Explorer only, as sopa "
            "writes it? Give its SpatialData folder (.zarr), or adata.h5ad, in its place"
        )
    cells, file = read_cells(outs)
    adata, matrix = _read_counts(outs)
    at = locate(adata.obs_names, matrix, cells.index, file)
    told, um_per_px = describe_run(outs, adata.n_obs)
    notes = adata.uns["notes"] + told
    if len(cells) > len(at):
        note = f"{len(cells) - len(at)} cells of {file.name} are not in {matrix.name} and left out"
        notes.append(cells_left_out(len(cells) - len(at), note))
    found = cells.iloc[at].set_axis(adata.obs_names, axis=0)
    picture = _picture(outs, um_per_px)
    return ad.AnnData(
        adata.X,
        obs=found[[c for c in (AREA,) if c in found]],
        var=adata.var,
        obsm={Obsm.SPATIAL.value: found[list(CENTRE)].to_numpy(dtype=np.float64)},
        uns={"spatial_unit": "um", "platform": "xenium", "notes": notes, "matrix": matrix.name}
        | ({"picture": picture} if picture else {}),
    )


def read_cells(folder: Path) -> tuple[pd.DataFrame, Path]:
    """Centres (um) and areas (square um) of the cells, index cell id as text; and the file that they are from.

    Raises ReadError when the table is missing or damaged, when cells repeat, or have no id.
    """
    file = needed_file(folder, *CELLS, what="the table of cells")
    wanted = ["cell_id", *CENTRE]
    table = read_parquet(file, wanted, (AREA,)) if file.suffix == ".parquet" else _read_table(file, wanted)
    with reading(file, "a table of cells"):
        numbers = table.columns.drop("cell_id")
        table[numbers] = table[numbers].apply(pd.to_numeric)
        table.index = cell_ids(table.pop("cell_id"))
    if table.index.hasnans:
        raise ReadError(f"{file.name}: row {int(table.index.isna().argmax()) + 1} has no id; export the file again")
    repeated = table.index[table.index.duplicated()].unique()
    if len(repeated):
        raise ReadError(f"{file.name}: {len(repeated)} cell ids occur more than once (first: {repeated[0]})")
    return table, file


def _read_table(file: Path, wanted: list[str]) -> pd.DataFrame:
    """``wanted`` columns of a text, and areas; the columns of a wrong number are told with their row."""
    layout = layout_of(file)
    needed_columns(layout.columns, wanted, file)
    kept = [name for name in (*wanted, AREA) if name in layout.columns]
    at = [layout.columns.index(name) for name in kept]
    with reading(file, "a table of cells"), open_text(file) as opened:
        table = pd.read_csv(
            opened, sep=layout.separator, header=None, skiprows=layout.n_skipped, usecols=at, dtype={at[0]: str}
        )
    table = table[at].set_axis(kept, axis=1)
    if any(table[name].dtype.kind not in "iuf" for name in kept[1:]):  # says which row is no number
        return read_columns(layout, kept[:1], kept[1:], gaps=kept[1:])
    return table


def cell_ids(stored: pd.Series) -> pd.Index:
    """Cell ids as text: they come as numbers (software before 1.3), texts (aaaaaaba-1), or bytes."""
    if stored.map(type).eq(bytes).any():
        stored = stored.str.decode("utf-8")
    elif stored.dtype.kind in "iu":
        stored = stored.astype(str)
    return pd.Index(stored, dtype=object, name=None)


def packed_ids(packed: np.ndarray) -> pd.Index:
    """Cell ids as text from those of a Zarr store, n_cells x 2: number and suffix of the dataset.

    The eight hexadecimal digits of the number are written with the letters a to p: 16 and 1 are aaaaaaba-1. Older
    stores hold one number per cell, which is the id.
    """
    if packed.dtype.kind not in "iu" or packed.ndim not in (1, 2):
        raise ReadError("cell_features/cell_id holds no whole numbers")
    if packed.ndim == 1:
        return pd.Index(packed.astype(str), dtype=object)
    digits = (packed[:, :1].astype(np.uint32) >> np.arange(28, -1, -4, dtype=np.uint32)) & 15
    letters = np.ascontiguousarray(digits.astype(np.uint8) + ord("a")).view("S8")[:, 0].astype(str)
    return pd.Index([f"{word}-{suffix}" for word, suffix in zip(letters, packed[:, 1])], dtype=object)


def _picture(outs: Path, um_per_px: float | None) -> Picture | None:
    """The nuclei, as the first file of the morphology image has them; the cells lie among its pixels."""
    for folder, name in MORPHOLOGY:
        if files := visible(outs / folder, name):
            return tiff_picture(files[0], um_per_px)
    return None


def describe_run(folder: Path, n_cells: int) -> tuple[list[str], float | None]:
    """What experiment.xenium says about the run, and micrometres per pixel of its images; nothing where it is missing.

    Raises ReadError when it is damaged.
    """
    file = find_file(folder, "experiment.xenium", "*experiment.xenium")
    if file is None:
        return [], None
    with reading(file, "JSON"), open_bytes(file) as opened:
        about = json.load(opened)
        if not isinstance(about, dict):
            raise ReadError("an object that describes the run is expected")
    names = {"software": "analysis_sw_version", "run": "run_name", "region": "region_name", "panel": "panel_name"}
    told = [f"{name} {about[key]}" for name, key in names.items() if about.get(key) not in (None, "", "N/A")]
    notes = [f"{file.name}: {', '.join(told)}"] if told else []
    if isinstance(about.get("num_cells"), int) and about["num_cells"] != n_cells:
        notes.append(f"{file.name} states {about['num_cells']} cells, the matrix holds {n_cells}")
    um_per_px = about.get("pixel_size")
    return notes, float(um_per_px) if isinstance(um_per_px, int | float) and 0 < um_per_px < 100 else None


def _read_counts(outs: Path) -> tuple[ad.AnnData, Path]:
    """The matrix from HDF5, else from text files, else from Zarr: 10x writes the same counts into all three."""
    found = find_matrix(outs, "cell_feature_matrix")
    if found is None and find_file(outs, *ZARR) is None:
        found = find_flat_matrix(outs)
    if found:
        return read_matrix(found), found
    store = needed_file(
        outs, *ZARR, what="the matrix cell_feature_matrix (.h5, a folder of matrix.mtx.gz, or .zarr.zip)"
    )
    return _read_zarr(store), store


def _read_zarr(file: Path) -> ad.AnnData:
    """The matrix of a Zarr store: features x cells by row, transposed here, which takes twice its size."""
    import zarr

    stores = zarr.storage.LocalStore if file.is_dir() else zarr.storage.ZipStore
    with reading(file, "a Zarr store"), stores(file, read_only=True) as store:
        group = zarr.open_group(store, mode="r", use_consolidated=False)["cell_features"]
        missing = [name for name in ("data", "indices", "indptr", "cell_id") if name not in group]
        columns = {"id": "feature_ids", "name": "feature_keys", "type": "feature_types"}
        missing += [name for name in columns.values() if name not in group.attrs]
        if missing:
            raise ReadError(f"cell_features lacks {', '.join(missing)}")
        names = None if file.is_dir() else set(zipfile.ZipFile(file).namelist())
        for name in ("data", "indices", "cell_id"):
            need_whole(group[name], (lambda key: (file / key).is_file()) if names is None else names.__contains__)
        features = pd.DataFrame(
            {c: [str(text) for text in group.attrs[name]] for c, name in columns.items()}, dtype=object
        )
        cells = packed_ids(np.asarray(group["cell_id"][:]))
        X = load_csr(group["data"], group["indices"], group["indptr"], (len(features), len(cells)))
    return assemble(X.T.tocsr(), cells, features, file)


def _outs(path: Path) -> Path:
    return path / "outs" if (path / "outs").is_dir() else path


def _recognises(path: Path) -> bool:
    if not path.is_dir():
        return False
    outs = _outs(path)
    if any(any(outs.glob(name)) for name in ("*experiment.xenium", "*cell_feature_matrix*")):
        return True
    return find_flat_matrix(outs) is not None and _has_xenium_cells(outs)


def _has_xenium_cells(outs: Path) -> bool:
    """Whether the tables are those of Xenium, by their columns or the types of features: beside a matrix.mtx, any table
    may be called cells.csv."""
    try:
        file = find_file(outs, *CELLS)
        if file is None:
            return False
        columns = parquet_columns(file) if file.suffix == ".parquet" else layout_of(file).columns
        listed = read_start(outs, "*features.tsv", "*features.tsv.gz")
    except ReadError:
        return False
    return {"cell_id", *CENTRE} <= set(columns) and ("transcript_counts" in columns or b"Negative Control" in listed)


XENIUM = Reader(
    name="xenium",
    expects="a Xenium folder (cell_feature_matrix.h5 and cells.parquet or cells.csv.gz)",
    recognises=_recognises,
    read=read_xenium,
    platforms=("xenium",),
)
