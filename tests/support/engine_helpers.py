"""Running the pipeline in tests, and reading what a run did from its trace."""

import csv
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from helpers import ROOT

TIMEOUT = 900
# what runs for seconds needs no second compiler and no threads that collect garbage: less than half of the CPU time
QUICK = {"NXF_ANSI_LOG": "false", "NXF_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


@dataclass(frozen=True)
class Run:
    """One finished run: exit code, everything it printed, and where its results are."""

    code: int
    output: str
    outdir: Path
    trace_file: Path | None

    @property
    def trace(self) -> list[dict[str, str]]:
        assert self.trace_file, self.output
        with self.trace_file.open() as file:
            return list(csv.DictReader(file, delimiter="\t"))

    def tasks(self, status: str) -> Counter[str]:
        """How many tasks of each process ended with a status: COMPLETED, CACHED or FAILED."""
        return Counter(t["name"].split(" ")[0].split(":")[-1] for t in self.trace if t["status"] == status)

    @property
    def executed(self) -> Counter[str]:
        return self.tasks("COMPLETED")

    def ok(self) -> "Run":
        assert self.code == 0, self.output
        return self


def engine() -> list[str]:
    """The engine: the one of the launcher, or the command that SEMANTICST_NEXTFLOW names."""
    named = os.environ.get("SEMANTICST_NEXTFLOW")
    return [named] if named else [str(ROOT / "semanticst"), "nextflow"]


def nextflow(folder: Path, *arguments: object, **variables: str) -> tuple[int, str]:
    """Run the engine in a folder; exit code and what it printed."""
    environment = os.environ | QUICK | variables
    done = subprocess.run(
        [*engine(), *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return done.returncode, done.stdout


def pipeline(folder: Path, *arguments: object, checkout: Path = ROOT, outdir: str = "results", **variables: str) -> Run:
    """Run the pipeline in a folder; results go to ``folder / outdir``."""
    code, output = nextflow(folder, "run", checkout, "--outdir", outdir, *arguments, **variables)
    return Run(code, output, folder / outdir, newest_trace(folder / outdir))


def newest_trace(outdir: Path) -> Path | None:
    """The trace of the latest run into a folder; the names end in date and time."""
    return max((outdir / "pipeline_info").glob("execution_trace_*.txt"), default=None)


def copy_of_pipeline(target: Path) -> Path:
    """A copy of what the engine needs of this checkout, to edit it."""
    target.mkdir()
    for name in ("main.nf", "nextflow.config", "nextflow_schema.json"):
        shutil.copy2(ROOT / name, target)
    for name in ("assets", "bin", "conf", "modules", "subworkflows", "workflows"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def write_sheet(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a samplesheet (or another table) with the columns of its first row."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path
