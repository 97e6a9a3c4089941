"""The benchmark of the explorer, on two cohorts that are small."""

from browser_helpers import browser  # noqa: F401  (skips without one)
from helpers import invoke
from semanticst.bench import explorer


def test_a_line_per_cohort(browser):  # noqa: F811
    options = ("--sections", 2, "--cells", 300, "--large", 1500, "--markers", 3)
    result = invoke(explorer.bench_explorer, *options)
    assert result.exit_code == 0, result.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in result.stdout.splitlines()]
    assert [line[0] for line in lines[2:]] == ["1 x 1,500 cells", "2 x 300 cells"]
    for line in lines[2:]:
        assert all(float(cell.replace(",", "")) > 0 for cell in line[1:])


def test_without_a_browser_it_says_so(monkeypatch):
    monkeypatch.setattr(explorer, "find_chromium", lambda: None)
    result = invoke(explorer.bench_explorer)
    assert result.exit_code == 2
    assert "no Chromium" in result.stderr
