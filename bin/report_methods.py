#!/usr/bin/env python3
"""Write the methods text of a run."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step

TEMPLATE = Path(__file__).resolve().parent.parent / "assets" / "methods_description_template.yml"


@step()
@click.option("--versions", type=EXISTING_FILE, required=True, help="YAML, process: {package: version}.")
@click.option("--params", type=EXISTING_FILE, required=True, help="JSON, every parameter of the run with its value.")
@click.option("--qc", type=EXISTING_FILE, help="qc.csv: which samples were used.")
@click.option("--features", type=EXISTING_FILE, help="cohort.features.json: whether Harmony ran.")
@click.option("--numbers", type=EXISTING_FILE, help="niche_k.csv: how the number of niches was chosen.")
@click.option(
    "--associations",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the {contrast}.association.json: which tests were done.",
)
@click.option(
    "--template",
    type=EXISTING_FILE,
    default=TEMPLATE,
    show_default="assets/methods_description_template.yml",
    help="YAML with the sentences of each step, and references.",
)
@outdir_option
def report_methods(versions, params, qc, features, numbers, associations, template, outdir):
    """Write the methods text of a run (methods_mqc.json): what was really run, with settings and citations."""
    from semanticst.report.methods import write_methods

    records = sorted(associations.glob("*.association.json")) if associations else []
    write_methods(versions, params, template, outdir, records, features, numbers, qc)


if __name__ == "__main__":
    report_methods()
