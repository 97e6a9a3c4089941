"""Contrasts over levels: two or more groups, and ordered levels."""

from itertools import combinations

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features
from semanticst.association.stats.linear_contrast import (
    COARSE,
    DETERMINED,
    Question,
    Settings,
    compare,
    too_few,
    untestable_feature,
)
from semanticst.association.stats.omnibus import indicators, omnibus_test
from semanticst.association.stats.per_sd import per_sd
from semanticst.association.stats.permutation import MODELLED, PERMUTED, Rearrangements
from semanticst.association.stats.results import OMNIBUS, PAIRWISE, PRIMARY


def build_question(design: Design, x: np.ndarray, settings: Settings) -> Question:
    """The design's patients, blocks and covariates with x as the variable of interest."""
    return Question(
        x=x,
        patients=design.patients,
        blocks=design.blocks,
        covariates=design.covariates.to_numpy(float),
        block_names=design.block_names,
        covariate_names=tuple(design.covariates.columns),
        permutations=settings.permutations,
        seed=settings.seed,
        continuous=design.contrast.type == "continuous",
    )


def is_plain(design: Design, pairs: bool = False) -> bool:
    """Is nothing adjusted for? Rank tests and Hedges' g know of no covariates, strata or repeated patients, and beside
    an adjusted effect they would answer another question. Differences within patients (``pairs``) have their own.
    """
    return not design.covariates.shape[1] and (len(np.unique(design.blocks)) < 2 or (pairs and design.within_patient))


def slope_variable(design: Design) -> np.ndarray | None:
    """The number per unit whose slope the primary rows hold (0/1, steps, SD); None where they hold no slope."""
    value = design.units.get("value")
    if design.contrast.type == "continuous":
        return standardised(value.to_numpy(float))
    if design.contrast.type == "ordered" or (design.contrast.type == "groups" and len(design.levels) == 2):
        return steps(value.to_numpy(), design.levels)
    return None


def compare_groups(design: Design, features: Features, settings: Settings) -> list[dict]:
    """Two levels: one difference per feature. More: an omnibus row per feature, then a row per pair of levels."""
    if len(design.levels) == 2:
        return _pair(design, features, settings, *design.levels, PRIMARY)
    rows = compare_omnibus(design, features, settings)
    if all("effect" not in row for row in rows):
        return rows
    for reference, target in combinations(design.levels, 2):
        rows += _pair(design, features, settings, reference, target, PAIRWISE)
    return rows


def compare_ordered(design: Design, features: Features, settings: Settings) -> list[dict]:
    """A slope per step from low to high for each feature, then a row per pair of levels (when more than two)."""
    values = design.units["value"].to_numpy()
    x = steps(values, design.levels)
    rows = compare(features, build_question(design, x, settings))
    for row in rows if is_plain(design) else ():
        if "effect" in row:
            row["p_rank"] = _kendall(x, features.modelled[row["feature"], row["niche"]])
    low, high = design.levels[0], design.levels[-1]
    _describe(rows, features, values, low, high, f"trend {' < '.join(design.levels)}", PRIMARY, "slope_per_level")
    if len(design.levels) > 2:
        for reference, target in combinations(design.levels, 2):
            rows += _pair(design, features, settings, reference, target, PAIRWISE)
    return rows


def compare_continuous(design: Design, features: Features, settings: Settings) -> list[dict]:
    """A slope per standard deviation of the variable for each feature."""
    value = design.units["value"].to_numpy(float)
    spread = value.std(ddof=1) if len(value) > 1 else 0.0
    x = standardised(value)
    rows = compare(features, build_question(design, x, settings))
    for row in rows if is_plain(design) else ():
        if "effect" in row:
            row["p_rank"] = _kendall(x, features.modelled[row["feature"], row["niche"]])
    comparison = per_sd(design.contrast.column, spread)
    _describe(rows, features, None, "", "", comparison, PRIMARY, "slope_per_sd")
    return rows


def pair_question(design: Design, reference: str, target: str, settings: Settings) -> tuple[np.ndarray, Question]:
    """Which units (bool) are compared where two levels are, and the question over them."""
    values = design.units["value"].to_numpy()
    keep = np.isin(values, (reference, target))
    question = build_question(design, (values == target).astype(float), settings)
    if not design.within_patient:
        # of more levels, a stratum may have one of these two only: nobody to be compared with
        told = question.where(keep).contrasted
        keep[keep] = told if told.any() else True
    return keep, question.where(keep)


def _pair(
    design: Design, features: Features, settings: Settings, reference: str, target: str, family: str
) -> list[dict]:
    values = design.units["value"].to_numpy()
    keep, question = pair_question(design, reference, target, settings)
    subset = Features(features.modelled[keep], features.shown[keep])
    rows = compare(subset, question)
    for row in rows if is_plain(design, pairs=True) else ():
        if "effect" not in row:
            continue
        y = subset.modelled[row["feature"], row["niche"]].to_numpy()
        defined, is_target = np.isfinite(y), values[keep] == target
        row["hedges_g"] = hedges_g(y[defined & is_target], y[defined & ~is_target])
        row["p_rank"] = _rank_test(y[defined], is_target[defined], question.patients[defined], design.within_patient)
    _describe(rows, subset, values[keep], reference, target, f"{target} vs {reference}", family, "difference")
    return rows


