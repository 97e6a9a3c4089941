"""The explorer by keyboard, on a tablet, with many niches, with gaps in tables, and from a damaged folder."""

import json
import shutil

import pytest

from browser_helpers import browser  # noqa: F401  (a fixture)
from explorer_helpers import OPEN, READY, colours, make_explorer, make_many, opened  # noqa: F401  (a fixture)
from semanticst.plotting.palette import niche_colour, niche_marker

LISTED = "[...document.querySelectorAll('#list button')].map(b => b.dataset.sample)"
HEARD = "document.getElementById('heard').textContent"
SAID = "document.getElementById('said').textContent"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_many(tmp_path_factory.mktemp("many"))


@pytest.fixture
def page(opened):  # noqa: F811
    opened.call("Page.bringToFront")
    opened.evaluate("(async () => { await go(structuredClone(START)); await openOnly(['s1', 's2']); fit(); })()")
    yield opened
    assert opened.errors == []


def tick(page, name: str, label: str) -> None:
    """Tick or untick a value of a filter."""
    page.evaluate(
        f"[...[...document.querySelectorAll('fieldset')].find(f => f.textContent.startsWith('{name}'))"
        f".querySelectorAll('label')].find(l => l.textContent.trim() === '{label}').querySelector('input').click()"
    )


def ask(page, control: str, value: str) -> None:
    """Set a control of the filter by age: the lowest, or what of sections without one."""
    page.evaluate(
        "(f => {const e = f.querySelector('" + control + "'); e.value = '" + value + "';"
        " e.dispatchEvent(new Event('change'))})"
        "([...document.querySelectorAll('fieldset')].find(f => f.textContent.startsWith('age')))"
    )


def same(page, expression: str, expected: list) -> None:
    """Wait until a list is as expected."""
    page.wait(f"JSON.stringify({expression}) === {json.dumps(json.dumps(expected, separators=(',', ':')))}", 10)


def test_niches_whose_number_is_not_supported_are_called_cuts(page):
    caution = "document.getElementById('caution')"
    assert page.evaluate(f"{caution}.checkVisibility()")
    assert page.evaluate(f"{caution}.textContent").endswith("they are arbitrary cuts, not to be interpreted.")
    assert page.evaluate("explorer.choice().label") == "Niche (arbitrary cut)"  # which heads the legend of the picture


def test_sections_without_a_value_can_be_chosen_and_left_out(page):
    tick(page, "group", "not known")
    same(page, LISTED, ["s1", "s2", "s4"])
    for value in ("a", "b", "not known"):
        tick(page, "group", value)
    same(page, LISTED, ["s3"])
    page.evaluate("explorer.clearFilters()")
    for control, value, listed in (
        ("input", "55", ["s3", "s4"]), ("select", "with", ["s2", "s3", "s4"]), ("select", "only", ["s2"]),
        ("input", "", ["s2"]), ("select", "", ["s1", "s3", "s4"]), ("select", "with", ["s1", "s2", "s3", "s4"]),
        ("select", "only", ["s2"]),
    ):  # fmt: skip
        ask(page, control, value)
        same(page, LISTED, listed)
    page.evaluate("document.getElementById('filters').open = true")
    page.click_on("#clear")
    same(page, LISTED, ["s1", "s2", "s3", "s4"])
    assert page.evaluate("document.getElementById('clear').hidden") is True


def test_a_filter_closes_what_it_leaves_out(page):
    page.evaluate("openOnly(['s1', 's4'])")
    ask(page, "input", "65")
    same(page, OPEN, ["s4"])
    page.wait(f"{SAID} === '1 section closed: not in the filter'")
    ask(page, "input", "99")
    same(page, OPEN, [])
    assert page.evaluate("document.getElementById('empty').textContent") == "No section passes the filters."
    page.evaluate("explorer.clearFilters()")
    same(page, OPEN, ["s1", "s2"])
    # so does the address
    page.evaluate("go({ ...structuredClone(START), open: ['s1', 's4'], filters: { group: ['b'] } })")
    assert page.evaluate(OPEN) == ["s4"]


