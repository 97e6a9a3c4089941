"""The launcher, run for real up to the engine, where people run it: odd folders, poor environments, two at once.

The engine is a script that notes what it was started with; the check of the tables before it is the pipeline's own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import without_rights
from launcher.environment import CHECKOUT

ODD = 'it\'s a "$folder" [1] {a,b} #é'
PROJECT = "it's a checkout [1] {a,b} #é"
"""Nextflow finds no scripts in a folder with $ or quotation marks."""
ENGINE = """#!/bin/sh
[ "$1" = -v ] && echo "nextflow version 25.04.3.5949" && exit
printf '%s\\n' "$@" > started.$$
echo "home: $NXF_HOME"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout that nobody may write into, a cohort, and an engine, all in a folder with an odd name."""
    place = tmp_path_factory.mktemp("places") / ODD
    (place / "programs").mkdir(parents=True)
    (place / "programs/nextflow").write_text(ENGINE)
    (place / "programs/nextflow").chmod(0o755)
    checkout = place.parent / PROJECT
    checkout.mkdir()
    for name in ("semanticst", "nextflow.config", "nextflow_schema.json", "requirements.lock"):
        shutil.copy2(CHECKOUT / name, checkout)
    for name in ("launcher", "bin", "assets", "conf"):
        shutil.copytree(CHECKOUT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "launch").symlink_to(checkout / "semanticst")
    data = place / "data"
    data.mkdir()
    (data / "ä #1's, [x].csv").write_text("cell_id,x,y,a\n1,0,0,3\n")
    (data / "sheet.csv").write_text('sample,patient,path,note\na,p,"ä #1\'s, [x].csv",größer\n', "utf-8")
    subprocess.run(["chmod", "-R", "a-w", checkout, data], check=True)
    yield place
    subprocess.run(["chmod", "-R", "u+w", checkout, data], check=True)


def start(place: Path, *arguments: str, **variables: str | None) -> subprocess.Popen:
    """Start ``launch run`` in a folder of its own below ``place``; a variable that is None is unset."""
    cache = os.environ.get("SEMANTICST_CACHE") or str(Path(sys.prefix).parents[1])
    settings = {
        "PATH": f"{place}/programs:{os.environ['PATH']}",
        "SEMANTICST_CACHE": cache,
        "NXF_HOME": None,
    } | variables
    environment = {name: value for name, value in (os.environ | settings).items() if value is not None}
    command = ["sh", "-c", 'umask 077; exec "$@"', "sh", sys.executable, place / "launch", "run", *arguments]
    return subprocess.Popen(
        [*without_rights(), *command],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finished(launch: subprocess.Popen) -> tuple[str, str]:
    output, said = launch.communicate(timeout=300)
    assert launch.returncode == 0, said
    return output, said


@pytest.fixture
def started(place):
    """What the engine was started with, one list for each start."""
    yield lambda: [file.read_text("utf-8").splitlines() for file in place.glob("started.*")]
    for file in place.glob("started.*"):
        file.unlink()


POOR = {
    "no home": {"HOME": None, "XDG_CACHE_HOME": None},
    "no temporary folder": {"TMPDIR": "/not/there"},
    "no language": {"LANG": "C", "LC_ALL": "C", "LANGUAGE": None},
}


def test_folders_that_are_odd_or_read_only_and_poor_environments(place, started):
    """All at once: each of these was a fault of its own somewhere else."""
    variables = {name: value for settings in POOR.values() for name, value in settings.items()}
    checkout, work = place.parent / PROJECT, place.parent / "work"  # no task can run in a folder with $
    before = sorted(checkout.rglob("*"))
    given = ["--input", "data/sheet.csv", "--outdir", f"{ODD}/out", "-work-dir", str(work)]
    output, said = finished(start(place, *given, **variables))
    assert "1 sample of 1 patient, 0 contrasts" in said
    [arguments] = started()
    assert arguments == ["run", str(checkout), *given]
    assert output.startswith("home: /")
    assert sorted(checkout.rglob("*")) == before


def test_two_runs_at_once(place, started):
    given = ("--input", "data/sheet.csv", "-work-dir", str(place.parent / "work"))
    launches = [start(place, *given, "--outdir", name) for name in ("one", "two")]
    for launch in launches:
        finished(launch)
    assert sorted(arguments[-1] for arguments in started()) == ["one", "two"]
