#!/usr/bin/env python3
"""Train one network on the semantic graphs of all samples."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step, threads_option


@step()
@click.argument("samples", nargs=-1, required=True, type=EXISTING_FILE, metavar="SAMPLE.graphs.h5ad...")
@click.option("--train-mode", type=click.Choice(["auto", "semantic", "reference", "none"]),
              default="auto", show_default=True,
              help="Network: semantic (as auto), with contexts that mean something, or reference, with the settings of "
                   "the authors' released package, for comparison; of the other options it takes those of pieces and "
                   "batches only. With none there is nothing to train.")  # fmt: skip
@click.option("--train-networks", type=click.IntRange(1), default=1, show_default=True,
              help="Networks, trained from different weights and used side by side; each has its votes.")  # fmt: skip
@click.option("--train-steps", type=click.IntRange(1), default=100, show_default=True,
              help="Optimisation steps; more where a pass over the cohort takes more.")  # fmt: skip
@click.option("--train-latent", type=click.IntRange(2), default=32, show_default=True, help="Width of the embedding.")
@click.option("--train-communities", type=click.IntRange(2), default=16, show_default=True,
              help="Soft communities of the min-cut.")  # fmt: skip
@click.option("--train-tile-cells", type=click.IntRange(50), default=2000, show_default=True,
              help="Cells of one tile (a connected piece of tissue).")  # fmt: skip
@click.option("--train-batch-cells", type=click.IntRange(50), default=4000, show_default=True,
              help="Cells in one step; tiles of several samples. Fewer need less memory.")  # fmt: skip
@click.option("--train-learning-rate", type=click.FloatRange(0, min_open=True), default=0.003, show_default=True,
              help="Largest learning rate.")  # fmt: skip
@click.option("--train-reconstruction", type=click.FloatRange(0), default=0.25, show_default=True,
              help="Weight of decoding the cell's own expression (its neighbourhood's has weight 1).")  # fmt: skip
@click.option("--train-mincut", type=click.FloatRange(0), default=0.5, show_default=True,
              help="Weight of the min-cut and its balance; 0 switches it off.")  # fmt: skip
@click.option("--train-disentangle", type=click.FloatRange(0), default=0.1, show_default=True,
              help="Weight of keeping the contexts' embeddings apart; 0 switches it off.")  # fmt: skip
@click.option("--train-attention", type=click.FloatRange(0), default=0.2, show_default=True,
              help="Weight of using every context somewhere in the cohort; 0 switches it off.")  # fmt: skip
@click.option("--train-matches", type=click.FloatRange(0), default=0.5, show_default=True,
              help="Weight of the edges across samples: cells whose neighbourhoods are each other's nearest should lie "
                   "together; 0 switches it off.")  # fmt: skip
@click.option("--train-contexts", default="spatial,expression,domain", show_default=True,
              help="Contexts to use, joined by commas.")  # fmt: skip
@click.option("--train-fusion", type=click.Choice(["attention", "mean"]), default="attention", show_default=True,
              help="How the contexts' embeddings are joined: by learned attention, or their plain mean.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where to train; auto takes a CUDA device where there is one.")  # fmt: skip
@seed_option
@threads_option
@outdir_option
def model_train(samples, train_contexts, device, seed, threads, outdir, **settings):
    """Train on SAMPLE.graphs.h5ad of all samples; writes network.pt, training.csv, training.json, training_mqc.json."""
    from semanticst.model.run import run_training

    run_training(
        samples,
        outdir,
        contexts=train_contexts,
        device=device,
        seed=seed,
        **{name.removeprefix("train_"): value for name, value in settings.items()},
    )


if __name__ == "__main__":
    model_train()
