"""Quality control of one sample."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import CELL_AREA, UNS, FeatureType, Obs, Obsm
from semanticst.io.internal import feature_type, take_kind
from semanticst.io.regions.region_names import usual_spelling
from semanticst.qc.fingerprint import fingerprint
from semanticst.qc.metrics import cell_metrics
from semanticst.qc.platforms import platform_defaults
from semanticst.qc.spatial import CHECKS, judge_places
from semanticst.qc.summary import (
    FAIL,
    PASS,
    WARN,
    cell_warnings,
    count_warnings,
    failure,
    input_warnings,
    make_record,
    spatial_warnings,
)
from semanticst.qc.thresholds import QcSettings, Threshold, thresholds
from semanticst.units import MICROMETRE

if TYPE_CHECKING:
    import anndata as ad

_ROWS = 20_000


@dataclass(frozen=True)
class Judged:
    """All n cells of a sample, as they came in, and what was found about each."""

    sample: str
    unit: str
    """Of the coordinates."""
    points: np.ndarray
    """float64, n x 2"""
    metrics: pd.DataFrame
    """By cell id: metrics, and the flags of `CHECKS`."""
    removed: dict[str, np.ndarray]
    """Reason -> bool per cell; a cell may have several."""
    kept: np.ndarray
    """bool"""
    counts: bool = True
    """Whether the values are counts."""


def check_sample(
    adata: "ad.AnnData", settings: QcSettings, cohort_kind: FeatureType | None = None
) -> tuple["ad.AnnData | None", dict, Judged]:
    """Keep the good cells of a sample in the internal form.

    cohort_kind : what the values of all samples of the cohort are; this sample's, where they may be that.

    Returns the object with the cells that are kept (``obs`` gains metrics and flags, ``uns['semanticst']`` the
    thresholds), or None when the sample fails; the record for the report; and what was found about each cell. The
    matrix of ``adata`` is compacted in place, for two of them may be more than fits: do not use ``adata`` afterwards.
    """
    own = adata.uns[UNS]
    take_kind(own, cohort_kind)
    settings = settings.overridden(own["overrides"])
    settings = replace(settings, min_cells=int(settings.min_cells))
    kind = feature_type(adata)
    metrics = cell_metrics(adata, kind)
    limits = [
        replace(limit, source="samplesheet") if f"qc_{limit.name}" in own["overrides"] else limit
        for limit in thresholds(metrics, kind, settings, platform_defaults(own["platform"], adata.n_vars))
    ]
    # a cell that is negative for every marker of a binary panel is an observation, not an empty cell
    empty = (np.diff(adata.X.indptr) == 0) & (kind != FeatureType.BINARY)
    removed = {"empty": empty} | {limit.name: limit.fails(metrics) & ~empty for limit in limits}
    if settings.exclude_regions:
        removed["region"] = in_regions(adata.obs, settings.exclude_regions)
    good = ~np.any(list(removed.values()), axis=0)

    points = np.asarray(adata.obsm[Obsm.SPATIAL])
    unit = str(own["spatial_unit"])
    regions = judge_places(points, metrics, ~empty, good, kind, um=unit == MICROMETRE)
    if regions is not None:
        removed |= {check: metrics[CHECKS[check]].to_numpy() for check in settings.remove}
    kept = ~np.any(list(removed.values()), axis=0)
    judged = Judged(own["sample"], unit, points, metrics, removed, kept, kind == FeatureType.COUNTS)

    record = make_record(own, adata.n_vars, kind, settings, limits, judged, regions)
    lacking = failure(record, settings.min_cells)
    reasons = [lacking] if lacking else input_warnings(own, kind) + cell_warnings(judged)
    if kind == FeatureType.COUNTS and not lacking:
        reasons += count_warnings(adata, judged)
    reasons += [] if regions is None else spatial_warnings(judged, regions)
    status = FAIL if lacking else WARN if reasons else PASS
    record |= {"status": status, "reason": "; ".join(reasons), "reasons": reasons}
    record["fingerprint"] = fingerprint(adata, judged.kept)
    return None if lacking else _kept(adata, judged, status, limits), record, judged


def in_regions(obs: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Which cells lie in annotated regions of these names, however they are spelled (`region_names`): bool, n. None
    without an annotation."""
    if Obs.ANNOTATION not in obs:
        return np.zeros(len(obs), dtype=bool)
    regions = obs[Obs.ANNOTATION].astype("category").cat.categories.astype(str)
    wanted = {region for region in regions for name in names if region == name or usual_spelling([region, name])}
    return np.asarray(obs[Obs.ANNOTATION].astype(str).isin(wanted))


def _kept(adata: "ad.AnnData", judged: Judged, status: str, limits: list[Threshold]) -> "ad.AnnData":
    """The sample with the cells that are kept."""
    import anndata as ad

    kept = judged.kept
    found = judged.metrics.drop(columns=CELL_AREA, errors="ignore")
    clean = ad.AnnData(
        keep_rows(adata.X, kept),
        obs=pd.concat([adata.obs, found], axis=1)[kept],
        var=adata.var,
        obsm={name: values[kept] for name, values in adata.obsm.items()},
        uns=adata.uns,
    )
    clean.uns[UNS]["qc"] = {"status": status} | {limit.name: limit.value for limit in limits}
    return clean


def keep_rows(X: sp.csr_matrix, kept: np.ndarray) -> sp.csr_matrix:
    """The rows of a CSR matrix that are ``kept`` (bool), in the arrays of ``X``, which must not be used afterwards."""
    if kept.all():
        return X
    lengths = np.diff(X.indptr)
    end = 0
    for start in range(0, X.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        block = slice(X.indptr[start], X.indptr[min(start + _ROWS, X.shape[0])])
        entries = np.repeat(kept[rows], lengths[rows])
        stop = end + int(entries.sum())
        for values in (X.data, X.indices):
            values[end:stop] = values[block][entries]
        end = stop
    starts = np.concatenate([[0], np.cumsum(lengths[kept])]).astype(X.indptr.dtype)
    return sp.csr_matrix((X.data[:end], X.indices[:end], starts), shape=(int(kept.sum()), X.shape[1]), copy=False)
