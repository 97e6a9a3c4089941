"""Filters of the ``subset`` column: ``tissue == tumour & age >= 40 & stage == II|III``."""

import pandas as pd

from semanticst.association.design.tables import Contrast, conditions, no_such_value, numbers, require_column
from semanticst.tables.conditions import ORDER, Condition
from semanticst.tables.missing_values import is_missing_word


def select(contrast: Contrast, sections: pd.DataFrame) -> pd.Series:
    """Bool per section: does it pass every condition of the contrast's subset (joined by ``&``)?

    ``==`` (or ``=``) and ``!=`` compare text and take alternatives joined by ``|``; ``< <= > >=`` compare numbers.
    A missing value never passes. Raises BadInput when the expression cannot be read, or names a column or value that
    no section has.
    """
    keep = pd.Series(True, index=sections.index)
    for text, condition in conditions(contrast):
        require_column(contrast, "subset", condition.column, sections)
        values = sections[condition.column]
        _require_values(contrast, text, condition, values)
        keep &= _passes(condition, contrast, values)
    return keep


def _require_values(contrast: Contrast, text: str, condition: Condition, values: pd.Series) -> None:
    """A value that no sample has is a typing error: ``tissue != Tumor`` would leave out nobody where it is ``tumour``.

    A word for a missing value may be left out (``!= unknown``): missing values pass no condition anyway.
    """
    if condition.sign in ORDER:
        return
    found = sorted(values.dropna().unique())
    for value in condition.alternatives:
        if value not in found and not (condition.sign == "!=" and (not value or is_missing_word(value))):
            raise contrast.problem("subset", no_such_value(value, condition.column, found), text)


def _passes(condition: Condition, contrast: Contrast, values: pd.Series) -> pd.Series:
    if condition.sign in ORDER:
        found = numbers(contrast, "subset", condition.column, values)
        return ORDER[condition.sign](found, condition.limit) & values.notna()
    passed = values.isin(condition.alternatives)
    return (~passed if condition.sign == "!=" else passed) & values.notna()
