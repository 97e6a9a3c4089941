"""Columns of ``obs`` and ``var`` as other programs write them: truth values as text, strings that may be missing."""

import numpy as np
import pandas as pd

from semanticst.errors import ReadError
from semanticst.tables import missing_values
from semanticst.tables.signs import one_form

TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
MISSING = frozenset(value.lower() for value in missing_values.MISSING) | {"none"}
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"}) | MISSING
"""Spellings in lower case; what is missing counts as false."""


def as_bool(column: pd.Series, name: str) -> np.ndarray:
    """Truth values (bool) of numbers 0 and 1, or of the texts that R, pandas and spreadsheets write for them.

    Raises ReadError, which names the column and the first other value.
    """
    if column.dtype == bool:
        return column.to_numpy()
    codes, values = pd.factorize(column.astype(object), use_na_sentinel=False)
    words = [str(value).strip().lower() for value in values]
    for word, value in zip(words, values):
        if word not in TRUE | FALSE:
            raise ReadError(f"{name} holds {value!r}; true and false (or 1 and 0) are expected")
    return np.array([word in TRUE for word in words], dtype=bool)[codes]


def are_missing(column: pd.Series) -> np.ndarray:
    """Where (bool) a column has no value, or a text that programs write for none."""
    codes, values = pd.factorize(column.astype(object), use_na_sentinel=False)
    gone = [pd.isna(value) or str(value).strip().lower() in MISSING for value in values]
    return np.array(gone, dtype=bool)[codes]


def named_values(column: pd.Series) -> pd.Series:
    """The column with None where a text stands for no value (see `are_missing`), and each letter as one sign; as it is
    where neither is to be done."""
    names = {value: one_form(value) for value in column.dropna().unique() if isinstance(value, str)}
    if any(value != name for value, name in names.items()):
        column = column.astype(object).map(lambda value: names.get(value, value))
    gone = are_missing(column) & column.notna().to_numpy()
    return column.astype(object).mask(gone, None) if gone.any() else column


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with text as plain Python strings, which every version of anndata can write.

    pandas' own string columns, the default of coming versions, cannot be written where a value is missing.
    """
    text = [name for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    plain = frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), None) for name in text})
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.CategoricalDtype):
            categories = plain[name].cat.categories
            if isinstance(categories.dtype, pd.StringDtype):
                plain[name] = plain[name].cat.rename_categories(categories.astype(object))
    return plain.set_axis(pd.Index(plain.index.astype(str), dtype=object), axis=0)
