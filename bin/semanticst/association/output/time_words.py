"""Time of a survival contrast in words: its unit is known only where the name of the column says it."""

import re

_UNITS = {
    "day": "days",
    "week": "weeks",
    "wk": "weeks",
    "month": "months",
    "mo": "months",
    "year": "years",
    "yr": "years",
}
_WORD = re.compile(rf"(?<![a-z])({'|'.join(_UNITS)})s?(?![a-z])")


def time_unit(column: str) -> str:
    """``days``, ``weeks``, ``months`` or ``years`` where the name of the column has it as a word, else empty."""
    found = {_UNITS[word] for word in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower())}
    return found.pop() if len(found) == 1 else ""


def time_label(column: str) -> str:
    """Label of an axis of time."""
    unit = time_unit(column)
    if column.lower() == unit:
        return f"time in {unit}"
    return f"time in {unit} ({column})" if unit else f"time ({column}, unit as given)"


def outcome_words(time: str, outcome: str, column: str) -> str:
    """``event at 946 days``, ``censored at 31``. outcome : event or censored."""
    return f"{outcome} at {time} {time_unit(column)}".rstrip()
