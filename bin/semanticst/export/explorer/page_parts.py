"""Parts of the explorer beside the cells: files of the page, and pictures of the tissue."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from semanticst.errors import BadInput, Problem
from semanticst.plotting.tissue_place import TissuePlace, read_places

log = logging.getLogger(__name__)

INDEX = "index.html"


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


def read_pictures(files: Sequence[Path]) -> dict[str, TissuePlace]:
    """Pictures of the tissue by sample, from their files. Raises BadInput as `read_places`."""
    found = read_places(path for path in files if path.suffix == ".json")
    used = {place.picture.name for place in found.values()}
    alone = sorted(path.name for path in files if path.suffix != ".json" and path.name not in used)
    if alone:
        log.warning("not shown, since no .json says where they lie: %s", ", ".join(alone))
    return found
