"""The benchmark of the report: what is measured of a page; the cohort itself takes minutes."""

from browser_helpers import browser  # noqa: F401  (skips without one)
from helpers import invoke
from semanticst.bench import report


def test_bytes_pictures_and_the_first_figure(browser, tmp_path):  # noqa: F811
    page = tmp_path / "multiqc_report.html"
    plot = '<div class="js-plotly-plot"><svg class="main-svg"></svg></div>'
    page.write_text(f'<!doctype html><img src="data:image/webp;base64,{"A" * 5000}" />{plot}')
    found = report.measure(browser, page)
    assert found.megabytes == page.stat().st_size / 1e6
    assert 5000 <= 1e6 * found.pictures_megabytes < 5050
    assert 0 < found.loaded_s <= found.drawn_s


def test_without_a_browser_it_says_so(monkeypatch):
    monkeypatch.setattr(report, "find_chromium", lambda: None)
    result = invoke(report.bench_report)
    assert result.exit_code == 2
    assert "no Chromium" in result.stderr
