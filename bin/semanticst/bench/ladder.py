"""Joint niches of patients that differ: cohorts with a known truth, from easy to hard.

``./semanticst bench ladder`` simulates patients that lack niches or have ten times more of one, each on a slide of its
own, one patient with 10 and 100 times more cells, all of one niche, niches that are thin or differ by the arrangement
of cells only, or one that is rare; and measures every tissue twice: without batch effects and with them. What a method
loses between the two is what batch effects cost it; what it reaches without them is what the tissue allows.
"""

import logging
import tempfile
from dataclasses import asdict, astuple, fields
from pathlib import Path

import click
import numpy as np
import pandas as pd

from semanticst.bench._ladder import LATER, LEVELS, Level, Size, beside_batch_free, climb, name_of
from semanticst.bench._methods import METHODS, Limits
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
from semanticst.bench.measuring.checkpoint import known_scores
from semanticst.cli import step

log = logging.getLogger(__name__)

ALLOWED = 0.03
"""Wanted: no level costs more joint ARI than this against the same tissue without batch effects."""
LEVEL = [field.name for field in fields(Level)]
COLUMNS = {
    "ari": "joint ARI", "ari_within": "ARI within samples", "ilisi": "iLISI", "clisi": "domain LISI",
    "recall": "recall of the rare niche", "precision": "precision",
}  # fmt: skip


@step()
@method_option("default")
@seeds_option(3)
@click.option("--missing", type=float, multiple=True, help="Only levels with this share of missing niches.")
@click.option("--imbalance", type=float, multiple=True, help="Only levels with this imbalance.")
@click.option("--shift", type=float, multiple=True, help="Only levels with this SD of the genes' log shifts.")
@click.option("--large", type=float, multiple=True, help="Only levels whose last patient has so many times more cells.")
@click.option("--tissue", type=click.Choice(sorted({level.tissue for level in LEVELS})), multiple=True,
              help="Only levels whose niches are like this.")  # fmt: skip
