"""Variables by which sections are filtered and sorted: columns of the samplesheet and of the clinical table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semanticst.association.design.tables import read_clinical, read_text_table
from semanticst.errors import BadInput, Problem

MOST_VALUES = 20
"""Text with more values is left out: a name, a date or a code sorts nothing."""
OWN = {"sample", "patient", "path", "cells", "annotation", "table", "fovs", "part_column", "part_value", "um_per_px",
       "outline_um_per_px", "bin_size", "spatial_unit", "feature_type", "exclude"}  # fmt: skip
"""Columns of the samplesheet that say how a sample is read."""


def variables(sheet: Path, clinical: Path | None) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Variables (``name``, ``kind``: number or text, ``values`` of a text); their values by sample, None if missing.

    sheet : ``samplesheet.valid.csv``. clinical : ``clinical.valid.csv``, or None: clinical columns are not shown.
    Raises BadInput when a column is not there, a sample has two rows, or a patient contradicting ones.
    """
    rows = read_text_table(sheet, ("sample", "patient"))
    twice = rows[rows["sample"].duplicated()]
    if len(twice):
        raise BadInput([Problem(sheet, "this sample has a row already; one is expected", int(i) + 2, "sample", name)
                        for i, name in twice["sample"].items()])  # fmt: skip
    samples = rows.set_index("sample")
    columns = {name: samples[name] for name in samples.columns if name not in OWN and not name.startswith("qc_")}
    if clinical is not None:
        patients = read_clinical(clinical)
        for name in patients.columns:
            columns.setdefault(name, samples["patient"].map(patients[name]))
    found: list[dict[str, Any]] = []
    by_sample: dict[str, list[Any]] = {str(sample): [] for sample in samples.index}
    for name, values in columns.items():
        values = values.where(values.notna() & (values.astype(str) != ""), None).astype(object)
        known = values.dropna()
        numbers = pd.to_numeric(known, errors="coerce").replace([np.inf, -np.inf], np.nan)  # JSON has no infinity
        if known.nunique() < 2 or (numbers.isna().any() and known.nunique() > MOST_VALUES):
            continue
        is_number = not numbers.isna().any() and known.nunique() > 2
        about = {"name": name, "kind": "number" if is_number else "text"}
        found.append(about if is_number else about | {"values": sorted(known.astype(str).unique())})
        for sample, value in values.items():
            shown = None if value is None or pd.isna(value) else float(value) if is_number else str(value)
            by_sample[str(sample)].append(shown)
    return found, by_sample
