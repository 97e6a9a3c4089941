#!/usr/bin/env python3
"""Embed the cells of all samples with a trained network."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step, threads_option


@step()
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE, metavar="SAMPLE.graphs.h5ad...")
@click.option("--network", type=EXISTING_FILE,
              help="network.pt of a training, or a whole model.pt; none: cells are only put together.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where to compute; auto takes a CUDA device where there is one.")  # fmt: skip
@threads_option
@outdir_option
def model_embed(samples, network, device, threads, outdir):
    """Embed SAMPLE.graphs.h5ad; writes cohort.embedding.h5ad: all cells, with embedding and semantic scores."""
    from semanticst.model.run import run_embedding

    run_embedding(samples, network, outdir, device=device)


if __name__ == "__main__":
    model_embed()
