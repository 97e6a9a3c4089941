"""Trace of the engine, added up by step: time, CPU and memory of the tasks of a run."""

import re
from pathlib import Path

import pandas as pd

SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def by_step(trace: Path) -> pd.DataFrame:
    """Tasks of an ``execution_trace_*.txt`` by step, in the order in which they began.

    Columns ``step``, ``tasks``, ``wall_s`` and ``cpu_s`` (sums over tasks), ``peak_mb`` (of the largest task). The
    engine measures a task with its shell, and not what it does itself.
    """
    tasks = pd.read_csv(trace, sep="\t", dtype=str, keep_default_na=False)
    tasks = tasks[tasks["status"] == "COMPLETED"]
    wall = tasks["realtime"].map(seconds)
    measured = pd.DataFrame(
        {
            "step": tasks["name"].str.replace(r" \(.*", "", regex=True).str.rpartition(":")[2],
            "wall_s": wall,
            "cpu_s": wall * tasks["%cpu"].str.rstrip("%").replace("-", "0").astype(float) / 100,
            "peak_mb": tasks["peak_rss"].map(megabytes),
        }
    )
    grouped = measured.groupby("step", sort=False)
    table = grouped[["wall_s", "cpu_s"]].sum()
    table.insert(0, "tasks", grouped.size())
    table["peak_mb"] = grouped["peak_mb"].max()
    return table.reset_index()


def seconds(text: str) -> float:
    """``1m 12s`` -> 72; ``-`` (not measured) -> 0."""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)\s*(ms|s|m|h|d)", text))


def megabytes(text: str) -> float:
    """``1.2 GB`` -> 1200 * 1.024^3: the engine counts in powers of 1,024; ``-`` or ``0`` -> 0."""
    found = re.fullmatch(r"([\d.]+)\s*([KMGT]?B)", text.strip())
    if not found:
        return 0.0
    power = "BKMGT".index(found[2][0]) if found[2] != "B" else 0
    return float(found[1]) * 1024**power / 1e6
