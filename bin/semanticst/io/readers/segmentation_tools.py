"""Files of programs that segment cells: proseg, Baysor, and steinbock.

Layouts: https://github.com/dcjones/proseg, https://github.com/kharchenkolab/Baysor,
https://bodenmillergroup.github.io/steinbock. Seen as written by us after their documentation, not from a run of theirs.
"""

import re
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.io.readers.assembly import assemble
from semanticst.io.readers.base import Reader, ReadError, Wanted, find_file, needed_file, visible
from semanticst.io.readers.files import open_text, read_parquet, reading
from semanticst.io.readers.matrix_market import read_matrix_market
from semanticst.io.readers.table_layout import layout_of
from semanticst.io.readers.tables import TABLE, join_tables, place_counts
from semanticst.io.readers.tabular import read_columns, read_counts
from semanticst.io.understood import cells_left_out

PROSEG_CELLS = ("*cell-metadata.csv*", "*cell-metadata.parquet")
PROSEG_EXPECTED = ("*expected-counts.csv*", "*expected-counts.parquet")
PROSEG_MATRIX = ("*counts.mtx", "*counts.mtx.gz")
PROSEG_GENES = ("*gene-metadata.csv*", "*gene-metadata.parquet")
BAYSOR_CELLS = ("*cell_stats.csv*",)
BAYSOR_COUNTS = ("*segmentation_counts.tsv*", "*segmentation_counts.loom", "*_counts.tsv*", "*_counts.loom")


