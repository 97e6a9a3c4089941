"""Missing files of an installed environment: cleaners of caches and full disks take single files of packages."""

import csv
import json
import os
from collections import Counter
from pathlib import Path

MANIFEST = ".files.json"
"""In an environment: how many files each entry of its folder of packages, and of ``bin``, had when it was installed."""


def is_whole(environment: Path) -> bool:
    """Are there as many files as were installed? A tenth of a second, since it is asked at every start.

    An environment that was made before there was a list is looked at in full, once.
    """
    installed = _noted(environment)
    if not installed:
        if not _packages(environment) or lost_packages(environment):
            return False
        note_files(environment)
        return True
    found = count_files(environment)
    return all(found[name] >= number for name, number in installed.items())


def note_files(environment: Path) -> None:
    """Write down what is there, for `is_whole`. Not on a read-only disk: the next start looks in full again."""
    text = json.dumps(count_files(environment))
    partial = environment / f"{MANIFEST}.{os.getpid()}"
    try:
        partial.write_text(text)
        partial.replace(environment / MANIFEST)
    except OSError:
        return


def _noted(environment: Path) -> dict[str, int]:
    try:
        return json.loads((environment / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}


def count_files(environment: Path) -> Counter[str]:
    """Files below each entry of the packages' folder and of ``bin``, without compiled ones: those come and go."""
    counts: Counter[str] = Counter()
    for root in filter(None, (_packages(environment), environment / "bin")):
        for entry in _entries(root):
            counts[entry.name] += _files_below(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return counts


def lost_packages(environment: Path, sizes: bool = False) -> list[str]:
    """Names of packages some of whose files are missing, or (``sizes``) have another size than when installed.

    By the list that each package has of its own files; a package that lost that is named as well.
    """
    folder = _packages(environment)
    if folder is None:
        return []
    known = {folder / name for name in _noted(environment) if name.endswith(".dist-info")}
    infos = known | set(folder.glob("*.dist-info"))
    return sorted(info.name.split("-")[0] for info in infos if _is_damaged(info, sizes))


def _is_damaged(info: Path, sizes: bool) -> bool:
    try:
        with (info / "RECORD").open(newline="") as record:
            files = [(info.parent / row[0], row[2]) for row in csv.reader(record) if not row[0].endswith(".pyc")]
        return any(not file.exists() or (sizes and size and file.stat().st_size != int(size)) for file, size in files)
    except (OSError, ValueError, IndexError):
        return True


def _packages(environment: Path) -> Path | None:
    return next(environment.glob("lib/python*/site-packages"), None)


def _files_below(folder: str) -> int:
    return sum(_files_below(entry.path) if entry.is_dir(follow_symlinks=False) else 1 for entry in _entries(folder))


def _entries(folder: str | Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name != "__pycache__"]
    except OSError:
        return []
