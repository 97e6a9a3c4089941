"""The explorer in a real browser: from a file, by mouse, keys and fingers, its numbers against the tables."""

import base64
import io
import json
import math
import time

import numpy as np
import pytest
from PIL import Image

from browser_helpers import browser  # noqa: F401  (a fixture)
from explorer_helpers import (
    CONTRAST,
    GENE,
    OPEN,
    READY,
    SAMPLES,
    colours,
    make_explorer,
    opened,  # noqa: F401  (a fixture)
    place,
)
from export_helpers import HOSTILE
from semanticst.plotting.palette import niche_colour


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_explorer(tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(opened):  # noqa: F811
    """The page as at its start, and in front: a browser draws no frames of others."""
    opened.call("Page.bringToFront")
    opened.evaluate("(async () => { await go(structuredClone(START)); await openOnly(['s2', 's4']); fit(); })()")
    yield opened
    assert opened.errors == []
    assert opened.dialogs == []


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_it_opens_from_a_file_without_network(page, made):
    assert page.evaluate("location.protocol") == "file:"
    assert page.evaluate("document.getElementById('about').textContent") == "4 sections, 576 cells, 3 niches"
    assert not page.evaluate("document.getElementById('caution').checkVisibility()")
    assert page.evaluate("explorer.choice().label") == "Niche"
    assert page.evaluate("[...document.querySelectorAll('#list button')].map(b => b.dataset.sample)") == sorted(SAMPLES)
    sources = "[...document.querySelectorAll('script, link, img')].map(e => e.src || e.href)"
    assert all(url.startswith("file:///") for url in page.evaluate(sources))


def test_cells_have_the_colour_of_their_niche_at_their_place(page, made):
    cells = made.cells("s4").iloc[::7]
    seen = colours(page, "s4", cells[["x", "y"]].to_numpy())
    assert seen == [rgb(niche_colour(n)) for n in cells["niche"]]


def test_a_niche_lights_up_everywhere_and_all_again(page, made):
    page.click_on("#niches button[data-niche='2']")
    for sample in ("s2", "s4"):
        cells = made.cells(sample).iloc[::7]
        seen = colours(page, sample, cells[["x", "y"]].to_numpy())
        assert [colour == rgb(niche_colour(2)) for colour in seen] == (cells["niche"] == 2).tolist()
    page.press("Escape")
    assert page.evaluate("explorer.state.lit") == []
    page.press("3")
    assert page.evaluate("explorer.state.lit") == [3]


def test_several_niches_and_views_that_move_together(page):
    niche = "document.querySelector('#niches button[data-niche=\"{}\"]')"
    page.evaluate(f"{niche.format(1)}.click()")
    page.evaluate(f"{niche.format(3)}.dispatchEvent(new MouseEvent('click', {{shiftKey: true}}))")
    assert page.evaluate("explorer.state.lit") == [1, 3]
    page.evaluate("document.getElementById('together').click()")
    before = page.evaluate("panels.map(p => p.view.x)")
    point = place(page, "s2", 20, 30)
    page.drag(point, (point[0] + 40, point[1]))
    moved = np.subtract(before, page.evaluate("panels.map(p => p.view.x)"))
    assert moved == pytest.approx(40 / np.array(page.evaluate("panels.map(p => p.view.scale)")))


def test_hover_shows_the_cell_as_the_tables_have_it(page, made):
    cells = made.cells("s2")
    for cell in cells.index[[5, 77]]:
        row = cells.loc[cell]
        page.mouse("mouseMoved", *place(page, "s2", row["x"] + 1, row["y"] - 1))
        page.wait(f"(e => e.dataset.cell === {json.dumps(cell)} && !e.hidden)(document.getElementById('tip'))")
        shown = dict(
            page.evaluate(
                "[...document.querySelectorAll('#tip dt')].map(e => [e.textContent, e.nextSibling.textContent])"
            )
        )
        assert page.evaluate("document.querySelector('#tip strong').textContent") == cell
        assert (shown["Sample"], shown["Niche"], shown["Cell type"]) == (
            "s2",
            f"Niche {row['niche']}",
            row["cell_type"],
        )
        assert abs(float(shown["Stability"]) - row["stability"]) <= 0.005 + 1e-9
        assert abs(float(shown["Fit"]) - row["fit"]) <= 0.005 + 1e-9
        assert abs(float(shown["Attention to domain"]) - row["score_domain"]) <= 0.005 + 1e-6
        for gene in (GENE, "MARK2", "MARK3"):
            assert float(shown.get(gene, 0)) == row[gene]


def test_recolouring_by_a_gene_goes_from_low_to_high(page, made):
    page.evaluate(
        f"(() => {{const s = document.getElementById('colour'); s.value = {json.dumps('feature:' + GENE)};"
        " s.dispatchEvent(new Event('change'))})()"
    )
    cells = made.cells("s4").sort_values(GENE).iloc[[0, -1]]
    low, high = colours(page, "s4", cells[["x", "y"]].to_numpy())
    assert low[2] > low[0]  # viridis: blue
    assert high[0] > high[2]  # to yellow
    for choice in page.evaluate("explorer.choices().map(c => c.id)"):
        page.evaluate(f"(explorer.state.colour = {json.dumps(choice)}, explorer.show())")
    assert page.evaluate("explorer.choices().length") == 2 + 3 + 3 + 2


def test_wheel_keys_and_drag_move_and_zoom_about_the_pointer(page):
    view = "(() => {const v = panels[0].view; return [v.x, v.y, v.scale]})()"
    start, point = page.evaluate(view), place(page, "s2", 20, 30)
    page.mouse("mouseWheel", *point, deltaX=0, deltaY=-300)
    zoomed = page.evaluate(view)
    assert zoomed[2] > 1.3 * start[2]
    assert place(page, "s2", 20, 30) == pytest.approx(point, abs=1)
    page.drag(point, (point[0] + 40, point[1] + 25))
    assert place(page, "s2", 20, 30) == pytest.approx((point[0] + 40, point[1] + 25), abs=1)
    page.evaluate("panels[0].target.focus()")
    page.press("ArrowRight")
    page.press("+")
    assert page.evaluate(view)[2] == pytest.approx(1.3 * zoomed[2])
    assert page.evaluate("panels[1].touched") is not True
    page.press("0")
    assert page.evaluate(view) == pytest.approx(start)


def test_scale_bar_is_as_long_as_it_says(page):
    pixels, label, scale = page.evaluate(
        "(({bar, view}) => [bar.children[0].offsetWidth, bar.children[1].textContent, view.scale])(panels[0])"
    )
    length, unit = label.split()
    assert unit == "\N{MICRO SIGN}m"
    assert pixels / scale == pytest.approx(float(length), rel=0.01)


def test_sections_are_filtered_and_sorted_by_clinical_variables(page):
    listed = "[...document.querySelectorAll('#list button')].map(b => b.dataset.sample)"
    page.evaluate("document.getElementById('filters').open = true")
    page.evaluate(
        "[...document.querySelectorAll('fieldset')].find(f => f.textContent.startsWith('group'))"
        ".querySelector('input[value=a]').click()"
    )
    assert page.evaluate(listed) == ["s3", "s4"]
    assert page.evaluate("document.getElementById('kept').textContent") == "(2 of 4 sections)"
    page.evaluate(
        "(explorer.state.filters = {age: [null, 60]}, explorer.state.sort = 'var:age',"
        " explorer.state.down = true, explorer.show())"
    )
    assert page.evaluate(listed) == ["s3", HOSTILE, "s2"]


def test_a_finding_leads_to_its_sections(page, made):
    page.click_on(f"[data-finding={json.dumps(CONTRAST + '/1/proportion/a vs b')}]")
    page.wait(f"{OPEN}.length === 4")
    share = {s: (made.cells(s)["niche"] == 1).mean() for s in SAMPLES}
    assert page.evaluate(OPEN) == sorted(share, key=share.get, reverse=True)
    assert page.evaluate("explorer.state.lit") == [1]
    banner = page.evaluate("document.getElementById('banner').textContent")
    assert f"{CONTRAST}: Niche 1" in banner
    assert f"{HOSTILE} differs" in banner
    marked = page.evaluate(
        "[...document.querySelectorAll('#findings button')].map(b => b.textContent.includes('not to be'))"
    )
    assert marked == [False, True]
    listed = page.evaluate(
        "[...document.querySelectorAll('#list button')]"
        ".map(b => [b.dataset.sample, b.querySelector('.notes').textContent])"
    )
    for sample, notes in listed:
        assert notes.endswith(f"{100 * share[sample]:.0f} %")


def test_cells_in_a_rectangle_are_counted(page, made):
    cells = made.cells("s2")
    (x0, y0), (x1, y1) = place(page, "s2", 5, 5), place(page, "s2", 65, 85)
    page.mouse("mouseMoved", x0, y0)
    page.mouse("mousePressed", x0, y0, button="left", clickCount=1, modifiers=8)
    page.mouse("mouseMoved", (x0 + x1) / 2, y1, button="left", buttons=1, modifiers=8)
    page.mouse("mouseMoved", x1, y1, button="left", buttons=1, modifiers=8)
    page.mouse("mouseReleased", x1, y1, button="left", clickCount=1, modifiers=8)
    inside = cells[cells["x"].between(5, 65) & cells["y"].between(5, 85)]
    shown = page.evaluate(
        "[...document.querySelectorAll('#chosen table')]"
        ".map(t => [...t.rows].map(r => [r.cells[0].textContent, +r.cells[1].textContent]))"
    )
    assert dict(shown[0]) == {f"Niche {n}": c for n, c in inside["niche"].value_counts().items()}
    assert dict(shown[1]) == inside["cell_type"].value_counts().to_dict()


def test_the_address_holds_the_view(page, browser, made):  # noqa: F811
    page.evaluate("(explorer.state.colour = 'type', explorer.light(2, false), zoom(panels[1], 3))")
    time.sleep(0.3)
    address = page.evaluate("location.href")
    again = browser.open(address, 1280, 800)
    again.wait(READY)
    assert again.evaluate(OPEN) == ["s2", "s4"]
    assert again.evaluate("[explorer.choice().id, explorer.state.lit]") == ["type", [2]]
    scale = "panels[1].view.scale"
    assert again.evaluate(scale) == pytest.approx(page.evaluate(scale), rel=1e-4)
    broken = browser.open(
        f"{made.url}#open=%5B%22s2%22%5D&lit=%5B99%5D&colour=%&finding=gone&views=%7B%22s2%22:%22x%22%7D"
        "&filters=%7B%22group%22:5%7D&sort=%&x=1",
        1280,
        800,
    )
    broken.wait(READY)
    assert broken.errors == again.errors == []


def test_the_view_is_saved_as_a_picture(page):
    data = page.evaluate("explorer.image().toDataURL('image/png')")
    picture = Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")
    seen = {colour for _, colour in picture.getcolors(picture.width * picture.height)}
    assert {rgb(niche_colour(n)) for n in (1, 2, 3)} <= seen
    assert (255, 0, 255) not in seen  # the picture of the tissue is paler than itself


def test_the_picture_of_the_tissue_lies_below(page):
    page.wait("panels[0].section.image && true")
    page.evaluate("(explorer.state.image = 1, explorer.drawNow())")
    (inside,) = colours(page, "s2", np.array([[113.5, 113.5]]))
    assert inside[1] < 40
    assert inside[0] > 200
    assert page.evaluate("document.getElementById('image-control').hidden") is False


def test_hostile_names_stay_text(page):
    page.evaluate(f"openOnly([{json.dumps(HOSTILE)}, 's3'])")
    page.wait(f"{OPEN}.length === 2")
    for choice in ("type", f"feature:{GENE}"):
        page.evaluate(f"(explorer.state.colour = {json.dumps(choice)}, explorer.show())")
    page.evaluate("explorer.image()")
    assert page.evaluate("document.querySelectorAll('img, main script, b').length") == 0
    assert page.evaluate("document.querySelector('.title strong').textContent") == HOSTILE


def test_a_slow_machine_draws_a_part_of_the_cells_while_a_view_moves(page, made):
    """A part that lies evenly over the section; all of them once the view rests."""
    page.evaluate("(explorer.drawing.least = 10, pace.part = 0.1)")
    page.evaluate("(pan(panels[0], 1, 0), new Promise(requestAnimationFrame).then(() => 0))")
    assert page.evaluate("explorer.drawing.shown") == 2 * 15
    page.wait("explorer.drawing.shown === 288")
    step = page.evaluate("evenStep(200000)")
    for part in (50, 1000, 40_000):
        places = np.sort(np.arange(part) * step % 200_000)
        assert np.diff(places).max() < 3 * 200_000 / part
    for n in (1, 2, 3, 144, 65_537):
        assert math.gcd(n, page.evaluate(f"evenStep({n})")) == 1
    page.evaluate("(explorer.drawing.least = 5000, pace.part = 1)")


def test_save_png_writes_what_is_seen(page, browser, tmp_path):  # noqa: F811
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click_on("#save")
    page.wait("document.getElementById('said').textContent === 'Saved as PNG'")
    saved = tmp_path / "explorer_niche.png"
    end = time.monotonic() + 30
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.1)
    picture = Image.open(saved).convert("RGB")
    expected = page.evaluate("(c => [c.width, c.height])(explorer.image())")
    assert [picture.width, picture.height] == expected
    assert {rgb(niche_colour(n)) for n in (1, 2, 3)} <= {
        colour for _, colour in picture.getcolors(picture.width * picture.height)
    }


