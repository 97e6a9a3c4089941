#!/usr/bin/env python3
"""Build the explorer: a page that opens by a double click, with the cells of every section."""

from pathlib import Path

import click

from semanticst.cli import EXISTING, EXISTING_FILE, outdir_option, seed_option, step

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@step()
@click.argument("cohort", type=EXISTING_FILE)
@click.option("--page", required=True, type=EXISTING, help="Folder with the page (assets/explorer of the pipeline).")
@click.option("--samplesheet", required=True, type=EXISTING_FILE, help="samplesheet.valid.csv.")
@click.option("--clinical", type=EXISTING_FILE, help="clinical.valid.csv; without it no clinical column is shown.")
@click.option("--described", type=FOLDER, help="Folder with niche_markers.csv and niche_overview.csv.")
@click.option("--associations", type=FOLDER, help="Folder with the {contrast}.association.json.")
@click.option("--thumbnails", type=FOLDER, help="Folder with {sample}.jpg and {sample}.json.")
@click.option(
    "--explorer-genes",
    default="markers",
    show_default=True,
    help="Features to colour by, comma-separated; 'markers': the 12 best of the niches, 'none' or '': none.",
)
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@seed_option
@outdir_option
def explorer_build(cohort, page, samplesheet, clinical, described, associations, thumbnails, explorer_genes,
                   niche_names, seed, outdir):  # fmt: skip
    """Build the explorer of COHORT (cohort.h5ad) in the folder --outdir."""
    from semanticst.export.explorer.build_explorer import Inputs, build_explorer
    from semanticst.plotting.niche_names import names_from

    pictures = sorted(path for path in thumbnails.iterdir() if path.is_file()) if thumbnails else []
    records = sorted(associations.glob("*.association.json")) if associations else []
    markers, overview = (
        found if described and (found := described / f"niche_{name}.csv").is_file() else None
        for name in ("markers", "overview")
    )
    inputs = Inputs(cohort, samplesheet, clinical, markers, overview, records, pictures, explorer_genes)
    with names_from(niche_names):
        build_explorer(inputs, page, outdir, seed)


if __name__ == "__main__":
    explorer_build()
