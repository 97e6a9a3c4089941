"""The checked tables as they may be seen: with codes in place of ids, without clinical columns."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from semanticst.association.design.tables import contrast_columns, contrast_of
from semanticst.io.exclusion import EXCLUDE
from semanticst.io.pseudonyms import PLACES, Pseudonyms
from semanticst.io.samplesheet import FILES
from semanticst.tables.telling_columns import columns_to_leave_out, telling_columns
from semanticst.writing import write_table

log = logging.getLogger(__name__)

KEY_FILE = "pseudonyms.csv"
SELECTS = ("part_column", "part_value")
"""Columns of the samplesheet with names from within a file."""
WITHHELD = "excluded, reason withheld"
"""In place of the reasons of a samplesheet, which may be about a person."""
TECHNICAL = ("sample", "patient", "batch", "platform", "slide", "region")


@dataclass(frozen=True)
class Publication:
    """What may be seen: ids or codes of patients and samples, clinical columns.

    ``key``: the file of an earlier run, whose codes are kept. ``share_clinical``: columns of the clinical table, and
    those that users add to the samplesheet.
    """

    pseudonymise: bool = False
    key: Path | None = None
    share_clinical: bool = True


@dataclass(frozen=True)
class Tables:
    """Checked tables: samples that are used, all samples with their reasons, patients, contrasts; and ``read``, the
    rows by which samples are read (with pseudonyms: under their codes, with their ids in ``own_sample`` and
    ``own_patient``)."""

    sections: pd.DataFrame
    restart: pd.DataFrame
    patients: pd.DataFrame
    questions: pd.DataFrame
    read: list[dict[str, str]]


def pseudonymised(tables: Tables, key: Path | None, known: Collection[str], outdir: Path) -> Tables:
    """The tables with codes in place of ids, and the key as ``pseudonyms.csv`` in ``outdir``.

    Of the columns that are not the pipeline's, those stay that a contrast uses, and those that say nothing of one
    patient alone (`columns_to_leave_out`). Paths, what selects a part of a file, and the words of the reasons for
    leaving out a sample go as well. ``known``: columns of the samplesheet that are the pipeline's. Raises BadInput when
    the key cannot be used.
    """
    key_of = Pseudonyms.for_cohort([tables.restart, tables.patients], key)
    asked = set().union(*(contrast_columns(contrast_of(row, Path("contrasts.csv"), 2))
                          for row in tables.questions.to_dict("records")))  # fmt: skip
    # of all samples: of the few that are used, each may have a value of its own by chance
    tables = replace(tables, restart=_without_reasons(tables.restart))
    both = [(tables.restart, known), (tables.patients, ())]
    telling = {c for table, own in both for c in telling_columns(table, own)}
    out = {c for table, own in both for c in columns_to_leave_out(table, {*own, *asked})} - asked
    stay = {c for table, own in both for c in table if c not in {*own, "sample", "patient", *out}}
    if out:
        log.warning("left out of all results, since they may tell who it is: %s", ", ".join(sorted(out)))
    if stay:
        log.warning("columns of your tables that stay in the results: %s", ", ".join(sorted(stay)))
    if telling & asked:
        log.warning("a contrast uses %s: it stays, and may tell who it is", ", ".join(sorted(telling & asked)))
    if coded := [column for column in PLACES if getattr(key_of, column)]:
        log.warning("%s: codes in place of the values, since they may tell who it is", ", ".join(coded))
    gone = {*out, *FILES, *SELECTS}
    hidden = [
        key_of.frame(table.drop(columns=[c for c in table if c in gone]))
        for table in (tables.sections, tables.restart, tables.patients)
    ]
    codes = hidden[0].set_index("sample")
    read = []
    for row in tables.read:
        code = key_of.sample[row["sample"]]
        own = {"own_sample": row["sample"], "own_patient": row["patient"]}
        read.append({**row, "sample": code, "patient": codes["patient"][code], "batch": codes["batch"][code], **own})
    questions = pd.DataFrame(
        [key_of.contrast(row) for row in tables.questions.to_dict("records")],
        columns=tables.questions.columns,
        dtype=str,
    )
    write_table(outdir / KEY_FILE, key_of.table())
    log.info("ids of %d patients and %d samples are replaced by codes", len(key_of.patient), len(key_of.sample))
    return Tables(hidden[0], hidden[1], hidden[2], questions, sorted(read, key=lambda row: row["sample"]))


def _without_reasons(sheet: pd.DataFrame) -> pd.DataFrame:
    if EXCLUDE not in sheet:
        return sheet
    return sheet.assign(**{EXCLUDE: [WITHHELD if reason else "" for reason in sheet[EXCLUDE]]})


def write_published(tables: Tables, publication: Publication, known: Collection[str], folder: Path) -> None:
    """The copies of the tables in ``pipeline_info``: whole, or without columns that may be clinical."""
    folder.mkdir(exist_ok=True)
    if not publication.share_clinical:
        tables = replace(
            tables,
            sections=_technical(tables.sections, known),
            restart=_technical(tables.restart, known),
        )
    else:
        write_table(folder / "clinical.valid.csv", tables.patients)
    write_table(folder / "samplesheet.valid.csv", tables.sections)
    write_table(folder / "samplesheet.used.csv", tables.restart)
    write_table(folder / "contrasts.valid.csv", tables.questions)


def _technical(table: pd.DataFrame, known: Collection[str]) -> pd.DataFrame:
    return table[[column for column in table if column in known or column in TECHNICAL]]
