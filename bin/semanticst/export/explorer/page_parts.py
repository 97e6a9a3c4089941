"""Parts of the explorer beside the cells: files of the page, and pictures of the tissue."""

import json
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semanticst.errors import BadInput, Problem

log = logging.getLogger(__name__)

INDEX = "index.html"
PLACE = ("x", "y", "width", "height", "units_per_px")
_KINDS = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png"}


@dataclass(frozen=True)
class TissuePicture:
    """A picture of the tissue of a sample, and where it lies."""

    raw: bytes
    kind: str
    """``jpeg`` or ``png``."""
    place: dict[str, float]
    """`PLACE`: upper left corner in the unit of the coordinates, pixels, and the length of a pixel."""


def page_files(page: Path) -> list[Path]:
    """Files of the page. Raises BadInput when ``page`` is no folder that holds it, or a file is missing."""
    if not (page / INDEX).is_file():
        what = f"has no {INDEX}" if page.is_dir() else "is no folder"
        raise BadInput(Problem("--page", f"{what}; give assets/explorer of the pipeline", value=str(page)))
    files = sorted(path for path in page.iterdir() if path.is_file())
    named = re.findall(r'(?:src|href)="([^"/:#]+)"', (page / INDEX).read_text(encoding="utf-8", errors="replace"))
    absent = sorted(set(named) - {path.name for path in files})
    if absent:
        raise BadInput([Problem("--page", f"{name} is missing there; give assets/explorer of the pipeline, whole",
                                value=str(page)) for name in absent])  # fmt: skip
    return files


def read_pictures(files: Sequence[Path]) -> dict[str, TissuePicture]:
    """Pictures of the tissue by sample, of ``{sample}.jpg`` and ``{sample}.json``.

    Raises BadInput, with all problems, for a JSON file that says no place, or a picture that is missing or none.
    """
    by_name = {path.name: path for path in files}
    found: dict[str, TissuePicture] = {}
    problems: list[Problem] = []
    used = set()
    for path in sorted(path for path in files if path.suffix == ".json"):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            place = {name: float(about[name]) for name in PLACE}
            name, sample = str(about.get("file", f"{path.stem}.jpg")), str(about.get("sample", path.stem))
            if not all(map(math.isfinite, place.values())) or min(place["width"], place["units_per_px"]) <= 0:
                raise ValueError(f"no place: {place}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(Problem(path, f"is no place of a picture ({type(error).__name__}: {error}); "
                                          f"{', '.join(PLACE)} are expected"))  # fmt: skip
            continue
        picture = by_name.get(name)
        raw = picture.read_bytes() if picture is not None and picture.is_file() else b""
        kind = next((kind for start, kind in _KINDS.items() if raw.startswith(start)), None)
        if picture is None or kind is None:
            what = "is not there" if picture is None else "is no JPEG or PNG file"
            problems.append(Problem(path, f"the picture {what}; give both files of a sample", value=name))
            continue
        used.add(name)
        found[sample] = TissuePicture(raw, kind, place)
    if problems:
        raise BadInput(problems)
    alone = sorted(name for name in by_name if not name.endswith(".json") and name not in used)
    if alone:
        log.warning("not shown, since no .json says where they lie: %s", ", ".join(alone))
    return found
