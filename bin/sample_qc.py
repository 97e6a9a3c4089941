#!/usr/bin/env python3
"""Keep the good cells of samples, and say which samples cannot be used."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, step, threads_option


def chosen_checks(_context, _option, value: str | None) -> tuple[str, ...]:
    """``dead,edge`` -> ("dead", "edge")."""
    names = tuple(value.split(",")) if value else ()
    unknown = [name for name in names if name not in ("local", "dead", "edge")]
    if unknown:
        raise click.BadParameter(f"no such check: {', '.join(unknown)} (local, dead and edge can be removed)")
    return names


def region_names(_context, _option, value: str | None) -> tuple[str, ...]:
    """``fold, Necrosis`` -> ("fold", "Necrosis")."""
    return tuple(dict.fromkeys(name.strip() for name in (value or "").split(",") if name.strip()))


def kinds_of_samples(_context, _option, value: str | None) -> list[list[str]]:
    """``binary:onehot,binary`` -> [["binary"], ["onehot", "binary"]]."""
    lists = [kinds.split(",") for kinds in (value or "").split(":") if kinds]
    unknown = {kind for kinds in lists for kind in kinds} - {"counts", "binary", "onehot", "continuous"}
    if unknown:
        raise click.BadParameter(f"no such kind: {', '.join(sorted(unknown))}")
    return lists


@step()
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option(
    "--qc-min-counts", type=click.FloatRange(0), help="Minimum total counts of a cell [default: from the data]."
)
@click.option("--qc-min-features", type=click.IntRange(0), help="Minimum features of a cell [default: from the data].")
@click.option(
    "--qc-max-mito",
    type=click.FloatRange(0, 1),
    help="Maximum mitochondrial fraction of a cell [default: from the data].",
)
@click.option(
    "--qc-max-control",
    type=click.FloatRange(0, 1),
    help="Maximum fraction of control counts (negative probes, blanks) of a cell [default: by platform].",
)
@click.option("--qc-min-area", type=click.FloatRange(0), help="Minimum area of a cell, um^2 [default: from the data].")
@click.option("--qc-max-area", type=click.FloatRange(0), help="Maximum area of a cell, um^2 [default: from the data].")
@click.option(
    "--qc-remove",
    callback=chosen_checks,
    help="Spatial checks whose cells are removed, joined by commas: local, dead, edge [default: none, only flagged].",
)
@click.option(
    "--qc-exclude-regions",
    callback=region_names,
    help="Annotated regions (column annotation of the samplesheet) whose cells are removed, joined by commas, such as "
    "fold,necrosis [default: none].",
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
@click.option(
    "--sample-kinds",
    callback=kinds_of_samples,
    help="What the values of the cohort's samples may be: kinds joined by commas, samples that differ in them by "
    "colons, as in binary:onehot,binary [default: each sample is judged alone].",
)
@click.option(
    "--cell-type-markers",
    type=EXISTING_FILE,
    help="CSV of cell_type and gene: cell types are predicted by these markers in samples that bring none.",
)
@click.option(
    "--model",
    type=EXISTING_FILE,
    help="A model.pt that the samples will be mapped onto: their values are taken for what it was trained on, where "
    "they may be that.",
)
@click.option("--prefix", default="samples", show_default=True, help="Name of the record: {prefix}.qc.json.")
@threads_option
@outdir_option
def sample_qc(files, qc_fail, sample_kinds, cell_type_markers, model, prefix, threads, outdir, **settings):
    """Keep the good cells of samples (FILES: *.ingest.h5ad), and say which samples cannot be used.

    Writes {sample}.qc.h5ad for each sample that does not fail, {prefix}.qc.json with what was removed and why, and for
    all samples {sample}.qc_cells.csv.gz (every cell, its metrics and why it was removed) and {sample}.qc_map.png.
    Settings of a sample in the samplesheet go before the options.
    """
    from semanticst.io.values import cohort_type
    from semanticst.qc.cell_types import read_markers
    from semanticst.qc.model_kind import kind_of_cohort, kind_of_model
    from semanticst.qc.samples import check_samples
    from semanticst.qc.thresholds import QcSettings

    markers = read_markers(cell_type_markers) if cell_type_markers else None
    kind = cohort_type(sample_kinds) if sample_kinds else None
    if model:
        kind = kind_of_cohort(sample_kinds, kind_of_model(model)) or kind
    settings = QcSettings(**{name.removeprefix("qc_"): value for name, value in settings.items()})
    check_samples(files, settings, qc_fail == "stop", prefix, outdir, kind, markers, threads)


if __name__ == "__main__":
    sample_qc()
