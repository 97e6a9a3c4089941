"""Delimited text as people write it: any usual separator, byte-order marks, Windows line ends, stray spaces."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.spreadsheet import unguarded
from semanticst.tables.missing_values import MISSING
from semanticst.tables.signs import one_form, without_hidden

_SEPARATORS = (",", ";", "\t")
LOOKED_AT = 30
"""Lines above which a header may stand below a title."""
SEPARATOR_LINE = re.compile(r'\A"?sep=([,;\t])"?[,;\t ]*(\r\n|\n|\r)', re.IGNORECASE)
"""The first line of tables that are made for Excel: sep=,"""


@dataclass
class Table:
    """A table as text. ``lines[i]`` is the line of ``rows[i]`` in the file; surrounding spaces are gone."""

    file: Path
    columns: list[str]
    rows: list[dict[str, str]]
    lines: list[int]
    header_line: int = 1
    separator: str = ","
    unclear: dict[str, set[str]] = field(default_factory=dict)
    """Numbers of a column of which nothing tells what their marks are (`semanticst.tables.number_marks`)."""

    def frame(self, first: Iterable[str] = ()) -> pd.DataFrame:
        """All text, columns ``first`` in front (empty where absent)."""
        first = list(first)
        columns = first + [c for c in self.columns if c not in first]
        return pd.DataFrame([{c: row.get(c, "") for c in columns} for row in self.rows], columns=columns, dtype=str)


def read_table(
    path: Path, known: Iterable[str] = (), only: Collection[str] = (), verbatim: Collection[str] = ()
) -> Table:
    """Read a table; the separator is the one of ``, ; tab`` that finds most of the ``known`` columns.

    Letters have one form (`semanticst.tables.signs.one_form`), but in columns that are taken ``verbatim``: names of
    files are found by the form that they have on the disk, and features by that of the cohort.

    ``only`` : columns that are kept, those that exist; all when none are given. For tables of a million values.

    Lines that begin with # above the header are comments (cBioPortal), but where the last of them is the header itself.

    Raises BadInput, with all problems, when it is empty, not text, has no or unclear column names, rows that are
    longer than the header, or lines of other text above the header.
    """
    known = set(known)
    text = _without_comments(_decode(path), known)
    separator = _separator(text, known)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header, header_line, rows, lines, problems = None, 1, [], [], []
    last = 0
    try:
        for cells in reader:
            # a quoted value may span lines: the row starts where the one before ended
            line, last = last + 1, reader.line_num
            cells = [_one_line(c) for c in cells]
            if not any(cells):
                continue
            if header is None:
                header, header_line = [one_form(c) for c in cells], line
                continue
            if not all(map(str.isascii, cells)):
                cells = [
                    without_hidden(c) if name in verbatim else one_form(c)
                    for c, name in zip_longest(cells, header[: len(cells)])
                ]
            if cells[: len(header)] == header:
                problems.append(Problem(path, "the header stands here again; take this line out", row=line))
                continue
            if len(cells) > len(header) and any(cells[len(header) :]):
                message = (
                    f"this row has {len(cells)} values, the header names {len(header)}; quote values with '{separator}'"
                )
                problems.append(Problem(path, message, row=line))
                continue
            cells += [""] * (len(header) - len(cells))
            rows.append({c: value for c, value in zip(header, cells) if not only or c in only or c == ""})
            lines.append(line)
    except csv.Error as error:
        raise BadInput(Problem(path, f"cannot be read as a table ({error}); check the quotes", row=last + 1)) from None
    if later := _later_header(text, separator, known):
        message = "the header seems to stand in this row; take out what is above it (a title?)"
        raise BadInput(Problem(path, message, row=later))
    if header is None:
        raise BadInput(Problem(path, "the file is empty; a header and at least one row are expected"))
    columns, header_problems = _clean_header(header, rows, path, header_line)
    if problems or header_problems:
        raise BadInput(header_problems + problems)
    if only:
        columns = [c for c in columns if c in only]
    if "" in header:
        rows = [{c: row[c] for c in columns} for row in rows]
    return Table(path, columns, rows, lines, header_line, separator)


def _one_line(value: str) -> str:
    """A value that spans lines becomes one line: what is written of it later has a row in a line."""
    # what is printable has no end of a line in it; there may be a million values
    value = value.strip() if value.isprintable() else " ".join(value.splitlines()).strip()
    return unguarded(value) if value[:1] == "'" else value


def clean_value(value: str) -> str:
    """Missing values as ``""``; a whole number without the ``.0`` that programs give it in a column with gaps."""
    value = value.strip()
    return "" if value in MISSING else re.sub(r"^(-?\d+)\.0+$", r"\1", value)


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        line = raw[: _first_undecodable(raw)].count(b"\n") + 1
        raise BadInput(Problem(path, "not UTF-8 text; save it as 'CSV UTF-8'", row=line)) from None
    if "\0" in text:
        raise BadInput(Problem(path, "not a text file; a CSV table is expected (not .xlsx)"))
    # old Macintosh line ends
    return SEPARATOR_LINE.sub("\n", text.replace("\r\n", "\n").replace("\r", "\n"), count=1)


def _first_undecodable(raw: bytes) -> int:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(raw)


def _without_comments(text: str, known: set[str]) -> str:
    """The text with empty lines for the comments above its header; a header behind a # is one."""
    if not text.lstrip(',;\t "\n').startswith("#"):
        return text
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip(',;\t "') and not _is_comment(line)), len(lines))
    comments = [i for i in range(first) if _is_comment(lines[i])]
    if comments:
        named = lines[comments[-1]].replace("#", "", 1)
        header = named if first == len(lines) or _n_known(named, known) > _n_known(lines[first], known) else ""
        lines[:first] = [header if i == comments[-1] else "" for i in range(first)]
    return "\n".join(lines)


