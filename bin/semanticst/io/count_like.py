"""Whether whole numbers can be counts: logarithms that were rounded, and counts that were scaled, are none.

Counts of molecules are mixtures of Poisson distributions, over cells and over features. Of such a mixture with the
probabilities p(k), (k + 1) p(k + 1) / p(k) never falls as k rises (k! p(k) are the moments of the rates, times a
constant, for which p(k) k! squared is at most the product of its neighbours), and no feature varies less than its mean.
In real counts of seven instruments this holds within the error of the numbers of values. What misses neither is not
told: logarithms of counts that vary very much from spot to spot (gamma-distributed rates of shape 0.3), or rare ones.
"""

import math

import numpy as np
import scipy.sparse as sp

MOST_CELLS = 20_000
"""Cells that are looked at, evenly spread over the rows."""
FEWEST = 100
"""Values of one kind below which nothing is said."""
LEAST_RATIO = 0.6
"""Of the product of the neighbours to the square; counts have 1 or more."""
LEAST_FANO = 0.8
"""Of the variance to the mean, the median over features with a mean of `LEAST_MEAN`; counts have 1 or more."""
LEAST_MEAN = 0.3
"""Of features whose variance tells: rarer ones are 0 and 1 whatever they are."""
SURELY = 6.0
"""Standard errors by which both have to be missed."""
MOST_VALUES = 1 << 16
"""Values above are not looked at one by one: none of them is frequent."""
HIGHEST_LOGARITHM = 20
"""Rounded logarithms are no larger: e to the 20 is half a billion."""


def why_no_counts(X: sp.csr_matrix) -> str:
    """Why whole numbers (CSR without stored zeros) are no counts, in words; empty where they may be.

    Empty, too, where they are no whole numbers, all 0 or 1, or too few to tell.
    """
    X = X[:: max(1, X.shape[0] // MOST_CELLS)] if X.shape[0] > MOST_CELLS else X
    if X.nnz < FEWEST or not np.isfinite(X.data).all() or X.data.max() <= 1 or X.data.min() < 0:
        return ""
    if (X.data != np.floor(X.data)).any():
        return ""
    X = X.astype(np.float64)  # squares of intensities
    times = np.bincount(X.data[X.data < MOST_VALUES].astype(np.int64))
    kind = "rounded logarithms" if X.data.max() <= HIGHEST_LOGARITHM else "counts that were scaled"
    return _common_factor(X, times) or _too_frequent(X, times, kind) or _too_even(X)


def _common_factor(X: sp.csr_matrix, times: np.ndarray) -> str:
    values = np.flatnonzero(times)
    if len(times) == 0 or times.sum() < X.nnz or (factor := int(np.gcd.reduce(values))) < 2:
        return ""
    return f"all are multiples of {factor}, as counts that were multiplied by it"


def _too_frequent(X: sp.csr_matrix, times: np.ndarray, kind: str) -> str:
    """A value that is more frequent than its neighbours allow."""
    times = times.astype(np.float64)
    times[:1] = float(X.shape[0]) * X.shape[1] - X.nnz
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
    """Features that vary less than counts do."""
    mean = np.asarray(X.mean(axis=0), dtype=np.float64).ravel()
    variance = np.asarray(X.multiply(X).mean(axis=0), dtype=np.float64).ravel() - mean**2
    seen = mean >= LEAST_MEAN
    if not seen.any():
        return ""
    fano = float(np.median(variance[seen] / mean[seen]))
    error = 1.25 * math.sqrt(2 / X.shape[0] / int(seen.sum()))
    if fano >= LEAST_FANO or (1 - fano) / error < SURELY:
        return ""
    return f"the variance of a feature is {fano:.2g} of its mean (median), as in rounded logarithms"
