"""Visium HD: bins of several sizes in the folder that Space Ranger (3 and later) writes."""

import re
from pathlib import Path

import anndata as ad

from semanticst.io.readers.base import Reader, ReadError, Wanted
from semanticst.io.readers.pictures import spaceranger_picture
from semanticst.io.readers.segmented_cells import FOLDER, MATRIX, read_segmented_cells
from semanticst.io.readers.spaceranger import (
    SCALEFACTORS,
    place,
    positive,
    read_counts,
    read_positions,
    read_scalefactors,
    spatial_folder,
)

BIN_UM = 8
"""Side of the bins that are read when the samplesheet does not say: the size that 10x Genomics recommends to begin
with, about that of a cell."""
SQUARE = re.compile(r"square_(\d+)um")


def read_visium_hd(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read the bins of one size: those in the tissue, positions in pixels of the full-resolution image.

    A folder segmented_outputs (Space Ranger 4) is read cell by cell instead.
    """
    cells = segmented_folder(path, wanted)
    if cells:
        return read_segmented_cells(cells)
    square = choose_square(path, wanted.bin_size)
    spatial = spatial_folder(square)
    scale, source = um_per_pixel(spatial)
    positions, file = read_positions(spatial)
    counts, matrix = read_counts(square)
    adata = place(counts, matrix, positions, file)
    adata.uns.update(um_per_unit=scale, um_per_unit_source=source, platform="visium_hd")
    if picture := spaceranger_picture(spatial, read_scalefactors(spatial)[0]):
        adata.uns["picture"] = picture
    adata.uns["notes"].append(f"bins of {square.name} are read")
    if any((folder / FOLDER).is_dir() for folder in (path, path / "outs", *square.parents[:2])):
        adata.uns["notes"].append(f"{FOLDER} (cells of Space Ranger 4) is there; give it as the path to read the cells")
    return adata


def segmented_folder(path: Path, wanted: Wanted) -> Path | None:
    """The folder of segmented cells: ``path`` itself, or the only thing that is there and no bins are asked for."""
    if _is_segmented(path):
        return path
    below = next((p for p in (path / FOLDER, path / "outs" / FOLDER) if _is_segmented(p)), None)
    return below if below and not _squares(path) and wanted.bin_size is None else None


def _is_segmented(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob(f"*{MATRIX}*"))


def choose_square(path: Path, bin_size: float | None) -> Path:
    """The folder of the wanted bins: of ``bin_size`` um, else of 8 um, else the only one.

    Raises ReadError, with the sizes that are there, when that leaves none or several.
    """
    squares = _squares(path)
    if not squares:
        raise ReadError("there is no folder binned_outputs/square_XXXum; give the folder outs of Space Ranger")
    sizes = ", ".join(f"{size} um" for size in sorted(squares))
    if bin_size is not None:
        if bin_size not in squares:
            raise ReadError(
                f"there are no bins of {bin_size:g} um, only of {sizes}; correct bin_size in the samplesheet"
            )
        return squares[int(bin_size)]
    if len(squares) == 1:
        return next(iter(squares.values()))
    if BIN_UM not in squares:
        raise ReadError(f"there are bins of {sizes}; write one into the column bin_size of the samplesheet")
    return squares[BIN_UM]


def um_per_pixel(spatial: Path) -> tuple[float, str]:
    """Micrometres per pixel as Space Ranger states it, or from the side of a bin in both units; and where it is from.

    Raises ReadError when scalefactors_json.json is missing or has neither.
    """
    factors, file = read_scalefactors(spatial)
    if file is None:
        raise ReadError(f"{SCALEFACTORS[0]} is missing in {spatial.name}; without it the scale is unknown")
    stated = positive(factors, "microns_per_pixel")
    if stated:
        return stated, "microns_per_pixel"
    side_um, side_px = positive(factors, "bin_size_um"), positive(factors, "spot_diameter_fullres")
    if side_um and side_px:
        return side_um / side_px, "bin_size_um and spot_diameter_fullres"
    raise ReadError(f"{file.name}: microns_per_pixel is missing or no positive number")


def _squares(path: Path) -> dict[int, Path]:
    """Folders of bins by their side in um: ``path`` itself, or those below it on any level."""
    match = SQUARE.fullmatch(path.name)
    if match:
        return {int(match[1]): path}
    for folder in (path / "binned_outputs", path / "outs" / "binned_outputs", path):
        found = {int(m[1]): p for p in folder.glob("square_*um") if p.is_dir() and (m := SQUARE.fullmatch(p.name))}
        if found:
            return found
    # a folder of one size that was renamed
    size = positive(read_scalefactors(spatial_folder(path))[0], "bin_size_um")
    return {int(size): path} if size else {}


def _recognises(path: Path) -> bool:
    try:
        return path.is_dir() and (segmented_folder(path, Wanted()) is not None or bool(_squares(path)))
    except ReadError:
        # a folder with damaged scale factors is still what its other names say; its reader tells about the damage
        return False


VISIUM_HD = Reader(
    name="visium_hd",
    expects="a Visium HD folder of Space Ranger (binned_outputs/square_XXXum, or segmented_outputs)",
    recognises=_recognises,
    read=read_visium_hd,
    platforms=("visium_hd",),
)
