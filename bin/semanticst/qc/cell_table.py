"""Table of all cells of a sample, with what was found about each."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.constants import Obs
from semanticst.qc.sample import Judged
from semanticst.writing import atomic

_ROWS = 50_000
_DECIMALS = {Obs.MITO_SHARE: 5, Obs.RIBO_SHARE: 5, Obs.CONTROL_SHARE: 5, Obs.ISOTYPE_SHARE: 5, Obs.DENSITY: 4}


def write_cells(path: Path, judged: Judged) -> None:
    """Write all cells as CSV: ``cell_id``, ``x``, ``y``, metrics, flags, ``kept`` and ``reasons`` (joined by ``;``).

    Metrics that no cell has are left out.
    """
    metrics = judged.metrics
    columns = [name for name in metrics if metrics[name].dtype == bool or metrics[name].notna().any()]
    reasons = reasons_of(judged.removed)
    # no time stamp and no name inside: the same cells give the same bytes
    with (
        atomic(path) as partial,
        open(partial, "wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=5) as packed,
    ):
        for start in range(0, len(metrics), _ROWS):
            rows = slice(start, start + _ROWS)
            block = metrics[columns].iloc[rows].round(_DECIMALS)
            block.insert(0, "cell_id", block.index)
            block.insert(1, "x", judged.points[rows, 0])
            block.insert(2, "y", judged.points[rows, 1])
            block["kept"] = judged.kept[rows]
            block["reasons"] = reasons[rows]
            packed.write(block.to_csv(index=False, header=start == 0).encode())


def reasons_of(removed: dict[str, np.ndarray]) -> pd.Categorical:
    """Names of the reasons of each cell, joined by ``;``; empty for cells that are kept."""
    code = np.zeros(len(next(iter(removed.values()))), np.int32)
    for place, cells in enumerate(removed.values()):
        code |= cells.astype(np.int32) << place
    codes, inverse = np.unique(code, return_inverse=True)
    names = list(removed)
    texts = [";".join(name for place, name in enumerate(names) if value >> place & 1) for value in codes]
    return pd.Categorical.from_codes(inverse, texts)
