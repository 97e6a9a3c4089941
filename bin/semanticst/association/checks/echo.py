"""Echoes: niches that seem to change because another one did, since shares add up to one.

A centred log-ratio compares a niche with the mean of all, which moves with a niche that changes much. The median of the
log shares hardly does (LinDA, Zhou et al. 2022, Genome Biol 23:95, takes the mode of the effects for this reason), so a
finding that is gone with the median as the reference is marked.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from semanticst.association.features.composition import Features
from semanticst.association.stats.results import SIGNIFICANT, benjamini_hochberg

FEWEST_NICHES = 4
"""With fewer the median is a single niche, or the mean of two, and no better reference than the mean."""
ECHO, OWN = "yes", "no"


def add_median_reference(rows: list[dict], features: Features, model: Callable[[Features], list[dict]]) -> None:
    """Fill ``effect_median_reference`` and ``p_median_reference`` of rows about shares of niches; changed in place.

    ``model`` gives the rows of features, as those of ``rows`` were made.
    """
    if "proportion" not in features.modelled.columns.get_level_values("feature"):
        return
    ratios = features.modelled[["proportion"]]
    present = ratios.columns[ratios.notna().any()]
    if len(present) < FEWEST_NICHES:
        return
    against_median = ratios.sub(ratios[present].median(axis=1), axis=0)
    found = {_key(row): row for row in model(Features(against_median, features.shown[["proportion"]]))}
    for row in rows:
        other = found.get(_key(row), {})
        if "effect" in row and "effect" in other:
            row.update(effect_median_reference=other["effect"], p_median_reference=other["p"])


def _key(row: dict) -> tuple[str, str, str]:
    return row["feature"], row["niche"], row["comparison"]


def mark_echoes(table: pd.DataFrame) -> pd.DataFrame:
    """Fill ``echo`` of findings about shares: yes where q is not below 0.05 with the median as reference.

    The finding with the smallest p of its comparison is none: something has to be there to be echoed.
    """
    table = table.assign(echo=None)
    tested = table[table["p_median_reference"].notna() & table["p"].notna()]
    for _, rows in tested.groupby(["family", "comparison"], sort=False):
        against_median = benjamini_hochberg(rows["p_median_reference"].to_numpy())
        found = (rows["q"] < SIGNIFICANT).to_numpy()
        echo = (against_median >= SIGNIFICANT) & (rows.index != rows["p"].idxmin())
        table.loc[rows.index[found], "echo"] = np.where(echo, ECHO, OWN)[found]
    return table
