"""Numbers of cells beside a contrast: what groups of different size would seem to show by their size alone.

A share of few cells is 0 more often than one of many, so that the expectation of its logarithm hangs on how many cells
were seen; fragmentation and contacts are functions of how large their niche is. Where numbers of cells go with the
contrast they enter the model as covariates, and the estimate without them stands beside. Cell types inside a niche need
none: they are compared at the same number of cells (``within_niche``), unless that leaves nothing of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features
from semanticst.association.features.within_niche import CELL_TYPE
from semanticst.association.stats.cox import martingale_residuals
from semanticst.association.stats.group_contrasts import steps
from semanticst.association.stats.linear_model import nuisance_basis
from semanticst.association.stats.omnibus import indicators
from semanticst.association.stats.survival import base_frame, too_few_events

GOES_WITH = 0.3
"""Correlation of log cells and contrast from which cells are adjusted for."""
LEAST_SPREAD = 0.05
"""SD of log cells, inside blocks and given covariates, from which cells are adjusted for.

The expected logarithm of a proportion moves with log cells by at most as much (of niches of no cell at all; of five
cells and more not at all). So what two groups of one size may owe to their cells is at most twice this SD times the
correlation: here a log-ratio of 0.1, 1.1 times. One cell less in one of eight patients has a correlation of 0.38 and an
SD of 0.001, and as a covariate takes this patient out of the test.
"""
SAME = 0.9
"""Correlation from which the two can hardly be told apart: the variance of the effect grows fivefold."""
LOG_CELLS = "log cells"
"""Name of the covariate: the logarithm of the number of cells of a unit."""
UNDETERMINED = (
    "not testable: the contrast cannot be told apart from numbers of cells, or too few patients are left to do so"
)

FEWEST = 1.0
"""Cells of a type that a patient is expected to have, below which groups with other numbers of cells are not compared.

Where hardly any patient of the group with few cells has one, that group seems not to vary."""

LogCells = Literal["auto", "true", "false"]
Model = Callable[[Design, Features], list[dict]]


@dataclass(frozen=True)
class Cells:
    """Cells per unit and niche (int), and whether they are adjusted for; ``auto``: where they go with the contrast."""

    counts: pd.DataFrame
    mode: LogCells = "auto"

    @property
    def log_total(self) -> pd.Series:
        """Natural logarithm of the cells of each unit."""
        return np.log(self.counts.sum(axis=1)).rename(LOG_CELLS)

    def log_niche(self, niche: str) -> pd.Series:
        """Natural logarithm of each unit's cells in a niche, half a cell added."""
        return np.log(self.counts[int(niche)] + 0.5).rename(f"log cells of niche {niche}")


def correlation(design: Design, values: pd.Series) -> float:
    """How strongly a number per unit goes with the contrast, inside blocks and given covariates.

    Pearson's correlation with the levels (of two groups, ordered), the number, or the martingale residual (survival):
    -1 to 1. Several groups: the multiple correlation, corrected for chance, 0 to 1. NaN where nothing varies.
    """
    outcome = _outcome(design)
    if outcome is None:
        return np.nan
    keep = np.isfinite(values.to_numpy())
    Z = nuisance_basis(design.blocks[keep], design.covariates.to_numpy(float)[keep])
    X, v = outcome[keep], values.to_numpy(float)[keep]
    X, v = X - Z @ (Z.T @ X), v - Z @ (Z.T @ v)
    left, singular, _ = np.linalg.svd(X, full_matrices=False)
    left = left[:, singular > 1e-8]
    total, df = v @ v, len(v) - Z.shape[1]
    if not left.size or total < 1e-12 or df - left.shape[1] < 1:
        return np.nan
    if left.shape[1] == 1 and X.shape[1] == 1:
        return float(X[:, 0] @ v / np.sqrt(total * (X[:, 0] @ X[:, 0])))
    explained = ((left.T @ v) ** 2).sum() / total
    return float(np.sqrt(max(0.0, 1 - (1 - explained) * df / (df - left.shape[1]))))


def varies(design: Design, values: pd.Series) -> bool:
    """Whether a logarithm of cells per unit varies enough, inside blocks and given covariates, to be adjusted for."""
    v = values.to_numpy(float)
    keep = np.isfinite(v)
    Z = nuisance_basis(design.blocks[keep], design.covariates.to_numpy(float)[keep])
    v = v[keep] - Z @ (Z.T @ v[keep])
    return bool(v @ v >= LEAST_SPREAD**2 * max(len(v) - Z.shape[1], 1))


def _outcome(design: Design) -> np.ndarray | None:
    """What the contrast is about as numbers (n x d); None where there is nothing to compare."""
    if design.units.empty:
        return None
    if design.contrast.type == "survival":
        base = base_frame(design)
        if too_few_events(len(base), int(base["event"].sum())):
            return None
        return martingale_residuals(base)[:, None]
    values = design.units["value"].to_numpy()
    if design.contrast.type == "continuous":
        return values.astype(float)[:, None]
    if design.contrast.type == "ordered":
        return steps(values, design.levels)[:, None]
    return indicators(values, design.levels)