def test_copy_link_puts_the_view_on_the_clipboard(page, browser, made):  # noqa: F811
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.evaluate("(explorer.state.colour = 'type', explorer.show())")
    page.click_on("#link")
    page.wait("document.getElementById('said').textContent === 'The address of this view is copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(made.url + "#")
    assert "colour=type" in copied


def test_a_clipboard_that_is_forbidden_is_said(page):
    page.evaluate("(navigator.clipboard.writeText = () => Promise.reject(new Error('no')), 0)")
    page.click_on("#link")
    page.wait("document.getElementById('said').textContent.startsWith('Copy the address from')")
    page.evaluate("(delete navigator.clipboard.writeText, 0)")


def test_keys_of_a_section_and_of_the_page(page):
    """The next section of the list, the previous, another colour, help and its end, closing the section."""
    page.evaluate("panels[0].target.focus()")
    page.press("n")
    page.wait(f"JSON.stringify({OPEN}) === JSON.stringify(['s3', 's4'])")
    page.press("p")
    page.wait(f"JSON.stringify({OPEN}) === JSON.stringify(['s2', 's4'])")
    page.press("c")
    assert page.evaluate("explorer.choice().id") == "type"
    page.press("?")
    assert page.evaluate("document.getElementById('keys').open") is True
    page.press("Escape")
    page.wait("!document.getElementById('keys').open")
    page.evaluate("panels[0].target.focus()")
    page.press("x")
    assert page.evaluate(OPEN) == ["s4"]


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(page):
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        page.press("Tab")
        reached.add(page.evaluate(
            "(() => {const e = document.activeElement; "
            " return [e.id || e.dataset.niche || e.dataset.sample || e.className,"
            " !!(e.getAttribute('aria-label') || e.textContent.trim() || e.title || e.labels?.length)].join('|')})()"
        ))  # fmt: skip
    names = {entry.split("|")[0] for entry in reached}
    assert {"sort", "colour", "save", "link", "help", "view", "s2", "1"} <= names
    assert not [entry for entry in reached if entry.endswith("|false") and not entry.startswith("|")]


def test_fingers_on_a_tablet(browser, made):  # noqa: F811
    page = browser.open(made.url, 820, 1180, mobile=True)
    page.wait(READY)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    before = page.evaluate("panels[0].view.scale")
    x, y = place(page, page.evaluate(OPEN)[0], 50, 50)
    page.touch("touchStart", (x - 30, y), (x + 30, y))
    for k in range(1, 5):
        page.touch("touchMove", (x - 30 - 10 * k, y), (x + 30 + 10 * k, y))
    page.touch("touchEnd")
    assert page.evaluate("panels[0].view.scale") > 1.8 * before
    middle, (x, y) = page.evaluate("panels[0].view.x"), place(page, page.evaluate(OPEN)[0], 50, 50)
    page.touch("touchStart", (x, y))
    page.touch("touchMove", (x - 40, y))
    page.touch("touchEnd")
    assert page.evaluate("panels[0].view.x") == pytest.approx(middle + 40 / page.evaluate("panels[0].view.scale"))
    cell = made.cells(page.evaluate(OPEN)[0]).iloc[77]
    x, y = place(page, page.evaluate(OPEN)[0], cell["x"], cell["y"])
    page.touch("touchStart", (x, y))
    page.touch("touchEnd")
    page.wait(f"document.getElementById('tip').dataset.cell === {json.dumps(cell.name)}")
    page.click_on("#show-side")
    assert page.evaluate("getComputedStyle(document.getElementById('side')).display") == "block"
    assert page.errors == []
