#!/usr/bin/env python3
"""Describe niches: sizes, markers, contacts, cell types, attention, maps."""

from pathlib import Path

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step, threads_option

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@step()
@click.argument("cohort", type=EXISTING_FILE)
@click.option(
    "--clinical-gene-sets",
    type=EXISTING_FILE,
    help="Sets of genes (GMT, or CSV with gene_set and gene) whose mean in each niche of each sample is written.",
)
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@click.option("--thumbnails", type=FOLDER, help="Folder with {sample}.jpg and {sample}.json, drawn under the maps.")
@click.option("--mapped", is_flag=True, help="The samples were mapped onto a model: its niches are theirs.")
@threads_option
@outdir_option
def niche_describe(cohort, clinical_gene_sets, niche_names, thumbnails, mapped, threads, outdir):
    """Describe the niches of COHORT (cohort.h5ad): tables, a map of each section, and their part of the report."""
    from semanticst.describe.describe_niches import describe_niches

    describe_niches(cohort, outdir, threads, clinical_gene_sets, niche_names, thumbnails, mapped)


if __name__ == "__main__":
    niche_describe()
