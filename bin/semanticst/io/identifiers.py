"""Names of patients and samples as programs change them: lost zeros, case, numbers and dates of spreadsheets."""

import re
from collections.abc import Iterable

from semanticst.errors import Problem
from semanticst.tables.delimited import Table
from semanticst.tables.missing_values import MISSING, is_missing_word
from semanticst.tables.signs import one_form

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def plain_name(name: str) -> str:
    """What is left of a name when case, punctuation, leading zeros and what spreadsheets make of it are gone.

    ``P-01`` and ``p1``, ``100000`` and ``1E5``, ``SEP2`` and ``2-Sep`` are one.
    """
    text = one_form(name).strip().casefold()
    if re.fullmatch(r"\d+(\.\d+)?e\+?\d{1,3}|\d+(\.0+)?", text):
        return f"{float(text):.0f}"
    parts = re.findall(r"[^\W\d_]+|\d+", text)
    words = [part[:3] for part in parts if part[:3] in MONTHS and part in (part[:3], *_LONG_MONTHS)]
    if len(words) == 1 and len(parts) == 2:
        # a day and a month, in either order
        parts = [words[0], *(part for part in parts if part.isdigit())]
    return "".join(str(int(part)) if part.isdigit() else part for part in parts)


_LONG_MONTHS = (
    "january", "february", "march", "april", "june", "july", "august", "sept", "september", "october", "november",
    "december",
)  # fmt: skip


def nameless_patients(table: Table) -> list[Problem]:
    """Patients that are called by a word for a missing value: all of these would be one patient.

    Those with a value that is missing in any column are told by the schema.
    """
    message = "this counts as missing; name the patient (if it is a name, write it another way)"
    return [
        Problem(table.file, message, line, "patient", name)
        for line, row in zip(table.lines, table.rows)
        if is_missing_word(name := row.get("patient", "")) and name not in MISSING and not name.startswith("-")
    ]


def near_names(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """For each name the one of ``others`` that it probably stands for; only where there is no second such one."""
    by_plain: dict[str, list[str]] = {}
    for other in others:
        by_plain.setdefault(plain_name(other), []).append(other)
    names = list(names)
    keys = [plain_name(name) for name in names]
    found = {}
    for name, key in zip(names, keys):
        if len(by_plain.get(key, ())) == 1 and keys.count(key) == 1:
            found[name] = by_plain[key][0]
    return found
