"""Tables as text: comma, tab or semicolon separated, plain or gzipped.

Wide tables (cells x features) become sparse row chunk by row chunk: as a dense matrix of float64, 500,000 cells x
20,000 genes would take 80 GB.
"""

import csv
import io
import re
import zlib
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice, takewhile
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.io.columns import MISSING
from semanticst.io.coordinates import UNITS
from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.base import ReadError, damaged, needed_columns
from semanticst.io.readers.files import not_utf8, open_text
from semanticst.io.readers.table_layout import DOUBLED, Layout, split_line
from semanticst.tables.number_marks import in_question, table_mark, unclear_numbers
from semanticst.wording import listed

R_IDS = ("X",)
"""What R calls a nameless column of ids when it reads and writes a table."""

BLOCK = 1 << 23
"""Values that are parsed at once."""
LOOKED_AT = 2000
"""Rows by which the marks in numbers are told, fewer of wide tables."""
TRUTH = {"true": 1.0, "false": 0.0}
"""Positive and negative cells of a marker, as R and Python write them."""
HEADER_AGAIN = (
    "the header stands here again: were several tables put one behind the other? Take this line out; of several images "
    "or sections, give each a file, or name their column as part_column"
)
DAMAGE = (OSError, EOFError, ValueError, zlib.error, csv.Error)
"""What text that is cut off, not gzip, not UTF-8, or not rectangular makes Python and pandas raise."""


