"""Cautions: what is done as it was asked, and may have been meant otherwise."""

import pandas as pd

from semanticst.association.design.tables import Contrast
from semanticst.wording import plural

MOST_VALUES = 10
"""Values of a column of samples beyond which it is no time point, treatment or site of the tissue."""


def pooled_columns(sections: pd.DataFrame) -> list[str]:
    """Columns in which sections of one patient differ in the same way in several patients, as time points do.

    sections : one row per section with ``patient``; all else is text, None is missing.
    """
    found = []
    for column in sections.columns.drop("patient"):
        values = sections[column].dropna()
        patients = sections.loc[values.index, "patient"]
        shared = patients.groupby(values).nunique()
        several = values.groupby(patients).nunique()
        if 1 < len(shared) <= MOST_VALUES and (shared > 1).all() and (several > 1).any():
            found.append(column)
    return found


def pooling_cautions(contrast: Contrast, sections: pd.DataFrame) -> list[str]:
    """Sections of a patient that are summed although they differ in what the contrast does not name.

    sections : those in use, with the columns that the contrast does not name and ``patient``.
    """
    if contrast.block:
        return []
    cautions = []
    for column in pooled_columns(sections):
        several = sections.groupby("patient")[column].nunique()
        n = int((several > 1).sum())
        values = ", ".join(sorted(sections[column].dropna().unique()))
        cautions.append(
            f"sections that differ in {column} ({values}) are added up in {plural(n, 'patient')}: choose "
            "some with subset, or compare them with block"
        )
    return cautions


def event_cautions(contrast: Contrast, sections: pd.DataFrame) -> list[str]:
    """What may be wrong with the codes of the event."""
    found = sorted(sections[contrast.event].dropna().unique())
    if found == ["1", "2"] and contrast.event_value == "1":
        return [
            f"{contrast.event} is 1 or 2, and 1 is taken for the event: where R's survival wrote them, 2 is the event"
        ]
    if len(found) > 2:
        censored = ", ".join(v for v in found if v != contrast.event_value)
        return [
            f"{contrast.event} has {len(found)} values: all but {contrast.event_value} count as censored ({censored})"
        ]
    return []
