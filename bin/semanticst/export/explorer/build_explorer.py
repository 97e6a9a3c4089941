"""The explorer's folder: page, list of sections and variables, and the cells of each section."""

import base64
import json
import logging
import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from semanticst import __version__
from semanticst.cohort.read_cohort import Cohort, read_cohort
from semanticst.constants import Obs
from semanticst.errors import BadInput, Problem
from semanticst.export.explorer.chosen_features import Feature, read_features, wanted_features
from semanticst.export.explorer.clinical_variables import variables
from semanticst.export.explorer.listed_findings import read_findings
from semanticst.export.explorer.niche_tables import read_overview
from semanticst.export.explorer.page_parts import page_files, read_pictures
from semanticst.export.explorer.quantise import along_a_curve, hundredths, packed, packed_ids, positions, sum_for_last
from semanticst.export.niche_outlines import median_spacing
from semanticst.export.section_cells import cell_ids
from semanticst.plotting.niche_names import require_niches
from semanticst.plotting.palette import niche_colour, niche_marker, niche_name
from semanticst.plotting.tissue_place import PLACE, TissuePlace
from semanticst.units import MICROMETRE
from semanticst.wording import ARBITRARY_CUTS
from semanticst.writing import atomic, together

log = logging.getLogger(__name__)

MOST_CELLS = 500_000
"""Of a section: more are thinned at random, since a browser has to hold them."""
MOST_TYPES = 250
"""Cell types that have a name; the rarer ones are shown as one."""
FIT = "fit"
_OTHERS = "other types"
_UNSUPPORTED = f"The tissue does not support the number of niches: they are {ARBITRARY_CUTS}."
_DATA_FILE = re.compile(r"(section|picture)_\d{4,}\.js")


@dataclass(frozen=True)
class Inputs:
    """What the explorer is made from; what is None or empty is not shown."""

    cohort: Path
    """``cohort.h5ad``."""
    samplesheet: Path
    clinical: Path | None = None
    markers: Path | None = None
    """``niche_markers.csv``."""
    overview: Path | None = None
    """``niche_overview.csv``."""
    associations: Sequence[Path] = ()
    thumbnails: Sequence[Path] = ()
    """``{sample}.jpg`` and ``{sample}.json``."""
    genes: str = "markers"
    """Features to show, see `chosen_features.wanted_features`."""


def build_explorer(inputs: Inputs, page: Path, outdir: Path, seed: int = 0) -> None:
    """Write the page (the files of the folder ``page``), ``data/cohort.js`` and ``data/section_NNNN.js``.

    All of it appears at once, and files of sections of an earlier explorer in ``outdir`` are removed. Raises BadInput
    when a file cannot be read or a feature is not there; nothing is written then.
    """
    parts = page_files(page)
    cohort = read_cohort(inputs.cohort)
    require_niches(len(cohort.niches))
    ids, more = cell_ids(inputs.cohort), _further(inputs.cohort)
    features = read_features(cohort, wanted_features(cohort, inputs.markers, inputs.genes))
    types = _type_names(cohort)
    about, by_sample = variables(inputs.samplesheet, inputs.clinical)
    strange = [name for name, _ in cohort.sample_rows() if name not in by_sample]
    if strange:
        raise BadInput([Problem(inputs.samplesheet, "this sample of the cohort has no row", column="sample", value=name)
                        for name in strange])  # fmt: skip
    pictures = read_pictures(inputs.thumbnails)
    niches = _niches(cohort, read_overview(inputs.overview) if inputs.overview else {})
    findings = read_findings(inputs.associations, len(cohort.niches))
    rng = np.random.default_rng(seed)
    sections: list[dict[str, Any]] = []
    with together(outdir) as folder:
        data = folder / "data"
        data.mkdir()
        for number, (sample, rows) in enumerate(cohort.sample_rows(), start=1):
            name = f"section_{number:04d}"
            kept = rows if len(rows) <= MOST_CELLS else np.sort(rng.choice(rows, MOST_CELLS, replace=False))
            spacing = median_spacing(np.unique(cohort.xy[kept], axis=0))
            steps, corner, step = positions(cohort.xy[kept], spacing)
            order, gaps = along_a_curve(steps)
            kept = kept[order]
            content = packed({"gap": gaps} | _columns(cohort, kept, types, features, more))
            content["ids"] = packed_ids(ids[kept])
            digest = f"{zlib.crc32(json.dumps(content).encode()):08x}"  # the page shows no cells of another explorer
            _script(data / f"{name}.js", "section", {"number": number, "digest": digest, **content})
            counts = np.bincount(cohort.cells[Obs.NICHE].to_numpy()[rows], minlength=len(cohort.niches) + 1)[1:]
            sections.append({
                "number": number, "sample": sample, "patient": str(cohort.cells[Obs.PATIENT].iloc[rows[0]]),
                "file": f"data/{name}.js", "digest": digest,
                "cells": len(rows), "shown": len(kept), "corner": corner, "step": step,
                "extent": np.ptp(cohort.xy[kept], axis=0).tolist(), "counts": counts.tolist(),
                "spacing": spacing,
                "values": by_sample[sample],
                "picture": _picture(pictures.get(sample), number, data),
            })  # fmt: skip
        _script(data / "cohort.js", "cohort", {
            "version": __version__,
            "unit": "um" if cohort.spatial_unit == MICROMETRE else "",
            "niches": niches,
            "caution": "" if cohort.number_supported else _UNSUPPORTED,
            "types": types,
            "contexts": list(cohort.scores.columns) if cohort.scores is not None else [],
            "columns": [c for c in (Obs.STABILITY, FIT) if c in cohort.cells or c in more],
            "features": [_about(feature) for feature in features],
            "kind": str(cohort.feature_type),
            "variables": about,
            "sections": sections,
            "findings": findings,
        })  # fmt: skip
        for file in parts:
            shutil.copyfile(file, folder / file.name)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        written = {path.name for path in data.iterdir()}
    _remove_earlier(outdir / "data", written)
    thinned = [s["sample"] for s in sections if s["shown"] < s["cells"]]
    log.info("%d sections, %d features, %.1f MB", len(sections), len(features), size / 1e6)
    if thinned:
        log.warning("shown with %d cells drawn at random: %s", MOST_CELLS, ", ".join(thinned))


