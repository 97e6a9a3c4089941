"""Batch, patient and outcome against each other: where one cannot be told from another."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from semanticst.association.output.summary_text import plural
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import INTEGRATION, Column, Section

MOST_LEVELS, MOST_ROWS = 6, 60
"""Levels of a contrast with a column each; batches in the report."""


def batch_table(qc: pd.DataFrame, records: Sequence[dict]) -> pd.DataFrame:
    """Samples and patients of each batch, and of the patients how many each level of a contrast has.

    qc : ``qc.csv``. records : ``{contrast}.association.json``; those that compare levels, or survival (event and
    censored). Index: batch; columns samples, patients, ``{contrast}: {level}``. Empty with one batch.
    """
    used = qc[~qc["status"].isin(["fail", "excluded"])]
    used = used[used["batch"].notna() & (used["batch"] != "")]
    by_batch = used.groupby("batch", sort=True)
    if len(by_batch) < 2:
        return pd.DataFrame()
    table = pd.DataFrame({"samples": by_batch.size(), "patients": by_batch["patient"].nunique()})
    for record in records:
        value = pd.Series(record["section_values"], dtype=object)
        if record["contrast"]["type"] == "survival":
            value = value.str.rpartition(", ")[2]
        if record["contrast"]["type"] == "continuous" or len(value.unique()) > MOST_LEVELS:
            continue
        known = used.assign(value=used["sample"].map(value)).dropna(subset=["value"])
        pairs = known.drop_duplicates(["batch", "value", "patient"])
        counts = pd.crosstab(pairs["batch"], pairs["value"])
        counts = counts.reindex(table.index, fill_value=0)
        table = table.join(counts.add_prefix(f"{record['contrast']['name']}: "))
    return table


def own_batches(qc: pd.DataFrame) -> str:
    """A caution where every batch holds one patient, so that a correction takes the patient's own biology away."""
    used = qc[~qc["status"].isin(["fail", "excluded"])]
    patients = used[used["batch"].notna()].groupby("batch")["patient"].nunique()
    if len(patients) < 2 or patients.max() > 1:
        return ""
    return (
        f"Each of the {len(patients)} batches holds one patient: a batch correction takes the patient's own biology "
        "for a batch and shrinks it. Name the slide or run in the column batch, or use --features_harmony false."
    )


def batch_section(outdir: Path, table: pd.DataFrame, caution: str) -> None:
    """Write the table, with the caution above it."""
    if table.empty:
        return
    text = (
        f"{plural(len(table), 'batch', 'batches')}: samples, patients, and patients of each group. A group that lies "
        "in batches of its own cannot be told from them."
    )
    columns = {name: Column(str(name).capitalize() if name in ("samples", "patients") else str(name), "", "{:,d}")
               for name in table}  # fmt: skip
    section = Section("batches", INTEGRATION, "Batches, patients and outcome", f"{caution} {text}".strip())
    multiqc.table(outdir, section, table.head(MOST_ROWS), columns, "Batch")
