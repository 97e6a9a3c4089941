"""Marker features of niches, with patients as replicates."""

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType, Obs
from semanticst.features.basis import cofactors, transform, typical_sizes

log = logging.getLogger(__name__)

MIN_CELLS = 10
"""A patient counts for a niche with at least that many cells inside it and outside it."""
PSEUDO_COUNT = 0.1
"""Added to both means (counts of a cell of median depth) before the fold change, so that noise of features that are
hardly ever seen has none."""


def effect_name(feature_type: FeatureType) -> str:
    """Column of the marker table that holds the size of the difference."""
    return "log2_fold_change" if feature_type is FeatureType.COUNTS else "difference"


def niche_markers(cohort: Cohort, what: str = "niche") -> pd.DataFrame:
    """Compare each feature inside a niche with outside it.

    Within each patient the mean inside and the mean outside are taken, then averaged over the patients that have at
    least `MIN_CELLS` cells on both sides (samples stand in for patients where there is one patient only). Counts are
    scaled to the median total of a cell and log(1 + x) transformed, and the effect is the log2 fold change
    log2((exp(mean_in) - 1 + 0.1) / (exp(mean_out) - 1 + 0.1)). For other features it is the difference of means, which
    for 0/1 features is a difference of shares. Continuous ones are brought to one scale before, arcsinh(x / c) with c
    the typical size of the feature (`semanticst.features.basis.cofactors`), where 0.6 is about twice the value.

    The score is the mean d of the patients' differences over their standard deviation s, d / (s + s0), where s0 is the
    median s over all features of the niche (Tusher et al. 2001, PNAS 98:5116): a large score is a difference that every
    patient shows. With a single replicate there is no s, and the score is d.

    Niches are found on the cells of the discovery where a study has a validation, and so are their markers.

    Proteins that were measured beside genes follow behind them (``modality``), compared and ranked among themselves in
    the cells that have them; theirs are counts scaled to their own totals, or continuous.

    Returns columns niche, modality, feature, symbol, mean_in, mean_out, log2_fold_change or difference (both where
    genes and proteins differ in it), score, rank (1 = best marker of the niche within its modality), n_replicates;
    sorted by modality, niche and rank. ``what`` the log calls a niche.
    """
    proteins = cohort.proteins()
    tables = [_markers_of(one, what) for one in (cohort, proteins) if one is not None]
    return pd.concat(tables, ignore_index=True)


def _markers_of(cohort: Cohort, what: str) -> pd.DataFrame:
    """`niche_markers` of one modality."""
    replicates = cohort.cells[Obs.PATIENT].where(cohort.decided)
    if replicates.nunique() < 2:
        replicates = cohort.cells[Obs.SAMPLE].where(cohort.decided)
        log.info("markers: one patient only, so its samples are the replicates: %d", replicates.nunique())
    replicate, names = pd.factorize(replicates, sort=True)  # -1 for cells of a validation
    niche = cohort.cells[Obs.NICHE].to_numpy() - 1
    n_niches = len(cohort.niches)
    group = np.where(replicate < 0, -1, replicate * n_niches + niche)
    shape = (len(names), n_niches)
    n_cells = np.bincount(group[group >= 0], minlength=len(names) * n_niches).reshape(shape)
    sums = _group_sums(cohort, group, len(names) * n_niches).reshape(*shape, -1)

    everything = sums.sum(axis=1)
    tables = []
    for k in np.flatnonzero(n_cells.any(axis=0)):
        inside, outside = sums[:, k], everything - sums[:, k]
        n_inside, n_outside = n_cells[:, k], n_cells.sum(axis=1) - n_cells[:, k]
        tables.append(_compare(int(k) + 1, inside, n_inside, outside, n_outside, cohort, what))
    return pd.concat(tables, ignore_index=True)


