#!/usr/bin/env python3
"""Find the pieces of tissue in one folder or file, and draft a samplesheet with a row for each."""

import click

from semanticst.cli import EXISTING, outdir_option, step


@step()
@click.argument("path", type=EXISTING)
@click.option("--gap", type=click.FloatRange(0, min_open=True),
              help="Smallest distance between two pieces, um (units of the coordinates where their scale is not known) "
              "[default: from the cells].")  # fmt: skip
@click.option("--platform", default="", help="As in the samplesheet.")
@click.option("--bin-size", type=click.FloatRange(0, min_open=True), help="As in the samplesheet, um.")
@click.option("--table", default="", help="As in the samplesheet.")
@click.option("--spatial-unit", type=click.Choice(["um", "mm", "px", "unknown"]), help="As in the samplesheet.")
@click.option("--um-per-px", type=click.FloatRange(0, min_open=True), help="As in the samplesheet.")
@outdir_option
def sample_split(path, gap, outdir, **settings):
    """Find the pieces of tissue in PATH (a folder or file as in the samplesheet): cores of a tissue array, sections.

    Writes samplesheet.draft.csv (one row per piece, cores with row and column; the column patient is to be filled in),
    pieces/{sample}.csv (ids of the cells of each piece) and pieces.png, to check by eye. Exit code 3: it is one piece.
    """
    from semanticst.io.regions.split import split_sample

    settings = {name: "" if value is None else f"{value:g}" if isinstance(value, float) else value
                for name, value in settings.items()}  # fmt: skip
    split_sample(path, settings, gap, outdir)


if __name__ == "__main__":
    sample_split()