def chunks_of(table: Layout, types: dict[int, type], rows: int | None = None) -> Iterator[pd.DataFrame]:
    """Columns of a table in chunks of rows; they are called 0, 1, ..., since names may repeat.

    types : str, np.float32, np.int64, ... for each position that is wanted.

    Raises ReadError when a number is none or not finite, with its row and column, and when the file is damaged.
    """
    numbers = [i for i, kind in types.items() if kind is not str]
    n_good = 0
    block = BLOCK // 8 if table.left_out else BLOCK  # text takes more memory than numbers
    try:
        for chunk in _parse(table, types, rows or max(1, block // len(types))):
            if numbers and not np.isfinite(chunk[numbers].to_numpy()).all():
                raise ValueError("a number is not finite")
            yield chunk
            n_good += len(chunk)
    except DAMAGE as error:
        raise (_first_wrong(table, numbers, n_good) or _damaged(table, error)) from error


def read_columns(
    table: Layout, text: Sequence[str] = (), numbers: Sequence[str] = (), gaps: Collection[str] = ()
) -> pd.DataFrame:
    """Columns of a table, ``text`` as text and ``numbers`` as float64; those in ``gaps`` may have empty cells (NaN).

    Raises ReadError when a column is missing, and when a number is none, with its row and column.
    """
    wanted = [*text, *numbers]
    needed_columns(table.columns, wanted, table.file)
    positions = [table.columns.index(name) for name in wanted]
    _need_clear_marks(table, table.positions(numbers))
    chunks = chunks_of(table, dict.fromkeys(table.positions(wanted), str))
    frame = pd.concat(chunks, ignore_index=True)
    _need_one_of_each(table, wanted, frame)
    frame = frame[positions].set_axis(wanted, axis=1)
    for name in wanted:
        wrong = frame[name].isna().to_numpy()
        if name in numbers:
            values = pd.to_numeric(frame[name], errors="coerce").astype(np.float64)
            wrong = ~np.isfinite(values.to_numpy())
            if name in gaps:
                wrong &= ~frame[name].map(is_empty).to_numpy(bool)
        if wrong.any():
            raise _no_value(table, int(wrong.argmax()), name, frame[name].iloc[int(wrong.argmax())])
        if name in numbers:
            frame[name] = values
    return frame


def _need_one_of_each(table: Layout, wanted: Sequence[str], frame: pd.DataFrame) -> None:
    """Raise ReadError when several columns of one name differ, as of tables that were put side by side."""
    for name in wanted:
        first, *others = table.positions([name])
        if any(not frame[first].equals(frame[other]) for other in others):
            raise ReadError(
                f"{table.file.name}: {len(others) + 1} columns are called {name or 'nothing'}, and differ; leave one"
            )


def read_counts(table: Layout, others: Collection[str]) -> tuple[pd.DataFrame, list[str], sp.csr_matrix]:
    """A wide table: its columns that are no features, as text; the names of the features; and the values.

    others : names of the columns that are no features. Values: CSR float32, n_rows x n_features.

    Raises ReadError when a value is no finite number, with its row and column, and when there are no features.
    """
    text = table.positions(others)
    features = [i for i in range(len(table.columns)) if i not in set(text)]
    if not features:
        raise ReadError(
            f"{table.file.name}: there are no columns of features, only {listed(table.columns, 12)}; give the table "
            "with the counts or intensities, or, for niches of cell types alone, a column of 0 and 1 for each type"
        )
    _need_clear_marks(table, features)
    names, blocks = [], []
    truth = [i for i in features if table.first[i : i + 1] and table.first[i].strip('"').lower() in TRUTH]
    if text == list(range(len(text))) and not truth and not table.left_out:
        pieces = _lines_of(table, len(text), features)
    else:
        types: dict[int, type] = {**dict.fromkeys(features, np.float32), **dict.fromkeys([*text, *truth], str)}
        pieces = _chunk_pieces(table, types, text, features, truth)
    for some, values in pieces:
        names.append(some)
        blocks.append(sp.csr_matrix(values))
    ids = pd.concat(names, ignore_index=True).set_axis([table.columns[i] for i in text], axis=1)
    X = sp.vstack(blocks, format="csr") if len(blocks) > 1 else blocks[0]
    return ids, [table.columns[i] for i in features], X


def _need_clear_marks(table: Layout, numbers: list[int]) -> None:
    """Raise ReadError where nothing tells whether points are decimal or stand between thousands: ``1.234`` beside
    ``980``. Only programs of countries with decimal commas write the latter, and separate by ``;``."""
    if table.separator != ";" or not numbers:
        return
    rows = max(20, min(LOOKED_AT, BLOCK // 64 // len(table.columns)))
    try:
        with closing(_parse(table, dict.fromkeys(range(len(table.columns)), str), rows)) as chunks:
            first = next(chunks, None)
    except DAMAGE:
        return  # who reads the values says where
    if first is None:
        return
    columns = {}
    for column in first:
        values = first[column].str.strip()
        if values.str.fullmatch(r"[+-]?\d+(\.\d+)?").all():
            columns[column] = values.tolist()
    if table_mark(columns):
        return
    for column in sorted(columns.keys() & set(numbers)):
        values = columns[column]
        if unclear := unclear_numbers(values):
            row = next(row for row, value in enumerate(values) if value in unclear)
            place = f"{table.file.name}: row {table.line_of(row)}, column {table.columns[column]}"
            raise ReadError(f"{place}: {in_question(values[row])}")


def _chunk_pieces(
    table: Layout, types: dict[int, type], text: list[int], features: list[int], truth: list[int]
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Columns of text, and features as float32; ``truth``: those of them that hold True and False, 1 and 0."""
    n_before = 0
    for chunk in chunks_of(table, types):
        for column in truth:
            values = chunk[column].str.strip().str.lower().map(TRUTH)
            if values.isna().any():
                row = int(values.isna().to_numpy().argmax())
                raise _no_value(table, n_before + row, table.columns[column], chunk[column].iloc[row], "true or false")
            chunk[column] = values
        yield chunk[text], chunk[features].to_numpy(np.float32)
        n_before += len(chunk)


def nameless_ids(table: Layout, also: Collection[str] = ()) -> str | None:
    """Of the columns without a name (or called as one of ``also``) that stand in front, the one with the ids.

    pandas and R put the numbers of the rows in front of a table each time that they write it: these are passed over
    where a further column behind them holds something for each row. None where no such column is in front.
    """
    front = list(takewhile(lambda column: bool(NAMELESS.match(column)) or column in also, table.columns))
    if len(front) < 2 or len(set(front)) < len(front):
        return front[0] if front else None
    values = read_columns(table, front)
    for column, behind in zip(front, front[1:]):
        if not _are_row_numbers(values[column]) or not values[behind].is_unique:
            return column
    return front[-1]


def _are_row_numbers(ids: pd.Series) -> bool:
    return any(ids.tolist() == [str(i) for i in range(start, start + len(ids))] for start in (0, 1))


def without_row_numbers(
    features: list[str], X: sp.csr_matrix, file: Path
) -> tuple[list[str], sp.csr_matrix, list[str]]:
    """Features and values without columns that hold the numbers of the rows, and a note about them.

    Under any name: they are told by their values, which rise by 1 from row to row down all (at least 10) rows.
    """
    n = X.shape[0]
    if n < 10:
        return features, X, []
    full = np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]) >= n - 1)
    columns = {j: X[:, [j]].toarray().ravel() for j in full}
    numbers = [j for j, column in columns.items() if (np.diff(column) == 1).all()]
    if not numbers:
        return features, X, []
    kept = np.setdiff1d(np.arange(X.shape[1]), numbers)
    note = f"{file.name}: the numbers of the rows are no feature: {', '.join(features[j] for j in numbers)}"
    return [features[j] for j in kept], X[:, kept], [note]


def _damaged(table: Layout, error: Exception) -> ReadError:
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(table.file, error)
    return damaged(table.file, "a table", error)


def _parse(table: Layout, types: dict[int, type], rows: int) -> Generator[pd.DataFrame, None, None]:
    # without usecols, pandas refuses rows that are too long
    columns = sorted(types) if len(types) < len(table.columns) else None
    # rows that are left out may hold no numbers
    read_as = dict.fromkeys(types, str) if table.left_out else types
    with open_text(table.file) as opened:
        for chunk in pd.read_csv(
            opened, sep=table.separator, header=None, skiprows=table.n_skipped, usecols=columns, dtype=read_as,
            chunksize=rows, keep_default_na=False, na_values=[], low_memory=False,
        ):  # fmt: skip
            if table.left_out:
                chunk = chunk[~chunk.index.isin(table.left_out)].astype(types)
            if len(chunk):
                yield chunk


def _lines_of(table: Layout, n_text: int, features: list[int]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """The first ``n_text`` columns as text and the others as float32, in chunks of rows.

    All numbers go through pandas as one column: for each column it takes as long as for hundreds of values, and there
    may be 50,000 columns.
    """
    n_good, n_line = 0, table.n_skipped
    try:
        with open_text(table.file) as opened:
            lines = io.TextIOWrapper(opened, encoding="utf-8")
            for _ in islice(lines, table.n_skipped):
                pass
            while block := list(islice(lines, max(1, BLOCK // len(features)))):
                texts, rests = [], []
                for line in block:
                    n_line += 1
                    if line.strip():
                        text, rest = _parted(line.rstrip("\r\n"), table, n_text, n_line)
                        texts.append(text)
                        rests.append(rest)
                if not rests:
                    continue
                column = pd.read_csv(
                    io.StringIO("\n".join(rests)), header=None, dtype=np.float32, skip_blank_lines=False, sep="\t",
                    keep_default_na=False, na_values=[],
                )  # fmt: skip
                values = column[0].to_numpy().reshape(len(rests), len(features))
                if not np.isfinite(values).all():
                    raise ValueError("a number is not finite")
                yield pd.DataFrame(texts, dtype=object), values
                n_good += len(rests)
    except DAMAGE as error:
        raise (_first_wrong(table, features, n_good) or _damaged(table, error)) from error


def _parted(line: str, table: Layout, n_text: int, n_line: int) -> tuple[list[str], str]:
    """The first ``n_text`` values of a row, and the others, each in a line."""
    *text, rest = line.split(table.separator, n_text)
    n_columns = line.count(table.separator) + 1
    if '"' in line and (n_columns != len(table.columns) or any(value.count('"') % 2 for value in text)):
        # a separator inside quotes is none; csv takes its time, and most rows that are quoted have no such
        values = split_line(line, table.separator)
        n_columns, text, rest = len(values), values[:n_text], table.separator.join(values[n_text:])
    if n_columns != len(table.columns):
        raise ReadError(
            f"{table.file.name}: row {n_line} has {n_columns} columns, not {len(table.columns)} as the header; is it "
            "cut off?"
        )
    return [value.strip(' "') for value in text], rest.replace(table.separator, "\n")


def _first_wrong(table: Layout, numbers: list[int], n_good: int) -> ReadError | None:
    """The first value after ``n_good`` rows that is no number; None when there is none. Slow: for messages only."""
    start = 0
    try:
        for chunk in _parse(
            table, dict.fromkeys(range(len(table.columns)), str), max(1, BLOCK // len(table.columns) // 8)
        ):
            if start + len(chunk) > n_good:
                values = chunk[numbers].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
                wrong = np.argwhere(~np.isfinite(values))
                if len(wrong):
                    row, column = int(wrong[0, 0]), numbers[int(wrong[0, 1])]
                    return _no_value(table, start + row, table.columns[column], chunk.iloc[row][column])
            start += len(chunk)
    except DAMAGE:
        pass  # the caller says that the file is damaged
    return None


def _no_value(table: Layout, row: int, column: str, value: object, wanted: str = "number") -> ReadError:
    """row : 0 for the first row after the header."""
    place = f"{table.file.name}: row {table.line_of(row)}, column {column}"
    if is_empty(value):
        return ReadError(f"{place}: {_how_empty(table, column)}")
    if column and DOUBLED.sub(r"\1", str(value).strip().strip('"')) == column:
        return ReadError(f"{place}: {HEADER_AGAIN}")
    shown = f"'{value}' is no {wanted}"
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", str(value)):
        shown += "; commas of thousands, or a decimal comma? Export the table without"
    elif re.fullmatch(r"-?\d+,\d+", str(value)):
        shown += "; a decimal comma? Export the table with a point"
    elif str(value).strip().strip('"').lower() in UNITS and table.line_of(row) == table.n_skipped + 1:
        shown += "; take the row of units out"
    elif re.search(r"[^\W\d_]", str(value)) and value == table.first[table.columns.index(column)].strip('"'):
        shown += "; if the column is no marker and no gene, take it out of the table"
    return ReadError(f"{place}: {shown}")


def is_empty(value: object) -> bool:
    """Whether a cell of a table has no value, or a text that programs write for none."""
    return bool(pd.isna(value)) or str(value).strip().strip('"').lower() in MISSING


def _how_empty(table: Layout, column: str) -> str:
    """How many cells of a column are empty, and what to do."""
    position = table.columns.index(column)
    n = n_rows = 0
    try:
        for chunk in chunks_of(table, {position: str}):
            n, n_rows = n + int(chunk[position].map(is_empty).sum()), n_rows + len(chunk)
    except ReadError:
        return "the cell is empty, or the row is cut off"
    if n == n_rows:
        return f"the column is empty: none of its {n} cells has a value. Take it out of the table, or export it again"
    some = f"the cell is empty ({n} of {n_rows} cells of the column are), or the row is cut off"
    return f"{some}. Fill them, or take out the column or these rows"