def test_niches_of_one_colour_differ_in_their_shape_as_in_the_maps(page):
    """Dots of niches 1, 21, 41 and 61: corners that lie in some shapes only."""
    page.evaluate("(panels[0].view = {x: 95, y: 25, scale: 4}, panels[0].touched = true, explorer.drawNow(), 0)")
    size = 9  # of a dot, in the unit of the section
    corners = {"o": (1, 0, 0), "^": (1, 1, 0), "s": (1, 1, 1), "D": (0, 0, 0)}
    for niche in (1, 21, 41, 61):
        x, y = 10 * ((niche - 1) % 20), 10 * ((niche - 1) // 20)
        page.evaluate(f"(Object.assign(panels[0].view, {{x: {x}, y: {y}}}), explorer.drawNow(), 0)")
        probes = [[x + k * size, y + m * size] for k, m in ((0.33, 0.33), (0.4, 0.4), (0.4, -0.4))]
        centre, *seen = colours(page, page.evaluate(OPEN)[0], [[x, y], *probes])
        own = tuple(int(niche_colour(1)[i : i + 2], 16) for i in (1, 3, 5))
        assert centre == own
        assert tuple(int(colour == own) for colour in seen) == corners[niche_marker(niche)], niche
    dots = page.evaluate("[...document.querySelectorAll('#niches .dot')].map(e => e.className.trim())")
    names = {"o": "dot", "^": "dot triangle", "s": "dot square", "D": "dot diamond"}
    assert dots == [names[niche_marker(n)] for n in range(1, 81)]
    strip = "[...document.querySelectorAll('#list .strip')[0].children].map(e => [e.title, e.className.trim()])"
    assert page.evaluate(strip)[19:22] == [
        ["Niche 20: 1.3 %", ""],
        ["Niche 21: 1.3 %", "hatch"],
        ["Niche 22: 1.3 %", "hatch"],
    ]
    assert "the shapes of dots tell them apart" in page.evaluate("document.getElementById('limits').textContent")
    page.evaluate("(explorer.state.colour = 'type', explorer.show())")
    dots = page.evaluate("[...document.querySelectorAll('.types .dot')].map(e => e.className.trim())")
    assert dots == ["dot"] * 20 + ["dot triangle"] * 7


def test_the_legend_of_a_picture_holds_every_name(page):
    words = page.evaluate(
        "(() => { const drawn = [], proto = CanvasRenderingContext2D.prototype, was = proto.fillText;"
        " proto.fillText = function (t, x, y) { drawn.push([t, x, y]); return was.call(this, t, x, y); };"
        " const c = explorer.image(); proto.fillText = was; return [drawn, c.width, c.height]; })()"
    )
    drawn, width, height = words
    names = {text: (x, y) for text, x, y in drawn if text.startswith("Niche ")}
    assert names.pop("Niche (arbitrary cut)")[1] == 22  # above the others
    assert set(names) == {f"Niche {n}" for n in range(1, 81)}
    assert len(set(names.values())) == 80
    assert all(0 < x < width - 60 and 0 < y < height for x, y in names.values())
    lit = page.evaluate("(explorer.state.lit = [3, 70], explorer.show(), legendOf(explorer.choice()).map(e => e.name))")
    assert lit == ["Niche 3", "Niche 70", "other niches"]


def test_cells_are_read_by_the_keyboard(page):
    """Ids hold line breaks; arrows go from cell to cell, and to the border."""
    page.evaluate("(panels[0].target.focus(), explorer.light(5, false), 0)")
    middle = page.evaluate("[panels[0].view.x, panels[0].view.y]")
    page.press("Enter")
    first = page.wait(HEARD)
    number = int(first.split(",")[0].split("\n")[1])
    assert abs(number % 20 * 10 - middle[0]) <= 5
    assert abs(number // 20 * 10 - middle[1]) <= 5
    assert first.startswith(f"cell\n{number}, Niche {number % 80 + 1}, Cell type type {number % 27:02d}")
    for key, step in (("ArrowRight", 1), ("ArrowDown", 20), ("ArrowLeft", -1), ("ArrowUp", -20)):
        page.press(key)
        number += step
        words = json.dumps(f"cell\n{number},")
        page.wait(f"{HEARD}.startsWith({words})")
    assert page.evaluate("[panels[0].view.x, panels[0].view.y]") == middle
    mark = "(e => [e.hidden, e.offsetLeft + 9, e.offsetTop + 9])(panels[0].mark)"
    hidden, x, y = page.evaluate(mark)
    view = page.evaluate("({...panels[0].view, w: panels[0].box.width, h: panels[0].box.height})")
    assert hidden is False
    assert x == pytest.approx(view["w"] / 2 + (number % 20 * 10 - view["x"]) * view["scale"], abs=1.5)
    assert y == pytest.approx(view["h"] / 2 + (number // 20 * 10 - view["y"]) * view["scale"], abs=1.5)
    for _ in range(25):
        page.press("ArrowRight")
    page.wait(f"{HEARD} === 'No further cell in this direction'")
    page.press("Escape")
    assert page.evaluate(mark)[0] is True
    assert page.evaluate("explorer.state.lit") == [5]
    page.press("v")
    assert page.evaluate("document.querySelector('#chosen p').textContent") == "320 cells of s1"
    assert page.evaluate(SAID).startswith("320 cells of s1, Niche ")


def test_a_tablet_has_all_that_a_mouse_has(browser, made):  # noqa: F811
    page = browser.open(made.url, 768, 1024, mobile=True)
    page.wait(READY)
    place = page.evaluate("(e => [e.offsetWidth, e.getBoundingClientRect().right])(document.getElementById('size'))")
    assert place[0] > 40
    assert place[1] <= 768
    assert page.evaluate("document.documentElement.scrollWidth") <= 768
    page.click_on("#choose")
    box = page.evaluate("(b => [b.left, b.top, b.right, b.bottom])(panels[0].target.getBoundingClientRect())")
    page.touch("touchStart", (box[0] + 5, box[1] + 5))
    page.touch("touchMove", ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    page.touch("touchMove", (box[2] - 5, box[3] - 5))
    page.touch("touchEnd")
    assert page.evaluate("document.querySelector('#chosen p').textContent") == "320 cells of s1"
    shown = "getComputedStyle(document.getElementById('side')).display"
    assert page.evaluate(shown) == "block"
    page.click_on("#forget")
    assert page.evaluate("document.getElementById('chosen-part').hidden") is True
    page.click_on("#several")
    for niche in (2, 4):
        page.click_on(f"#niches button[data-niche='{niche}']")
    assert page.evaluate("explorer.state.lit") == [2, 4]
    assert page.errors == []


def test_files_that_are_missing_or_damaged_are_told_where_they_would_be(browser, tmp_path):  # noqa: F811
    whole = make_explorer(tmp_path)
    data = whole.folder / "data"
    good = {path.name: path.read_text() for path in data.iterdir()}
    text, other = good["section_0003.js"], good["section_0002.js"].replace('"number":2', '"number":4')
    (data / "section_0001.js").unlink()
    (data / "section_0003.js").write_text(text[: len(text) // 2])  # no script
    (data / "section_0004.js").write_text(other)  # of as many cells, from another explorer
    (data / "picture_0002.js").write_text(good["picture_0002.js"].replace("base64,", "base64,AAAA"))
    page = browser.open(whole.url, 1280, 800)
    page.wait(READY)
    page.evaluate("openOnly(explorer.about.sections.map(s => s.sample))")
    page.wait("document.querySelectorAll('.problem').length === 4")
    told = page.evaluate("panels.map(p => p.target.querySelector('.problem').firstChild.textContent)")
    assert told[0].startswith("data/section_0001.js is missing or cannot be read: copy the whole folder")
    assert told[1].startswith("No picture of the tissue: data/picture_0002.js is damaged")
    assert told[2].startswith("data/section_0003.js is damaged, or of another explorer: copy the folder again")
    assert told[3].startswith("data/section_0004.js is damaged, or of another explorer (not of the same build)")
    assert page.evaluate("panels.map(p => p.broken)") == [True, False, True, True]
    page.evaluate("(panels[0].target.focus(), explorer.state.colour = 'type', explorer.show(), explorer.image(), 0)")
    for key in ("Enter", "v", "ArrowLeft", "+", "0"):
        page.press(key)
    (data / "section_0003.js").write_text(text.replace('"data":"', '"data":"AAAA', 1))
    page.evaluate("panels[2].target.querySelector('.problem button').scrollIntoView()")
    page.evaluate("panels[2].element.id = 'third'")
    page.click_on("#third .problem button")
    again = "panels.find(p => p.section.sample === 's3')?.target.querySelector('.problem')?.firstChild.textContent"
    page.wait(f"{again}?.includes('or of another explorer (it cannot be unpacked)')")
    (data / "section_0003.js").write_text(text)
    page.evaluate("panels.find(p => p.section.sample === 's3').target.querySelector('.problem button').click()")
    page.wait("panels.find(p => p.section.sample === 's3')?.broken === false")
    (data / "picture_0002.js").write_text(good["picture_0002.js"])
    box = "panels.find(p => p.section.sample === 's2').target.querySelector('.problem')"
    page.evaluate(f"{box}.querySelector('button').click()")
    page.wait(f"!{box} && panels.find(p => p.section.sample === 's2').section.image && true")
    page.evaluate("tellProblem(panels.find(p => p.section.sample === 's2'), 'no picture', () => 0, true)")
    page.evaluate(f"{box}.querySelector('[aria-label=\"Close this message\"]').click()")
    assert page.evaluate(f"{box} === null")
    assert not [error for error in page.errors if "TypeError" in error and "section_" not in error]


@pytest.mark.parametrize(("file", "content", "said"), [
    ("data/cohort.js", None, "data/cohort.js is missing or cannot be read"),
    ("data/cohort.js", "explorer.cohort({", "data/cohort.js is missing or cannot be read"),
    ("data/cohort.js", "explorer.cohort({});", "data/cohort.js is damaged, or of another explorer"),
    ("explorer.js", None, "Loading. If this stays, files of the explorer are missing"),
    ("twgl.min.js", None, "A file of the page, or data/cohort.js is damaged"),
    ("picture.js", None, "picture.js is missing or cannot be read"),
    ("explorer.css", None, "explorer.css is missing or cannot be read"),
])  # fmt: skip
def test_a_page_that_cannot_start_says_so(browser, made, tmp_path, file, content, said):  # noqa: F811
    folder = shutil.copytree(made.folder, tmp_path / "explorer")
    (folder / file).unlink()
    if content:
        (folder / file).write_text(content)
    page = browser.open((folder / "index.html").as_uri(), 1280, 800)
    page.wait(f"(e => !e.hidden && e.textContent.includes({json.dumps(said)}))(document.getElementById('empty'))", 5)
