"""Text of users in CSV files: a cell that a spreadsheet would run as a formula is written so that it is shown.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` (or a tab or a carriage return before one) is taken for a formula
by Excel, LibreOffice and others, and a formula can call programs and send data. An apostrophe before it makes it text.
What a program reads stays as it is: numbers, ids, and signs that stand alone (``+`` as a level of a marker).
"""

import re

import pandas as pd

IDS = ("sample", "patient", "cell_id")
"""Columns that join files. Names of samples and patients that begin so are refused when the tables are checked."""
_RUNS = re.compile(r"[=+\-@\t\r].")
_NUMBER = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?")
"""A decimal comma and marks between thousands are those of a number: nothing is run by digits and them alone."""


def guarded(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if text[:1] == "'" and guarded(text[1:]) == text else text


def guarded_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with text and names of columns guarded, but for columns of ids."""
    changed = {}
    for place, name in enumerate(table.columns):
        column = table.iloc[:, place]
        if name in IDS or pd.api.types.is_numeric_dtype(column):
            continue
        found = {value: guarded(value) for value in column.dropna().unique() if isinstance(value, str)}
        if any(value != text for value, text in found.items()):
            changed[place] = column.astype(object).map(lambda value, found=found: found.get(value, value))
    names = [guarded(name) if isinstance(name, str) else name for name in table.columns]
    if not changed and names == list(table.columns):
        return table
    columns = [changed.get(place, table.iloc[:, place]) for place in range(table.shape[1])]
    return pd.concat(columns, axis=1).set_axis(names, axis=1) if columns else table
