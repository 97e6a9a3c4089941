"""What has a script of its own: nf-core's check and a real Slurm. Containers take too long: tests/containers/run.sh."""

import os
import re
import subprocess

import pytest

from engine_helpers import QUICK
from helpers import ROOT

pytestmark = pytest.mark.engine


def run_script(name: str, *arguments: object) -> str:
    done = subprocess.run(
        ["bash", str(ROOT / "tests" / name), *map(str, arguments)],
        env=os.environ | QUICK,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    if skipped := re.search(r"^SKIPPED:? (.+)$", done.stdout, re.MULTILINE):
        pytest.skip(skipped[1])
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_nfcore_lint(tmp_path):
    assert "0 Tests Failed" in re.sub(" +", " ", run_script("nfcore_lint.sh", tmp_path))


def test_slurm(tmp_path):
    output = run_script("slurm/run.sh", tmp_path)
    assert "FAILED" not in re.sub(r"(?m)^\d+\s.*$", "", output)
    assert output.count("\nok ") == 9
