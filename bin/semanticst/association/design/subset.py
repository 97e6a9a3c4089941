"""Filters of the ``subset`` column: ``tissue == tumour & age >= 40 & stage == II|III``."""

import operator
import re

import pandas as pd

from semanticst.association.design.tables import Contrast, numbers, require_column

_CONDITION = re.compile(r"^\s*(?P<column>[^=!<>]+?)\s*(?P<sign>==|!=|>=|<=|=|<|>)\s*(?P<value>[^=!<>]+?)\s*$")
_ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def select(contrast: Contrast, sections: pd.DataFrame) -> pd.Series:
    """Bool per section: does it pass every condition of the contrast's subset (joined by ``&``)?

    ``==`` (or ``=``) and ``!=`` compare text and take alternatives joined by ``|``; ``< <= > >=`` compare numbers.
    A missing value never passes. Raises BadInput when the expression cannot be read or names an unknown column.
    """
    keep = pd.Series(True, index=sections.index)
    if not contrast.subset:
        return keep
    for text in contrast.subset.split("&"):
        found = _CONDITION.match(text)
        if not found:
            raise contrast.problem(
                "subset", f"cannot read '{text.strip()}'; expected e.g. tissue == tumour & age >= 40"
            )
        column, sign, wanted = found["column"], found["sign"], _unquote(found["value"])
        require_column(contrast, "subset", column, sections)
        values = sections[column]
        if sign in _ORDER:
            limit = pd.to_numeric(wanted, errors="coerce")
            if pd.isna(limit):
                raise contrast.problem("subset", f"'{wanted}' is not a number, and {sign} compares numbers")
            passed = _ORDER[sign](numbers(contrast, "subset", column, values), limit)
        else:
            passed = values.isin([_unquote(w) for w in wanted.split("|")])
            if sign == "!=":
                passed = ~passed
        keep &= passed & values.notna()
    return keep


def _unquote(text: str) -> str:
    return text.strip().strip("'\"").strip()
