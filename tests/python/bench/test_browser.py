"""The driver of the browser: what a page does, shows and gets wrong is told."""

from browser_helpers import browser  # noqa: F401  (a fixture)

PAGE = """<!doctype html><meta charset="utf-8"><title>t</title>
<button id="b" onclick="this.textContent = 'pressed'; alert('hello')">press</button><input id="i">
<canvas id="c" width="20" height="20"></canvas>
<script>
console.error('wrong', 1); setTimeout(() => { throw new Error('uncaught') });
const gl = document.getElementById('c').getContext('webgl2', {preserveDrawingBuffer: true});
gl.clearColor(1, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT);
</script>"""


def test_a_page_is_loaded_clicked_and_typed_into(browser, tmp_path):  # noqa: F811
    (tmp_path / "page.html").write_text(PAGE)
    page = browser.open((tmp_path / "page.html").as_uri(), 300, 200)
    assert page.evaluate("[innerWidth, innerHeight]") == [300, 200]
    page.wait("document.title == 't'")
    page.click_on("#b")
    assert page.wait("document.getElementById('b').textContent == 'pressed'")
    page.click_on("#i")
    page.write("a")
    page.press("b")
    assert page.evaluate("document.getElementById('i').value") == "ab"
    assert page.dialogs == ["hello"]
    assert page.errors[0] == "wrong 1"
    assert page.errors[1].startswith("Error: uncaught")
    read = "gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, p)"
    assert page.evaluate(f"(() => {{const p = new Uint8Array(4); {read}; return [...p]}})()") == [255, 0, 0, 255]
    assert page.screenshot().startswith(b"\x89PNG")
