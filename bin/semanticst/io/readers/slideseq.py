"""Slide-seq and Slide-seqV2: counts per bead and the places of the beads on the puck.

Layouts: the studies SCP354 and SCP815 of the Single Cell Portal (``MappedDGEForR.csv``, ``BeadLocationsForR.csv``), and
https://github.com/MacoskoLab/slideseq-tools (``*.digital_expression.txt.gz``, ``*_barcode_matching.txt.gz``).
"""

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.assembly import assemble, only_once, pair_up, rows_of
from semanticst.io.readers.base import Reader, ReadError, Wanted, find_file, needed_columns, needed_file
from semanticst.io.readers.mtx import MATRIX, read_mtx
from semanticst.io.readers.table_layout import Layout, layout_of
from semanticst.io.readers.tabular import read_columns, read_counts
from semanticst.io.understood import UnitUnknown

CURIO = "*MatchedBeadLocation*.csv*"
"""Curio Seeker, whose pixels are of no stated size."""
LOCATIONS = ("*BeadLocations*.csv*", "*bead_locations*", "*barcode_matching*", "*barcode_xy*", CURIO)
COUNTS = ("*matched.digital_expression.txt*", "*digital_expression.txt*", "*MappedDGE*.csv*")
X_NAMES, Y_NAMES = ("xcoord", "x_coord", "x"), ("ycoord", "y_coord", "y")
PIXEL = (0.65, "pixel of the microscope that reads the pucks of Slide-seq; a puck of 3 mm is about 4,600 px wide")
PUCK_UM = 3300.0
"""No puck is wider: coordinates that reach further are no micrometres."""


def read_slideseq(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read genes x beads (text or Matrix Market) and the places of the beads.

    Places are in pixels of 0.65 um if they reach further than a puck does in micrometres; if not, they may be of a part
    of a puck or converted already, and the unit is unknown.

    Raises ReadError when a file is missing or damaged, or has no number where one is expected.
    """
    places_file = needed_file(folder, *LOCATIONS, what="the table of bead locations")
    table = find_file(folder, *COUNTS)
    curio = find_file(folder, CURIO) == places_file
    if table is None and find_file(folder, *MATRIX) is None:
        needed_file(folder, *COUNTS, *MATRIX, what="the table of counts")
    if table:
        X, beads, genes = _digital_expression(table)
        counts_file = table
        features = None
    else:
        X, beads, features, counts_file = read_mtx(folder, cells=("*barcodes.tsv*",))
        genes = features["name"].tolist()
    only_once(beads, counts_file)
    keys, places = _places(layout_of(places_file), beads)
    rows, at, notes = pair_up(keys, places.index, counts_file, places_file)
    spatial = places.to_numpy()[at]
    in_pixels = not curio and np.nanmax(np.nanmax(spatial, axis=0) - np.nanmin(spatial, axis=0)) > PUCK_UM
    if curio:
        notes.append(
            UnitUnknown("Curio Seeker does not say its unit; spatial_unit or um_per_px in the samplesheet states it")
        )
    elif not in_pixels:
        text = (
            "the beads span less than a puck does in pixels: whether they are pixels of 0.65 um is not certain, so the "
        )
        notes.append(UnitUnknown(text + "unit is unknown; spatial_unit in the samplesheet states it"))
    adata = assemble(
        rows_of(X, rows), beads[rows], genes, spatial, unit="px" if in_pixels else "unknown", platform="slideseq",
        um_per_unit=PIXEL if in_pixels else None, notes=notes, matrix=counts_file.name,
    )  # fmt: skip
    if features is not None:
        adata.var["gene_id"] = features["id"].to_numpy()
        if (features["type"] != "").any():
            adata.var["feature_types"] = features["type"].to_numpy()
    return adata


def _digital_expression(file: Path):
    """Matrix (beads x genes), beads, genes of a table genes x beads with the genes in the first column."""
    table = layout_of(file)
    # behind row numbers that pandas or R put in front
    named = next((column for column in table.columns[:2] if column.lower() in ("gene", "genes")), table.columns[0])
    others = {named, *(column for column in table.columns if NAMELESS.match(column))}
    genes, beads, X = read_counts(table, others)
    return X.T.tocsr(), pd.Index(beads, dtype=object), genes[named].tolist()


def _places(table: Layout, beads: pd.Index) -> tuple[pd.Index, pd.DataFrame]:
    """What the beads are called in the table of places, and x and y of each bead there.

    The table may have several columns of barcodes (as sequenced, as on the puck): the one in which most beads are found
    is taken. Several sequenced barcodes may belong to one bead.
    """
    if _is_number(table.columns[-1]) and _is_number(table.columns[-2]):  # no header
        names = [*(f"barcode {i}" for i in range(1, len(table.columns) - 1)), "x", "y"]
        table = replace(table, columns=names, n_skipped=table.n_skipped - 1)
    x, y = (next((c for c in table.columns if c.lower() in names), names[0]) for names in (X_NAMES, Y_NAMES))
    needed_columns(table.columns, (x, y), table.file)
    candidates = [c for c in table.columns if c not in (x, y)]
    if not candidates:
        raise ReadError(f"{table.file.name}: a column of barcodes is expected beside {x} and {y}")
    places = read_columns(table, candidates, [x, y], gaps=[x, y])
    bare = pd.Index([bead.removesuffix("-1") for bead in beads], dtype=object)
    keys, barcode = max(
        ((keys, c) for c in candidates for keys in (beads, bare)), key=lambda pair: pair[0].isin(places[pair[1]]).sum()
    )
    places = places.drop_duplicates([barcode, x, y]).set_index(barcode)[[x, y]]
    return keys, places.set_axis(["x", "y"], axis=1)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


SLIDESEQ = Reader(
    name="slideseq",
    expects="a folder of Slide-seq or Curio Seeker (*BeadLocation*.csv and digital_expression.txt.gz or a matrix.mtx)",
    recognises=lambda path: path.is_dir() and any(any(path.glob(pattern)) for pattern in LOCATIONS),
    read=read_slideseq,
    platforms=("slideseq",),
)
