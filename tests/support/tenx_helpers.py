"""Writers of tiny folders in the layouts that the pipelines of 10x Genomics document."""

import gzip
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

from helpers import random_values

UM_PER_PX = 0.4
"""Scale of the images of made-up Visium slides."""
POSITION_COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]


def make_features(*types: str) -> pd.DataFrame:
    """Features of the given types: id, name, type."""
    return pd.DataFrame({
        "id": [f"ENSG{j:011d}" for j in range(len(types))],
        "name": [f"Gene{j}" for j in range(len(types))],
        "type": list(types),
    })  # fmt: skip


def make_counts(n_cells: int, n_features: int, seed: int = 0) -> sp.csr_matrix:
    """Counts, barcodes x features, in which no cell and no feature is empty."""
    return random_values("counts", n_cells, n_features, seed)


def write_h5(file: Path, X: sp.csr_matrix, barcodes, features: pd.DataFrame, genome: str = "") -> None:
    """Write a feature-barcode matrix as Cell Ranger 3 does; with ``genome``, as versions before it did."""
    X = sp.csr_matrix(X)
    with h5py.File(file, "w") as opened:
        group = opened.create_group(genome or "matrix")
        group["data"] = X.data.astype(np.int32)
        group["indices"] = X.indices.astype(np.int64)
        group["indptr"] = X.indptr.astype(np.int64)
        group["shape"] = np.array(X.shape[::-1], np.int32)
        group["barcodes"] = np.array(barcodes, "S")
        if genome:
            group["genes"], group["gene_names"] = features["id"].to_numpy("S"), features["name"].to_numpy("S")
        else:
            group["features/id"], group["features/name"] = features["id"].to_numpy("S"), features["name"].to_numpy("S")
            group["features/feature_type"] = features["type"].to_numpy("S")
            group["features/genome"] = np.full(len(features), b"GRCh38")


def write_mtx(folder: Path, X, barcodes, features: pd.DataFrame, zipped: bool = True, old: bool = False) -> None:
    """Write a feature-barcode matrix as a folder of text; ``old`` as before Cell Ranger 3, with genes.tsv."""
    folder.mkdir(parents=True)
    mmwrite(folder / "matrix.mtx", sp.coo_matrix(X.T.astype(np.int64)))
    (folder / "barcodes.tsv").write_text("".join(f"{b}\n" for b in barcodes))
    features = features[["id", "name"]] if old else features
    features.to_csv(folder / ("genes.tsv" if old else "features.tsv"), sep="\t", header=False, index=False)
    for file in list(folder.iterdir()) if zipped else []:
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()


def visium_positions(n_rows: int = 8, n_columns: int = 10, angle: float = 0.0) -> pd.DataFrame:
    """Positions as in tissue_positions.csv: ``n_rows`` rows of ``n_columns`` spots, the slide turned by ``angle``."""
    row = np.repeat(np.arange(n_rows), n_columns)
    column = np.tile(2 * np.arange(n_columns), n_rows) + row % 2
    x, y = column * 50 / UM_PER_PX, row * 50 * np.sqrt(3) / UM_PER_PX
    turned = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    barcodes = [f"{''.join('ACGT'[i // 4**p % 4] for p in range(16))}-1" for i in range(len(row))]
    in_tissue = (np.arange(len(row)) % 4 != 0).astype(int)
    pixels = np.round(turned[1]).astype(int) + 900, np.round(turned[0]).astype(int) + 2000
    return pd.DataFrame(dict(zip(POSITION_COLUMNS, (barcodes, in_tissue, row, column, *pixels))))


def write_visium(folder: Path, positions: pd.DataFrame | None = None, version: int = 2, spot_um: float = 65) -> tuple:
    """Write a Visium folder: counts of the spots in the tissue, all positions, scale factors.

    Gives counts (spots x genes), and barcodes in their order, which is not the order of the positions.
    """
    positions = visium_positions() if positions is None else positions
    barcodes = positions.loc[positions["in_tissue"] == 1, "barcode"].sort_values().to_numpy()
    X, features = make_counts(len(barcodes), 12), make_features(*["Gene Expression"] * 12)
    (folder / "spatial").mkdir(parents=True)
    write_h5(folder / "filtered_feature_bc_matrix.h5", X, barcodes, features)
    name, header = ("tissue_positions_list.csv", False) if version == 1 else ("tissue_positions.csv", True)
    positions.to_csv(folder / "spatial" / name, header=header, index=False)
    write_json(folder / "spatial" / "scalefactors_json.json", spot_diameter_fullres=spot_um / UM_PER_PX)
    return X, barcodes