def _is_comment(line: str) -> bool:
    return line.lstrip(' "').startswith("#")


def _n_known(line: str, known: set[str]) -> int:
    return max(len(known.intersection(_names(line, separator))) for separator in _SEPARATORS)


def _names(line: str, separator: str) -> list[str]:
    return [name.strip().strip('"').lower() for name in line.split(separator)]


def _separator(text: str, known: set[str]) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    names = {separator: _names(header, separator) for separator in _SEPARATORS}
    return max(_SEPARATORS, key=lambda s: (len(known.intersection(names[s])), len(names[s])))


def _later_header(text: str, separator: str, known: set[str]) -> int:
    """The line below the first one in which the header seems to stand; 0 where the first seems to be it.

    The first line has one name at most and none that is known, and one of the next lines has several, with known ones
    among them, or, where nothing is known, as many as the line below it.
    """
    lines = [(i, line) for i, line in enumerate(text.split("\n", LOOKED_AT)[:LOOKED_AT], 1) if line.strip(',;\t "')]
    first = lines[0][1] if lines else ""
    # one quote: the name goes on in the next line
    if not first or first.count('"') % 2 or sum(map(bool, _names(first, separator))) > 1 or _n_known(first, known):
        return 0
    for i, line in lines[1:]:
        if _n_known(line, known) and max(map(line.count, _SEPARATORS)):
            return i
    filled = [sum(map(bool, _names(line, separator))) for _, line in lines]
    several = next((place for place, n in enumerate(filled) if n > 1), 0)
    alike = len(filled) > several + 1 and filled[several + 1] == filled[several]
    return lines[several][0] if several and alike else 0


def _clean_header(header: list[str], rows: list[dict], path: Path, line: int) -> tuple[list[str], list[Problem]]:
    """Column names without the empty ones at empty columns, and what is wrong with the rest."""
    problems = []
    for name in sorted({c for c in header if c and header.count(c) > 1}):
        problems.append(Problem(path, "this column name occurs more than once; rename one", row=line, column=name))
    if "" in header and any(row[""] for row in rows):
        number = header.index("") + 1
        problems.append(Problem(path, f"column {number} has values but no name; name it or remove it", row=line))
    return [c for c in dict.fromkeys(header) if c], problems
