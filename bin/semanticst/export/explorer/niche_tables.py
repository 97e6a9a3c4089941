"""Tables of niches that the explorer reads, and numbers in them: what a run wrote, or what somebody else gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semanticst.errors import BadInput, Problem
from semanticst.tables.delimited import Table, read_table

OVERVIEW = ("markers", "cell_types", "reading")
"""Texts of ``niche_overview.csv`` that are shown, where they are there."""


def read_niche_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """A table of text, of ``required`` and ``optional`` columns where the latter are given, else of all.

    Raises BadInput when it cannot be read, or lacks a column.
    """
    # a run wrote them: features are spelled as in the cohort
    table = read_table(path, required, {*required, *optional} if optional else (), verbatim={*required, *optional})
    absent = [name for name in required if name not in table.columns]
    if absent:
        raise BadInput([Problem(path, "this column must exist", table.header_line, name) for name in absent])
    return table


def numbers(table: Table, column: str) -> np.ndarray:
    """A column as float64, NaN where it is empty. Raises BadInput for each value that is no number."""
    found, problems = np.full(len(table.rows), np.nan), []
    for i, (line, row) in enumerate(zip(table.lines, table.rows)):
        try:
            found[i] = float(row[column] or "nan")
        except ValueError:
            problems.append(Problem(table.file, "a number is expected", line, column, row[column]))
    if problems:
        raise BadInput(problems)
    return found


def read_overview(path: Path) -> dict[int, dict[str, str]]:
    """Texts (`OVERVIEW`) by niche, of ``niche_overview.csv``. Raises BadInput when it is not such a table."""
    table = read_niche_table(path, ("niche",))
    niches = numbers(table, "niche")
    problems = [
        Problem(path, "the number of a niche is expected: 1, 2, ...", line, "niche", row["niche"])
        for line, row, niche in zip(table.lines, table.rows, niches)
        if not (niche >= 1 and niche == int(niche))
    ]
    if problems:
        raise BadInput(problems)
    return {int(n): {name: row[name] for name in OVERVIEW if row.get(name)} for n, row in zip(niches, table.rows)}