def write_square(binned: Path, size: int, n: int = 8) -> tuple:
    """Write the bins of one size in um, ``n`` x ``n``, the first row beside the tissue; as `write_visium`."""
    folder = binned / f"square_{size:03d}um"
    (folder / "spatial").mkdir(parents=True)
    row, column = np.divmod(np.arange(n * n), n)
    names = [f"s_{size:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(row, column)]
    pixels = (row + 0.5) * size / UM_PER_PX, (column + 0.5) * size / UM_PER_PX
    positions = pd.DataFrame(dict(zip(POSITION_COLUMNS, (names, (row > 0).astype(np.int32), row, column, *pixels))))
    positions.to_parquet(folder / "spatial" / "tissue_positions.parquet", index=False)
    barcodes = positions.loc[row > 0, "barcode"].to_numpy()[::-1]
    X = make_counts(len(barcodes), 9, seed=size)
    write_h5(folder / "filtered_feature_bc_matrix.h5", X, barcodes, make_features(*["Gene Expression"] * 9))
    write_json(
        folder / "spatial" / "scalefactors_json.json", spot_diameter_fullres=size / UM_PER_PX, bin_size_um=float(size),
        microns_per_pixel=UM_PER_PX,
    )  # fmt: skip
    return X, barcodes


XENIUM_IDS = [f"aaaaaa{'abc'[i // 16]}{'abcdefghijklmnop'[i % 16]}-1" for i in range(40)]
XENIUM_TYPES = ["Gene Expression"] * 8 + ["Negative Control Probe"] * 2 + ["Unassigned Codeword", "Genomic Control"]


def write_xenium(folder: Path, ids=None, table: str = "cells.parquet", matrix: str = "h5") -> tuple:
    """Write a Xenium folder; gives counts (cells x features) and the table of cells, in the order of the matrix."""
    folder.mkdir(parents=True)
    ids = XENIUM_IDS if ids is None else ids
    rng = np.random.default_rng(1)
    X, features = make_counts(len(ids), len(XENIUM_TYPES)), make_features(*XENIUM_TYPES)
    cells = pd.DataFrame({
        "cell_id": ids, "x_centroid": rng.uniform(0, 500, len(ids)), "y_centroid": rng.uniform(0, 500, len(ids)),
        "transcript_counts": 3, "cell_area": rng.uniform(20, 90, len(ids)),
    })  # fmt: skip
    write_cells(folder / table, cells[::-1])
    texts = [i.decode() if isinstance(i, bytes) else str(i) for i in ids]
    if matrix == "h5":
        write_h5(folder / "cell_feature_matrix.h5", X, texts, features)
    elif matrix == "folder":
        write_mtx(folder / "cell_feature_matrix", X, texts, features)
    else:
        write_zarr(folder / f"cell_feature_matrix.{matrix}", X, features)
    write_json(folder / "experiment.xenium", run_name="run 7", panel_name="brain", analysis_sw_version="xenium-2.0.0",
               num_cells=len(ids))  # fmt: skip
    return X, cells


def write_cells(file: Path, cells: pd.DataFrame) -> None:
    """Write a table as the name of the file says: .parquet, .csv.gz or .csv."""
    cells.to_parquet(file, index=False) if file.suffix == ".parquet" else cells.to_csv(file, index=False)


def write_zarr(file: Path, X, features: pd.DataFrame) -> None:
    """Write the matrix as Xenium's Zarr store does (version 2 of Zarr): cell i has the number i and the suffix 1."""
    import zarr

    folder = file.with_suffix("") if file.suffix == ".zip" else file
    group = zarr.open_group(folder, mode="w", zarr_format=2).create_group("cell_features")
    by_feature = sp.csr_matrix(X.T)
    for name in ("data", "indices", "indptr"):
        values = getattr(by_feature, name).astype(np.uint32)
        group.create_array(name, shape=values.shape, chunks=values.shape, dtype=values.dtype)[:] = values
    ids = np.column_stack([np.arange(X.shape[0]), np.ones(X.shape[0])]).astype(np.uint32)
    group.create_array("cell_id", shape=ids.shape, chunks=ids.shape, dtype=ids.dtype)[:] = ids
    types = features["type"].str.lower().str.replace(" ", "_").replace("gene_expression", "gene")
    group.attrs.update(feature_ids=features["id"].tolist(), feature_keys=features["name"].tolist(),
                       feature_types=types.tolist(), number_cells=X.shape[0])  # fmt: skip
    if file.suffix == ".zip":
        shutil.make_archive(str(folder), "zip", folder)
        shutil.rmtree(folder)


def write_json(file: Path, **content) -> None:
    file.write_text(json.dumps(content))


def cut(file: Path, share: float) -> None:
    """Leave only the first part of a file, as a copy that was interrupted does."""
    raw = file.read_bytes()
    file.write_bytes(raw[: int(len(raw) * share)])
