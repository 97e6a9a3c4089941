"""Visium: the folder that Space Ranger (1 to 4) writes for slides with round spots."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.io.readers.base import Reader, ReadError, Wanted, file_names, find_file, still_packed
from semanticst.io.readers.pictures import spaceranger_picture
from semanticst.io.readers.spaceranger import (
    AGGREGATED,
    POSITIONS,
    SCALEFACTORS,
    place,
    positive,
    read_counts,
    read_positions,
    read_scalefactors,
    spatial_folder,
)
from semanticst.io.readers.tenx import find_flat_matrix
from semanticst.io.readers.visium_hd import VISIUM_HD
from semanticst.io.understood import UnitUnknown

SPACING_UM = 100.0
"""Between the centres of neighbouring spots, on slides of 6.5 and of 11 mm."""
ROW_UM, COLUMN_UM = SPACING_UM * np.sqrt(3) / 2, SPACING_UM / 2
"""Between rows, and between the columns, which count half spots."""
ARRAY = ["array_row", "array_col"]
MIRRORED = (
    "the spots are mirrored against their array positions: as slides of CytAssist may be; else rows and columns of the "
    "image are exchanged in the positions"
)
SPOT_UM = 65.0
"""What ``spot_diameter_fullres`` spans, see `um_per_pixel`."""
NO_SPOTS = UnitUnknown(
    "the scale is not known: these are no spots of Visium (bins, or an array that is square), and what "
    "spot_diameter_fullres spans is not stated; um_per_px in the samplesheet states the scale: um of a spot or of the "
    "side of a bin / spot_diameter_fullres"
)


def read_visium(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read a Visium sample: spots in the tissue, positions in pixels of the full-resolution image."""
    outs = _outs(path)
    spatial = spatial_folder(outs)
    if spatial == outs and find_file(outs, *POSITIONS, AGGREGATED) is None:
        raise ReadError(
            "the folder spatial with the positions of the spots (tissue_positions.csv) is missing; the folder holds "
            f"{file_names(outs)}{still_packed(outs)}"
        )
    positions, file = read_positions(spatial)
    positions, told = rows_and_columns(positions, file)
    factors, _ = read_scalefactors(spatial)
    counts, matrix = read_counts(outs)
    adata = place(counts, matrix, positions, file)
    um, source, note = um_per_pixel(positions, factors)
    adata.uns.update(um_per_unit=um, um_per_unit_source=source, platform="visium")
    if picture := spaceranger_picture(spatial, factors):
        adata.uns["picture"] = picture
    adata.uns["notes"] += [*told, *([note] if note else [])]
    return adata


def rows_and_columns(positions: pd.DataFrame, file: Path) -> tuple[pd.DataFrame, list[str]]:
    """Positions whose array rows and columns are what they are called, and notes.

    The lattice tells rows from columns: its rows are 87 um apart, its columns count 50 um. In the picture rows and
    columns differ only by a mirror, which some slides have by their making (CytAssist), so that what is asked of the
    image needs a second sign: a header in another order than that of Space Ranger.

    Raises ReadError when the header names row and column of the image in the other order, and the spots are mirrored if
    it is believed.
    """
    array, pixels = positions[ARRAY].to_numpy(float), positions[["x", "y"]].to_numpy(float)
    notes = []
    if spacing_scale(array, pixels) is None and spacing_scale(array[:, ::-1], pixels) is not None:
        positions = positions.assign(**dict(zip(ARRAY, array[:, ::-1].T.astype(np.int64))))
        array = array[:, ::-1]
        notes.append(f"{file.name}: array_row and array_col were exchanged, as the lattice of the spots shows; read so")
    if spacing_scale(array, pixels) is None or not is_mirrored(array, pixels):
        return positions, notes
    header = positions.attrs.get("header", [])
    if "pxl_row_in_fullres" in header and header.index("pxl_col_in_fullres") < header.index("pxl_row_in_fullres"):
        raise ReadError(
            f"{file.name}: the header names pxl_col_in_fullres before pxl_row_in_fullres, the other order than Space "
            "Ranger's, and by these names the section is mirrored against the array positions: the two names were "
            "exchanged. Exchange them; if they are right (a slide that is mirrored, as of CytAssist), put the columns "
            "into the order of Space Ranger"
        )
    return positions, [*notes, MIRRORED]


