"""Common part of Visium and Visium HD folders: the ``spatial`` folder of Space Ranger."""

import json
import re
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import Obsm
from semanticst.io.readers.base import AGAIN, ReadError, file_names, find_file, needed_columns, needed_file
from semanticst.io.readers.files import open_bytes, open_text, read_parquet, reading
from semanticst.io.readers.tenx import find_flat_matrix, find_matrix, locate, read_matrix
from semanticst.io.understood import cells_left_out

COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
POSITIONS = tuple(
    prefix + name
    for prefix in ("", "*")
    for name in ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv",
                 "tissue_positions.csv.gz", "tissue_positions_list.csv.gz")
)  # fmt: skip
AGGREGATED = "*aggr_tissue_positions*"
"""What spaceranger aggr writes: the positions of all sections that it merged."""
SCALEFACTORS = ("scalefactors_json.json", "*scalefactors_json.json", "*scalefactors_json.json.gz")


def spatial_folder(outs: Path) -> Path:
    """The folder ``spatial``, or ``outs`` itself, as in archives that keep all files in one folder."""
    return outs / "spatial" if (outs / "spatial").is_dir() else outs


def read_counts(outs: Path) -> tuple[ad.AnnData, Path]:
    """The filtered matrix, or else the raw one, which also holds what lies beside the tissue; and its path."""
    for name in ("filtered_feature_bc_matrix", "raw_feature_bc_matrix"):
        found = find_matrix(outs, name)
        if found:
            adata = read_matrix(found)
            if name.startswith("raw"):
                adata.uns["notes"].append(f"there is no filtered matrix; {found.name} is read, and in_tissue respected")
            return adata, found
    if flat := find_flat_matrix(outs):
        return read_matrix(flat), flat
    raise ReadError(
        "the counts are missing: expected filtered_feature_bc_matrix.h5 or a folder filtered_feature_bc_matrix; the "
        f"folder holds {file_names(outs)}"
    )


def read_positions(spatial: Path) -> tuple[pd.DataFrame, Path]:
    """Positions of all spots or bins, and the file that they are from.

    Index barcode; in_tissue (bool), array_row, array_col, x and y in pixels of the full-resolution image, x to the
    right and y down; ``attrs['header']`` has the columns in the order of the file. Raises ReadError when the file is
    missing or damaged, or when barcodes repeat.
    """
    merged = find_file(spatial, AGGREGATED)
    if merged:
        raise ReadError(
            f"{merged.name} holds the spots of several sections, which spaceranger aggr put into one matrix; give each "
            "section a row of the samplesheet, with its own folder outs"
        )
    file = needed_file(spatial, *POSITIONS, what="the table of positions")
    table = read_parquet(file, COLUMNS) if file.suffix == ".parquet" else _read_csv(file)
    first_row = 2 if "header" in table.attrs else 1
    table.attrs.setdefault("header", list(COLUMNS))
    numbers = list(COLUMNS[1:])
    with reading(file, "a table of positions"):
        table[numbers] = table[numbers].apply(pd.to_numeric)
    broken = table.isna().any(axis=1).to_numpy()
    if broken.any():
        raise ReadError(f"{file.name}: row {int(broken.argmax()) + first_row} is incomplete; copy the file again")
    if not table["in_tissue"].isin([0, 1]).all():
        wrong = table.loc[~table["in_tissue"].isin([0, 1])].iloc[0]
        raise ReadError(f"{file.name}: in_tissue of {wrong['barcode']} is {wrong['in_tissue']:g}; 0 or 1 is expected")
    table = table.set_index("barcode")
    repeated = table.index[table.index.duplicated()].unique()
    if len(repeated):
        raise ReadError(f"{file.name}: {len(repeated)} barcodes occur more than once (first: {repeated[0]}); {AGAIN}")
    table["in_tissue"] = table["in_tissue"] == 1
    return table.rename(columns={"pxl_col_in_fullres": "x", "pxl_row_in_fullres": "y"}), file


