"""Filters of the ``subset`` column: ``tissue == tumour & age >= 40 & stage == II|III``."""

import pandas as pd

from semanticst.association.design.tables import Contrast, numbers, require_column
from semanticst.tables.conditions import ORDER, Condition, parse_condition, split_conditions


def select(contrast: Contrast, sections: pd.DataFrame) -> pd.Series:
    """Bool per section: does it pass every condition of the contrast's subset (joined by ``&``)?

    ``==`` (or ``=``) and ``!=`` compare text and take alternatives joined by ``|``; ``< <= > >=`` compare numbers.
    A missing value never passes. Raises BadInput when the expression cannot be read or names an unknown column.
    """
    keep = pd.Series(True, index=sections.index)
    for text in split_conditions(contrast.subset):
        try:
            condition = parse_condition(text)
        except ValueError as error:
            raise contrast.problem("subset", str(error)) from None
        require_column(contrast, "subset", condition.column, sections)
        keep &= _passes(condition, contrast, sections[condition.column])
    return keep


def _passes(condition: Condition, contrast: Contrast, values: pd.Series) -> pd.Series:
    if condition.sign in ORDER:
        found = numbers(contrast, "subset", condition.column, values)
        return ORDER[condition.sign](found, condition.limit) & values.notna()
    passed = values.isin(condition.values)
    return (~passed if condition.sign == "!=" else passed) & values.notna()
