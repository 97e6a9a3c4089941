#!/usr/bin/env python3
"""Find the niches of a cohort: one clustering over all samples."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step, threads_option
from semanticst.constants import NICHE_STARTS


@step()
@click.argument("embedding", type=EXISTING_FILE, metavar="cohort.embedding.h5ad")
@click.option("--niche-k", default="auto", show_default=True,
              help="Number of niches, several joined by commas, or auto (of 2 to 15).")  # fmt: skip
@click.option("--niche-starts", type=click.IntRange(1), default=NICHE_STARTS, show_default=True,
              help="Starts of the search for each base clustering.")  # fmt: skip
@click.option(
    "--niche-refinement/--no-niche-refinement",
    default=True,
    show_default=True,
    help="Spatial refinement of the consensus by a hidden Markov random field of cell states and neighbours.",
)
@click.option("--niche-bootstraps", type=click.IntRange(0), default=20, show_default=True,
              help="Bootstraps of the patients for the niches' Jaccard index; 0: none.")  # fmt: skip
@click.option("--model", type=EXISTING_FILE, help="A trained model.pt: assign its niches instead of finding new ones.")
@click.option("--niche-additional", type=click.IntRange(0), default=0, show_default=True,
              help="With --model: niches into which cells that fit none of the model's are clustered.")  # fmt: skip
@seed_option
@threads_option
@outdir_option
def niche_cluster(
    embedding,
    niche_k,
    niche_starts,
    niche_refinement,
    niche_bootstraps,
    model,
    niche_additional,
    seed,
    threads,
    outdir,
):
    """Cluster all cells of cohort.embedding.h5ad; writes niches.csv.gz, niche_*.csv and niche_mixture.npz."""
    from semanticst.niche import cluster_niches
    from semanticst.niche.choose_k import parse_numbers

    try:
        parse_numbers(niche_k)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--niche_k") from error
    stored = None
    if model:
        from semanticst.model.store import load_whole_model

        stored = load_whole_model(model)
    cluster_niches(
        embedding,
        outdir,
        niche_k=niche_k,
        starts=niche_starts,
        refinement=niche_refinement,
        bootstraps=niche_bootstraps,
        model=stored,
        additional=niche_additional,
        seed=seed,
        threads=threads,
    )


if __name__ == "__main__":
    niche_cluster()
