"""GEF, the HDF5 form of Stereo-seq: square bins, or cells.

Layout: https://github.com/STOmics/geftools. ``geneExp/binN``: ``expression`` (x, y, count), sorted by gene, and
``gene`` (name, offset, count). ``cellBin``: ``cell`` (id, x, y, offset, geneCount, area), ``cellExp`` (geneID, count),
``gene``. x and y are counted in DNBs (the spots of the chip), x and y of a bin are those of its first DNB.
"""

from pathlib import Path

import h5py
import numpy as np

from semanticst.io.gene_names import NO_NAME
from semanticst.io.readers.base import AGAIN, ReadError
from semanticst.io.readers.binning import Sums, bin_keys
from semanticst.io.sparse import BLOCK, load_csr


def pitch_of(file: h5py.File) -> float | None:
    """Micrometres between DNBs, from the attribute ``resolution`` (nm); None where it is missing or 0."""
    holders = [file, *(group[b]["expression"] for group in (file.get("geneExp", {}),) for b in group)]
    found = (float(np.ravel(holder.attrs["resolution"])[0]) for holder in holders if "resolution" in holder.attrs)
    return next((nm / 1000 for nm in found if nm > 0), None)


def sides_of(file: h5py.File) -> list[int]:
    """Sides of the bins in a file, in DNBs, in rising order."""
    names = (name[3:] for name in file.get("geneExp", ()) if name.startswith("bin") and name[3:].isdigit())
    return sorted(int(name) for name in names if int(name) > 0)


def read_bins(file: h5py.File, n: int):
    """Bins of ``n`` x ``n`` DNBs: keys as `semanticst.io.readers.binning.bin_keys` makes them, counts, genes, gene ids.

    They are summed from the largest bins in the file whose side divides ``n``. Raises ReadError when there are none.
    """
    sides = sides_of(file)
    side = max((s for s in sides if n % s == 0), default=None)
    if side is None:
        raise ReadError(
            f"bins of {n} x {n} DNBs cannot be made of those in the file: {', '.join(map(str, sides))}; give a "
            "bin_size that can"
        )
    group = file[f"geneExp/bin{side}"]
    expression, gene = group["expression"], group["gene"][:]
    _need_fields(expression.dtype, ("x", "y", "count"), expression.name)
    _need_fields(gene.dtype, ("count",), group["gene"].name)
    ends = np.cumsum(gene["count"].astype(np.int64))
    n_rows = len(expression)
    if n_rows == 0 or len(ends) == 0 or ends[-1] != n_rows:
        raise ReadError(
            f"damaged: {n_rows} counts are there, {int(ends[-1]) if len(ends) else 0} are announced; {AGAIN}"
        )
    sums = Sums()
    for start in range(0, n_rows, BLOCK):
        block = expression[start : min(start + BLOCK, n_rows)]
        if min(block["x"].min(), block["y"].min()) < 0:
            raise ReadError(f"damaged: there are negative coordinates; {AGAIN}")
        codes = np.searchsorted(ends, np.arange(start, start + len(block)), side="right")
        sums.add(bin_keys(block["x"], block["y"], n), codes, block["count"])
    keys, X = sums.matrix(len(gene))
    return keys, X, *_genes(gene)


def read_cells(file: h5py.File):
    """Cells: ids, counts (CSR), genes, gene ids, coordinates (n x 2, DNBs), areas (DNBs). Raises ReadError."""
    cell, expression, gene = (file["cellBin"][name][:] for name in ("cell", "cellExp", "gene"))
    _need_fields(cell.dtype, ("id", "x", "y", "offset", "geneCount"), "cellBin/cell")
    _need_fields(expression.dtype, ("geneID", "count"), "cellBin/cellExp")
    starts = np.concatenate([[0], np.cumsum(cell["geneCount"].astype(np.int64))])
    if not np.array_equal(starts[:-1], cell["offset"]):
        raise ReadError(f"damaged: the genes of the cells do not follow one another; {AGAIN}")
    X = load_csr(expression["count"], expression["geneID"], starts, (len(cell), len(gene)))
    area = cell["area"] if "area" in cell.dtype.names else None
    return cell["id"], X, *_genes(gene), np.column_stack([cell["x"], cell["y"]]), area


def _genes(gene: np.ndarray) -> tuple[list[str], list[str] | None]:
    """Names of the genes and, since GEF 4, their ids beside them.

    A gene without a name (an annotation may have none) goes by its id.
    """
    columns = gene.dtype.names or ()
    texts = {name: [t.decode().rstrip("\0") for t in gene[name]] for name in columns if gene.dtype[name].kind == "S"}
    names = next((texts[column] for column in ("geneName", "gene", "geneID") if column in texts), None)
    if names is None:
        raise ReadError(
            f"the genes have no names (geneName, geneID), only {', '.join(columns)}; write it again with SAW"
        )
    ids = texts.get("geneID") if "geneName" in texts else None
    return [i if n in NO_NAME else n for n, i in zip(names, ids)] if ids else names, ids


def _need_fields(dtype: np.dtype, wanted: tuple[str, ...], where: str) -> None:
    missing = [name for name in wanted if name not in (dtype.names or ())]
    if missing:
        raise ReadError(f"{where} lacks {', '.join(missing)}; found: {', '.join(dtype.names or ()) or 'no fields'}")


def is_gef(path: Path) -> bool:
    return path.name.lower().endswith(".gef")
