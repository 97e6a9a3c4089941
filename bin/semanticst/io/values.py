"""The values of a sample: sparse, finite, and of one feature type.

Counts of molecules are mixtures of Poisson distributions, over cells and over features. Of such a mixture with the
probabilities p(k), (k + 1) p(k + 1) / p(k) never falls as k rises (k! p(k) are the moments of the rates, times a
constant, for which p(k) k! squared is at most the product of its neighbours), and no feature varies less than its mean.
In real counts of seven instruments this holds within the error of the numbers of values. Nor do the totals of cells
vary less than their mean, and a cell with many features has one that was counted once where most are. What misses none
of these is not told: logarithms and roots of counts that vary very much from spot to spot (gamma-distributed rates of
shape 0.3), or of rare ones.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import scipy.sparse as sp

from semanticst.constants import COUNTING, STAINING, FeatureType
from semanticst.errors import ReadError
from semanticst.wording import listed

_BLOCK = 1 << 24
NEARLY = 1e-5
"""Share of a value by which it may miss a whole number; a logarithm in float32 and back misses by 1e-6."""
STRICTEST_FIRST = (FeatureType.ONEHOT, FeatureType.BINARY, FeatureType.COUNTS, FeatureType.CONTINUOUS)
SURELY_SEEN = 20.0
"""As many values above 1 as this are expected among counts: where there is none (chance e^-20), these are no counts."""
ONEHOT_SHARE = 0.9
"""Share of cells that must have a type for a typing to be recognised; the others have none."""
MOST_CELLS = 5_000
"""Cells that are looked at, evenly spread over the rows."""
FEWEST = 100
"""Values of one kind below which nothing is said."""
LEAST_RATIO = 0.6
"""Of the product of the neighbours to the square; counts have 1 or more."""
LEAST_FANO = 0.8
"""Of the variance to the mean, the median over features with a mean of `LEAST_MEAN`; counts have 1 or more."""
LEAST_UNDER = 0.01
"""Share of these features, and at least two, that vary less than that each for itself."""
ONES = 0.3
"""Share of 1 among the values above which a cell of `MANY_FEATURES` features that has none was scaled."""
MANY_FEATURES = 50
LEAST_SCALED = 0.01
"""Share of such cells, and at least three."""
LEAST_MEAN = 0.3
"""Of features whose variance tells: rarer ones are 0 and 1 whatever they are."""
SURELY = 6.0
"""Standard errors by which both have to be missed."""
MOST_MARKERS = 200
"""Stainings have no more."""
EVERYWHERE = 0.95
"""Share of the cells in which a feature with a background is above 0."""
MOST_VALUES = 1 << 16
"""Values above are not looked at one by one: none of them is frequent."""
HIGHEST_LOGARITHM = 20
"""Rounded logarithms are no larger: e to the 20 is half a billion."""


def whole(values: np.ndarray) -> np.ndarray:
    """Rounded values where these are whole numbers but for errors of float32, as counts that were logarithms; else as
    they are.
    """
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        return values
    rounded = np.rint(values)
    near = np.abs(values - rounded) <= NEARLY * np.maximum(np.abs(values), 1)
    return rounded if near.all() else values


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


def rounded_counts(X: sp.csr_matrix, stated: str) -> tuple[sp.csr_matrix, str]:
    """Counts that were logarithms as whole numbers again (changed in place), and a note; see `whole`."""
    if stated not in ("", FeatureType.COUNTS) or first_where(X.data, lambda v: v != np.rint(v)) is None:
        return X, ""
    if first_where(X.data, lambda v: whole(v) != np.rint(v)) is not None:
        return X, ""
    np.rint(X.data, out=X.data)
    X.eliminate_zeros()
    return X, "values are whole numbers but for rounding errors, and were rounded"


def check_values(
    X: sp.csr_matrix, cells, features, stated: str, platform: str = "", no_counts: bool = False
) -> tuple[FeatureType, ...]:
    """What the values may be, see `possible_types`; only that which the samplesheet states (``""`` = not stated).

    Raises ReadError when a value is not finite, negative though not stated to be continuous, or at odds with what is
    stated; the message names the first such cell and feature.
    """

    def complain(test: Callable, message: str) -> None:
        at = first_where(X.data, test)
        if at is not None:
            cell = cells[np.searchsorted(X.indptr, at, side="right") - 1]
            raise ReadError(f"{message} (first: cell {cell}, feature {features[X.indices[at]]}, value {X.data[at]:g})")

    if first_where(X.data, lambda v: ~np.isfinite(v)) is not None:
        gone = np.bincount(X.indices[~np.isfinite(X.data)], minlength=X.shape[1])
        if (empty := np.flatnonzero(gone == X.shape[0])).size:
            names = listed((features[j] for j in empty), 6)
            raise ReadError(f"{len(empty)} features have no finite value in any cell ({names}); take them out")
    complain(lambda v: ~np.isfinite(v), "there are values that are not finite; remove or impute them")
    if stated == FeatureType.CONTINUOUS:
        return (FeatureType.CONTINUOUS,)
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
    return (FeatureType(stated),) if stated else possible_types(X, platform, no_counts)


def possible_types(X: sp.csr_matrix, platform: str = "", no_counts: bool = False) -> tuple[FeatureType, ...]:
    """What non-negative values (without stored zeros) of a sample may be; the first is what it is taken for alone.

    All 0 or 1 with one feature per cell is a typing (a few cells may have no type), other 0 and 1 are binary markers,
    whole numbers are counts, anything else is continuous. But one sample does not tell all: a typing may be binary
    markers of a section in which no cell has two, 0 and 1 may be sparse counts, and whole numbers intensities. Which of
    them it is follows from the other samples of the cohort (`cohort_type`). no_counts : whether whole numbers cannot be
    counts (`why_no_counts`).
    """
    if not X.nnz:
        # cells without anything fit whatever the other samples hold
        return (
            (FeatureType.COUNTS,)
            if platform in COUNTING
            else (FeatureType.COUNTS, *STRICTEST_FIRST[:2], FeatureType.CONTINUOUS)
        )
    if first_where(X.data, lambda v: v != 1) is None:
        per_cell = np.diff(X.indptr)
        typed = per_cell.max() == 1 and (per_cell == 1).mean() >= ONEHOT_SHARE and X.shape[1] > 1
        marks = (FeatureType.ONEHOT, FeatureType.BINARY) if typed else (FeatureType.BINARY,)
        if expected_above_one(X) >= SURELY_SEEN:
            return marks
        return (FeatureType.COUNTS,) if platform in COUNTING else (*marks, FeatureType.COUNTS)
    if no_counts or first_where(X.data, lambda v: v != np.floor(v)) is not None:
        return (FeatureType.CONTINUOUS,)
    return (FeatureType.COUNTS, FeatureType.CONTINUOUS) if platform in STAINING else (FeatureType.COUNTS,)


def expected_above_one(X: sp.csr_matrix) -> float:
    """How many values above 1 there would be if what is stored (0 or 1) were counts: independent and Poisson.

    Counts vary more than that, so that fewer would be stranger still. inf where a feature is 1 in all cells.
    """
    share = np.bincount(X.indices, minlength=X.shape[1]) / max(X.shape[0], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = -np.log1p(-share)
        above = 1 - (1 - share) * (1 + mean)
    return float("inf") if (share == 1).any() else float(X.shape[0] * above.sum())


def cohort_type(possible: Iterable[Iterable[str]]) -> FeatureType | None:
    """The one kind that the values of all samples may be, the strictest of several; None where there is none.

    possible : of each sample its `possible_types`.
    """
    common = set.intersection(*(set(kinds) for kinds in possible))
    return next((kind for kind in STRICTEST_FIRST if kind in common), None)


def uncounted(kind: str, platform: str) -> list[str]:
    """A warning where the platform counts molecules, and the values are of a kind that is none of counts."""
    if platform not in COUNTING:
        return []
    if kind == FeatureType.CONTINUOUS:
        return [f"values are no whole numbers, though {platform} counts molecules: logarithms? Bring counts"]
    if kind == FeatureType.BINARY:
        return [f"values are all 0 or 1, though {platform} counts molecules: a mask? Bring counts"]
    return []


def first_where(data: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> int | None:
    """First position at which ``test`` holds; block by block, since a test makes copies."""
    for start in range(0, len(data), _BLOCK):
        hits = test(data[start : start + _BLOCK])
        if hits.any():
            return start + int(hits.argmax())
    return None


def why_no_counts(X: sp.csr_matrix) -> str:
    """Why whole numbers (CSR without stored zeros) are no counts, in words; empty where they may be.

    Empty, too, where they are no whole numbers, all 0 or 1, or too few to tell.
    """
    X = X[:: max(1, X.shape[0] // MOST_CELLS)] if X.shape[0] > MOST_CELLS else X
    if X.nnz < FEWEST or not np.isfinite(X.data).all() or X.data.max() <= 1 or X.data.min() < 0:
        return ""
    if (X.data != np.floor(X.data)).any():
        return ""
    return (
        strange_frequencies(X.data, float(X.shape[0]) * X.shape[1] - X.nnz)
        or _too_even(X)
        or _totals_too_even(X)
        or _cells_without_one(X)
    )


def strange_frequencies(values: np.ndarray, n_zero: float = math.inf) -> str:
    """Why whole numbers are no counts by how often each occurs; empty where they may be.

    values : finite, 0 or more, of any number of axes. n_zero : zeros beside them; of any number if it is not known.
    """
    values = np.asarray(values).ravel()
    values = values.astype(np.float32) if values.dtype == np.float16 else values  # which ends at 65504
    values = values[(values > 0) & (values < np.inf)]
    if len(values) < FEWEST or values.max() <= 1:
        return ""
    times = np.bincount(values[values < MOST_VALUES].astype(np.int64))
    kind = "rounded logarithms" if values.max() <= HIGHEST_LOGARITHM else "counts that were scaled"
    common = _common_factor(times) if times.sum() == len(values) else ""
    return common or _too_frequent(times, n_zero, kind)


def _common_factor(times: np.ndarray) -> str:
    factor = int(np.gcd.reduce(np.flatnonzero(times)))
    return f"all are multiples of {factor}, as counts that were multiplied by it" if factor > 1 else ""


def _too_frequent(times: np.ndarray, n_zero: float, kind: str) -> str:
    """A value that is more frequent than its neighbours allow."""
    times = times.astype(np.float64)
    times[:1] = n_zero
    k = np.arange(1, len(times) - 1)
    at, below, above = np.maximum(times[1:-1], 1), times[:-2] + 1, times[2:] + 1
    ratio = np.log(below) + np.log(above) + np.log1p(1 / k) - 2 * np.log(at)
    missed = -ratio / np.sqrt(1 / below + 1 / above + 4 / at)
    wrong = (at >= FEWEST) & (ratio < math.log(LEAST_RATIO)) & (missed >= SURELY)
    if not wrong.any():
        return ""
    value = int(k[np.argmax(np.where(wrong, missed, 0))])
    around = f"{value - 1}, {value} and {value + 1} occur {times[value - 1]:.0f}, {times[value]:.0f} and "
    return f"{around}{times[value + 1]:.0f} times, as in {kind}"


def _too_even(X: sp.csr_matrix) -> str:
    """Features that vary less than counts do: most of them a little, or some of them for certain."""
    n, values = X.shape[0], X.data.astype(np.float64)  # squares of intensities
    mean, squares = (np.bincount(X.indices, weights=power, minlength=X.shape[1]) / n for power in (values, values**2))
    seen = mean >= LEAST_MEAN
    if not seen.any():
        return ""
    mean, fano = mean[seen], (squares - mean**2)[seen] / mean[seen]
    middle, error = float(np.median(fano)), 1.25 * math.sqrt(2 / n / len(fano))
    if middle < LEAST_FANO and (1 - middle) / error >= SURELY:
        return f"the variance of a feature is {middle:.2g} of its mean (median), as in rounded logarithms"
    # the error of the ratio for counts of one rate
    under = int(((fano < LEAST_FANO) & ((1 - fano) / np.sqrt((2 + 1 / mean) / n) >= SURELY)).sum())
    if under < max(2, LEAST_UNDER * len(fano)):
        return ""
    return f"the variance of {under} features is below their mean, as in rounded roots or logarithms"


def _totals_too_even(X: sp.csr_matrix) -> str:
    """Totals of cells that vary less than counts do, and are not one and the same, as those of drawn counts are."""
    totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
    totals = totals[totals > 0]
    if len(totals) < FEWEST or 2 * np.unique(totals, return_counts=True)[1].max() > len(totals):
        return ""
    ratio = float(totals.var() / totals.mean())
    if ratio >= LEAST_FANO or (1 - ratio) / math.sqrt(2 / len(totals)) < SURELY:
        return ""
    return f"the totals of the cells are nearly the same ({totals.mean():.0f}), as in counts scaled to one total"


def _cells_without_one(X: sp.csr_matrix) -> str:
    """Cells with many features of which none was counted once, though most values are 1."""
    sizes = np.diff(X.indptr)
    ones = np.bincount(np.repeat(np.arange(len(sizes)), sizes)[X.data == 1], minlength=len(sizes))
    many = sizes >= MANY_FEATURES
    without = int((many & (ones == 0)).sum())
    if ones.sum() < ONES * X.nnz or without < max(3, LEAST_SCALED * many.sum()):
        return ""
    share = ones.sum() / X.nnz
    return (
        f"{without} of {int(many.sum())} cells with {MANY_FEATURES} and more features have no 1, which {share:.0%} of "
        "all values are, as in counts that were scaled cell by cell"
    )


def look_stained(X: sp.csr_matrix) -> str:
    """Why whole numbers (CSR without stored zeros) may be intensities of a staining, in words, else empty.

    Stainings have a background: most markers are above 0 in nearly all cells. So are genes of a panel that was chosen
    for it, so that this is a question; of all genes of a sample hardly one is.
    """
    n, n_features = X.shape
    if n < FEWEST or not 0 < n_features <= MOST_MARKERS or X.nnz == 0 or X.data.max() <= 1:
        return ""
    everywhere = int((np.bincount(X.indices, minlength=n_features) >= EVERYWHERE * n).sum())
    if 2 * everywhere < n_features:
        return ""
    bits = ", and none is above 255 (8 bits)" if X.data.max() <= 255 else ""
    return f"{everywhere} of {n_features} features are above 0 in nearly all cells{bits}"
