#!/usr/bin/env python3
"""Write the lock file of each image: the part of requirements.lock that its steps import.

    ./semanticst python containers/locks.py

Needs no network: requirements.lock says of each package which others asked for it ("# via"). Run it after every change
of requirements.lock or of what the steps import; a test compares the files with what this would write.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Part of requirements.lock, written by containers/locks.py: what the image {image} needs.\n"

# Only the build of torch on the package index needs these; the CPU build is another file, see the Dockerfile
CUDA = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)$")

# Programs of others that a step starts: no Python file of ours imports them
PROGRAMS = {"REPORT_MULTIQC": {"multiqc"}}

# The few packages without a wheel are built with it
ALWAYS = {"setuptools"}

# Imported in functions of shared files that the steps of the base image never call
NOT_IN_BASE = {"torch"}


def locks() -> dict[str, str]:
    """File name -> content, for every image."""
    blocks = packages(LOCK.read_text())
    steps = images()
    base = closure(ALWAYS | requirements(steps["base"]) - NOT_IN_BASE, blocks)
    torch = closure(base | requirements(steps["torch"]), blocks)
    chosen = {"base": base, "torch": {name for name in torch if not CUDA.match(name)}, "torch-cuda": torch}
    return {
        f"{image}.lock": HEADER.format(image=image) + "".join(blocks[name] for name in sorted(names))
        for image, names in chosen.items()
    }


def packages(lock: str) -> dict[str, str]:
    """Name -> its lines in the lock: version, hashes, who asked for it."""
    _, *blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {re.match(r"[a-z0-9-]+", block)[0]: block for block in blocks}


def closure(names: Iterable[str], blocks: dict[str, str]) -> set[str]:
    """The packages of these names and everything they need."""
    needs = {name: set() for name in blocks}
    for name, block in blocks.items():
        for parent in re.findall(r"^    # (?:via|  ) ?([a-z0-9-]+)$", block, re.MULTILINE):
            needs[parent].add(name)
    found, pending = set(), list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += needs[name]
    return found


def images() -> dict[str, set[str]]:
    """Image -> names of the processes that run in it."""
    found: dict[str, set[str]] = {}
    for path in ROOT.glob("modules/local/*/*/main.nf"):
        text = path.read_text()
        image = re.search(r"container 'nf-semanticst/([a-z-]+):", text)[1]
        found.setdefault(image, set()).add(re.search(r"^process (\w+)", text, re.MULTILINE)[1])
    return found


def requirements(processes: Iterable[str]) -> set[str]:
    """Packages that the scripts of these processes import, and the files of the library that they use."""
    use = json.loads((ROOT / "assets" / "library_use.json").read_text())
    names = set()
    for process in processes:
        names |= PROGRAMS.get(process, set())
        for path in (
            ROOT / "bin" / f"{process.lower()}.py",
            *(ROOT / "bin" / "semanticst" / file for file in use[process]),
        ):
            names |= imported(path)
    return names


def imported(path: Path) -> set[str]:
    """Packages that a file imports, also inside functions: not the standard library, not our own."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module)
    modules = {name.split(".")[0] for name in modules} - sys.stdlib_module_names - {"semanticst"}
    return {distributions()[module] for module in modules}


@cache
def distributions() -> dict[str, str]:
    """Module -> the package that it comes with: sklearn -> scikit-learn."""
    return {module: re.sub(r"[-_.]+", "-", names[0]).lower() for module, names in packages_distributions().items()}


if __name__ == "__main__":
    for file, text in locks().items():
        Path(__file__).with_name(file).write_text(text)
        print(f"{file}: {len(packages(text))} packages")
