"""Units whose cells are summed, and what of their features is compared."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from semanticst.association.features.composition import Features, build_features


def as_they_are(features: Features) -> Features:
    """Features of units are compared themselves."""
    return features


@dataclass(frozen=True)
class Units:
    """Unit of each section in use (``of``), all units (``index``), and what of their features is compared (changes)."""

    of: pd.Series
    index: pd.Index
    compared: Callable[[Features], Features] = as_they_are

    def sum(self, counts: pd.DataFrame) -> pd.DataFrame:
        """Cells per unit and niche; sections without any are no error."""
        found = counts.reindex(self.of.index, fill_value=0)
        return found.groupby(self.of.to_numpy()).sum().reindex(self.index)

    def features(self, counts: pd.DataFrame, kinds: tuple[str, ...]) -> Features:
        """Features that cells per unit and niche give, as they are compared."""
        return self.compared(build_features(counts, kinds))
