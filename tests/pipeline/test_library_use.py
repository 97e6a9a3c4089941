"""assets/library_use.json covers what each script really imports: otherwise -resume would miss an edit."""

import json

import pytest

from helpers import BIN, ROOT
from pipeline_helpers import imported_packages, modules

LISTED = json.loads((ROOT / "assets/library_use.json").read_text())


def test_every_process_with_a_command_is_listed():
    assert sorted(LISTED) == sorted(module.name for module in modules() if module.script)


@pytest.mark.parametrize("process", LISTED)
def test_listed_packages_are_those_that_are_imported(process):
    assert set(LISTED[process]) == imported_packages(BIN / f"{process.lower()}.py")


def test_imports_are_followed_through_modules_and_functions(tmp_path):
    script = tmp_path / "step.py"
    script.write_text("def main():\n    from semanticst.report import planted\n")
    assert "report" in imported_packages(script)
    script.write_text("import semanticst.cli\n")
    assert imported_packages(script) == set()