@click.option(
    "--rare", type=float, multiple=True, help="Only levels with a niche of this share in every third patient."
)
@click.option("--cells", type=click.IntRange(80), default=700, show_default=True, help="Cells of a patient.")
@click.option("--intensities", is_flag=True, help="Stainings instead of counts; with --scores of their own.")
@values_option
@click.option("--patients", type=click.IntRange(2), default=8, show_default=True, help="Patients, a batch each.")
@niche_starts_option
@max_minutes_option
@max_gb_option
@click.option(
    "--scores",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="CSV of all runs, as they come; what is in it is not run again, unless it was not installed.",
)
def bench_ladder(
    methods,
    seeds,
    missing,
    imbalance,
    shift,
    large,
    tissue,
    rare,
    cells,
    intensities,
    form,
    patients,
    niche_starts,
    max_minutes,
    max_gb,
    scores,
):
    """Joint niches over patients that differ, beside the same tissue without batch effects."""
    chosen = {name: METHODS[name] for name in expanded(methods)}
    levels = tuple(
        level
        for level in LEVELS
        if level.missing in (missing or (level.missing,))
        and level.imbalance in (imbalance or (level.imbalance,))
        and level.shift in (shift or (level.shift,))
        and level.large in (large or (level.large,))
        and level.tissue in (tissue or (level.tissue,))
        and level.rare in (rare or (level.rare,))
    )
    if not levels:
        raise click.UsageError(f"no level has these values; levels are {'; '.join(map(name_of, LEVELS))}")
    rows = known_scores(scores, ("run", "failed"))
    done = {(row["method"], Level(*(row.get(name, LATER.get(name)) for name in LEVEL)), row["seed"]) for row in rows}
    size = Size(patients=patients, cells=cells, intensities=intensities, values=form)
    limits = Limits(60 * max_minutes, 1000 * max_gb)
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        for found in climb(chosen, levels, size, seeds, done, Path(place), starts=niche_starts, limits=limits):
            rows += found
            for row in found:
                there = [(key, value) for key, value in row.items() if value != "" and value == value]
                log.info("%s", "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in there))
            if scores:
                pd.DataFrame(rows).to_csv(scores, index=False)
    wanted = {astuple(level) for level in levels}
    both = beside_batch_free(pd.DataFrame(rows))
    both = both[both["run"].isin(list(chosen)) & (both["seed"] < seeds)]
    both = both[[key in wanted for key in zip(*(both[name] for name in LEVEL))]]
    click.echo(f"{asdict(size)}\n\n{summary(both)}\n\n{table(both)}")


def summary(both: pd.DataFrame) -> str:
    """Markdown: per method the mean over levels and seeds, how many levels hold, and the worst level and run.

    Means are over runs that have scores, the second column says over how many; a level without any does not hold.
    """
    lines = [
        f"| | runs | joint ARI | without batch effects | levels that lose at most {ALLOWED} | worst level | worst run "
        "| CPU s |",
        "|---" + "|--:" * 7 + "|",
    ]
    for name, rows in both.groupby("method", sort=False):
        whole = both[both["method"] == rows["run"].iloc[0]]  # has a row where it failed, its parts do not
        change = rows.groupby(LEVEL)["ari_change"].mean()
        of = len(whole.groupby(LEVEL))
        if change.notna().any():
            at = "{:.0%}, {:g}, {:g}, {:g}, {}, {:.0%}".format(*change.idxmin())
            worst = [f"{change.min():+.3f} ({at})", f"{rows['ari_change'].min():+.3f}"]
        else:
            worst = ["", ""]
        cells = [
            f"{rows['ari'].notna().sum()} of {len(whole)}", mean(rows["ari"]), mean(rows["ari_free"]),
            f"{(change >= -ALLOWED).sum()} of {of}", *worst, mean(rows["seconds"], 0),
        ]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(both: pd.DataFrame) -> str:
    """Markdown: one row per level and method; score with batch effects, without them, and the difference.

    What failed says why: in its row where no seed has both scores, below the table where some have.
    """
    heads = [*LEVEL, "method", *COLUMNS.values(), "worst run"]
    lines = ["| " + " | ".join(heads) + " |", "|--:|--:|--:|--:|---|--:|---" + "|---" * len(COLUMNS) + "|--:|"]
    notes = []
    for (missing, imbalance, shift, large, tissue, rare), level in both.groupby(LEVEL):
        for name, rows in level.groupby("method", sort=False):
            cells = [f"{missing:.0%}", f"{imbalance:g}", f"{shift:g}", f"{large:g}", tissue, f"{rare:.0%}", name]
            scored = rows[rows["ari_change"].notna()]
            failed = [f"seed {row.seed} {why_not(row)}" for row in rows[rows["ari_change"].isna()].itertuples()]
            if len(scored):
                cells += [three(scored, column) for column in COLUMNS] + [f"{scored['ari_change'].min():+.3f}"]
                notes += [f"- {', '.join(cells[: len(LEVEL) + 1])}: {reason}" for reason in failed]
            else:
                cells += [failed[0].replace("|", "/"), *[""] * len(COLUMNS)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + ([""] + notes if notes else []))


def why_not(row) -> str:
    """Why a row of ``beside_batch_free`` lacks one of the scores to compare."""
    if row.failed:
        return f"failed: {row.failed}"
    if isinstance(row.failed_free, str):
        return f"failed without batch effects: {row.failed_free}"
    return f"failed without batch effects with {row.run}"  # a part has no reason of its own


def three(rows: pd.DataFrame, column: str) -> str:
    """``with batch effects / without (difference)``, means over seeds; empty where the method has no such score."""
    values = [np.mean(rows[column + suffix]) for suffix in ("", "_free", "_change")]
    return "" if np.isnan(values).any() else "{:.3f} / {:.3f} ({:+.3f})".format(*values)


def mean(values: pd.Series, digits: int = 3) -> str:
    """Mean of what is not missing; empty where all is."""
    return "" if values.isna().all() else f"{values.mean():.{digits}f}"


if __name__ == "__main__":
    bench_ladder()
