#!/usr/bin/env python3
"""Write files that other programs open: Xenium Explorer, Loupe Browser, QuPath, SpatialData, TissUUmaps."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step


@step()
@click.argument("cohort", type=EXISTING_FILE)
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE)
@click.option("--export-xenium-explorer/--no-export-xenium-explorer", default=True, show_default=True,
              help="Cell groups of Xenium samples (CSV).")  # fmt: skip
@click.option("--export-loupe/--no-export-loupe", default=True, show_default=True,
              help="Categories of Visium samples for Loupe Browser (CSV).")  # fmt: skip
@click.option("--export-qupath/--no-export-qupath", default=True, show_default=True,
              help="Outlines of niches for QuPath (GeoJSON).")  # fmt: skip
@click.option("--export-spatialdata/--no-export-spatialdata", default=False, show_default=True,
              help="A SpatialData store per section, with its values.")  # fmt: skip
@click.option("--export-tissuumaps/--no-export-tissuumaps", default=False, show_default=True,
              help="A TissUUmaps project per section.")  # fmt: skip
@click.option("--niche-names", type=EXISTING_FILE, help="CSV with niche and name: how niches are called.")
@outdir_option
def export_write(cohort, samples, niche_names, outdir, **switches):
    """Write the niches of COHORT (cohort.h5ad) for other programs. SAMPLES: {sample}.qc.h5ad of all its samples."""
    from semanticst.export.write_exports import write_exports
    from semanticst.plotting.niche_names import names_from

    formats = {name.removeprefix("export_") for name, on in switches.items() if on}
    if not formats:
        raise click.UsageError("all formats are switched off: nothing would be written")
    with names_from(niche_names):
        write_exports(cohort, samples, formats, outdir)


if __name__ == "__main__":
    export_write()
