"""The feature-barcode matrix that all pipelines of 10x Genomics write, as HDF5 or as a folder of text files.

10x stores features x barcodes by column (CSC); read as rows, the same three arrays are barcodes x features, so that
nothing is transposed in memory.
"""

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from semanticst.io.feature_roles import others_note, proteins, roles
from semanticst.io.readers.base import AGAIN, ReadError, find_file, needed_file
from semanticst.io.readers.files import reading
from semanticst.io.readers.matrix_market import read_matrix_market
from semanticst.io.readers.name_lists import read_names, without_header
from semanticst.io.sparse import load_csr, regroup_columns
from semanticst.io.understood import features_left_out

ARRAYS = ("data", "indices", "indptr", "shape", "barcodes")


def find_matrix(folder: Path, name: str) -> Path | None:
    """The matrix called ``name`` in ``folder``: ``name.h5``, or else the folder ``name``; both may have a prefix.

    Raises ReadError when several would do.
    """
    found = find_file(folder, f"{name}.h5", name, f"*{name}.h5", f"*{name}")
    return found if found is None or found.suffix == ".h5" or found.is_dir() else None


def find_flat_matrix(folder: Path) -> Path | None:
    """``folder`` itself where it holds matrix.mtx, barcodes and features with a prefix, as in GEO; else None."""
    parts = (_variants("matrix.mtx"), _variants("barcodes.tsv"), (*_variants("features.tsv"), *_variants("genes.tsv")))
    return folder if all(any(any(folder.glob(name)) for name in names) for names in parts) else None


def read_matrix(path: Path) -> ad.AnnData:
    """The matrix of one .h5 file or one folder: n_barcodes x n_features, CSR, float32.

    obs : index = barcodes. var : index = symbols, ``gene_id``, and ``control`` where there are control features,
    ``feature_types`` where there are proteins (antibodies). uns['notes'] : says which features are left out, as neither
    genes, proteins nor controls (CRISPR guides).

    Raises ReadError when the file is damaged, when barcodes repeat, and when there are no genes.
    """
    X, barcodes, features = _read_folder(path) if path.is_dir() else _read_h5(path)
    return assemble(X, barcodes, features, path)


def assemble(X, barcodes: pd.Index, features: pd.DataFrame, file: Path) -> ad.AnnData:
    """AnnData of a matrix and its names; see `read_matrix`. features : id, name, type in the order of the columns."""
    if X.shape != (len(barcodes), len(features)):
        raise ReadError(
            f"{file.name}: the matrix is damaged: {X.shape[0]} x {X.shape[1]} values, but {len(barcodes)} barcodes and "
            f"{len(features)} features"
        )
    repeated = barcodes[barcodes.duplicated()].unique()
    if len(repeated):
        raise ReadError(
            f"{file.name}: {len(repeated)} barcodes occur more than once (first: {repeated[0]}); of several sections, "
            "give the folder of each"
        )
    (gene, control), protein = roles(features["type"]), proteins(features["type"])
    if not gene.any():
        found = ", ".join(features["type"].unique()) or "nothing"
        raise ReadError(
            f"{file.name}: there are no features of type Gene Expression, only {found}; give the matrix with genes"
        )
    notes, keep = [], gene | control | protein
    if not keep.all():
        notes.append(features_left_out((~keep).sum(), others_note(features.loc[~keep, "type"])))
        X = regroup_columns(X, np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32), int(keep.sum()))
        features, control, protein = features[keep], control[keep], protein[keep]
    symbols = features["name"].where(features["name"] != "", features["id"])
    var = pd.DataFrame({"gene_id": features["id"].to_numpy()}, index=pd.Index(symbols.to_numpy(), dtype=object))
    if control.any():
        var["control"] = control
    if protein.any():
        var["feature_types"] = features["type"].to_numpy()
    return ad.AnnData(X, obs=pd.DataFrame(index=barcodes), var=var, uns={"notes": notes, "matrix": file.name})


def locate(barcodes: pd.Index, matrix: Path, listed: pd.Index, table: Path) -> np.ndarray:
    """Row of ``table`` for each barcode of ``matrix``; ``listed`` are the ids of the table, none of them twice.

    Raises ReadError when a barcode has no row. The vendor's tables are complete, so that one of the files is cut short
    or belongs to another sample, and what is left would be a sample nobody measured.
    """
    at = listed.get_indexer(barcodes)
    missing = at < 0
    if missing.any():
        raise ReadError(
            f"{missing.sum()} of {len(at)} barcodes of {matrix.name} are not in {table.name} (first: "
            f"{barcodes[int(missing.argmax())]}; the table begins with {listed[0] if len(listed) else 'nothing'}); "
            "are both of the same sample, and complete?"
        )
    return at


