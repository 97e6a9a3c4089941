"""assets/library_use.json lists what each script really imports: otherwise -resume would miss an edit."""

import ast
import json
import re
from functools import cache

import pytest

from helpers import BIN, ROOT
from pipeline_helpers import LIBRARY_USE, imported_files, library_use
from semanticst.io.regions.section_parts import PART_COLUMNS
from semanticst.io.samplesheet import FILES, OVERRIDES


def test_the_list_is_true():
    assert json.loads(LIBRARY_USE.read_text()) == library_use(), (
        "imports have changed; renew the list with: ./semanticst python tests/support/pipeline_helpers.py"
    )


def test_imports_are_followed_through_modules_and_functions(tmp_path):
    script = tmp_path / "step.py"
    script.write_text("def main():\n    from semanticst.report import ground_truth\n")
    found = {path.relative_to(BIN).as_posix() for path in imported_files(script) - {script}}
    assert {"semanticst/__init__.py", "semanticst/report/__init__.py", "semanticst/report/ground_truth.py"} <= found
    assert "semanticst/errors.py" in found, "ground_truth imports it"
    assert not [name for name in found if name.startswith("semanticst/model/")]


def test_relative_imports_are_refused(tmp_path):
    script = tmp_path / "step.py"
    script.write_text("from . import ground_truth\n")
    with pytest.raises(ValueError, match="relative imports"):
        imported_files(script)


def test_the_library_is_nothing_but_modules():
    other = [path for path in (BIN / "semanticst").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert other == [], "a file that is read beside the code would not be noticed by -resume"


def test_the_reader_gets_every_column_that_it_looks_at():
    workflow = (ROOT / "subworkflows/local/utils_semanticst_pipeline/samples.nf").read_text()
    passed = set(re.findall(r"'(\w+)'", re.search(r"def columns = \[(.+)\]", workflow).group(1)))
    code = [BIN / "semanticst/io" / name for name in ("ingest.py", "pseudonyms.py", "regions/section_parts.py")]
    looked_at = set(re.findall(r'\brow(?:\.get\(|\[)"(\w+)"', "".join(path.read_text() for path in code)))
    # files come beside the settings, and the engine sees when they change
    assert looked_at | set(PART_COLUMNS) == passed | set(FILES)
    assert all(name.startswith("qc_") for name in OVERRIDES)


@cache
def names_of(module: str) -> set[str]:
    """What can be imported from a module of the library, without running it."""
    path = BIN.joinpath(*module.split("."))
    package = path / "__init__.py"
    found = {p.stem for p in path.glob("*.py")} | {p.name for p in path.glob("*/")}
    for node in ast.walk(ast.parse((package if package.exists() else path.with_suffix(".py")).read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_what_is_imported_from_the_library_is_there():
    # heavy imports stand inside functions, where neither the import of a script nor its --help sees them
    absent = []
    for path in sorted(BIN.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "semanticst":
                missing = {alias.name for alias in node.names} - names_of(node.module)
                absent += [f"{path.relative_to(BIN)}:{node.lineno}: no {name} in {node.module}" for name in missing]
    assert absent == []
