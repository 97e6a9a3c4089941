"""How the tests are shared out to several workers (``-n 2 --dist loadfile``): a costly fixture is set up once."""

import faulthandler
import re
import tempfile
from pathlib import Path

import pytest

SHARED_RUN = re.compile(r"def test_\w+\([^)]*\b(demo|small)\b")
"""A test with a run of the pipeline that several files look at: these files go to one worker, which runs it once."""


STACKS = pytest.StashKey[Path]()
CRASHES = pytest.StashKey[list[str]]()
"""What is known of workers that died: their exit code (-6: aborted, -9: killed) and where their threads were."""


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


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """The stack of a worker that crashes goes to a file: among the output of thousands of tests nobody finds it."""
    if worker := getattr(config, "workerinput", None):
        stacks = open(worker["stacks"], "w")  # noqa: SIM115
        config.add_cleanup(stacks.close)
        faulthandler.enable(stacks)
    else:
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        config.stash[STACKS] = Path(folder.name)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    stacks = node.config.stash[STACKS] / node.gateway.id
    stacks.touch()
    node.workerinput["stacks"] = str(stacks)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error: object | None) -> None:
    if error:
        code = node.gateway._io.wait()  # a worker that is down has ended
        lines = Path(node.workerinput["stacks"]).read_text().splitlines()
        own = [line for line in lines if "site-packages" not in line] or ["it left no stack"]
        node.config.stash.setdefault(CRASHES, []).append("\n".join([f"{node.gateway.id} ended with {code}", *own]))


def pytest_terminal_summary(terminalreporter) -> None:
    for crash in terminalreporter.config.stash.get(CRASHES, []):
        terminalreporter.section("a worker crashed")
        terminalreporter.write_line(crash)
