"""How much a finding hangs on one patient, and what this cohort could have found."""

from collections.abc import Callable

import numpy as np
from scipy import stats

POWER = 0.80
LEVEL = 0.05


def leave_one_out(
    patients: np.ndarray, refit: Callable[[np.ndarray], np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest effect per feature when each patient in turn is left out.

    ``refit`` takes the units to keep (bool, n) and returns the effects, or None where they cannot be fitted.
    """
    effects = [refit(patients != p) for p in np.unique(patients)]
    effects = np.array([e for e in effects if e is not None], dtype=float)
    if not effects.size:
        return np.array(np.nan), np.array(np.nan)
    return np.nanmin(effects, axis=0), np.nanmax(effects, axis=0)


def detectable_effect(se: np.ndarray, df: float = np.inf) -> np.ndarray:
    """Smallest effect that a two-sided test at 0.05 finds with 80 % power at this standard error, uncorrected."""
    return (stats.t.ppf(1 - LEVEL / 2, df) + stats.t.ppf(POWER, df)) * se
