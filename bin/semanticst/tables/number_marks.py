"""Points and commas in numbers: which are decimal and which stand between thousands, by all columns of a table."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from statistics import median

from semanticst.tables.delimited import Table
from semanticst.tables.missing_values import MISSING, is_missing_word

log = logging.getLogger(__name__)

_MARKED = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_THOUSANDS = {".": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+"), ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")}
_BOTH = {".": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+"), ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+")}
"""Numbers with marks of thousands and this decimal mark."""
_ALIKE = 3
"""Numbers whose medians differ by less than this factor are of one magnitude."""


def has_both_marks(text: str) -> bool:
    """Is this a number with marks of thousands and a decimal mark, as ``1.234,5`` or ``1,234.5``?"""
    return any(shape.fullmatch(text.strip()) for shape in _BOTH.values())


def is_of_thousands(text: str) -> bool:
    """May the marks of this number stand between thousands, as in ``1,234``?"""
    return any(shape.fullmatch(text.strip()) for shape in _THOUSANDS.values())


def decimal_mark(values: Collection[str]) -> str:
    """The mark, ``.`` or ``,``, that is decimal in a column for certain; empty where none is, or both.

    A mark before exactly three digits may stand between thousands and tells nothing, but in ``0.123`` or ``1234.567``.
    """
    found = set()
    for value in values:
        if "." in value and "," in value:
            found.add(next((mark for mark, shape in _BOTH.items() if shape.fullmatch(value)), "?"))
            continue
        for mark, other in (".,", ",."):
            if value.count(mark) > 1:  # 1.234.567
                found.add(other if _THOUSANDS[mark].fullmatch(value) else "?")
            elif mark in value and not _THOUSANDS[mark].fullmatch(value):
                found.add(mark)
    return found.pop() if len(found) == 1 and "?" not in found else ""


def unclear_numbers(values: Collection[str], decimal: str = "") -> set[str]:
    """The numbers of a column of which nothing tells whether their marks are decimal or stand between thousands.

    All marks stand before exactly three digits, other numbers, all below 1,000, have none, and as decimals those with
    a mark would be of another magnitude: ``1.234`` beside ``980``. Where all have a mark, a program wrote three
    decimals.

    values : of a column of numbers. decimal : the decimal mark that other columns tell.
    """
    marked = {value for value in values if "." in value or "," in value}
    for mark, shape in _THOUSANDS.items():
        if decimal or not marked or not all(value.count(mark) == 1 and shape.fullmatch(value) for value in marked):
            continue
        others = [number for value in values if value not in marked and (number := abs(float(value)))]
        if not others or max(others) >= 1000:
            return set()
        ratio = median(abs(float(value.replace(mark, "."))) for value in values if value in marked) / median(others)
        return set() if 1 / _ALIKE < ratio < _ALIKE else marked
    return set()


def in_question(value: str) -> str:
    """What a message says of a number that `unclear_numbers` found, and what to do."""
    whole, mark = re.sub("[.,]", "", value), "point" if "." in value else "comma"
    return (
        f"is {value} {whole} or {whole[:-3]}.{whole[-3:]}? Each {mark} in the column stands before three digits, and "
        f"other numbers have none. Write thousands without a mark ({whole}) or, if these are decimal, all numbers with "
        "a decimal point and three digits behind it (980.000)"
    )


def numbers_of(rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> dict[str, list[str]]:
    """The values of those columns that hold numbers only, with marks or without; missing ones are left out."""
    rows = list(rows)
    found = {}
    for column in columns:
        given = [value for row in rows if (value := row[column]) not in MISSING and not is_missing_word(value)]
        if given and all(map(_MARKED.fullmatch, given)):
            found[column] = given
    return found


def table_mark(columns: Mapping[str, Collection[str]]) -> str:
    """The decimal mark that the columns of a table tell (`decimal_mark`); empty where none does, or they differ."""
    marks = {decimal_mark(values) for values in columns.values()} - {""}
    return marks.pop() if len(marks) == 1 else ""


def without_marks(values: Collection[str], decimal: str) -> dict[str, str] | None:
    """For each number of a column how a program writes it: a decimal point, no mark of thousands.

    decimal : the decimal mark that other columns tell, for where the column itself tells none. None where the marks of
    the column contradict each other, or nothing tells what they are (`unclear_numbers`).
    """
    decimal = decimal_mark(values) or decimal
    if not decimal:
        marked = [value for value in values if "." in value or "," in value]
        if unclear_numbers(values) or len({mark for value in marked for mark in ".," if mark in value}) != 1:
            return None
        decimal = "," if "," in marked[0] else "."
        if any(value.count(decimal) > 1 for value in marked):
            return None
    mark = "." if decimal == "," else ","
    plain = {}
    for value in values:
        whole, _, part = value.partition(decimal)
        if (mark in whole and not _THOUSANDS[mark].fullmatch(whole)) or mark in part or decimal in part:
            return None
        plain[value] = whole.replace(mark, "") + ("." + part if part else "")
    return plain


def read_marks(table: Table, columns: Iterable[str]) -> None:
    """Bring numbers of a table to decimal points, in place, where ``;`` separates and the comma may be decimal.

    What other columns tell settles the marks of a column. Numbers of which nothing tells it stay as they are and are
    kept in ``table.unclear``, for whoever takes them for numbers.
    """
    numbers = numbers_of(table.rows, columns)
    decimal = table_mark(numbers)
    for column, values in numbers.items():
        if unclear := unclear_numbers(values, decimal):
            table.unclear[column] = unclear
        plain = without_marks(values, decimal) if table.separator == ";" and not unclear else None
        changed = [value for value in values if plain and plain[value] != value]
        if plain and changed:
            kind = "decimal commas" if all("," in value for value in changed) else "marks of thousands"
            log.info(
                "%s: column '%s' has %s; read as numbers, such as %s as %s",
                table.file.name, column, kind, changed[0], plain[changed[0]],
            )  # fmt: skip
            for row in table.rows:
                row[column] = plain.get(row[column], row[column])
