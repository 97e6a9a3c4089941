#!/usr/bin/env python3
"""Put names of niches, and what the tables know, to the object and to the niches of all cells."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step

ASSETS = Path(__file__).resolve().parent.parent / "assets"
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@step()
@click.argument("cohort", type=EXISTING_FILE)
@click.option("--niches", type=EXISTING_FILE, required=True, help="niches.csv.gz.")
@click.option("--stability", type=EXISTING_FILE, required=True, help="niche_stability.csv.")
@click.option("--samplesheet", type=EXISTING_FILE, required=True, help="samplesheet.valid.csv.")
@click.option("--clinical", type=EXISTING_FILE, help="clinical.valid.csv.")
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@click.option("--niche-earlier", type=EXISTING_FILE, help="niches.csv.gz of an earlier run: what became of its niches?")
@click.option("--earlier-names", type=EXISTING_FILE, help="niche_names.csv of the earlier run.")
@click.option(
    "--share-clinical/--no-share-clinical",
    default=True,
    show_default=True,
    help="May columns of the clinical table, and those added to the samplesheet, be in the object?",
)
@click.option("--schema-dir", type=FOLDER, default=ASSETS, show_default="assets", help="Folder of the JSON schemas.")
@outdir_option
def cohort_annotate(
    cohort, niches, stability, samplesheet, clinical, niche_names, niche_earlier, earlier_names, share_clinical,
    schema_dir, outdir,
):  # fmt: skip
    """Write COHORT (cohort.h5ad) with the columns of the tables, and niche tables with the names of niches.

    Makes cohort.h5ad, niches.csv.gz, niche_stability.csv, niche_names.csv, and with --niche-earlier niche_changes.csv,
    in a folder other than that of COHORT.
    """
    from semanticst.describe.publish_niches import publish_niches

    publish_niches(
        cohort, niches, stability, samplesheet, clinical, outdir,
        names=niche_names, earlier=niche_earlier, names_before=earlier_names, share_clinical=share_clinical,
        schema_dir=schema_dir,
    )  # fmt: skip


if __name__ == "__main__":
    cohort_annotate()
