"""MERSCOPE (Vizgen): the tables cell_by_gene and cell_metadata, of the instrument or of the post-processing tool.

Columns: https://vizgen.github.io/vizgen-postprocessing/output_data_formats/entity_metadata_format.html
"""

from pathlib import Path

import anndata as ad
import pandas as pd

from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.assembly import assemble, by_order, pair_up, rows_of
from semanticst.io.readers.base import Reader, ReadError, Wanted, needed_file
from semanticst.io.readers.table_layout import Layout, layout_of
from semanticst.io.readers.tabular import R_IDS, nameless_ids, read_columns, read_counts, without_row_numbers

COUNTS, METADATA = "*cell_by_gene.csv*", "*cell_metadata.csv*"
NAMED_IDS = ("EntityID", "cell", "cell_id")
"""Names of the column of ids, beside those that R gives; it may also have none. The first that
is there holds the ids; none of them is a feature."""
CONTROLS = r"Blank[-_.]"


def read_merscope(folder: Path, wanted: Wanted) -> ad.AnnData:
    """Read counts and positions of the cells, in micrometres; features called ``Blank-*`` are controls.

    The two files may list the cells in different orders.

    Raises ReadError when a file or a column is missing, damaged, or has no number where one is expected.
    """
    counts = layout_of(needed_file(folder, COUNTS, what="the table of counts"))
    metadata = layout_of(needed_file(folder, METADATA, what="the table of positions"))
    id_counts, id_metadata = _id_column(counts), _id_column(metadata)
    fov = ["fov"] if "fov" in metadata.columns else []
    centre = ["center_x", "center_y"]
    cells = read_columns(metadata, [id_metadata, *fov], centre, gaps=centre)
    others = {name for name in counts.columns if name in (*NAMED_IDS, *R_IDS) or NAMELESS.match(name)}
    ids, features, X = read_counts(counts, others)
    features, X, numbers = without_row_numbers(features, X, counts.file)
    keys = pd.Index(ids[id_counts], dtype=object)
    placed = pd.Index(cells[id_metadata], dtype=object)
    nameless = id_counts not in NAMED_IDS and id_metadata not in NAMED_IDS
    shifted = by_order(keys, placed, counts.file, metadata.file, named=not nameless)
    rows, at, notes = pair_up(keys, keys if shifted else placed, counts.file, metadata.file)
    cells = cells.iloc[at]
    return assemble(
        rows_of(X, rows), keys[rows], features, cells[centre].to_numpy(), unit="um",
        platform="merscope", notes=notes + numbers, matrix=counts.file.name, obs={c: cells[c] for c in fov},
        control=pd.Series(features).str.match(CONTROLS).to_numpy(bool), warnings=[shifted] if shifted else [],
    )  # fmt: skip


def _id_column(table: Layout) -> str:
    found = next((name for name in NAMED_IDS if name in table.columns), None) or nameless_ids(table, R_IDS)
    if found is None:
        raise ReadError(
            f"{table.file.name}: there is no column of cell ids: {', '.join((*NAMED_IDS, *R_IDS))}, or one without a "
            f"name is expected; columns found: {', '.join(table.columns[:12])}"
        )
    return found


MERSCOPE = Reader(
    name="merscope",
    expects="a folder of MERSCOPE tables (*cell_by_gene.csv and *cell_metadata.csv)",
    recognises=lambda path: path.is_dir() and any(path.glob(COUNTS)),
    read=read_merscope,
    platforms=("merscope", "merfish"),
)
