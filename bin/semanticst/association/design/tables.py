"""Tables of a contrast: everything as text first, numbers only where a model asks for them."""

import difflib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.spreadsheet import unguarded
from semanticst.tables.conditions import Condition, parse_condition, split_conditions
from semanticst.tables.delimited import clean_value
from semanticst.tables.missing_values import is_missing_word
from semanticst.tables.signs import one_form
from semanticst.tables.spellings import declared, is_number, variable_value

log = logging.getLogger(__name__)

TYPES = ("groups", "ordered", "continuous", "survival")
NO_ROW = "no row in the clinical table"
CLINICAL, WITHOUT_ROW = "clinical", "without_row"
"""Attributes of joined sections: the columns of the clinical table, and patients that have no row in it."""


@dataclass(frozen=True)
class Contrast:
    """One row of the contrasts table."""

    name: str
    type: str
    column: str = ""
    reference: str = ""
    target: str = ""
    levels: tuple[str, ...] = ()
    time: str = ""
    event: str = ""
    event_value: str = ""
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    block: str = ""
    subset: str = ""
    interaction: str = ""
    cluster: str = ""
    change: str = ""
    """What changes within patients, in words, where changes are compared (`interaction`)."""
    file: Path = Path("contrasts.csv")
    row: int = 2
    """0: made from parameters."""

    def fault(self, column: str, message: str, value: str = "") -> Problem:
        """A problem at a cell of this row of the contrasts table, or at the parameter that the row was made from."""
        given = getattr(self, column)
        value = value or (";".join(given) if isinstance(given, tuple) else given)
        if self.row:
            return Problem(self.file, message, row=self.row, column=column, value=value or None)
        parameter = {"column": "group", "contrast": "group"}.get(column, column)
        return Problem(f"--clinical_{parameter}", message, value=value or None)

    def problem(self, column: str, message: str, value: str = "") -> BadInput:
        """Bad input with one `fault`."""
        return BadInput(self.fault(column, message, value))

    @property
    def adjusted_columns(self) -> tuple[str, ...]:
        """Columns of the covariates, without ``factor( )``."""
        return tuple(declared(text)[0] for text in self.covariates)


def contrast_columns(contrast: Contrast) -> set[str]:
    """Names of the variables that a contrast uses: what it compares, adjusts for, stays within, and selects by.

    Raises BadInput when its subset cannot be read.
    """
    names = {contrast.column, contrast.time, contrast.event, contrast.block, contrast.interaction, contrast.cluster}
    names |= {*contrast.adjusted_columns, *contrast.strata}
    names |= {condition.column for _, condition in conditions(contrast)}
    return names - {""}


def conditions(contrast: Contrast) -> list[tuple[str, Condition]]:
    """Text and meaning of the conditions of a subset. Raises BadInput when they cannot be read."""
    found = []
    for text in split_conditions(contrast.subset):
        try:
            found.append((text, parse_condition(text)))
        except ValueError as error:
            raise contrast.problem("subset", str(error), text) from None
    return found


def read_text_table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV with every value as stripped text, missing as None; whole numbers lose a trailing ``.0``.

    Raises BadInput when the file is no table, or a required column is absent.
    """
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # not text, no columns, rows of different lengths
        raise BadInput(Problem(path, f"cannot be read as a table ({' '.join(str(error).split())})")) from error
    table = tidied(raw).rename(columns=unguarded)
    table = table.apply(lambda column: column.map(lambda value: unguarded(value) if value else value))
    absent = [c for c in required if c not in table.columns]
    if absent:
        raise BadInput([Problem(path, "this column must exist", row=1, column=c) for c in absent])
    return table


def tidied(table: pd.DataFrame, tidy: Callable[[str], str] = clean_value) -> pd.DataFrame:
    """Text tidied by ``tidy``, missing values as None."""
    table = table.rename(columns=lambda name: one_form(name).strip())
    return table.apply(
        lambda column: column.map(lambda value: tidy(one_form(value)) or None if isinstance(value, str) else None)
    )


def read_contrast(path: Path, name: str) -> Contrast:
    """Read the row ``name`` of the contrasts table.

    Raises BadInput when there is no such row, when its type is unknown, or when what the type needs is empty.
    """
    table = read_text_table(path, ("contrast", "type"))
    found = np.flatnonzero(table["contrast"] == name)
    if len(found) != 1:
        known = ", ".join(table["contrast"].dropna()) or "none"
        raise BadInput(Problem(path, f"needs exactly one row, has {len(found)}; rows: {known}", value=name))
    return contrast_of({k: v or "" for k, v in table.iloc[found[0]].items()}, path, int(found[0]) + 2)


def contrast_of(row: Mapping[str, str], file: Path, line: int) -> Contrast:
    """The contrast of a row of text; ``line`` is 0 when parameters stand for the row.

    Raises BadInput when its type is unknown, or when what the type needs is empty.
    """
    row = {column: clean_value(value) for column, value in row.items()}
    contrast = Contrast(
        name=row["contrast"],
        type=row["type"],
        column=row.get("column", ""),
        reference=row.get("reference", ""),
        target=row.get("target", ""),
        levels=_split(row.get("levels", ""), ";"),
        time=row.get("time", ""),
        event=row.get("event", ""),
        event_value=row.get("event_value", ""),
        covariates=_split(row.get("covariates", ""), ";,"),
        strata=_split(row.get("strata", ""), ";,"),
        block=row.get("block", ""),
        subset=row.get("subset", ""),
        interaction=row.get("interaction", ""),
        cluster=row.get("cluster", ""),
        file=file,
        row=line,
    )
    if contrast.type not in TYPES:
        raise contrast.problem("type", f"expected one of {', '.join(TYPES)}")
    if contrast.type == "survival" and contrast.interaction:
        raise contrast.problem("interaction", "a time to an event does not change within patients: leave it empty")
    needed = ("time", "event", "event_value") if contrast.type == "survival" else ("column",)
    for column in needed:
        if not getattr(contrast, column):
            raise contrast.problem(column, f"a contrast of type {contrast.type} needs it")
    return contrast


def _split(text: str, separators: str) -> tuple[str, ...]:
    parts = re.split(f"[{separators}]", text)
    return tuple(value for value in map(clean_value, parts) if value)


def read_clinical(path: Path) -> pd.DataFrame:
    """Read the clinical table: one row per patient, indexed by patient.

    Repeated rows that agree are one row. Raises BadInput that names the patient when they contradict.
    """
    table = read_text_table(path, ("patient",))
    problems = []
    for patient, rows in table.groupby("patient", sort=True):
        for column in rows.columns:
            values = rows[column].dropna().unique()
            if len(values) > 1:
                message = f"patient {patient} has several values ({', '.join(values)}); one is expected"
                problems.append(Problem(path, message, row=int(rows.index[1]) + 2, column=column))
    if problems:
        raise BadInput(problems)
    return table.groupby("patient", sort=True).first()


def read_sections(samplesheet: Path, clinical: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Join the sheet's sections with what is known of their patients.

    Returns one row per section (also of those without niches), indexed by sample and sorted: patient, the sheet's
    columns, the clinical columns (which win when a name is in both). Raises BadInput when counts name a sample that
    the sheet does not have.
    """
    sheet = read_text_table(samplesheet, ("sample", "patient")).set_index("sample").sort_index()
    unknown = counts.index.difference(sheet.index)
    if len(unknown):
        raise BadInput(
            [Problem(samplesheet, "niche counts name this sample", column="sample", value=s) for s in unknown]
        )
    without_cells = sheet.index.difference(counts.index)
    if len(without_cells):
        log.info(
            "%d sections have no niches (failed quality control): %s", len(without_cells), ", ".join(without_cells)
        )
    return join_sections(sheet, clinical)


