#!/usr/bin/env python3
"""Show how well the samples of a cohort are integrated."""

import click

from semanticst.cli import EXISTING_FILE, outdir_option, seed_option, step


@step()
@click.argument("cohort", type=EXISTING_FILE)
@seed_option
@outdir_option
def cohort_mixing(cohort, seed, outdir):
    """Map the cells of COHORT (cohort.h5ad) before and after batch correction, and measure how batches mix."""
    from semanticst.cohort.mixing import draw_cells, map_of_cells, mixing
    from semanticst.cohort.mixing_sections import map_section, mixing_section
    from semanticst.cohort.read_cohort import n_cells_of
    from semanticst.writing import write_table

    drawn = draw_cells(cohort, seed)
    table, mixed = map_of_cells(drawn, seed), mixing(drawn, seed)
    write_table(outdir / "integration_map.csv.gz", table)
    write_table(outdir / "integration_mixing.csv", mixed)
    map_section(outdir, table, n_cells_of(cohort), drawn.corrected)
    mixing_section(outdir, mixed, drawn.corrected)


if __name__ == "__main__":
    cohort_mixing()
