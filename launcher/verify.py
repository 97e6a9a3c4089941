"""``./semanticst verify OUTDIR``: an output folder against the list of what its run left there.

A run writes ``pipeline_info/outputs.csv`` at its end: every file that it stands for, with size and SHA-256. What else
lies in the folders of results is left over from earlier runs. The names of both are those of
``subworkflows/local/utils_semanticst_pipeline/outputs.nf``.
"""

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from launcher.messages import UsageError

LIST = "pipeline_info/outputs.csv"
LOCK = "pipeline_info/running.json"
FOLDERS = ("association", "integration", "multiqc", "niches", "pipeline_info", "qc", "simulated")
ENGINE_REPORT = re.compile(r"pipeline_info/(execution_(report|timeline|trace)|pipeline_dag)[^/]*")

WHOLE, DAMAGED = 0, 3

USAGE = """\
Usage: ./semanticst verify OUTDIR

Compares an output folder with the list that its run wrote at the end, pipeline_info/outputs.csv: size and SHA-256 of
every file. Exit code 0: whole (files that are left over from earlier runs are named); 3: damaged, or without a list, as
after a run that did not end well.
"""


class ListError(Exception):
    """There is no list that could be compared with. The message says why, and what to do."""


@dataclass(frozen=True)
class Listed:
    """A line of the list. ``sha256`` is empty for what a run read from an object store."""

    name: str
    size: int
    sha256: str


@dataclass
class Findings:
    """What was found: names of whole files, sentences about damaged ones, names of files that are left over."""

    whole: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    by_size_only: int = 0


def verify(arguments: Sequence[str], show: Callable[[str], None] = print) -> int:
    """The command: prints what was found and returns the exit code. Raises UsageError."""
    if list(arguments) in (["--help"], ["-h"]):
        show(USAGE.rstrip())
        return WHOLE
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise UsageError("verify takes one folder: ./semanticst verify OUTDIR")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", arguments[0]):
        raise UsageError(
            f"{arguments[0]} is not on this machine, and to compare it is to read all of it: "
            "copy it here first, or compare the sizes that your store lists with pipeline_info/outputs.csv"
        )
    outdir = Path(arguments[0])
    if not outdir.is_dir():
        raise UsageError(f"there is no folder {outdir}")
    try:
        listed = read_list(outdir)
    except ListError as error:
        show(f"Damaged: {error}")
        return DAMAGED
    findings = compare(outdir, listed)
    for line in summary(outdir, findings):
        show(line)
    return DAMAGED if findings.damaged else WHOLE


def read_list(outdir: Path) -> list[Listed]:
    """Read the list of an output folder. Raises ListError when there is none, or when it is not whole."""
    path = outdir / LIST
    if not path.is_file():
        raise ListError(f"there is no {path}. {_why_not_listed(outdir)}")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_listed(row) for row in csv.DictReader(file, strict=True)]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ListError(f"{path} cannot be read ({error!r}). Start the run again with -resume.") from error


def _listed(row: dict[str, str]) -> Listed:
    entry = Listed(row["file"], int(row["bytes"]), row["sha256"])
    if not re.fullmatch(r"([0-9a-f]{64})?", entry.sha256):  # None of a line that was cut short is a TypeError
        raise ValueError(f"{entry.sha256!r} is no SHA-256")
    return entry


def _why_not_listed(outdir: Path) -> str:
    try:
        run = json.loads((outdir / LOCK).read_text(encoding="utf-8"))
        run_of = f"The run '{run['run']}' on {run['host']}, started {run['since']}"
        return f"{run_of}, has not ended yet, or was killed."
    except FileNotFoundError:
        return "A run writes it at its end: the last one here did not end well. Start it again with -resume."
    except (ValueError, KeyError, TypeError):
        return "A run was killed at its start. Start it again with -resume."


def compare(outdir: Path, listed: Sequence[Listed]) -> Findings:
    """Compare the files of an output folder with the list."""
    findings = Findings(by_size_only=sum(not entry.sha256 for entry in listed))
    with ThreadPoolExecutor() as pool:  # SHA-256 of large data runs outside of Python's lock
        for entry, damage in zip(listed, pool.map(lambda entry: damage_of(outdir, entry), listed)):
            if damage:
                findings.damaged.append(f"{entry.name}: {damage}")
            else:
                findings.whole.append(entry.name)
    findings.left_over = sorted(set(files_of_runs(outdir)) - {entry.name for entry in listed})
    return findings


def damage_of(outdir: Path, entry: Listed) -> str:
    """What is wrong with a listed file; empty if nothing is."""
    path = outdir / entry.name
    try:
        size = path.stat().st_size
        if size != entry.size:
            return f"{size} bytes, should be {entry.size}"
        if not entry.sha256:
            return ""
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        return "" if same else "other content than the run wrote"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def files_of_runs(outdir: Path) -> Iterator[str]:
    """Names of the files in the folders of results, but for what a run says about itself."""
    for folder in FOLDERS:
        for parent, _, names in os.walk(outdir / folder):
            for name in names:
                found = (Path(parent) / name).relative_to(outdir).as_posix()
                if found not in (LIST, LOCK) and not ENGINE_REPORT.fullmatch(found):
                    yield found


def summary(outdir: Path, findings: Findings) -> Iterator[str]:
    """The findings in lines: damaged and left-over files by name."""
    count = len(findings.whole) + len(findings.damaged)
    if findings.damaged:
        damaged = f"{len(findings.damaged)} of the {count} files that the run left in {outdir}"
        yield f"Damaged: {damaged}. Start it again with -resume."
        yield from (f"  {damage}" for damage in findings.damaged)
    else:
        yield f"Whole: the {count} files that the run left in {outdir}."
    if findings.by_size_only:
        yield f"Compared by size only, since they were made in an object store: {findings.by_size_only}."
    if findings.left_over:
        yield f"Left over from earlier runs, no result of this one: {len(findings.left_over)}."
        yield from (f"  {name}" for name in findings.left_over)
