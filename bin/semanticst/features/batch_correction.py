"""Batch correction of a cohort: which cells it is learned from, and which cells are moved onto which."""

import logging

import numpy as np
import pandas as pd

from semanticst.constants import Obs
from semanticst.features.harmony import HarmonyReference, correct
from semanticst.features.sample_caps import rows_with_a_say

log = logging.getLogger(__name__)

HARMONY_CELLS, HARMONY_LEAST = 60_000, 1_000
"""Most cells that batch correction is learned from, but for so many of each sample where it has them: a batch of few
is moved by their noise."""
EXCESS = 0.1
"""Share of the cells that it leaves out at least, or none. A cell fewer starts Harmony's clusters elsewhere, as another
seed does, which is not worth it where samples have hardly more cells than they have a say for."""


def correct_cohort(
    X: np.ndarray, cells: pd.DataFrame, fitted: np.ndarray, seed: int
) -> tuple[np.ndarray, HarmonyReference | None, int | None]:
    """Components (n, p) corrected as if the cells that are ``fitted`` (n,) bool were alone, the others moved onto them;
    the reference; and from how many cells it was learned, None where there is one batch.

    ``cells``: sample, patient and batch of each.
    """
    sample, patient, batch = (cells[name].astype(str).to_numpy() for name in (Obs.SAMPLE, Obs.PATIENT, Obs.BATCH))
    seen = _seen(sample[fitted], patient[fitted], seed)
    learned_from = None
    if len(set(batch[fitted])) > 1:
        learned_from = int(fitted.sum()) if seen is None else len(seen)
    if fitted.all():
        return *correct(X, batch, seed, seen), learned_from
    corrected = np.array(X)
    own, reference = correct(X[fitted], batch[fitted], seed, seen)
    corrected[fitted] = own
    if reference is not None:
        corrected[~fitted] = reference.map(X[~fitted], batch[~fitted])
    return corrected, reference, learned_from


def correct_by_model(X: np.ndarray, batch: np.ndarray, model: dict) -> tuple[np.ndarray, HarmonyReference | None]:
    """Components (n, p) moved onto the reference of a ``model``, batch by batch; as they are where it has none."""
    centres = model["basis"].get("harmony_centres")
    if centres is None:
        log.info("the model was made without batch correction: new samples stay where they are")
        return X, None
    reference = HarmonyReference(np.asarray(centres))
    return reference.map(X, batch), reference


def _seen(sample: np.ndarray, patient: np.ndarray, seed: int) -> np.ndarray | None:
    """Rows of the cells that Harmony sees; None: all of them."""
    rows = rows_with_a_say(sample, patient, seed, most=HARMONY_CELLS, enough=HARMONY_LEAST)
    return None if rows is None or len(rows) > (1 - EXCESS) * len(sample) else rows
