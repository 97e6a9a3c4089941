"""Files that are no sample: parts of an instrument's folder, and formats of other programs. The message leads on."""

import re
from pathlib import Path

from semanticst.io.readers.base import ReadError, visible
from semanticst.io.readers.table_layout import layout_of

Named = tuple[re.Pattern, str]


def _names(*pairs: tuple[str, str]) -> tuple[Named, ...]:
    return tuple((re.compile(rf"(^|[_.-]){pattern}(\.gz)?$", re.IGNORECASE), what) for pattern, what in pairs)


BY_NAME = _names(
    (r"(filtered|raw)_feature_bc_matrix\.h5", "the matrix of a Visium folder"),
    (r"(filtered|raw)_feature_cell_matrix\.h5", "the matrix of segmented_outputs of Space Ranger"),
    (r"cell_feature_matrix\.(h5|zarr\.zip|tar)", "the matrix of a Xenium folder"),
    (r"cells\.(parquet|zarr\.zip)", "the table of cells of a Xenium folder"),
    (r"transcripts\.(parquet|csv|zarr\.zip)", "the transcripts of a Xenium folder"),
    (r"(cell|nucleus)_boundaries\.(parquet|csv)", "the outlines of the cells of a folder"),
    (r"experiment\.xenium", "the description of a Xenium folder"),
    (r"exprMat_file\.csv", "the counts of a CosMx folder"),
    (r"(metadata_file|tx_file|fov_positions_file|-polygons)\.csv", "a table of a CosMx folder"),
    (r"cell_by_gene\.csv", "the counts of a MERSCOPE folder"),
    (r"detected_transcripts\.csv", "the transcripts of a MERSCOPE folder"),
    (r"tissue_positions(_list)?\.(csv|parquet)", "the positions of a Visium folder"),
    (r"scalefactors_json\.json", "the scale factors of a Visium folder"),
    (r"matrix\.mtx", "the matrix of a folder with barcodes and features"),
    (r"(barcodes|features|genes)\.tsv", "a list of names of a folder with matrix.mtx"),
    (r"(Matched)?BeadLocations?(ForR)?\.csv", "the places of a Slide-seq folder"),
    (r"digital_expression\.txt", "the counts of a Slide-seq folder"),
    (r"MappedDGEForR\.csv", "the counts of a Slide-seq folder"),
    (r"(zarr\.json|\.zattrs|\.zgroup|\.zmetadata)", "the metadata of a store (.zarr)"),
)
BY_COLUMNS = (
    ({"cell_id", "x_centroid", "y_centroid", "transcript_counts"}, "the table of cells of a Xenium folder"),
    ({"transcript_id", "x_location", "y_location"}, "the transcripts of a Xenium folder"),
    ({"fov", "cell_ID", "CenterX_local_px"}, "the metadata of a CosMx folder"),
    ({"fov", "cell_ID", "target"}, "the transcripts of a CosMx folder"),
    ({"center_x", "center_y", "min_x", "max_x"}, "the metadata of a MERSCOPE folder"),
    ({"center_x", "center_y", "fov", "volume"}, "the metadata of a MERSCOPE folder"),
    ({"barcode", "in_tissue", "pxl_row_in_fullres"}, "the positions of a Visium folder"),
)
"""Columns that only these tables have. A table that has genes beside them may be a sample of its own."""
MOST_COLUMNS = 40
"""No part of an instrument's folder is wider, but for counts."""
FOREIGN = {
    ".rds": "it is an object of R (Seurat?); give the instrument's folder, or write it as .h5ad (in R: anndataR)",
    ".rda": "it is objects of R; give the instrument's folder, or write one as .h5ad (in R: anndataR)",
    ".h5seurat": "it is a Seurat object; in R: SeuratDisk::Convert(file, dest = 'h5ad')",
    ".h5mu": "it is a MuData object; write one modality: mudata['rna'].write_h5ad('sample.h5ad'), with obsm['spatial']",
    ".loom": "it is a loom file; anndata.io.read_loom(file), obsm['spatial'] = coordinates, write_h5ad('sample.h5ad')",
    ".xlsx": "it is a spreadsheet; save the sheet as .csv",
    ".xls": "it is a spreadsheet; save the sheet as .csv",
    ".h5": "it is HDF5 of no known layout; give the instrument's folder, or an .h5ad file",
    ".hdf5": "it is HDF5 of no known layout; give the instrument's folder, or an .h5ad file",
    ".parquet": "it is a parquet table alone; give the instrument's folder, or a table as .csv",
    ".mcd": "it is raw images; segment them first (steinbock, MCMICRO), and give the table of cells",
    ".tif": "it is an image; segment it first, and give the table of cells",
    ".tiff": "it is an image; segment it first, and give the table of cells",
    ".qptiff": "it is an image; segment it first, and give the table of cells",
    ".bam": "it is reads; give what the instrument's software made of them",
    ".geojson": "it is outlines without counts; give the table of cells",
    ".json": "it is no table of cells",
    **dict.fromkeys(
        (".7z", ".rar", ".bz2", ".xz", ".zst"), "it is packed; unpack it (.zip, .tar and .gz are read packed)"
    ),
}
"""Ending, in lower case: what it is, and what to do."""
COUNTS_IN_OTHER_FORM = re.compile(
    r"(^|[_.-])(counts?|expression|matrix|intensities)\.((csv|tsv|txt)\.(bz2|xz|zst|zip|7z)|parquet|feather|xlsx?|npz|npy|rds)$",
    re.IGNORECASE,
)
MATRIX_FOLDER = re.compile(r"(^|[_.-])((filtered|raw)_feature_(bc|cell)_matrix|cell_feature_matrix)$", re.IGNORECASE)
MATRIX_FILE = re.compile(r"(matrix\.mtx|(barcodes|features|genes)\.tsv)(\.gz)?$", re.IGNORECASE)


