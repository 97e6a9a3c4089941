"""Quality part of the report, section by section. ``frame`` is the table of all samples, by sample."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import QC, Column, Section
from semanticst.qc.labels import REASONS, title_of

THINGS = {"visium": "Spots", "st": "Spots", "visium_hd": "Bins", "stereoseq": "Bins", "slideseq": "Beads"}
STATUSES = ("fail", "warn", "pass")
EXCLUDED = "excluded"
MOST_PASSED = 4
"""Maps of samples that passed without a word."""
"""Status of a sample that the samplesheet leaves out: it was not looked at."""
_METRICS = {
    "total_counts": ("Counts", "log10 of the counts of a cell"),
    "n_features": ("Features", "Features seen in a cell"),
    "mito_share": ("Mito. fraction", "Mitochondrial fraction of the counts (pct_counts_mt / 100)"),
    "ribo_share": ("Ribo. fraction", "Fraction of the counts in ribosomal protein genes"),
    "control_share": ("Control fraction", "Fraction of control counts (negative probes, blanks)"),
    "protein_total": ("Protein", "log10 of the sum of the proteins of a cell"),
    "n_proteins": ("Proteins", "Proteins seen in a cell"),
    "isotype_share": ("Isotype fraction", "Fraction of the isotype controls in the proteins"),
    "cell_area": ("Area", "Area of a cell, square micrometres"),
    "cell_density": ("Density", "Cells per 100 x 100 micrometres, or per squared unit of the coordinates"),
}
_EVERY = ("counts", "binary", "onehot", "continuous")
_PROTEIN = ("protein_total", "n_proteins", "isotype_share")
_KINDS = {"n_features": ("counts", "binary"), "cell_area": _EVERY, "cell_density": _EVERY} | dict.fromkeys(
    _PROTEIN, _EVERY
)
"""Kinds of features for which a metric says something; not named: counts only."""
_FORMATS = {"total_counts": "{:,.0f}", "n_features": "{:,.0f}", "cell_area": "{:,.0f}"}
_ASIDE = ("ribo_share", "cell_area", "cell_density")
"""Medians that the table of samples shows when asked to."""
_LIMITS = {
    "min_counts": "Minimum counts",
    "min_features": "Minimum features",
    "max_mito": "Maximum mito. fraction",
    "max_control": "Maximum control fraction",
    "min_area": "Minimum area",
    "max_area": "Maximum area",
}
_SHARES = {
    "local_share": ("Local outliers", "Cells far poorer than the 36 around them, of all cells that are not empty."),
    "dead_share": ("Dead regions", "Cells in connected areas with far fewer counts than the sample."),
    "edge_share": ("Edge artefacts", "Cells in strips along the border that are far poorer than the cells inside."),
}


def summary(frame: pd.DataFrame, left_out: pd.DataFrame) -> str:
    """Samples by status, cells that are used, and patients who are lost, as sentences (names are not escaped).

    left_out : samples that the samplesheet leaves out, by sample, with ``patient``.
    """
    numbers = frame["status"].value_counts()
    words = {"pass": "passed", "warn": "used with a warning", "fail": "failed and left out"}
    parts = [f"{numbers[status]} {words[status]}" for status in reversed(STATUSES) if status in numbers]
    used = frame[frame["status"] != "fail"]
    sentences = [
        f"{_number(len(frame), 'sample')} of {_number(frame['patient'].nunique(), 'patient')}: {', '.join(parts)}.",
        f"{used['n_cells_kept'].sum():,} of {frame['n_cells_input'].sum():,} cells are used.",
    ]
    if len(left_out):
        sentences.append(f"{_number(len(left_out), 'further sample')} excluded in the samplesheet.")
    lost = sorted({*frame["patient"], *left_out["patient"]} - {*used["patient"]})
    if lost:
        sentences.append(f"Without any sample: {_number(len(lost), 'patient')} ({', '.join(lost)}).")
    return " ".join(sentences)


def _number(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def first_to_look_at(frame: pd.DataFrame) -> pd.DataFrame:
    """Samples that need a look first: failed, then with a warning, then those that lost most of their cells."""
    order = frame["status"].map({status: place for place, status in enumerate(STATUSES)})
    return frame.iloc[np.lexsort([_share_kept(frame).to_numpy(), order.to_numpy()])]


def general_section(outdir: Path, frame: pd.DataFrame) -> None:
    """Columns in the table of samples at the top."""
    things = things_of(frame)
    frame = frame.assign(kept=_share_kept(frame))
    columns = {
        "status": Column("QC", "Whether the sample passed quality control; the reasons stand in that part."),
        "n_cells_input": Column(f"{things} in", f"{things} in the input.", "{:,d}"),
        "kept": Column(
            "Kept", "Proportion of the cells that passed quality control.", "{:.1%}", scale="Blues", low=0, high=1
        ),
    }
    multiqc.general_stats(outdir, "qc_general", frame, columns, "QC", place=100)


def failed_section(outdir: Path, frame: pd.DataFrame) -> None:
    """Samples that failed, and what to do; nothing where none did."""
    failed = frame[frame["status"] == "fail"]
    if not len(failed):
        return
    section = Section(
        "qc_failed", QC, "Samples that failed", "These samples are in no table or figure after quality control."
    )
    items = [
        multiqc.emphasised("<b>{name}</b>: {reason}", name=name, reason=reason)
        for name, reason in failed["reason"].items()
    ]
    advice = multiqc.emphasised(
        "Look at the map of the sample below, and at each of its cells in <code>qc/cells/</code>. A sample that is "
        "sound but small or shallow: give its own limits in its row of the samplesheet (<code>qc_min_cells</code>, "
        "<code>qc_min_counts</code>, ...) and run again with <code>-resume</code>. Values that were normalised before: "
        "bring raw counts. A sample that is damaged: repeat it, or write the reason into the column "
        "<code>exclude</code> of the samplesheet."
    )
    multiqc.text(outdir, section, [multiqc.Html("<br>".join(items)), advice])


def excluded_section(outdir: Path, left_out: pd.DataFrame) -> None:
    """Samples that the samplesheet leaves out, with the reason; nothing where there are none."""
    if not len(left_out):
        return
    section = Section(
        "qc_excluded",
        QC,
        "Samples excluded in the samplesheet",
        multiqc.emphasised(
            "The column <code>exclude</code> of the samplesheet gives a reason for leaving out these samples. Their "
            "files were not read, and they are in no table, figure or test."
        ),
    )
    columns = {"patient": Column("Patient"), "batch": Column("Batch"), "reason": Column("Reason")}
    multiqc.table(outdir, section, left_out, columns)


def status_section(outdir: Path, frame: pd.DataFrame, left_out: pd.DataFrame, swaps_not_checked: str = "") -> None:
    """The table of samples with their reasons. swaps_not_checked : why swaps between patients cannot be told."""
    swaps = f" Swaps of sections between patients were not checked: {swaps_not_checked}." if swaps_not_checked else ""
    counted = (frame["feature_type"] == "counts").any()
    things = things_of(frame)
    columns = {
        "patient": Column("Patient"),
        "platform": Column("Platform"),
        "status": Column("Status", "pass: used. warn: used, but deserves a look. fail: not used."),
        "reason": Column("Reason"),
        "n_cells_input": Column(f"{things} in", f"{things} in the input.", "{:,d}"),
        "n_cells_kept": Column(f"{things} kept", f"{things} that passed all thresholds.", "{:,d}"),
    }
    columns |= {
        f"removed_{name}": Column(
            f"{title_of(name, counted)} (removed)",
            "Cells beyond this limit; a cell may be beyond several.",
            "{:,d}",
            hidden=True,
        )
        for name in REASONS
    }
    columns |= {name: Column(title, text, "{:.1%}") for name, (title, text) in _SHARES.items()}
    columns |= {
        f"median_{name}": Column(
            f"{title} (median)", "Median over the cells kept.", _FORMATS.get(name, "{:.3g}"), hidden=name in _ASIDE
        )
        for name, (title, _) in _METRICS.items()
        if counted or name in ("n_features", *_PROTEIN)
    }
    columns = {key: column for key, column in columns.items() if key in frame and _varies(frame[key])}
    section = Section(
        "qc_status",
        QC,
        "Samples that were used",
        multiqc.emphasised(
            "{summary} Samples that need a look come first. More columns can be switched on "
            "under <i>Configure columns</i>; the whole table is <code>qc/qc.csv</code>.{swaps}",
            summary=summary(frame, left_out),
            swaps=swaps,
        ),
        help=multiqc.emphasised(
            "Thresholds are set for each sample from its own cells unless they were given, so that a sample with low "
            "depth is not emptied by the limits of another. A sample that fails is left out of all that follows. "
            "Cells are flagged for their place (local outliers, dead regions, edge artefacts) and not removed for it, "
            "unless <code>--qc_remove</code> asked for it."
        ),
    )
    multiqc.table(outdir, section, first_to_look_at(frame), columns)


def limits_section(outdir: Path, frame: pd.DataFrame, limits: pd.DataFrame) -> None:
    """Each sample's thresholds, where they come from and how many cells they cost."""
    given = limits.dropna(subset="value") if len(limits) else limits
    if not len(given):
        return
    place = {name: i for i, name in enumerate(first_to_look_at(frame).index)}
    given = given[given["sample"].isin(place)]
    given = given.sort_values("sample", key=lambda names: names.map(place), kind="stable")
    rows = [f"{row.sample}, {_LIMITS.get(row.limit, row.limit)}" for row in given.itertuples()]
    shown = given.assign(value=given["value"].map(_short)).set_index(pd.Index(rows))
    section = Section(
        "qc_limits",
        QC,
        "Thresholds",
        multiqc.emphasised(
            "Each threshold of each sample, where it comes from, and what it removed. <i>median - 5 MADs</i>: from "
            "the sample itself. <i>floor</i>, <i>lowest limit</i>, <i>default</i>: of the platform, where the "
            "sample's own would be too lax. <i>given</i>: for the run. <i>samplesheet</i>: for this sample. As a "
            "table: <code>qc/qc_thresholds.csv</code>."
        ),
    )
    columns = {
        "value": Column("Value", "Cells beyond it are removed"),
        "source": Column("Source"),
        "n_beyond": Column("Removed", "Cells beyond this threshold; a cell may be beyond several", "{:,d}"),
        "n_beyond_only": Column("By this only", "Cells that no other threshold would have removed", "{:,.0f}"),
    }
    multiqc.table(outdir, section, shown, columns, "Sample, threshold")


