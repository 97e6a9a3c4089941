#!/usr/bin/env python3
"""How many patients, how many sections each, for which effect?"""

from pathlib import Path

import click

from semanticst.cli import outdir_option, seed_option, step


def parse_list(kind: type):
    """Callback for numbers joined by commas: at least one, all above 0."""

    def parse(context: click.Context, parameter: click.Parameter, text: str) -> tuple:
        try:
            values = tuple(kind(part) for part in text.split(","))
        except ValueError:
            values = ()
        if not values or min(values) <= 0:
            raise click.BadParameter(f"{text!r}: numbers above 0, joined by commas, are expected")
        return values

    return parse


@step()
@click.option("--run", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of a finished run (--outdir): standard deviations are taken from its niches.")  # fmt: skip
@click.option("--contrast", help="With --run: name of a contrast of that run, whose differences are taken out first.")
@click.option("--niche", help="With --run: number of the niche. Default: a typical one (medians over the niches).")
@click.option("--sd-between", type=click.FloatRange(0, min_open=True), help="SD of the log-ratio between patients.")
@click.option("--sd-within", type=click.FloatRange(0), help="SD of the log-ratio between sections of a patient.")
@click.option("--sd-response", type=click.FloatRange(0),
              help="Paired: SD between patients of the change itself. Default: --contrast of --run, or 0.")  # fmt: skip
@click.option("--design", type=click.Choice(["groups", "paired", "survival"]), default="groups", show_default=True,
              help="Two groups, two sides within patients, or survival.")  # fmt: skip
@click.option("--patients", default="5,8,12,16,24,32,48", show_default=True, callback=parse_list(int),
              help="Numbers of patients: per group (groups), in all (paired, survival).")  # fmt: skip
@click.option("--sections", default="1,2,4", show_default=True, callback=parse_list(int),
              help="Sections per patient (paired: per side).")  # fmt: skip
@click.option("--effects", default="0.7,1.1,1.6", show_default=True, callback=parse_list(float),
              help="Differences of the log-ratio (0.7: twice as frequent, 1.1: three times, 1.6: five times); "
              "survival: log hazard ratios per SD.")  # fmt: skip
@click.option(
    "--niches", type=click.IntRange(1), help="Niches tested, for the correction. Default: those of --run, or 1."
)
@click.option("--events", type=click.FloatRange(0, 1, min_open=True), default=0.3, show_default=True,
              help="Survival: proportion of patients with an event.")  # fmt: skip
@click.option("--target", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.8, show_default=True,
              help="Power that is wanted.")  # fmt: skip
@click.option("--studies", type=click.IntRange(100), default=2000, show_default=True, help="Simulated studies per row.")
@seed_option
@outdir_option
def study_power(run, contrast, niche, sd_between, sd_within, sd_response, outdir, **options):
    """Plan a study: power by simulation through the tests of the association.

    Takes how much niches vary from a finished run (--run), or from --sd-between and --sd-within. Writes power.csv,
    power.png and power.pdf, power.txt (the sentence for an application), and with --run variance.csv.
    """
    from semanticst.association.planning.plan import given_variance, plan_study, variance_of_run

    if run is None and sd_between is None:
        raise click.UsageError("give --run, or --sd-between (and --sd-within)")
    if run is None and (contrast or niche):
        raise click.UsageError("--contrast and --niche need --run")
    if run is None:
        variance = given_variance(sd_between, sd_within, sd_response)
    else:
        variance = variance_of_run(run, outdir, contrast, niche, sd_between, sd_within, sd_response)
    click.echo(plan_study(variance, outdir, **options))


if __name__ == "__main__":
    study_power()
