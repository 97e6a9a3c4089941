"""Benchmark of niches: scores and cost of the default, of its parts, and of other methods.

``./semanticst bench niches --input samplesheet.csv`` takes samples whose files hold ``obs['domain']``. The annotation
is used for the scores only: nothing is chosen by it, the number of niches is the same known one for all rows, and cells
without annotation are left out of the scores and of nothing else. Without annotation (and with ``--niche-k``) there are
the scores that need none. Each row is a mean over seeds with its SD; each run is a process of its own.
"""

import json
import logging
import tempfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from semanticst.bench._methods import LEIDEN, METHODS, Limits, Outcome, run_method
from semanticst.bench._options import (
    expanded,
    in_a_folder,
    max_gb_option,
    max_minutes_option,
    method_option,
    niche_starts_option,
    seeds_option,
    values_option,
)
from semanticst.bench.material.scaled_values import Form, sheet_in_form
from semanticst.bench.measuring.checkpoint import known_scores
from semanticst.bench.measuring.score_table import table
from semanticst.bench.measuring.scores import agreement, annotated, coherence, lisi
from semanticst.cli import EXISTING_FILE, step
from semanticst.constants import Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.exclusion import split_excluded
from semanticst.io.ingest import ingest_samples
from semanticst.io.internal import read_sample
from semanticst.io.samplesheet import check_samplesheet
from semanticst.qc.cell_types import PREDICTED, UNKNOWN, predict_types, read_markers
from semanticst.qc.samples import check_samples
from semanticst.qc.thresholds import QcSettings
from semanticst.tables.schema import load_schema

log = logging.getLogger(__name__)

DOMAIN = "domain"
NONE = "NA"
CHOOSE = ("default", LEIDEN.name)
"""Methods that are also run with a number of niches of their own."""


@step()
@click.option("--input", "sheet", type=EXISTING_FILE, required=True, help="Samplesheet; files may hold obs['domain'].")
@method_option("ours")
@seeds_option(5)
@click.option("--niche-k", type=click.IntRange(2), help="Number of niches [default: as many as there are domains].")
@niche_starts_option
@max_minutes_option
@max_gb_option
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="CSV of all scores, as they come; what is in it is not run again, unless it was not installed.",
)
@click.option(
    "--cell-type-markers",
    type=EXISTING_FILE,
    help="CSV of cell_type and gene: only how well these predict obs['cell_type'] is scored (macro F1), and no niche.",
)
@values_option
def bench_niches(sheet, methods, seeds, niche_k, niche_starts, max_minutes, max_gb, save, cell_type_markers, form):
    """Agreement with an annotation, coherence, mixing, time and memory: the default, its parts, and other methods."""
    limits = Limits(60 * max_minutes, 1000 * max_gb)
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        samples = prepare(sheet_in_form(sheet, Form(form), Path(place) / "values"), Path(place) / "samples")
        if cell_type_markers:
            click.echo(table(predicted_types(samples, read_markers(cell_type_markers))))
            return
        cells = cell_table(samples, need_domains=niche_k is None)
        known = annotated(cells[DOMAIN])
        k = niche_k or cells[DOMAIN][known].nunique()
        cohort = {"cells": len(cells), "k": k}
        rows = known_rows(save, cohort)
        done = {(row["row"], row["seed"]) for row in rows}
        failed = {row["row"] for row in rows if "failed" in row}
        click.echo(f"{len(samples)} samples, {len(cells)} cells, {known.sum()} annotated, {k} niches\n")
        for name in expanded(methods):
            for seed in range(seeds):
                if name in failed or (name, seed) in done:
                    continue
                folder = Path(place) / f"{list(METHODS).index(name)}-{seed}"
                outcome = run_method(
                    METHODS[name], samples, k, seed, folder, own=name in CHOOSE, limits=limits, starts=niche_starts
                )
                rows += [row | cohort for row in scored(name, seed, outcome, cells)]
                if save:
                    pd.DataFrame(rows).to_csv(save, index=False)
                if outcome.failed:  # another seed would not mend it
                    break
    click.echo(table(pd.DataFrame(rows)))


def prepare(sheet: Path, folder: Path) -> list[Path]:
    """Read and check the samples of a sheet as the pipeline does; files ``{sample}.qc.h5ad``."""
    checked, problems = check_samplesheet(sheet, load_schema("input"), check_files=True)
    if problems:
        raise BadInput(problems)
    used, _ = split_excluded(checked)
    rows = [row | {"path": str((sheet.parent / row["path"]).resolve())} for row in used.rows]
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(rows))
    ingest_samples(folder / "manifest.json", folder)
    check_samples(sorted(folder.glob("*.ingest.h5ad")), QcSettings(), stop=False, prefix="samples", outdir=folder)
    return sorted(folder.glob("*.qc.h5ad"))


