#!/usr/bin/env python3
"""Write the summary of a run: the first page of the report, and summary.json."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@step()
@click.option("--qc", type=EXISTING_FILE, required=True, help="qc.csv: samples, and which of them were used.")
@click.option(
    "--described",
    type=FOLDER,
    help="Folder with niche_overview.csv, niche_counts.csv, niche_k.csv, niche_cautions.json and niches.csv.gz.",
)
@click.option("--associations", type=FOLDER, help="Folder with the {contrast}.association.json.")
@click.option(
    "--niche-maps",
    type=click.IntRange(0),
    default=12,
    show_default=True,
    help="Most sample maps in the report (0 = none). Full-size maps of all samples are always written.",
)
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@click.option("--explorer", is_flag=True, help="The run has an explorer: findings lead to their sections in it.")
@click.option("--mapped", is_flag=True, help="The samples were mapped onto a model: its niches are theirs.")
@click.option("--uncorrected", is_flag=True, help="Batches were not corrected for (--features_harmony false).")
@outdir_option
def report_summary(qc, described, associations, niche_maps, niche_names, explorer, mapped, uncorrected, outdir):
    """Write what a run found: summary.json, and sections of the report: its first page, and maps by group."""
    from semanticst.plotting.niche_names import names_from
    from semanticst.report.write_summary import write_summary

    with names_from(niche_names):
        write_summary(qc, outdir, described, associations, explorer, niche_maps, mapped, not uncorrected)


if __name__ == "__main__":
    report_summary()
