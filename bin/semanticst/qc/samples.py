"""Quality control of a bundle of samples."""

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from semanticst.constants import UNS, FeatureType
from semanticst.errors import BadInput, Problem
from semanticst.io.internal import read_sample
from semanticst.io.understood import understood
from semanticst.qc.cell_table import write_cells
from semanticst.qc.cell_types import take_types
from semanticst.qc.map import MAP_ENDING, write_qc_map
from semanticst.qc.sample import check_sample
from semanticst.qc.summary import FAIL
from semanticst.qc.thresholds import QcSettings
from semanticst.threads import in_parallel
from semanticst.writing import write_h5ad, write_json

log = logging.getLogger(__name__)


def check_samples(
    files: Sequence[Path],
    settings: QcSettings,
    stop: bool,
    prefix: str,
    outdir: Path,
    cohort_kind: FeatureType | None = None,
    markers: dict[str, list[str]] | None = None,
    threads: int = 1,
) -> None:
    """Write ``{sample}.qc.h5ad`` for each sample that does not fail, and ``{prefix}.qc.json``.

    For each sample, failed or not, also ``{sample}.qc_cells.csv.gz`` (all cells) and ``{sample}.qc_map.png`` (where
    what was removed lies).

    ``cohort_kind``: what the values of the cohort are, see `check_sample`.

    ``markers``: genes of cell types, which are predicted in samples without a ``cell_type``.

    ``stop``: a sample that fails is bad input. Raises BadInput with the problems of all samples, and writes nothing
    then.

    ``threads``: samples at a time, each in a process of its own (`in_parallel`).
    """
    ordered = sorted(files, key=lambda f: f.name)
    outdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=outdir) as partial:

        def check(number: int) -> dict | list[Problem]:
            # a folder for each file: two may say that they are the same sample
            own = Path(partial) / str(number)
            own.mkdir()
            try:
                return _check_file(ordered[number], settings, own, cohort_kind, markers)
            except BadInput as bad:
                return bad.problems

        problems: list[Problem] = []
        records: dict[str, dict] = {}
        came_from: dict[str, Path] = {}
        for file, found in zip(ordered, in_parallel(check, range(len(ordered)), threads, "samples")):
            if isinstance(found, list):
                problems += found
                continue
            sample = found["sample"]
            if sample in records:
                problems.append(Problem(file, f"{came_from[sample].name} is the same sample", value=sample))
                continue
            records[sample], came_from[sample] = found, file
            if found["status"] == FAIL and stop:
                reason = f"fails quality control: {found['reason']}; lower --qc_min_cells or remove the sample"
                problems.append(Problem(file, reason))
        if problems:
            raise BadInput(problems)
        for done in sorted(Path(partial).glob("*/*")):
            os.replace(done, outdir / done.name)
    write_json(outdir / f"{prefix}.qc.json", [records[sample] for sample in sorted(records)])


def _check_file(
    file: Path,
    settings: QcSettings,
    outdir: Path,
    cohort_kind: FeatureType | None,
    markers: dict[str, list[str]] | None,
) -> dict:
    """Write the files of one sample to ``outdir``; its record."""
    adata = read_sample(file)
    sample = adata.uns[UNS]["sample"]
    clean, record, judged = check_sample(adata, settings, cohort_kind)
    del adata
    if markers and clean is not None:
        told = take_types(clean, markers)
        own = clean.uns[UNS]
        record |= {"markers": told} if told else {}
        record |= {"notes": [str(note) for note in own.get("notes", ())], "understood": understood(own)}
    _log_sample(record)
    if clean is not None:
        write_h5ad(outdir / f"{sample}.qc.h5ad", clean)
    del clean
    write_cells(outdir / f"{sample}.qc_cells.csv.gz", judged)
    write_qc_map(outdir / f"{sample}{MAP_ENDING}", judged, f"{sample}: {record['status']}")
    return record


def _log_sample(record: dict) -> None:
    limits = ", ".join(
        f"{name} {value:.4g} ({record['threshold_sources'][name]})" for name, value in record["thresholds"].items()
    )
    log.log(
        logging.WARNING if record["status"] != "pass" else logging.INFO,
        "%s: %s, %d of %d cells kept%s%s",
        record["sample"], record["status"], record["n_cells_kept"], record["n_cells_input"],
        f"; {limits}" if limits else "", f"; {record['reason']}" if record["reason"] else "",
    )  # fmt: skip
