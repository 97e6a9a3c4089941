"""Rows of a table of QuPath that are no cells: annotations and cores of tissue arrays in a table of all objects."""

import re
from dataclasses import replace

from semanticst.io.readers.table_layout import Layout
from semanticst.io.readers.tabular import chunks_of, read_columns
from semanticst.io.several_sections import plain
from semanticst.io.understood import cells_left_out

COLUMN = "objecttype"
COLUMN_BEFORE = "name"
"""QuPath before 0.4 calls objects without a name after their type: PathCellObject, PathAnnotationObject."""
DRAWN = {"annotation", "tmacore", "image", "root"}
"""Objects that hold cells, as QuPath calls them."""
ROWS = 1000
"""Rows that are parsed at once to find the first cell."""


def only_cells(table: Layout) -> tuple[Layout, list[str]]:
    """The table without its rows of `DRAWN` objects, and a note with their number.

    The table as it is where no column says the type of the objects, and where there are no others than these.
    """
    by_name = {plain(column): column for column in reversed(table.columns)}
    named = by_name.get(COLUMN) or by_name.get(COLUMN_BEFORE)
    if named is None:
        return table, []
    kinds = read_columns(table, [named])[named]
    drawn = kinds.map({kind: _is_drawn(kind, named) for kind in kinds.unique()}).to_numpy(dtype=bool)
    if not drawn.any() or drawn.all():
        return table, []
    n, names = int(drawn.sum()), sorted(kinds[drawn].unique())
    text = f"{n} of {len(drawn)} rows are no cells ({named}: {', '.join(names)}) and left out"
    left_out = tuple(int(row) for row in drawn.nonzero()[0])
    # what the first row holds says of what kind a column is
    kept = replace(table, left_out=left_out)
    rows = next(chunks_of(kept, dict.fromkeys(range(len(table.columns)), str), rows=ROWS))
    return replace(kept, first=tuple(rows.iloc[0])), [cells_left_out(n, text)]


def _is_drawn(kind: str, column: str) -> bool:
    if plain(column) == COLUMN:
        return plain(kind) in DRAWN
    found = re.fullmatch(r"(?:Path)?(\w+)Object", kind)
    return found is not None and plain(found[1]) in DRAWN
