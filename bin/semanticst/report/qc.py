"""Quality control of the whole cohort: one table, and its part of the report."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.report import multiqc
from semanticst.report.multiqc import QC, Column, Section
from semanticst.writing import write_table

log = logging.getLogger(__name__)

STATUSES = ("fail", "warn", "pass")
_KEYS = ("sample", "patient", "status", "reason", "n_cells_input", "n_cells_kept", "removed", "thresholds")
_REMOVED = {
    "empty": "Without any count",
    "min_counts": "Few counts",
    "min_features": "Few features",
    "max_mito": "High mitochondrial share",
}
_LIMITS = {"min_counts": "Fewest counts", "min_features": "Fewest features", "max_mito": "Largest mito. share"}
_MEDIANS = {"total_counts": "Counts", "n_features": "Features", "mito_share": "Mito. share"}


def report_qc(files: list[Path], outdir: Path) -> None:
    """Write ``qc.csv`` (one row per sample) and the quality part of the report into ``outdir``.

    files : ``*.qc.json`` of ``sample_qc.py``, in any order.

    Raises BadInput when one cannot be read or lacks a key, or when a sample appears twice.
    """
    records = read_records(files)
    frame = qc_table(records)
    write_table(outdir / "qc.csv", frame)
    frame = frame.set_index("sample")
    _general(outdir, frame)
    _status(outdir, frame)
    _removed(outdir, frame)
    _histograms(outdir, records)
    log.info(_summary(frame))


def read_records(files: list[Path]) -> list[dict]:
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
    and medians over the cells that were kept."""
    rows = []
    for record in records:
        row = {key: record.get(key, "") for key in ("sample", "patient", "batch", "platform", "feature_type")}
        row |= {key: record[key] for key in ("status", "reason", "n_cells_input", "n_cells_kept")}
        row["n_features"] = record.get("n_features")
        row |= {f"removed_{name}": n for name, n in record["removed"].items() if name != "total"}
        row |= {f"threshold_{name}": value for name, value in record["thresholds"].items()}
        kept = record.get("quantiles", {}).get("kept", {})
        row |= {f"median_{name}": kept.get(name, {}).get("q50") for name in _MEDIANS}
        rows.append(row)
    return pd.DataFrame(rows)


def _general(outdir: Path, frame: pd.DataFrame) -> None:
    frame = frame.assign(kept=_share_kept(frame))
    columns = {
        "status": Column("QC", "Whether the sample passed quality control; the reasons stand in that part."),
        "n_cells_input": Column("Cells in", "Cells (or spots) in the input.", "{:,d}"),
        "kept": Column(
            "Kept", "Share of the cells that passed quality control.", "{:.1%}", scale="Blues", low=0, high=1
        ),
    }
    multiqc.general_stats(outdir, "qc_general", frame, columns, "QC", place=100)


def _status(outdir: Path, frame: pd.DataFrame) -> None:
    # what needs a look comes first
    order = frame["status"].map({status: place for place, status in enumerate(STATUSES)})
    frame = frame.iloc[np.argsort(order.to_numpy(), kind="stable")]
    columns = {
        "patient": Column("Patient"),
        "status": Column("Status", "pass: used. warn: used, but deserves a look. fail: not used."),
        "reason": Column("Reason"),
        "n_cells_input": Column("Cells in", "Cells (or spots) in the input.", "{:,d}"),
        "n_cells_kept": Column("Cells kept", "Cells that passed all thresholds.", "{:,d}"),
    }
    columns |= {
        f"removed_{name}": Column(title, "Cells beyond this limit; a cell may be beyond several.", "{:,d}")
        for name, title in _REMOVED.items()
    }
    columns |= {
        f"threshold_{name}": Column(title, "Threshold for this sample.", "{:.3g}", hidden=True)
        for name, title in _LIMITS.items()
    }
    counted = (frame["feature_type"] == "counts").any()
    columns |= {
        f"median_{name}": Column(f"{title} (median)", "Median over the cells kept.", "{:.3g}")
        for name, title in _MEDIANS.items()
        if counted or name == "n_features"
    }
    columns = {key: column for key, column in columns.items() if key in frame and _says_something(frame[key])}
    section = Section(
        "qc_status",
        QC,
        "Samples that were used",
        f"{_summary(frame)} Samples that need a look come first. Thresholds can be switched on under "
        "<i>Configure columns</i>; the whole table is <code>qc/qc.csv</code>.",
        help="Thresholds are set for each sample from its own cells unless they were given, so that a sample with low "
        "depth is not emptied by the limits of another. A sample that fails is left out of all that follows.",
    )
    multiqc.table(outdir, section, frame, columns)


