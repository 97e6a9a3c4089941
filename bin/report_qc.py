#!/usr/bin/env python3
"""Gather the quality control of all samples."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@outdir_option
def report_qc(files, outdir):
    """Gather the quality control of all samples (FILES: *.qc.json): qc.csv, and its part of the report."""
    from semanticst.report.qc import report_qc as gather

    gather(list(files), outdir)


if __name__ == "__main__":
    report_qc()
