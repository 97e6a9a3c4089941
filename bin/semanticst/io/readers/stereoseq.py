"""Stereo-seq (STOmics, BGI): counts per DNB as text (GEM), or bins and cells as HDF5 (GEF).

DNBs are the spots of the chip. GEM: ``#`` lines, then geneID, x, y, MIDCount and, where cells were segmented, CellID;
the first published files call the columns otherwise.
"""

import re
from collections.abc import Collection
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

from semanticst.io.gene_names import NO_NAME
from semanticst.io.readers import gef
from semanticst.io.readers.assembly import assemble, only_once
from semanticst.io.readers.base import AGAIN, Reader, ReadError, Wanted, visible
from semanticst.io.readers.binning import Sums, bin_corners, bin_keys
from semanticst.io.readers.files import reading
from semanticst.io.readers.table_layout import Layout, layout_of
from semanticst.io.readers.tabular import chunks_of
from semanticst.io.understood import cells_left_out

PITCH = (0.5, "distance of the DNBs of a Stereo-seq chip, 500 nm")
DEFAULT_BIN = 100
"""Side of the bins in DNBs when none is asked for: 50 um, as in the vendor's own reports."""
GENE = ("geneName", "geneID", "gene", "geneid")
MOLECULES = ("MIDCount", "MIDCounts", "UMICount", "UMICounts")
"""What the column of counts is called in GEM files only."""
COUNT = (*MOLECULES, "count", "counts", "values")
CELL = ("CellID", "cell", "label", "cell_id")
ROWS = 1 << 22
CELL_FILES = ("*.adjusted.cellbin.gef", "*.cellbin.gef", "*.cellbin.gem*")
BIN_FILES = ("*.tissue.gef", "*.tissue.gem*", "*.gef", "*.gem", "*.gem.gz")


def read_stereoseq(path: Path, wanted: Wanted) -> ad.AnnData:
    """Read one GEM or GEF file, or the best one of a folder.

    With ``wanted.bin_size`` (um) square bins of that side; without, cells where the file has them, else bins of 50 um,
    or as they are where bins of 50 um cannot be made of them.
    Ids: the vendor's ids of cells, or x_y of the first DNB of a bin. Coordinates in DNBs: centre of a bin or cell; in a
    GEM file a cell's centre is the mean over its records. Cell 0 of a GEM file is what lies outside of cells.

    Raises ReadError when the file is damaged, or when the bins cannot be made.
    """
    file = path if path.is_file() else _chosen(path, wanted)
    if not gef.is_gef(file):
        return _read_gem(layout_of(file), wanted)
    with reading(file, "a GEF file"), h5py.File(file, "r") as opened:
        return _read_gef(opened, wanted)


def _chosen(folder: Path, wanted: Wanted) -> Path:
    """The file of a folder: cells before bins unless bins are asked for, then those under tissue, then the others."""
    cells = sorted({file for pattern in CELL_FILES for file in visible(folder, pattern)})
    for pattern in BIN_FILES if wanted.bin_size else (*CELL_FILES, *BIN_FILES):
        found = visible(folder, pattern)
        if pattern in BIN_FILES:
            found = [f for f in found if f not in cells and (len(found) == 1 or ".raw." not in f.name)]
        if len(found) > 1:
            raise ReadError(f"several files match {pattern}: {', '.join(f.name for f in found)}; state one as path")
        if found:
            return found[0]
    others = [file for file in visible(folder) if "gem" in file.name.lower() and is_gem(file)]
    if len(others) == 1:
        return others[0]
    raise ReadError("there is no GEM or GEF file with bins in the folder; leave bin_size empty to read cells")


def _read_gef(file: h5py.File, wanted: Wanted) -> ad.AnnData:
    pitch = gef.pitch_of(file)
    scale = (pitch, "resolution stated in the file") if pitch else PITCH
    if "cellBin" in file and not wanted.bin_size:
        ids, X, genes, gene_ids, spatial, area = gef.read_cells(file)
        names = pd.Index(ids.astype(str), dtype=object)
        only_once(names, Path("cellBin/cell"))
        obs = {} if area is None else {"cell_area": area * scale[0] ** 2}
        notes = ["cells as segmented by the vendor"]
    elif "geneExp" in file:
        n = _dnbs(wanted, scale[0], gef.sides_of(file))
        keys, X, genes, gene_ids = gef.read_bins(file, n)
        names, spatial, obs, notes = *_bins(keys, n), {}, [_bin_note(n, scale[0])]
    else:
        raise ReadError(f"there is neither geneExp (bins) nor, without bin_size, cellBin; found: {', '.join(file)}")
    adata = assemble(X, names, genes, spatial, unit="px", um_per_unit=scale, platform="stereoseq", notes=notes, obs=obs)
    if gene_ids is not None:
        adata.var["gene_id"] = gene_ids
    return adata


