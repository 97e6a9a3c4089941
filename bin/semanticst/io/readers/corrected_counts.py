"""Counts of an object that sctransform corrected, beside those that were counted.

Seurat's SCT assay holds whole numbers, too: counts as they would be at one depth. Its converters put them into ``X``,
``raw`` or a layer, with or without those of the assay that was measured. Three things tell: the totals of cells that
Seurat keeps for each assay (``nCount_SCT``, ``nCount_Spatial``), the name of a layer, and what sctransform leaves in an
object (columns ``sct.*`` of var, models in uns).
"""

import re

import numpy as np
import pandas as pd
from anndata.io import read_elem

from semanticst.wording import listed

CORRECTED = re.compile(r"sct|correct", re.IGNORECASE)
"""Names of layers."""
TOTALS = re.compile(r"nCount_(\w+)", re.IGNORECASE)
"""Columns of obs in which Seurat keeps the totals of cells in an assay."""
TRACE = re.compile(r"^sct($|[._])|[._]sct$|sctransform", re.IGNORECASE)
"""What sctransform leaves: sct.detection_rate, sct.residual_variance, SCT_snn, SCTModel."""
LOOKED_AT = 2_000
"""Cells whose totals are compared, the first ones."""
EQUAL = 0.99
"""Share of them whose totals are those of an assay."""


def why_corrected(group, path: str) -> str:
    """Why the counts at ``path`` of an object are, or may be, those that sctransform corrected; empty for others."""
    if path.startswith("layers/") and CORRECTED.search(path):
        return "as its name says"
    assay = _assay_of(group, path)
    if assay:
        return f"its totals are those of nCount_{assay}" if CORRECTED.search(assay) else ""
    layer = path.removeprefix("layers/")
    if path.startswith("layers/") and layer != "counts":  # called after what was measured
        return ""
    traces = [
        f"{part}['{name}']" for part in ("var", "raw/var", "uns") if part in group for name in group[part]
        if TRACE.search(str(name))
    ]  # fmt: skip
    return f"the object went through sctransform ({listed(traces, 3)})" if traces else ""


def _assay_of(group, path: str) -> str:
    """The assay whose totals, as obs has them, are those of the matrix; empty where none is."""
    named = {found[1]: name for name in group["obs"] if (found := TOTALS.fullmatch(str(name)))}
    totals = _first_totals(group[path]) if named else None
    if totals is None:
        return ""
    for assay in sorted(named, key=lambda assay: bool(CORRECTED.search(assay))):
        stored = pd.to_numeric(pd.Series(np.asarray(read_elem(group["obs"][named[assay]]))), errors="coerce")
        if np.mean(np.isclose(stored.to_numpy(np.float64)[: len(totals)], totals)) >= EQUAL:
            return assay
    return ""


def _first_totals(stored) -> np.ndarray | None:
    """Totals of the first cells; None for what is stored by column."""
    if hasattr(stored, "shape"):
        return np.asarray(stored[:LOOKED_AT], np.float64).sum(axis=1)
    if stored.attrs.get("encoding-type") != "csr_matrix":
        return None
    ends = np.asarray(stored["indptr"][: LOOKED_AT + 1]).astype(np.int64)
    values = np.asarray(stored["data"][: ends[-1]], np.float64)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return sums[ends[1:]] - sums[ends[:-1]]
