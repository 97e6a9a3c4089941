"""Files of all sections for other programs, one folder per format."""

import logging
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from semanticst.cohort.read_cohort import read_cohort
from semanticst.export.cell_groups import loupe_categories, xenium_groups
from semanticst.export.qupath import qupath_annotations
from semanticst.export.section_cells import Section, cell_columns, cell_ids, records, sections_of
from semanticst.export.tissuumaps import tissuumaps_project, tissuumaps_table
from semanticst.writing import write_json, write_table

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
        When a file cannot be read or belongs to another run.
    """
    cohort = read_cohort(path)
    about, ids = records(samples), cell_ids(path)
    # values are the bulk of the object, and only one format holds them
    values = columns = None
    if "spatialdata" in formats:
        values, columns = cohort.values_by_sample(), cell_columns(path)
    for (_, rows), section in zip(cohort.sample_rows(), sections_of(cohort, ids, about)):
        if "xenium_explorer" in formats:
            _table(outdir / "xenium_explorer", section, xenium_groups, ("xenium",))
        if "loupe" in formats:
            _table(outdir / "loupe", section, loupe_categories, ("visium", "visium_hd"))
        if "qupath" in formats:
            write_json(outdir / "qupath" / f"{section.sample}.niches.geojson", qupath_annotations(section))
        if "tissuumaps" in formats:
            name = f"{section.sample}.cells.csv"
            write_table(outdir / "tissuumaps" / name, tissuumaps_table(section))
            write_json(outdir / "tissuumaps" / f"{section.sample}.tmap", tissuumaps_project(section, name))
        if values is not None and columns is not None:
            from semanticst.export.spatialdata_store import write_store  # with zarr and pyarrow

            store, partial = outdir / "spatialdata" / f"{section.sample}.zarr", outdir / f".partial-{section.sample}"
            shutil.rmtree(partial, ignore_errors=True)
            own = columns.iloc[rows]
            write_store(partial, section, own, next(values), cohort.features, len(cohort.niches))
            store.parent.mkdir(exist_ok=True)
            shutil.rmtree(store, ignore_errors=True)
            partial.rename(store)
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
