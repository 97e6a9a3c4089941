"""Table of contrasts: the variables that niches are tested against."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from semanticst.errors import Problem
from semanticst.io.samplesheet import near_hint
from semanticst.tables.conditions import parse_condition, split_conditions
from semanticst.tables.delimited import Table, clean_value, read_table
from semanticst.tables.schema import check_columns, check_rows, column_names, take_spellings

log = logging.getLogger(__name__)

SURVIVAL_NAME = "survival"


@dataclass(frozen=True)
class Shortcuts:
    """Contrasts asked for by parameters instead of a table."""

    group: str = ""
    time: str = ""
    event: str = ""
    event_value: str = ""
    covariates: str = ""


@dataclass
class Variable:
    """A column that contrasts may use, missing values left out. ``values[i]`` stands in line ``lines[i]``."""

    file: Path
    name: str
    values: list[str]
    lines: list[int]

    def levels(self) -> list[str]:
        """Distinct values, sorted."""
        return sorted(set(self.values))


def check_contrasts(path: Path, schema: dict) -> tuple[Table, list[Problem]]:
    """Read a table of contrasts and check it by itself.

    Returns the table and every problem. Raises BadInput when it cannot be read as a table at all.
    """
    table = read_table(path, column_names(schema))
    take_spellings(table, schema)
    problems = check_columns(table, schema) + check_rows(table, schema)
    for row in table.rows:
        row.update({c: "" for c in table.columns if clean_value(row[c]) == ""})
    return table, problems


def add_shortcuts(table: Table, shortcuts: Shortcuts) -> None:
    """Append the contrasts that parameters ask for; their row is named after the parameter in messages."""
    common = {"covariates": shortcuts.covariates.replace(",", ";")}
    rows = []
    if shortcuts.group:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", shortcuts.group).lstrip("_.-") or "group"
        rows.append({"contrast": name, "type": "groups", "column": shortcuts.group})
    if shortcuts.time:
        survival = {"time": shortcuts.time, "event": shortcuts.event, "event_value": shortcuts.event_value}
        rows.append({"contrast": SURVIVAL_NAME, "type": "survival"} | survival)
    for row in rows:
        table.rows.append(dict.fromkeys(table.columns, "") | row | common)
        table.lines.append(0)


def used_columns(row: dict[str, str]) -> set[str]:
    """Names of the variables that one contrast uses: what it compares, adjusts for, stays within, and selects by."""
    names = [row.get(field, "") for field in ("column", "time", "event", "block", "interaction")]
    names += [name for field in ("covariates", "strata") for name in re.split("[;,]", row.get(field, ""))]
    names += [parse_condition(text).column for text in split_conditions(row.get("subset", ""))]
    return {name.strip() for name in names} - {""}


def variables(sheet: Table, clinical: Table | None) -> dict[str, Variable]:
    """Columns that contrasts may use: those of the sheet, and those of the clinical table, which win.

    Of the clinical table only patients count that have a sample.
    """
    found = {c: _variable(sheet, c, None) for c in sheet.columns if c != "path"}
    if clinical is not None:
        patients = {clean_value(row["patient"]) for row in sheet.rows}
        found |= {c: _variable(clinical, c, patients) for c in clinical.columns if c != "patient"}
    return found


def _variable(table: Table, column: str, patients: set[str] | None) -> Variable:
    pairs = [
        (clean_value(row[column]), line)
        for line, row in zip(table.lines, table.rows)
        if clean_value(row[column]) and (patients is None or clean_value(row["patient"]) in patients)
    ]
    return Variable(table.file, column, [v for v, _ in pairs], [line for _, line in pairs])


def check_against_variables(table: Table, known: dict[str, Variable], skip: set[int]) -> list[Problem]:
    """Problems of contrasts whose columns or values do not exist, cannot be compared or are not numbers.

    ``skip``: lines that are known to be incomplete.
    """
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for line, row in zip(table.lines, table.rows):
        if line in skip:
            continue
        contrast = _Contrast(table.file, line, row, known)
        name = row["contrast"]
        if name in seen:
            message = f"another contrast{f' (row {seen[name]})' if seen[name] else ''} has this name; names are unique"
            problems.append(contrast.problem("contrast", name, message))
        seen[name] = line
        problems += contrast.check()
    return problems


@dataclass
class _Contrast:
    """One row of the contrasts, beside the variables that it may use."""

    file: Path
    line: int
    row: dict[str, str]
    known: dict[str, Variable]

    def problem(self, field: str, value: str, message: str) -> Problem:
        """A problem at a cell of the row, or at the parameter that the row was made from."""
        if self.line:
            return Problem(self.file, message, self.line, field, value)
        field = {"column": "group", "contrast": "group"}.get(field, field)
        return Problem(f"--clinical-{field.replace('_', '-')}", message, value=value)

    def check(self) -> list[Problem]:
        problems = self._names("column", "time", "event", "block", "interaction", "covariates", "strata")
        if problems:
            return problems + self._subset()
        kind = {"groups": self._groups, "ordered": self._ordered, "continuous": self._continuous}
        return kind.get(self.row["type"], self._survival)() + self._subset()

    def _names(self, *fields: str) -> list[Problem]:
        problems = []
        for field in fields:
            text = self.row.get(field, "")
            names = re.split("[;,]", text) if field in ("covariates", "strata") else [text]
            for name in filter(None, map(str.strip, names)):
                if name not in self.known:
                    message = f"no such column in the samplesheet or the clinical table{near_hint(name, [*self.known])}"
                    problems.append(self.problem(field, name, message))
        return problems

    def _groups(self) -> list[Problem]:
        variable = self.known[self.row["column"]]
        levels = variable.levels()
        if len(levels) < 2:
            message = f"nothing to compare: all samples have {levels[0]!r}" if levels else "no sample has a value"
            return [self.problem("column", variable.name, message)]
        problems = [
            self.problem(
                field, self.row[field], f"no sample has this value of '{variable.name}'; found: {_list(levels)}"
            )
            for field in ("reference", "target")
            if self.row.get(field) and clean_value(self.row[field]) not in levels
        ]
        if self.row.get("reference") and clean_value(self.row["reference"]) == clean_value(self.row.get("target", "")):
            problems.append(
                self.problem("target", self.row["target"], "the reference and the target are the same group")
            )
        if len(levels) > 10 and len(levels) > len(variable.values) / 2:
            log.warning(
                "contrast %s: '%s' has %d groups; is it continuous?", self.row["contrast"], variable.name, len(levels)
            )
        return problems

    def _ordered(self) -> list[Problem]:
        variable = self.known[self.row["column"]]
        levels = [clean_value(v) for v in self.row["levels"].split(";")]
        problems = []
        if len(levels) < 2 or len(set(levels)) < len(levels):
            problems.append(
                self.problem("levels", self.row["levels"], "two or more different values are expected, joined by ';'")
            )
        absent = [v for v in levels if v not in variable.values]
        if len(levels) - len(absent) < 2:
            message = f"fewer than two of these are values of '{variable.name}'; found: {_list(variable.levels())}"
            problems.append(self.problem("levels", self.row["levels"], message))
        elif absent:
            log.warning("contrast %s: no sample has %s", self.row["contrast"], _list(absent))
        left = [v for v in variable.levels() if v not in levels]
        if left:
            log.warning("contrast %s: not among the levels, left out: %s", self.row["contrast"], _list(left))
        return problems

    def _continuous(self) -> list[Problem]:
        return _not_numbers(self.known[self.row["column"]])

    def _survival(self) -> list[Problem]:
        time, event = self.known[self.row["time"]], self.known[self.row["event"]]
        problems = _not_numbers(time, negative=False)
        if clean_value(self.row["event_value"]) not in event.values:
            message = f"no patient has this value of '{event.name}'; found: {_list(event.levels()) or 'nothing'}"
            problems.append(self.problem("event_value", self.row["event_value"], message))
        if len(event.levels()) > 2:
            log.warning(
                "contrast %s: '%s' has the values %s; all but %s count as censored",
                self.row["contrast"], event.name, _list(event.levels()), self.row["event_value"],
            )  # fmt: skip
        return problems

    def _subset(self) -> list[Problem]:
        problems = []
        for text in split_conditions(self.row.get("subset", "")):
            try:
                column = parse_condition(text).column
            except ValueError as error:
                problems.append(self.problem("subset", text, str(error)))
                continue
            if column not in self.known:
                message = f"'{column}' is no column of the samplesheet or the clinical table"
                problems.append(self.problem("subset", text, message + near_hint(column, [*self.known])))
        return problems


def _not_numbers(variable: Variable, negative: bool = True) -> list[Problem]:
    problems = []
    for value, line in zip(variable.values, variable.lines):
        try:
            fine = float("-inf" if negative else 0) <= float(value) < float("inf")
        except ValueError:
            fine = False
        if not fine:
            message = "a number is expected" if negative else "a time is expected: a number, 0 or more"
            problems.append(Problem(variable.file, message, line, variable.name, value))
    return problems


def _list(values: list[str]) -> str:
    return ", ".join(values[:8]) + (" ..." if len(values) > 8 else "")