def removed_section(outdir: Path, frame: pd.DataFrame) -> None:
    """Bars of cells that are used and removed."""
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
    multiqc.bars(outdir, section, cells.to_dict("index"), y=things_of(frame), colours=colours, percent_first=False)


def box_section(outdir: Path, records: list[dict]) -> None:
    """Box plots of each metric over the cohort, from the quantiles of the samples."""
    data, axes = {}, {}
    for name, (title, axis) in _METRICS.items():
        boxes = {}
        for record in records:
            values = record.get("quantiles", {}).get("input", {}).get(name)
            if values and record["feature_type"] in _KINDS.get(name, ("counts",)):
                boxes[record["sample"]] = _box(values, logarithm=name in ("total_counts", "protein_total"))
        if boxes:
            data[title], axes[title] = boxes, axis
    if not data:
        return
    section = Section(
        "qc_metrics",
        QC,
        "Metrics per cell",
        "All cells of the input, one box per sample: the box holds the middle half of the cells, the line in it is the "
        "median, the whiskers end at the 1st and the 99th percentile.",
        help="Samples of one kind should look alike. Look for a sample whose box lies apart from the others, and for "
        "batches that differ as a whole.",
    )
    multiqc.boxes(outdir, section, data, axes)


def _box(values: dict[str, float], logarithm: bool) -> dict[str, float]:
    ends = {"min": "q01", "q1": "q25", "median": "q50", "q3": "q75", "max": "q99"}
    return {end: float(np.log10(max(values[q], 1))) if logarithm else float(values[q]) for end, q in ends.items()}


