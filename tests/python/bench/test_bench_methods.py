"""Methods that the benchmark compares: what comes back, what fails, what it cost."""

import ast
import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from helpers import ROOT
from semanticst.bench import _methods
from semanticst.bench._methods import METHODS, PEERS, Limits, Peer, run_method
from semanticst.bench.measuring.measured_command import measured

GOOD = """
import json, sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())
cells = [f"{Path(p).stem}:c,{i}" for p in job["samples"] for i in range(3)]
rows = [f'"{c}",{i % job["k"]},{job["seed"]},p' for i, c in enumerate(cells)]
(folder / "labels.csv").write_text("cell,niche,own,part one\\n" + "\\n".join(rows) + "\\n")
np.savez(folder / "embedding.npz", X=np.zeros((len(cells), 2)))
ballast = np.ones(25_000_000)
(folder / "report.json").write_text(json.dumps({"beyond": 1.0, "note": "as told"}))
"""


@dataclass(frozen=True)
class Script:
    """A method that is a few lines of Python."""

    code: str

    def settings(self):
        return {}

    def command(self, folder: Path):
        return [sys.executable, "-c", self.code, folder], dict(os.environ)


def test_what_a_method_gives_back(tmp_path):
    outcome = run_method(Script(GOOD), [Path("a.qc.h5ad"), Path("b.qc.h5ad")], 2, 7, tmp_path / "run", starts=3)
    assert not outcome.failed
    assert outcome.labels.index.tolist()[:2] == ["a.qc:c,0", "a.qc:c,1"]  # commas in names of cells
    assert outcome.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert (outcome.own == 7).all()
    assert list(outcome.parts) == ["part one"]
    assert outcome.embedding.shape == (6, 2)
    assert outcome.note == "as told"
    assert 200 < outcome.peak_mb < 2000  # the ballast, in a process of its own
    assert json.loads((tmp_path / "run" / "job.json").read_text())["starts"] == 3


def test_seconds_that_went_beyond_the_niches_are_not_counted(tmp_path, monkeypatch):
    def took_five(*arguments, **options):
        return dataclasses.replace(measured(*arguments, **options), cpu_s=5.0)

    monkeypatch.setattr(_methods, "measured", took_five)
    assert run_method(Script(GOOD), [Path("a.qc.h5ad")], 2, 7, tmp_path / "run").seconds == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
        ("pass", "labels.csv"),
        ("import sys; open(sys.argv[1] + '/labels.csv', 'w').write('cell,niche\\na,\\n')", "without a label"),
        ("import sys; open(sys.argv[1] + '/labels.csv', 'w').write('cell,niche\\na,1\\na,1\\n')", "gave one twice"),
        (GOOD.replace("np.zeros((len(cells), 2))", "np.zeros((1, 2))"), "embedding has other rows"),
        (GOOD.replace("np.zeros(", "np.nan * np.ones("), "values that are no numbers"),
    ],
)
def test_a_failure_is_an_outcome(code, reason, tmp_path):
    outcome = run_method(Script(code), [Path("a.qc.h5ad")], 2, 0, tmp_path / "run")
    assert reason in outcome.failed
    assert outcome.labels is None


def test_a_method_that_takes_too_long_is_ended(tmp_path):
    outcome = run_method(Script("import time; time.sleep(60)"), [], 2, 0, tmp_path / "run", limits=Limits(seconds=1))
    assert outcome.failed == "took more than 1 s"


def test_a_method_that_takes_too_much_memory_is_ended(tmp_path):
    code = "bytearray(2_000_000_000)"
    outcome = run_method(Script(code), [], 2, 0, tmp_path / "run", limits=Limits(memory_mb=500))
    assert outcome.failed == "MemoryError"
    measured([sys.executable, "-c", code.replace("2_000", "100")], tmp_path / "log", limit_mb=500)


def test_a_peer_that_cannot_be_installed_says_so(tmp_path, monkeypatch):
    import launcher.peers
    from launcher.messages import SetupError

    def fail(name, cache, env):
        raise SetupError("no network")

    monkeypatch.setattr(launcher.peers, "ready_peer", fail)
    outcome = run_method(Peer("x", "x", "x"), [], 2, 0, tmp_path / "run")
    assert outcome.failed == "not installed: no network"


def test_a_peer_runs_in_its_own_environment(tmp_path, monkeypatch):
    import launcher.peers

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f"#!/bin/sh\necho $PYTHONPATH > {tmp_path}/seen\n"
                                             f"exec {sys.executable} \"$@\"\n")  # fmt: skip
    (tmp_path / "bin" / "python").chmod(0o755)
    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.setattr(launcher.peers, "ready_peer", lambda name, cache, env: tmp_path)
    monkeypatch.setattr(_methods, "PEERS", tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/ours")
    outcome = run_method(Peer("x", "mine", "x"), [Path("a.qc.h5ad")], 3, 0, tmp_path / "run")
    assert outcome.labels.nunique() == 3
    assert (tmp_path / "seen").read_text().strip() == ""  # nothing of the pipeline's is in its reach


def test_every_peer_has_a_script_and_a_lock():
    peers = [method for method in METHODS.values() if isinstance(method, Peer)]
    assert len(peers) >= 2
    for peer in peers:
        assert (PEERS / f"{peer.script}.py").is_file()
        lock = (PEERS / f"{peer.environment}.lock").read_text()
        assert "--hash=sha256:" in lock
        assert "://" not in lock  # no address of an index
    ours = (ROOT / "requirements.in").read_text().lower()
    assert not any(name in ours for name in ("cellcharter", "banksy", "graphst", "spatialleiden", "igraph"))


def test_no_script_of_a_peer_hides_the_package_that_it_runs():
    scripts = {path.stem.lower() for path in PEERS.glob("*.py")}  # their folder is first on Python's path
    for path in PEERS.glob("run_*.py"):
        tree = ast.parse(path.read_text())
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert {name.split(".")[0].lower() for name in names} & scripts <= {"_shared", "run_cellcharter"}, path.name


def test_bisection_finds_the_number_or_the_nearest(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    from _shared import bisected

    def clusters(resolution):
        return np.arange(100) % max(1, int(10 * resolution))

    labels, found = bisected(clusters, 7)
    assert (found, len(set(labels))) == (7, 7)
    labels, found = bisected(lambda resolution: np.arange(100) % (2 if resolution < 0.3 else 9), 4)
    assert (found, len(set(labels))) == (2, 2)
