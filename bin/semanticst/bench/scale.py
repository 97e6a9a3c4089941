"""Cost of whole runs by the size of the cohort: wall time, CPU time and memory of every step, and how they grow.

``./semanticst bench scale`` simulates cohorts of 24 patients with one section each, runs them through the engine as a
user would (``./semanticst run``, defaults, the number of niches chosen), and prints per cohort what each step took.
Beside it in the same run: a yardstick of fixed work, the floor (each file read once, the sparse products of the same
size), and other methods, each with a time limit.
"""

import logging
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd

from semanticst.bench._methods import BIN, CHECKOUT, METHODS, Limits, Peer, run_method
from semanticst.bench._options import in_a_folder, max_gb_option, max_minutes_option
from semanticst.bench.measuring.measured_command import Measured, measured
from semanticst.bench.measuring.trace import by_step
from semanticst.bench.niches import prepare
from semanticst.cli import seed_option, step

log = logging.getLogger(__name__)

SECTIONS = 24
GENES = 300
NICHES = 6
SIZES = (25_000, 100_000)
COMPARED = ("CellCharter, PCA", "BANKSY", "PCA + Harmony + Leiden")
ALL = "all steps"
ENGINE = "engine and shells"


@dataclass(frozen=True)
class Row:
    """What one step took in a cohort of ``cells``; ``failed`` says why there are no numbers."""

    cells: int
    step: str
    tasks: int = 1
    wall_s: float = math.nan
    cpu_s: float = math.nan
    peak_mb: float = math.nan
    failed: str = ""


@step()
@click.option(
    "--cells", "sizes", type=click.IntRange(SECTIONS * 10 * NICHES), multiple=True, default=SIZES,
    show_default=True, help="Cells of a cohort; give the option several times for several cohorts.",
)  # fmt: skip
@click.option("--method", "methods", type=click.Choice([*COMPARED, "none"]), multiple=True, default=COMPARED,
              show_default=True, help="Other methods, installed when first used.")  # fmt: skip
@max_minutes_option
@max_gb_option
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path),
    help="Folder for cohorts and runs, several MB for 1,000 cells, removed at the end [default: the system's].",
)  # fmt: skip
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), callback=in_a_folder,
              help="CSV of all rows, as they come.")  # fmt: skip
@seed_option
def bench_scale(sizes, methods, max_minutes, max_gb, folder, save, seed):
    """Wall time, CPU time and memory of whole runs, step by step, by the number of cells.

    Ends with exit code 1 where a run of the pipeline did not reach its end; others may.
    """
    limits = Limits(60 * max_minutes, 1000 * max_gb)
    if "none" in methods and len(methods) > 1:
        raise click.UsageError("--method none, and others beside it: give one or the other")
    if folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"--folder {folder} cannot be made: {error.strerror}") from error
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-", dir=folder) as place:
        for cells in sorted(set(sizes)):
            where = Path(place) / str(cells)
            where.mkdir()
            for row in cohort_rows(where, cells, [m for m in methods if m != "none"], limits, seed):
                rows.append(row)
                log.info("%d cells, %s: %s", cells, row.step, row.failed or f"{row.cpu_s:.1f} s of CPU")
                if save:
                    pd.DataFrame(rows).to_csv(save, index=False)
    click.echo(tables(rows))
    if any(row.failed for row in rows if row.step == ALL):
        raise SystemExit(1)


def cohort_rows(place: Path, cells: int, methods: Sequence[str], limits: Limits, seed: int) -> Iterator[Row]:
    """Rows of one cohort, one after the other as they are known."""
    yield _row(cells, "yardstick", measured(_own("yardstick"), place / "yardstick.log", env=_one_thread()))
    cohort = place / "cohort"
    simulate = ["--patients", SECTIONS, "--sections", 1, "--cells", round(cells / SECTIONS), "--genes", GENES]
    simulate += ["--niches", NICHES, "--seed", seed, "--outdir", cohort]
    measured([sys.executable, BIN / "cohort_simulate.py", *simulate], place / "simulate.log")
    yield from pipeline_rows(place, cohort, cells, limits)
    samples = prepare(cohort / "samplesheet.csv", place / "samples")
    yield _row(cells, "floor", measured(_own("floor", *samples), place / "floor.log", env=_one_thread()))
    for name in methods:
        method = METHODS[name]
        if not isinstance(method, Peer):
            raise TypeError(f"{name} is not a method of others")
        found = run_method(method, samples, NICHES, seed, place / f"peer-{list(METHODS).index(name)}", limits=limits)
        yield Row(cells, name, 1, math.nan, found.seconds, found.peak_mb, found.failed)


