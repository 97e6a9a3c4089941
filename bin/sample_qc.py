#!/usr/bin/env python3
"""Keep the good cells of samples, and say which samples cannot be used."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    "--qc-min-counts", type=click.FloatRange(0), help="Fewest total counts of a cell [default: from the data]."
)
@click.option("--qc-min-features", type=click.IntRange(0), help="Fewest features of a cell [default: from the data].")
@click.option(
    "--qc-max-mito", type=click.FloatRange(0, 1), help="Largest mitochondrial share of a cell [default: from the data]."
)
@click.option(
    "--qc-mads",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Scaled median absolute deviations from the median at which thresholds from the data lie.",
)
@click.option(
    "--qc-min-cells",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="A sample with fewer good cells fails.",
)
@click.option(
    "--qc-fail",
    type=click.Choice(["exclude", "stop"]),
    default="exclude",
    show_default=True,
    help="Leave out samples that fail, or stop with exit code 3.",
)
@click.option("--prefix", default="samples", show_default=True, help="Name of the record: {prefix}.qc.json.")
@outdir_option
def sample_qc(files, qc_fail, prefix, outdir, **settings):
    """Keep the good cells of samples (FILES: *.ingest.h5ad), and say which samples cannot be used.

    Writes {sample}.qc.h5ad for each sample that does not fail, and {prefix}.qc.json with what was removed and why.
    Settings of a sample in the samplesheet go before the options.
    """
    from semanticst.qc.samples import check_samples
    from semanticst.qc.thresholds import QcSettings

    settings = QcSettings(**{name.removeprefix("qc_"): value for name, value in settings.items()})
    check_samples(files, settings, qc_fail == "stop", prefix, outdir)


if __name__ == "__main__":
    sample_qc()
