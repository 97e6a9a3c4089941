"""All tables of a cohort together: every problem of every table at once, and the tables that later steps read."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from semanticst.association.design.batch import BatchCheck
from semanticst.association.design.cautions import pooled_columns
from semanticst.association.design.design import Design, contrast_problems
from semanticst.association.design.publication import Publication, Tables, pseudonymised, write_published
from semanticst.association.design.region_parts import is_by_region, split_by_region
from semanticst.association.design.tables import Contrast, contrast_columns, contrast_of, join_sections, tidied
from semanticst.association.stats.design_as_tested import design_as_tested, untestable
from semanticst.constants import DISCOVERY, VALIDATION
from semanticst.errors import BadInput, Problem, ReadError
from semanticst.io.clinical_table import check_agreement, check_clinical, sexes_of
from semanticst.io.contrasts_table import Shortcuts, add_shortcuts, check_against_variables, check_contrasts, variables
from semanticst.io.exclusion import EXCLUDE, exclusion_reason, split_excluded
from semanticst.io.regions.region_names import spelled_alike, told
from semanticst.io.samplesheet import STUDY_PART, check_samplesheet, checked_frame, restart_frame
from semanticst.tables.delimited import Table
from semanticst.tables.schema import column_names, load_schema
from semanticst.tables.spellings import variable_value
from semanticst.wording import plural
from semanticst.writing import write_json, write_table

log = logging.getLogger(__name__)

OF_ROW = ("reference", "target", "levels", "event_value", "subset")
"""Columns of a contrast that hold values and not names of columns."""


@dataclass
class ContrastCheck:
    """One contrast before a run: its design as the test will make it, or None and why not.

    Where the sheet states parts of the study, a contrast has one for each ``part``; what is wrong with the validation
    alone is no problem of the tables, but why it is ``not_tested``.
    """

    row: dict[str, str]
    part: str = ""
    design: Design | None = None
    batch: BatchCheck = field(default_factory=BatchCheck)
    problems: list[Problem] = field(default_factory=list)
    not_tested: str = ""

    @property
    def name(self) -> str:
        """Of the contrast, with the part of the study where there are two."""
        return f"{self.row['contrast']}, {self.part}" if self.part else self.row["contrast"]


@dataclass
class CheckedCohort:
    """The tables of a cohort as far as they can be used, and every problem.

    Attributes
    ----------
    sheet, used, excluded
        All samples, those that are used, and those that the sheet leaves out; None when it cannot be read.
    clinical, contrasts
        None when there is none, or it cannot be used.
    checks
        Every contrast that can be looked at.
    problems
        Of all tables.
    """

    sheet: Table | None
    used: Table | None
    excluded: Table | None
    clinical: Table | None
    contrasts: Table | None
    checks: list[ContrastCheck]
    problems: list[Problem]

    @property
    def sections(self) -> pd.DataFrame:
        """The samples that are used, as later steps read them."""
        return checked_frame(self.used) if self.used else pd.DataFrame(columns=["sample", "patient"])

    @property
    def patients(self) -> pd.DataFrame:
        """The clinical table as later steps read it."""
        return self.clinical.frame(["patient"]) if self.clinical else pd.DataFrame(columns=["patient"])


def read_cohort(
    sheet_file: Path,
    clinical_file: Path | None,
    contrasts_file: Path | None,
    shortcuts: Shortcuts,
    check_files: bool,
    schema_dir: Path,
    missing: Mapping[str, str] | None = None,
) -> CheckedCohort:
    """Read and check the tables, and make the design of each contrast as the test will make it.

    Parameters as of `check_cohort`. Problems are collected, not raised.
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
    cohort = CheckedCohort(sheet, used, excluded, clinical, contrasts, [], problems)
    # where a table could not be used, each of its columns would be reported as unknown
    if compared and contrasts and (clinical or not clinical_file):
        add_shortcuts(contrasts, shortcuts)
        incomplete = {p.row for p in problems if p.file == contrasts.file and p.row is not None}
        whole = check_against_variables(contrasts, variables(compared, clinical), incomplete)
        parts = [(part, check_against_variables(contrasts, variables(of_part, clinical), incomplete))
                 for part, of_part in _study_parts(compared).items()]  # fmt: skip
        for i, (row, line, found) in enumerate(whole):
            for part, of_part in parts:
                check = ContrastCheck(row, part, problems=list(found or of_part[i][2]))
                _make_design(check, contrasts.file, line, cohort)
                if part == VALIDATION and not found:
                    check.not_tested, check.problems = "; ".join(p.message for p in check.problems), []
                problems += [problem for problem in check.problems if problem not in problems]
                cohort.checks.append(check)
    return cohort


