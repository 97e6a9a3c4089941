#!/usr/bin/env python3
"""Model card: what a trained model was made from, how, and how well its niches are supported."""

import json

import click

from semanticst.cli import EXISTING_FILE, step

FITS = {
    "most_outside": "  at most {} of its cells outside",
    "most_shift": "  a shift of at most {}",
    "most_change": "  variances of its components that change by at most {}",
    "least_coexpression": "  correlations of its features that agree with the model's by at least {}",
    "most_exchanged": "  at most {} gained by exchanging names of features",
    "least_moran": "It is to be looked at with a Moran's I below {}.",
}


@step()
@click.argument("model", type=EXISTING_FILE, metavar="model.pt")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def model_inspect(model, as_json):
    """Say what model.pt is: version, samples, platforms, features, neighbours, niches with their Jaccard index, fit."""
    import numpy as np

    from semanticst.model.store import load_whole_model
    from semanticst.niche.fit_of_samples import unchecked
    from semanticst.niche.mapped_section import curve_of_model, model_card, niche_quality, supported_of
    from semanticst.niche.niche_model import NicheModel
    from semanticst.units import percent

    stored = load_whole_model(model)
    niches = NicheModel.from_arrays(stored["mixture"])
    card, quality = model_card(stored) | {"Niches (digest)": niches.digest()}, niche_quality(niches)
    stability_of, zero = curve_of_model(niches), curve_of_model(niches, "zero")
    limits: dict[str, float | None] = {}
    if niches.fit is not None:
        names = ("most_outside", "most_shift", "most_change", "least_coexpression", "least_moran", "most_exchanged")
        known = [None if np.isnan(limit) else limit for limit in niches.fit.limits]
        limits = dict(zip(names, known, strict=True))
    if as_json:
        rows = quality.reset_index().astype(object).where(quality.reset_index().notna(), None).to_dict("records")
        curve = [{"k": k, "stability": stability, "zero": zero.get(k)} for k, stability in stability_of.items()]
        told = {"model": card, "supported": supported_of(niches.quality), "niches": rows, "curve": curve, "fit": limits}
        click.echo(json.dumps(told, indent=2))
        return
    width = max(map(len, card))
    for name, value in card.items():
        click.echo(f"{name:<{width}}  {value}")
    click.echo("\nNiches where the model was trained\n" + quality.round(3).to_string())
    if stability_of:
        line = " (zero line: the same after cells changed places at random)" if zero else ""
        click.echo(f"\nStability of the numbers of niches that were tried{line}")
        beside = {k: f" ({value:.2f})" for k, value in zero.items()}
        click.echo(", ".join(f"{k}: {stability:.2f}{beside.get(k, '')}" for k, stability in stability_of.items()))
    if limits:
        click.echo("\nA sample fits with")
        for name, words in FITS.items():
            if (limit := limits[name]) is not None:
                click.echo(words.format(percent(limit) if name == "most_outside" else f"{limit:.3g}"))
        if left_out := unchecked(niches.fit.limits):
            click.echo(left_out)


if __name__ == "__main__":
    model_inspect()
