"""Describe the niches of a cohort: tables, maps, and their part of the report."""

import logging
from pathlib import Path

from semanticst.report import maps
from semanticst.report.cohort import read_cohort
from semanticst.report.composition import niche_cell_types, niche_counts, niche_scores
from semanticst.report.contacts import niche_contacts
from semanticst.report.markers import niche_markers
from semanticst.report.niche_sections import write_niche_sections
from semanticst.writing import write_table

log = logging.getLogger(__name__)


def describe_niches(path: Path, outdir: Path, n_maps: int = 12, threads: int = 1) -> None:
    """Write everything that describes the niches of ``cohort.h5ad`` into ``outdir``.

    Tables ``niche_counts``, ``niche_markers``, ``niche_contacts``, and where the input allows ``niche_scores`` and
    ``niche_cell_types`` (CSV); a map of each section under ``maps/``; one sheet with at most ``n_maps`` of them
    (``maps/niche_maps.png``); custom content for MultiQC. Raises BadInput when the object lacks niches or positions.
    """
    outdir = Path(outdir)
    cohort = read_cohort(path)
    log.info("%d cells, %d samples, %d niches", len(cohort.cells), len(cohort.samples), len(cohort.niches))
    tables = {
        "niche_counts": niche_counts(cohort),
        "niche_markers": niche_markers(cohort),
        "niche_contacts": niche_contacts(cohort),
        "niche_scores": niche_scores(cohort),
        "niche_cell_types": niche_cell_types(cohort),
    }
    for name, table in tables.items():
        if table is not None:
            write_table(outdir / f"{name}.csv", table)

    sections = maps.section_maps(cohort)
    maps.write_maps(sections, outdir / "maps", threads)
    chosen = maps.choose_sections(sections, n_maps)
    sheet = outdir / "maps" / "niche_maps.png"
    if chosen:
        maps.write_thumbnails(chosen, cohort.niches, sheet)
    write_niche_sections(outdir, cohort, tables, sheet if chosen else None, len(chosen))