def _describe(
    rows: list[dict],
    features: Features,
    values: np.ndarray | None,
    reference: str,
    target: str,
    comparison: str,
    family: str,
    kind: str,
) -> None:
    """Add what does not come from the model: names and the means that a reader sees."""
    for row in rows:
        shown = features.shown[row["feature"], row["niche"]]
        row.update(comparison=comparison, family=family, mean_all=shown.mean())
        if "effect" in row:
            row["effect_type"] = f"{features.scale(row['feature'])}_{kind}"
        for name, level in (("reference", reference), ("target", target)):
            if values is not None:
                row[f"mean_{name}"] = shown[values == level].mean()
                row[f"n_{name}"] = int(shown[values == level].notna().sum())


def compare_omnibus(design: Design, features: Features, settings: Settings) -> list[dict]:
    """A row per feature: do its means differ between any of several groups?"""
    values = design.units["value"].to_numpy()
    question = build_question(design, np.unique(values, return_inverse=True)[1].astype(float), settings)
    rows = []
    for feature, niche in features.modelled.columns:
        y = features.modelled[feature, niche].to_numpy()
        use = np.isfinite(y)
        here = question.where(use)
        row = {"feature": feature, "niche": niche, "comparison": OMNIBUS, "family": PRIMARY}
        row["mean_all"] = features.shown.loc[use, (feature, niche)].mean()
        row["n_patients"] = len(np.unique(here.patients))
        reason = untestable_feature(y[use]) or too_few(here)
        result = None
        if not reason:
            X = indicators(values[use], design.levels)
            patients = here.patients if here.within_patient else None
            result = omnibus_test(
                y[use, None], X, here.blocks, here.covariates, settings.permutations, settings.seed, patients=patients
            )
            if result is None:
                reason = DETERMINED
        if reason or result is None:
            rows.append({**row, "warnings": [reason]})
            continue
        row.update(
            effect=result.explained[0],
            effect_type="partial_eta_squared",
            p=result.p[0],
            p_permutation=result.p_permutation[0],
            p_source=PERMUTED if result.p[0] == result.p_permutation[0] else MODELLED,
            p_model=result.p_model[0],
            p_rank=_kruskal(y[use], values[use]) if is_plain(design) else np.nan,
            model=here.describe(result.permutations.describe())
            .replace("HC2 errors", "F test, unequal variances")
            .replace("of t", "of F"),
            warnings=few_flips(result.permutations) if here.within_patient else [],
        )
        rows.append(row)
    return rows


def few_flips(flips: Rearrangements) -> list[str]:
    """What so few patients cannot give: the smallest p is that of two sign flips, the data and all signs turned."""
    smallest = 2 / len(flips)
    return (
        [f"so few patients that no p can be below {smallest:.2g} ({len(flips)} sign flips)"]
        if smallest > COARSE
        else []
    )


def steps(values: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    """Position of each value among the levels, the lowest is 0: float64."""
    position = {level: float(i) for i, level in enumerate(levels)}
    return np.array([position[v] for v in values])


def standardised(value: np.ndarray) -> np.ndarray:
    """Mean 0 and SD 1 (unless all are the same): float64."""
    spread = value.std(ddof=1) if len(value) > 1 else 0.0
    return (value - value.mean()) / (spread if spread > 0 else 1.0)


def hedges_g(target: np.ndarray, reference: np.ndarray) -> float:
    """Standardised mean difference with the small-sample factor 1 - 3 / (4 df - 1) (Hedges 1981, J Educ Stat 6:107)."""
    df = len(target) + len(reference) - 2
    if min(len(target), len(reference)) < 2:
        return np.nan
    pooled = ((len(target) - 1) * target.var(ddof=1) + (len(reference) - 1) * reference.var(ddof=1)) / df
    if pooled < 1e-12:
        return np.nan
    return float((target.mean() - reference.mean()) / np.sqrt(pooled) * (1 - 3 / (4 * df - 1)))


def _rank_test(y: np.ndarray, is_target: np.ndarray, patients: np.ndarray, paired: bool) -> float:
    """Mann-Whitney, or the signed-rank test of complete pairs."""
    if not paired:
        return float(scipy.stats.mannwhitneyu(y[is_target], y[~is_target]).pvalue)
    target = pd.Series(y[is_target], index=patients[is_target])
    difference = target.sub(pd.Series(y[~is_target], index=patients[~is_target])).dropna()
    if not difference.abs().max() > 0:
        return np.nan
    return float(scipy.stats.wilcoxon(difference).pvalue)


def _kendall(x: np.ndarray, y: pd.Series) -> float:
    return float(scipy.stats.kendalltau(x, y, nan_policy="omit").pvalue)


def _kruskal(y: np.ndarray, values: np.ndarray) -> float:
    return float(scipy.stats.kruskal(*(y[values == v] for v in np.unique(values))).pvalue)
