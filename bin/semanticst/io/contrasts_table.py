"""Table of contrasts: the variables that niches are tested against."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from semanticst.errors import Problem
from semanticst.tables.conditions import ORDER, parse_condition, split_conditions
from semanticst.tables.delimited import Table, clean_value, read_table
from semanticst.tables.number_marks import in_question
from semanticst.tables.schema import check_columns, check_rows, column_names, take_spellings
from semanticst.tables.signs import one_form
from semanticst.tables.spellings import (
    declared,
    has_decimal_comma,
    is_number,
    no_numbers_among,
    number_alone,
    numbers_with_unit,
    one_value,
    variable_value,
)

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
    unclear: set[str] = field(default_factory=set)
    """Numbers of which nothing tells what their marks are (`semanticst.tables.number_marks`)."""

    def levels(self) -> list[str]:
        """Distinct values, sorted."""
        return sorted(set(self.values))

    def problems(self, values: Iterable[str], message: str) -> list[Problem]:
        """A problem for each cell that has one of the values."""
        return [
            Problem(self.file, message, line, self.name, v) for v, line in zip(self.values, self.lines) if v in values
        ]


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
        given = {column: one_form(value) for column, value in (row | common).items()}
        table.rows.append(dict.fromkeys(table.columns, "") | given)
        table.lines.append(0)


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
        (variable_value(row[column]), line)
        for line, row in zip(table.lines, table.rows)
        if variable_value(row[column]) and (patients is None or clean_value(row["patient"]) in patients)
    ]
    unclear = table.unclear.get(column, set())
    return Variable(table.file, column, [v for v, _ in pairs], [line for _, line in pairs], unclear)


def check_against_variables(
    table: Table, known: dict[str, Variable], skip: set[int]
) -> list[tuple[dict[str, str], int, list[Problem]]]:
    """Problems of contrasts whose columns have values that cannot be compared or are not numbers, cell by cell.

    What a contrast says of columns, levels, events and its subset is for its design to judge. ``skip``: lines that are
    known to be incomplete. Returns row, line and problems of each contrast that was looked at.
    """
    checked: list[tuple[dict[str, str], int, list[Problem]]] = []
    seen: dict[str, tuple[str, int]] = {}
    for line, row in zip(table.lines, table.rows):
        if line in skip:
            continue
        contrast = _Contrast(table.file, line, row, known)
        problems = contrast.check()
        name, before = row["contrast"], seen.get(row["contrast"].casefold())
        if before:
            place = f" (row {before[1]})" if before[1] else ""
            message = f"another contrast{place} has this name; names are unique"
            if before[0] != name:
                message = (
                    f"'{before[0]}'{place} differs by case only, and on some disks their files are one; rename one"
                )
            problems.append(contrast.problem("contrast", name, message))
        seen[name.casefold()] = name, line
        checked.append((row, line, problems))
    return checked


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
        return Problem(f"--clinical_{field}", message, value=value)

    def names(self, field: str) -> list[tuple[str, str]]:
        """What stands in a field, and the columns that it names."""
        text = self.row.get(field, "")
        parts = re.split("[;,]", text) if field in ("covariates", "strata") else [text]
        return [(part.strip(), declared(part)[0]) for part in parts if part.strip()]

    def check(self) -> list[Problem]:
        fields = ("column", "time", "event", "block", "interaction", "cluster", "covariates", "strata")
        if any(name not in self.known for field in fields for _, name in self.names(field)):
            return []  # its design says so
        kind = {"groups": self._groups, "ordered": self._ordered, "continuous": self._continuous}
        return kind.get(self.row["type"], self._survival)() + self._covariates() + self._subset() + self._spellings()

    def _groups(self) -> list[Problem]:
        variable = self.known[self.row["column"]]
        levels = variable.levels()
        if len(levels) < 2:
            message = f"nothing to compare: all samples have {levels[0]!r}" if levels else "no sample has a value"
            return [self.problem("column", variable.name, message)]
        if self.row.get("reference") and clean_value(self.row["reference"]) == clean_value(self.row.get("target", "")):
            return [self.problem("target", self.row["target"], "the reference and the target are the same group")]
        return []

    def _ordered(self) -> list[Problem]:
        levels = [clean_value(v) for v in self.row["levels"].split(";")]
        if len(levels) < 2 or len(set(levels)) < len(levels):
            message = "two or more different values are expected, joined by ';'"
            return [self.problem("levels", self.row["levels"], message)]
        return []

    def _continuous(self) -> list[Problem]:
        return _unclear(self.known[self.row["column"]]) or _not_numbers(self.known[self.row["column"]])

    def _survival(self) -> list[Problem]:
        time = self.known[self.row["time"]]
        return _unclear(time) or _not_numbers(time, negative=False)

    def _covariates(self) -> list[Problem]:
        problems = []
        for text, name in self.names("covariates"):
            variable = self.known[name]
            if not declared(text)[1] and variable.unclear:
                problems += _unclear(variable)
                continue
            wrong = [] if declared(text)[1] else no_numbers_among(variable.values)
            commas = {v for v in wrong if has_decimal_comma(v)}
            problems += variable.problems(commas, "a number with a decimal point is expected, as 40.5 for 40,5")
            united = numbers_with_unit(variable.values) - commas if wrong else set()
            if united:
                example = next(value for value in variable.values if value in united)
                message = (
                    f"this is a number with a unit: write the number alone, as {number_alone(example)} for {example}, "
                    f"or factor({name}) if these are categories"
                )
                problems += variable.problems(united, message)
            message = f"most values of this column are numbers; write factor({name}) if these are categories"
            problems += variable.problems(set(wrong) - commas - united, message)
        return problems

    def _subset(self) -> list[Problem]:
        """Numbers that a condition compares and that are not clear; what else is wrong with it, its design says."""
        problems: list[Problem] = []
        for text in split_conditions(self.row.get("subset", "")):
            try:
                condition = parse_condition(text)
            except ValueError:
                continue
            if condition.sign in ORDER and condition.column in self.known:
                problems += _unclear(self.known[condition.column])
        return problems

    def _spellings(self) -> list[Problem]:
        """One value in several spellings, where values are compared as text."""
        fields = ["event", "covariates", "strata", "block", "interaction", "cluster"]
        if self.row["type"] in ("groups", "ordered"):
            fields.append("column")
        problems = []
        for name in dict.fromkeys(name for one in fields for _, name in self.names(one) if name != "patient"):
            for usual, *others in one_value(self.known[name].values):
                message = f"probably the same as {usual!r}; write them alike (or give one another name)"
                problems += self.known[name].problems(set(others), message)
        return problems


def _unclear(variable: Variable) -> list[Problem]:
    found = [value for value in variable.values if value in variable.unclear]
    if not found:
        return []
    return variable.problems(variable.unclear, in_question(found[0]))


def _not_numbers(variable: Variable, negative: bool = True) -> list[Problem]:
    wrong = {v for v in variable.values if not is_number(v) or (not negative and float(v) < 0)}
    return variable.problems(wrong, "a number is expected" if negative else "a time is expected: a number, 0 or more")
