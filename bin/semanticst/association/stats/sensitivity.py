"""Sensitivity of a finding to single patients and to the clustering; smallest detectable effects."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
import scipy

Errors = TypeVar("Errors", float, np.ndarray)

POWER = 0.80
LEVEL = 0.05


def leave_one_out(
    patients: np.ndarray, refit: Callable[[np.ndarray], np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest effect per feature when each patient in turn is left out.

    ``refit`` takes the units to keep (bool, n) and returns the effects, or None where they cannot be fitted.
    """
    refitted = [refit(patients != p) for p in np.unique(patients)]
    effects = np.array([e for e in refitted if e is not None], dtype=float)
    if not effects.size:
        return np.array(np.nan), np.array(np.nan)
    return np.nanmin(effects, axis=0), np.nanmax(effects, axis=0)


def detectable_effect(se: Errors, df: float = np.inf, n_tests: int = 1) -> Errors:
    """Smallest effect that a two-sided test finds with 80 % power at this standard error.

    The level is 0.05 over ``n_tests``: what Benjamini and Hochberg (and Holm) ask of the smallest of so many p.
    """
    return (scipy.stats.t.ppf(1 - LEVEL / max(n_tests, 1) / 2, df) + scipy.stats.t.ppf(POWER, df)) * se


def add_detectable_effects(table: pd.DataFrame, rows: list[dict]) -> pd.DataFrame:
    """Fill ``detectable_effect`` of the table of these rows, which have ``se`` and ``df``, at the level of their q."""
    table = table.copy()
    table["detectable_effect"] = [
        detectable_effect(row["se"], row["df"], int(n)) if "se" in row and n > 0 else np.nan
        for row, n in zip(rows, table["n_tests"])
    ]
    return table


def sensitivity_to_clustering(rows: list[dict], repeats: list[list[dict]]) -> None:
    """Fill ``n_members``, ``members_same_sign`` and ``members_significant`` of rows with an effect; changed in place.

    ``repeats`` are the rows of the same tests on the niches of each base clustering alone. Fractions of the base
    clusterings whose effect has the same sign, and of those that have it with p < 0.05 as well. A single one is the
    result itself and says nothing.
    """
    if len(repeats) < 2:
        return
    found = [{_key(row): row for row in repeat if "effect" in row} for repeat in repeats]
    for row in rows:
        others = [repeat[_key(row)] for repeat in found if _key(row) in repeat]
        if "effect" not in row or not others:
            continue
        same = np.array([np.sign(o["effect"]) == np.sign(row["effect"]) for o in others])
        clear = np.array([o["p"] < LEVEL for o in others])
        row.update(n_members=len(others), members_significant=(same & clear).mean())
        if row["comparison"] != "omnibus":  # whose effect has no direction
            row["members_same_sign"] = same.mean()


def _key(row: dict) -> tuple[str, str, str]:
    return row["feature"], row["niche"], row["comparison"]
