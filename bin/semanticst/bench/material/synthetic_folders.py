"""Large folders as instruments write them, with random content, for measuring how much it takes to read them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

CELLS_AT_ONCE = 50_000
SHARE_CONTROLS = 0.08
VISIUM_HD_PIXEL_UM = 0.27


def write_xenium(folder: Path, n_cells: int, n_genes: int, density: float, seed: int) -> int:
    """A Xenium folder (cell_feature_matrix.h5, cells.parquet); returns the number of stored values of its genes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    n_controls = max(1, int(SHARE_CONTROLS * n_genes))
    names = [f"GENE{j}" for j in range(n_genes)] + [f"NegControlProbe_{j:05}" for j in range(n_controls)]
    kinds = ["Gene Expression"] * n_genes + ["Negative Control Probe"] * n_controls
    cells = [f"c{i:07}-1" for i in range(n_cells)]
    file = folder / "cell_feature_matrix.h5"
    stored = _write_tenx(file, cells, names, kinds, _cells(rng, n_cells, n_genes, density))
    side = 12.0 * np.sqrt(n_cells)
    table = pd.DataFrame({"cell_id": cells, "x_centroid": rng.uniform(0, side, n_cells)})
    table["y_centroid"] = rng.uniform(0, side, n_cells)
    table["cell_area"] = rng.gamma(8.0, 12.0, n_cells)
    table.to_parquet(folder / "cells.parquet", index=False)
    return stored


def write_visium_hd(folder: Path, n_bins: int, n_genes: int, density: float, seed: int) -> int:
    """A Visium HD folder with bins of 8 um; returns the number of stored values."""
    square = folder / "binned_outputs" / "square_008um"
    (square / "spatial").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n_bins)))
    row, column = np.divmod(np.arange(n_bins), side)
    names = [f"s_008um_{r:05}_{c:05}-1" for r, c in zip(row, column)]
    file = square / "filtered_feature_bc_matrix.h5"
    genes = [f"GENE{j}" for j in range(n_genes)]
    stored = _write_tenx(file, names, genes, ["Gene Expression"] * n_genes, _cells(rng, n_bins, n_genes, density))
    pixels = 8.0 / VISIUM_HD_PIXEL_UM
    pd.DataFrame(
        {
            "barcode": names, "in_tissue": 1, "array_row": row, "array_col": column,
            "pxl_row_in_fullres": row * pixels, "pxl_col_in_fullres": column * pixels,
        }
    ).to_parquet(square / "spatial" / "tissue_positions.parquet", index=False)  # fmt: skip
    scale = {"spot_diameter_fullres": pixels, "bin_size_um": 8.0, "microns_per_pixel": VISIUM_HD_PIXEL_UM}
    (square / "spatial" / "scalefactors_json.json").write_text(json.dumps(scale))
    return stored


def _cells(rng: np.random.Generator, n_cells: int, n_genes: int, density: float):
    """Blocks of cells: values, genes and number of values per cell; depth differs between cells, genes are in order."""
    for start in range(0, n_cells, CELLS_AT_ONCE):
        n = min(CELLS_AT_ONCE, n_cells - start)
        sizes = np.clip(rng.poisson(density * n_genes * rng.gamma(6.0, 1 / 6.0, n)), 1, n_genes)
        # evenly spread from a random start, a gap of 1 or more apart: distinct, sorted, and fast to draw
        owner = np.repeat(np.arange(n), sizes)
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        genes = ((rank + rng.random(n)[owner]) * (n_genes / sizes)[owner]).astype(np.int64)
        yield rng.geometric(0.6, len(owner)).astype(np.int32), np.minimum(genes, n_genes - 1), sizes


def _write_tenx(file: Path, barcodes: list[str], names: list[str], kinds: list[str], blocks) -> int:
    """The 10x matrix, with the types that the instrument writes: int32 values, int64 positions."""
    total, ends = 0, [np.zeros(1, np.int64)]
    with h5py.File(file, "w") as store:
        group = store.create_group("matrix")
        settings = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 18,), "compression": "gzip"}
        data = group.create_dataset("data", dtype=np.int32, compression_opts=1, **settings)
        indices = group.create_dataset("indices", dtype=np.int64, compression_opts=1, **settings)
        for values, genes, sizes in blocks:
            for stored, block in ((data, values), (indices, genes)):
                stored.resize(total + len(values), axis=0)
                stored[total:] = block
            ends.append(total + np.cumsum(sizes))
            total += len(values)
        group["indptr"] = np.concatenate(ends)
        group["shape"] = np.array([len(names), len(barcodes)], np.int32)
        group["barcodes"] = np.array(barcodes, "S")
        features = group.create_group("features")
        features["id"] = features["name"] = np.array(names, "S")
        features["feature_type"] = np.array(kinds, "S")
    return total
