#!/usr/bin/env python3
"""Make the report of a run with MultiQC."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("sections", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--config",
    "configs",
    type=EXISTING_FILE,
    multiple=True,
    help="Configuration of MultiQC; may be repeated, what stands in a later one wins.",
)
@click.option("--multiqc-title", help="Title of the report [default: as configured].")
@click.option("--logo", type=EXISTING_FILE, help="Picture at the top of the report [default: as configured].")
@outdir_option
def report_multiqc(sections, configs, multiqc_title, logo, outdir):
    """Make multiqc_report.html and multiqc_report_data of the *_mqc.* files below the folder SECTIONS."""
    from semanticst.report.render import render_report

    render_report(sections, list(configs), outdir, multiqc_title, logo)


if __name__ == "__main__":
    report_multiqc()
