"""Covariates: numbers enter as numbers, categories as 0/1 columns; who has nobody to be compared with."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from semanticst.association.design.tables import Contrast
from semanticst.tables.spellings import declared, is_number, no_numbers_among, numbers_with_unit, point_for_comma


def check_numbers(contrast: Contrast, known: pd.DataFrame) -> None:
    """Raise BadInput where a covariate is a number for most patients and none for some.

    known : text, one row per unit or section with a column ``patient``; None is missing.
    """
    for text in contrast.covariates:
        column, factor = declared(text)
        wrong = [] if factor else no_numbers_among(known[column].dropna())
        if wrong:
            who = known.loc[known[column] == wrong[0], "patient"].iloc[0]
            found = f"is a number for most patients and {wrong[0]!r} for {who}{point_for_comma(wrong[0])}; correct it"
            if wrong[0] in numbers_with_unit(known[column].dropna()):
                found = f"is a number with a unit ({wrong[0]!r} for {who}); write the number alone"
            message = f"'{column}' {found}, leave it empty, or write factor({column}) if these are categories"
            raise contrast.problem("covariates", message, text)


def is_category(contrast: Contrast, column: str, values: pd.Series) -> bool:
    """Does a covariate enter as categories: because that was declared, or since its values are no numbers?"""
    return (column, True) in map(declared, contrast.covariates) or not all(map(is_number, values))


def covariate_matrix(contrast: Contrast, known: pd.DataFrame) -> pd.DataFrame:
    """float64, one row per unit: a number as it is, categories as 0/1 columns without the first level.

    known : text of the covariates, one row per unit; a column without variation is left out.
    """
    parts = [pd.DataFrame(index=known.index)]
    for column in known:
        if len(known[column].unique()) < 2:
            continue
        if is_category(contrast, column, known[column]):
            parts.append(pd.get_dummies(known[column], prefix=column, drop_first=True, dtype=float))
        else:
            parts.append(known[column].astype(float).to_frame())
    return pd.concat(parts, axis=1)


def compared(values: np.ndarray, labels: Sequence[np.ndarray]) -> np.ndarray:
    """Bool per unit: is there, by each of the labels, a unit of another value that can be compared with it?

    A unit whose stratum (or category of a covariate) has one value of the contrast only tells nothing of the contrast:
    its level is taken up by that stratum. Units that are left alone by this are left out as well.
    """
    keep = np.ones(len(values), dtype=bool)
    while True:
        alone = np.zeros(len(values), dtype=bool)
        for label in labels:
            several = pd.Series(values[keep]).groupby(label[keep]).nunique()
            alone |= keep & ~np.isin(label, several.index[several > 1])
        if not alone.any():
            return keep
        keep &= ~alone