def _remove_earlier(data: Path, written: set[str]) -> None:
    """Remove sections and pictures of an explorer that was built here before: who hands the folder on would hand
    them on too."""
    earlier = [p for p in data.iterdir() if _DATA_FILE.fullmatch(p.name) and p.name not in written]
    for path in earlier:
        path.unlink()
    if earlier:
        log.info("%d data files of an earlier explorer removed", len(earlier))


def _columns(
    cohort: Cohort, rows: np.ndarray, types: list[str], features: list[Feature], more: pd.DataFrame
) -> dict[str, np.ndarray]:
    """What is stored of the cells of a section beside their places, by name."""
    cells = cohort.cells.iloc[rows]
    niche = cells[Obs.NICHE].to_numpy()
    columns = {"niche": niche.astype(np.uint8 if niche.max() < 256 else np.uint16)}
    if types:
        place = {name: i for i, name in enumerate(types)}
        others = place.get(_OTHERS, 0)
        columns["type"] = np.array([place.get(t, others) for t in cells[Obs.CELL_TYPE]], np.uint8)
    for name in (Obs.STABILITY, FIT):
        values = cells[name] if name in cells else more[name].iloc[rows] if name in more else None
        if values is not None:
            columns[str(name)] = hundredths(values.to_numpy(float))
    if cohort.scores is not None:
        shares = [hundredths(values) for values in cohort.scores.to_numpy()[rows].T]
        columns |= {f"score{i}": codes for i, codes in enumerate(sum_for_last(shares))}
    for i, feature in enumerate(features):
        columns[f"feature{i}"] = feature.codes[rows]
    return columns


def _about(feature: Feature) -> dict[str, Any]:
    # the shortest decimals that tell values (float32) apart, however small or large they are
    levels = [float(str(value)) for value in feature.levels.table.astype(np.float32)]
    return {
        "name": feature.name,
        "kind": feature.kind,
        "levels": levels,
        "exact": feature.levels.exact,
        "high": feature.high,
    }


def _type_names(cohort: Cohort) -> list[str]:
    """Cell types, most frequent first; the rarest share a name where there are many."""
    if Obs.CELL_TYPE not in cohort.cells:
        return []
    names = cohort.cells[Obs.CELL_TYPE].value_counts(sort=True).index.tolist()
    return names if len(names) <= MOST_TYPES else [*names[:MOST_TYPES], _OTHERS]


def _niches(cohort: Cohort, told: dict[int, dict[str, str]]) -> list[dict[str, Any]]:
    """Number, name, colour, shape and size of each niche; what the overview tells of it."""
    sizes = cohort.cells[Obs.NICHE].value_counts()
    return [
        {
            "number": n,
            "name": niche_name(n),
            "colour": niche_colour(n),
            "shape": niche_marker(n),
            "cells": int(sizes.get(n, 0)),
            **told.get(n, {}),
        }
        for n in cohort.niches
    ]


def _further(path: Path) -> pd.DataFrame:
    """Columns of ``obs`` that a cohort may have beside those of `Cohort`: the fit of cells."""
    backed = ad.read_h5ad(path, backed="r")
    try:
        return backed.obs[[c for c in (FIT,) if c in backed.obs]].reset_index(drop=True).copy()
    finally:
        backed.file.close()


def _picture(place: TissuePlace | None, number: int, data: Path) -> dict[str, Any] | None:
    """Write a picture of the tissue as a script: what a page from a file drew of other pictures it may not save."""
    if place is None:
        return None
    text = f"data:image/{place.kind};base64,{base64.b64encode(place.picture.read_bytes()).decode('ascii')}"
    name = f"picture_{number:04d}.js"
    _script(data / name, "picture", {"number": number, "data": text})
    return {"file": f"data/{name}", **{key: float(getattr(place, key)) for key in PLACE}}


def _script(path: Path, name: str, content: dict[str, Any]) -> None:
    """A script that hands ``content`` to the page. ASCII, and no sign that could end a script: names are data."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    with atomic(path) as partial:
        partial.write_text(f"explorer.{name}({text});\n")
