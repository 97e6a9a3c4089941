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
@click.option("--patches", type=EXISTING_FILE, help="Patches per section and niche (niche_patches.csv).")
@click.option(
    "--cell-types", type=EXISTING_FILE, help="Cells per section, niche and type (niche_sample_cell_types.csv)."
)
@click.option("--gene-sets", type=EXISTING_FILE, help="Means per section, niche and gene set (niche_gene_sets.csv).")
@click.option(
    "--base-clusterings", type=EXISTING_FILE,
    help="Cells per section and niche in each base clustering (niche_member_counts.csv).",
)  # fmt: skip
@click.option(
    "--regions", type=EXISTING_FILE, help="Cells per section, annotated region and niche (niche_regions.csv)."
)
@click.option("--numbers", type=EXISTING_FILE, help="How the number of niches was chosen (niche_k.csv).")
@click.option("--overview", type=EXISTING_FILE, help="Reproducibility of the niches (niche_overview.csv).")
@click.option("--markers", type=EXISTING_FILE, help="Markers of the niches (niche_markers.csv), for the sentences.")
@click.option(
    "--niches", type=EXISTING_FILE, help="Niche of each cell (niches.csv.gz), for maps of representative sections."
)
@click.option(
    "--clinical-features",
    default="proportion",
    show_default=True,
    help="What is tested, joined by commas: proportion (of each niche), entropy, contacts (needs --contacts), "
    "fragmentation (needs --patches), cell_types (of a niche; needs --cell-types), gene_sets (needs --gene-sets).",
)
@click.option(
    "--clinical-min-cells",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Sections with fewer cells are left out, and patients with fewer cells in a niche for what is inside it.",
)
@click.option(
    "--clinical-log-cells",
    type=click.Choice(["auto", "true", "false"]),
    default="auto",
    show_default=True,
    help="Log cells per patient as a covariate; auto: where they are associated with the contrast (correlation at "
    "least 0.3). With false what is inside niches is not adjusted for their size either.",
)
@click.option(
    "--clinical-permutations",
    type=click.IntRange(99),
    default=PERMUTATIONS,
    show_default=True,
    help="Permutations of patients: all of them when there are no more, else as many drawn at random.",
)
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@seed_option
@outdir_option
def niche_associate(
    contrast,
    contrasts,
    clinical,
    samplesheet,
    counts,
    contacts,
    patches,
    cell_types,
    gene_sets,
    base_clusterings,
    numbers,
    overview,
    regions,
    markers,
    niches,
    clinical_features,
    clinical_min_cells,
    clinical_log_cells,
    clinical_permutations,
    niche_names,
    seed,
    outdir,
):
    """Test every niche against one contrast; writes CONTRAST.csv, its figures and the report's tables."""
    from semanticst.association.associate import associate
    from semanticst.association.features.composition import parse_features
    from semanticst.association.output.replication import Replication, has_validation, write_replication
    from semanticst.association.output.write import write_association
    from semanticst.constants import DISCOVERY, VALIDATION
    from semanticst.errors import BadInput
    from semanticst.plotting.niche_names import names_from

    within_niche = {"fragmentation": patches, "cell_types": cell_types, "gene_sets": gene_sets}
    kinds = parse_features(clinical_features, {"contacts": contacts, **within_niche})

    def test(part):
        return associate(
            contrast,
            contrasts,
            clinical,
            samplesheet,
            counts,
            contacts,
            within_niche,
            kinds=kinds,
            base_clusterings=base_clusterings,
            numbers=numbers,
            overview=overview,
            regions=regions,
            part=part,
            min_cells=clinical_min_cells,
            permutations=clinical_permutations,
            log_cells=clinical_log_cells,
            seed=seed,
        )

    two_parts = has_validation(samplesheet)
    result, replication = test(DISCOVERY if two_parts else None), None
    if two_parts:
        validation, reason = None, ""
        try:
            validation = test(VALIDATION)
        except BadInput as error:  # what the discovery has and these samples do not is no mistake of the tables
            reason = "; ".join(problem.message for problem in error.problems)
        replication = Replication.of(result, validation, reason)
    with names_from(niche_names):
        write_association(result, outdir, niches, markers, replication)
        if replication is not None:
            write_replication(result.contrast.name, replication, outdir)


if __name__ == "__main__":
    niche_associate()
