#!/usr/bin/env python3
"""Pool the association tables of several runs on one model."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("tables", nargs=-1, required=True, type=EXISTING_FILE, metavar="CONTRAST.csv...")
@click.option(
    "--study",
    "names",
    multiple=True,
    help="Name of a study, in the order of the tables; else their paths, which the results then show.",
)
@outdir_option
def studies_combine(tables, names, outdir):
    """Pool CONTRAST.csv of several runs; writes combined.csv, combined_studies.csv, combined_forest.png and .pdf."""
    from pathlib import Path

    from semanticst.association.output.pooling import (
        forest_of_studies,
        nothing_in_common,
        pool,
        read_studies,
        tell_pooled,
    )
    from semanticst.errors import BadInput, Problem
    from semanticst.plotting.section_axes import save
    from semanticst.writing import write_table

    if len(tables) < 2:
        raise click.UsageError("give the tables of at least two studies")
    if len({Path(path).resolve() for path in tables}) < len(tables):
        raise click.UsageError("a table is given twice; give each study once")
    if names and len(names) != len(tables):
        raise click.UsageError(f"{len(names)} names of studies for {len(tables)} tables")
    found = [name.strip() for name in names] or [str(path) for path in tables]
    if "" in found:
        raise click.UsageError("a study needs a name; give --study for each table, or for none")
    if len(set(found)) < len(found):
        raise click.UsageError("two studies have one name; name each with --study")
    rows = read_studies(dict(zip(found, map(Path, tables))))
    pooled = pool(rows)
    if pooled.empty:
        raise BadInput(Problem("the tables", nothing_in_common(rows)))
    write_table(outdir / "combined.csv", pooled)
    write_table(outdir / "combined_studies.csv", rows)
    figure = forest_of_studies(rows, pooled)
    for ending in ("png", "pdf"):
        save(figure, outdir / f"combined_forest.{ending}", dpi=150)
    tell_pooled(rows, pooled)


if __name__ == "__main__":
    studies_combine()