def join_sections(sheet: pd.DataFrame, clinical: pd.DataFrame) -> pd.DataFrame:
    """Rows of the sheet (index sample) with the clinical columns of their patients (index patient), which win.

    Words for missing values (``unknown``) are None in all variables. ``attrs`` say who has no row, see `has_row`.
    """
    double = sheet.columns.intersection(clinical.columns)
    if len(double):
        log.info("taken from the clinical table, not from the samplesheet: %s", ", ".join(double))
    patient = sheet["patient"]
    sections = sheet.drop(columns=[*double, "patient"]).join(clinical.reindex(patient).set_axis(sheet.index))
    joined = pd.concat([patient, tidied(sections, variable_value)], axis=1)
    joined.attrs = {CLINICAL: list(clinical.columns), WITHOUT_ROW: sorted({*patient} - {*clinical.index})}
    return joined


def has_row(contrast: Contrast, sections: pd.DataFrame) -> pd.Series:
    """Bool per section: has its patient the row of the clinical table without which nobody enters the contrast?

    A patient without a cluster is a cluster alone, and an interaction has its own design: neither is looked at.
    """
    needed = contrast_columns(replace(contrast, cluster="", interaction=""))
    without = sections.attrs.get(WITHOUT_ROW, ()) if needed.intersection(sections.attrs.get(CLINICAL, ())) else ()
    return ~sections["patient"].isin(without)


def require_column(contrast: Contrast, field: str, column: str, sections: pd.DataFrame) -> None:
    """Raise BadInput, with near names, unless ``column`` is a variable of the sections."""
    if column in sections.columns:
        return
    near = difflib.get_close_matches(column, list(sections.columns), n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise contrast.problem(field, f"no such column in the samplesheet or the clinical table{hint}", column)


def no_such_value(value: str, column: str, found: Sequence[str], taken: Collection[str] = ()) -> str:
    """Message: no sample has a value, what there is, and what was probably meant: none of those that are ``taken``,
    as by the other side of a contrast."""
    if is_missing_word(value):
        return f"'{value}' in '{column}' counts as missing; to compare it, give it another name in the table"
    free = [v for v in found if v not in taken]
    near = difflib.get_close_matches(value.casefold(), [v.casefold() for v in free], n=1, cutoff=0.6)
    hint = "".join(f"; did you mean '{v}'?" for v in free if near and v.casefold() == near[0])
    shown = ", ".join(found[:8]) + (" ..." if len(found) > 8 else "")
    return f"no sample has '{value}' in '{column}'; values found: {shown or 'none'}{hint}"


def numbers(contrast: Contrast, field: str, column: str, values: pd.Series) -> pd.Series:
    """Turn text into float64; raise BadInput that names patient or sample and value where that fails."""
    wrong = [who for who, value in values.dropna().items() if not is_number(value)]
    if wrong:
        message = f"column '{column}' of {wrong[0]} is {values[wrong[0]]!r}, a number is expected"
        raise contrast.problem(field, message, column)
    return values.map(lambda value: np.nan if value is None else float(value)).astype(float)
