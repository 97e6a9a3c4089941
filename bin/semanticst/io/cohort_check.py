"""All tables of a cohort together: every problem of every table at once, and the tables that later steps read."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.io.clinical_table import check_agreement, check_clinical
from semanticst.io.contrasts_table import (
    Shortcuts,
    add_shortcuts,
    check_against_variables,
    check_contrasts,
    used_columns,
    variables,
)
from semanticst.io.exclusion import EXCLUDE, exclusion_reason, split_excluded
from semanticst.io.samplesheet import check_samplesheet, checked_frame, restart_frame
from semanticst.tables.delimited import Table
from semanticst.tables.schema import column_names, load_schema
from semanticst.writing import write_json, write_table

log = logging.getLogger(__name__)


def check_cohort(
    sheet_file: Path,
    clinical_file: Path | None,
    contrasts_file: Path | None,
    shortcuts: Shortcuts,
    check_files: bool,
    schema_dir: Path,
    outdir: Path,
    folder: str | None = None,
    missing: Mapping[str, str] | None = None,
) -> None:
    """Check the tables and write ``samplesheet.valid.csv``, ``clinical.valid.csv`` and ``contrasts.valid.csv``.

    Samples that the sheet leaves out are in none of them and count for no contrast. ``samplesheet.used.csv`` has all
    samples and absolute paths, and starts the same run again. ``samplesheet.json`` has the rows for the workflow, whose
    own reader of CSV knows no quotes: ``used`` as in the valid sheet, ``excluded`` with ``exclude``, the reason.

    folder : where the sheet's relative paths start, as an absolute path or address. Default: the folder of the sheet.

    What each contrast needs of them is written once more, by itself: see `write_contrast`.

    ``check_files`` and ``missing``: see `check_samplesheet`.

    Raises BadInput with the problems of all tables; nothing is written then.
    """
    schemas = {name: load_schema(name, schema_dir) for name in ("input", "clinical", "contrasts")}
    problems: list[Problem] = []
    sheet = _collect(problems, "patient", lambda: check_samplesheet(sheet_file, schemas["input"], check_files, missing))
    used, excluded = split_excluded(sheet) if sheet else (None, None)
    clinical = None
    contrasts: Table | None = Table(Path("contrasts.csv"), column_names(schemas["contrasts"]), [], [])
    if clinical_file:
        clinical = _collect(problems, "patient", lambda: check_clinical(clinical_file, schemas["clinical"]))
    if contrasts_file:
        contrasts = _collect(problems, "contrast", lambda: check_contrasts(contrasts_file, schemas["contrasts"]))
    # of a sheet that leaves out everything there is nothing more to say
    compared = used if used and used.rows else None
    if used and excluded and excluded.rows:
        _tell_of_excluded(used, excluded)
    if compared and clinical:
        problems += check_agreement(clinical, compared)
    # where a table could not be used, each of its columns would be reported as unknown
    if compared and contrasts and (clinical or not clinical_file):
        incomplete = {p.row for p in problems if p.file == contrasts.file and p.row is not None}
        add_shortcuts(contrasts, shortcuts)
        problems += check_against_variables(contrasts, variables(compared, clinical), incomplete)
    if problems or sheet is None or used is None or contrasts is None:
        raise BadInput(problems)

    leading = column_names(schemas["contrasts"])
    patients = clinical.frame(["patient"]) if clinical else pd.DataFrame(columns=["patient"])
    sections, questions = checked_frame(used), contrasts.frame(leading)[leading]
    restart = restart_frame(sheet, folder or str(sheet_file.absolute().parent))
    rows = {
        "used": sections.to_dict("records"),
        "excluded": restart[restart[EXCLUDE] != ""].to_dict("records"),
    }
    write_table(outdir / "samplesheet.valid.csv", sections)
    write_table(outdir / "samplesheet.used.csv", restart)
    write_json(outdir / "samplesheet.json", rows)
    write_table(outdir / "clinical.valid.csv", patients)
    write_table(outdir / "contrasts.valid.csv", questions)
    (outdir / "by_contrast").mkdir(exist_ok=True)
    for i in range(len(questions)):
        write_contrast(outdir / "by_contrast", questions.iloc[[i]], patients, sections)
    log.info(
        "%d samples of %d patients, %d contrasts",
        len(used.rows), len({row["patient"] for row in used.rows}), len(contrasts.rows),
    )  # fmt: skip


def _tell_of_excluded(used: Table, excluded: Table) -> None:
    names = "; ".join(f"{row.get('sample', '')} ({exclusion_reason(row)})" for row in excluded.rows)
    log.info("%s leaves out %d of %d samples: %s", excluded.file.name, len(excluded.rows),
             len(excluded.rows) + len(used.rows), names)  # fmt: skip
    patients = {row["patient"] for row in used.rows}
    if gone := sorted({row["patient"] for row in excluded.rows} - patients):
        log.warning("of %d patients no sample is used: %s", len(gone), ", ".join(gone))


def write_contrast(folder: Path, contrast: pd.DataFrame, clinical: pd.DataFrame, sections: pd.DataFrame) -> None:
    """Write ``{contrast}.contrast.csv``, ``.clinical.csv`` and ``.samplesheet.csv``: its row, and the columns it uses.

    A test that is given no more than this is repeated for what concerns it only: not for another contrast, and not for
    a correction in another column.
    """
    row = contrast.iloc[0].to_dict()
    # every contrast is compared with batch, whether it asks for that or not
    used = used_columns(row) | {"batch"}
    tables = {
        "contrast": contrast,
        "clinical": clinical[[c for c in clinical if c == "patient" or c in used]].sort_values("patient"),
        "samplesheet": sections[[c for c in sections if c in ("sample", "patient") or c in used]],
    }
    for name, table in tables.items():
        write_table(folder / f"{row['contrast']}.{name}.csv", table)


def _collect(problems: list[Problem], key: str, check: Callable[[], tuple[Table, list[Problem]]]) -> Table | None:
    """The table, its problems added to the list; None when it cannot be used beside the others."""
    try:
        table, found = check()
    except BadInput as bad:
        table, found = None, bad.problems
    problems += found
    # a table of no contrasts is fine; one without samples or patients has said so already
    usable = table and key in table.columns and (table.rows or key == "contrast")
    return table if usable else None
