"""Sections of a cohort as other programs need them: the input's own cell ids, and positions in pixels of the image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

from semanticst.cohort.read_cohort import Cohort, read_cohort
from semanticst.constants import UNS, Obs
from semanticst.errors import BadInput, Problem
from semanticst.units import MICROMETRE

XENIUM_PIXEL = 0.2125
"""Micrometres of a pixel of Xenium's morphology images, whose upper left corner is the origin of its coordinates."""
NO_PIXELS = (0.0, 1.0, 1000.0)
"""Micrometres of a unit of the input that say nothing of an image: not known, micrometres, millimetres."""


@dataclass(frozen=True)
class Section:
    """The kept cells of one sample, in the order of ``cohort.h5ad``."""

    sample: str
    patient: str
    platform: str
    """As the samplesheet spells it, empty where it is not known."""
    cell_ids: np.ndarray
    """str, n_cells: as they came."""
    xy: np.ndarray
    """float64, n_cells x 2, in ``unit``."""
    unit: str
    um_per_px: float | None
    """Micrometres of a pixel of the image on which the input's coordinates lie; None where it is not known."""
    cells: pd.DataFrame
    """n_cells rows: niche (int, from 1), and where given stability (0 to 1) and cell_type (str)."""

    @property
    def pixels(self) -> np.ndarray:
        """Positions in pixels of the image where its scale is known, else as they are; n_cells x 2."""
        return self.xy / self.um_per_px if self.um_per_px else self.xy

    @property
    def pixel_words(self) -> str:
        """Unit of `pixels` in words."""
        if self.um_per_px:
            return f"pixels of the image, {self.um_per_px:g} micrometres each"
        return "micrometres" if self.unit == MICROMETRE else "units of the input"


def read_sections(path: Path, samples: Sequence[Path]) -> Iterator[Section]:
    """Yield the sections of ``cohort.h5ad``, sorted by sample.

    samples : ``{sample}.qc.h5ad`` of all of them, for what is recorded of each. Raises BadInput when one is missing or
    cannot be read.
    """
    cohort = read_cohort(path)
    yield from sections_of(cohort, cell_ids(path), records(samples))


def sections_of(cohort: Cohort, ids: np.ndarray, about: Mapping[str, dict[str, Any]]) -> Iterator[Section]:
    """Yield the sections of a cohort; ``ids`` and ``about`` from `cell_ids` and `records`."""
    patient = dict(zip(cohort.samples[Obs.SAMPLE], cohort.samples[Obs.PATIENT]))
    columns = [c for c in (Obs.NICHE, Obs.STABILITY, Obs.CELL_TYPE) if c in cohort.cells]
    for sample, rows in cohort.sample_rows():
        if sample not in about:
            raise BadInput(Problem(cohort.path, "the file {sample}.qc.h5ad of this sample is not given", value=sample))
        own = about[sample]
        yield Section(
            sample=sample,
            patient=patient[sample],
            platform=str(own.get("platform", "")),
            cell_ids=ids[rows],
            xy=cohort.xy[rows],
            unit=cohort.spatial_unit,
            um_per_px=um_per_pixel(own),
            cells=cohort.cells.loc[rows, columns].reset_index(drop=True),
        )


def um_per_pixel(own: Mapping[str, Any]) -> float | None:
    """Micrometres of a pixel of the section's image, from what is recorded of the sample; None where that is not known.

    The scale that made the coordinates micrometres is that of a pixel, unless they came in micrometres or millimetres.
    """
    scale = float(own.get("um_per_unit", 0) or 0)
    if str(own.get("spatial_unit", "")) != MICROMETRE:
        return None
    if str(own.get("platform", "")) == "xenium" and scale in NO_PIXELS:
        return XENIUM_PIXEL
    return None if scale in NO_PIXELS else scale


def cell_ids(path: Path) -> np.ndarray:
    """The input's own ids of all cells of ``cohort.h5ad``: str, n_cells."""
    backed = ad.read_h5ad(path, backed="r")
    try:
        if Obs.CELL_ID not in backed.obs:
            raise BadInput(
                Problem(path, "obs lacks this column; is it the object that cohort_assemble wrote?", column=Obs.CELL_ID)
            )
        return backed.obs[Obs.CELL_ID].astype(str).to_numpy(dtype=object)
    finally:
        backed.file.close()


def cell_columns(path: Path) -> pd.DataFrame:
    """All that ``obs`` of ``cohort.h5ad`` has: n_cells rows, in the order of the file."""
    with h5py.File(path) as file:
        return read_elem(file["obs"]).reset_index(drop=True)


def records(samples: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """What ``uns['semanticst']`` of each ``{sample}.qc.h5ad`` records: texts and numbers, by sample."""
    found = {}
    for path in samples:
        try:
            with h5py.File(path, "r") as file:
                own = {
                    k: _plain(v[()])
                    for k, v in file[f"uns/{UNS}"].items()
                    if isinstance(v, h5py.Dataset) and not v.shape
                }
                found[str(own["sample"])] = own
        except (OSError, KeyError) as error:
            raise BadInput(Problem(path, f"not a sample that sample_qc.py wrote ({error})")) from error
    return found


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