def account_for_cells(design: Design, cells: Cells) -> Design:
    """The design with log cells per unit among its covariates, where they go with the contrast, and a note of it."""
    r = correlation(design, cells.log_total)
    goes = bool(abs(r) >= GOES_WITH) and varies(design, cells.log_total)
    if cells.mode == "false":
        note = f"numbers of cells per patient differ with the contrast (r = {r:.2f}) and are not adjusted for"
        return _noted(design, note) if goes else design
    if LOG_CELLS in design.covariates or (cells.mode == "auto" and not goes) or np.ptp(cells.log_total) < 1e-9:
        return design
    covariates = design.covariates.assign(**{LOG_CELLS: cells.log_total.reindex(design.units.index)})
    said = f", which differs with the contrast (log cells, r = {r:.2f})" if np.isfinite(r) else ""
    design = _noted(replace(design, covariates=covariates), f"adjusted for the number of cells per patient{said}")
    return _noted(design, _inseparable("cells per patient", r)) if abs(r) >= SAME else design


def _inseparable(what: str, r: float) -> str:
    return f"{what} rise and fall with the contrast (r = {r:.2f}): what is due to either can hardly be told apart"


def _noted(design: Design, note: str) -> Design:
    return replace(design, warnings=[*design.warnings, note])


def size_terms(feature: str, niche: str, cells: Cells) -> list[pd.Series]:
    """What of a feature inside niches follows from their size: logs of cells, per unit; none for other features."""
    if feature == "fragmentation":
        return [cells.log_niche(niche), cells.log_total]
    if feature.startswith("contact_with_"):
        both = dict.fromkeys((niche, feature.removeprefix("contact_with_")))
        return [*(cells.log_niche(k) for k in both), cells.log_total]
    return []


def compare_beside_cells(
    unadjusted: Design, adjusted: Design, features: Features, cells: Cells, model: Model
) -> list[dict]:
    """Rows of ``model`` adjusted for numbers of cells, with the estimate without them beside.

    Parameters
    ----------
    unadjusted, adjusted
        The design as it was asked for, and as ``account_for_cells`` gives it.
    features
        Of the units.
    cells
        Of the units.
    model
        Rows of a design and features, in the order of the features.

    Returns
    -------
    list of dict
        Rows in the order of ``model``, with ``cells_correlation`` and, with cells in the model, ``*_without_cells``.
    """
    plain = model(unadjusted, features)
    if cells.mode == "false":
        return plain
    by_terms: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for key in features.modelled.columns:
        feature, niche = key
        terms = tuple(str(term.name) for term in size_terms(feature, niche, cells))
        by_terms.setdefault(terms, []).append(key)
    found: dict[tuple, dict] = {}
    for terms, keys in by_terms.items():
        design = _with_terms(adjusted, size_terms(*keys[0], cells)) if terms else adjusted
        if design is unadjusted:
            continue
        here = Features(features.modelled[keys], features.shown[keys])
        found |= {row_key(row): row for row in model(design, here)}
    rows = [beside_cells(unadjusted, row, found.get(row_key(row)), cells) for row in plain]
    return [_unless_too_rare(row, features.expected) for row in rows]


def _unless_too_rare(row: dict, expected: Mapping[tuple[str, str], float]) -> dict:
    """The row without its test, where a cell type is too rare for groups with different numbers of cells."""
    found = expected.get((row["feature"], row["niche"]), np.inf)
    if "effect" not in row or not (found < FEWEST and abs(row["cells_correlation"]) >= GOES_WITH):
        return row
    reason = (
        f"not testable: {found:.2g} cells of this type are expected in as many cells of the niche as the patient with "
        f"fewest has, and cells of the niche are associated with the contrast (r = {row['cells_correlation']:.2f})"
    )
    return without_test(row, reason)


def without_test(row: dict, reason: str) -> dict:
    """What a row describes, and the reason why it holds no test."""
    described = ("feature", "niche", "comparison", "family", "n_patients", "n_events")
    return {k: v for k, v in row.items() if k in described or k.startswith(("mean_", "n_"))} | {"warnings": [reason]}


def row_key(row: dict) -> tuple[str, str, str]:
    """What a row is about: feature, niche, comparison."""
    return row["feature"], row["niche"], row["comparison"]


def _with_terms(design: Design, terms: list[pd.Series]) -> Design:
    new = {str(t.name): t.reindex(design.units.index) for t in terms if t.name not in design.covariates}
    return replace(design, covariates=design.covariates.assign(**{k: v for k, v in new.items() if varies(design, v)}))


def beside_cells(unadjusted: Design, plain: dict, adjusted: dict | None, cells: Cells) -> dict:
    """The adjusted row (where there is one), the unadjusted estimate, and how cells go with the contrast."""
    terms = size_terms(plain["feature"], plain["niche"], cells)
    inside = plain["feature"].startswith(CELL_TYPE)
    size = cells.log_niche(plain["niche"]) if inside else terms[0] if terms else cells.log_total
    r = correlation(unadjusted, size)
    row = {**(plain if adjusted is None else adjusted), "cells_correlation": r}
    if adjusted is None or "effect" not in plain:
        return row
    row |= {f"{name}_without_cells": plain.get(name, np.nan) for name in ("effect", "ci_low", "ci_high", "p")}
    if "effect" not in row:
        return row | {"warnings": [UNDETERMINED]}
    if terms and abs(r) >= SAME:
        row["warnings"] = [*row.get("warnings", []), _inseparable("cells of the niche", r)]
    return row
