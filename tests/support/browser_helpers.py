"""A real browser for tests of pages; without one they are skipped with the reason."""

from collections.abc import Iterator

import pytest

from semanticst.bench.measuring.browser import Browser, find_chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium that draws by the processor and reaches no network; ``browser.open(url)`` is a new page."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium or Chrome on PATH (CHROMIUM names one elsewhere)")
    with Browser(path) as found:
        yield found
