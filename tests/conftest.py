"""How the tests are shared out to several workers (``-n 2 --dist loadfile``): a costly fixture is set up once."""

import re
from pathlib import Path

import pytest

SHARED_RUN = re.compile(r"def test_\w+\([^)]*\b(demo|small)\b")
"""A test with a run of the pipeline that several files look at: these files go to one worker, which runs it once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write the texts under tests/snapshots anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the engine come first, as the slowest, with and without workers: a failure is seen where it was made."""
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)  # stable: within a file nothing changes


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """``loadfile``, with the files of one shared run as one. Groups of xdist do nothing with pytest 9.2 (xdist 3.8)."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndRun(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            text = Path(config.rootpath / file).read_text()
            return "shared runs" if SHARED_RUN.search(text) else file

    return ByFileAndRun(config, log)
