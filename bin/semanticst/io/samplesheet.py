"""The samplesheet: one row per sample."""

import difflib
import logging
import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from semanticst.constants import DISCOVERY, VALIDATION
from semanticst.errors import MOST_ALIKE, Problem, ReadError
from semanticst.io.coordinates import UM_PER
from semanticst.io.exclusion import EXCLUDE, check_reasons, exclusion_reason, split_excluded
from semanticst.io.identifiers import nameless_patients
from semanticst.io.regions.section_parts import check_parts
from semanticst.tables.delimited import Table, clean_value, read_table
from semanticst.tables.missing_values import MISSING, is_missing_word
from semanticst.tables.number_marks import read_marks
from semanticst.tables.schema import check_columns, check_rows, column_names, take_spellings
from semanticst.tables.signs import alike

log = logging.getLogger(__name__)

LEADING = ("sample", "patient", "path", "platform", "batch", "slide", "region")
"""Columns that the checked sheet always has, in this order, in front of the others."""

OVERRIDES = ("qc_min_counts", "qc_min_features", "qc_max_mito", "qc_max_control", "qc_min_area", "qc_max_area",
             "qc_mads", "qc_min_cells")  # fmt: skip
"""Columns that replace a quality-control setting for one sample."""

FILES = ("path", "cells", "annotation")
"""Columns that name files or folders, relative to the folder of the sheet."""

STUDY_PART = "study_part"
"""Column that makes a study of two parts."""

READ_BEFORE = 20_000_000
"""Bytes of a file of outlines that the check of a sheet reads."""

REMOTE = ("s3://", "gs://", "az://", "http://", "https://", "ftp://")


def check_samplesheet(
    path: Path, schema: dict, check_files: bool, missing: Mapping[str, str] | None = None
) -> tuple[Table, list[Problem]]:
    """Read and check a samplesheet; ``check_files``: is there, from the sheet's folder, what a reader knows?

    ``missing``: paths of the sheet that somebody who sees the files did not find, and where each was looked for.
    Returns the table, with ``batch`` filled in, and every problem: columns, values, repeated samples or paths, missing
    files, reasons that are none. Samples that are left out (`semanticst.io.exclusion`) are in it; of these no file is
    looked at, and no path has to be given. Raises BadInput when it cannot be read as a table at all.
    """
    known = column_names(schema)
    table = read_table(path, known, verbatim=FILES)
    take_spellings(table, schema)
    numbers = {c for c, rules in schema["items"]["properties"].items() if rules.get("type") in ("integer", "number")}
    read_marks(table, [column for column in table.columns if column in numbers or column not in known])
    used, excluded = split_excluded(table)
    without_file = set(excluded.lines)
    problems = [
        problem
        for problem in check_columns(table, schema) + check_rows(table, schema)
        if problem.column != "path" or problem.row not in without_file
    ]
    if not table.rows:
        problems.append(Problem(path, "there are no samples below the header"))
    problems += check_reasons(table)
    problems += _repeated(table, "sample", "each sample has one row")
    problems += nameless_patients(table) + _patients_alike(table)
    problems += check_study_parts(used)
    problems += _scales(used)
    if "path" in table.columns:
        problems += check_parts(used, lambda path: _place(used, path, check_files))
        missing = {**(missing or {}), **(_missing_files(used) if check_files else {})}
        problems += _not_found(used, missing)
        problems += _unreadable(used, schema["items"]["properties"]["platform"]["enum"]) if check_files else []
        problems += _no_outlines(used) if check_files else []
    if "batch" not in table.columns:
        table.columns.append("batch")
    for row in table.rows:
        row.update({c: "" for c in known if row.get(c, "") in MISSING})
        row["batch"] = row["sample"] if not row["batch"] or is_missing_word(row["batch"]) else row["batch"]
    _warn_of_near_patients(table)
    return table, problems


def checked_frame(table: Table) -> pd.DataFrame:
    """The checked sheet, sorted by sample, `LEADING` columns first, all text."""
    return table.frame(LEADING).sort_values("sample", ignore_index=True)


def restart_frame(table: Table, folder: str) -> pd.DataFrame:
    """The sheet that starts the same run from anywhere: all samples, those left out with their reason, absolute paths.

    folder : where relative paths start, an absolute path or an address such as ``s3://bucket/cohort``.
    """
    frame = table.frame([*LEADING, EXCLUDE]).sort_values("sample", ignore_index=True)
    for column in FILES:
        if column in frame:
            frame[column] = [absolute_path(clean_value(path), folder) for path in frame[column]]
    frame[EXCLUDE] = [exclusion_reason({EXCLUDE: text}) for text in frame[EXCLUDE]]
    return frame


