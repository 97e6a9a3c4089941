"""Counts as users may bring them in their place: normalised, logged, z-scored, or as intensities of stainings.

How continuous values are scaled can decide more than the method. The same cells in all of these forms say how much.
"""

from enum import StrEnum
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.features.basis import row_sums
from semanticst.simulate.expression import draw_intensities
from semanticst.writing import write_h5ad, write_table

LARGEST_SCORE = 10.0
"""z-scores end there, as is usual (scanpy's ``max_value``)."""


class Form(StrEnum):
    """What counts are turned into, sample by sample."""

    GIVEN = "given"
    """Nothing: the values stay."""
    NORMALISED = "normalised"
    """Counts of each cell to one total, the median of all cells of the cohort."""
    LOGGED = "logged"
    """The same, log(1 + x)."""
    OWN_TOTAL = "own_total"
    """The same, but to the median total of each sample by itself: how deep it was measured stays in the values."""
    ZSCORED = "zscored"
    """As logged, each feature to mean 0 and variance 1 over the cells of the sample."""
    STAINED = "stained"
    """Stainings with background, noise that multiplies, and values far too bright, see `draw_intensities`."""


def in_form(X: sp.csr_matrix, form: Form, total: float, rng: np.random.Generator) -> sp.csr_matrix:
    """Counts ``X`` (n, G) in another form: float32 CSR. ``total``: median total of the cells of the cohort."""
    if form == Form.STAINED:
        return draw_intensities(X, rng)
    if form == Form.GIVEN:
        return X
    values = np.asarray(X.todense(), dtype=np.float64)
    totals = values.sum(1, keepdims=True)
    values *= (np.median(totals) if form == Form.OWN_TOTAL else total) / np.maximum(totals, 1)
    if form != Form.NORMALISED:
        np.log1p(values, out=values)
    if form == Form.ZSCORED:
        values -= values.mean(0)
        values /= np.where(values.std(0) > 0, values.std(0), 1)
        values = np.minimum(values, LARGEST_SCORE)
    return sp.csr_matrix(values, dtype=np.float32)


def sheet_in_form(sheet: Path, form: Form, folder: Path, seed: int = 0) -> Path:
    """A samplesheet in ``folder`` whose ``.h5ad`` files have the counts of those of ``sheet`` in another form."""
    if form == Form.GIVEN:
        return sheet
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    objects = [ad.read_h5ad(sheet.parent / path) for path in rows["path"]]
    total = float(np.median(np.concatenate([row_sums(adata.X) for adata in objects])))
    for i, (sample, adata) in enumerate(zip(rows["sample"], objects)):
        adata.X = in_form(sp.csr_matrix(adata.X), form, total, np.random.default_rng([seed, i]))
        kept = ad.AnnData(adata.X, adata.obs, adata.var, adata.uns, obsm=adata.obsm)
        write_h5ad(folder / f"{sample}.h5ad", kept)
    files = rows["sample"] + ".h5ad"
    write_table(folder / "samplesheet.csv", rows.assign(path=files, feature_type=str(FeatureType.CONTINUOUS)))
    return folder / "samplesheet.csv"
