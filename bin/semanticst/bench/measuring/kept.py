"""Parts of a benchmark that are kept as they come, so that a run that was cut short goes on where it was."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import Any

from semanticst.writing import write_json


@dataclass(frozen=True)
class Part:
    """A piece of work: ``make(*arguments)`` is a dict of plain numbers and text; ``name`` says what it is."""

    name: str
    make: Callable[..., dict]
    arguments: tuple

    def path(self, folder: Path) -> Path:
        """Where it is kept: other arguments are another file."""
        return folder / f"{sha256(repr((self.name, self.arguments)).encode()).hexdigest()[:16]}.json"


def done(parts: list[Part], folder: Path | None, workers: int, minutes: float | None) -> Iterator[dict | None]:
    """The result of each part, in order; None for those that could not be begun within ``minutes``."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        yield from map(_one, parts, repeat(folder), repeat(deadline))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_one, parts, repeat(folder), repeat(deadline))


def _one(part: Part, folder: Path | None, deadline: float | None) -> dict[str, Any] | None:
    path = part.path(folder) if folder else None
    if path and path.exists():
        return json.loads(path.read_text())["result"]
    if deadline is not None and time.monotonic() > deadline:
        return None
    result = part.make(*part.arguments)
    if path:
        write_json(path, {"part": part.name, "result": result})
    return result
