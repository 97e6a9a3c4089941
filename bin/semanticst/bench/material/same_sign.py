"""Whether mapped units are associated with groups as they are in the joint training."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

STRONG = 2.0
"""|t| in the joint training from which on a difference is counted as one."""


def as_joint(mapped: pd.Series, trained: pd.Series, joint: pd.Series) -> pd.Series:
    """Niches of ``mapped`` cells under the numbers of the ``joint`` training; its model's cells are ``trained``."""
    shared = pd.crosstab(trained, joint.loc[trained.index])
    own, theirs = linear_sum_assignment(-shared.to_numpy())
    return mapped.map(dict(zip(shared.index[own], shared.columns[theirs], strict=True)))


def same_sign(mapped: dict[str, pd.Series], joint: pd.Series) -> tuple[int, int, float]:
    """Over all splits of the units into halves and all niches: differences in the mean log proportion with |t| of at
    least ``STRONG`` in the joint training, how many of them have the same sign mapped, and the correlation of all.

    ``mapped``: niches of the cells of each unit, under the numbers of ``joint``.
    """
    niches = sorted(joint.unique())
    both = [
        np.array([_log_proportions(cells, niches) for cells in of_units])
        for of_units in ([joint.loc[cells.index] for cells in mapped.values()], mapped.values())
    ]
    units = range(len(mapped))
    differences = []
    for half in combinations(units, len(mapped) // 2):
        if len(mapped) % 2 == 0 and 0 not in half:
            continue  # the other half of a split that was looked at
        inside = np.isin(units, half)
        differences.append([_difference(values, inside) for values in both])
    (d_joint, t), (d_mapped, _) = (np.concatenate([d[i] for d in differences], axis=1) for i in (0, 1))
    strong = np.abs(t) >= STRONG
    same = np.sign(d_joint[strong]) == np.sign(d_mapped[strong])
    return int(strong.sum()), int(same.sum()), float(np.corrcoef(d_joint, d_mapped)[0, 1])


def _log_proportions(niche: pd.Series, niches: list) -> np.ndarray:
    counts = niche.value_counts().reindex(niches, fill_value=0).to_numpy() + 0.5
    return np.log(counts / counts.sum())


def _difference(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Mean of the units inside less that of the others, and its t (Welch), (2, niches)."""
    a, b = values[inside], values[~inside]
    d = a.mean(0) - b.mean(0)
    error = np.sqrt(a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b))
    return np.array([d, d / np.maximum(error, 1e-12)])
