#!/usr/bin/env python3
"""Gather the contrasts of a run: q over all of them, flow of patients, patients at baseline."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("records", nargs=-1, required=True, type=EXISTING_FILE)
@click.option("--samplesheet", type=EXISTING_FILE, required=True, help="samplesheet.valid.csv: samples that are used.")
@click.option(
    "--used", type=EXISTING_FILE, required=True, help="samplesheet.used.csv: all samples, with what is left out."
)
@click.option("--clinical", type=EXISTING_FILE, required=True, help="clinical.valid.csv.")
@click.option("--counts", type=EXISTING_FILE, required=True, help="niche_counts.csv.")
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@outdir_option
def niche_collect(records, samplesheet, used, clinical, counts, niche_names, outdir):
    """Gather RECORDS ({contrast}.association.json); writes tests.csv, flow.csv, baseline.csv and their sections."""
    from semanticst.association.output.all_contrasts import collect_contrasts
    from semanticst.plotting.niche_names import names_from

    with names_from(niche_names):
        collect_contrasts(records, samplesheet, used, clinical, counts, outdir)


if __name__ == "__main__":
    niche_collect()
