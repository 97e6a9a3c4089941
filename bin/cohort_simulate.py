#!/usr/bin/env python3
"""Make a cohort with a known answer."""

import click

from semanticst.cli import outdir_option, seed_option, step


def parse_sections(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, int]:
    """``"1-3"`` or ``"2"`` as fewest and most."""
    try:
        low, _, high = text.partition("-")
        return int(low), int(high or low)
    except ValueError:
        raise click.BadParameter("a number or a range like 1-3 is expected") from None


@step()
@click.option("--patients", default=12, show_default=True, help="Patients, half of them responders.")
@click.option("--sections", default="1-3", show_default=True, callback=parse_sections, help="Sections of a patient.")
@click.option("--cells", default=1000, show_default=True, help="Cells of a section, on average.")
@click.option("--genes", default=150, show_default=True, help="Genes.")
@click.option("--niches", default=6, show_default=True, help="Niches.")
@click.option("--batches", default=3, show_default=True, help="Batches (slides), balanced over the groups.")
@click.option("--own-batches", is_flag=True, default=False, help="A batch per patient, whatever --batches says.")
@click.option("--effect", default=1.5, show_default=True, help="Log area ratio of the outcome niche between groups.")
@click.option("--hazard", default=-1.5, show_default=True, help="Log hazard ratio per SD of the outcome niche's CLR.")
@click.option("--no-effect", is_flag=True, help="No niche is associated with any outcome: --effect 0 --hazard 0.")
@click.option("--missing-niches", default=0.0, show_default=True, help="Fraction of niches absent from a patient.")
@click.option(
    "--imbalance", default=1.0, show_default=True, help="Per patient, one niche this many times more frequent."
)
@click.option("--batch-effect", default=1.0, show_default=True, help="Factor on the three batch effects below.")
@click.option("--batch-depth", default=0.3, show_default=True, help="SD over batches of the log depth.")
@click.option("--batch-shift", default=0.25, show_default=True, help="SD over batches of each gene's log expression.")
@click.option("--batch-dropout", default=0.1, show_default=True, help="Largest fraction of counts that a batch loses.")
@click.option("--intensities", is_flag=True, default=False, help="Bright, noisy stainings instead of counts.")
@seed_option
@outdir_option
def cohort_simulate(outdir, no_effect, batch_effect, **settings):
    """Make a cohort with a known answer.

    Writes samplesheet.csv, clinical.csv, contrasts.csv and samples/*.h5ad as a user would bring them, and the truth:
    planted.json and domains.csv.gz. Useful for a demonstration, for tests, and to ask how large a cohort has to be.
    """
    from semanticst.simulate.cohort import simulate_cohort
    from semanticst.simulate.settings import Settings

    if no_effect:
        settings |= {"effect": 0.0, "hazard": 0.0}
    for effect in ("batch_depth", "batch_shift", "batch_dropout"):
        settings[effect] *= batch_effect
    try:
        settings = Settings(**settings)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    simulate_cohort(settings, outdir)


if __name__ == "__main__":
    cohort_simulate()
