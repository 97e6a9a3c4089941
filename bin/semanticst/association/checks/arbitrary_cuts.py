"""Tests of niches whose number the tissue does not support: cuts through what has no parts."""

from pathlib import Path

import pandas as pd

from semanticst.errors import BadInput, Problem

ARBITRARY = "number of niches not supported by the tissue: a test of arbitrary cuts"
"""The warning in every row."""


def is_supported(path: Path) -> bool:
    """Whether the chosen number of ``niche_k.csv`` is above its zero line; where there is none, it counts as one.

    Raises BadInput when the table cannot be read or has no chosen number.
    """
    try:
        table = pd.read_csv(path)
        chosen = table[table["chosen"].astype(bool)]
        return bool(chosen["supported"].iloc[0]) if "supported" in table else len(chosen) > 0
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected niche_k.csv of a run")) from error


def has_arbitrary_cuts(table: pd.DataFrame) -> bool:
    """Whether an association table has the warning."""
    return bool(table["warnings"].fillna("").str.startswith(ARBITRARY).any())


def of_arbitrary_cuts(table: pd.DataFrame) -> pd.DataFrame:
    """The association table with the warning in front of those of every row."""
    warnings = table["warnings"].fillna("").map(lambda text: "; ".join(part for part in (ARBITRARY, text) if part))
    return table.assign(warnings=warnings)
