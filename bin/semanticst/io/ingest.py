"""Ingest: samples of any format brought into the internal form."""

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import CELL_AREA, COUNTING, STAINING, THUMBNAILS, UNS, FeatureType, Obs, Obsm
from semanticst.errors import BadInput, Problem
from semanticst.io.columns import are_missing, as_bool, named_values, plain_frame
from semanticst.io.coordinates import Extent, Scale, check_coordinates, extent_of, odd_size, scale_of, without_place
from semanticst.io.gene_names import (
    dates_among,
    drop_nameless,
    gene_table,
    numbered,
    several_genomes,
    split_controls,
    unique_genes,
)
from semanticst.io.proteins import split_proteins
from semanticst.io.pseudonyms import anonymous, anonymous_picture
from semanticst.io.readers import Reader, ReadError, Wanted, reader_for
from semanticst.io.readers.base import AREA_IN_UNITS
from semanticst.io.readers.column_roles import odd_features
from semanticst.io.regions.pieces import need_one_section
from semanticst.io.regions.section_parts import cells_of, count_parts, outline_scale, part_of, with_categories
from semanticst.io.samplesheet import OVERRIDES
from semanticst.io.several_sections import check_sections, plain
from semanticst.io.understood import UnitUnknown, cells_left_out, numbers_left_out
from semanticst.io.values import as_csr, check_values, look_stained, rounded_counts, why_no_counts
from semanticst.plotting.picture import Picture
from semanticst.progress import Progress
from semanticst.wording import listed
from semanticst.writing import write_h5ad, write_json

log = logging.getLogger(__name__)

READING = ("platform", "bin_size", "table", "feature_type")
"""Columns of the samplesheet that decide how an input is read: rows that share it agree in them."""
RESERVED = frozenset(Obs) - {Obs.CELL_TYPE}
"""Columns of ``obs`` that the pipeline writes itself."""


def ingest_samples(manifest: Path, outdir: Path) -> None:
    """Write ``{sample}.ingest.h5ad`` for each sample of the manifest, and ``{first sample}.kinds.json``.

    The latter has, of all samples, the different lists of what their values may be, from which the kind of the cohort
    follows (`semanticst.io.values.cohort_type`).

    manifest : JSON list of objects with sample, patient, path, and any of batch, platform, feature_type, spatial_unit,
    um_per_px, bin_size, table, fovs, part_column, part_value, cells, annotation, outline_um_per_px and the per-sample
    settings of the quality control; with pseudonyms also own_sample and own_patient, the ids that must not remain. An
    input that several samples are parts of is read once; where its parts lie is drawn, as ``{first sample}.parts.png``.
    Where an input brings a picture of the tissue, a thumbnail of each sample is written, ``thumbnails/{sample}.jpg``,
    with its scale, ``thumbnails/{sample}.json``.

    Raises BadInput with the problems of all samples; nothing is written then.
    """
    problems: list[Problem] = []
    kinds: set[tuple[str, ...]] = set()
    outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=outdir) as partial:
        rows = read_manifest(manifest)
        with Progress("samples", len(rows)) as counted:
            for shared in inputs_of(rows):
                try:
                    for row, adata, picture in ingest_input(shared, outdir, Path(partial), problems):
                        if row.get("own_sample"):  # the run has pseudonyms
                            adata, picture = anonymous(adata, row), picture and anonymous_picture(picture, row)
                        if picture is not None:
                            keep_thumbnail(picture, adata, Path(partial) / THUMBNAILS)
                        write_h5ad(Path(partial) / f"{row['sample']}.ingest.h5ad", adata)
                        kinds.add(tuple(adata.uns[UNS]["feature_types"]))
                        counted.advance()
                except (ReadError, OSError) as error:  # a folder that may not be entered, a disk that fails
                    problems.append(_problem(shared, error))
        if problems:
            raise BadInput(problems)
        for file in sorted(path for path in Path(partial).rglob("*") if path.is_file()):
            place = outdir / file.relative_to(partial)
            place.parent.mkdir(exist_ok=True)
            os.replace(file, place)
    write_json(outdir / f"{min(row['sample'] for row in rows)}.kinds.json", sorted(kinds))