def predicted_types(samples: list[Path], markers: dict[str, list[str]]) -> pd.DataFrame:
    """Row of scores of each sample that has a ``cell_type``: of the types that it and the markers both have."""
    rows = []
    for path in samples:
        adata = read_sample(path)
        if Obs.CELL_TYPE not in adata.obs:
            continue
        truth = adata.obs.pop(Obs.CELL_TYPE.value).astype(str).to_numpy()
        predict_types(adata, markers)
        row = {"row": path.name.removesuffix(".qc.h5ad"), "seed": 0}
        types = sorted(set(truth) & set(markers))
        if types and Obs.CELL_TYPE in adata.obs:
            found = adata.obs[Obs.CELL_TYPE].astype(str).str.removesuffix(PREDICTED).to_numpy()
            row["macro_f1"] = f1_score(truth, found, labels=types, average="macro", zero_division=0)
            row |= {"types": len(types), "cells": len(truth), "unknown": (found == UNKNOWN).mean()}
        else:
            row["failed"] = "no type of the sample has a marker in it"
        rows.append(row)
    if not rows:
        raise BadInput(Problem("samples", "there is no obs['cell_type'] to score against"))
    return pd.DataFrame(rows)


def known_rows(path: Path | None, cohort: dict[str, int]) -> list[dict]:
    """Rows that an earlier run on the same ``cohort`` (numbers of cells and of niches) saved, without empty values."""
    known = known_scores(path, ("row", "seed", *cohort))
    for row in known:
        if (found := {name: row[name] for name in cohort}) != cohort:
            message = f"{path} holds scores of another cohort: {found} there, {cohort} here; give another file"
            raise click.UsageError(message)
    return [{name: value for name, value in row.items() if value == value and value != ""} for row in known]


def cell_table(samples: list[Path], need_domains: bool) -> pd.DataFrame:
    """``sample``, ``domain``, ``x``, ``y`` by cell (``sample:cell_id``).

    A sample without ``obs['domain']`` is one without annotation, or BadInput where domains are needed.
    """
    parts = []
    for path in samples:
        adata = read_sample(path)
        if need_domains and DOMAIN not in adata.obs:
            message = "there is no annotation to score against in obs; without one, give --niche-k"
            raise BadInput(Problem(path, message, column=DOMAIN))
        names = adata.obs[Obs.SAMPLE].astype(str)
        domain = adata.obs[DOMAIN].astype(str) if DOMAIN in adata.obs else NONE
        x, y = np.asarray(adata.obsm[Obsm.SPATIAL]).T
        part = pd.DataFrame({"sample": names, DOMAIN: domain, "x": x, "y": y})
        parts.append(part.set_index(names + ":" + adata.obs_names))
    return pd.concat(parts)


def domains(samples: list[Path]) -> pd.DataFrame:
    """Sample and true domain by cell (``sample:cell_id``). Raises BadInput for a sample without ``obs['domain']``."""
    return cell_table(samples, need_domains=True)[["sample", DOMAIN]]


def scored(name: str, seed: int, outcome: Outcome, cells: pd.DataFrame) -> list[dict]:
    """Rows of scores of one run: the method's, and those of its parts."""
    if outcome.labels is None or outcome.failed:
        log.info("%s, seed %d failed: %s", name, seed, outcome.failed)
        return [{"row": name, "seed": seed, "failed": outcome.failed}]
    cells = cells.loc[outcome.labels.index]
    domain, sample = cells[DOMAIN].to_numpy(dtype=str), cells["sample"].to_numpy(dtype=str)
    xy, known = cells[["x", "y"]].to_numpy(), annotated(domain)

    def scores(niche: pd.Series) -> dict[str, float]:
        labels = niche.to_numpy()
        return (agreement(domain, sample, labels) if known.any() else {}) | coherence(xy, sample, labels)

    row = {"row": name, "seed": seed, **scores(outcome.labels), "note": outcome.note}
    row |= {"seconds": outcome.seconds, "peak_mb": outcome.peak_mb}
    if outcome.embedding is not None and len(np.unique(sample)) > 1:
        row["ilisi"] = lisi(outcome.embedding, sample)
    if outcome.embedding is not None and known.any():
        row["clisi"] = lisi(outcome.embedding[known], domain[known])
    if outcome.own is not None:
        row["own_k"] = outcome.own.nunique()
        if known.any():
            row["own_ari"] = agreement(domain, sample, outcome.own.to_numpy())["ari"]
    log.info("%s, seed %d: %s", name, seed, ", ".join(f"{c} {v:.3f}" for c, v in row.items() if isinstance(v, float)))
    return [row, *({"row": part, "seed": seed, **scores(outcome.parts[part])} for part in outcome.parts)]


if __name__ == "__main__":
    bench_niches()