def pipeline_rows(place: Path, cohort: Path, cells: int, limits: Limits) -> Iterator[Row]:
    """Rows of the run through the engine: each step, the engine itself, and all together."""
    outdir, work = place / "results", place / "work"
    command = [sys.executable, CHECKOUT / "semanticst", "run", "--input", cohort / "samplesheet.csv"]
    command += ["--clinical", cohort / "clinical.csv", "--contrasts", cohort / "contrasts.csv"]
    try:
        took = run_engine([*command, "--outdir", outdir, "-work-dir", work, "-ansi-log", "false"], place, limits)
    except (RuntimeError, TimeoutError) as error:
        yield Row(cells, ALL, failed=str(error).splitlines()[-1][:200])
        return
    (trace,) = (outdir / "pipeline_info").glob("execution_trace_*.txt")
    steps = by_step(trace)
    for found in steps.itertuples():
        yield Row(cells, found.step, found.tasks, found.wall_s, found.cpu_s, found.peak_mb)
    yield Row(cells, ENGINE, 1, math.nan, max(took.cpu_s - steps["cpu_s"].sum(), 0.0))
    yield Row(cells, ALL, int(steps["tasks"].sum()), took.wall_s, took.cpu_s, steps["peak_mb"].max())


def run_engine(command: list[object], place: Path, limits: Limits) -> Measured:
    """The run, measured with all its tasks: they are its children, and theirs."""
    return measured(command, place / "run.log", limit_s=limits.seconds)


def _own(*arguments: object) -> list[object]:
    return [sys.executable, "-m", "semanticst.bench.measuring.floor", *arguments]


def _one_thread() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | {"PYTHONPATH": str(BIN)} | threads


def _row(cells: int, name: str, took: Measured) -> Row:
    return Row(cells, name, 1, took.wall_s, took.cpu_s, took.peak_mb)


def tables(rows: Sequence[Row]) -> str:
    """Markdown: a table with a line per step and cohort, and how CPU time grows between cohorts."""
    lines = ["| cells | step | tasks | wall, s | CPU, s | peak memory, MB |", "|--:|---|--:|--:|--:|--:|"]
    for row in rows:
        if row.failed:
            reason = row.failed.replace("|", "/")
            lines.append(f"| {row.cells:,} | {row.step} | | failed: {reason} | | |")
        else:
            numbers = " | ".join("" if math.isnan(v) else f"{v:,.0f}" for v in (row.wall_s, row.cpu_s, row.peak_mb))
            lines.append(f"| {row.cells:,} | {row.step} | {row.tasks} | {numbers} |")
    growth = exponents(rows)
    if growth:
        lines += [
            "",
            "Growth of CPU time, exponent between sizes (wanted: at most 1.05 from 100,000 cells up):",
            "",
        ]
        lines += [f"- {name}: " + ", ".join(f"{a:,} to {b:,} cells {e:.2f}" for a, b, e in found)
                  for name, found in growth.items()]  # fmt: skip
    return "\n".join(lines)


def exponents(rows: Sequence[Row]) -> dict[str, list[tuple[int, int, float]]]:
    """By step: (cells, more cells, exponent of the growth of CPU time between them)."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    for name in dict.fromkeys(row.step for row in rows):
        known = [row for row in rows if row.step == name and row.cpu_s > 0]
        pairs = [(a.cells, b.cells, np.log(b.cpu_s / a.cpu_s) / np.log(b.cells / a.cells))
                 for a, b in zip(known, known[1:])]  # fmt: skip
        if pairs and name != "yardstick":
            found[name] = pairs
    return found


if __name__ == "__main__":
    bench_scale()