def _study_parts(used: Table) -> dict[str, Table]:
    """Samples of each part of the study, which are tested one by one; all, without a name, where there are no two:
    that a sheet is all of the validation is told of the sheet, not of each contrast again."""
    lines = {part: [i for i, row in enumerate(used.rows) if row.get(STUDY_PART) == part]
             for part in (DISCOVERY, VALIDATION)}  # fmt: skip
    if not all(lines.values()):
        return {"": used}
    return {
        part: replace(used, rows=[used.rows[i] for i in own], lines=[used.lines[i] for i in own])
        for part, own in lines.items()
    }


def _make_design(check: ContrastCheck, file: Path, line: int, cohort: CheckedCohort) -> None:
    """Design and batch as the test itself will make them, of the same columns; or what is wrong with the contrast."""
    log.info("contrast %s", check.name)
    try:
        contrast = contrast_of(check.row, file, line)
        own = cohort.sections
        if check.part:
            own = own[own[STUDY_PART] == check.part]
        whole = _sections(cohort.patients, own)
        if is_by_region(contrast, whole) and _regions(cohort) is None:
            log.warning("contrast %s: its regions are seen when the outlines are read, in the run", contrast.name)
            return
        found = contrast_problems(contrast, _by_region(contrast, whole, cohort))
        if check.problems:
            # columns and their values have been judged, cell by cell; what is left is what the row itself says
            check.problems += [p for p in found if p.column in OF_ROW or str(p.file).startswith("--")]
        elif found:
            check.problems += found
        else:
            sections = _by_region(contrast, _sections(*used_columns(contrast, cohort.patients, own)), cohort)
            _, design, check.batch = design_as_tested(contrast, sections)
            check.design = replace(design, untestable=untestable(design))
    except BadInput as bad:
        check.problems += bad.problems


def _by_region(contrast: Contrast, sections: pd.DataFrame, cohort: CheckedCohort) -> pd.DataFrame:
    """Parts of sections, where the contrast is one of annotated regions, going by the outlines; else the sections."""
    if not is_by_region(contrast, sections):
        return sections
    regions = _regions(cohort)
    return split_by_region(sections, regions) if regions else sections


def _regions(cohort: CheckedCohort) -> dict[str, list[str]] | None:
    """Names of the outlines of each sample with an annotation; empty where no sample has one, None where a file of
    them is not at hand. Raises BadInput when one is none."""
    if cohort.used is None:
        return {}
    rows = [(line, row) for line, row in zip(cohort.used.lines, cohort.used.rows) if row.get("annotation")]
    folder = cohort.used.file.resolve().parent
    if not all((folder / row["annotation"]).is_file() for _, row in rows):
        return None
    from semanticst.io.regions.annotation import region_names  # with shapely, which most checks do without

    found = {}
    for line, row in rows:
        try:
            found[row["sample"]] = region_names(folder / row["annotation"])
        except ReadError as error:
            # as the sheet itself is told of it, so that it is told once
            raise BadInput(Problem(cohort.used.file, str(error), line, "annotation", row["annotation"])) from None
    if renamed := spelled_alike(found):
        log.warning("%s: %s", cohort.used.file.name, told(renamed))
    return {sample: sorted({renamed.get(name, name) for name in names}) for sample, names in found.items()}


