"""The values of a sample: sparse, finite, and of one feature type."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.errors import ReadError

_BLOCK = 1 << 24
ONEHOT_SHARE = 0.9
"""Share of cells that must have a type for a typing to be recognised; the others have none."""


def as_csr(values) -> sp.csr_matrix:
    """CSR float32 without stored zeros, of any two-dimensional numbers.

    Raises ReadError when they are no numbers.
    """
    if getattr(values, "dtype", None) is None or values.dtype.kind not in "biuf":
        raise ReadError("the values are no numbers")
    matrix = sp.csr_matrix(values, dtype=np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def check_values(X: sp.csr_matrix, cells, features, stated: str) -> FeatureType:
    """Feature type of the values, detected or as stated in the samplesheet (``""`` = not stated).

    Raises ReadError when a value is not finite, negative though not stated to be continuous, or at odds with what is
    stated; the message names the first such cell and feature.
    """

    def complain(test: Callable, message: str) -> None:
        at = first_where(X.data, test)
        if at is not None:
            cell = cells[np.searchsorted(X.indptr, at, side="right") - 1]
            raise ReadError(f"{message} (first: cell {cell}, feature {features[X.indices[at]]}, value {X.data[at]:g})")

    complain(lambda v: ~np.isfinite(v), "there are values that are not finite; remove or impute them")
    if stated == FeatureType.CONTINUOUS:
        return FeatureType.CONTINUOUS
    complain(
        lambda v: v < 0,
        "there are negative values, so these are no counts; bring the raw counts, or, for scaled intensities, write "
        "continuous into a column feature_type of the samplesheet",
    )
    if stated == FeatureType.COUNTS:
        complain(lambda v: v != np.floor(v), "feature_type counts is stated, but there are fractions")
    elif stated in (FeatureType.BINARY, FeatureType.ONEHOT):
        complain(lambda v: v != 1, f"feature_type {stated} is stated, but there are values other than 0 and 1")
        if stated == FeatureType.ONEHOT and X.shape[0] and np.diff(X.indptr).max() > 1:
            cell = cells[int(np.diff(X.indptr).argmax())]
            raise ReadError(f"feature_type onehot is stated, but cell {cell} has more than one feature")
    return FeatureType(stated) if stated else detect_feature_type(X)


def detect_feature_type(X: sp.csr_matrix) -> FeatureType:
    """Feature type of non-negative values without stored zeros.

    All 0 or 1 with one feature per cell is a typing (a few cells may have no type), other 0 and 1 are binary markers,
    whole numbers are counts, anything else is continuous.
    """
    if X.nnz and first_where(X.data, lambda v: v != 1) is None:
        per_cell = np.diff(X.indptr)
        typed = per_cell.max() == 1 and (per_cell == 1).mean() >= ONEHOT_SHARE and X.shape[1] > 1
        return FeatureType.ONEHOT if typed else FeatureType.BINARY
    whole = first_where(X.data, lambda v: v != np.floor(v)) is None
    return FeatureType.COUNTS if whole else FeatureType.CONTINUOUS


def first_where(data: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> int | None:
    """First position at which ``test`` holds; block by block, since a test makes copies."""
    for start in range(0, len(data), _BLOCK):
        hits = test(data[start : start + _BLOCK])
        if hits.any():
            return start + int(hits.argmax())
    return None
