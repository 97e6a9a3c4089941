"""CosMx SMI (NanoString, Bruker): the flat files that AtoMx exports, and those of the public data before it.

Columns: https://nanostring-biostats.github.io/CosMx-Analysis-Scratch-Space/posts/flat-file-exports/flat-files-compare.html
"""

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.assembly import assemble, pair_up, rows_of
from semanticst.io.readers.base import Reader, ReadError, Wanted, find_file, needed_columns, needed_file
from semanticst.io.readers.table_layout import Layout, layout_of
from semanticst.io.readers.tabular import read_columns, read_counts, without_row_numbers
from semanticst.io.understood import cells_left_out
from semanticst.wording import listed

COUNTS, METADATA, FOV_POSITIONS = "*exprMat_file.csv*", "*metadata_file.csv*", "*fov_positions_file.csv*"
ID_COLUMNS = ("fov", "cell_ID", "cell", "cell_id", "slide_ID", "slide_ID_numeric")
CONTROLS = r"NegPrb|Negative|SystemControl|FalseCode|(Ms|Rb|Rt)[ _.]IgG\d?\w?$"
"""What features are called that measure the background; the last are the isotype controls of protein panels."""
SLIDES = ("slide_ID", "slide_ID_numeric", "Run_Tissue_name")
"""Columns of the metadata that tell slides apart where an export holds several."""
GLOBAL_MM = (("CenterX_global_mm", "CenterY_global_mm"), ("x_slide_mm", "y_slide_mm"))
GLOBAL_PX = ("CenterX_global_px", "CenterY_global_px")
LOCAL_PX = ("CenterX_local_px", "CenterY_local_px")
OWN_COLUMNS = (*ID_COLUMNS, *SLIDES, *GLOBAL_MM[0], *GLOBAL_MM[1], *GLOBAL_PX, *LOCAL_PX, "Area", "Area.um2")
FOV_SIDE_PX = 4256
"""Side of a field of view of the commercial instrument."""
COMMERCIAL = (0.12028, "pixel of the commercial instrument, NanoString's description of the flat files")
PROTOTYPE = (0.18, "pixel of the prototype (fields wider than 4256 px), NanoString's SMI-ReadMe of the NSCLC data")


