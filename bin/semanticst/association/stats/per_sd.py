"""Slopes per standard deviation of a variable: how their comparison is written, and the SD read back from it.

The SD is that of the patients of the test, so slopes of two cohorts are of two units until they are brought into one.
"""

import re

import pandas as pd

_WRITTEN = re.compile(r"per SD of (.*) \((\d+(?:\.\d*)?(?:e[-+]?\d+)?)\)")


def per_sd(column: str, sd: float) -> str:
    """Comparison of a slope, with the SD to three digits: ``per SD of age (9.8)``."""
    return f"per SD of {column} ({sd:.3g})"


def without_sd(comparisons: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Comparisons that cohorts share (``per SD of age``), and the SD of each, NaN where it is no such slope."""
    matches = comparisons.map(_WRITTEN.fullmatch)
    shared = [f"per SD of {match[1]}" if match else text for match, text in zip(matches, comparisons, strict=True)]
    sds = [float(match[2]) if match else float("nan") for match in matches]
    return pd.Series(shared, comparisons.index, dtype=object), pd.Series(sds, comparisons.index, dtype=float)
