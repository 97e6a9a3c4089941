#!/usr/bin/env python3
"""Write the methods text of a run."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step

TEMPLATE = Path(__file__).resolve().parent.parent / "assets" / "methods_description_template.yml"


@step()
@click.option("--versions", type=EXISTING_FILE, required=True, help="YAML, process: {package: version}.")
@click.option("--params", type=EXISTING_FILE, required=True, help="JSON, every parameter of the run with its value.")
@click.option(
    "--template",
    type=EXISTING_FILE,
    default=TEMPLATE,
    show_default="assets/methods_description_template.yml",
    help="YAML with the sentences of each step, and references.",
)
@outdir_option
def report_methods(versions, params, template, outdir):
    """Write the methods text of a run (methods_mqc.json): what was really run, with settings and citations."""
    from semanticst.report.methods import write_methods

    write_methods(versions, params, template, outdir)


if __name__ == "__main__":
    report_methods()
