"""Batch, patient and outcome against each other: where one cannot be told from another."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import INTEGRATION, Column, Section
from semanticst.wording import plural

MOST_LEVELS, MOST_ROWS = 6, 60
"""Levels of a contrast with a column each; batches in the report."""
RANGE = ", median (range)"
NEARLY_ALL = 0.8
"""Share of the patients that are a batch of their own from which on batch and patient are the same."""


def batch_table(qc: pd.DataFrame, records: Sequence[dict]) -> pd.DataFrame:
    """Samples and patients of each batch, and of the patients how many each level of a contrast has.

    qc : ``qc.csv``. records : ``{contrast}.association.json``; survival has the levels event and censored. Of a
    continuous variable there is the median over patients, with the range. A contrast of more than `MOST_LEVELS` levels
    has none. Patients of the validation count too.
    Index: batch; columns samples, patients, ``{contrast}: {level}``. Empty with one batch.
    """
    used = _in_batches(qc)
    by_batch = used.groupby("batch", sort=True)
    if len(by_batch) < 2:
        return pd.DataFrame()
    table = pd.DataFrame({"samples": by_batch.size(), "patients": by_batch["patient"].nunique()})
    for record in records:
        of_validation = (record.get("validation") or {}).get("section_values", {})
        value = pd.Series(record["section_values"] | of_validation, dtype=object)
        if record["contrast"]["type"] == "survival":
            value = value.str.rpartition(", ")[2]
        known = used.assign(value=used["sample"].map(value)).dropna(subset=["value"])
        if record["contrast"]["type"] == "continuous":
            column = f"{record['contrast']['name']}: {record['contrast']['column']}{RANGE}"
            table[column] = _medians(known.astype({"value": float})).reindex(table.index)
            continue
        if len(value.unique()) > MOST_LEVELS:
            continue
        pairs = known.drop_duplicates(["batch", "value", "patient"])
        counts = pd.crosstab(pairs["batch"], pairs["value"])
        counts = counts.reindex(table.index, fill_value=0)
        table = table.join(counts.add_prefix(f"{record['contrast']['name']}: "))
    return table


def _in_batches(qc: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``qc.csv`` of samples that are used and have a batch."""
    used = qc[~qc["status"].isin(["fail", "excluded"])]
    return used[used["batch"].notna() & (used["batch"] != "")]


def _medians(known: pd.DataFrame) -> pd.Series:
    """``61 (45 to 72)`` by batch, over its patients. known : columns batch, patient and value."""
    by_patient = known.groupby(["batch", "patient"])["value"].mean()
    parts = by_patient.groupby("batch").agg(["median", "min", "max"])
    return pd.Series(
        {b: f"{middle:.3g} ({low:.3g} to {high:.3g})" for b, middle, low, high in parts.itertuples()}, dtype=object
    )


def several_batches(qc: pd.DataFrame) -> str:
    """Why the patients of the batches are more than all patients; empty where each has samples in one batch."""
    of = _in_batches(qc).groupby("patient")["batch"].nunique()
    several = int((of > 1).sum())
    if not several:
        return ""
    verb, counts = ("has", "counts") if several == 1 else ("have", "count")
    return (
        f"{several} of the {plural(len(of), 'patient')} {verb} samples in several batches and {counts} in each of "
        f"them, so that these numbers add up to more than {len(of)}."
    )


def own_batches(qc: pd.DataFrame, corrected: bool = True, mapped: bool = False) -> str:
    """A caution where (nearly) every patient is a batch of its own, so that the two cannot be told apart.

    corrected : whether batches are corrected for. mapped : whether the samples are mapped onto a model, whose
    correction cannot be switched off.
    """
    used = _in_batches(qc)
    in_batch = used.groupby("batch")["patient"].nunique()
    alone = used.loc[used["batch"].map(in_batch) == 1, "patient"].nunique()
    if len(in_batch) < 2 or alone < max(2, NEARLY_ALL * used["patient"].nunique()):
        return ""
    n = int((in_batch == 1).sum())
    text = f"Each of the {n} batches holds" if n == len(in_batch) else f"{n} of {len(in_batch)} batches hold only"
    if not corrected:
        return (
            f"{text} one patient: what differs between batches cannot be told from what differs between patients. "
            "Name the slide or run in the column batch."
        )
    advice = "" if mapped else ", or use --features_harmony false"
    return (
        f"{text} one patient: a batch correction takes the patient's own biology for a batch and shrinks it. "
        f"Name the slide or run in the column batch{advice}."
    )


def batch_section(outdir: Path, table: pd.DataFrame, caution: str, several: str = "") -> None:
    """Write the table, with the caution above it. several : what `several_batches` says."""
    if table.empty:
        return
    numbers = " (of a number their median and range)" if any(str(name).endswith(RANGE) for name in table) else ""
    text = (
        f"{plural(len(table), 'batch', 'batches')}: samples, patients, and patients of each group{numbers}. A group "
        "that lies in batches of its own cannot be told from them."
    )
    columns = {
        name: Column(
            str(name).capitalize() if name in ("samples", "patients") else str(name),
            format="{:,d}" if pd.api.types.is_integer_dtype(table[name]) else None,
        )
        for name in table
    }
    section = Section(
        "batches", INTEGRATION, "Batches, patients and outcome", " ".join(filter(None, (caution, text, several)))
    )
    multiqc.table(outdir, section, table.head(MOST_ROWS), columns, "Batch")
