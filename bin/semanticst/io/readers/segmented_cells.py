"""Cells that Space Ranger 4 segments on Visium HD: counts per cell, and outlines as GeoJSON."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.io.readers.assembly import assemble, pair_up, rows_of
from semanticst.io.readers.base import ReadError, needed_file
from semanticst.io.readers.files import reading
from semanticst.io.readers.geojson import features_of
from semanticst.io.readers.pictures import spaceranger_picture
from semanticst.io.readers.spaceranger import SCALEFACTORS, positive, read_scalefactors, spatial_folder
from semanticst.io.readers.tenx import find_matrix, read_matrix

FOLDER = "segmented_outputs"
MATRIX = "filtered_feature_cell_matrix"
OUTLINES = ("cell_segmentations.geojson", "cell_segmentations.geojson.gz", "*cell_segmentations.geojson*")


def read_segmented_cells(folder: Path) -> ad.AnnData:
    """Cells with counts, centroids of their outlines in pixels of the full-resolution image, and areas.

    A cell is ``cellid_000000012-1`` in the matrix and 12 in the outlines. Raises ReadError when a file is missing or
    damaged.
    """
    matrix = find_matrix(folder, MATRIX) or needed_file(folder, f"{MATRIX}.h5", what="the matrix of cells")
    counts = read_matrix(matrix)
    outlines = needed_file(folder, *OUTLINES, what="the file of outlines")
    factors, _ = read_scalefactors(spatial_folder(folder))
    um = positive(factors, "microns_per_pixel")
    if um is None:
        raise ReadError(f"{SCALEFACTORS[0]} with microns_per_pixel is missing in {folder.name}/spatial")
    cells = read_outlines(outlines)
    numbers = pd.Index([_number(name) for name in counts.obs_names], dtype=object)
    rows, at, notes = pair_up(numbers, pd.Index(cells.index.astype(str), dtype=object), matrix, outlines)
    found = cells.iloc[at]
    adata = assemble(
        rows_of(counts.X, rows), counts.obs_names[rows], counts.var_names, found[["x", "y"]].to_numpy(), unit="px",
        um_per_unit=(um, "microns_per_pixel"), platform="visium_hd", obs={"cell_area": found["area"] * um**2},
        matrix=matrix.name, notes=[*counts.uns["notes"], *notes, "cells as segmented by Space Ranger"],
    )  # fmt: skip
    if picture := spaceranger_picture(spatial_folder(folder), factors):
        adata.uns["picture"] = picture
    for name in counts.var.columns:
        adata.var[name] = counts.var[name].to_numpy()
    return adata


def read_outlines(file: Path) -> pd.DataFrame:
    """x, y and area of each outline (pixels; NaN where it is empty), index = its cell_id.

    Raises ReadError when the file is damaged.
    """
    found = []
    with reading(file, "GeoJSON"):
        for feature in features_of(file):
            geometry = feature["geometry"] or {"type": "Polygon", "coordinates": []}
            rings = geometry["coordinates"]
            parts = rings if geometry["type"] == "MultiPolygon" else [rings]
            sums = sum((_ring(np.asarray(part[0], np.float64)) for part in parts if part), np.zeros(3))
            x, y, area = (*sums[:2] / sums[2], abs(sums[2])) if sums[2] else (np.nan, np.nan, np.nan)
            found.append((str(feature["properties"]["cell_id"]), x, y, area))
        return pd.DataFrame(found, columns=["id", "x", "y", "area"]).set_index("id")


def _ring(points: np.ndarray) -> np.ndarray:
    """Area times centroid (x, y), and area, of a closed ring (n x 2), by the shoelace formula; the sign is that of its
    direction."""
    x, y = (points - points[0]).T
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    area = cross.sum() / 2
    centre = np.array([((x[:-1] + x[1:]) * cross).sum(), ((y[:-1] + y[1:]) * cross).sum()]) / 6
    sign = 1.0 if area >= 0 else -1.0
    return sign * np.array([*(centre + points[0] * area), area])


def _number(name: str) -> str:
    """12 of cellid_000000012-1; other names as they are."""
    stem = str(name).removeprefix("cellid_").partition("-")[0]
    return str(int(stem)) if stem.isdigit() else str(name)
