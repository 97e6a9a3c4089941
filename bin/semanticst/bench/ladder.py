"""How well joint niches hold when patients differ: cohorts with a known truth, from easy to hard.

``./semanticst bench ladder`` simulates patients that lack niches or have ten times more of one, each on a slide of its
own, and measures every tissue twice: without batch effects and with them. What a method loses between the two is what
batch effects cost it; what it reaches without them is what the tissue allows.
"""

import logging
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import pandas as pd

from semanticst.bench._ladder import LEVELS, Level, Size, beside_batch_free, climb
from semanticst.bench._ours import OURS
from semanticst.cli import step

log = logging.getLogger(__name__)

METHODS = OURS
ALLOWED = 0.03
"""Wanted: no level costs more joint ARI than this against the same tissue without batch effects."""
COLUMNS = {"ari": "joint ARI", "ari_within": "ARI within samples", "ilisi": "iLISI", "clisi": "domain LISI"}


@step()
@click.option("--method", type=click.Choice(list(METHODS)), multiple=True, help="Methods; ours when none is given.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Seeds 0, 1, ...")
@click.option("--missing", type=float, multiple=True, help="Only levels with this share of missing niches.")
@click.option("--imbalance", type=float, multiple=True, help="Only levels with this imbalance.")
@click.option("--shift", type=float, multiple=True, help="Only levels with this SD of the genes' log shifts.")
@click.option("--cells", type=click.IntRange(80), default=700, show_default=True, help="Cells of a patient.")
@click.option("--patients", type=click.IntRange(2), default=8, show_default=True, help="Patients, a batch each.")
@click.option("--niche-starts", type=click.IntRange(1), default=12, show_default=True, help="Starts of each mixture.")
@click.option(
    "--scores",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of all runs; what is in it already is not run again.",
)
def bench_ladder(method, seeds, missing, imbalance, shift, cells, patients, niche_starts, scores):
    """Joint niches over patients that differ, beside the same tissue without batch effects."""
    names = list(method) or list(OURS)
    levels = tuple(
        level
        for level in LEVELS
        if level.missing in (missing or (level.missing,))
        and level.imbalance in (imbalance or (level.imbalance,))
        and level.shift in (shift or (level.shift,))
    )
    if not levels:
        raise click.UsageError("no level has these values; levels are " + "; ".join(map(str, LEVELS)))
    rows = known_scores(scores)
    done = {(row["method"], Level(row["missing"], row["imbalance"], row["shift"]), row["seed"]) for row in rows}
    size = Size(patients=patients, cells=cells)
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as place:
        chosen = {name: METHODS[name] for name in names}
        for row in climb(chosen, levels, size, seeds, niche_starts, done, Path(place)):
            rows.append(row)
            log.info("%s", "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
            if scores:
                pd.DataFrame(rows).to_csv(scores, index=False)
    wanted = {(level.missing, level.imbalance, level.shift) for level in levels}
    both = beside_batch_free(pd.DataFrame(rows))
    both = both[both["method"].isin(names) & (both["seed"] < seeds)]
    both = both[[key in wanted for key in zip(both["missing"], both["imbalance"], both["shift"])]]
    click.echo(f"{asdict(size)}\n\n{summary(both)}\n\n{table(both)}")


def known_scores(path: Path | None) -> list[dict]:
    """Rows of an earlier run; none where there is no such file."""
    return pd.read_csv(path).to_dict("records") if path and path.exists() else []


def summary(both: pd.DataFrame) -> str:
    """Markdown: per method the mean over levels and seeds, how many levels hold, and the worst level and run."""
    lines = [
        "| | joint ARI | without batch effects | levels that lose at most 0.03 | worst level | worst run | s |",
        "|---" + "|--:" * 6 + "|",
    ]
    for name, rows in both.groupby("method", sort=False):
        change = rows.groupby(["missing", "imbalance", "shift"])["ari_change"].mean()
        lines.append(
            f"| {name} | {rows['ari'].mean():.3f} | {rows['ari_free'].mean():.3f} "
            f"| {(change >= -ALLOWED).sum()} of {len(change)} | {change.min():+.3f} | {rows['ari_change'].min():+.3f} "
            f"| {rows['seconds'].mean():.0f} |"
        )
    return "\n".join(lines)


def table(both: pd.DataFrame) -> str:
    """Markdown: one row per level and method; score with batch effects, without them, and the difference."""
    heads = ["missing", "imbalance", "shift", "method", *COLUMNS.values(), "worst run"]
    lines = ["| " + " | ".join(heads) + " |", "|--:|--:|--:|---" + "|---" * len(COLUMNS) + "|--:|"]
    for (missing, imbalance, shift), level in both.groupby(["missing", "imbalance", "shift"]):
        for name, rows in level.groupby("method", sort=False):
            cells = [f"{missing:.0%}", f"{imbalance:g}", f"{shift:g}", name]
            cells += [three(rows, column) for column in COLUMNS]
            lines.append("| " + " | ".join([*cells, f"{rows['ari_change'].min():+.3f}"]) + " |")
    return "\n".join(lines)


def three(rows: pd.DataFrame, column: str) -> str:
    """``with batch effects / without (difference)``, means over seeds."""
    values = [np.mean(rows[column + suffix]) for suffix in ("", "_free", "_change")]
    return "{:.3f} / {:.3f} ({:+.3f})".format(*values)


if __name__ == "__main__":
    bench_ladder()
