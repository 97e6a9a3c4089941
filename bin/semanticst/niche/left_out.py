"""How well samples agree with a model that did not have them: what may be expected of those that are mapped onto it.

A fit says whether a sample is like the model's. Where these are unlike each other, as tumours are, a new one lies no
further from them than they from each other: it fits, and yet a training with it would have found other niches. The
bootstraps know: their niches are found without the patients that were not drawn.
"""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)

LEFT_OUT = "left_out"
"""Name in the ``quality`` of a niche model: the agreement (S,) of its samples, sorted."""
DEPENDABLE = 0.6
"""Mean agreement below which mapped niches are not dependable. Measured: tumours 0.33 (mapped samples agreed with a
training that has them by 0.35), pancreas 0.56 (0.65), sections of cortex 0.75 (0.89), mice 0.90 (0.97), simulated
patients 0.84 (0.98)."""


def expected(quality: Mapping[str, np.ndarray]) -> float:
    """Mean agreement of a model's own samples, NaN where it has none (no bootstraps, one patient)."""
    known = np.atleast_1d(quality.get(LEFT_OUT, np.empty(0)))
    return float(known.mean()) if len(known) else float("nan")


def expectation(quality: Mapping[str, np.ndarray]) -> str:
    """The same in words, with the lowest and the highest; empty where it is not known."""
    mean = expected(quality)
    if np.isnan(mean):
        return ""
    low, high = np.atleast_1d(quality[LEFT_OUT])[[0, -1]]
    found = f"{mean:.2f} on average ({low:.2f} to {high:.2f}, adjusted Rand index within samples)"
    words = (
        f"The model's own samples, where their patients were left out of bootstraps, agreed with its niches by {found}"
    )
    if mean >= DEPENDABLE:
        return words
    return (
        f"{words}, at least {DEPENDABLE:g} is wanted: niches of samples mapped onto it are not dependable, whether "
        "they fit or not; it needs more patients"
    )


def agreement_of(samples: pd.Series, own: Mapping[str, float], quality: Mapping[str, np.ndarray]) -> pd.Series:
    """Agreement of each of ``samples``: of the model's ``own`` what each had, of those mapped what may be expected."""
    return samples.map(lambda sample: own.get(sample, expected(quality))).astype(float).round(4)


def tell_expectation(quality: Mapping[str, np.ndarray]) -> None:
    """Log what may be expected of mapped samples, as a warning where it is little."""
    if words := expectation(quality):
        log.log(logging.WARNING if expected(quality) < DEPENDABLE else logging.INFO, "%s", words)