def read_proseg(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Counts, whose rows are the cells in the order of the metadata, and centroids in micrometres.

    The most likely counts (counts.mtx) where they are there, else the expected ones rounded to whole numbers: they are
    means over the uncertain borders of cells. Cells without a centroid (nothing was left in them) are left out.

    Raises ReadError when a file is missing or damaged, or when they differ in the number of cells.
    """
    cells, cell_file = _proseg_cells(folder)
    matrix, notes = find_file(folder, *PROSEG_MATRIX), []
    if matrix:
        X = read_matrix_market(matrix)
        genes = _proseg_genes(needed_file(folder, *PROSEG_GENES, what="the table of genes"))
        X = X if X.shape == (len(cells), len(genes)) else X.T.tocsr()
    else:
        matrix = needed_file(folder, *PROSEG_EXPECTED, what="the counts (counts.mtx or expected-counts)")
        genes, X = _expected(matrix)
        X.data = np.rint(X.data)
        X.eliminate_zeros()
        notes.append(f"{matrix.name}: expected counts are rounded to whole numbers")
    if X.shape != (len(cells), len(genes)):
        raise ReadError(
            f"{matrix.name} is {X.shape[0]} x {X.shape[1]}, but there are {len(cells)} cells in {cell_file.name} and "
            f"{len(genes)} genes; are they of one run?"
        )
    spatial = cells[["centroid_x", "centroid_y"]].to_numpy(np.float64)
    placed = np.isfinite(spatial).all(axis=1)
    if not placed.all():
        note = f"{(~placed).sum()} of {len(placed)} cells have no centroid and are left out"
        notes.append(cells_left_out((~placed).sum(), note))
    return assemble(
        X[placed], cells["cell"].to_numpy()[placed], genes, spatial[placed], unit="um", notes=notes, matrix=matrix.name
    )


def _proseg_cells(folder: Path) -> tuple[pd.DataFrame, Path]:
    file = needed_file(folder, *PROSEG_CELLS, what="the table of cells")
    numbers = ["centroid_x", "centroid_y"]
    if file.suffix == ".parquet":
        cells = read_parquet(file, ["cell", *numbers])
    else:
        cells = read_columns(layout_of(file), ["cell"], numbers, gaps=numbers)
    return cells.astype({"cell": str}), file


def _proseg_genes(file: Path) -> list[str]:
    if file.suffix == ".parquet":
        return read_parquet(file, ["gene"])["gene"].astype(str).tolist()
    with reading(file, "a table of genes"), open_text(file) as opened:
        return pd.read_csv(opened, usecols=["gene"], dtype=str, keep_default_na=False)["gene"].tolist()


def _expected(file: Path) -> tuple[list[str], sp.csr_matrix]:
    if file.suffix == ".parquet":
        with reading(file, "a parquet table"):
            frame = pd.read_parquet(file)
            return list(map(str, frame.columns)), sp.csr_matrix(frame.to_numpy(np.float32))
    _, genes, X = read_counts(layout_of(file), ())
    return genes, X


def read_baysor(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Counts, genes x cells, and centroids of the cells, in the unit of the transcripts that Baysor was given.

    Raises ReadError when a file is missing or damaged.
    """
    places = layout_of(needed_file(folder, *BAYSOR_CELLS, what="the table of cells"))
    counts = needed_file(folder, *BAYSOR_COUNTS, what="the table of counts")
    if counts.suffix == ".loom":
        with reading(counts, "a loom file"), h5py.File(counts, "r") as file:
            X = sp.csr_matrix(np.asarray(file["matrix"], np.float32))
            genes = [_text(name) for name in file["row_attrs/Name"][:]]
            ids = [_text(name) for name in file["col_attrs"]["CellID" if "CellID" in file["col_attrs"] else "Name"][:]]
    else:
        table = layout_of(counts)
        names, ids, X = read_counts(table, (table.columns[0],))
        genes = names[table.columns[0]].tolist()
    # genes x cells; Julia turns a matrix of HDF5 over
    X = X if X.shape == (len(ids), len(genes)) != (len(genes), len(ids)) else X.T.tocsr()
    return place_counts(X, pd.Index(ids, dtype=object), genes, counts, places, "cell", wanted.part_columns)


def read_steinbock(path: Path, wanted: Wanted) -> ad.AnnData:
    """One image of steinbock: intensities/IMAGE.csv with regionprops/IMAGE.csv beside it.

    ``path`` is the table of intensities, or the folder of a run that holds one image. Raises ReadError for a folder of
    several images.
    """
    if path.is_dir():
        tables = [p for p in visible(path / "intensities") if re.search(TABLE, p.name, re.IGNORECASE)]
        if len(tables) != 1:
            shown = ", ".join(f"intensities/{p.name}" for p in tables[:3]) + (", ..." if len(tables) > 3 else "")
            raise ReadError(f"there are {len(tables)} images; give each a row of the samplesheet: {shown or 'none'}")
        path = tables[0]
    return join_tables(path, _regionprops, wanted.part_columns)


def _regionprops(intensities: Path) -> Path:
    file = intensities.parent.parent / "regionprops" / intensities.name
    if not file.is_file():
        raise ReadError(f"regionprops/{intensities.name} is missing beside intensities; measure it (steinbock measure)")
    return file


def _is_steinbock(path: Path) -> bool:
    if path.is_dir():
        return (path / "intensities").is_dir() and (path / "regionprops").is_dir()
    return path.parent.name == "intensities" and (path.parent.parent / "regionprops").is_dir()


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _holds(path: Path, *patterns: str) -> bool:
    return path.is_dir() and any(any(path.glob(pattern)) for pattern in patterns)


PROSEG = Reader(
    name="proseg",
    expects="a folder of proseg (cell-metadata.csv.gz and counts.mtx.gz or expected-counts.csv.gz)",
    recognises=lambda path: _holds(path, *PROSEG_CELLS) and _holds(path, *PROSEG_EXPECTED, *PROSEG_MATRIX),
    read=read_proseg,
)
BAYSOR = Reader(
    name="baysor",
    expects="a folder of Baysor (segmentation_counts.tsv and segmentation_cell_stats.csv)",
    recognises=lambda path: _holds(path, *BAYSOR_CELLS) and _holds(path, *BAYSOR_COUNTS),
    read=read_baysor,
)
STEINBOCK = Reader(
    name="steinbock",
    expects="a table of steinbock (intensities/IMAGE.csv, with regionprops/IMAGE.csv)",
    recognises=_is_steinbock,
    read=read_steinbock,
)
