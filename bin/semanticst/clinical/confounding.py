"""Can the contrast be told apart from the batch?"""

import numpy as np
import pandas as pd

from semanticst.clinical.design import Design

STRONG = 0.5
"""Cramer's V from which batch and contrast count as confounded."""


def cramers_v(a: pd.Series, b: pd.Series) -> float:
    """Association of two labelings, 0 to 1, corrected for chance (Bergsma 2013, J Korean Stat Soc 42:323)."""
    table = pd.crosstab(a, b).to_numpy(float)
    n, (rows, columns) = table.sum(), table.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows, columns = rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)
    return float(min(1.0, np.sqrt(phi2 / max(min(rows, columns) - 1, 1e-12))))


def correlation_ratio(value: pd.Series, group: pd.Series) -> float:
    """Share of the variation of ``value`` between groups as a correlation, 0 to 1, corrected for chance."""
    n, k = len(value), group.nunique()
    total = ((value - value.mean()) ** 2).sum()
    if k < 2 or n <= k or total == 0:
        return 0.0
    within = ((value - value.groupby(group).transform("mean")) ** 2).sum()
    return float(np.sqrt(max(0.0, 1 - within / (n - k) / (total / (n - 1)))))


def batch_warning(design: Design) -> tuple[str, float | None]:
    """Warning when batch goes with the contrast, and the strength (None where it cannot be judged).

    Where each patient has batches of their own (as when nobody stated a batch), batch cannot be told from patient:
    there is nothing to judge and no warning.
    """
    sections = design.sections
    if "batch" not in sections.columns or design.units.empty or sections["batch"].isna().all():
        return "", None
    pairs = sections[["unit", "patient", "batch"]].drop_duplicates().dropna()
    shared = pairs.groupby("batch")["patient"].nunique()
    if pairs["batch"].nunique() < 2 or (shared < 2).all():
        return "", None
    outcome = pairs["unit"].map(design.units["event" if design.contrast.type == "survival" else "value"])
    if design.contrast.type == "continuous":
        strength, measure = correlation_ratio(outcome, pairs["batch"]), "correlation ratio"
        nested = False
    else:
        strength, measure = cramers_v(outcome, pairs["batch"]), "Cramer's V"
        levels_of_batch = outcome.groupby(pairs["batch"]).nunique()
        nested = len(outcome.unique()) > 1 and levels_of_batch.max() == 1
    if nested:
        return (
            f"batch is nested in the contrast ({measure} = {strength:.2f}): an effect of batch looks the same",
            strength,
        )
    if strength >= STRONG:
        return f"batch and contrast are confounded ({measure} = {strength:.2f}): p may reflect the batch", strength
    return "", strength
