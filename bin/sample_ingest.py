#!/usr/bin/env python3
"""Read samples and write them in one internal form."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.option(
    "--manifest",
    type=EXISTING_FILE,
    required=True,
    help="JSON list of samples: sample, patient, batch, platform, path and further columns of the samplesheet.",
)
@outdir_option
def sample_ingest(manifest, outdir):
    """Read samples and write them in one internal form, one {sample}.ingest.h5ad each.

    Values stay as they came. Inputs that cannot be used are reported together, and then nothing is written.
    """
    from semanticst.io.ingest import ingest_samples

    ingest_samples(manifest, outdir)


if __name__ == "__main__":
    sample_ingest()
