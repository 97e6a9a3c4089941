"""Thresholds on cells: given, or read from the data of the sample."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from semanticst.constants import CELL_AREA, QC_MIN_CELLS, FeatureType, Obs
from semanticst.qc.platforms import GENERIC, Platform

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


@dataclass(frozen=True)
class QcSettings:
    """Settings of the quality control; None = read the threshold from the data."""

    min_counts: float | None = None
    min_features: int | None = None
    max_mito: float | None = None
    max_control: float | None = None
    min_area: float | None = None
    """um^2"""
    max_area: float | None = None
    """um^2"""
    mads: float = 5.0
    min_cells: int = QC_MIN_CELLS
    remove: tuple[str, ...] = ()
    """Spatial checks whose cells are removed, of `semanticst.qc.spatial.CHECKS`."""
    exclude_regions: tuple[str, ...] = ()
    """Annotated regions whose cells are removed, whatever the case of their names."""

    def overridden(self, overrides: dict[str, Any]) -> "QcSettings":
        """With the settings of one sample, named as in the samplesheet (``qc_min_counts``, ...)."""
        own = {name.removeprefix("qc_"): value for name, value in overrides.items()}
        unknown = set(own) - {f.name for f in fields(self)}
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        return replace(self, **own)


@dataclass(frozen=True)
class Threshold:
    """One limit: cells below (``low``) or above it are removed."""

    name: str
    metric: str
    value: float
    low: bool
    source: str
    """``given``, ``samplesheet``, or where in the data or the platform it comes from."""

    def fails(self, metrics: pd.DataFrame) -> np.ndarray:
        """Bool per cell; a cell without a value passes."""
        column = metrics[self.metric].to_numpy()
        return column < self.value if self.low else column > self.value


GIVEN = {
    "min_counts": (Obs.TOTAL, True),
    "min_features": (Obs.N_FEATURES, True),
    "max_mito": (Obs.MITO_SHARE, False),
    "max_control": (Obs.CONTROL_SHARE, False),
    "min_area": (CELL_AREA, True),
    "max_area": (CELL_AREA, False),
}
"""Settings that are thresholds: the metric, and whether cells below the value are removed."""


def thresholds(
    metrics: pd.DataFrame, kind: FeatureType, settings: QcSettings, platform: Platform = GENERIC
) -> list[Threshold]:
    """Thresholds for a sample, sorted by name. A given one replaces the one from the data.

    Counts: total counts and number of features not more than ``mads`` scaled median absolute deviations below the
    median on the log(1 + x) scale, and the mitochondrial share not more than that above the median, with the floors
    and the ceiling of the platform (as scuttle's isOutlier, McCarthy et al. 2017). Segmented cells: log area within as
    many deviations on both sides, against fragments and merged cells. Share of controls: the platform's limit.
    Features other than counts have no library size, and no threshold is read from them; of the given ones those on
    area apply, and to binary markers the number of features.
    """
    found = {name: limit for name in GIVEN if (limit := _given(name, metrics, kind, settings))}
    # the thresholds are those of cells: empty ones are removed anyway and would shift the median
    cells = metrics[metrics[Obs.TOTAL] > 0]
    for limit in _from_data(cells, settings.mads, platform) if kind == FeatureType.COUNTS else ():
        found.setdefault(limit.name, limit)
    return [found[name] for name in sorted(found)]


def _given(name: str, metrics: pd.DataFrame, kind: FeatureType, settings: QcSettings) -> Threshold | None:
    metric, low = GIVEN[name]
    value = getattr(settings, name)
    if value is None or metric not in metrics:
        return None
    applies = kind == FeatureType.COUNTS or metric == CELL_AREA
    applies |= kind == FeatureType.BINARY and name == "min_features"
    return Threshold(name, metric, float(value), low, "given") if applies else None


def _from_data(cells: pd.DataFrame, mads: float, platform: Platform) -> list[Threshold]:
    found = [
        _low("min_features", Obs.N_FEATURES, cells, mads, platform.floor_features, platform),
        _low("min_counts", Obs.TOTAL, cells, mads, platform.floor_counts, platform),
    ]
    mito = cells[Obs.MITO_SHARE].dropna().to_numpy(np.float64)
    if len(mito) and platform.ceiling_mito < 1:
        limit = float(np.median(mito) + mads * scaled_mad(mito))
        source = f"median + {mads:g} MADs" if limit > platform.ceiling_mito else f"lowest limit ({platform.kind})"
        found.append(Threshold("max_mito", Obs.MITO_SHARE, max(limit, platform.ceiling_mito), False, source))
    if platform.max_control is not None and Obs.CONTROL_SHARE in cells:
        source = f"default ({platform.kind})"
        found.append(Threshold("max_control", Obs.CONTROL_SHARE, platform.max_control, False, source))
    if platform.areas and CELL_AREA in cells:
        found += _area_limits(cells[CELL_AREA].dropna().to_numpy(np.float64), mads)
    return found


def _low(name: str, metric: str, cells: pd.DataFrame, mads: float, floor: float, platform: Platform) -> Threshold:
    """Data-driven lower limit; with no spread (MAD = 0) the data say nothing and the floor holds."""
    if len(cells):
        logs = np.log1p(cells[metric].to_numpy(np.float64))
        spread = scaled_mad(logs)
        limit = float(np.expm1(np.median(logs) - mads * spread))
        if spread > 0 and limit > floor:
            return Threshold(name, metric, limit, True, f"median - {mads:g} MADs")
    return Threshold(name, metric, floor, True, f"floor ({platform.kind})")


def _area_limits(area: np.ndarray, mads: float) -> list[Threshold]:
    """Both limits on the log scale; none where there is no spread, as with expanded nuclei of one size."""
    if not len(area):
        return []
    logs = np.log(area)
    spread = scaled_mad(logs)
    if spread == 0:
        return []
    low, high = np.exp(np.median(logs) + np.array([-mads, mads]) * spread)
    return [
        Threshold("min_area", CELL_AREA, float(low), True, f"median - {mads:g} MADs"),
        Threshold("max_area", CELL_AREA, float(high), False, f"median + {mads:g} MADs"),
    ]


def scaled_mad(values: np.ndarray) -> float:
    """Median absolute deviation from the median, scaled to be the standard deviation of a normal distribution."""
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))
