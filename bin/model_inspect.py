#!/usr/bin/env python3
"""Model card: what a trained model was made from, how, and how well its niches are supported."""

import json

import click

from semanticst.cli import EXISTING_FILE, step


@step()
@click.argument("model", type=EXISTING_FILE, metavar="model.pt")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def model_inspect(model, as_json):
    """Say what model.pt is: version, samples, platforms, features, neighbours, niches with their Jaccard index, fit."""
    from semanticst.model.store import load_whole_model
    from semanticst.niche.mapped_section import curve_of_model, model_card, niche_quality
    from semanticst.niche.niche_model import NicheModel
    from semanticst.units import percent

    stored = load_whole_model(model)
    niches = NicheModel.from_arrays(stored["mixture"])
    card, quality = model_card(stored) | {"Niches (digest)": niches.digest()}, niche_quality(niches)
    limits = {}
    if niches.fit is not None:
        most, names = (
            niches.fit.limits,
            ("most_outside", "most_shift", "most_change", "least_coexpression", "least_moran", "most_exchanged"),
        )
        limits = dict(zip(names, most, strict=True))
    if as_json:
        rows = quality.reset_index().astype(object).where(quality.reset_index().notna(), None).to_dict("records")
        curve = [{"k": k, "stability": stability} for k, stability in curve_of_model(niches).items()]
        click.echo(json.dumps({"model": card, "niches": rows, "curve": curve, "fit": limits}, indent=2))
        return
    width = max(map(len, card))
    for name, value in card.items():
        click.echo(f"{name:<{width}}  {value}")
    click.echo("\nNiches where the model was trained\n" + quality.round(3).to_string())
    if curve := curve_of_model(niches):
        click.echo("\nStability of the numbers of niches that were tried")
        click.echo(", ".join(f"{k}: {stability:.2f}" for k, stability in curve.items()))
    if limits:
        click.echo(
            f"\nA sample fits with at most {percent(limits['most_outside'])} of its cells outside and a shift of at "
            f"most {limits['most_shift']:.2f};\nvariances of its components change by at most "
            f"{limits['most_change']:.2f}, and correlations of its features agree with\nthe model's by at least "
            f"{limits['least_coexpression']:.2f}; exchanging names of features gains at most "
            f"{limits['most_exchanged']:.3f}.\n"
            f"It is to be looked at with a Moran's I below {limits['least_moran']:.3f}."
        )


if __name__ == "__main__":
    model_inspect()
