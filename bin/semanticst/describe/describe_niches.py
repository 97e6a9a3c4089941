"""Description of the niches of a cohort: tables, maps, and their part of the report."""

import logging
from pathlib import Path

from semanticst.cohort.read_cohort import Cohort, read_cohort
from semanticst.constants import Obs
from semanticst.describe.agreement import section_agreement
from semanticst.describe.composition import (
    niche_cell_types,
    niche_counts,
    niche_regions,
    niche_scores,
    sample_cell_types,
)
from semanticst.describe.fragmentation import niche_patches
from semanticst.describe.gene_sets import niche_gene_sets, read_gene_sets
from semanticst.describe.markers import niche_markers
from semanticst.describe.neighbourhood import niche_contacts
from semanticst.describe.niche_sections import write_niche_sections
from semanticst.describe.niche_tree import niche_tree
from semanticst.describe.overview import overview_table
from semanticst.describe.rare_markers import rare_tissue_markers
from semanticst.plotting import niche_maps
from semanticst.plotting.niche_maps import SectionMap
from semanticst.plotting.niche_names import names_from, with_names
from semanticst.plotting.tissue_place import read_places
from semanticst.wording import figure_caution, plural
from semanticst.writing import write_table

log = logging.getLogger(__name__)


def describe_niches(
    path: Path,
    outdir: Path,
    threads: int = 1,
    gene_sets: Path | None = None,
    names: Path | None = None,
    thumbnails: Path | None = None,
    mapped: bool = False,
) -> None:
    """Write everything that describes the niches of ``cohort.h5ad`` into ``outdir``.

    Tables ``niche_overview``, ``niche_counts``, ``niche_markers``, ``niche_contacts``, ``niche_patches``, and where the
    input allows ``niche_tree``, ``niche_agreement``, ``niche_scores``, ``niche_cell_types``,
    ``niche_sample_cell_types``, ``niche_regions``, ``niche_gene_sets`` and ``rare_tissue_markers`` (CSV); a map of each
    section under ``maps/``; custom content for MultiQC. ``names``: table of names of niches, see
    `semanticst.plotting.niche_names`.
    ``thumbnails``: folder with ``{sample}.jpg`` and ``{sample}.json``, which lie under the maps of these samples.
    ``mapped``: the samples were mapped onto a model, so how sure its niches are is known of its own samples.

    Raises BadInput when the object lacks niches or positions, or the gene sets or names cannot be used.
    """
    outdir = Path(outdir)
    sets = read_gene_sets(gene_sets) if gene_sets else None
    cohort = read_cohort(path)
    log.info("%d cells, %s, %d niches", len(cohort.cells), plural(len(cohort.samples), "sample"), len(cohort.niches))
    with names_from(names, len(cohort.niches)):
        _describe(cohort, outdir, threads, sets, gene_sets, thumbnails, mapped)


def _describe(
    cohort: Cohort,
    outdir: Path,
    threads: int,
    sets: dict[str, list[str]] | None,
    gene_sets: Path | None,
    thumbnails: Path | None,
    mapped: bool,
) -> None:
    markers, types = niche_markers(cohort), niche_cell_types(cohort)
    tables = {
        "niche_overview": overview_table(cohort, markers, types),
        "niche_counts": niche_counts(cohort),
        "niche_markers": markers,
        "niche_contacts": niche_contacts(cohort),
        "niche_scores": niche_scores(cohort),
        "niche_cell_types": types,
        "niche_regions": niche_regions(cohort),
        "niche_sample_cell_types": sample_cell_types(cohort),
        "niche_patches": niche_patches(cohort),
        "niche_agreement": section_agreement(niche_counts(cohort)),
        "niche_gene_sets": niche_gene_sets(cohort, sets, gene_sets) if sets and gene_sets else None,
        "niche_tree": niche_tree(cohort),
        "rare_tissue_markers": rare_tissue_markers(cohort),
    }
    for name, table in tables.items():
        if table is not None:
            write_table(outdir / f"{name}.csv", with_names(table))

    sections = section_maps(cohort, thumbnails)
    niche_maps.write_maps(sections, outdir / "maps", threads, figure_caution(cohort.number_supported))
    write_niche_sections(outdir, cohort, tables, mapped)


def section_maps(cohort: Cohort, thumbnails: Path | None = None) -> list[SectionMap]:
    """Return the sections of a cohort, sorted by sample, each with its picture of the tissue where there is one."""
    tissue = read_places(thumbnails.glob("*.json")) if thumbnails else {}
    patient = dict(zip(cohort.samples[Obs.SAMPLE], cohort.samples[Obs.PATIENT]))
    niche = cohort.cells[Obs.NICHE].to_numpy()
    return [
        SectionMap(
            sample, patient[sample], cohort.xy[rows], niche[rows], cohort.spatial_unit, tissue=tissue.get(sample)
        )
        for sample, rows in cohort.sample_rows()
    ]
