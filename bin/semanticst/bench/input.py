"""Cost of reading and checking a large sample: memory against the size of its sparse matrix, and time.

``./semanticst bench input`` writes folders of random content as instruments write them, runs ``sample_ingest.py`` and
``sample_qc.py`` on them as the pipeline does, and prints one table.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import click
import h5py
import numpy as np
from anndata.io import read_elem

from semanticst.bench.material.synthetic_folders import write_visium_hd, write_xenium
from semanticst.bench.measuring.measured_command import measured
from semanticst.cli import seed_option, step

log = logging.getLogger(__name__)

BIN = Path(__file__).resolve().parents[2]
BYTES_PER_VALUE = 8
"""float32 value and int32 column of the sparse matrix in the internal form."""

SAMPLES = {
    "xenium": (write_xenium, 500_000, 500, 0.1),
    "visium_hd": (write_visium_hd, 1_000_000, 18_000, 0.016),
}
"""What is written by default: cells (or bins), genes, share of values that are not 0."""


IN_CORES = ("xenium",)
"""Folders that are read once more as those of many samples."""
N_CORES = 60
CORES_MANIFEST = "cores.json"
CORES = f"ingest as {N_CORES} samples"


@step()
@click.option(
    "--platform", type=click.Choice(list(SAMPLES)), multiple=True, help="Instruments; all when none is given."
)
@click.option("--scale", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
              help="Multiplies the number of cells.")  # fmt: skip
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for the samples, several GB, removed at the end [default: the system's].")  # fmt: skip
@seed_option
def bench_input(platform, scale, folder, seed):
    """Memory and time of ingest and quality control of large samples."""
    click.echo(
        "| platform | cells x genes | sparse matrix, MB | step | peak memory, MB | x matrix | wall, s | CPU, s |"
    )
    click.echo("|---|---|--:|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-", dir=folder) as place:
        for name in platform or SAMPLES:
            measure_sample(Path(place), name, scale, seed)


def measure_sample(place: Path, platform: str, scale: float, seed: int) -> None:
    """Write one sample, run both steps on it, and print their rows of the table."""
    write, cells, genes, density = SAMPLES[platform]
    cells = max(1, int(cells * scale))
    source = place / platform
    log.info("writing %s: %d cells, %d genes", platform, cells, genes)
    matrix_mb = write(source, cells, genes, density, seed) * BYTES_PER_VALUE / 1e6
    manifest = place / f"{platform}.json"
    manifest.write_text(json.dumps([{"sample": platform, "patient": "p", "path": str(source), "platform": platform}]))
    steps: dict[str, tuple[str, list[str | Path]]] = {
        "ingest": ("sample_ingest.py", ["--manifest", manifest, "--outdir", place]),
        "QC": ("sample_qc.py", [place / f"{platform}.ingest.h5ad", "--outdir", place]),
    }
    if platform in IN_CORES:
        steps[CORES] = ("sample_ingest.py", ["--manifest", place / CORES_MANIFEST, "--outdir", place])
    cpu_s: dict[str, float] = {}
    for step_name, (script, arguments) in steps.items():
        log.info("%s: %s", platform, step_name)
        if step_name == CORES:
            (place / CORES_MANIFEST).write_text(json.dumps(cores_of(place, platform, source)))
        used = measured([sys.executable, BIN / script, *arguments], place / f"{platform}.{step_name}.log")
        cpu_s[step_name] = used.cpu_s
        click.echo(
            f"| {platform} | {cells:,} x {genes:,} | {matrix_mb:,.0f} | {step_name} | {used.peak_mb:,.0f} | "
            f"{used.peak_mb / matrix_mb:.1f} | {used.wall_s:.0f} | {used.cpu_s:.0f} |"
        )
    if CORES in cpu_s:
        times = cpu_s[CORES] / cpu_s["ingest"]
        log.info("%s: %s takes %.2f times the CPU seconds of one reading (%.1f, %.1f)",
                 platform, CORES, times, cpu_s[CORES], cpu_s["ingest"])  # fmt: skip


def cores_of(place: Path, platform: str, source: Path) -> list[dict[str, str]]:
    """A manifest of as many samples as a large tissue array has, each with a file of the ids of its cells."""
    with h5py.File(place / f"{platform}.ingest.h5ad") as file:
        ids = read_elem(file["obs"]).index
    rows = []
    for number, chosen in enumerate(np.array_split(ids.to_numpy(), N_CORES)):
        cells = place / f"core{number}.txt"
        cells.write_text("\n".join(chosen))
        row = {"sample": f"core{number}", "patient": f"p{number}", "path": str(source), "platform": platform}
        rows.append(row | {"cells": str(cells)})
    return rows


if __name__ == "__main__":
    bench_input()
