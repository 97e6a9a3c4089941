"""Quality control of the whole cohort: its tables, and its part of the report."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.qc.cell_types import check_markers
from semanticst.qc.map import MAP_ENDING
from semanticst.qc.mix_ups import mix_ups, swaps_not_checked
from semanticst.qc.summary import PASS, WARN
from semanticst.report.qc_sections import (
    EXCLUDED,
    box_section,
    curve_sections,
    excluded_section,
    failed_section,
    general_section,
    limits_section,
    map_section,
    removed_section,
    status_section,
    summary,
    understood_section,
)
from semanticst.writing import write_table

log = logging.getLogger(__name__)

_EXCLUDED = ["sample", "patient", "batch", "platform", "exclude"]
_KEYS = ("sample", "patient", "status", "reason", "n_cells_input", "n_cells_kept", "removed", "thresholds")


def report_qc(
    files: Sequence[Path],
    outdir: Path,
    maps: Sequence[Path] = (),
    n_maps: int = 12,
    excluded: Path | None = None,
    sexes: Path | None = None,
) -> None:
    """Write ``qc.csv`` (one row per sample), ``qc_thresholds.csv`` and the quality part of the report into ``outdir``.

    files : ``*.qc.json`` of ``sample_qc.py``, in any order. maps : its ``*.qc_map.png``, of which the ``n_maps`` that
    need a look first go into the report. excluded : JSON list of samples that the samplesheet leaves out, with
    ``sample``, ``patient``, ``batch``, ``platform`` and ``exclude``, the reason.

    sexes : JSON, patient -> female or male, where the tables tell it. Samples that may be mixed up get a warning.

    Raises BadInput when one cannot be read or lacks a key, when a sample appears twice, and when no sample has any of
    the markers by which cell types were to be predicted.
    """
    found = read_records(files)
    check_markers(found)
    records = warned(found, json.loads(sexes.read_text()) if sexes else {})
    left_out = read_excluded(excluded)
    frame = qc_table(records)
    limits = threshold_table(records)
    write_table(outdir / "qc.csv", with_excluded(frame, left_out))
    write_table(outdir / "qc_thresholds.csv", limits)
    frame = frame.set_index("sample")
    general_section(outdir, frame)
    failed_section(outdir, frame)
    excluded_section(outdir, left_out)
    why = swaps_not_checked(records)
    status_section(outdir, frame, left_out, why)
    limits_section(outdir, frame, limits)
    removed_section(outdir, frame)
    box_section(outdir, records)
    curve_sections(outdir, records)
    map_section(outdir, frame, {Path(png).name.removesuffix(MAP_ENDING): Path(png) for png in maps}, n_maps)
    understood_section(outdir, records)
    log.info(summary(frame, left_out))
    if why:
        log.info("swaps of sections between patients were not checked: %s", why)


def warned(records: list[dict], sexes: dict[str, str]) -> list[dict]:
    """The records, those of samples that may be mixed up with a warning and its reason."""
    found = mix_ups(records, sexes)
    return [_with_reasons(record, found.get(record["sample"], [])) for record in records]


def _with_reasons(record: dict, more: list[str]) -> dict:
    if not more:
        return record
    log.warning("%s: %s", record["sample"], "; ".join(more))
    reason = "; ".join(text for text in (record["reason"], *more) if text)
    return record | {"status": WARN if record["status"] == PASS else record["status"], "reason": reason}


def read_excluded(path: Path | None) -> pd.DataFrame:
    """Samples that the samplesheet leaves out, by sample: patient, batch, platform, status (excluded) and reason."""
    try:
        rows = json.loads(path.read_text()) if path else []
        table = pd.DataFrame([{key: row[key] for key in _EXCLUDED} for row in rows], columns=_EXCLUDED, dtype=str)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"cannot be read ({error!r}); expected a list with {', '.join(_EXCLUDED)} of each sample"
        raise BadInput(Problem(path or "excluded", message)) from error
    return table.rename(columns={"exclude": "reason"}).assign(status=EXCLUDED).set_index("sample").sort_index()


def with_excluded(frame: pd.DataFrame, left_out: pd.DataFrame) -> pd.DataFrame:
    """The table of samples with rows for those that were left out, which have no numbers."""
    if not len(left_out):
        return frame
    whole = {name: "Int64" for name in frame if pd.api.types.is_integer_dtype(frame[name])}
    return pd.concat([frame.astype(whole), left_out.reset_index()]).sort_values("sample", ignore_index=True)


def read_records(files: Sequence[Path]) -> list[dict]:
    """Read the records of all samples, sorted by sample."""
    records: dict[str, dict] = {}
    problems = []
    for file in sorted(files):
        try:
            content = json.loads(Path(file).read_text())
        except (OSError, ValueError) as error:
            problems.append(Problem(file, f"cannot be read ({error})"))
            continue
        if not isinstance(content, list):
            problems.append(Problem(file, "expected a list with one record per sample"))
            continue
        for record in content:
            missing = [key for key in _KEYS if key not in record]
            if missing:
                problems.append(Problem(file, f"a record lacks {', '.join(missing)}", value=record.get("sample")))
            elif record["sample"] in records:
                problems.append(Problem(file, "this sample has more than one record", value=record["sample"]))
            else:
                records[record["sample"]] = record
    if problems:
        raise BadInput(problems)
    if not records:
        raise BadInput(Problem("quality control", "there is no sample"))
    return [records[sample] for sample in sorted(records)]


def qc_table(records: list[dict]) -> pd.DataFrame:
    """One row per sample: status, cells, what was removed at which threshold (columns only where any sample has them),
    shares of cells that were flagged for their place, and medians over the cells that were kept."""
    rows = []
    for record in records:
        row = {key: record.get(key, "") for key in ("sample", "patient", "batch", "platform", "feature_type")}
        row |= {key: record[key] for key in ("study_part",) if key in record}
        row |= {key: record[key] for key in ("status", "reason", "n_cells_input", "n_cells_kept")}
        row["n_features"] = record.get("n_features")
        row |= {f"n_{what}_left_out": n for what, n in record.get("left_out", {}).items() if n}
        row |= {f"removed_{name}": n for name, n in record["removed"].items() if name != "total"}
        row |= {f"threshold_{name}": value for name, value in record["thresholds"].items()}
        row |= {f"{name}_share": found["share"] for name, found in record.get("spatial", {}).items()}
        kept = record.get("quantiles", {}).get("kept", {})
        row |= {f"median_{name}": values.get("q50") for name, values in kept.items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    # samples differ in what they have: columns of one kind stay together
    kinds = ("removed_", "threshold_", "local_share", "dead_share", "edge_share", "median_")
    place = {name: next((i for i, kind in enumerate(kinds, 1) if name.startswith(kind)), 0) for name in table}
    return table[sorted(table, key=lambda name: place[name])]


def threshold_table(records: list[dict]) -> pd.DataFrame:
    """One row per sample and reason for removal: ``limit`` with its ``value`` and ``source``, cells before, beyond it,
    beyond it and no other, and left when all are applied."""
    rows = []
    for record in records:
        for name, beyond in record["removed"].items():
            if name == "total":
                continue
            rows.append(
                {
                    "sample": record["sample"],
                    "limit": name,
                    "value": record["thresholds"].get(name),
                    "source": record.get("threshold_sources", {}).get(name, ""),
                    "n_cells_input": record["n_cells_input"],
                    "n_beyond": beyond,
                    "n_beyond_only": record.get("removed_only", {}).get(name),
                    "n_cells_kept": record["n_cells_kept"],
                }
            )
    return pd.DataFrame(rows)
