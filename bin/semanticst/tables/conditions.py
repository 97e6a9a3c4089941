"""The ``subset`` of a contrast, ``tissue == tumour & age >= 40``: one parser for the check and the selection."""

import math
import operator
import re
from dataclasses import dataclass

from semanticst.tables.delimited import clean_value

_CONDITION = re.compile(r"\s*(?P<column>[^=!<>]+?)\s*(?P<sign>==|!=|>=|<=|=|<|>)\s*(?P<value>[^=!<>]+?)\s*")

ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
"""Signs that compare numbers; the others compare text."""


@dataclass(frozen=True)
class Condition:
    """One condition: ``sign`` is ``==``, ``!=`` or one of `ORDER`."""

    column: str
    sign: str
    alternatives: tuple[str, ...]
    """Text without quotes, tidied as cells are (``3.0`` is ``3``); a number as it was written."""

    @property
    def limit(self) -> float:
        """The number that is compared with."""
        return float(self.alternatives[0])


def split_conditions(subset: str) -> list[str]:
    """The conditions of a subset, which are joined by ``&``; none of an empty one."""
    return [text.strip() for text in subset.split("&")] if subset.strip() else []


def parse_condition(text: str) -> Condition:
    """Read one condition; ``=`` is ``==``, and alternatives are joined by ``|``.

    Raises
    ------
    ValueError
        That says what is wrong with the text.
    """
    found = _CONDITION.fullmatch(text)
    if not found:
        raise ValueError(
            f"'{text}' cannot be read; conditions look like: tissue == tumour & age >= 40 & stage == II|III"
        )
    column, sign, value = found["column"], found["sign"], _unquoted(found["value"])
    if sign in ORDER:
        if not _is_number(value):
            raise ValueError(f"'{value}' is not a number, and {sign} compares numbers")
        return Condition(column, sign, (value,))
    return Condition(column, "!=" if sign == "!=" else "==", tuple(clean_value(_unquoted(v)) for v in value.split("|")))


def _unquoted(text: str) -> str:
    return text.strip().strip("'\"").strip()


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