def inputs_of(rows: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Rows of the manifest that share an input, and how it is read, together: each of these is read once."""
    inputs: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        inputs.setdefault(tuple(row.get(name, "") for name in ("path", *READING)), []).append(row)
    return list(inputs.values())


def ingest_input(
    rows: list[dict[str, str]], scratch: Path, outdir: Path, problems: list[Problem]
) -> Iterator[tuple[dict[str, str], ad.AnnData, Picture | None]]:
    """Read an input once, and bring each sample of it into the internal form, one after the other; and its picture.

    scratch : folder for what is unpacked. outdir : where the picture of the parts goes, if there are parts.
    problems : those of single parts are added, so that all are told at once.

    Raises ReadError when the input cannot be read, and when two samples have cells in common.
    """
    if len(rows) == 1 and part_of(rows[0]) is None:
        raw, reader = read_raw(rows[0], scratch)
        picture = raw.uns.get("picture")
        yield rows[0], internal_form(raw, reader, rows[0]), picture
        return
    columns = tuple({row["part_column"]: None for row in rows if row.get("part_column")})
    raw, reader = read_raw(rows[0], scratch, in_parts=True, part_columns=columns)
    picture = raw.uns.pop("picture", None)
    points = np.asarray(raw.obsm[Obsm.SPATIAL], dtype=np.float64)
    parts = {}
    for row in rows:
        try:
            part = part_of(row)
            if part is None:
                raise ReadError("other samples are parts of the same input; name the part of this one as well")
            parts[row["sample"]] = part
        except ReadError as error:
            problems.append(_problem([row], error))
    obs, masks = with_categories(raw.obs, parts.values()), {}
    doubtful: dict[str, list[str]] = {row["sample"]: [] for row in rows}
    told: dict[str, list[str]] = {row["sample"]: [] for row in rows}
    for row in rows:
        part = parts.get(row["sample"])
        if part is None:
            continue
        try:
            um = scale_of_input(raw, row).um_per_unit or 0
            of_row = doubtful[row["sample"]], told[row["sample"]]
            masks[row["sample"]] = cells_of(part, raw.obs_names, obs, points, um, *of_row)
        except ReadError as error:
            problems.append(_problem([row], error))
    raw.uns["extent"] = extent_of(points)
    left = count_parts(list(masks.values()), list(masks)) if masks else 0
    for row in rows:
        cells = masks.get(row["sample"])
        if cells is None:
            continue
        try:
            adata = internal_form(raw[cells].copy(), reader, row)
        except ReadError as error:
            problems.append(_problem([row], error))
            continue
        note = f"part of {Path(row['path']).name} ({parts[row['sample']]}): {int(cells.sum())} of {len(cells)} cells"
        others = f"; {left} are in no sample" if left else ""
        adata.uns[UNS]["notes"] = [note + others, *told[row["sample"]], *adata.uns[UNS]["notes"]]
        adata.uns[UNS]["warnings"] = [*doubtful[row["sample"]], *adata.uns[UNS]["warnings"]]
        for text in doubtful[row["sample"]]:
            log.warning("%s: %s", row["sample"], text)
        for text in (note + others, *told[row["sample"]]):
            log.info("%s: %s", row["sample"], text)
        yield row, adata, picture
    if masks and not problems:
        from semanticst.plotting.part_maps import draw_parts  # half a second that whole samples do without

        scale = scale_of_input(raw, rows[0])
        drawn = points[:, :2] * (scale.um_per_unit or 1.0)
        draw_parts(drawn, masks, scale.unit, outdir / f"{rows[0]['sample']}.parts.png")


def keep_thumbnail(picture: Picture, adata: ad.AnnData, folder: Path) -> None:
    """Write the thumbnail of a sample (`semanticst.plotting.thumbnail`) into ``folder``, and note it in ``adata``."""
    from semanticst.plotting.thumbnail import (
        thumbnail_of,
        write_thumbnail,
    )  # with Pillow, which most samples do without

    own = adata.uns[UNS]
    found, note = thumbnail_of(picture, np.asarray(adata.obsm[Obsm.SPATIAL]), own["um_per_unit"])
    own["notes"] = [*own["notes"], note]
    log.info("%s: %s", own["sample"], note)
    if found is not None:
        write_thumbnail(found, folder, own["sample"], own["spatial_unit"])


def _problem(rows: list[dict[str, str]], error: Exception) -> Problem:
    names = [row["sample"] for row in rows]
    kind = "sample" if len(names) == 1 else "samples"
    return Problem(f"{Path(rows[0]['path']).name} ({kind} {listed(names, 4)})", str(error))


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


def ingest_sample(row: dict[str, str], scratch: Path | None = None) -> ad.AnnData:
    """Read one sample and bring it into the internal form. scratch : folder for what is unpacked. Raises ReadError."""
    raw, reader = read_raw(row, scratch)
    return internal_form(raw, reader, row)


def internal_form(raw: ad.AnnData, reader: Reader, row: dict[str, str]) -> ad.AnnData:
    """What a reader found, judged and named as all later steps expect it. Raises ReadError."""
    notes, warnings = (list(raw.uns.get(kind, ())) for kind in ("notes", "warnings"))
    raw, note, warning = _in_tissue(raw)
    notes += [note] if note else []
    warnings += [warning] if warning else []
    cells = _unique_cells(raw.obs_names)
    obs, var = plain_frame(raw.obs), plain_frame(raw.var)

    X, note = rounded_counts(as_csr(raw.X), row.get("feature_type", ""))
    notes += [note] if note else []
    X, var, proteins, found, doubtful = split_proteins(X, gene_table(var), raw.obsm)
    notes += found
    warnings += doubtful
    warnings += numbered(var)
    X, var, control, found = split_controls(X, var)
    notes += found
    X, var, note = drop_nameless(X, var)
    notes += [note] if note else []
    _need_features(var, "without controls")
    platform = row.get("platform") or str(raw.uns.get("platform", ""))
    stated = row.get("feature_type", "")
    why = why_no_counts(X) if stated in ("", FeatureType.COUNTS) else ""
    kinds = check_values(X, cells, var.index, stated, platform, bool(why))
    kind = kinds[0]
    if why and platform not in STAINING:  # whole numbers of a microscope are intensities
        warnings.append(no_counts(why, bool(stated)))
    if kind is FeatureType.COUNTS and not stated and platform not in COUNTING | STAINING and (sign := look_stained(X)):
        warnings.append(
            f"are these counts? {sign}, as intensities of a staining are; platform (such as mif) or feature_type in "
            "the samplesheet says it"
        )
    X, var, note = unique_genes(X, var, kind)
    notes += [note] if note else []
    _need_features(var, "after those of one name were added up")
    warnings += odd_features(var.index, kind is FeatureType.COUNTS) + dates_among(var.index)
    warnings += several_genomes(var.index)
    spatial, warning = check_coordinates(raw.obsm[Obsm.SPATIAL], cells)
    warnings += [warning] if warning else []
    if part_of(row) is None:
        warnings += need_one_section(spatial, obs)
    warnings += check_sections(cells, obs, spatial, fields=not raw.uns.get("platform"))
    scale = scale_of_input(raw, row)
    if scale.unit == "um":
        warnings += odd_size(spatial * scale.um_per_unit)
    if scale.unit != "unknown":
        notes = [note for note in notes if not isinstance(note, UnitUnknown)]

    batch = row.get("batch") or row["sample"]
    obs, note = _with_areas(obs, scale)
    notes += [note] if note else []
    obs, renamed = _free_names(obs)
    obs = obs.set_axis(cells, axis=0)
    if Obs.CELL_TYPE in obs:
        types = named_values(obs[Obs.CELL_TYPE])
        obs = obs.drop(columns=Obs.CELL_TYPE) if types.isna().all() else obs.assign(**{Obs.CELL_TYPE.value: types})
    notes += [renamed] if renamed else []
    for column, value in ((Obs.SAMPLE, row["sample"]), (Obs.PATIENT, row["patient"]), (Obs.BATCH, batch)):
        obs[column.value] = pd.Categorical([value] * len(obs))
    if control is not None:
        obs[Obs.CONTROL.value] = control
    if row.get("annotation"):
        obs[Obs.ANNOTATION.value], found, doubtful = _annotated(row, spatial, scale, raw.uns.get("extent"))
        notes += found
        warnings += doubtful
    adata = ad.AnnData(X, obs=obs, var=var, obsm={Obsm.SPATIAL.value: spatial * (scale.um_per_unit or 1.0)})
    named = {}
    if proteins is not None:
        adata.obsm[Obsm.PROTEIN.value] = proteins.measured
        named = {"protein_names": proteins.names, "protein_type": proteins.kind.value}
        if proteins.isotypes is not None:
            adata.obs[Obs.ISOTYPE.value] = proteins.isotypes
    adata.uns[UNS] = named | {
        "sample": row["sample"],
        "patient": row["patient"],
        "batch": batch,
        **({"study_part": row["study_part"]} if row.get("study_part") else {}),
        "platform": platform,
        "format": str(raw.uns.get("format", reader.name)),
        "matrix": str(raw.uns.get("matrix", "")) or Path(row["path"]).name,
        "feature_type": kind.value,
        "feature_type_source": "samplesheet" if stated else "values",
        "feature_types": [possible.value for possible in kinds],
        "spatial_unit": scale.unit,
        "um_per_unit": scale.um_per_unit,
        "um_per_unit_source": scale.source,
        "n_cells_input": adata.n_obs,
        "source": Path(row["path"]).name,
        **numbers_left_out([*notes, *warnings]),
        "notes": [str(note) for note in notes],
        "warnings": [str(warning) for warning in warnings],
        "overrides": {name: float(row[name]) for name in OVERRIDES if row.get(name)},
    }
    _log_sample(adata, stated=bool(row.get("feature_type")))
    return adata


def read_raw(
    row: dict[str, str], scratch: Path | None = None, in_parts: bool = False, part_columns: tuple[str, ...] = ()
) -> tuple[ad.AnnData, Reader]:
    """What a reader makes of the row's path, and the reader; ``in_parts``: samples are parts of it.

    Raises ReadError, also when next to nothing is there.
    """
    path, platform = Path(row["path"]), row.get("platform", "")
    reader = reader_for(path, platform)
    bin_size = float(row["bin_size"]) if row.get("bin_size") else None
    wanted = Wanted(
        platform, bin_size, row.get("table", ""), row.get("feature_type", ""), scratch,
        in_parts=in_parts, part_columns=part_columns,
    )  # fmt: skip
    raw = _with_places(reader.read(path, wanted))
    if raw.n_obs < 2 or raw.n_vars < 2:
        raise ReadError(f"{raw.n_obs} cells and {raw.n_vars} features; at least 2 of each are needed")
    return raw, reader


def _with_places(raw: ad.AnnData) -> ad.AnnData:
    """The object without the cells that have no coordinates, and a note with their number."""
    lost = without_place(raw.obsm[Obsm.SPATIAL])
    if not lost.any():
        return raw
    note = f"{lost.sum()} of {len(lost)} cells have no coordinates and are left out (first: {raw.obs_names[lost][0]})"
    uns = dict(raw.uns)  # a picture is not copied
    raw.uns.clear()
    raw = raw[~lost].copy()
    raw.uns = uns | {"notes": [*uns.get("notes", ()), cells_left_out(lost.sum(), note)]}
    return raw


def scale_of_input(raw: ad.AnnData, row: dict[str, str]) -> Scale:
    """The scale of the coordinates: what the samplesheet says, else what the reader found."""
    return scale_of(
        str(raw.uns.get("spatial_unit", "")),
        float(raw.uns.get("um_per_unit", 0)),
        str(raw.uns.get("um_per_unit_source", "")),
        row.get("spatial_unit", ""),
        row.get("um_per_px", ""),
    )


def _log_sample(adata: ad.AnnData, stated: bool) -> None:
    own = adata.uns[UNS]
    scale = f", 1 unit of the file = {own['um_per_unit']:g} um" if own["um_per_unit"] not in (0, 1) else ""
    log.info(
        "%s: %s, %d cells x %d features, %s%s, coordinates in %s%s (%s)",
        own["sample"], own["format"], adata.n_obs, adata.n_vars, own["feature_type"], " (stated)" if stated else "",
        own["spatial_unit"], scale, own["um_per_unit_source"],
    )  # fmt: skip
    for note in own["notes"]:
        log.info("%s: %s", own["sample"], note)
    for warning in own["warnings"]:
        log.warning("%s: %s", own["sample"], warning)


def _in_tissue(raw: ad.AnnData) -> tuple[ad.AnnData, str, str]:
    """The object without what lies beside the tissue, as scanpy and CELLxGENE tell it in ``obs['in_tissue']``; a note.

    And a warning about cells of which nothing tells whether they do: they stay.
    """
    name = next((name for name in raw.obs.columns if plain(name) == "intissue"), None)
    if name is None:
        return raw, "", ""
    unknown, warning = are_missing(raw.obs[name]), ""
    if unknown.any():
        warning = f"{unknown.sum()} of {len(unknown)} cells have no value in obs['{name}'] and are kept"
    kept = as_bool(raw.obs[name], f"obs['{name}']") | unknown
    if kept.all():
        return raw, "", warning
    if kept.sum() < 2:
        raise ReadError(f"{kept.sum()} of {len(kept)} cells are in the tissue (obs['{name}']); at least 2 are needed")
    note = f"{(~kept).sum()} of {len(kept)} cells are not in the tissue (obs['{name}']) and left out"
    return raw[kept].copy(), cells_left_out((~kept).sum(), note), warning


def _with_areas(obs: pd.DataFrame, scale: Scale) -> tuple[pd.DataFrame, str]:
    """Areas in square micrometres, where the scale is known, and a note where it is not."""
    if AREA_IN_UNITS not in obs:
        return obs, ""
    areas = obs[AREA_IN_UNITS]
    obs = obs.drop(columns=AREA_IN_UNITS)
    if not scale.um_per_unit:
        return obs, "areas of cells are not used: their unit is not known (spatial_unit and um_per_px state it)"
    return obs.assign(**{CELL_AREA: areas * scale.um_per_unit**2}), ""


def _annotated(
    row: dict[str, str], spatial: np.ndarray, scale: Scale, extent: Extent | None
) -> tuple[pd.Categorical, list[str], list[str]]:
    # with shapely, which most samples do without
    from semanticst.io.regions.annotation import annotated_regions

    drawn = float(row["outline_um_per_px"]) if row.get("outline_um_per_px") else None
    return annotated_regions(Path(row["annotation"]), spatial, outline_scale(drawn, scale.um_per_unit or 0), extent)


def no_counts(why: str, stated: bool) -> str:
    """A warning about whole numbers that are no counts; ``stated``: though the samplesheet says that they are."""
    told = "counts are stated" if stated else "read as continuous; if they are counts, feature_type says so"
    return f"the values are whole numbers and no counts: {why}; {told}. Bring the raw counts"


def _need_features(var: pd.DataFrame, when: str) -> None:
    if len(var) < 2:
        raise ReadError(f"{len(var)} features are left {when}; at least 2 are needed")


def _unique_cells(names: pd.Index) -> pd.Index:
    names = names.astype(str)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise ReadError(f"{len(repeated)} cell ids occur more than once (first: {repeated[0]}); make obs_names unique")
    return names.rename(None)


def _free_names(obs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """``obs`` with columns that the pipeline writes itself renamed to ``input_<name>``, and a note about it."""
    names = {}
    for column in obs.columns:
        if column in RESERVED:
            names[column] = f"input_{column}"
            while names[column] in obs.columns:
                names[column] = f"input_{names[column]}"
    renamed = ", ".join(f"{old} -> {new}" for old, new in names.items())
    return obs.rename(columns=names), f"columns renamed: {renamed}" if names else ""