def absolute_path(path: str, folder: str) -> str:
    """``path`` as seen from ``folder``; an absolute path or an address stays as it is, and so does none at all."""
    if not path or path.startswith("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return path
    scheme, found, place = folder.rpartition("://")
    return scheme + found + posixpath.normpath(posixpath.join(place, path))


def _repeated(table: Table, column: str, rule: str) -> list[Problem]:
    if column not in table.columns:
        return []
    first: dict[str, tuple[str, int]] = {}
    problems = []
    for line, row in zip(table.lines, table.rows):
        value = row[column]
        other, before = first.get(value.casefold(), (value, 0))
        if value and before:
            message = f"also in row {before}; {rule}"
            if other != value:
                message = f"row {before} has '{other}': on some disks the files of both have one name; rename one"
            problems.append(Problem(table.file, message, line, column, value))
        first.setdefault(value.casefold(), (value, line))
    return problems


def _scales(table: Table) -> list[Problem]:
    """Rows that give a size of pixels and say that the coordinates are no pixels."""
    return [
        Problem(
            table.file,
            f"um_per_px is for pixels, but spatial_unit says {unit}; leave one of them empty",
            line,
            "um_per_px",
            row["um_per_px"],
        )
        for line, row in zip(table.lines, table.rows)
        if (unit := clean_value(row.get("spatial_unit", ""))) in UM_PER and clean_value(row.get("um_per_px", ""))
    ]


def _place(table: Table, path: str, look: bool) -> str:
    """What a path of the sheet means; ``look``: through links, so that two names of a folder are one."""
    if path.startswith(REMOTE):
        return path.rstrip("/")
    place = os.path.normpath(table.file.resolve().parent / path)
    return os.path.realpath(place) if look else place


def _missing_files(table: Table) -> dict[str, str]:
    folder = table.file.resolve().parent
    given = {clean_value(row.get(column, "")) for row in table.rows for column in FILES}
    local = {path for path in given if path and not path.startswith(REMOTE)}
    return {path: os.path.normpath(folder / path) for path in local if not (folder / path).exists()}


def _not_found(table: Table, missing: Mapping[str, str]) -> list[Problem]:
    several = sum(row.get(column, "") in missing for row in table.rows for column in FILES) > MOST_ALIKE
    return [
        Problem(
            table.file,
            "this is not there; relative paths start at the folder of the samplesheet"
            if several
            else f"there is no {missing[row[column]]}",
            line,
            column,
            row[column],
        )
        for line, row in zip(table.lines, table.rows)
        for column in FILES
        if row.get(column, "") in missing
    ]


def _unreadable(table: Table, platforms: list[str]) -> list[Problem]:
    """Paths that are there and that no reader knows, or that hold another format than the platform that is stated."""
    # loads anndata, which a check of the table alone does not need
    from semanticst.io.readers import reader_for

    problems = []
    for line, row in zip(table.lines, table.rows):
        path = table.file.parent / row["path"]
        platform = clean_value(row.get("platform", ""))
        if not row["path"] or row["path"].startswith(REMOTE) or not path.exists():
            continue
        try:
            # one that is unknown has been told
            reader_for(path, platform if platform in platforms else "")
        except ReadError as error:
            problems.append(Problem(table.file, str(error), line, "path", row["path"]))
    return problems


def _no_outlines(table: Table) -> list[Problem]:
    """Files of ids and outlines that are there and hold none; large ones are left to the run."""
    problems = []
    for line, row in zip(table.lines, table.rows):
        for column in ("cells", "annotation"):
            name = clean_value(row.get(column, ""))
            file = table.file.resolve().parent / name
            if not name or name.startswith(REMOTE) or not file.is_file() or file.stat().st_size > READ_BEFORE:
                continue
            if why := _why_no_outlines(file, column):
                problems.append(Problem(table.file, why, line, column, row[column]))
    return problems


def _why_no_outlines(file: Path, column: str) -> str:
    # with shapely and all readers, which most sheets do without
    from semanticst.io.regions.outlines import read_outlines, read_selection

    try:
        (read_selection if column == "cells" else read_outlines)(file)
    except ReadError as error:
        return str(error)
    return ""


def _patients_alike(table: Table) -> list[Problem]:
    """Patients whose names differ by what `alike` says only, each spelling once: one patient.

    Case: they are one file on some disks. Spaces: a page shows several as one. Dashes: a program writes the long one.
    """
    first: dict[str, tuple[str, int]] = {}
    told: set[str] = set()
    problems = []
    for line, row in zip(table.lines, table.rows):
        name = row.get("patient", "")
        other, before = first.setdefault(alike(name), (name, line))
        if name and name != other and name not in told:
            told.add(name)
            message = f"row {before} has '{other}': write one patient alike (or give another patient another name)"
            problems.append(Problem(table.file, message, line, "patient", name))
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


def check_study_parts(table: Table) -> list[Problem]:
    """What keeps the samples in use from being two parts of a study: a sample of none, a patient of both, no discovery.

    Values that are neither part are told by the schema.
    """
    if STUDY_PART not in table.columns:
        return []
    problems: list[Problem] = []
    part_of: dict[str, str] = {}
    for line, row in zip(table.lines, table.rows):
        part, patient = row.get(STUDY_PART, ""), row.get("patient", "")
        if part in MISSING:
            message = f"expected {DISCOVERY} or {VALIDATION}: where the column exists, every sample is of one part"
            problems.append(Problem(table.file, message, line, STUDY_PART))
        elif patient and part_of.setdefault(patient, part) != part:
            message = (
                f"patient {patient} is of the {part_of[patient]} above: who is in both parts would be tested on what "
                "was decided on the same patient"
            )
            problems.append(Problem(table.file, message, line, STUDY_PART, part))
    if table.rows and not problems and DISCOVERY not in {row[STUDY_PART] for row in table.rows}:
        message = (
            f"no sample is of the {DISCOVERY}, on which everything is decided; to map all onto a model, leave "
            "this column out and give --model"
        )
        problems.append(Problem(table.file, message, column=STUDY_PART))
    return problems
