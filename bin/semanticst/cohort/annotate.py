"""The object that is published: names of niches, and what the tables of the cohort know of its samples and patients.

A step by itself, the last one that touches the object: after a correction of the clinical table nothing else is
repeated.
"""

import logging
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from semanticst.constants import CELL_AREA, Obs
from semanticst.errors import BadInput, Problem
from semanticst.plotting.palette import given_names, niche_colour, niche_name
from semanticst.tables.delimited import clean_value
from semanticst.tables.schema import column_names, load_schema
from semanticst.tables.signs import one_form
from semanticst.writing import atomic

log = logging.getLogger(__name__)

NICHE_NAME = "niche_name"
TECHNICAL = ("platform", "slide", "region")
"""Columns of the samplesheet that say how a section was made; those that users add may be clinical."""


def annotate_cohort(
    cohort: Path, sheet: Path, clinical: Path | None, out: Path, share_clinical: bool, schema_dir: Path
) -> None:
    """Write ``cohort.h5ad`` once more, with the columns of the tables in ``obs``, and ``niche_name`` where there are
    any.

    Values, embedding and niches are not read, however large they are.

    Parameters
    ----------
    cohort
        As `assemble_cohort` wrote it.
    sheet, clinical
        ``samplesheet.valid.csv`` and ``clinical.valid.csv``.
    share_clinical
        Whether columns of the clinical table, and those that the user added to the samplesheet, may be in it. If not,
        columns of the cells that are called as one of these go as well, whether the input had them or an earlier run.
    out
        Another file.
    schema_dir
        Folder with the schema of the samplesheet, which says what the other columns are.

    Raises BadInput when a sample of the object has no row in the sheet.
    """
    sections, patients = _read(sheet), _read(clinical) if clinical else None
    columns = table_columns(sections, patients, share_clinical, schema_dir)
    known = {*column_names(load_schema("input", schema_dir)), *TECHNICAL}
    of_tables = {str(c) for table in (sections, patients) if table is not None for c in table} - known
    with atomic(out, about=cohort.stat().st_size) as partial:
        shutil.copyfile(cohort, partial)
        with h5py.File(partial, "r+") as file:
            sample = read_elem(file["obs"][Obs.SAMPLE]).astype(str)
            if lost := sorted(set(sample) - set(columns.index)):
                raise BadInput(
                    [Problem(sheet, "has no row for this sample of the object", value=name) for name in lost]
                )
            row = columns.index.get_indexer(sample)
            if not share_clinical:
                _leave_out(file, of_tables)
            for name in columns:
                _add_column(file, _free_name(name, list(file["obs"].attrs["column-order"])), columns[name].iloc[row])
            if given_names():
                _add_names(file)


def table_columns(
    sheet: pd.DataFrame, clinical: pd.DataFrame | None, share_clinical: bool, schema_dir: Path
) -> pd.DataFrame:
    """What the tables say of each sample (the index): numbers where all values are, else categories; nothing that is
    empty.

    A column of both tables, which then say the same, is there once.
    """
    known = set(column_names(load_schema("input", schema_dir)))
    wanted = [c for c in sheet if c in TECHNICAL or (share_clinical and c not in known)]
    found = sheet.set_index("sample")[["patient", *wanted]]
    if clinical is not None and share_clinical:
        own = [c for c in clinical if c == "patient" or c not in found]
        found = found.join(clinical[own].set_index("patient"), on="patient")
    found = found.drop(columns="patient")
    return pd.DataFrame({str(c): _typed(found[c]) for c in found if found[c].notna().any()}, index=found.index)


def _typed(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers[values.notna()].notna().all():
        return numbers
    return values.astype(pd.CategoricalDtype(sorted(values.dropna().unique())))


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table.map(lambda value: clean_value(one_form(value)))
    return table.where(table != "")


def _free_name(name: str, taken: list[str]) -> str:
    """The name as HDF5 can have it, with ``clinical_`` before it where a column of cells is called the same."""
    name = name.replace("/", "_")
    while name in taken or name == "_index":
        name = f"clinical_{name}"
    return name


def _plain(name: str) -> str:
    """A name without signs, case, and what the pipeline puts before a name that is taken."""
    return re.sub(r"[\W_]+", "", re.sub("^(?:(?:clinical|input)_)+", "", name)).casefold()


def _leave_out(file: h5py.File, names: Collection[str]) -> None:
    """Take columns of these names, other than the pipeline's own, out of ``obs``, with their colours."""
    obs, own = file["obs"], {*map(str, Obs), CELL_AREA, NICHE_NAME, *TECHNICAL}
    order, clinical = list(obs.attrs["column-order"]), {_plain(name) for name in names}
    gone = [name for name in order if name not in own and _plain(name) in clinical]
    for name in gone:
        del obs[name]
        if f"{name}_colors" in file["uns"]:
            del file[f"uns/{name}_colors"]
    obs.attrs["column-order"] = np.array([name for name in order if name not in gone], dtype=object)
    if gone:
        log.warning("columns of cells left out, since columns of the tables are called so: %s", ", ".join(gone))


def _add_column(file: h5py.File, name: str, values: pd.Series) -> None:
    obs = file["obs"]
    data = values.array if isinstance(values.dtype, pd.CategoricalDtype) else values.to_numpy()
    write_elem(obs, name, data, dataset_kwargs={"compression": "lzf"})
    obs.attrs["column-order"] = np.array([*obs.attrs["column-order"], name], dtype=object)


def _add_names(file: h5py.File) -> None:
    """``obs['niche_name']`` and its colours where scanpy looks for them; niches without a name have their number."""
    niche = read_elem(file["obs"][Obs.NICHE])
    numbers = [int(number) for number in niche.categories]
    names = [given_names().get(number) or niche_name(number) for number in numbers]
    _add_column(file, NICHE_NAME, pd.Series(niche.rename_categories(names)))
    write_elem(file["uns"], f"{NICHE_NAME}_colors", np.array([niche_colour(n) for n in numbers], dtype=object))
