#!/usr/bin/env python3
"""Gather the quality control of all samples."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    "--maps",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with {sample}.qc_map.png of the samples.",
)
@click.option(
    "--qc-maps",
    type=click.IntRange(0),
    default=12,
    show_default=True,
    help="Most maps in the report (0 = none), of the samples that need a look first.",
)
@click.option("--excluded", type=EXISTING_FILE, help="JSON: samples that the samplesheet leaves out, with the reason.")
@click.option("--sexes", type=EXISTING_FILE, help="JSON: patient -> female or male, as the tables of the cohort say.")
@outdir_option
def report_qc(files, maps, qc_maps, excluded, sexes, outdir):
    """Gather the quality control of all samples (FILES: *.qc.json): two tables and sections of the report."""
    from semanticst.report.qc import report_qc as gather

    gather(list(files), outdir, sorted(maps.glob("*.qc_map.png")) if maps else [], qc_maps, excluded, sexes)


if __name__ == "__main__":
    report_qc()