def read_cosmx(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read the counts and the metadata of one export.

    Cell ids: the vendor's ``cell`` or ``cell_id`` (``c_1_10_25``) where the metadata have it, else ``fov_cellID``;
    cell_ID 0, the background of a field of view, is left out. Coordinates: mm where the export has them, else global
    pixels; local pixels only with positions of the fields of view. ``Area`` (px^2) gives ``cell_area``.

    Raises ReadError when a file or a column is missing, damaged, or has no number where one is expected.
    """
    counts = _layout(needed_file(folder, COUNTS, what="the table of counts"), ID_COLUMNS)
    metadata = _layout(needed_file(folder, METADATA, what="the metadata of the cells"), OWN_COLUMNS)
    columns = _id_columns(counts, metadata)
    spatial_columns, unit = _spatial_columns(metadata)

    others = {name for name in counts.columns if name in ID_COLUMNS or NAMELESS.match(name)}
    ids, features, X = read_counts(counts, others)
    features, X, numbers = without_row_numbers(features, X, counts.file)
    extra = [c for c in (*LOCAL_PX, "Area", "Area.um2") if c in metadata.columns and c not in spatial_columns]
    names = [c for c in ("fov", "cell", "cell_id", *SLIDES) if c in metadata.columns]
    numbers_of = [*spatial_columns, *extra]
    cells = read_columns(metadata, list(dict.fromkeys([*columns, *names])), numbers_of, gaps=numbers_of)
    keys, placed = _keys(ids, columns), _keys(cells, columns)
    real, real_placed = (np.flatnonzero(~k.str.endswith("_0")) for k in (keys, placed))
    if not len(real) or not len(real_placed):
        raise ReadError(
            f"{(counts if not len(real) else metadata).file.name}: there are no cells but cell_ID 0 (none); "
            "segment the slide, and export it again"
        )
    rows, at, notes = pair_up(keys[real], placed[real_placed], counts.file, metadata.file)
    rows, cells, notes = real[rows], cells.iloc[real_placed[at]], notes + numbers
    if len(real) < len(keys):
        note = f"{len(keys) - len(real)} of {len(keys)} rows are of cell_ID 0 (no cell) and left out"
        notes.append(cells_left_out(len(keys) - len(real), note))

    scale = COMMERCIAL if unit == "mm" else _pixel(cells)
    spatial = cells[list(spatial_columns)].to_numpy()
    if spatial_columns == LOCAL_PX:
        spatial = spatial + _offsets(folder, cells["fov"])
    obs = {name: cells[name] for name in ("fov", "slide_ID", "slide_ID_numeric") if name in cells}
    if "Run_Tissue_name" in cells:
        obs["section"] = cells["Run_Tissue_name"]
    if "Area.um2" in cells:
        obs["cell_area"] = cells["Area.um2"]
    elif "Area" in cells:
        obs["cell_area"] = cells["Area"] * scale[0] ** 2
    return assemble(
        rows_of(X, rows), _names(cells, keys[rows]), features, spatial, unit=unit, platform="cosmx", notes=notes,
        matrix=counts.file.name,
        obs=obs, um_per_unit=None if unit == "mm" else scale,
        control=pd.Series(features).str.match(CONTROLS).to_numpy(bool),
    )  # fmt: skip


def _layout(file: Path, own: tuple[str, ...]) -> Layout:
    """The layout of a table with ``own`` columns in the vendor's spelling, which other programs change (``FOV``)."""
    table = layout_of(file)
    spelled = {name.lower(): name for name in reversed(own)}
    columns = []
    for column in table.columns:
        name = column if column in own else spelled.get(column.lower(), column)
        columns.append(column if name in table.columns else name)
    return replace(table, columns=columns)


def _id_columns(counts: Layout, metadata: Layout) -> tuple[str, ...]:
    """The columns that name a cell in both files."""
    both = set(counts.columns) & set(metadata.columns)
    for columns in (("fov", "cell_ID"), ("cell",), ("cell_id",)):
        if both.issuperset(columns):
            return columns
    for table in (counts, metadata):
        needed_columns(table.columns, ("fov", "cell_ID"), table.file)
    return ("fov", "cell_ID")


def _keys(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.Index:
    return pd.Index(table[list(columns)].agg("_".join, axis=1) if len(columns) > 1 else table[columns[0]], dtype=object)


def _names(cells: pd.DataFrame, keys: pd.Index) -> pd.Index:
    """The vendor's own names of the cells where they are unique in the sample, else the keys."""
    for column in ("cell", "cell_id"):
        if column in cells and cells[column].is_unique and cells[column].str.contains("_").all():
            return pd.Index(cells[column], dtype=object)
    return keys


def _spatial_columns(metadata: Layout) -> tuple[tuple[str, str], str]:
    for columns, unit in (*((c, "mm") for c in GLOBAL_MM), (GLOBAL_PX, "px"), (LOCAL_PX, "px")):
        if set(columns) <= set(metadata.columns):
            return columns, unit
    needed_columns(metadata.columns, GLOBAL_PX, metadata.file)
    return GLOBAL_PX, "px"


def _pixel(cells: pd.DataFrame) -> tuple[float, str]:
    """Micrometres per pixel: a cell outside 4256 x 4256 px tells a prototype, whose fields were 5472 x 3648 px."""
    local = [c for c in LOCAL_PX if c in cells]
    return PROTOTYPE if local and np.nanmax(cells[local].to_numpy()) > FOV_SIDE_PX else COMMERCIAL


def _offsets(folder: Path, fov: pd.Series) -> np.ndarray:
    """n_cells x 2, pixels: where the field of view of each cell lies.

    Only for exports before AtoMx (column ``fov``): there, global = local + offset. Later exports (``FOV``) count local
    y from the other side, and their metadata have global coordinates: without these they are refused.
    """
    file = find_file(folder, FOV_POSITIONS)
    if file is None:
        raise ReadError(
            f"the metadata have only coordinates inside each field of view ({', '.join(LOCAL_PX)}); export them with "
            f"{', '.join(GLOBAL_PX)}, or put the file of the positions of the fields ({FOV_POSITIONS}) into the folder"
        )
    positions = layout_of(file)
    if "fov" not in positions.columns and "FOV" in positions.columns:
        raise ReadError(
            f"{file.name} is of an export of AtoMx (FOV), in which y inside each field of view counts from the other "
            f"side; export the metadata with {', '.join(GLOBAL_PX)}, or, if the column was called fov, call it so again"
        )
    table = (
        read_columns(_layout(file, ("fov", "x_global_px", "y_global_px")), ["fov"], ["x_global_px", "y_global_px"])
        .drop_duplicates()
        .set_index("fov")
    )
    unknown = sorted(set(fov) - set(table.index))
    if unknown or not table.index.is_unique:
        which = listed(unknown, 5) if unknown else listed(table.index[table.index.duplicated()].unique(), 5)
        raise ReadError(
            f"{file.name}: one position is expected for each field of view, fov {which} has "
            f"{'none' if unknown else 'several'}; give the file of the same export"
        )
    return table.loc[fov].to_numpy()


COSMX = Reader(
    name="cosmx",
    expects="a folder of CosMx flat files (*exprMat_file.csv and *metadata_file.csv)",
    recognises=lambda path: path.is_dir() and any(path.glob(COUNTS)),
    read=read_cosmx,
    platforms=("cosmx",),
)
