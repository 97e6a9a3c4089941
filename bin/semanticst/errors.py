"""Bad input and the exit codes that the pipeline's configuration relies on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from semanticst.wording import listed


class ExitCode(IntEnum):
    """Exit codes of every command in ``bin/``. Retrying is pointless for 1 to 4; with more memory it may help."""

    OK = 0
    BUG = 1
    USAGE = 2
    BAD_INPUT = 3
    CANNOT_WRITE = 4
    NO_MEMORY = 137  # what the system itself leaves of a process that it killed for its memory


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input: where it is, what was found, what was expected, what to do.

    ``row`` counts lines of the file as an editor shows them: the header is row 1.
    """

    file: str | Path
    message: str
    row: int | None = None
    column: str | None = None
    value: object = None

    def __str__(self) -> str:
        place = [_name(self.file)]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column '{self.column}'")
        found = "" if self.value is None else f": found {self.value!r}"
        return f"{', '.join(place)}{found}: {self.message}"


MOST_ALIKE = 5
"""Problems that differ in the value only are told one by one up to this number."""


def folded(problems: Sequence[Problem]) -> list[str]:
    """Problems as lines, in their order, those that say the same of several rows or files in one."""
    alike: dict[tuple, list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.message, problem.column), []).append(problem)
    lines = []
    for group in alike.values():
        same: dict[tuple, list[Problem]] = {}
        for problem in group:
            key = () if len(group) > MOST_ALIKE else (str(problem.file), problem.value, problem.row is None)
            same.setdefault(key, []).append(problem)
        lines += [str(some[0]) if len(some) == 1 else _together(some) for some in same.values()]
    return lines


def _together(problems: Sequence[Problem]) -> str:
    first = problems[0]
    place = [_few(_name(p.file) for p in problems)]
    rows = [p.row for p in problems if p.row is not None]
    if rows:
        run = len(rows) > 2 and rows == list(range(rows[0], rows[0] + len(rows)))
        place.append(f"rows {rows[0]} to {rows[-1]} ({len(rows)})" if run else f"rows {_few(map(str, rows))}")
    if first.column is not None:
        place.append(f"column '{first.column}'")
    values = _few(repr(p.value) for p in problems if p.value is not None)
    return f"{', '.join(place)}{f': found {values}' if values else ''}: {first.message}"


def _few(texts: Iterable[str]) -> str:
    """The first different ones, and how many more."""
    different = dict.fromkeys(texts)
    return listed(different, 3) if different else ""


def _name(file: str | Path) -> str:
    return Path(file).name if isinstance(file, Path) else str(file)


class BadInput(Exception):
    """The input cannot be used. Carries every problem found, so that a user mends all of them at once."""

    def __init__(self, problems: Problem | Sequence[Problem]):
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def __reduce__(self) -> tuple[type["BadInput"], tuple[list[Problem]]]:
        """As it was also where it comes from another process (`semanticst.threads.in_parallel`)."""
        return type(self), (self.problems,)


class CannotWrite(Exception):
    """A file cannot be written: a disk or a quota is full, or the folder takes no files. The message says it all."""


class ReadError(Exception):
    """One sample cannot be read; the message says why and what to do. Ingest adds the sample and makes it BadInput."""
