#!/usr/bin/env python3
"""Put the integrated object and the trained model together."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE, metavar="SAMPLE.qc.h5ad...")
@click.option("--embedding", required=True, type=EXISTING_FILE, help="cohort.embedding.h5ad.")
@click.option("--niches", required=True, type=EXISTING_FILE, help="niches.csv.gz.")
@click.option("--basis", required=True, type=EXISTING_FILE, help="cohort.basis.npz.")
@click.option("--network", type=EXISTING_FILE,
              help="network.pt, or the model.pt that was mapped onto; none where no network was trained.")  # fmt: skip
@click.option("--mixture", required=True, type=EXISTING_FILE, help="niche_mixture.npz.")
@outdir_option
def cohort_assemble(samples, embedding, niches, basis, network, mixture, outdir):
    """Join values, embedding and niches of all cells: cohort.h5ad; and all that mapping needs: model.pt."""
    from semanticst.cohort.assemble import assemble_cohort, has_harmony, number_supported

    out = outdir / "cohort.h5ad"
    assemble_cohort(samples, embedding, niches, out, number_supported(mixture), has_harmony(basis))

    from semanticst.model.store import assemble_model  # torch, only now that the cells are out of memory

    assemble_model(basis, network, mixture, outdir / "model.pt")


if __name__ == "__main__":
    cohort_assemble()
