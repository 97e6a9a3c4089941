"""Variance components of niche shares: between patients, and between sections of a patient."""

import logging

import numpy as np
import pandas as pd

from semanticst.association.design.design import build_design
from semanticst.association.design.tables import Contrast
from semanticst.association.features.composition import centred_log_ratio, shares

log = logging.getLogger(__name__)

COLUMNS = ("niche", "sd_between", "sd_within", "icc", "n_patients", "n_sections", "sd_response")


def variance_components(
    counts: pd.DataFrame, sections: pd.DataFrame, contrast: Contrast | None = None, min_cells: int = 20
) -> pd.DataFrame:
    """Standard deviations of each niche's centred log-ratio, by one-way analysis of variance with patients as groups.

    ``counts`` (cells per section and niche), ``sections`` (index sample, column patient and variables). With a
    contrast, means of its levels are taken out first, and only its sections are used: what differs because of the
    outcome is no noise. ``sd_within`` is NaN where no patient has two sections; ``sd_between`` then holds both.
    ``sd_response`` is the SD between patients of the difference of two levels within patients (0 where sections explain
    it all), NaN without such a contrast.

    ``icc``: intraclass correlation, the patient's part of the variance of a section.

    Returns the columns ``COLUMNS``, one row per niche. Unequal numbers of sections: Searle, Casella & McCulloch (1992),
    Variance Components, chapter 3.6.
    """
    usable = counts.sum(axis=1).reindex(sections.index, fill_value=0) >= min_cells
    level = pd.Series("all", index=sections.index[usable])
    if contrast is not None:
        design = build_design(contrast, sections, usable)
        sections = design.sections
        level = sections["value"] if contrast.type in ("groups", "ordered") else pd.Series("all", index=sections.index)
    patient = sections["patient"].loc[level.index]
    y = centred_log_ratio(shares(counts.loc[level.index]))
    rows = [
        (
            str(niche),
            *_components(y[niche], patient, level),
            patient.nunique(),
            len(patient),
            _response(y[niche], patient, level),
        )
        for niche in y
    ]
    table = pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "icc"])
    return table.assign(icc=intraclass_correlation(table["sd_between"], table["sd_within"]))[list(COLUMNS)]


def intraclass_correlation(sd_between: pd.Series, sd_within: pd.Series) -> pd.Series:
    """Part of the variance of a section that is the patient's, 0 to 1; NaN where it cannot be told."""
    total = sd_between**2 + sd_within**2
    return sd_between**2 / total.where(total > 0)


def _components(y: pd.Series, patient: pd.Series, level: pd.Series) -> tuple[float, float]:
    """SD between patients (of one level) and between their sections."""
    unit = patient.astype(str) + " | " + level.astype(str)
    sizes, means = y.groupby(unit).size(), y.groupby(unit).mean()
    of_level = level.groupby(unit).first()
    n, n_units, n_levels = len(y), len(sizes), of_level.nunique()
    if n_units <= n_levels:
        return np.nan, np.nan
    within = ((y - y.groupby(unit).transform("mean")) ** 2).sum() / (n - n_units) if n > n_units else np.nan
    # weighted means of levels, so that the sum of squares has its textbook expectation
    level_mean = (means * sizes).groupby(of_level).sum() / sizes.groupby(of_level).sum()
    between = (sizes * (means - of_level.map(level_mean)) ** 2).sum() / (n_units - n_levels)
    sections_each = (n - ((sizes**2).groupby(of_level).sum() / sizes.groupby(of_level).sum()).sum()) / (
        n_units - n_levels
    )
    if np.isnan(within):
        return float(np.sqrt(between)), np.nan
    return float(np.sqrt(max(0.0, (between - within) / sections_each))), float(np.sqrt(within))


def _response(y: pd.Series, patient: pd.Series, level: pd.Series) -> float:
    """SD of patients' differences between two levels, less what sections leave unsaid of them."""
    levels = sorted(level.unique())
    keys = {"index": patient.to_numpy(), "columns": level.to_numpy(), "values": "y"}
    frame = pd.DataFrame({"y": y.to_numpy()})
    means, sizes = (frame.pivot_table(aggfunc=how, **keys) for how in ("mean", "count"))
    both = means.dropna().index
    spare = sizes.loc[both].sum().sum() - 2 * len(both)
    if len(levels) != 2 or len(both) < 2 or spare < 1:
        return np.nan
    here = patient.isin(both)
    within = ((y - y.groupby([patient, level]).transform("mean"))[here] ** 2).sum() / spare
    expected = within * (1 / sizes.loc[both]).sum(axis=1).mean()
    return float(np.sqrt(max(0.0, (means[levels[1]] - means[levels[0]])[both].var(ddof=1) - expected)))
