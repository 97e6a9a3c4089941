"""Place of a picture of the tissue: what ``{sample}.json`` beside ``{sample}.jpg`` says, checked."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semanticst.errors import BadInput, Problem

PLACE = ("x", "y", "width", "height", "units_per_px")
_KINDS = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png"}


@dataclass(frozen=True)
class TissuePlace:
    """A picture of the tissue of a sample, and where it lies in the coordinates of its cells."""

    sample: str
    picture: Path
    kind: str
    """``jpeg`` or ``png``."""
    x: float
    y: float
    """Of the upper left corner, in the unit of the coordinates."""
    width: int
    height: int
    """Pixels."""
    units_per_px: float


def read_place(path: Path) -> TissuePlace:
    """Read a ``{sample}.json``. Raises BadInput when it says no place, or the picture beside it is missing or none."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        x, y, width, height, step = (float(about[name]) for name in PLACE)
        name, sample = str(about.get("file", f"{path.stem}.jpg")), str(about.get("sample", path.stem))
        if not all(map(math.isfinite, (x, y, width, height, step))) or min(width, height, step) <= 0:
            raise ValueError(f"no place: x {x}, y {y}, {width} x {height} pixels of {step}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        message = f"is no place of a picture ({what}); {', '.join(PLACE)} are expected"
        raise BadInput(Problem(path, message)) from error
    picture = path.with_name(Path(name).name)
    if not picture.is_file():
        raise BadInput(Problem(path, "the picture is not there; give both files of a sample", value=name))
    with picture.open("rb") as stream:
        start = stream.read(8)
    kind = next((kind for begin, kind in _KINDS.items() if start.startswith(begin)), None)
    if kind is None:
        raise BadInput(Problem(path, "the picture is no JPEG or PNG file", value=name))
    return TissuePlace(sample, picture, kind, x, y, int(width), int(height), step)


def read_places(files: Iterable[Path]) -> dict[str, TissuePlace]:
    """Pictures by sample, from their ``{sample}.json``. Raises BadInput, with all problems, see `read_place`."""
    found: dict[str, TissuePlace] = {}
    problems: list[Problem] = []
    for path in sorted(files):
        try:
            place = read_place(path)
            found[place.sample] = place
        except BadInput as bad:
            problems += bad.problems
    if problems:
        raise BadInput(problems)
    return found