def _compare(
    niche: int,
    inside: np.ndarray,
    n_inside: np.ndarray,
    outside: np.ndarray,
    n_outside: np.ndarray,
    cohort: Cohort,
    what: str,
) -> pd.DataFrame:
    """Marker table of one niche from its sums (replicates x features) and cells (replicates), and those outside."""
    enough = (n_inside >= MIN_CELLS) & (n_outside >= MIN_CELLS)
    if enough.any():
        inside, n_inside, outside, n_outside = inside[enough], n_inside[enough], outside[enough], n_outside[enough]
    else:
        log.info("markers: no replicate has %d cells inside and outside %s %d, all are pooled", MIN_CELLS, what, niche)
        inside, outside = inside.sum(axis=0, keepdims=True), outside.sum(axis=0, keepdims=True)
        n_inside, n_outside = n_inside.sum(keepdims=True), n_outside.sum(keepdims=True)
    mean_in = inside / n_inside[:, None]
    # the only niche of a cohort has nothing outside it
    mean_out = outside / np.maximum(n_outside, 1)[:, None]
    difference = mean_in - mean_out
    score = _score(difference)
    order = np.argsort(-score, kind="stable")
    mean_in, mean_out = mean_in.mean(axis=0), mean_out.mean(axis=0)
    effect = mean_in - mean_out
    if cohort.feature_type is FeatureType.COUNTS:
        effect = np.log2((np.expm1(mean_in) + PSEUDO_COUNT) / (np.expm1(mean_out) + PSEUDO_COUNT))
    return pd.DataFrame(
        {
            "niche": niche,
            "modality": cohort.modality.value,
            "feature": cohort.features.to_numpy()[order],
            "symbol": cohort.symbols[order],
            "mean_in": mean_in[order],
            "mean_out": mean_out[order],
            effect_name(cohort.feature_type): effect[order],
            "score": score[order],
            "rank": np.arange(1, len(order) + 1),
            "n_replicates": len(difference),
        }
    )


def _score(difference: np.ndarray) -> np.ndarray:
    """Mean over replicates (rows) in units of the spread between them."""
    effect = difference.mean(axis=0)
    if len(difference) < 2:
        return effect
    spread = difference.std(axis=0, ddof=1)
    varying = spread[spread > 0]
    floor = np.median(varying) if len(varying) else 1.0
    return effect / (spread + floor)


def _group_sums(cohort: Cohort, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Sum the features, as `niche_markers` says, over the cells of each group (-1: none): float64, n_groups x
    n_features."""
    comparable = scale_of_markers(cohort)
    sums = np.zeros((n_groups, len(cohort.features)))
    for rows, values in cohort.blocks():
        values = comparable(values)
        n, known = values.shape[0], np.flatnonzero(group[rows] >= 0)
        members = sp.csr_matrix((np.ones(len(known)), (group[rows][known], known)), shape=(n_groups, n))
        sums += (members @ values).toarray()
    return sums


def scale_of_markers(cohort: Cohort) -> Callable[..., sp.csr_matrix]:
    """What brings the values of any cells, CSR n_cells x n_features, to the scale on which `niche_markers` compares;
    of counts their ``totals`` may be given.

    The scale is that of the cells without those of a validation, which must change nothing of the others.
    """
    if cohort.feature_type is FeatureType.COUNTS:
        return partial(transform, feature_type=cohort.feature_type, depth=median_total(cohort))
    if cohort.feature_type is FeatureType.CONTINUOUS:
        samples = zip(cohort.values_by_sample(), cohort.sample_rows(), strict=True)
        own = [typical_sizes(values) for values, (_, rows) in samples if cohort.decided[rows].all()]
        cofactor = cofactors(np.vstack(own))
        return partial(transform, feature_type=cohort.feature_type, depth=1.0, cofactor=cofactor)
    return lambda values: values


def median_total(cohort: Cohort) -> float:
    """Median total count of the cells that have any (1 where none has): what cells are scaled to."""
    totals = np.concatenate([np.asarray(values.sum(axis=1)).ravel() for _, values in cohort.blocks()])[cohort.decided]
    return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0
