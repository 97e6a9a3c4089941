"""Tests of niches that are not reproducible with other patients: whoever reads a row has to know."""

from pathlib import Path

import pandas as pd

from semanticst.describe.readings import UNSURE
from semanticst.errors import BadInput, Problem

CONTACT = "contact_with_"
UNREPRODUCIBLE = "niche of low reproducibility with other patients: not to be interpreted"
"""The warning in the rows of such niches, and of contacts with them."""


def unsure_niches(path: Path) -> set[str]:
    """Niches whose reading in ``niche_overview.csv`` is `UNSURE`; none where reproducibility was not judged.

    Raises BadInput when the table cannot be read or has no niches.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return set(table.loc[table["reading"].isin(UNSURE), "niche"]) if "reading" in table else set(table["niche"][:0])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected niche_overview.csv of a run")) from error


def of_unsure_niches(table: pd.DataFrame, unsure: set[str]) -> pd.DataFrame:
    """The association table with the warning in front of those of rows about these niches."""
    about = table["niche"].astype(str).isin(unsure)
    about |= table["feature"].str.removeprefix(CONTACT).isin(unsure) & table["feature"].str.startswith(CONTACT)
    warnings = table["warnings"].fillna("")
    told = warnings.map(lambda text: "; ".join(part for part in (UNREPRODUCIBLE, text) if part))
    return table.assign(warnings=warnings.mask(about, told))


def unsure_sentence(found: pd.DataFrame, names: list[str]) -> list[str]:
    """Which findings should not be interpreted. names : how each row of ``found`` is called."""
    doubtful = [name for name, text in zip(names, found["warnings"]) if UNREPRODUCIBLE in text]
    if not doubtful:
        return []
    return [f"Not to be interpreted, since of low reproducibility with other patients: {', '.join(doubtful)}."]
