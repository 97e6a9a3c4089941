"""Mapping of new samples onto a model: samples left out, niches left out, and samples that do not fit.

``./semanticst bench mapping --input samplesheet.csv`` trains on all samples, and again without each patient (or sample)
in turn, who is then mapped. Wanted: the mapped niches agree with those of the joint training, agree with the truth as
well, and take a small part of the time. Two figures beside the agreement say where it is lost: how far the training
without the unit agrees with the joint one in the samples that both have (mapping cannot do better than its model), and
how far the unit, mapped onto the joint model, agrees with itself in the joint training (mapping alone).

``--bad-cases`` maps changed versions of the first one left out and prints what the user is told. Without ``--input``
the cohort is the first level of ``bench ladder``.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from semanticst.bench._ladder import LEVELS, Size, make_cohort
from semanticst.bench._options import niche_starts_option
from semanticst.bench.material.bad_cases import BAD_CASES, BAD_SETTINGS, ONLY_COUNTS
from semanticst.bench.material.bad_models import BAD_MODELS, OF_A_NETWORK
from semanticst.bench.material.fit_told import told_table
from semanticst.bench.material.left_out import Mapped, as_types, map_onto, train
from semanticst.bench.material.mapped_parts import part_table
from semanticst.bench.material.same_sign import STRONG, as_joint, same_sign
from semanticst.bench.measuring.scores import annotated
from semanticst.bench.niches import DOMAIN, cell_table, prepare
from semanticst.cli import EXISTING_FILE, step
from semanticst.constants import UNS, FeatureType, has_network
from semanticst.errors import BadInput, Problem
from semanticst.io.internal import read_sample
from semanticst.model.store import load_whole_model

ENOUGH_UNITS = 4
"""Units left out from which on groups of them are compared."""
AGREEMENT, TRUTH, TIME = 0.85, 0.03, 0.05
"""Wanted: ARI with the joint training, loss of ARI with the truth at most, part of the time of training at most."""


@step()
@click.option(
    "--input", "sheet", type=EXISTING_FILE, help="Samplesheet; files may hold obs['domain']. Else the ladder."
)
@click.option("--kind", type=click.Choice(["counts", "intensities", "types"]), default="counts", show_default=True,
              help="Features of the ladder.")  # fmt: skip
@click.option("--leave-out", type=click.Choice(["patient", "sample"]), default="patient", show_default=True,
              help="What is left out at a time.")  # fmt: skip
@click.option("--most", type=click.IntRange(1), help="Left out at most, the first ones by name [default: each].")
@click.option("--patients", type=click.IntRange(2), help="Only the first so many patients of the cohort.")
@click.option("--niche-k", type=click.IntRange(2), help="Number of niches [default: as many as there are domains].")
@click.option("--clinical", type=EXISTING_FILE, help="CSV of patient and --group: associations are between its groups.")
@click.option("--group", help="Column of --clinical.")
@click.option("--again", is_flag=True, help="Also repeat the joint training with the next seed.")
@click.option("--bad-cases", is_flag=True, help="Also map changed versions of the first one left out.")
@click.option("--parts", is_flag=True, help="Also map half of the domains, and crops of few cells, of those left out.")
@click.option("--unseen", is_flag=True, help="Also leave each domain of the first one left out out of the training.")
@click.option("--told", type=click.IntRange(1),
              help="Only what the fit says of own, new and changed samples, over so many models.")  # fmt: skip
@click.option(
    "--agreement", type=float, default=AGREEMENT, show_default=True, help="Wanted ARI with the joint training."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which the trained models stay; those that it has of an earlier run are not trained again.",
)
@click.option("--train-mode", type=click.Choice(["auto", "none"]), default="auto", show_default=True,
              help="none: without a network.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@niche_starts_option
def bench_mapping(
    sheet,
    kind,
    leave_out,
    most,
    patients,
    niche_k,
    clinical,
    group,
    again,
    bad_cases,
    parts,
    unseen,
    told,
    agreement,
    keep,
    train_mode,
    seed,
    niche_starts,
):
    """Samples that are mapped against the same samples in the joint training, and what does not fit."""
    groups = _groups(clinical, group, leave_out)
    fit = partial(train, seed=seed, starts=niche_starts, network=train_mode == "auto")
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        folder = keep or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        samples = sorted((folder / "samples").glob("*.qc.h5ad")) or _samples(sheet, kind, seed, folder)
        units = _units(samples, leave_out, patients)
        samples = sorted(path for paths in units.values() for path in paths)
        truth = cell_table(samples, need_domains=niche_k is None)[DOMAIN]
        k = niche_k or truth[annotated(truth)].nunique()
        if told:
            click.echo(told_table(units, k, told, seed, folder / "told"))
            return
        chosen = list(units)[:most]
        joint, joint_model = fit(samples, k, folder=folder / "joint")
        click.echo(f"{len(samples)} samples, {len(joint.cells):,d} cells, {k} niches, {len(units)} {leave_out}s\n")
        rows, models, own = [], {}, {}
        for number, unit in enumerate(chosen):
            rest = [path for name, paths in units.items() if name != unit for path in paths]
            trained, found = fit(rest, k, folder=folder / f"without{number}")
            models[unit] = (units[unit], found)
            mapped = map_onto(units[unit], found, folder / f"mapped{number}")
            alone = map_onto(units[unit], joint_model, folder / f"alone{number}")
            rows.append(row_of(unit, mapped, joint, trained, truth, alone))
            if not mapped.cells.empty:
                own[unit] = as_joint(mapped.cells["niche"], trained.cells["niche"], joint.cells["niche"])
        click.echo(leave_out_table(pd.DataFrame(rows), agreement))
        if len(own) >= ENOUGH_UNITS:
            click.echo("\n" + sign_line(own, joint.cells["niche"], groups, group or f"halves of the {leave_out}s"))
        if again:
            other, _ = fit(samples, k, seed=seed + 1, folder=folder / "again")
            click.echo("\n" + again_line(other, joint, seed + 1))
        if left := list(units)[len(chosen) :]:
            click.echo(f"\nNot run (--most {most}): {', '.join(left)}")
        if parts:
            of_models = {unit: model for unit, (_, model) in models.items()}
            place = folder / "parts"
            click.echo("\n" + part_table(units, of_models, joint, truth, partial(fit, k=k), place))
        if bad_cases:
            click.echo("\n" + bad_case_table(units[chosen[0]][0], models[chosen[0]][1], folder / "bad"))
        if unseen:
            click.echo("\n" + unseen_table(units, chosen[0], truth, k, fit, folder / "unseen"))


def _groups(clinical: Path | None, group: str | None, leave_out: str) -> dict[str, str] | None:
    """Group of each patient, None where none is given."""
    if (clinical is None) != (group is None) or (clinical is not None and leave_out != "patient"):
        raise click.UsageError("--clinical and --group go together, and with --leave-out patient")
    if clinical is None:
        return None
    table = pd.read_csv(clinical, dtype=str, keep_default_na=False)
    if absent := {"patient", str(group)} - set(table):
        raise BadInput(Problem(clinical, f"has no column {', '.join(sorted(absent))}"))
    return dict(zip(table["patient"], table[group], strict=True))


def sign_line(own: dict[str, pd.Series], joint: pd.Series, groups: dict[str, str] | None, between: str) -> str:
    """Whether the mapped units, ``own``, are associated ``between`` groups as in the joint training."""
    if groups is not None:
        groups = {unit: groups.get(unit, "") for unit in own}
        sizes = pd.Series(groups).value_counts().sort_index()
        between += f" ({', '.join(f'{n} {name}' for name, n in sizes.items())})"
    strong, same, r = same_sign(own, joint, groups)
    said = f"{same} of {strong} with |t| >= {STRONG:g} have the same sign mapped, correlation of all {r:.3f}"
    return f"Differences between {between}, joint training: {said}"


def again_line(other: Mapped, joint: Mapped, seed: int) -> str:
    """How far the ``other`` joint training, of another ``seed``, agrees with the first."""
    niche = joint.cells["niche"]
    within = agreement_within(other.cells, niche)
    pooled = adjusted_rand_score(niche.loc[other.cells.index], other.cells["niche"])
    between = f"{within.min():.3f} to {within.max():.3f}"
    return f"Joint training with seed {seed}: agreement {pooled:.3f}, within samples {within.mean():.3f} ({between})"


def _samples(sheet: Path | None, kind: str, seed: int, folder: Path) -> list[Path]:
    """``{sample}.qc.h5ad`` of a sheet, or of the first level of the ladder with features of a ``kind``."""
    if sheet is not None:
        return prepare(sheet, folder / "samples")
    samples, _ = make_cohort(LEVELS[0], Size(intensities=kind == "intensities"), seed, folder)
    if kind == "types":
        for path in samples:
            as_types(path)
    return samples


def _units(samples: list[Path], leave_out: str, patients: int | None) -> dict[str, list[Path]]:
    """Paths of the samples of each patient or sample, by name."""
    found: dict[str, list[Path]] = {}
    keys = {path: read_sample(path).uns[UNS] for path in samples}
    kept = sorted({str(own["patient"]) for own in keys.values()})[:patients]
    for path, own in keys.items():
        if str(own["patient"]) in kept:
            found.setdefault(str(own[leave_out]), []).append(path)
    if len(found) < 2:
        raise BadInput(Problem("the cohort", f"has one {leave_out}: nothing can be left out"))
    return dict(sorted(found.items()))


def row_of(
    unit: str, mapped: Mapped, joint: Mapped, trained: Mapped, truth: pd.Series, alone: Mapped | None = None
) -> dict:
    """Scores of the samples of ``unit``: ``agreement`` with the joint training, ``truth`` of both, seconds, fit.

    ``ceiling``: agreement of both trainings within each sample that both have, mean (``lowest``, ``highest``). Mapping
    cannot be expected to do better. ``alone``: of the unit mapped onto the joint model, which is lost by mapping.
    """
    row = {"left out": unit, "told": mapped.told, "map s": mapped.seconds, "train s": trained.seconds}
    if mapped.cells.empty:
        return row
    own = mapped.cells["niche"]
    row["agreement"] = adjusted_rand_score(joint.cells.loc[own.index, "niche"], own)
    within = agreement_within(trained.cells, joint.cells["niche"])
    row |= {"ceiling": within.mean(), "lowest": within.min(), "highest": within.max()}
    if alone is not None and not alone.cells.empty:
        row["alone"] = adjusted_rand_score(joint.cells.loc[own.index, "niche"], alone.cells.loc[own.index, "niche"])
    known = annotated(truth[own.index])
    if known.any():
        domain = truth[own.index][known]
        row["truth"] = adjusted_rand_score(domain, own[known])
        row["truth joint"] = adjusted_rand_score(domain, joint.cells.loc[domain.index, "niche"])
    return row | {"outside": mapped.samples["outside"].mean(), "fits": mapped.samples["fits"].mean()}


def agreement_within(cells: pd.DataFrame, joint: pd.Series) -> pd.Series:
    """ARI of the niches of ``cells`` with ``joint``, within each sample: between samples they agree all too easily."""
    return pd.Series(
        {s: adjusted_rand_score(joint.loc[own.index], own["niche"]) for s, own in cells.groupby("sample")}, dtype=float
    )


def leave_out_table(rows: pd.DataFrame, agreement: float) -> str:
    """Markdown: one row per unit left out, their mean, and which of the wanted hold."""
    heads = [
        "left out",
        "mapped: agreement with joint, ARI",
        "ceiling: its model's samples, ARI",
        "mapping alone, ARI",
        "truth mapped / joint, ARI",
        "CPU s map / train",
        "outside",
        "told",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---|--:|--:|--:|--:|--:|--:|---|"]
    numbers = ["agreement", "ceiling", "lowest", "highest", "alone", "truth", "truth joint", "map s", "train s",
               "outside", "fits"]  # fmt: skip
    rows = rows.reindex(columns=["left out", "told", *numbers])
    for row in [*rows.to_dict("records"), {"left out": "mean", "told": "", **rows[numbers].mean().to_dict()}]:
        both = f"{_number(row['truth'])} / {_number(row['truth joint'])}"
        seconds = f"{row['map s']:.1f} / {row['train s']:.0f}"
        told = str(row["told"])[:160] or "-"
        between = f" ({_number(row['lowest'])} to {_number(row['highest'])})"
        agreed = [_number(row["agreement"]), _number(row["ceiling"]) + between, _number(row["alone"])]
        cells = [row["left out"], *agreed, both, seconds, _number(row["outside"]), told]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    mean = rows[numbers].mean()
    lost = mean["truth joint"] - mean["truth"]
    able = rows[rows["ceiling"] >= agreement]
    held = {
        f"agreement at least {agreement:g}": mean["agreement"] >= agreement,
        f"the same of the {len(able)} of {len(rows)} whose ceiling is as high": able["agreement"].mean() >= agreement
        if len(able)
        else None,
        f"truth within {TRUTH:g}": None if np.isnan(lost) else lost <= TRUTH,
        f"at most {TIME:g} of the time": mean["map s"] <= TIME * mean["train s"],
        "95 % of the samples fit": mean["fits"] >= 0.95,
    }
    said = ", ".join(f"{name}: {'not known' if ok is None else 'yes' if ok else 'NO'}" for name, ok in held.items())
    return "\n".join(lines) + f"\n\n{said}"


def bad_case_table(sample: Path, model: Path, folder: Path) -> str:
    """Markdown: what the user is told of each changed version of a sample, of settings that are not the model's, and
    of each bad file in place of the model."""
    heads = ("changed sample", "cells as in the clean one", "stability", "outside", "exit code", "told")
    rows: list[tuple[str | int, ...]] = [heads, ("---", "--:", "--:", "--:", "--:", "---")]
    clean: pd.Series | None = None
    for number, (name, change) in enumerate(BAD_CASES.items()):
        adata = read_sample(sample)
        if name in ONLY_COUNTS and adata.uns[UNS]["feature_type"] != FeatureType.COUNTS:
            continue
        path = folder / str(number) / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        change(adata).write_h5ad(path)
        mapped = map_onto([path], model, folder / f"out{number}")
        clean = mapped.cells["niche"] if clean is None else clean
        rows.append((name, *_told(mapped, clean)))
    for name, graph in BAD_SETTINGS.items():
        rows.append((name, *_told(map_onto([sample], model, folder / name, graph), clean)))
    known = has_network(load_whole_model(model))
    for number, (name, write) in enumerate(BAD_MODELS.items()):
        if name in OF_A_NETWORK and not known:
            continue
        bad = folder / f"bad{number}.pt"
        write(model, bad)
        rows.append((f"model: {name}", *_told(map_onto([sample], bad, folder / f"model{number}"), clean)))
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows)


def _told(mapped: Mapped, clean: pd.Series | None) -> tuple[str, str, str, int, str]:
    """What became of a sample beside the ``clean`` one, and what was told."""
    numbers = ("", "", "")
    if not mapped.cells.empty and clean is not None:
        niche = mapped.cells["niche"]
        same, stability = (clean.reindex(niche.index) == niche).mean(), mapped.cells["stability"].mean()
        numbers = (f"{same:.3f}", f"{stability:.3f}", _number(mapped.samples["outside"].mean()))
    return (*numbers, int(mapped.code), mapped.told or "-")


def unseen_table(units: dict[str, list[Path]], unit: str, truth: pd.Series, k: int, fit: Callable, folder: Path) -> str:
    """Markdown: domains of ``unit`` that the model never saw, and how well the fit finds their cells.

    ``fit`` is `train`, with its settings.
    """
    lines = [
        "| domain not in the training | cells | AUROC of the fit | outside: these / others | told |",
        "|---|--:|--:|--:|---|",
    ]
    own = truth[
        [f"{path.name.removesuffix('.qc.h5ad')}:{cell}" for path in units[unit] for cell in read_sample(path).obs_names]
    ]
    domains = sorted(own[annotated(own)].unique())
    for number, domain in enumerate(domains):
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        rest = []
        for path in (path for name, paths in units.items() if name != unit for path in paths):
            adata = read_sample(path)
            kept = (
                truth[[f"{path.name.removesuffix('.qc.h5ad')}:{cell}" for cell in adata.obs_names]].to_numpy() != domain
            )
            if kept.sum() > k:
                adata[kept].copy().write_h5ad(place / path.name)
                rest.append(place / path.name)
        _, model = fit(rest, max(2, k - 1), folder=place / "trained")
        mapped = map_onto(units[unit], model, place / "mapped")
        of_cells, held = mapped.cells["fit"], own[mapped.cells.index] == domain
        outside = [f"{(of_cells[rows] < 0.05).mean():.2f}" for rows in (held, ~held)]
        found = f"{roc_auc_score(held, -of_cells):.3f} | {' / '.join(outside)}"
        lines.append(f"| {domain} | {held.sum()} | {found} | {mapped.told[:120] or '-'} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


if __name__ == "__main__":
    bench_mapping()
