"""How the tests are shared out to several workers (``-n 2``): what shares a costly fixture stays together."""

import pytest

SHARED_RUNS = {"demo", "small"}
"""Fixtures of the session that run the whole pipeline: all their tests go to one worker, which runs it once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write the texts under tests/snapshots anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one file, and those of one shared run, form a group; the engine's come first, as the slowest.

    Without workers the marks do nothing. The order holds for both, so that a failure is seen where it was made.
    """
    shared = {item.path for item in items if SHARED_RUNS & set(getattr(item, "fixturenames", ()))}
    for item in items:
        group = "shared runs" if item.path in shared else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)  # stable: within a file nothing changes
