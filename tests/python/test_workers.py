"""Several workers: the tests of one file, and those of one shared run, go to the same."""

import shutil
import subprocess
import sys

import pytest

from helpers import ROOT

FILE = """
import os, pytest

@pytest.fixture(scope="module")
def {fixture}():
    pass

@pytest.mark.parametrize("n", range(5))
def test_it({fixture}, n):
    with open("workers.txt", "a") as file:
        file.write("{fixture} " + os.environ["PYTEST_XDIST_WORKER"] + chr(10))
"""
FILES = {"a": "small", "b": "costly", "c": "other", "d": "small"}


# as the launcher starts them
COMMAND = (sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def test_what_several_tests_share_is_set_up_by_one_worker(tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    for name, fixture in FILES.items():
        (tmp_path / f"test_{name}.py").write_text(FILE.format(fixture=fixture))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = engine\n")
    ran = subprocess.run(COMMAND, cwd=tmp_path, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = (tmp_path / "workers.txt").read_text().splitlines()
    assert len(lines) == 5 * len(FILES)
    assert sorted(line.split()[0] for line in set(lines)) == sorted(set(FILES.values()))


DEATH = """
import os
from pathlib import Path

def test_that_dies():
    if not Path("died").exists():  # it is begun again
        Path("died").touch()
        {death}
"""


@pytest.mark.parametrize(
    ("death", "code", "said"),
    [("os.abort()", -6, "in test_that_dies"), ("os.kill(os.getpid(), 9)", -9, "it left no stack")],
)
def test_a_worker_that_dies_says_at_the_end_where_it_was(death, code, said, tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_death.py").write_text(DEATH.format(death=death))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = engine\n")
    ran = subprocess.run(COMMAND, cwd=tmp_path, text=True, capture_output=True)
    assert ran.returncode == 1
    _, told = ran.stdout.split(" a worker crashed ")
    assert f"ended with {code}\n" in told
    assert said in told