def _read_gem(table: Layout, wanted: Wanted) -> ad.AnnData:
    gene, count = _column(table, GENE, "the genes"), _column(table, COUNT, "the counts")
    # where there are names and ids, a gene without a name goes by its id
    gene_id = table.columns.index("geneID") if {"geneName", "geneID"} <= set(table.columns) else None
    x, y = _column(table, ("x",), "x"), _column(table, ("y",), "y")
    cell = next((table.columns.index(c) for c in CELL if c in table.columns), None)
    by_cell = cell is not None and not wanted.bin_size
    side = next((int(c[9:]) for c in table.comments if c.startswith("#BinSize=") and c[9:].isdigit()), 0) or 1
    n = 1 if by_cell else _dnbs(wanted, PITCH[0], [side])
    if n % side and not by_cell:
        raise ReadError(
            f"{table.file.name} holds bins of {side} DNBs ({side * PITCH[0]:g} um), of which bins of {n} DNBs cannot "
            f"be made; write bin_size {side * PITCH[0]:g} or a multiple of it, or leave it empty"
        )

    types = {gene: str, x: np.int64, y: np.int64, count: np.float32}
    if cell is not None and by_cell:
        types[cell] = np.int64
    if gene_id is not None:
        types[gene_id] = str
    codes: dict[str, int] = {}
    ids: dict[str, str] = {}
    sums, places, left_out = Sums(), [], np.zeros(3)
    for chunk in chunks_of(table, types, ROWS):
        if min(chunk[x].min(), chunk[y].min()) < 0:
            raise ReadError(
                f"{table.file.name}: there are negative coordinates, where DNBs are counted from 0; {AGAIN}"
            )
        if by_cell:
            outside = chunk[cell] <= 0  # some programs write -1
            left_out += [int(outside.sum()), len(chunk), float(chunk.loc[outside, count].sum())]
            chunk = chunk[~outside]
        if gene_id is not None:
            chunk[gene] = chunk[gene].where(~chunk[gene].isin(NO_NAME), chunk[gene_id])
            ids = dict(chunk.drop_duplicates(gene)[[gene, gene_id]].to_numpy()) | ids
        local, names = pd.factorize(chunk[gene])
        genes = np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int32)[local]
        keys = chunk[cell].to_numpy() if by_cell else bin_keys(chunk[x].to_numpy(), chunk[y].to_numpy(), n)
        sums.add(keys, genes, chunk[count].to_numpy())
        if by_cell:
            places.append(chunk.groupby(cell)[[x, y]].agg(["sum", "size"]))
    keys, X = sums.matrix(len(codes))
    if by_cell:
        total = pd.concat(places).groupby(level=0).sum().loc[keys]
        spatial = np.column_stack([total[(c, "sum")] / total[(c, "size")] for c in (x, y)])
        names, notes = keys.astype(str), ["cells as in the file"]
        if left_out[0]:
            records, of_all, molecules = left_out
            what = f"{records:.0f} of {of_all:.0f} records, {molecules:g} molecules"
            notes.append(cells_left_out(1, f"cell 0, which is what lies outside of cells, is left out: {what}"))
    else:
        names, spatial = _bins(keys, n)
        notes = [_bin_note(n, PITCH[0])]
    adata = assemble(X, names, list(codes), spatial, unit="px", um_per_unit=PITCH, platform="stereoseq", notes=notes)
    if ids:
        adata.var["gene_id"] = [ids[name] for name in codes]
    return adata


def _dnbs(wanted: Wanted, pitch: float, sides: Collection[int]) -> int:
    """Side of the bins in DNBs. sides : of the bins in the file.

    Where none is asked for, bins of `DEFAULT_BIN`; of a file that has none of which these can be made, its smallest.
    """
    if not wanted.bin_size:
        return DEFAULT_BIN if not sides or any(DEFAULT_BIN % side == 0 for side in sides) else min(sides)
    n = round(wanted.bin_size / pitch)
    if n < 1 or abs(n * pitch - wanted.bin_size) > 1e-6:
        raise ReadError(f"bin_size {wanted.bin_size:g} um is no multiple of {pitch:g} um, the distance of the DNBs")
    return n


def _bins(keys: np.ndarray, n: int) -> tuple[list[str], np.ndarray]:
    """Names of bins and their centres in DNBs."""
    corners = bin_corners(keys, n)
    return [f"{x}_{y}" for x, y in corners.tolist()], corners + (n - 1) / 2


def _bin_note(n: int, pitch: float) -> str:
    return f"bins of {n} x {n} DNBs, {n * pitch:g} um wide"


def _column(table: Layout, names: tuple[str, ...], what: str) -> int:
    found = next((table.columns.index(name) for name in names if name in table.columns), None)
    if found is None:
        raise ReadError(
            f"{table.file.name}: the column of {what} is missing: expected {' or '.join(names)}; columns found: "
            f"{', '.join(table.columns[:12])}"
        )
    return found


def is_gem(file: Path) -> bool:
    """Whether a table under another name is a GEM: the databases call it ``..._GEM_bin1.tsv.gz``; its header tells."""
    if not re.search(r"\.(tsv|txt|csv)(\.gz)?$", file.name, re.IGNORECASE):
        return False
    try:
        columns = set(layout_of(file).columns)
    except ReadError:
        return False
    return {"x", "y"} <= columns and bool(columns & set(MOLECULES)) and bool(columns & set(GENE))


def _recognises(path: Path) -> bool:
    files = list(path.iterdir()) if path.is_dir() else [path]
    if any(file.name.lower().endswith((".gem", ".gem.gz", ".gef")) for file in files):
        return True
    return any(is_gem(file) for file in files if path.is_file() or "gem" in file.name.lower())


STEREOSEQ = Reader(
    name="stereoseq",
    expects="a Stereo-seq file (.gem, .gem.gz, .gef) or a folder with one",
    recognises=_recognises,
    read=read_stereoseq,
    platforms=("stereoseq",),
)
