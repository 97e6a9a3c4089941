"""The page of questions leads to parts of the report by the names that they have there."""

import re

from helpers import ROOT


def test_parts_of_the_report_have_the_names_that_the_page_calls_them():
    page = (ROOT / "docs/questions.md").read_text()
    named = set(re.findall(r"\*([A-Z][^*]+)\*", page))
    code = "\n".join(path.read_text() for path in (ROOT / "bin/semanticst").rglob("*.py"))
    assert len(named) > 10
    assert sorted(name for name in named if not re.search(rf'"{re.escape(name)}"', code)) == []
