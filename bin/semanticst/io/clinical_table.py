"""The clinical table: one row per patient."""

import logging
from pathlib import Path

import pandas as pd

from semanticst.errors import Problem
from semanticst.io.identifiers import nameless_patients, near_names
from semanticst.tables.delimited import Table, clean_value, read_table
from semanticst.tables.number_marks import read_marks
from semanticst.tables.schema import check_columns, check_rows, column_names
from semanticst.wording import listed

log = logging.getLogger(__name__)

SEXES = dict.fromkeys(("f", "female", "w", "woman"), "female") | dict.fromkeys(("m", "male", "man"), "male")
"""What is written in a column of sex, in lower case."""


def check_clinical(path: Path, schema: dict) -> tuple[Table, list[Problem]]:
    """Read and check a clinical table; rows of one patient that say the same become one row.

    Returns the table and every problem, rows of a patient that contradict each other among them. Raises BadInput when
    it cannot be read as a table at all.
    """
    table = read_table(path, column_names(schema))
    problems = check_columns(table, schema) + check_rows(table, schema) + nameless_patients(table)
    if not table.rows:
        problems.append(Problem(path, "there are no patients below the header"))
    read_marks(table, [column for column in table.columns if column != "patient"])
    if "patient" in table.columns:
        problems += _merge_patients(table)
    return table, problems


def check_agreement(clinical: Table, sheet: Table) -> list[Problem]:
    """Problems between the two tables: no patient in common, or a column in both that says different things."""
    rows = {clean_value(row["patient"]): (line, row) for line, row in zip(clinical.lines, clinical.rows)}
    in_sheet = dict.fromkeys(clean_value(row["patient"]) for row in sheet.rows)
    without = [p for p in in_sheet if p not in rows]
    meant = near_names(without, [p for p in rows if p not in in_sheet])
    strangers = [p for p in without if p not in meant]
    if strangers and (meant or len(without) < len(in_sheet)):
        log.warning(
            "%d of %d patients have no row in %s and enter no test of its columns: %s",
            len(strangers), len(in_sheet), clinical.file.name, listed(strangers, 20),
        )  # fmt: skip
    if meant:
        lines = {clean_value(row["patient"]): line for line, row in zip(sheet.lines, sheet.rows)}
        return [
            Problem(
                sheet.file,
                f"no row of {clinical.file.name} has this patient; row {rows[other][0]} has '{other}', probably the "
                "same: write patients alike in both (as text, where a spreadsheet changed them)",
                lines[name],
                "patient",
                name,
            )
            for name, other in meant.items()
        ]
    if len(without) == len(in_sheet):
        message = (
            f"no patient of {sheet.file.name} is in this table (it has {listed(rows, 5)}; the samplesheet has "
            f"{listed(in_sheet, 5)}); write patients alike in both"
        )
        return [Problem(clinical.file, message, column="patient")]
    idle = [p for p in rows if p not in in_sheet]
    if idle:
        log.info("%d patients of %s have no sample that is used: %s", len(idle), clinical.file.name, listed(idle, 5))

    problems = []
    for column in [c for c in clinical.columns if c in sheet.columns and c != "patient"]:
        for line, row in zip(sheet.lines, sheet.rows):
            clinical_line, known = rows.get(clean_value(row["patient"]), (None, None))
            if known is not None and clean_value(known[column]) != clean_value(row[column]):
                message = (
                    f"{clinical.file.name}, row {clinical_line}, says {known[column]!r} for this patient; "
                    "remove the column from one of the tables, or rename it"
                )
                problems.append(Problem(sheet.file, message, line, column, row[column]))
    return problems


def _merge_patients(table: Table) -> list[Problem]:
    """Fold rows of one patient into the first in place; where they contradict, say so."""
    first, problems, keep = {}, [], []
    for index, (line, row) in enumerate(zip(table.lines, table.rows)):
        patient = clean_value(row["patient"])
        if not patient:
            continue
        if patient not in first:
            first[patient] = (line, row)
            keep.append(index)
            continue
        first_line, known = first[patient]
        for column in table.columns:
            if column == "patient" or not clean_value(row[column]):
                continue
            if not clean_value(known[column]):
                known[column] = row[column]
            elif clean_value(known[column]) != clean_value(row[column]):
                message = (
                    f"row {first_line} says {known[column]!r} for the same patient ({patient}); keep one row per "
                    "patient (what changes between samples belongs in the samplesheet)"
                )
                problems.append(Problem(table.file, message, line, column, row[column]))
    if not problems and len(keep) < len(table.rows):
        log.warning("%s: %d repeated rows of patients were merged", table.file.name, len(table.rows) - len(keep))
        table.rows = [table.rows[i] for i in keep]
        table.lines = [table.lines[i] for i in keep]
    return problems


def sexes_of(sections: pd.DataFrame, patients: pd.DataFrame) -> dict[str, str]:
    """Patient -> female or male, by a column ``sex`` or ``gender`` of the clinical table, else of the samplesheet.

    Words that are neither, codes among them, say nothing, and so does a patient with both.
    """
    for table in (patients, sections):
        column = next((name for name in table.columns if name.casefold() in ("sex", "gender")), None)
        if column is not None and "patient" in table:
            told = table[column].str.strip().str.casefold().map(SEXES)
            known = pd.DataFrame({"patient": table["patient"], "sex": told}).dropna().drop_duplicates()
            known = known[~known["patient"].duplicated(keep=False)]
            return dict(sorted(zip(known["patient"], known["sex"])))
    return {}
