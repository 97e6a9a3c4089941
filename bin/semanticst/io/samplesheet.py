"""The samplesheet: one row per sample."""

import difflib
import logging
from pathlib import Path

import pandas as pd

from semanticst.errors import Problem
from semanticst.tables.delimited import MISSING, Table, clean_value, read_table
from semanticst.tables.schema import check_columns, check_rows, column_names

log = logging.getLogger(__name__)

LEADING = ("sample", "patient", "path", "platform", "batch", "slide", "region")
"""Columns that the checked sheet always has, in this order, in front of the others."""

OVERRIDES = ("qc_min_counts", "qc_min_features", "qc_max_mito", "qc_max_control", "qc_min_area", "qc_max_area",
             "qc_mads", "qc_min_cells")  # fmt: skip
"""Columns that replace a quality-control setting for one sample."""

REMOTE = ("s3://", "gs://", "az://", "http://", "https://", "ftp://")


def check_samplesheet(path: Path, schema: dict, check_files: bool) -> tuple[Table, list[Problem]]:
    """Read and check a samplesheet; ``check_files``: is there, from the sheet's folder, what a reader knows?

    Returns the table, with ``batch`` filled in, and every problem: columns, values, repeated samples or paths, missing
    files. Raises BadInput when it cannot be read as a table at all.
    """
    known = column_names(schema)
    table = read_table(path, known)
    problems = check_columns(table, schema) + check_rows(table, schema)
    if not table.rows:
        problems.append(Problem(path, "there are no samples below the header"))
    problems += _repeated(table, "sample", "each sample has one row")
    problems += _repeated(table, "path", "each sample has its own file; the same cells must not count twice")
    if check_files and "path" in table.columns:
        problems += _missing_files(table) + _unreadable(table)
    if "batch" not in table.columns:
        table.columns.append("batch")
    for row in table.rows:
        row.update({c: "" for c in known if row.get(c, "") in MISSING})
        row["batch"] = row["batch"] or row["sample"]
    _warn_of_near_patients(table)
    return table, problems


def checked_frame(table: Table) -> pd.DataFrame:
    """The checked sheet, sorted by sample, `LEADING` columns first, all text."""
    return table.frame(LEADING).sort_values("sample", ignore_index=True)


def _repeated(table: Table, column: str, rule: str) -> list[Problem]:
    if column not in table.columns:
        return []
    first: dict[str, int] = {}
    problems = []
    for line, row in zip(table.lines, table.rows):
        value = row[column]
        if value and value in first:
            problems.append(Problem(table.file, f"also in row {first[value]}; {rule}", line, column, value))
        first.setdefault(value, line)
    return problems


def _missing_files(table: Table) -> list[Problem]:
    problems = []
    for line, row in zip(table.lines, table.rows):
        path = row["path"]
        if path and not path.startswith(REMOTE) and not (table.file.parent / path).exists():
            where = "" if Path(path).is_absolute() else f" in {table.file.resolve().parent}"
            problems.append(Problem(table.file, f"no such file or folder{where}", line, "path", path))
    return problems


def _unreadable(table: Table) -> list[Problem]:
    """Paths that are there and that no reader knows, or that hold another format than the platform that is stated."""
    # loads anndata, which a check of the table alone does not need
    from semanticst.io.readers import ReadError, reader_for

    problems = []
    for line, row in zip(table.lines, table.rows):
        path = table.file.parent / row["path"]
        if not row["path"] or row["path"].startswith(REMOTE) or not path.exists():
            continue
        try:
            reader_for(path, clean_value(row.get("platform", "")))
        except ReadError as error:
            problems.append(Problem(table.file, str(error), line, "path", row["path"]))
    return problems


def _warn_of_near_patients(table: Table) -> None:
    """Names that differ in case, spaces or punctuation only are probably one patient."""
    names: dict[str, set[str]] = {}
    for row in table.rows:
        plain = "".join(c for c in row["patient"].lower() if c.isalnum())
        names.setdefault(plain, set()).add(row["patient"])
    for same in names.values():
        if len(same) > 1:
            log.warning("%s: are these one patient? %s", table.file.name, ", ".join(sorted(same)))


def near_hint(name: str, names: list[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``names``, or nothing."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
