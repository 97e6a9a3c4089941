"""Summary of a run: ``summary.json`` and the first page of the report."""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from semanticst.report.batches import batch_section, batch_table, own_batches, several_batches
from semanticst.report.overview_maps import overview_section
from semanticst.report.summary_facts import leading, read_inputs, summarise
from semanticst.report.summary_figures import draw_summary
from semanticst.report.summary_page import write_page
from semanticst.writing import write_json

log = logging.getLogger(__name__)


def write_summary(
    qc: Path,
    outdir: Path,
    described: Path | None = None,
    associations: Path | None = None,
    explorer: bool = False,
    n_maps: int = 12,
    mapped: bool = False,
    corrected: bool = True,
) -> None:
    """Write ``summary.json``, and sections of the report: the first page, maps of ``n_maps`` sections, batches.

    qc : ``qc.csv``. described : folder with ``niche_overview.csv``, ``niche_counts.csv`` and ``niches.csv.gz``, or None
    where the run ended before. associations : folder with ``{contrast}.association.json``, or None.
    explorer : whether the run has one, to which findings lead. mapped : whether samples were mapped onto a model.
    corrected : whether batches were corrected for.

    Raises BadInput when one of them cannot be read or lacks what is needed.
    """
    inputs = read_inputs(qc, described, associations, mapped)
    caution = own_batches(inputs.qc, corrected, mapped)
    if caution:
        # a run that ended with quality control has no section of batches
        section = "qc_status" if described is None else "batches"
        inputs = replace(inputs, cautions=[*inputs.cautions, {"text": caution, "section": section}])
    summary = summarise(inputs)
    if described is not None:
        batch_section(outdir, batch_table(inputs.qc, inputs.records), caution, several_batches(inputs.qc))
    write_json(outdir / "summary.json", summary)
    first = leading(summary["contrasts"])
    record = next((r for r in inputs.records if first and r["contrast"]["name"] == first["contrast"]), None)
    niches, counts = _file(described, "niches.csv.gz"), _file(described, "niche_counts.csv")
    table = pd.read_csv(counts, dtype={"sample": str, "patient": str}, keep_default_na=False) if counts else None
    if niches is not None and table is not None:
        overview_section(outdir, niches, table, record, n_maps, inputs.supported)
    with tempfile.TemporaryDirectory() as folder:
        write_page(outdir, summary, draw_summary(Path(folder), summary, record, niches, table), explorer)
    log.info("%s %s", summary["text"]["cohort"], summary["text"]["findings"])


def _file(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder and (folder / name).is_file() else None
