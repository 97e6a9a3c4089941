"""Names that users give niches: the table of ``--niche_names``, and the column that tables get by it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.plotting.palette import given_names, named_niches
from semanticst.tables.delimited import Table, clean_value, read_table

COLUMNS = ("niche", "name")
LONGEST = 60
"""Characters of a name: it has to fit beside a figure."""


def read_niche_names(path: Path, n_niches: int | None = None) -> dict[int, str]:
    """Names by niche, of a table with the columns niche and name. A niche without a row keeps its number only.

    ``n_niches``: how many there are; None: not known yet. Raises BadInput with every problem: columns that are not
    there, niches that are none or stand there twice, and names that are empty, too long, or given to two niches.
    """
    table = read_table(path, COLUMNS)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise BadInput([
            Problem(path, f"this column is missing (found: {', '.join(table.columns)}); niche and name are expected",
                    row=table.header_line, column=column) for column in missing
        ])  # fmt: skip
    problems: list[Problem] = []
    if not table.rows:
        problems.append(Problem(path, "there are no names below the header"))
    names: dict[int, str] = {}
    first: dict[object, int] = {}
    for line, row in zip(table.lines, table.rows):
        found = _problems(table, line, row, n_niches, first)
        problems += found
        # niche_names.csv of a run calls a niche without a name by its number
        if not found and row["name"] != f"Niche {clean_value(row['niche'])}":
            names[int(clean_value(row["niche"]))] = row["name"]
    if problems:
        raise BadInput(problems)
    return names


def _problems(
    table: Table, line: int, row: dict[str, str], n_niches: int | None, first: dict[object, int]
) -> list[Problem]:
    """What is wrong with a row. ``first``: the lines of niches and of names that were seen before; gets those of it."""
    text, name = clean_value(row["niche"]), row["name"]
    problems = []
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        problems.append(("niche", "the number of a niche is expected: 1, 2, ..."))
    elif n_niches is not None and int(text) > n_niches:
        problems.append(("niche", f"there is no such niche; this run has 1 to {n_niches}"))
    elif (before := first.setdefault(int(text), line)) != line:
        problems.append(("niche", f"also in row {before}; each niche has one name"))
    if not clean_value(name):
        problems.append(("name", "the name is empty; write one, or remove the row"))
    elif len(name) > LONGEST:
        problems.append(("name", f"{len(name)} characters; at most {LONGEST} fit beside a figure"))
    elif (found := re.fullmatch(r"(?:niche[\W_]*)?0*(\d+)", name, re.IGNORECASE)) and found[1] != text:
        problems.append(("name", f"is how niche {found[1]} is called without a name; choose other words"))
    elif not name.isprintable():
        problems.append(("name", "holds a sign that cannot be printed"))
    elif (before := first.setdefault(" ".join(name.casefold().split()), line)) != line:
        problems.append(("name", f"also in row {before}; niches need names that tell them apart"))
    return [Problem(table.file, message, line, column, row[column]) for column, message in problems]


@contextmanager
def names_from(path: Path | None, n_niches: int | None = None) -> Iterator[None]:
    """Inside, niches are shown with the names of this table; with None by their numbers."""
    with named_niches(read_niche_names(path, n_niches) if path else {}):
        yield


def require_niches(n_niches: int) -> None:
    """Raises BadInput when names are given (`names_from`) to niches that a cohort of ``n_niches`` does not have."""
    strange = sorted(niche for niche in given_names() if niche > n_niches)
    if strange:
        raise BadInput([Problem("--niche_names", f"there is no such niche; this run has 1 to {n_niches}",
                                column="niche", value=niche) for niche in strange])  # fmt: skip


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """The table with ``niche_name`` behind ``niche`` (and behind ``niche_a``, ``niche_b``); as it is without names.

    Empty where a niche has none.
    """
    by_text = {str(niche): name for niche, name in given_names().items()}
    named = table.copy()
    for column in [c for c in ("niche", "niche_a", "niche_b") if by_text and c in table]:
        place = named.columns.get_loc(column) + 1
        named.insert(place, f"{column}_name", table[column].astype(str).map(by_text).fillna(""))
    return named