def need_whole_sample(path: Path) -> None:
    """Raise ReadError when ``path`` is a part of a sample; the message says of what, and which path to give."""
    if path.is_dir():
        names = [p.name for p in path.iterdir() if not p.name.startswith(".")]
        matrix = MATRIX_FOLDER.search(path.name) and all(MATRIX_FILE.search(name) for name in names)
        places = path.name == "spatial" and any("tissue_positions" in name for name in names)
        if matrix or (places and not any("matrix" in name for name in names)):
            raise ReadError(f"this is a part of a sample; give the folder that holds {path.name}")
        return
    what = next((text for pattern, text in BY_NAME if pattern.search(path.name)), None) or _by_columns(path)
    if what:
        raise ReadError(f"this is {what}; give the folder")


def parts_only(folder: Path) -> str:
    """What a folder that no reader knows holds of an instrument's, or counts in a form that is not read; or ``""``."""
    for file in (p for p in visible(folder) if p.is_file()):
        what = next((text for pattern, text in BY_NAME if pattern.search(file.name)), None)
        if what:
            return f"it holds {what} ({file.name}), but not the other files: give the whole folder, as it was written"
        if COUNTS_IN_OTHER_FORM.search(file.name):
            return f"{file.name} is not read; write it as .csv or .tsv, plain or .gz"
    return ""


def foreign(path: Path) -> str:
    """What a file of another program is and what to do, or ``""``."""
    return FOREIGN.get(path.suffix.lower(), "")


def _by_columns(path: Path) -> str | None:
    if not re.search(r"\.(csv|tsv|txt)(\.gz)?$", path.name, re.IGNORECASE):
        return None
    try:
        columns = layout_of(path).columns
    except ReadError:
        return None  # its reader says what is wrong
    found = (what for names, what in BY_COLUMNS if names <= set(columns))
    return next(found, None) if len(columns) <= MOST_COLUMNS else None
