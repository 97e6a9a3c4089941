"""The pipeline's own files as data, for the tests that hold them together."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from helpers import BIN, ROOT

LIBRARY_USE = ROOT / "assets" / "library_use.json"
LABELS = ("single", "low", "medium", "high", "gpu")


@dataclass(frozen=True)
class Module:
    """One process and the files beside it."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return re.search(r"^process (\w+) \{", self.text, re.M).group(1)

    @property
    def script(self) -> Path:
        """The command in ``bin/`` that the process runs."""
        return BIN / f"{self.name.lower()}.py"

    def block(self, name: str) -> str:
        """Text of one section of the process: input, output, when, script or stub."""
        found = re.search(
            rf"^    {name}:\n(.*?)(?=^    (?:input|output|when|script|stub):\n|^\}})", self.text, re.M | re.S
        )
        return found.group(1) if found else ""


ON_REQUEST = {"MODEL_DENOISE"}
"""Processes that run where a parameter asks for them."""


def modules() -> list[Module]:
    """All processes, sorted by path."""
    return [Module(path, path.read_text()) for path in sorted(ROOT.glob("modules/local/*/*/main.nf"))]


def configurations() -> dict[Path, str]:
    """Text of all configuration files but the profiles of conf/."""
    return {
        path: path.read_text() for path in [ROOT / "nextflow.config", *sorted(ROOT.glob("*flows/**/nextflow.config"))]
    }


def process_settings(name: str) -> str:
    """What the configuration beside the subworkflows says about one process; empty if nothing."""
    for text in configurations().values():
        found = re.search(rf"^    withName: '{name}' \{{\n(.*?)^    \}}", text, re.M | re.S)
        if found:
            return found.group(1)
    return ""


def schema_parameters() -> dict[str, dict]:
    """Rule of every parameter in nextflow_schema.json."""
    schema = json.loads((ROOT / "nextflow_schema.json").read_text())
    return {name: rule for group in schema["$defs"].values() for name, rule in group["properties"].items()}


def configured_parameters() -> dict[str, object]:
    """Default of every parameter in nextflow.config: of the params block, and of the lines after it."""
    text = (ROOT / "nextflow.config").read_text()
    block = re.search(r"^params \{\n(.*?)^\}", text, re.M | re.S).group(1)
    given = re.findall(r"^ {4}(\w+) += (.+)$", block, re.M)
    given += re.findall(r"^params\.(\w+) += params\.\1 \?: (.+)$", text, re.M)
    python = {"null": "None", "true": "True", "false": "False"}
    return {
        # what is computed when a run starts has no default
        name: None if value.startswith("new ") else ast.literal_eval(python.get(value, value))
        for name, value in given
    }


def library_use() -> dict[str, list[str]]:
    """What assets/library_use.json has to say: per process, the files of the library that its script imports."""
    library = BIN / "semanticst"
    return {
        module.name: sorted(str(path.relative_to(library)) for path in imported_files(module.script) - {module.script})
        for module in modules()
    }


def imported_files(script: Path) -> set[Path]:
    """The script and all files of the library that it needs, through everything they import, also inside functions."""
    pending, seen = [script], set()
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending += [found for name in imported_names(path) for found in _files_of(name)]
    return seen


def imported_names(path: Path) -> set[str]:
    """Dotted names that a file imports; ``from a import b`` gives a and a.b, since b may be a module."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: relative imports hide from this check")
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _files_of(name: str) -> list[Path]:
    """Files of the library that importing ``name`` runs: the packages on the way, and the module itself."""
    parts = name.split(".")
    if parts[0] != "semanticst":
        return []
    files = [BIN.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    return [path for path in [*files, BIN.joinpath(*parts).with_suffix(".py")] if path.is_file()]


if __name__ == "__main__":
    LIBRARY_USE.write_text(json.dumps(library_use(), indent=4) + "\n")
