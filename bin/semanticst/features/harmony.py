"""Batch correction of components with Harmony, and its reuse for samples that come later."""

import logging
from dataclasses import dataclass

import numpy as np

log = logging.getLogger(__name__)

MAX_CLUSTERS = 30
"""Few clusters on purpose: many would let Harmony match niches that only one patient has."""
SIGMA = 0.1
RIDGE = 1.0


@dataclass(frozen=True)
class HarmonyReference:
    """Where Harmony's clusters lie in the corrected space: ``centres`` (C, p) float64."""

    centres: np.ndarray

    def memberships(self, X: np.ndarray) -> np.ndarray:
        """Soft clusters (n, C): softmax of cosine similarity (Korsunsky et al. 2019, without the batch term)."""
        cosine = _unit(X) @ _unit(self.centres).T
        R = np.exp(2 * (cosine - cosine.max(1, keepdims=True)) / SIGMA)
        return R / R.sum(1, keepdims=True)

    def map(self, X: np.ndarray, batch: np.ndarray) -> np.ndarray:
        """New cells (n, p) moved per batch and cluster onto the reference, as Symphony does (Kang et al. 2021)."""
        corrected = np.asarray(X, dtype=np.float64).copy()
        for b in np.unique(batch):
            rows = batch == b
            R = self.memberships(X[rows])
            shift = R.T @ X[rows] - R.sum(0)[:, None] * self.centres
            shift /= (R.sum(0) + RIDGE)[:, None]
            corrected[rows] -= R @ shift
        return corrected.astype(np.float32)


def correct(X: np.ndarray, batch: np.ndarray, seed: int) -> tuple[np.ndarray, HarmonyReference | None]:
    """Components (n, p) float32 corrected for ``batch``, and the reference; unchanged where there is one batch only."""
    levels, counts = np.unique(batch, return_counts=True)
    if len(levels) < 2:
        log.info("one batch, nothing to correct")
        return X, None
    import harmonypy
    import pandas as pd

    n_clusters = int(np.clip(counts.sum() // 100, 2, MAX_CLUSTERS))
    log.info("Harmony over %d batches with %d clusters", len(levels), n_clusters)
    fitted = harmonypy.run_harmony(
        X.astype(np.float64),
        pd.DataFrame({"batch": batch.astype(str)}),
        ["batch"],
        nclust=n_clusters,
        sigma=SIGMA,
        random_state=seed,
        verbose=False,
        ncores=1,  # the order of sums must not depend on the machine
    )
    corrected, memberships = np.asarray(fitted.Z_corr), np.asarray(fitted.R)
    centres = memberships.T @ corrected / np.maximum(memberships.sum(0), 1e-9)[:, None]
    return corrected.astype(np.float32), HarmonyReference(centres)


def _unit(X: np.ndarray) -> np.ndarray:
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
