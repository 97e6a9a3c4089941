"""How well the niches agree with an annotation, what each part of the method is worth, and how much it takes.

``./semanticst bench niches --input samplesheet.csv`` takes samples whose files hold ``obs['domain']``. The annotation
is used for the scores only: nothing is chosen by it, the number of niches is the same known one for all rows, and cells
without annotation are left out of the scores and of nothing else. Each row is a mean over seeds with its SD.
"""

import json
import logging
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from semanticst.bench._scores import agreement, annotated, lisi
from semanticst.bench._variants import VARIANTS, embed, partitions
from semanticst.cli import EXISTING_FILE, step
from semanticst.constants import Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.ingest import ingest_samples
from semanticst.io.internal import read_sample
from semanticst.io.samplesheet import check_samplesheet
from semanticst.qc.samples import check_samples
from semanticst.qc.thresholds import QcSettings
from semanticst.schema import load_schema

log = logging.getLogger(__name__)

DOMAIN = "domain"
COLUMNS = {"ari": "joint ARI", "nmi": "joint NMI", "ari_within": "ARI within samples", "ilisi": "iLISI",
           "clisi": "domain LISI", "seconds": "s"}  # fmt: skip


@step()
@click.option("--input", "sheet", type=EXISTING_FILE, required=True, help="Samplesheet; files hold obs['domain'].")
@click.option("--variant", type=click.Choice(list(VARIANTS)), multiple=True, help="Rows; all when none is given.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Seeds 0, 1, ...")
@click.option("--niche-k", type=click.IntRange(2), help="Number of niches [default: as many as there are domains].")
@click.option("--niche-starts", type=click.IntRange(1), default=12, show_default=True, help="Starts of each mixture.")
def bench_niches(sheet, variant, seeds, niche_k, niche_starts):
    """Agreement with an annotation: the default, each part switched off, and the baseline without a network."""
    names = list(variant) or list(VARIANTS)
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        samples = prepare(sheet, Path(place) / "samples")
        truth = domains(samples)
        k = niche_k or truth[DOMAIN][annotated(truth[DOMAIN])].nunique()
        click.echo(
            f"{len(samples)} samples, {len(truth)} cells, {annotated(truth[DOMAIN]).sum()} annotated, {k} niches\n"
        )
        rows = [
            row
            for name in names
            for seed in range(seeds)
            for row in run_variant(name, samples, truth, k, seed, niche_starts, Path(place) / f"{name}-{seed}")
        ]
    click.echo(table(pd.DataFrame(rows)))


def prepare(sheet: Path, folder: Path) -> list[Path]:
    """Read and check the samples of a sheet as the pipeline does; files ``{sample}.qc.h5ad``."""
    checked, problems = check_samplesheet(sheet, load_schema("input"), check_files=True)
    if problems:
        raise BadInput(problems)
    rows = [row | {"path": str((sheet.parent / row["path"]).resolve())} for row in checked.rows]
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(rows))
    ingest_samples(folder / "manifest.json", folder)
    check_samples(sorted(folder.glob("*.ingest.h5ad")), QcSettings(), stop=False, prefix="samples", outdir=folder)
    return sorted(folder.glob("*.qc.h5ad"))


def domains(samples: list[Path]) -> pd.DataFrame:
    """Sample and true domain by cell (``sample:cell_id``). Raises BadInput for a sample without ``obs['domain']``."""
    parts = []
    for path in samples:
        obs = read_sample(path).obs
        if DOMAIN not in obs:
            raise BadInput(Problem(path, "there is no annotation to score against in obs", column=DOMAIN))
        names = obs[Obs.SAMPLE].astype(str)
        parts.append(
            pd.DataFrame({"sample": names, DOMAIN: obs[DOMAIN].astype(str)}).set_index(names + ":" + obs.index)
        )
    return pd.concat(parts)


def run_variant(
    name: str, samples: list[Path], truth: pd.DataFrame, k: int, seed: int, starts: int, folder: Path
) -> list[dict]:
    """Scores of one variant and seed; of the default also of its parts."""
    start = time.monotonic()
    folder.mkdir(parents=True)
    cohort = embed(samples, VARIANTS[name], seed, folder)
    found = partitions(cohort, k, seed, starts, parts=name == "default")
    seconds = time.monotonic() - start
    truth = truth.loc[cohort.obs_names]
    domain, sample = truth[DOMAIN].to_numpy(), truth["sample"].to_numpy()
    known = annotated(domain)
    mixing = {
        "ilisi": lisi(cohort.obsm[Obsm.EMBEDDING], sample),
        "clisi": lisi(cohort.obsm[Obsm.EMBEDDING][known], domain[known]),
    }
    rows = []
    for part, niche in found.items():
        own = mixing | {"seconds": seconds} if not part else {}
        rows.append({"row": part or name, "seed": seed, **agreement(domain, sample, niche), **own})
        log.info(
            "%s, seed %d: joint ARI %.3f, within samples %.3f",
            part or name,
            seed,
            rows[-1]["ari"],
            rows[-1]["ari_within"],
        )
    return rows


def table(scores: pd.DataFrame) -> str:
    """Markdown: mean and SD over seeds of every score, one row per variant in the order in which they ran."""
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---" + "|--:" * len(COLUMNS) + "|"]
    for name, rows in scores.groupby("row", sort=False):
        cells = []
        for column in COLUMNS:
            values = rows[column].dropna().to_numpy() if column in rows else np.empty(0)
            digits = 0 if column == "seconds" else 3
            spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.{digits}f}{spread}" if len(values) else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    bench_niches()
