"""Thresholds on cells: given, or read from the data of the sample."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType, Obs

FLOOR_COUNTS = 5.0
FLOOR_FEATURES = 3.0
CEILING_MITO = 0.3
"""A limit from the data on the mitochondrial share is never below this: in tissue the share also differs by region."""

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


@dataclass(frozen=True)
class QcSettings:
    """Settings of the quality control; None = read the threshold from the data."""

    min_counts: float | None = None
    min_features: int | None = None
    max_mito: float | None = None
    mads: float = 5.0
    min_cells: int = 20

    def overridden(self, overrides: dict[str, float]) -> "QcSettings":
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
    """``given``, or where in the data it comes from."""

    def fails(self, metrics: pd.DataFrame) -> np.ndarray:
        """Bool per cell; a cell without a value passes."""
        column = metrics[self.metric].to_numpy()
        return column < self.value if self.low else column > self.value


def thresholds(metrics: pd.DataFrame, kind: FeatureType, settings: QcSettings) -> list[Threshold]:
    """Thresholds for a sample.

    Counts: total counts and number of features not more than ``mads`` scaled median absolute deviations below the
    median on the log(1 + x) scale, and the mitochondrial share not more than that above the median, with floors (as
    scuttle's isOutlier, McCarthy et al. 2017). Other values have no library size, and no threshold is read from them;
    of the given ones only the number of features applies, to binary markers.
    """
    found = []
    if kind in (FeatureType.COUNTS, FeatureType.BINARY) and settings.min_features is not None:
        found.append(Threshold("min_features", Obs.N_FEATURES, float(settings.min_features), True, "given"))
    if kind != FeatureType.COUNTS:
        return found
    # the thresholds are those of cells: empty ones are removed anyway and would shift the median
    cells = metrics[metrics[Obs.TOTAL] > 0]
    if settings.min_features is None:
        found.append(_low("min_features", Obs.N_FEATURES, cells, settings.mads, FLOOR_FEATURES))
    if settings.min_counts is None:
        found.append(_low("min_counts", Obs.TOTAL, cells, settings.mads, FLOOR_COUNTS))
    else:
        found.append(Threshold("min_counts", Obs.TOTAL, float(settings.min_counts), True, "given"))
    mito = cells[Obs.MITO_SHARE].dropna().to_numpy(np.float64)
    if settings.max_mito is not None:
        found.append(Threshold("max_mito", Obs.MITO_SHARE, float(settings.max_mito), False, "given"))
    elif len(mito):
        limit = np.median(mito) + settings.mads * scaled_mad(mito)
        source = f"median + {settings.mads:g} MADs" if limit > CEILING_MITO else "lowest limit"
        found.append(Threshold("max_mito", Obs.MITO_SHARE, max(float(limit), CEILING_MITO), False, source))
    return sorted(found, key=lambda t: t.name)


def _low(name: str, metric: str, cells: pd.DataFrame, mads: float, floor: float) -> Threshold:
    """Data-driven lower limit; with no spread (MAD = 0) the data say nothing and the floor holds."""
    if len(cells):
        logs = np.log1p(cells[metric].to_numpy(np.float64))
        spread = scaled_mad(logs)
        limit = float(np.expm1(np.median(logs) - mads * spread))
        if spread > 0 and limit > floor:
            return Threshold(name, metric, limit, True, f"median - {mads:g} MADs")
    return Threshold(name, metric, floor, True, "floor")


def scaled_mad(values: np.ndarray) -> float:
    """Median absolute deviation from the median, scaled to be the standard deviation of a normal distribution."""
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))
