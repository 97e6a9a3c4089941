"""Tables of a contrast: everything as text first, numbers only where a model asks for them."""

import difflib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.tables.delimited import clean_value

log = logging.getLogger(__name__)

TYPES = ("groups", "ordered", "continuous", "survival")


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
    change: str = ""
    """What changes within patients, in words, where changes are compared (`interaction`)."""
    file: Path = Path("contrasts.csv")
    row: int = 2

    def problem(self, column: str, message: str) -> BadInput:
        """Bad input that points at a cell of this row of the contrasts table."""
        return BadInput(Problem(self.file, message, row=self.row, column=column, value=getattr(self, column) or None))


def read_text_table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV with every value as stripped text, missing as None; whole numbers lose a trailing ``.0``.

    Raises BadInput when a required column is absent.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.columns = table.columns.str.strip()
    table = table.apply(lambda column: column.map(lambda value: clean_value(value) or None))
    absent = [c for c in required if c not in table.columns]
    if absent:
        raise BadInput([Problem(path, "this column must exist", row=1, column=c) for c in absent])
    return table


def read_contrast(path: Path, name: str) -> Contrast:
    """Read the row ``name`` of the contrasts table.

    Raises BadInput when there is no such row, when its type is unknown, or when what the type needs is empty.
    """
    table = read_text_table(path, ("contrast", "type"))
    found = np.flatnonzero(table["contrast"] == name)
    if len(found) != 1:
        known = ", ".join(table["contrast"].dropna()) or "none"
        raise BadInput(Problem(path, f"needs exactly one row, has {len(found)}; rows: {known}", value=name))
    row = {k: v or "" for k, v in table.iloc[found[0]].items()}
    contrast = Contrast(
        name=name,
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
        file=path,
        row=int(found[0]) + 2,
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
    double = sheet.columns.intersection(clinical.columns)
    if len(double):
        log.info("taken from the clinical table, not from the samplesheet: %s", ", ".join(double))
    return sheet.drop(columns=double).join(clinical, on="patient")


def require_column(contrast: Contrast, field: str, column: str, sections: pd.DataFrame) -> None:
    """Raise BadInput, with near names, unless ``column`` is a variable of the sections."""
    if column in sections.columns:
        return
    near = difflib.get_close_matches(column, list(sections.columns), n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise contrast.problem(field, f"'{column}' is a column of neither the clinical table nor the samplesheet{hint}")


def numbers(contrast: Contrast, field: str, column: str, values: pd.Series) -> pd.Series:
    """Turn text into float64; raise BadInput that names patient or sample and value where that fails."""
    parsed = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = values.notna() & ~np.isfinite(parsed)
    if wrong.any():
        who = values.index[wrong][0]
        raise contrast.problem(field, f"column '{column}' of {who} is {values[who]!r}, a number is expected")
    return parsed
