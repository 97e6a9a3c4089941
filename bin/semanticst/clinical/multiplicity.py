"""Many niches, many tests: Benjamini-Hochberg inside each family of a contrast."""

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q of each p."""
    return multipletests(p, method="fdr_bh")[1]


def add_q(table: pd.DataFrame) -> pd.DataFrame:
    """Fill ``q`` and ``n_tests`` per family; a row without p has no q and is no test."""
    table = table.copy()
    for _, rows in table.groupby("family", sort=False):
        tested = rows.index[rows["p"].notna()]
        table.loc[rows.index, "n_tests"] = len(tested)
        if len(tested):
            table.loc[tested, "q"] = benjamini_hochberg(table.loc[tested, "p"].to_numpy())
    return table
