#!/usr/bin/env python3
"""Compare what was planted in a simulated cohort with what was found."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.option(
    "--planted",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of cohort_simulate.py, with planted.json and domains.csv.gz.",
)
@click.option("--niches", type=EXISTING_FILE, required=True, help="niches.csv.gz of the run.")
@click.option("--associations", type=EXISTING_FILE, multiple=True, help="{contrast}.csv of the run; may be repeated.")
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@click.argument("more", nargs=-1, type=EXISTING_FILE)
@outdir_option
def report_planted(planted, niches, associations, niche_names, more, outdir):
    """Say what was planted in a simulated cohort and what was found. MORE are further tables for --associations."""
    from semanticst.plotting.niche_names import names_from
    from semanticst.report.ground_truth import report_planted as compare

    with names_from(niche_names):
        compare(planted, niches, [*associations, *more], outdir)


if __name__ == "__main__":
    report_planted()