def _removed(outdir: Path, frame: pd.DataFrame) -> None:
    kept, removed = frame["n_cells_kept"], frame["n_cells_input"] - frame["n_cells_kept"]
    failed = frame["status"] == "fail"
    cells = pd.DataFrame(
        {
            "used": kept.where(~failed, 0),
            "removed": removed,
            "in a sample that failed": kept.where(failed, 0),
        }
    )
    colours = {"used": "#0072B2", "removed": "#BDBDBD", "in a sample that failed": "#D55E00"}
    section = Section("qc_removed", QC, "Cells that were used", "One bar per sample.")
    multiqc.bars(outdir, section, cells.to_dict("index"), y="Cells", colours=colours, percent_first=False)


def _histograms(outdir: Path, records: list[dict]) -> None:
    figures = {
        "log10_total_counts": ("qc_counts", "Counts per cell", "log10 of the counts of a cell", ("counts",)),
        "n_features": ("qc_features", "Features per cell", "Features seen in a cell", ("counts", "binary")),
    }
    for name, (section_id, title, x, kinds) in figures.items():
        curves = {
            record["sample"]: density(record["histograms"][name], whole=name == "n_features")
            for record in records
            if record.get("feature_type") in kinds and name in record.get("histograms", {})
        }
        if not curves:
            continue
        section = Section(
            section_id,
            QC,
            title,
            "One curve per sample, all cells of the input. Samples of one kind should look alike: a curve far to the "
            "left is a sample of low quality or of another depth.",
        )
        multiqc.lines(outdir, section, curves, x=x, y="Density of cells")


def density(histogram: dict, whole: bool) -> dict[float, float]:
    """Return bin centre -> share of cells per unit: samples differ in size and in the width of their bins.

    ``whole``: the values are whole numbers, and a bin is as wide as the number of them that it can hold. Otherwise the
    curve of a small panel would be a comb, for its bins hold now one number, now two, now none.
    """
    edges, cells = np.array(histogram["edges"], dtype=float), np.array(histogram["input"], dtype=float)
    centre, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    if whole:
        first, last = np.ceil(edges[:-1]), np.ceil(edges[1:]) - 1
        # the last bin has both its ends
        last[-1] = np.floor(edges[-1])
        centre, width = (first + last) / 2, last - first + 1
    some = width > 0
    share = cells[some] / max(cells.sum(), 1) / width[some]
    return dict(zip(centre[some].tolist(), share.tolist()))


def _says_something(column: pd.Series) -> bool:
    """Whether a column of the table has any value, other than that nothing was removed."""
    given = column.notna() & (column != "")
    if str(column.name).startswith("removed_"):
        given &= column != 0
    return bool(given.any())


def _share_kept(frame: pd.DataFrame) -> pd.Series:
    return frame["n_cells_kept"] / frame["n_cells_input"].clip(lower=1)


def _summary(frame: pd.DataFrame) -> str:
    numbers = frame["status"].value_counts()
    words = {"pass": "passed", "warn": "used with a warning", "fail": "failed and left out"}
    parts = [f"{numbers[status]} {words[status]}" for status in reversed(STATUSES) if status in numbers]
    used = frame[frame["status"] != "fail"]
    return (
        f"{len(frame)} samples of {frame['patient'].nunique()} patients: {', '.join(parts)}. "
        f"{used['n_cells_kept'].sum():,} of {frame['n_cells_input'].sum():,} cells are used."
    )