def _sections(clinical: pd.DataFrame, sheet: pd.DataFrame) -> pd.DataFrame:
    """As ``read_sections`` makes them, also of tables that have problems: of repeated rows the first counts."""
    sheet = tidied(sheet).dropna(subset=["sample", "patient"]).drop_duplicates("sample")
    clinical = tidied(clinical).dropna(subset=["patient"]).drop_duplicates("patient")
    return join_sections(sheet.set_index("sample").sort_index(), clinical.set_index("patient"))


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
    publication: Publication | None = None,
) -> None:
    """Check the tables and write ``samplesheet.valid.csv``, ``clinical.valid.csv`` and ``contrasts.valid.csv``.

    Samples that the sheet leaves out are in none of them and count for no contrast. ``samplesheet.used.csv`` has all
    samples and absolute paths, and starts the same run again. ``samplesheet.json`` has the rows for the workflow, whose
    own reader of CSV knows no quotes: ``used`` as in the valid sheet, ``excluded`` with ``exclude``, the reason,
    and ``sexes`` of the patients as far as a table tells them.

    folder : where the sheet's relative paths start, as an absolute path or address. Default: the folder of the sheet.

    What each contrast needs of them is written once more, by itself: see `write_contrast`.

    ``published/`` has of these tables what may be published; see `Publication`, which also says whether ids are
    replaced by codes: then all of the above have codes, and ``pseudonyms.csv`` is the key.

    ``check_files`` and ``missing``: see `check_samplesheet`.

    Raises BadInput with the problems of all tables; nothing is written then.
    """
    cohort = read_cohort(sheet_file, clinical_file, contrasts_file, shortcuts, check_files, schema_dir, missing)
    if cohort.problems or cohort.sheet is None or cohort.contrasts is None:
        raise BadInput(cohort.problems)
    for check in cohort.checks:
        for caution in [check.not_tested, *([check.design.untestable, *check.design.warnings] if check.design else [])]:
            if caution:
                log.warning("contrast %s: %s", check.name, caution)

    leading = column_names(load_schema("contrasts", schema_dir))
    patients, sections, questions = cohort.patients, cohort.sections, cohort.contrasts.frame(leading)[leading]
    restart = restart_frame(cohort.sheet, folder or str(sheet_file.absolute().parent))
    tables = Tables(sections, restart, patients, questions, sections.to_dict("records"))
    publication = publication or Publication()
    if publication.pseudonymise:
        tables = pseudonymised(tables, publication.key, column_names(load_schema("input", schema_dir)), outdir)
    patients, sections, questions = tables.patients, tables.sections, tables.questions
    rows = {
        "used": tables.read,
        "excluded": tables.restart[tables.restart[EXCLUDE] != ""].to_dict("records"),
        "sexes": sexes_of(sections, patients),
    }
    write_table(outdir / "samplesheet.valid.csv", sections)
    write_table(outdir / "samplesheet.used.csv", tables.restart)
    write_json(outdir / "samplesheet.json", rows)
    write_table(outdir / "clinical.valid.csv", patients)
    write_table(outdir / "contrasts.valid.csv", questions)
    write_published(tables, publication, column_names(load_schema("input", schema_dir)), outdir / "published")
    (outdir / "by_contrast").mkdir(exist_ok=True)
    for i in range(len(questions)):
        write_contrast(outdir / "by_contrast", questions.iloc[[i]], patients, sections)
    n_patients = sections["patient"].nunique()
    counted = ((len(sections), "sample"), (n_patients, "patient"), (len(questions), "contrast"))
    log.info("%s of %s, %s", *(plural(*each) for each in counted))


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
    clinical, sections = used_columns(contrast_of(row, Path("contrasts.csv"), 2), clinical, sections)
    tables = {"contrast": contrast, "clinical": clinical.sort_values("patient"), "samplesheet": sections}
    for name, table in tables.items():
        write_table(folder / f"{row['contrast']}.{name}.csv", table)


def used_columns(
    contrast: Contrast, clinical: pd.DataFrame, sections: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of the clinical table and the sheet the columns that a contrast uses, or needs for its cautions.

    Every contrast is compared with batch, whether it asks for that or not; and it is told when it adds up sections of
    several time points.
    """
    used = contrast_columns(contrast) | {"batch", "study_part"}
    own = [c for c in sections if c not in column_names(load_schema("input"))]
    pooled = pooled_columns(tidied(sections[["patient", *own]].dropna(), variable_value))
    return (
        clinical[[c for c in clinical if c == "patient" or c in used]],
        sections[[c for c in sections if c in ("sample", "patient") or c in used or c in pooled]],
    )


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