def _read_h5(file: Path):
    """Matrix, barcodes and features of an .h5 file: Cell Ranger 3 and later, or the older layout."""
    with reading(file, "a 10x HDF5 matrix"), h5py.File(file, "r") as opened:
        group = _matrix_group(opened)
        missing = [name for name in ARRAYS if not isinstance(group.get(name), h5py.Dataset)]
        if missing:
            raise ReadError(f"not a 10x matrix, or damaged: {group.name} lacks {', '.join(missing)}")
        if group["shape"].dtype.kind not in "iu" or group["shape"].shape != (2,):
            raise ReadError(
                f"the matrix is damaged: its shape is no pair of whole numbers ({group['shape'].dtype}); {AGAIN}"
            )
        n_features, n_barcodes = (int(n) for n in group["shape"][:])
        X = load_csr(group["data"], group["indices"], group["indptr"], (n_barcodes, n_features))
        return X, pd.Index(_texts(group["barcodes"]), dtype=object), _h5_features(group)


def _matrix_group(file: h5py.File) -> h5py.Group:
    """The group ``matrix``, or in files older than Cell Ranger 3 the only group, which is called after the genome."""
    if isinstance(file.get("matrix"), h5py.Group):
        return file["matrix"]
    genomes = [name for name in file if isinstance(file[name], h5py.Group) and "genes" in file[name]]
    if len(genomes) == 1:
        return file[genomes[0]]
    if genomes:
        raise ReadError(f"there are several genomes: {', '.join(genomes)}; export a matrix of one")
    raise ReadError(f"not a 10x matrix: there is no group 'matrix', only {', '.join(file) or 'nothing'}")


def _h5_features(group: h5py.Group) -> pd.DataFrame:
    names = {"id": "features/id", "name": "features/name", "type": "features/feature_type"}
    if group.name != "/matrix":  # older than Cell Ranger 3
        names = {"id": "genes", "name": "gene_names"}
    missing = [path for path in names.values() if path not in group]
    if missing:
        raise ReadError(f"not a 10x matrix, or damaged: {group.name} lacks {', '.join(missing)}")
    columns = {column: _texts(group[path]) for column, path in names.items()}
    if len({len(texts) for texts in columns.values()}) > 1:
        raise ReadError(f"the matrix is damaged: ids, names and types of features differ in number; {AGAIN}")
    return pd.DataFrame({"type": "Gene Expression"} | columns, dtype=object)


def _texts(stored: h5py.Dataset) -> np.ndarray:
    if stored.dtype.kind not in "SO" or stored.ndim != 1:
        raise ReadError(f"the matrix is damaged: {stored.name} holds no texts; {AGAIN}")
    return stored.asstr("utf-8")[:]


def _read_folder(folder: Path):
    """Matrix, barcodes and features of a folder of matrix.mtx, barcodes.tsv and features.tsv or genes.tsv."""
    matrix = needed_file(folder, *_variants("matrix.mtx"), what=f"the matrix of {folder.name}")
    barcodes = needed_file(folder, *_variants("barcodes.tsv"), what=f"the list of barcodes of {folder.name}")
    features = needed_file(
        folder, *_variants("features.tsv"), *_variants("genes.tsv"), what=f"the list of features of {folder.name}"
    )
    X = read_matrix_market(matrix)
    ids = without_header(read_names(barcodes), X.shape[0])[0]
    return X, pd.Index(ids, dtype=object), _tsv_features(without_header(read_names(features), X.shape[1]))


def _variants(name: str) -> tuple[str, ...]:
    """The names that a file goes by: plain or gzipped, with or without a prefix."""
    return name, f"{name}.gz", f"*{name}", f"*{name}.gz"


def _tsv_features(table: pd.DataFrame) -> pd.DataFrame:
    """Columns id, name, type: a third column came with Cell Ranger 3, and a single one is id and name."""
    return pd.DataFrame({
        "id": table[0],
        "name": table[min(1, table.shape[1] - 1)],
        "type": table[2] if table.shape[1] > 2 else "Gene Expression",
    })  # fmt: skip
