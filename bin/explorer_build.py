#!/usr/bin/env python3
"""Build the explorer: a page that opens by a double click, with the cells of every section."""

import click

from semanticst.cli import EXISTING, EXISTING_FILE, outdir_option, seed_option, step


@step()
@click.argument("cohort", type=EXISTING_FILE)
@click.option("--page", required=True, type=EXISTING, help="Folder with the page (assets/explorer of the pipeline).")
@click.option("--samplesheet", required=True, type=EXISTING_FILE, help="samplesheet.valid.csv.")
@click.option("--clinical", type=EXISTING_FILE, help="clinical.valid.csv; without it no clinical column is shown.")
@click.option("--markers", type=EXISTING_FILE, help="niche_markers.csv.")
@click.option("--overview", type=EXISTING_FILE, help="niche_overview.csv.")
@click.option("--association", "associations", multiple=True, type=EXISTING_FILE,
              help="{contrast}.association.json; once for each contrast.")  # fmt: skip
@click.option("--thumbnails", type=EXISTING, help="Folder with {sample}.jpg and {sample}.json.")
@click.option(
    "--explorer-genes",
    default="markers",
    show_default=True,
    help="Features to colour by, comma-separated; 'markers' stands for the 12 best of the niches, 'none' for none.",
)
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@seed_option
@outdir_option
def explorer_build(cohort, page, samplesheet, clinical, markers, overview, associations, thumbnails, explorer_genes,
                   niche_names, seed, outdir):  # fmt: skip
    """Build the explorer of COHORT (cohort.h5ad) in the folder --outdir."""
    from semanticst.export.explorer.build_explorer import Inputs, build_explorer
    from semanticst.plotting.niche_names import names_from

    pictures = sorted(thumbnails.iterdir()) if thumbnails else []
    inputs = Inputs(cohort, samplesheet, clinical, markers, overview, associations, pictures, explorer_genes)
    with names_from(niche_names):
        build_explorer(inputs, page, outdir, seed)


if __name__ == "__main__":
    explorer_build()
