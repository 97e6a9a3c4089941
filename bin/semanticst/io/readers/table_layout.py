"""The layout of a table as text: its header, separator and encoding, told by the first lines."""

import csv
import io
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from semanticst.io.readers.base import AGAIN, ReadError, no_data
from semanticst.io.readers.files import encoding_of, open_text, reading
from semanticst.tables.delimited import SEPARATOR_LINE

log = logging.getLogger(__name__)

DOUBLED = re.compile(r"^(.+):\1$")
"""How columns are called in tables of CODEX that went through FCS files: cell_id:cell_id, x:x."""
LONGEST = 1 << 25
"""Characters of a line that is a header or a row; 50,000 genes take 1 million."""
MOST_LOOKED_AT = 100
"""Rows by which the columns are told."""
SEPARATORS = (",", "\t", ";")


@dataclass(frozen=True)
class Layout:
    """How a table is laid out."""

    file: Path
    columns: list[str]
    """Names in the order of the file, as they are there: they may repeat, and the first may be empty."""
    separator: str
    n_skipped: int
    """Lines before the first row: comments and the header."""
    comments: list[str]
    first: tuple[str, ...] = ()
    """The values of the first row."""
    left_out: tuple[int, ...] = ()
    """Rows that are passed over, 0 for the first behind the header, in rising order."""

    def positions(self, names: Collection[str]) -> list[int]:
        """Positions of the columns that have one of ``names``, in the order of the file."""
        return [i for i, column in enumerate(self.columns) if column in names]

    def line_of(self, row: int) -> int:
        """The line of the file, from 1, that holds a row; 0 for the first row that is not left out."""
        for passed in self.left_out:
            row += passed <= row
        return self.n_skipped + row + 1


def layout_of(file: Path) -> Layout:
    """The layout of a table with a header; lines that begin with # before it are comments.

    The last of these is the header where it has a name for each value of the next line, which are numbers for the most
    part (numpy.savetxt). A header that is one name shorter than the rows belongs to an R table: the first column has no
    name.

    Raises ReadError when there is no row, or only one column.
    """
    if found := no_data(file):
        raise ReadError(f"{file.name}: {found}")
    with reading(file, "a table"), open_text(file) as opened, _text(opened) as text:
        lines = _lines(text)
        comments, n_skipped, header, separator = [], 0, "", ""
        for line in lines:
            n_skipped += 1
            if stated := SEPARATOR_LINE.match(line):
                separator = stated[1]
            elif line.startswith("#"):
                comments.append(line.strip())
            elif line.strip():
                header = line
                break
        separator = separator or max(SEPARATORS, key=header.count)
        rows: Iterator[str] = (line for line in lines if line.strip())
        if comments and _is_header(comments[-1], header, separator):
            header, rows = comments.pop().lstrip("# "), chain([header], rows)
            n_skipped -= 1
        first = next(rows, "")
        ends = {line.rstrip("\r\n")[-1:] for line in (first, *islice(rows, MOST_LOOKED_AT))}
    if encoding_of(file) == "cp1252":
        log.info("%s: no UTF-8, read as Windows-1252 (Latin-1)", file.name)
    if not header:
        raise ReadError(f"{file.name} is empty; {AGAIN}")
    if separator not in header:
        other = "it is separated by spaces or |; " if re.search(r"\S[ |]\S", header) else ""
        raise ReadError(
            f"{file.name} has one column only; {other}a table separated by comma, tab or semicolon is expected"
        )
    if not first:
        raise ReadError(f"{file.name} has a header and no rows; {AGAIN}")
    columns, values = (split_line(line, separator) for line in (header, first))
    columns = [DOUBLED.sub(r"\1", column) for column in columns]
    if len(values) == len(columns) + 1:
        # behind all rows, but not behind the header: no column of names
        columns = [*columns, ""] if ends == {separator} else ["", *columns]
    if len(values) != len(columns):
        raise ReadError(f"{file.name}: the header has {len(columns)} columns, the first row has {len(values)}; {AGAIN}")
    return Layout(file, columns, separator, n_skipped, comments, tuple(values))


def _text(opened: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(opened, encoding="utf-8", newline="")


def _is_header(comment: str, line: str, separator: str) -> bool:
    """Whether a comment names the columns of the line behind it: values of which most are numbers."""
    names, values = (split_line(text, separator) for text in (comment.lstrip("# "), line))
    numbers = [_is_number(value) for value in values]
    return len(names) == len(values) > 1 and 2 * sum(numbers) > len(values) and not any(map(_is_number, names))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|[-+]?(nan|inf)", text, re.IGNORECASE))


def _lines(opened: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text, none of them without end."""
    while line := opened.readline(LONGEST):
        if len(line) == LONGEST:
            raise ReadError(f"a line is longer than {LONGEST:,} characters; this is no table")
        yield line


def split_line(line: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line.rstrip("\r\n")], delimiter=separator))]
