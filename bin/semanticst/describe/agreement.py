"""Agreement of sections of one patient: how much of what a section says of a niche is its patient's."""

import numpy as np
import pandas as pd
import scipy

PSEUDO_SHARE = 0.001
"""Added to shares before their logarithm, as in the tests of the association."""
FEWEST_PATIENTS = 3
"""With several sections; fewer say nothing of agreement."""


def intraclass_correlation(y: np.ndarray, patient: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Intraclass correlation of values (n,) of patients (n,), ICC(1), with its interval.

    One-way analysis of variance with random patients; the interval is that of F (Shrout & Fleiss 1979, Psychol Bull
    86:420, case 1), with the mean number of sections that unequal numbers stand for (Searle, Casella & McCulloch 1992,
    chapter 3.6). NaN where no patient has two sections, or all values are the same.
    """
    code = np.unique(patient, return_inverse=True)[1]
    sizes, n = np.bincount(code), len(y)
    k = len(sizes)
    if k < 2 or n <= k:
        return np.nan, np.nan, np.nan
    means = np.bincount(code, y) / sizes
    between = (sizes * (means - y.mean()) ** 2).sum() / (k - 1)
    within = ((y - means[code]) ** 2).sum() / (n - k)
    if within <= 1e-12:
        return (1.0, np.nan, np.nan) if between > 1e-12 else (np.nan, np.nan, np.nan)
    each = (n - (sizes**2).sum() / n) / (k - 1)
    f, tail = between / within, (1 - level) / 2
    bounds = (f, f / scipy.stats.f.ppf(1 - tail, k - 1, n - k), f / scipy.stats.f.ppf(tail, k - 1, n - k))
    icc, low, high = ((value - 1) / (value + each - 1) for value in bounds)
    return float(icc), float(low), float(high)


def section_agreement(counts: pd.DataFrame) -> pd.DataFrame | None:
    """Intraclass correlation of each niche's log-ratio over all sections.

    ``counts`` is ``niche_counts.csv``: sample, patient, niche, n_cells. Columns niche, icc, icc_low, icc_high,
    n_patients, n_sections (both of patients with several sections). None where fewer than ``FEWEST_PATIENTS`` have
    several.
    """
    wide = counts.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum", fill_value=0)
    patient = counts.drop_duplicates("sample").set_index("sample")["patient"].reindex(wide.index)
    several = patient.map(patient.value_counts()) > 1
    wide, patient = wide[several & (wide.sum(axis=1) > 0)], patient[several & (wide.sum(axis=1) > 0)]
    if patient.nunique() < FEWEST_PATIENTS:
        return None
    logs = np.log(wide.div(wide.sum(axis=1), axis=0) + PSEUDO_SHARE)
    ratios = logs.sub(logs.mean(axis=1), axis=0)
    rows = [(niche, *intraclass_correlation(ratios[niche].to_numpy(), patient.to_numpy())) for niche in ratios]
    table = pd.DataFrame(rows, columns=["niche", "icc", "icc_low", "icc_high"])
    return table.assign(n_patients=patient.nunique(), n_sections=len(patient))
