"""Samples that a samplesheet leaves out: their column ``exclude`` holds the reason, in words."""

from dataclasses import replace

from semanticst.errors import Problem
from semanticst.tables.delimited import Table, clean_value
from semanticst.tables.missing_values import is_missing_word

EXCLUDE = "exclude"

_ANSWERS = {
    "yes",
    "no",
    "y",
    "n",
    "true",
    "false",
    "t",
    "f",
    "x",
    "on",
    "off",
    "none",
    "ok",
    "exclude",
    "excluded",
    "out",
}
"""What is no reason. Whether 'no' means 'not left out' or 'no good' is not for us to guess."""


def check_reasons(table: Table) -> list[Problem]:
    """Problems of the column `EXCLUDE`: values that give no reason, and a sheet that leaves out all of its samples."""
    if EXCLUDE not in table.columns:
        return []
    problems = [
        Problem(
            table.file,
            "a reason in words is expected, such as 'tissue folded'; leave the cell empty to use the sample",
            line,
            EXCLUDE,
            row[EXCLUDE],
        )
        for line, row in zip(table.lines, table.rows)
        if exclusion_reason(row) and not _is_reason(exclusion_reason(row))
    ]
    if table.rows and all(exclusion_reason(row) for row in table.rows):
        message = "all samples are left out; empty the cells of those that are to be used"
        problems.append(Problem(table.file, message, column=EXCLUDE))
    return problems


def exclusion_reason(row: dict[str, str]) -> str:
    """Why the sample is left out, on one line; empty when it is used."""
    return " ".join(clean_value(row.get(EXCLUDE, "")).split())


def split_excluded(table: Table) -> tuple[Table, Table]:
    """The samples that are used, without the column `EXCLUDE`, and those that are left out."""
    parts = []
    for excluded in (False, True):
        chosen = [i for i, row in enumerate(table.rows) if bool(exclusion_reason(row)) == excluded]
        columns = [column for column in table.columns if excluded or column != EXCLUDE]
        rows = [{column: table.rows[i].get(column, "") for column in columns} for i in chosen]
        parts.append(replace(table, columns=columns, rows=rows, lines=[table.lines[i] for i in chosen]))
    return parts[0], parts[1]


def _is_reason(text: str) -> bool:
    return text.lower() not in _ANSWERS and not is_missing_word(text) and sum(letter.isalpha() for letter in text) >= 2
