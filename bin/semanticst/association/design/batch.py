"""Confounding with the batch: a contrast that cannot be told apart from it has no p-value.

Where the two only go together, patients are compared inside batches. That cannot wait for a strong association: a batch
that changes a niche sixfold and is split 48/32 against 32/48 (Cramer's V = 0.18) makes 42 % false positives in 160
patients, and a weaker split in fewer patients is chance. So it is judged by strength and by chance, with the generous
level that is used for the choice of confounders (Mickey & Greenland 1989, Am J Epidemiol 129:125).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from semanticst.association.design.design import Design, without_uncompared
from semanticst.association.design.variables import MIN_PER_GROUP, null_residuals

CONFOUNDED = 0.3
"""Cramer's V (correlation ratio) from which batch and contrast count as confounded."""
CHANCE = 0.2
"""They do as well where their association has a p-value below this."""


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


@dataclass(frozen=True)
class BatchCheck:
    """Association of batch and contrast (0 to 1, None where it cannot be judged), and whether it is nested."""

    strength: float | None = None
    measure: str = ""
    p: float = 1.0
    """Of no association: chi-square, or F of an analysis of variance."""
    nested: bool = False
    clusters: np.ndarray | None = None
    """Where nested: batch of each unit (batches that share a unit are one), if every level has at least 3 of them."""


def check_batch(design: Design) -> BatchCheck:
    """Judge batch and contrast.

    Where each patient has batches of their own (as when nobody stated a batch), batch cannot be told from patient:
    there is nothing to judge.
    """
    sections = design.sections
    if "batch" not in sections.columns or design.units.empty or sections["batch"].isna().all():
        return BatchCheck()
    pairs = sections[["unit", "patient", "batch"]].drop_duplicates().dropna()
    shared = pairs.groupby("batch")["patient"].nunique()
    if pairs["batch"].nunique() < 2 or (shared < 2).all():
        return BatchCheck()
    if design.contrast.type in ("survival", "continuous"):
        outcome = pairs["unit"].map(
            _time_to_event(design) if design.contrast.type == "survival" else design.units["value"]
        )
        return BatchCheck(
            correlation_ratio(outcome, pairs["batch"]), "correlation ratio", _p_of_f(outcome, pairs["batch"])
        )
    outcome = pairs["unit"].map(design.units["value"])
    levels_of_batch = outcome.groupby(pairs["batch"]).nunique()
    nested = len(outcome.unique()) > 1 and levels_of_batch.max() == 1
    clusters = _clusters(design) if nested else None
    p = float(scipy.stats.chi2_contingency(pd.crosstab(outcome, pairs["batch"]), correction=False).pvalue)
    return BatchCheck(cramers_v(outcome, pairs["batch"]), "Cramer's V", p, nested, clusters)


def _p_of_f(value: pd.Series, group: pd.Series) -> float:
    """p of the same mean of ``value`` in all groups; 1 where it cannot be said."""
    k, n = group.nunique(), len(value)
    within = ((value - value.groupby(group).transform("mean")) ** 2).sum()
    between = ((value - value.mean()) ** 2).sum() - within
    if k < 2 or n <= k or within <= 0:
        return 1.0
    return float(scipy.stats.f.sf(between / (k - 1) / (within / (n - k)), k - 1, n - k))


def _time_to_event(design: Design) -> pd.Series:
    """How early each patient had the event: martingale residuals (patients of one status still die at other times)."""
    time, event = (design.units[column].to_numpy(float) for column in ("time", "event"))
    return pd.Series(null_residuals(time, event, design.blocks), design.units.index)


def _clusters(design: Design) -> np.ndarray | None:
    """Nested batches as clusters of units; None where a level has fewer than 3."""
    pairs = design.sections[["unit", "batch"]].drop_duplicates().dropna()
    unit, batch = design.units.index.get_indexer(pairs["unit"]), pairs["batch"].astype("category").cat
    n, n_batches = len(design.units), len(batch.categories)
    links = scipy.sparse.coo_matrix((np.ones(len(pairs)), (unit, n + batch.codes)), shape=(n + n_batches,) * 2)
    piece = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    names = pd.Series(batch.categories.astype(str)).groupby(piece[n:]).agg("+".join)
    cluster = np.array([names.get(k, unit) for k, unit in zip(piece[:n], design.units.index)], dtype=object)
    sizes = pd.Series(cluster).groupby(design.units["value"].to_numpy()).nunique()
    return cluster if sizes.min() >= MIN_PER_GROUP else None


def account_for_batch(design: Design) -> tuple[Design, BatchCheck]:
    """The design in which batch cannot pass for the contrast, with the reason why it differs from what was asked.

    - Batch among the covariates, strata or block of the contrast: nothing to do.
    - Nested (every batch has one level) with fewer than 3 batches in a level: not testable.
    - Nested with more: batches are compared, each by the mean of its patients.
    - Confounded (`CONFOUNDED` and above, or p below `CHANCE`): patients are compared inside batches only; within
      patients, or where a patient has several batches, batch becomes a covariate or remains a warning.
    """
    check, contrast = check_batch(design), design.contrast
    if check.strength is None or "batch" in (*contrast.adjusted_columns, *contrast.strata, contrast.block):
        return design, check
    value = f"{check.measure} = {check.strength:.2f}"
    if check.nested and check.clusters is None:
        reason = (
            f"not testable: each batch holds one group of the contrast only (nested, {value}), so that an effect of "
            "the batches would look the same"
        )
        return replace(design, untestable=reason), check
    if check.nested:
        sizes = pd.Series(check.clusters).groupby(design.units["value"].to_numpy()).nunique()
        note = (
            f"each batch holds one group of the contrast only (nested, {value}): batches are compared "
            f"({_versus(design, sizes)}), each by the "
        )
        return _warned(replace(design, clusters=check.clusters), f"{note}mean of its patients"), check
    if check.strength < CONFOUNDED and check.p >= CHANCE:
        return design, check
    value += f", p = {check.p:.2g}"
    batch = design.sections.groupby("unit")["batch"]
    if len(design.sections[["unit", "batch"]].drop_duplicates()) > len(design.units):
        note = f"the contrast differs between batches (confounded, {value}): p may reflect the batch"
        return _warned(design, note), check
    code = batch.first().loc[design.units.index].astype(str)
    if design.within_patient:
        dummies = pd.get_dummies(code, prefix="batch", drop_first=True, dtype=float)
        covariates = pd.concat([design.covariates, dummies], axis=1)
        design = replace(design, covariates=covariates)
        return _warned(design, f"the contrast differs between batches (confounded, {value}): adjusted for batch"), check
    blocks = pd.DataFrame({"block": design.blocks, "batch": code.to_numpy()}).groupby(["block", "batch"]).ngroup()
    design = replace(design, blocks=blocks.to_numpy(), block_names=(*design.block_names, "batch"))
    design = without_uncompared(design)
    return _warned(
        design,
        (f"the contrast differs between batches (confounded, {value}): patients are compared inside batches only"),
    ), check


def _versus(design: Design, sizes: pd.Series) -> str:
    return " v ".join(str(sizes.get(level, 0)) for level in design.levels)


def _warned(design: Design, note: str) -> Design:
    return replace(design, warnings=[*design.warnings, note])
