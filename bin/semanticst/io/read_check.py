"""Samples of a sheet read as a run reads them, to say beforehand what is understood."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anndata as ad
import numpy as np
import scipy.sparse as sp

from semanticst.constants import QC_MIN_CELLS, UNS, Obs
from semanticst.errors import BadInput, Problem
from semanticst.io.ingest import ingest_input, inputs_of
from semanticst.io.internal import take_kind
from semanticst.io.readers import ReadError
from semanticst.io.regions.region_names import spelled_alike, told
from semanticst.io.samplesheet import FILES, REMOTE
from semanticst.io.understood import facts_of, in_a_line
from semanticst.io.values import cohort_type, uncounted

log = logging.getLogger(__name__)


def read_samples(rows: list[dict[str, str]], sheet: Path) -> None:
    """Read the samples of a checked sheet, one after the other, and log what was understood of each.

    Parameters as of `look_at_samples`. Raises BadInput with the problems of all samples, and when their values are of
    several kinds.
    """
    found, problems = look_at_samples(rows, sheet)
    for sample in found:
        log.info("%s", in_a_line(sample))
    if problems:
        raise BadInput(problems)


def look_at_samples(rows: list[dict[str, str]], sheet: Path) -> tuple[list[dict], list[Problem]]:
    """What is understood of each sample of a sheet, as plain values, and all problems.

    rows : of the checked sheet; paths start at the folder of ``sheet``. Samples in an object store are left out.
    """
    rows = [_placed(row, sheet.resolve().parent) for row in rows if not row["path"].startswith(REMOTE)]
    problems: list[Problem] = []
    possible: dict[str, list[str]] = {}
    regions: dict[str, list[str]] = {}
    read: list[tuple[dict, int, int]] = []
    with tempfile.TemporaryDirectory(prefix="semanticst-read-") as scratch:
        for shared in inputs_of(rows):
            try:
                for row, adata, _picture in ingest_input(shared, Path(scratch), Path(scratch), problems):
                    own = adata.uns[UNS]
                    own["warnings"] = [*own.get("warnings", ()), *too_little(adata)]
                    possible[row["sample"]] = list(own["feature_types"])
                    read.append((own, adata.n_obs, adata.n_vars))
                    if Obs.ANNOTATION in adata.obs:
                        regions[row["sample"]] = list(adata.obs[Obs.ANNOTATION].cat.categories)
            except (ReadError, OSError) as error:
                problems.append(Problem(sheet, f"sample {shared[0]['sample']}: {error}", value=shared[0]["path"]))
    kind = cohort_type(possible.values()) if possible else None
    for own, *_ in read:
        take_kind(own, kind)  # as the quality control of a run does: what a sample seems to be alone is not what counts
        own["warnings"] = [*own.get("warnings", ()), *uncounted(own["feature_type"], own["platform"])]
    for own in (own for own, *_ in read if own["sample"] in regions):
        if renamed := {old: new for old, new in spelled_alike(regions).items() if old in regions[own["sample"]]}:
            own["warnings"] = [*own["warnings"], f"{told(renamed)}, as in other sections"]
    if possible and not problems and kind is None:
        kinds = sorted({kinds[0] for kinds in possible.values()})
        names = {kind: next(name for name, own in possible.items() if own[0] == kind) for kind in kinds}
        examples = ", ".join(f"{kind} ({name})" for kind, name in names.items())
        problems.append(Problem(sheet, f"the samples hold several kinds of values: {examples}", column="feature_type"))
    return [facts_of(*sample) for sample in read], problems


def too_little(adata: ad.AnnData) -> list[str]:
    """Why a sample as it was read will be left out by quality control whatever its thresholds, in words."""
    values = adata.X.count_nonzero() if sp.issparse(adata.X) else np.count_nonzero(adata.X)
    if not values:
        return ["all values are 0: quality control will leave out all of its cells"]
    if adata.n_obs < QC_MIN_CELLS:
        return [f"fewer than {QC_MIN_CELLS} cells: it will fail quality control, unless --qc_min_cells is lower"]
    return []


def _placed(row: Mapping[str, str], folder: Path) -> dict[str, str]:
    return {name: str(folder / text) if name in FILES and text else text for name, text in row.items()}