def _read_csv(file: Path) -> pd.DataFrame:
    """The table with a header (Space Ranger 2 and later) or without one (Space Ranger 1)."""
    with reading(file, "a table of positions"), open_text(file) as opened:
        # row numbers of pandas or R may stand in front
        first = opened.readline()
        headed = b"barcode" in re.split(rb'["\s,;]+', first)[:3]
        separator = max(",;\t", key=first.decode(errors="replace").count)  # Excel writes semicolons in many countries
    with reading(file, "a table of positions"), open_text(file) as opened:
        table = pd.read_csv(opened, sep=separator, header=0 if headed else None, dtype={"barcode": str, 0: str})
        if not headed and table.shape[1] != len(COLUMNS):
            raise ReadError(f"{len(COLUMNS)} columns are expected ({', '.join(COLUMNS)}), {table.shape[1]} are there")
    if headed:
        needed_columns(table.columns, COLUMNS, file)
        ordered = table[list(COLUMNS)].copy()
        ordered.attrs["header"] = [column for column in table.columns if column in COLUMNS]
        return ordered
    return table.set_axis(list(COLUMNS), axis=1)


def read_scalefactors(spatial: Path) -> tuple[dict, Path | None]:
    """The numbers of scalefactors_json.json and the file; nothing when it is missing. Raises ReadError on damage."""
    file = find_file(spatial, *SCALEFACTORS)
    if file is None:
        return {}, None
    with reading(file, "JSON"), open_bytes(file) as opened:
        factors = json.load(opened)
        if not isinstance(factors, dict):
            raise ReadError("an object with the scale factors is expected")
    return factors, file


def positive(factors: dict, name: str) -> float | None:
    """A scale factor, or None when it is missing or no positive number."""
    value = factors.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if np.isfinite(value) and value > 0 else None


def place(adata: ad.AnnData, counts: Path, positions: pd.DataFrame, file: Path) -> ad.AnnData:
    """Give each barcode its position, and leave out those that are not in the tissue.

    obs : array_row, array_col. obsm['spatial'] : pixels. Raises ReadError when a barcode has no position, when none is
    in the tissue, or when barcodes are of several slides.
    """
    _one_slide(adata.obs_names, counts)
    found = positions.iloc[locate(adata.obs_names, counts, positions.index, file)]
    kept = found["in_tissue"].to_numpy()
    if not kept.any():
        raise ReadError(f"{file.name}: none of the {len(kept)} barcodes of {counts.name} is in the tissue (in_tissue)")
    notes, X, names = adata.uns["notes"], adata.X, adata.obs_names
    if not kept.all():
        note = f"{(~kept).sum()} of {len(kept)} barcodes are not in the tissue and left out"
        notes.append(cells_left_out((~kept).sum(), note))
        found, X, names = found[kept], X[kept], names[kept]
    return ad.AnnData(
        X,
        obs=found[["array_row", "array_col"]].set_axis(names, axis=0),
        var=adata.var,
        obsm={Obsm.SPATIAL.value: found[["x", "y"]].to_numpy(dtype=np.float64)},
        uns={"spatial_unit": "px", "notes": notes, "matrix": counts.name},
    )


def _one_slide(barcodes: pd.Index, matrix: Path) -> None:
    """Raise ReadError when barcodes end in several numbers: a matrix of spaceranger aggr, which counts the sections.

    A sample of them is looked at: the sections follow one another.
    """
    some = barcodes[:: max(1, len(barcodes) // 2000)].append(barcodes[-1:])
    ends = sorted({str(name).rpartition("-")[2] for name in some if "-" in str(name)})
    if len(ends) > 1:
        raise ReadError(
            f"{matrix.name} holds {len(ends)} sections (barcodes end in -{', -'.join(ends[:3])}), as spaceranger aggr "
            "merges them; give each section a row of the samplesheet, with its own folder outs"
        )
