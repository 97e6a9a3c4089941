"""Progress of long steps: a bar on a terminal, a line now and then elsewhere, nothing for short ones."""

import logging
import re
import threading

import pytest

from helpers import BIN
from model_helpers import write_graphs
from semanticst import progress as module
from semanticst.cli import start_logging
from semanticst.progress import Progress, progress
from semanticst.threads import in_parallel


class _Seen(logging.Handler):
    """Collects lines of the log, and tells that there is one."""

    def __init__(self):
        super().__init__()
        self.lines, self.there = [], threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.there.set()


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    handler = _Seen()
    module.log.addHandler(handler)
    monkeypatch.setattr(module.log, "level", logging.INFO)
    yield handler
    module.log.removeHandler(handler)


def test_a_line_says_what_is_done_and_what_is_left():
    work = Progress("graphs", 4)
    assert work.line(60) == "graphs: 0 of 4, 1:00 passed"
    work.advance()
    assert work.line(60) == "graphs: 1 of 4, 1:00 passed, about 3:00 left"
    work.note = "loss 0.1"
    assert work.line(3675) == "graphs: 1 of 4, 1:01:15 passed, about 3:03:45 left, loss 0.1"
    assert Progress("cells").line(60) == "cells: 0, 1:00 passed"


def test_lines_come_while_one_piece_takes_long(seen, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.01)
    for _ in progress(range(2), "niches"):
        seen.there.clear()
        assert seen.there.wait(30)
    assert seen.lines[0].startswith("niches: 0 of 2, 0:00 passed")
    assert seen.lines[-1].startswith("niches: 1 of 2, 0:00 passed, about 0:00 left")


def test_short_steps_write_nothing(seen, capfd):
    assert in_parallel(lambda n: n * n, range(5), 2, "squares") == [0, 1, 4, 9, 16]
    assert list(progress(iter("abc"), "letters")) == ["a", "b", "c"]
    assert seen.lines == []
    assert capfd.readouterr().err == ""


def test_a_terminal_sees_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for _ in progress(range(3), "niches"):
        pass
    assert "niches: 100%" in capsys.readouterr().err


def test_every_step_shows_its_progress_in_the_same_way():
    """A bar of tqdm's own writes nothing where there is no terminal: a step of hours would seem to hang."""
    users = [path.name for path in BIN.rglob("*.py") if re.search(r"^\s*(from|import) tqdm", path.read_text(), re.M)]
    assert users == ["progress.py"]


def test_graphs_and_training_say_how_long_they_still_take(seen, tmp_path, monkeypatch):
    from semanticst.model.sample_graphs import read_graphs
    from semanticst.model.train import TrainSettings, choose_device, train_network

    monkeypatch.setattr(module, "EVERY", 0.001)
    samples = [read_graphs(path) for path in write_graphs(tmp_path)]
    train_network(samples, TrainSettings(steps=20), choose_device("cpu"))
    assert any(re.match(r"graphs: 1 of 2, .* about .* left", line) for line in seen.lines)
    assert any(re.match(r"training: \d+ of 20, .* about .* left, loss \d", line) for line in seen.lines)


def test_what_is_to_be_looked_at_says_so(capsys):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        start_logging("bin/niche_cluster.py")
        logging.getLogger("semanticst").info("7 niches of [A] x")
        logging.getLogger("semanticst").warning("s1 lacks 3 features")
    finally:
        root.handlers, root.level = before, level
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["[niche_cluster] 7 niches of [A] x", "[niche_cluster] WARNING: s1 lacks 3 features"]
