"""Bring samples, whatever their format, into the internal form."""

import json
import logging
import os
import tempfile
from pathlib import Path

import anndata as ad
import pandas as pd
from tqdm import tqdm

from semanticst.constants import UNS, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.readers import ReadError, Wanted, reader_for
from semanticst.io.samplesheet import OVERRIDES
from semanticst.io.values import as_csr, check_coordinates, check_values
from semanticst.writing import write_h5ad

log = logging.getLogger(__name__)

RESERVED = frozenset(Obs) - {Obs.CELL_TYPE}
"""Columns of ``obs`` that the pipeline writes itself."""

UNITS = {"um": "um", "µm": "um", "μm": "um", "micrometre": "um", "micrometer": "um", "micron": "um", "microns": "um",
         "mm": "mm", "px": "px", "pixel": "px", "pixels": "px"}  # fmt: skip


def ingest_samples(manifest: Path, outdir: Path) -> None:
    """Write ``{sample}.ingest.h5ad`` for each sample of the manifest.

    manifest : JSON list of objects with sample, patient, path, and any of batch, platform, feature_type, spatial_unit
    and the per-sample settings of the quality control.

    Raises BadInput with the problems of all samples; nothing is written then.
    """
    problems = []
    outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=outdir) as partial:
        for row in tqdm(read_manifest(manifest), desc="samples", disable=None):
            try:
                adata = ingest_sample(row)
            except ReadError as error:
                problems.append(Problem(f"{Path(row['path']).name} (sample {row['sample']})", str(error)))
                continue
            write_h5ad(Path(partial) / f"{row['sample']}.ingest.h5ad", adata)
        if problems:
            raise BadInput(problems)
        for file in sorted(Path(partial).iterdir()):
            os.replace(file, outdir / file.name)


def read_manifest(path: Path) -> list[dict]:
    """Rows of the manifest. Raises BadInput when it is not what `ingest_samples` expects."""
    try:
        rows = json.loads(path.read_text())
    except ValueError as error:
        raise BadInput(Problem(path, f"not JSON ({error})")) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise BadInput(Problem(path, "a list of one object per sample is expected"))
    rows = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    problems = [
        Problem(path, f"entry {number} has no '{key}'")
        for number, row in enumerate(rows, 1)
        for key in ("sample", "patient", "path")
        if not row.get(key)
    ]
    names = [row.get("sample") for row in rows]
    problems += [
        Problem(path, "this sample is listed twice", value=n) for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if problems:
        raise BadInput(problems)
    return rows


def ingest_sample(row: dict[str, str]) -> ad.AnnData:
    """Read one sample and bring it into the internal form. Raises ReadError."""
    path = Path(row["path"])
    reader = reader_for(path, row.get("platform", ""))
    raw = reader.read(path, Wanted(row.get("platform", ""), float(row["bin_size"]) if row.get("bin_size") else None,
                                   row.get("table", "")))  # fmt: skip
    if raw.n_obs < 2 or raw.n_vars < 2:
        raise ReadError(f"{raw.n_obs} cells and {raw.n_vars} features; at least 2 of each are needed")
    cells = _unique_cells(raw.obs_names)
    features = _unique_features(raw.var_names, row["sample"])
    X = as_csr(raw.X)
    kind = check_values(X, cells, features, row.get("feature_type", ""))
    spatial = check_coordinates(raw.obsm[Obsm.SPATIAL], cells)

    batch = row.get("batch") or row["sample"]
    obs = _free_names(raw.obs, row["sample"]).set_axis(cells, axis=0)
    for column, value in ((Obs.SAMPLE, row["sample"]), (Obs.PATIENT, row["patient"]), (Obs.BATCH, batch)):
        obs[column.value] = pd.Categorical([value] * len(obs))
    adata = ad.AnnData(X, obs=obs, var=raw.var.set_axis(features, axis=0), obsm={Obsm.SPATIAL.value: spatial})
    adata.uns[UNS] = {
        "sample": row["sample"],
        "patient": row["patient"],
        "batch": batch,
        "platform": row.get("platform", ""),
        "feature_type": kind.value,
        "spatial_unit": row.get("spatial_unit") or UNITS.get(raw.uns.get("spatial_unit", "").lower(), "unknown"),
        "n_cells_input": adata.n_obs,
        "source": path.name,
        "overrides": {name: float(row[name]) for name in OVERRIDES if row.get(name)},
    }
    log.info(
        "%s: %d cells x %d features, %s%s, unit of coordinates: %s",
        row["sample"], adata.n_obs, adata.n_vars, kind.value,
        " (stated)" if row.get("feature_type") else "", adata.uns[UNS]["spatial_unit"],
    )  # fmt: skip
    return adata


def _unique_cells(names: pd.Index) -> pd.Index:
    names = names.astype(str)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise ReadError(f"{len(repeated)} cell ids occur more than once (first: {repeated[0]}); make obs_names unique")
    return names.rename(None)


def _unique_features(names: pd.Index, sample: str) -> pd.Index:
    """Feature names; repeated ones get -1, -2, ... as anndata does it, since vendors bring repeated gene symbols."""
    names = names.astype(str)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        log.warning("%s: %d feature names repeat (first: %s); numbers are added", sample, len(repeated), repeated[0])
        names = ad.utils.make_index_unique(names)
    return names.rename(None)


def _free_names(obs: pd.DataFrame, sample: str) -> pd.DataFrame:
    """``obs`` with columns that the pipeline writes itself renamed to ``input_<name>``."""
    taken = [c for c in obs.columns if c in RESERVED]
    names = {c: f"input_{c}" for c in taken}
    for old, new in names.items():
        while new in obs.columns:
            new = f"input_{new}"
        names[old] = new
    if names:
        log.info("%s: columns renamed: %s", sample, ", ".join(f"{old} -> {new}" for old, new in names.items()))
    return obs.rename(columns=names)
