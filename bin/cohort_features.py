#!/usr/bin/env python3
"""One feature set, one space of principal components and one batch correction for all samples."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step


@step()
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE, metavar="SAMPLE.qc.h5ad...")
@click.option("--features-n-components", type=click.IntRange(2, 500), default=50, show_default=True, help="Components.")
@click.option("--features-n-top", type=click.IntRange(10), default=2000, show_default=True,
              help="Features kept, those that vary most within samples; a smaller panel is used whole.")  # fmt: skip
@click.option("--features-min-samples", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
              help="Fraction of the samples that must have a feature for it to be used; 1 = all of them. "
                   "A sample that lacks a feature counts as average in it.")  # fmt: skip
@click.option(
    "--harmony/--no-harmony",
    default=True,
    show_default=True,
    help="Correct for batch: shift of whole batches, then Harmony.",
)
@click.option("--model", type=EXISTING_FILE, help="A trained model.pt: project onto it instead of fitting.")
@click.option("--model-accept", default="", help="Differences from the model's samples that are no reason to refuse, "
                   "joined by commas: platform, values.")  # fmt: skip
@click.option("--train-denoised", is_flag=True,
              help="With --model: denoised expression is wanted, which takes a model with a network.")  # fmt: skip
@seed_option
@outdir_option
def cohort_features(
    samples,
    features_n_components,
    features_n_top,
    features_min_samples,
    harmony,
    model,
    model_accept,
    train_denoised,
    seed,
    outdir,
):
    """Project the QC'd samples SAMPLE.qc.h5ad into one space; writes cohort.basis.npz and SAMPLE.components.h5ad."""
    from semanticst.features.build import build_components
    from semanticst.features.mapped import ACCEPTED

    accept = [word.strip() for word in model_accept.split(",") if word.strip()]
    if unknown := sorted(set(accept) - set(ACCEPTED)):
        message = f"{unknown[0]} is none of {', '.join(ACCEPTED)}"
        raise click.BadParameter(message, param_hint="--model_accept")
    stored = None
    if model:
        from semanticst.model.store import load_whole_model, refuse_to_denoise

        stored = load_whole_model(model)
        if train_denoised:
            refuse_to_denoise(model, stored)
    build_components(
        samples,
        outdir,
        n_components=features_n_components,
        n_top=features_n_top,
        min_samples=features_min_samples,
        harmony=harmony,
        model=stored,
        accept=accept,
        seed=seed,
    )


if __name__ == "__main__":
    cohort_features()
