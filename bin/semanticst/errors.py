"""Bad input and the exit codes that the pipeline's configuration relies on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


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
        place = [Path(self.file).name if isinstance(self.file, Path) else str(self.file)]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column '{self.column}'")
        found = "" if self.value is None else f": found {self.value!r}"
        return f"{', '.join(place)}{found}: {self.message}"


class BadInput(Exception):
    """The input cannot be used. Carries every problem found, so that a user mends all of them at once."""

    def __init__(self, problems: Problem | Sequence[Problem]):
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class CannotWrite(Exception):
    """A file cannot be written: a disk or a quota is full, or the folder takes no files. The message says it all."""


class ReadError(Exception):
    """One sample cannot be read; the message says why and what to do. Ingest adds the sample and makes it BadInput."""
