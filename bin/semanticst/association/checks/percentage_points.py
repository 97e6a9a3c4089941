"""Effects as percentage points of cells, beside the log-ratios that are tested."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import scipy

from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features
from semanticst.association.features.within_niche import CELL_TYPE
from semanticst.association.stats.group_contrasts import slope_variable
from semanticst.association.stats.linear_model import slope_model

LEVEL = 0.95


def add_percentage_points(rows: list[dict], design: Design, features: Features) -> None:
    """Fill ``percentage_points`` and its interval of rows about shares of cells; changed in place.

    Differences (or slopes) of the shares that a reader sees, in 1/100, given the covariates and blocks that the
    contrast asked for: with neither, the difference of the two means with Welch's standard error. Numbers of cells are
    not adjusted for, since the mean of a share does not hang on them. Empty without a direction and for survival.
    """
    questions = dict(_questions(design))
    for row in rows:
        if "effect" not in row or not (row["feature"] == "proportion" or row["feature"].startswith(CELL_TYPE)):
            continue
        x = questions.get(row["comparison"], questions.get(row["family"]))
        if x is None or row["comparison"] == "omnibus":
            continue
        share = 100 * features.shown[row["feature"], row["niche"]].to_numpy(float)
        defined = features.modelled[row["feature"], row["niche"]].notna().to_numpy()
        found = _difference(design, share, x, defined & np.isfinite(x))
        if found is not None:
            row.update(zip(("percentage_points", "percentage_points_low", "percentage_points_high"), found))


def _questions(design: Design) -> Iterator[tuple[str, np.ndarray]]:
    """What rows compare, by comparison (pairs) or family: a number per unit, NaN for units that are left out."""
    x = slope_variable(design)
    if x is not None:
        yield "primary", x
    if "value" not in design.units:
        return
    values = design.units["value"].to_numpy()
    for reference, target in combinations(design.levels, 2):
        pair = np.where(values == target, 1.0, np.where(values == reference, 0.0, np.nan))
        yield f"{target} vs {reference}", pair


def _difference(design: Design, share: np.ndarray, x: np.ndarray, keep: np.ndarray) -> tuple[float, ...] | None:
    """Estimate and 95 % interval of the slope of ``share`` on x over the units in ``keep``; None without a model."""
    several = len(np.unique(x[keep])) > 2
    if design.within_patient and several:
        return _mean_slope(share[keep], x[keep], design.patients[keep])
    if design.within_patient:
        # a patient with one value only tells nothing of a difference within patients
        varies = [b for b in np.unique(design.blocks[keep]) if len(np.unique(x[keep & (design.blocks == b)])) > 1]
        keep = keep & np.isin(design.blocks, varies)
    model = slope_model(x[keep], design.blocks[keep], design.covariates.to_numpy(float)[keep])
    if model is None:
        return None
    effect, se = model.fit(share[keep][:, None])
    half = scipy.stats.t.ppf((1 + LEVEL) / 2, model.df) * se[0]
    return float(effect[0]), float(effect[0] - half), float(effect[0] + half)


def _mean_slope(share: np.ndarray, x: np.ndarray, patients: np.ndarray) -> tuple[float, ...] | None:
    """Mean of the patients' own slopes, with the interval of their spread."""
    slopes = []
    for patient in np.unique(patients):
        own, y = x[patients == patient], share[patients == patient]
        if np.ptp(own) > 0:
            slopes.append(np.polyfit(own, y, 1)[0])
    if len(slopes) < 2:
        return None
    half = scipy.stats.t.ppf((1 + LEVEL) / 2, len(slopes) - 1) * scipy.stats.sem(slopes)
    return float(np.mean(slopes)), float(np.mean(slopes) - half), float(np.mean(slopes) + half)
