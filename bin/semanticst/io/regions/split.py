"""A draft of the samplesheet for an input that holds several pieces of tissue, with a picture to check it by eye."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.constants import Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.coordinates import check_coordinates
from semanticst.io.ingest import read_raw, scale_of_input
from semanticst.io.readers import ReadError
from semanticst.io.regions.pieces import FIELDS_OF_ONE, Pieces, find_pieces, rectangles
from semanticst.plotting.part_maps import draw_parts
from semanticst.units import MICROMETRE
from semanticst.writing import write_table

log = logging.getLogger(__name__)

SHEET, PICTURE, FOLDER = "samplesheet.draft.csv", "pieces.png", "pieces"


def split_sample(path: Path, settings: dict[str, str], gap: float | None, outdir: Path) -> Pieces:
    """Find the pieces of tissue of an input, and write a draft of the samplesheet with a row for each.

    settings : columns of the samplesheet that say how the input is read (platform, bin_size, table, spatial_unit,
    um_per_px); they are in the draft again. gap : distance that parts pieces, micrometres where the scale is known.

    Writes ``samplesheet.draft.csv`` (``patient`` is left empty), ``pieces/{sample}.csv`` with the ids of the cells of
    each piece, and ``pieces.png``. Raises BadInput when the input cannot be read, and when it is one piece.
    """
    row = {"sample": path.name, "patient": "-", "path": str(path)} | settings
    try:
        raw, _ = read_raw(row, outdir, in_parts=True)
        points, _ = check_coordinates(raw.obsm[Obsm.SPATIAL], raw.obs_names)
        scale = scale_of_input(raw, row)
    except (ReadError, OSError) as error:
        raise BadInput(Problem(path, str(error))) from error
    points = points * (scale.um_per_unit or 1.0)
    pieces = find_pieces(points, gap)
    unit = "um" if scale.unit == MICROMETRE else "units of the coordinates"
    if pieces.n < 2:
        raise BadInput(Problem(path, _one_piece(pieces, len(points), unit, gap)))
    names = [f"{_stem(path)}_{name}" for name in pieces.names()]
    sheet = _draft(path, outdir, names, pieces, settings)
    for number, name in enumerate(names):
        ids = pd.DataFrame({"cell_id": raw.obs_names[pieces.label == number]})
        write_table(outdir / FOLDER / f"{name}.csv", ids)
    draw_parts(points, {n: pieces.label == i for i, n in enumerate(pieces.names())}, scale.unit, outdir / PICTURE)
    write_table(outdir / SHEET, sheet)
    sizes = np.bincount(pieces.label[pieces.label >= 0])
    grid = ""
    if pieces.row is not None and pieces.column is not None:
        grid = f" in {pieces.row.max() + 1} rows and {pieces.column.max() + 1} columns"
    log.info(
        "%d pieces%s, %d to %d cells, parted by more than %.4g %s; %d of %d cells are in none",
        pieces.n, grid, sizes.min(), sizes.max(), pieces.gap, unit, (pieces.label < 0).sum(), len(points),
    )  # fmt: skip
    if grid and rectangles(points, pieces):
        log.warning("the pieces fill rectangles, as fields of view do and cores do not. %s", FIELDS_OF_ONE)
    log.info("look at %s, then fill in the column patient of %s", outdir / PICTURE, outdir / SHEET)
    return pieces


def _draft(path: Path, outdir: Path, names: list[str], pieces: Pieces, settings: dict[str, str]) -> pd.DataFrame:
    sheet = pd.DataFrame({"sample": names, "patient": "", "path": str(path.absolute())})
    for column, value in settings.items():
        if value:
            sheet[column] = value
    sheet["batch"] = _stem(path)
    sheet["slide"] = _stem(path)
    sheet["region"] = pieces.names()
    sheet["cells"] = [f"{FOLDER}/{name}.csv" for name in names]
    if pieces.row is not None and pieces.column is not None:
        sheet["core_row"] = pieces.row + 1
        sheet["core_column"] = pieces.column + 1
    sheet["n_cells"] = np.bincount(pieces.label[pieces.label >= 0], minlength=len(names))
    return sheet


def _stem(path: Path) -> str:
    """A name that a sample may have, from that of the folder or file."""
    stem = path.absolute().name.split(".")[0] or "slide"
    clean = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in stem)
    return clean if clean[0].isalnum() else f"s{clean}"


def _one_piece(pieces: Pieces, n_cells: int, unit: str, gap: float | None) -> str:
    if not pieces.n:
        way = "state with --gap how wide a gap is" if gap is None else f"give a wider --gap than {gap:g} {unit}"
        return f"no piece of tissue is found among {n_cells} cells; {way}"
    told = "no gap in it is clearly wider than the others" if gap is None else f"no gap is wider than {gap:g} {unit}"
    return (
        f"this is one piece of tissue ({n_cells} cells; {told}): there is nothing to split. If there are several "
        f"pieces, state with --gap how many {unit} lie between them at least"
    )
