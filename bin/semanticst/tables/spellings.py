"""Spellings of values: missing ones, numbers, and one value in several spellings; for the check and the test."""

import math
import re
from collections import Counter
from collections.abc import Iterable

from semanticst.tables.delimited import clean_value
from semanticst.tables.missing_values import is_missing_word
from semanticst.tables.number_marks import has_both_marks, is_of_thousands
from semanticst.tables.signs import alike

_FACTOR = re.compile(r"factor\(\s*(.+?)\s*\)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_WITH_UNIT = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*(%|‰|[ydh]|[^\W\d_]{2}[^\d]*)", re.IGNORECASE)
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])")


def variable_value(text: str) -> str:
    """A value of a variable as contrasts compare it: tidied, ``""`` when it is missing."""
    value = clean_value(text)
    return "" if is_missing_word(value) else value


def parsed(text: str) -> float | None:
    """The number that a text is, None when it is none; digits with ``_`` between them are none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def is_number(text: str) -> bool:
    """Is this a finite number?"""
    return math.isfinite(parsed(text) or 0.0) and parsed(text) is not None


def has_decimal_comma(text: str) -> bool:
    """Is this a number as ``40,5``, which programs outside Excel do not read?"""
    return _DECIMAL_COMMA.fullmatch(text.strip()) is not None


def point_for_comma(text: str) -> str:
    """What to do about a number with a decimal comma, to be put behind a message; empty for any other text, and where
    the comma may stand between thousands."""
    certain = has_decimal_comma(text) and not is_of_thousands(text)
    return f" (with a decimal point: {text.strip().replace(',', '.')})" if certain else ""


def numbers_with_unit(values: Iterable[str]) -> set[str]:
    """The values that are a number with a unit (``50 years``, ``40%``), where most of a column are, or are numbers.

    Three different numbers at least, and one unit in at most two spellings: ``1st``, ``2nd`` and ``1A``, ``1B`` are
    names.
    """
    values = list(values)
    found = {value: match for value in values if (match := _WITH_UNIT.fullmatch(value.strip()))}
    numbers = set(filter(is_number, values))
    units = {match[2].casefold().strip() for match in found.values()}
    if len(units) > 2 or units & _ORDINALS or len(numbers | {match[1] for match in found.values()}) < 3:
        return set()
    return set(found) if 2 * sum(value in found or value in numbers for value in values) > len(values) else set()


def number_alone(text: str) -> str:
    """The number of a value that `numbers_with_unit` found."""
    match = _WITH_UNIT.fullmatch(text.strip())
    return match[1].replace(",", ".") if match else text


def no_numbers_among(values: Iterable[str]) -> list[str]:
    """Distinct values that are no finite numbers in a column that mostly holds numbers, with a unit or without.

    So one ``>60`` does not make categories of an age, nor do decimal commas or years. In a column of categories only
    infinite numbers are wrong.
    """
    values = list(values)
    united = numbers_with_unit(values)

    def like_a_number(value: str) -> bool:
        return parsed(value) is not None or has_decimal_comma(value) or has_both_marks(value) or value in united

    mostly = 2 * sum(map(like_a_number, values)) > len(values)
    return list(dict.fromkeys(v for v in values if not is_number(v) and (mostly or parsed(v) is not None)))


def one_value(values: Iterable[str]) -> list[list[str]]:
    """Values that differ by what `alike` says, or by space, ``-`` or ``_`` between letters only; the most frequent one
    first."""
    by_spelling: dict[str, list[str]] = {}
    for value, _ in sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])):
        by_spelling.setdefault(_BETWEEN_LETTERS.sub("", alike(value)), []).append(value)
    return [same for same in by_spelling.values() if len(same) > 1]


def declared(covariate: str) -> tuple[str, bool]:
    """Column of a covariate, and whether it is declared as categories: ``factor(site)``."""
    found = _FACTOR.fullmatch(covariate.strip())
    return (found[1], True) if found else (covariate.strip(), False)
