"""The house: a package imports only those above it, no folder is a heap, and no two rooms have one name."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from helpers import BIN, ROOT
from pipeline_helpers import imported_names

LIBRARY = BIN / "semanticst"
SHARED = {
    "__init__",
    "cli",
    "constants",
    "errors",
    "progress",
    "shortage",
    "spreadsheet",
    "threads",
    "units",
    "wording",
    "writing",
}
"""Modules of no package: they import each other only."""
ORDER = [
    "tables", "mqc", "plotting", "io", "qc", "features", "graph", "model", "niche", "cohort", "describe", "association",
    "report", "export", "simulate", "bench",
]  # fmt: skip
"""From the top down; docs/CONTRIBUTING.md says what each is for."""
ROOMS = ["design", "features", "stats", "checks", "associate", "output", "planning"]
"""The same inside ``association``, the largest of them."""
USES_REPORT = {"report", "export", "bench"}
MOST_MODULES = 18
SAME_NAMES = {
    "build": {"features", "graph"},
    "composition": {"association/features", "describe"},
    "tables": {"association/design", "io/readers"},
}
"""Names that two packages have for the same thing done to different data."""


def modules() -> list[Path]:
    """All modules of the library, relative to it."""
    return sorted(path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py"))


def package_of(module: Path) -> str:
    """``association`` of ``association/stats/cox.py``, ``errors`` of ``errors.py``."""
    return module.with_suffix("").parts[0]


def imported_packages(module: Path) -> set[str]:
    """Packages and shared modules of the library that a module imports, also inside functions."""
    dotted = (name.split(".") for name in imported_names(LIBRARY / module))
    found = {parts[1] for parts in dotted if parts[0] == "semanticst" and len(parts) > 1}
    return found & {*ORDER, *SHARED}


def test_every_package_has_its_place():
    assert {package_of(module) for module in modules()} <= {*ORDER, *SHARED}
    text = (ROOT / "docs/CONTRIBUTING.md").read_text()
    layout = text[text.index("bin/semanticst/ ") : text.index("assets/ ")]
    named = re.findall(r"^  (\w+)/ (?:(\w+)/ )?", layout, re.M)
    assert [name for line in named for name in line if name] == [name for name in ORDER if (LIBRARY / name).is_dir()]


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_package_imports_only_those_above_it(module):
    package = package_of(module)
    above = SHARED if package in SHARED else SHARED.union(ORDER[: ORDER.index(package) + 1])
    assert imported_packages(module) <= above


def test_a_room_of_the_association_imports_only_those_above_it():
    for module in (LIBRARY / "association").rglob("*.py"):
        room = module.relative_to(LIBRARY / "association").with_suffix("").parts[0]
        dotted = (name.split(".") for name in imported_names(module))
        used = {parts[2] for parts in dotted if parts[:2] == ["semanticst", "association"] and len(parts) > 2}
        above = ROOMS if room == "__init__" else ROOMS[: ROOMS.index(room) + 1]
        assert used & set(ROOMS) <= set(above), module


def test_only_what_writes_for_readers_imports_the_report():
    users = {package_of(module) for module in modules() if "report" in imported_packages(module)}
    assert users <= USES_REPORT


def test_no_folder_is_a_heap():
    sizes = Counter(module.parent.as_posix() for module in modules() if module.name != "__init__.py")
    del sizes["io/readers"]  # one module per format
    assert {folder: n for folder, n in sizes.items() if n > MOST_MODULES} == {}


def test_no_two_modules_have_one_name():
    folders = defaultdict(set)
    for module in modules():
        folders[module.stem].add(module.parent.as_posix())
    del folders["__init__"]
    assert {name: where for name, where in folders.items() if len(where) > 1} == SAME_NAMES


def test_tests_mirror_the_library():
    folders = {path.name for path in (ROOT / "tests/python").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert folders <= set(ORDER)
    names = Counter(path.name for path in (ROOT / "tests/python").rglob("test_*.py"))
    assert [name for name, n in names.items() if n > 1] == []