def is_mirrored(array: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether array positions (row, column) and pixels (x, y), n_spots x 2, differ by a mirror, however turned."""
    # x goes with columns and y with rows, so that a turned lattice has a negative determinant
    array, pixels = array - array.mean(axis=0), pixels - pixels.mean(axis=0)
    return float(np.linalg.det(np.linalg.lstsq(array, pixels, rcond=None)[0])) > 0


def um_per_pixel(positions: pd.DataFrame, factors: dict) -> tuple[float, str, str]:
    """Micrometres per pixel of the full-resolution image, where they are from, and a note or ``""``.

    Spots are 100 um apart by construction, so that their positions in the image, on or off the tissue, give the scale.
    The diameter in scalefactors_json.json is less certain, and the second choice: spots measure 55 um, but the number
    that Space Ranger writes spans 65 um (10x Genomics' documentation of these files computes microns per pixel as 65 /
    spot_diameter_fullres). In real folders of versions 1 and 2 it agrees with the spacing within 0.3 % when taken as
    65 um, and is 15 % off when taken as 55 um.

    microns_per_pixel, which is written for bins, goes before the diameter. Of spots that are none of Visium the scale
    is 0, not known, and the note says so. Raises ReadError when nothing can be had.
    """
    from_spacing = spacing_scale(
        positions[["array_row", "array_col"]].to_numpy(float), positions[["x", "y"]].to_numpy(float)
    )
    diameter = positive(factors, "spot_diameter_fullres")
    from_diameter = SPOT_UM / diameter if diameter else None
    if from_spacing is None:
        if stated := positive(factors, "microns_per_pixel"):
            return stated, "microns_per_pixel", ""
        if diameter and is_square(positions[ARRAY].to_numpy(float)):
            return 0.0, "", NO_SPOTS
        if from_diameter is None:
            raise ReadError(
                "the scale cannot be found: the array positions do not form the lattice of a Visium slide, and "
                f"{SCALEFACTORS[0]} with spot_diameter_fullres is missing"
            )
        return from_diameter, f"spot_diameter_fullres spans {SPOT_UM:g} um", ""
    note = ""
    if from_diameter and abs(np.log(from_diameter / from_spacing)) > 0.05:
        note = (
            f"the spacing of spots gives {from_spacing:.4g} um per pixel and is taken; spot_diameter_fullres gives "
            f"{from_diameter:.4g}"
        )
    return from_spacing, f"spacing of spots of {SPACING_UM:g} um", note


def spacing_scale(
    array: np.ndarray, pixels: np.ndarray, steps: tuple[float, float] = (ROW_UM, COLUMN_UM)
) -> float | None:
    """Micrometres per pixel from array positions (row, column) and pixels (x, y), n_spots x 2.

    steps : um between rows and between columns. The linear map from there to pixels is fitted by least squares, which
    also averages out that pixels are rounded. None when it is no map of a slide: spots in one line, directions
    stretched differently by more than 5 %, or spots more than 10 um off (root mean square).
    """
    slide = array * np.array(steps)
    slide, pixels = slide - slide.mean(axis=0), pixels - pixels.mean(axis=0)
    fitted, _, rank, _ = np.linalg.lstsq(slide, pixels, rcond=None)
    if rank < 2:
        return None
    longest, shortest = np.linalg.svd(fitted, compute_uv=False)
    if shortest < 0.95 * longest:
        return None
    scale = 1 / np.sqrt(longest * shortest)
    off = np.sqrt(((pixels - slide @ fitted) ** 2).sum(axis=1).mean()) * scale
    return float(scale) if off < 0.1 * SPACING_UM else None


def is_square(array: np.ndarray) -> bool:
    """Whether array positions (row, column; n_spots x 2) are of no Visium slide: of the first arrays, or of bins.

    In the rows of a Visium slide every second column has a spot, so that two spots never stand side by side. Positions
    that are no whole numbers are means over bins.
    """
    array = array[np.isfinite(array).all(axis=1)]
    if (array != np.floor(array)).any():
        return True
    places = array[:, 0] * (np.ptp(array[:, 1]) + 2) + array[:, 1] if len(array) else np.zeros(0)
    return bool(np.isin(places + 1, places).any())


def _outs(path: Path) -> Path:
    return path / "outs" if (path / "outs").is_dir() else path


def _recognises(path: Path) -> bool:
    if not path.is_dir() or VISIUM_HD.recognises(path):
        return False
    outs = _outs(path)
    # also without positions, of which the message then says that they are missing or still packed
    counts = any(outs.glob("*filtered_feature_bc_matrix*")) or any(outs.glob("*raw_feature_bc_matrix*"))
    spatial = spatial_folder(outs)
    placed = any(any(spatial.glob(name)) for name in (*POSITIONS, AGGREGATED))
    return counts or (placed and find_flat_matrix(outs) is not None)


VISIUM = Reader(
    name="visium",
    expects="a Visium folder of Space Ranger (filtered_feature_bc_matrix.h5 and spatial/)",
    recognises=_recognises,
    read=read_visium,
    platforms=("visium",),
)
