"""The libraries of the programs that exports are for, in an environment of their own (``tests/readers``)."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from helpers import ROOT
from launcher.cache import cache_dir
from launcher.environment import python_of
from launcher.messages import SetupError
from launcher.peers import ready_lock

LOCK = ROOT / "tests/readers/formats.lock"


@pytest.fixture(scope="session")
def ecosystem():
    """A function that runs Python code with the libraries (``sys.argv[1:]`` are its arguments) and gives back what it
    prints as JSON in its last line. Skips where they cannot be installed."""
    try:
        place = ready_lock(LOCK, cache_dir(os.environ), os.environ)
    except SetupError as error:
        pytest.skip(f"the libraries of spatialdata, QuPath and TissUUmaps cannot be installed: {error}")

    def run(code: str, *arguments: Path | str):
        command = [str(python_of(place)), "-W", "ignore", "-c", code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
