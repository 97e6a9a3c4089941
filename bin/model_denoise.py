#!/usr/bin/env python3
"""Denoised expression of the cells of all samples, from the decoder of a trained network."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step, threads_option


@step()
@click.argument("embedding", type=EXISTING_FILE, metavar="COHORT.embedding.h5ad")
@click.option("--network", required=True, type=EXISTING_FILE, help="network.pt of a training, or a whole model.pt.")
@click.option("--basis", required=True, type=EXISTING_FILE, help="cohort.basis.npz.")
@threads_option
@outdir_option
def model_denoise(embedding, network, basis, threads, outdir):
    """Decode the embedding of all cells; writes {sample}.denoised.h5ad, cells x features of the cohort."""
    from semanticst.model.denoise import denoise_cohort

    denoise_cohort(embedding, network, basis, outdir)


if __name__ == "__main__":
    model_denoise()