def curve_sections(outdir: Path, records: list[dict]) -> None:
    """Curves of counts and features, one per sample."""
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


def map_section(outdir: Path, frame: pd.DataFrame, maps: dict[str, Path], most: int) -> None:
    """Maps of what was removed and flagged, of the samples that need a look first. maps : sample -> PNG.

    Samples that passed whole and without a flag are left out.
    """
    shown = frame[frame.index.isin(maps)]
    # a map of nothing but grey says nothing
    flagged = shown.reindex(columns=list(_SHARES)).fillna(0).gt(0).any(axis=1)
    shown = shown[(shown["status"] != "pass") | (shown["n_cells_kept"] < shown["n_cells_input"]) | flagged]
    shown = first_to_look_at(shown)
    # of samples that passed a few say it all: what a reader came for is further down
    whole = (shown["status"] == "pass") & (shown["reason"].fillna("") == "")
    chosen = shown[~whole | (whole.cumsum() <= MOST_PASSED)].iloc[:most]
    if not len(chosen):
        return
    pictures = [
        (f"{name}: {status}{f', {reason}' if reason else ''}", maps[name])
        for name, status, reason in zip(chosen.index, chosen["status"], chosen["reason"])
    ]
    told = (
        "All samples."
        if len(chosen) == len(maps)
        else f"The {len(chosen)} of {len(maps)} with warnings or the largest losses."
    )
    section = Section(
        "qc_maps",
        QC,
        "Filtered cells",
        multiqc.emphasised(
            f"{told} Every cell of the input is drawn once: grey when it passed, else in the colour of the "
            "reason; the legend counts all cells with that reason. In full size and for all samples: "
            "<code>qc/maps/</code>."
        ),
        help="Removed cells should lie scattered, or on debris and folds. Those that trace an anatomical structure are "
        "tissue of another kind: lower the limit for this sample. Straight lines and rectangles are fields of view.",
    )
    multiqc.gallery(outdir, section, pictures)


