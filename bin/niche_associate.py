#!/usr/bin/env python3
"""Test every niche of a cohort against one clinical contrast, the patient being the unit."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step
from semanticst.constants import PERMUTATIONS


@step()
@click.option("--contrast", required=True, help="Name of the row of the contrasts table to test.")
@click.option(
    "--contrasts", type=EXISTING_FILE, required=True, help="Contrasts table, as checked (contrasts.valid.csv)."
)
@click.option("--clinical", type=EXISTING_FILE, required=True, help="Clinical table, one row per patient, as checked.")
@click.option("--samplesheet", type=EXISTING_FILE, required=True, help="Samplesheet, one row per section, as checked.")
@click.option("--counts", type=EXISTING_FILE, required=True, help="Cells per section and niche (niche_counts.csv).")
@click.option("--contacts", type=EXISTING_FILE, help="Edges between niches per section (niche_contacts.csv).")
@click.option(
    "--clinical-features",
    default="proportion",
    show_default=True,
    help="What is tested, joined by commas: proportion (share of each niche), entropy, contacts (needs --contacts).",
)
@click.option(
    "--clinical-min-cells",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Sections with fewer cells are left out.",
)
@click.option(
    "--clinical-permutations",
    type=click.IntRange(99),
    default=PERMUTATIONS,
    show_default=True,
    help="Arrangements of patients: all of them when there are no more, else as many drawn at random.",
)
@seed_option
@outdir_option
def niche_associate(
    contrast,
    contrasts,
    clinical,
    samplesheet,
    counts,
    contacts,
    clinical_features,
    clinical_min_cells,
    clinical_permutations,
    seed,
    outdir,
):
    """Test every niche against one contrast; writes CONTRAST.csv, its figures and the report's tables."""
    from semanticst.clinical import associate, parse_features, write_association

    kinds = parse_features(clinical_features, contacts is not None)
    result = associate(
        contrast,
        contrasts,
        clinical,
        samplesheet,
        counts,
        contacts,
        kinds=kinds,
        min_cells=clinical_min_cells,
        permutations=clinical_permutations,
        seed=seed,
    )
    write_association(result, outdir)


if __name__ == "__main__":
    niche_associate()
