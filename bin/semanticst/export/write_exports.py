"""Files of all sections for other programs, one folder per format."""

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from semanticst.cohort.read_cohort import read_cohort
from semanticst.export.cell_groups import loupe_categories, xenium_groups
from semanticst.export.qupath import qupath_annotations
from semanticst.export.section_cells import Section, cell_columns, cell_ids, records, sections_of
from semanticst.export.tissuumaps import tissuumaps_project, tissuumaps_table
from semanticst.plotting.niche_names import require_niches
from semanticst.writing import together, write_json, write_table

log = logging.getLogger(__name__)

FORMATS = ("xenium_explorer", "loupe", "qupath", "spatialdata", "tissuumaps")
"""Names of the formats, of their switches and of their folders."""


def write_exports(path: Path, samples: Sequence[Path], formats: Collection[str], outdir: Path) -> None:
    """Write what the formats ask for into folders of their names in ``outdir``.

    Parameters
    ----------
    path
        ``cohort.h5ad``.
    samples
        ``{sample}.qc.h5ad`` of all of its samples.
    formats
        Some of `FORMATS`.
    outdir
        An existing folder.

    Raises
    ------
    BadInput
        When a file cannot be read or belongs to another run, or a niche that is named is not there.
    """
    cohort = read_cohort(path)
    require_niches(len(cohort.niches))
    about, ids = records(samples), cell_ids(path)
    # values are the bulk of the object, and only one format holds them
    values = columns = None
    if "spatialdata" in formats:
        values, columns = cohort.values_by_sample(), cell_columns(path)
    with together(outdir, wholes=(".zarr",)) as folder:
        for (_, rows), section in zip(cohort.sample_rows(), sections_of(cohort, ids, about)):
            if "xenium_explorer" in formats:
                _table(folder / "xenium_explorer", section, xenium_groups, ("xenium",))
            if "loupe" in formats:
                _table(folder / "loupe", section, loupe_categories, ("visium", "visium_hd"))
            if "qupath" in formats:
                outlines = qupath_annotations(section, cohort.number_supported)
                write_json(folder / "qupath" / f"{section.sample}.niches.geojson", outlines)
            if "tissuumaps" in formats:
                name = f"{section.sample}.cells.csv"
                write_table(folder / "tissuumaps" / name, tissuumaps_table(section))
                write_json(folder / "tissuumaps" / f"{section.sample}.tmap", tissuumaps_project(section, name))
            if values is not None and columns is not None:
                from semanticst.export.spatialdata_store import write_store  # with zarr and pyarrow

                store = folder / "spatialdata" / f"{section.sample}.zarr"
                store.parent.mkdir(exist_ok=True)
                write_store(store, section, columns.iloc[rows], next(values), cohort.features, len(cohort.niches))
        _tell_of_others(folder, outdir)
    log.info("%d sections for %s", len(cohort.samples), ", ".join(f for f in FORMATS if f in formats) or "nobody")


def _table(
    folder: Path, section: Section, make: Callable[[Section], pd.DataFrame | None], platforms: tuple[str, ...]
) -> None:
    table = make(section)
    if table is not None:
        write_table(folder / f"{section.sample}.niches.csv", table)
    elif section.platform in platforms:
        log.warning(
            "%s: no file for %s, since its cells have other names (%s) than the program gives them",
            section.sample, folder.name, section.cell_ids[0],
        )  # fmt: skip


def _tell_of_others(written: Path, outdir: Path) -> None:
    """Files of an earlier run may be somebody's work by now, so they are told and stay."""
    for folder in sorted(written.iterdir()):
        before = outdir / folder.name
        new = {path.name for path in folder.iterdir()}
        old = sorted(path.name for path in before.iterdir() if path.name not in new) if before.is_dir() else []
        if old:
            log.warning("%s also holds %d files that this cohort did not write (first: %s)",
                        folder.name, len(old), old[0])  # fmt: skip
