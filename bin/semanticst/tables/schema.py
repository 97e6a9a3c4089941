"""Checks of the header and the rows of a table against a JSON schema (draft 2020-12).

Three keywords of ours stand beside the standard ones in the schemas: ``expected`` is what a message says is expected,
``aliases`` are other names under which people write a column, ``spellings`` other spellings of the values of an enum.
"""

import difflib
import json
import logging
import math
from pathlib import Path

from semanticst.errors import Problem
from semanticst.tables.delimited import Table
from semanticst.tables.missing_values import MISSING

log = logging.getLogger(__name__)

ASSETS = Path(__file__).resolve().parents[3] / "assets"


def load_schema(name: str, directory: Path | None = None) -> dict:
    """Schema ``input``, ``clinical`` or ``contrasts`` from ``directory`` (default: ``assets`` beside ``bin``)."""
    return json.loads(((directory or ASSETS) / f"schema_{name}.json").read_text())


def column_names(schema: dict) -> list[str]:
    """Columns that the schema knows, in its order."""
    return list(schema["items"]["properties"])


def check_columns(table: Table, schema: dict) -> list[Problem]:
    """Required columns that are absent, with the column that was probably meant.

    A column that nearly has the name of an optional one is only logged: it may be a variable of its own.
    """
    known = schema["items"]["properties"]
    required = schema["items"].get("required", [])
    unknown = [c for c in table.columns if c not in known]
    meant = {column: _meant(column, known, table.columns) for column in unknown}
    problems = []
    for column in required:
        if column in table.columns:
            continue
        near = next((c for c in unknown if meant[c] == column), None)
        hint = (
            f"; '{near}' is there: rename it to '{column}'" if near else f"; columns found: {', '.join(table.columns)}"
        )
        problems.append(Problem(table.file, f"this column is missing{hint}", row=table.header_line, column=column))
    for column in unknown:
        if meant[column] and meant[column] not in required:
            log.warning(
                "%s: column '%s' is taken as a variable of its own; if '%s' is meant, rename it",
                table.file.name, column, meant[column],
            )  # fmt: skip
    return problems


def _meant(column: str, known: dict, present: list[str]) -> str | None:
    """Known column, absent from the table, that ``column`` probably stands for."""
    plain = column.lower().replace(" ", "_").replace("-", "_")
    for name, rules in known.items():
        if name not in present and plain in (name, *rules.get("aliases", ())):
            return name
    near = difflib.get_close_matches(plain, [name for name in known if name not in present], n=1, cutoff=0.8)
    return near[0] if near else None


def take_spellings(table: Table, schema: dict) -> None:
    """Bring the values of columns with an enum to its spelling, in place: case and punctuation do not matter.

    Beside that ``spellings`` of the schema count. What is neither stays as it is, for `check_rows` to find.
    """
    taken: dict[tuple[str, str, str], int] = {}
    for column, rules in schema["items"]["properties"].items():
        if column not in table.columns or "enum" not in rules:
            continue
        known = {_plain(value): value for value in rules["enum"]}
        for value, others in rules.get("spellings", {}).items():
            known |= {_plain(other): value for other in others}
        for row in table.rows:
            text = row[column]
            meant = known.get(_plain(text), text) if text not in rules["enum"] else text
            if meant != text:
                taken[column, text, meant] = taken.get((column, text, meant), 0) + 1
                row[column] = meant
    for (column, text, meant), n in taken.items():
        log.info("%s, column '%s': %r is taken for '%s' (%d rows)", table.file.name, column, text, meant, n)


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def check_rows(table: Table, schema: dict) -> list[Problem]:
    """Every value that breaks the schema, as a problem with row, column, value and expectation.

    A missing value (``semanticst.tables.missing_values.MISSING``) counts as absent. Numbers are read from text where
    the schema asks for numbers.
    """
    import jsonschema

    rules = schema["items"]
    # an absent column is reported once, by check_columns, not in each row
    reported = {c for c in rules.get("required", ()) if c not in table.columns}
    validator = jsonschema.Draft202012Validator(rules)
    problems = []
    for line, row in zip(table.lines, table.rows):
        record = {c: _typed(v, rules["properties"].get(c, {})) for c, v in row.items() if v not in MISSING}
        found: set[str] = set()
        for error in sorted(validator.iter_errors(record), key=str):
            if error.validator == "required":
                for column in error.validator_value:
                    if column not in record and column not in reported | found:
                        found.add(column)
                        problems.append(_missing(table, line, column, rules, record, row.get(column, "")))
            else:
                column = error.absolute_path[0]
                if column not in found:
                    found.add(column)
                    problems.append(
                        Problem(
                            table.file, f"expected {_expected(rules['properties'][column])}", line, column, row[column]
                        )
                    )
    return problems


def _missing(table: Table, line: int, column: str, rules: dict, record: dict, text: str) -> Problem:
    """``text``: what stands there, if it is a word for nothing."""
    needed = "" if column in rules["required"] else f" (type {record['type']} needs it)"
    about = rules["properties"][column]
    given = "this counts as missing" if text else "nothing is given"
    return Problem(table.file, f"{given}{needed}; expected {_expected(about)}", line, column, text or None)


def _typed(text: str, rules: dict) -> str | int | float:
    """Text as the number that the schema asks for, or as it is when it is none."""
    if rules.get("type") not in ("integer", "number"):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _expected(rules: dict) -> str:
    if "expected" in rules:
        return rules["expected"]
    if "enum" in rules:
        return "one of " + ", ".join(rules["enum"])
    return rules["description"].split(". ")[0].rstrip(".")
