"""The number of niches that is chosen: none where there are none, found where there are, and the same for each seed.

``./semanticst bench number`` simulates the levels of the ladder and tissue without niches (cell types at random places,
cells that are all alike), and says for each of the seeds which number ``--niche_k auto`` takes and whether the tissue
supports it and singles it out. With ``--input`` the same is done with samples that are given. The network has no part
in the number, so none is trained.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import anndata as ad
import click
import numpy as np
import pandas as pd

from semanticst.bench._ladder import LEVELS, WITHOUT_STRUCTURE, Level, Size, make_cohort, name_of
from semanticst.bench._options import in_a_folder, seeds_option
from semanticst.bench.niches import prepare
from semanticst.cli import EXISTING_FILE, step
from semanticst.constants import is_singled_out
from semanticst.errors import BadInput
from semanticst.features.build import build_components
from semanticst.graph.build import build_graphs
from semanticst.model.run import run_embedding
from semanticst.niche.choose_k import AUTO_RANGE, about_as_stable, number_curve
from semanticst.niche.cluster import SHRINKAGE, chosen_of
from semanticst.niche.deciding_cells import mark_deciding_cells
from semanticst.niche.representations import fit_representations, middle_representation
from semanticst.niche.tissue_halves import trial_cells

log = logging.getLogger(__name__)

LEVEL_OPTIONS = {"with": LEVELS, "without": WITHOUT_STRUCTURE}


@step()
@click.option("--input", "sheet", type=EXISTING_FILE, help="Samplesheet, in place of simulated cohorts.")
@click.option("--structure", type=click.Choice([*LEVEL_OPTIONS, "both"]), default="both", show_default=True,
              help="Simulated levels with niches, without, or both.")  # fmt: skip
@click.option("--only", default="", help="Only simulated levels in whose name this is, such as thin.")
@click.option("--cells", type=click.IntRange(80), default=700, show_default=True, help="Cells of a patient.")
@click.option("--patients", type=click.IntRange(2), default=8, show_default=True, help="Patients, a batch each.")
@click.option("--niches", type=click.IntRange(2), default=8, show_default=True, help="Niches that are planted.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), callback=in_a_folder,
              help="CSV of all rows, as they come.")  # fmt: skip
@seeds_option(5)
def bench_number(sheet, structure, only, cells, patients, niches, save, seeds):
    """Number of niches that is chosen, and whether it is supported, level by level."""
    rows: list[dict] = []
    size = Size(patients=patients, cells=cells, niches=niches)
    found = of_samples(sheet, seeds) if sheet else of_levels(structure, size, seeds, only)
    for row in found:
        rows.append(row)
        log.info("%s", ", ".join(f"{name} {value}" for name, value in row.items() if pd.notna(value)))
        if save:
            pd.DataFrame(rows).to_csv(save, index=False)
    click.echo(table(pd.DataFrame(rows)))


def of_levels(structure: str, size: Size, seeds: int, only: str = "") -> Iterator[dict]:
    """A row for each level in whose name ``only`` is, and seed; the tissue differs with the seed."""
    levels: Sequence[Level] = [*LEVELS, *WITHOUT_STRUCTURE] if structure == "both" else LEVEL_OPTIONS[structure]
    chosen = [level for level in levels if only in name_of(level)]
    if not chosen:
        names = "; ".join(map(name_of, levels))
        raise click.UsageError(f"no level has '{only}' in its name; they are {names}")
    for level in chosen:
        for seed in range(seeds):
            with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
                planted = 0 if level in WITHOUT_STRUCTURE else size.niches
                samples, _ = make_cohort(level, size, seed, Path(place))
                yield {"level": name_of(level), "planted": planted, **chosen_number(samples, Path(place), seed)}


def of_samples(sheet: Path, seeds: int) -> Iterator[dict]:
    """A row for each seed, on the same samples."""
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        samples = prepare(sheet, Path(place) / "samples")
        for seed in range(seeds):
            folder = Path(place) / str(seed)
            folder.mkdir()
            yield {"level": sheet.parent.name, "planted": np.nan, **chosen_number(samples, folder, seed)}


def chosen_number(samples: Sequence[Path], folder: Path, seed: int) -> dict:
    """``seed``, ``chosen``, ``stability`` and ``zero`` at it, ``supported``, ``singled_out``.

    Where the cells are too few to choose, ``chosen`` is 0, with no ``stability`` and ``zero``.
    """
    build_components(samples, folder, seed=seed)
    build_graphs(sorted(folder.glob("*.components.h5ad")), folder, seed=seed)
    run_embedding(sorted(folder.glob("*.graphs.h5ad")), None, folder, device="cpu")
    cohort = ad.read_h5ad(folder / "cohort.embedding.h5ad")
    mark_deciding_cells(cohort, seed)
    trial = trial_cells(cohort, middle_representation(fit_representations(cohort)), seed)
    curve = number_curve(trial, AUTO_RANGE, shrinkage=SHRINKAGE, seed=seed)
    try:
        k = chosen_of(curve, cohort)
    except BadInput as few:
        log.warning("%s", few)
        return {
            "seed": seed,
            "chosen": 0,
            "stability": np.nan,
            "zero": np.nan,
            "supported": False,
            "singled_out": False,
        }
    row = curve.set_index("k").loc[k]
    return {
        "seed": seed,
        "chosen": k,
        "stability": float(row["stability"]),
        "zero": float(row["zero"]),
        "supported": bool(row["supported"]),
        "singled_out": bool(row["supported"] and is_singled_out(curve["k"][about_as_stable(curve, k)])),
    }


def table(rows: pd.DataFrame) -> str:
    """Markdown: a line per level, with the numbers of all seeds; one that the tissue does not support in brackets,
    ``too few cells`` where none could be chosen."""
    lines = [
        "| level | planted | chosen, by seed | supported | singled out | stability | zero line |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for level, found in rows.groupby("level", sort=False):
        numbers = ", ".join(map(_number, found["chosen"], found["supported"]))
        planted = "" if found["planted"].isna().any() else f"{found['planted'].iloc[0]:g}"
        sure = [f"{found[name].sum()} of {len(found)}" for name in ("supported", "singled_out")]
        cells = [str(level), planted, numbers, *sure, span(found["stability"]), span(found["zero"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(chosen: int, supported: bool) -> str:
    if not chosen:
        return "too few cells"
    return str(chosen) if supported else f"({chosen})"


def span(values: pd.Series) -> str:
    """``0.41 to 0.56``; empty where there are none."""
    if values.isna().all():
        return ""
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    bench_number()