def understood_section(outdir: Path, records: list[dict]) -> None:
    """What each sample was read as, what was left out of it, and what else was decided."""
    rows = {}
    for record in records:
        told = record.get("understood")
        if told:
            size = {"n_cells_input": record["n_cells_input"], "n_features": record.get("n_features")}
            size |= {f"n_{what}_left_out": n or None for what, n in record.get("left_out", {}).items()}
            rows[record["sample"]] = {**told, **size}
    if not rows:
        return
    section = Section(
        "qc_notes",
        QC,
        "What was read",
        multiqc.emphasised(
            "How the files were understood. A wrong word here is a wrong result later: the columns "
            "<code>feature_type</code>, <code>spatial_unit</code>, <code>um_per_px</code>, <code>platform</code> and "
            "<code>table</code> of the samplesheet correct it."
        ),
    )
    columns = {
        "format": Column("Format"),
        "matrix": Column("Matrix", "File, or part of the object, that the values are from."),
        "values": Column("Values", "Kind of the values, and how it was known."),
        "unit": Column("Coordinates", "Unit of the coordinates, and how it was known."),
        "n_cells_input": Column("Cells", "Cells, spots or bins that were read.", "{:,d}"),
        "n_features": Column("Features", "Features that were read, without controls.", "{:,d}"),
        "proteins": Column("Proteins", "Proteins that were measured beside the genes, and what their values are."),
        "n_cells_left_out": Column("Cells left out", "Of the input, before quality control.", "{:,.0f}"),
        "n_features_left_out": Column("Features left out", "Controls, guides, features without a name.", "{:,.0f}"),
        "left_out": Column("Left out", "What the input has and the analysis does not use."),
        "notes": Column("Notes", "What else was decided."),
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    columns = {key: column for key, column in columns.items() if key in frame and _varies(frame[key])}
    multiqc.table(outdir, section, frame, columns)


def things_of(frame: pd.DataFrame) -> str:
    """What a row of the matrices is, in a word: cells where platforms differ or nothing is known."""
    kinds = {THINGS.get(str(platform), "Cells") for platform in frame["platform"]}
    return kinds.pop() if len(kinds) == 1 else "Cells"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _varies(column: pd.Series) -> bool:
    """Whether a column of the table has any value, other than that nothing was removed."""
    given = column.notna() & (column != "")
    if str(column.name).startswith("removed_"):
        given &= column != 0
    return bool(given.any())


def _share_kept(frame: pd.DataFrame) -> pd.Series:
    return frame["n_cells_kept"] / frame["n_cells_input"].clip(lower=1)
