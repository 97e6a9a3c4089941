#!/usr/bin/env python3
"""Build the semantic graphs (spatial, expression, domain) of each sample."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step, threads_option


@step()
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE, metavar="SAMPLE.components.h5ad...")
@click.option("--graph-k-spatial", type=click.IntRange(1, 100), default=10, show_default=True,
              help="Neighbours in the tissue; on a lattice (Visium, ST) its own ring is taken instead.")  # fmt: skip
@click.option("--graph-k-expression", type=click.IntRange(1, 100), default=10, show_default=True,
              help="Neighbours by expression, within the sample.")  # fmt: skip
@click.option("--graph-k-domain", type=click.IntRange(1, 100), default=10, show_default=True,
              help="Neighbours by neighbourhood profile, within the sample.")  # fmt: skip
@click.option("--graph-hops", type=click.IntRange(1, 10), default=4, show_default=True,
              help="Hops over which the neighbourhood profile is averaged.")  # fmt: skip
@click.option("--prefix", default="graphs", show_default=True, help="Name of the summary: PREFIX.graphs.json.")
@seed_option
@threads_option
@outdir_option
def graph_build(
    samples, graph_k_spatial, graph_k_expression, graph_k_domain, graph_hops, prefix, seed, threads, outdir
):
    """Join the cells of each SAMPLE.components.h5ad in three contexts; writes SAMPLE.graphs.h5ad."""
    from semanticst.graph import build_graphs

    build_graphs(
        samples,
        outdir,
        k_spatial=graph_k_spatial,
        k_expression=graph_k_expression,
        k_domain=graph_k_domain,
        hops=graph_hops,
        seed=seed,
        prefix=prefix,
        threads=threads,
    )


if __name__ == "__main__":
    graph_build()
