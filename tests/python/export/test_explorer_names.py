"""The explorer with names that every object of JavaScript has already, and values large and small."""

import json

import numpy as np
import pytest

from browser_helpers import browser  # noqa: F401  (a fixture)
from explorer_helpers import (
    BIG,
    ODD,
    OPEN,
    READY,
    SMALL,
    columns,
    handed_over,
    make_odd,
    opened,  # noqa: F401  (a fixture)
)

LISTED = "[...document.querySelectorAll('#list button')].map(b => b.dataset.sample)"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_odd(tmp_path_factory.mktemp("names"))


@pytest.fixture
def page(opened):  # noqa: F811
    opened.call("Page.bringToFront")
    opened.evaluate(
        "(async () => { await go(structuredClone(START)); await openOnly(['constructor', '__proto__']); fit(); })()"
    )
    yield opened
    assert opened.errors == []


def test_names_that_every_object_has(page, browser, made):  # noqa: F811
    """Filters and views by such names are set, and come back from the address."""
    page.evaluate("openOnly(explorer.about.sections.map(s => s.sample))")
    assert sorted(page.evaluate(OPEN)) == sorted(ODD)
    page.evaluate("(zoom(panels.find(p => p.section.sample === '__proto__'), 3), 0)")
    for name, wanted in (("constructor", ["b"]), ("__proto__", [55, None])):
        page.evaluate(f"setFilter(explorer.about.variables.find(v => v.name === '{name}'), {json.dumps(wanted)})")
    assert sorted(page.evaluate(LISTED)) == ["__proto__", "s4"]
    again = browser.open(f"{made.url}#{page.evaluate('address()')}", 1280, 800)
    again.wait(READY, 10)
    assert sorted(again.evaluate(LISTED)) == ["__proto__", "s4"]
    scale = "panels.find(p => p.section.sample === '__proto__').view.scale"
    assert again.evaluate(scale) == pytest.approx(page.evaluate(scale), rel=1e-4)
    assert again.errors == []


def test_exact_values_are_shown_whole(page, made):
    shown = page.evaluate(
        f"(explorer.state.colour = 'feature:{BIG}', Array.from({{length: 144}}, (_, i) =>"
        f" explorer.describe(panels[0].section, i).find(([name]) => name === '{BIG}')[1]))"
    )
    assert set(shown) == {"12345", "0.1", "1234567"}


def test_small_values_are_told_apart(made, page):
    about = handed_over(made.folder / "data/cohort.js")
    feature = next(f for f in about["features"] if f["name"] == SMALL)
    assert feature["exact"] is False
    levels = np.array(feature["levels"])
    for section in about["sections"]:
        truth = made.cells(section["sample"])[SMALL]
        found = columns(made.folder / section["file"])
        near = np.abs(levels[found[f"feature{about['features'].index(feature)}"]] - truth.loc[found["ids"]])
        assert near.max() <= 8e-6 / 254 / 2 * 1.01
    colours = page.evaluate(
        f"(c => [0, 127, 254].map(code => explorer.shade(c, code).join()))"
        f"(explorer.choices().find(c => c.label === '{SMALL}'))"
    )
    assert len(set(colours)) == 3


def test_the_legend_of_numbers_is_whole(page):
    """The title in its own font, and the upper end where the bar ends."""
    drawn, width = page.evaluate(
        "(() => { const drawn = [], proto = CanvasRenderingContext2D.prototype, was = proto.fillText;"
        " proto.fillText = function (t, x, y) {"
        " drawn.push([t, x, this.measureText(t).width, this.textAlign]); return was.call(this, t, x, y); };"
        " explorer.state.colour = 'stability'; explorer.show();"
        " const c = explorer.image(); proto.fillText = was; return [drawn, c.width]; })()"
    )
    (title,) = [entry for entry in drawn if entry[0].startswith("Stability")]
    assert title[0] == "Stability (assignment confidence)"
    assert title[1] + title[2] <= width
    low, high = drawn[-2:]
    assert (low[0], low[3], high[0], high[3]) == ("0", "start", "1", "right")
    assert high[1] - low[1] == 140


FOCUSED = "(e => [e.className, e.dataset.niche || e.dataset.finding || e.dataset.sample || ''])(document.activeElement)"


def test_the_keyboard_stays_where_it_was(page):
    """In lists that are filled again, and where what had it is gone."""
    press = "(e => (e.focus(), e.click(), 0))(document.querySelector({}))"
    page.evaluate(press.format("'#niches [data-niche=\"2\"]'"))
    assert page.evaluate(FOCUSED)[1] == "2"
    page.evaluate(press.format("'#all'"))
    assert page.evaluate(FOCUSED)[1] == "1"
    page.evaluate(press.format("'#findings button'"))
    page.wait(f"{OPEN}.length === 4")
    finding = page.evaluate(FOCUSED)[1]
    assert finding.endswith("/1/proportion/a vs b")
    page.evaluate(press.format("'#banner .close'"))
    page.wait("document.getElementById('banner').hidden")
    page.wait(f"{FOCUSED}[1] === {json.dumps(finding)}")
    page.evaluate(press.format("'.panel .close'"))
    assert page.evaluate(FOCUSED)[0] == "close"
    for left in (2, 1):
        page.evaluate("panels[0].target.focus()")
        page.press("x")
        assert page.evaluate(f"{OPEN}.length") == left
        assert page.evaluate(FOCUSED)[0] == "view"
    last = page.evaluate(f"{OPEN}[0]")
    page.press("x")
    assert page.evaluate(FOCUSED)[1] == last


def test_words_about_a_cell_go_with_the_cell(page):
    tip = "document.getElementById('tip').hidden"
    for away in ("openOnly(['constructor', 's4'])", "zoom(panels[0], 1.3)", "fit()"):
        page.evaluate("openOnly(['__proto__', 's4'])")
        page.evaluate("tell(panels[0], 5, 300, 300)")
        assert page.evaluate(tip) is False
        page.evaluate(f"(async () => {{ await {away}; }})()")
        assert page.evaluate(tip) is True, away


def test_the_banner_tells_what_is_open(page):
    banner = "document.getElementById('banner')"
    page.evaluate("explorer.follow(explorer.about.findings[0].id)")
    assert "Open: sections with most and least of it." in page.evaluate(f"{banner}.textContent")
    page.evaluate("explorer.close('toString')")
    assert "Other sections are open." in page.evaluate(f"{banner}.textContent")
    page.evaluate(f"{banner}.querySelector('button').click()")
    page.wait(f"{OPEN}.length === 4 && {banner}.textContent.includes('Open: sections with most')")
    page.evaluate("explorer.light(2, false)")
    assert page.evaluate(f"[{banner}.hidden, explorer.state.finding]") == [True, None]


def test_an_address_with_impossible_values(page):
    page.evaluate(
        '(history.replaceState(null, \'\', \'#size=99&image=-3&lit=[1,1]&open=["s4","s4"]&__proto__={"a":1}\''
        " + '&views=' + encodeURIComponent('{\"s4\":[50,50,1e9]}')), go(recall()))"
    )
    names = "['size', 'image', 'lit', 'open'].map(n => explorer.state[n])"
    assert page.evaluate(names) == [2.5, 0, [1], ["s4"]]
    assert page.evaluate("panels[0].view.scale") == 20  # 200 pixels between cells 10 units apart
