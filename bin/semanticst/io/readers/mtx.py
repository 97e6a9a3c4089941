"""A sparse matrix in Matrix Market form with the names of its rows and columns beside it."""

from pathlib import Path

import pandas as pd
import scipy.sparse as sp

from semanticst.io.readers.base import ReadError, needed_file
from semanticst.io.readers.matrix_market import read_matrix_market
from semanticst.io.readers.name_lists import read_names, without_header

MATRIX = ("*matrix.mtx", "*matrix.mtx.gz", "*MoleculesPerMatchedBead.mtx", "*MoleculesPerMatchedBead.mtx.gz")
"""As 10x Genomics, and as Curio Seeker calls it."""
CELLS = ("*barcodes.tsv*", "*barcodes.csv*", "*barcodes.txt*", "*cells.tsv*", "*cells.csv*", "*cells.txt*")
FEATURES = ("*features.tsv*", "*features.csv*", "*features.txt*", "*genes.tsv*", "*genes.csv*", "*genes.txt*")


def read_mtx(folder: Path, cells: tuple[str, ...] = CELLS) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame, Path]:
    """Matrix (CSR float32, n_cells x n_features), ids of the cells, features (id, name, type), file of the ids.

    The file holds features x cells, as 10x writes it, or cells x features: the lists of names tell, and a square matrix
    is taken as 10x writes it. cells : patterns of the file with the ids. Types are empty where the list has none.

    Raises ReadError when a file is missing or damaged, and when the lists do not fit the matrix.
    """
    file = needed_file(folder, *MATRIX, what="the matrix")
    id_file = needed_file(folder, *cells, what="the list of cells")
    ids, features = read_names(id_file), read_names(needed_file(folder, *FEATURES, what="the list of features"))
    matrix = read_matrix_market(file)
    for X in (matrix, matrix.T):
        n_cells, n_features = X.shape
        kept_ids, kept = without_header(ids, n_cells), without_header(features, n_features)
        if len(kept_ids) == n_cells and len(kept) == n_features:
            name, kind = kept[min(1, kept.shape[1] - 1)], kept[2] if kept.shape[1] > 2 else ""
            table = pd.DataFrame({"id": kept[0], "name": name, "type": kind})
            return X.tocsr(), pd.Index(kept_ids[0], dtype=object), table, id_file
    raise ReadError(
        f"{file.name}: the matrix is {matrix.shape[1]} x {matrix.shape[0]}, but there are {len(ids)} cells and "
        f"{len(features)} features; are the three files of one sample, and whole?"
    )
