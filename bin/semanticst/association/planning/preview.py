"""Preview of a run: what each contrast will compare, from the tables alone, by the functions of the test itself."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from semanticst.association.planning.cohort_check import CheckedCohort, ContrastCheck
from semanticst.errors import folded
from semanticst.io.understood import in_a_line

LIBRARY = "semanticst"
"""Logger whose warnings are cautions."""


class _Cautions(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _collected() -> Iterator[list[str]]:
    """Warnings of the library, which are not logged meanwhile; nor is anything else."""
    logger, handler = logging.getLogger(LIBRARY), _Cautions()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def preview(read: Callable[[], CheckedCohort], samples_of: Path | None = None) -> dict:
    """What a run would do with the tables that ``read`` checks, as plain values.

    Problems do not end it: what can be said in spite of them is there. samples_of : the samplesheet, whose samples are
    read as well, unless there are problems of the tables.
    """
    with _collected() as cautions:
        cohort = read()
        sections = cohort.sections
        contrasts = [contrast_preview(check) for check in cohort.checks]
        not_testable = [c.name for c in cohort.checks if c.not_tested or (c.design and c.design.untestable)]
    problems, read_samples = cohort.problems, {}
    if samples_of is not None and not problems:
        from semanticst.io.read_check import look_at_samples  # with all readers, which tables do without

        with _collected():  # each sample has its own warnings
            read_samples["read"], problems = look_at_samples(sections.to_dict("records"), samples_of)
    return read_samples | {
        "samples": len(sections),
        "patients": int(sections["patient"].replace("", None).nunique()),
        "left_out_samples": len(cohort.excluded.rows) if cohort.excluded else 0,
        "platforms": _counts(sections, "platform"),
        "batches": _counts(sections, "batch"),
        "contrasts": contrasts,
        "not_testable": not_testable,
        "cautions": list(dict.fromkeys(cautions)),
        "problems": folded(problems),
    }


def _counts(sections: pd.DataFrame, column: str) -> dict[str, int]:
    values = sections.get(column, [])
    return dict(sorted(Counter(str(v) for v in values if v).items()))


def contrast_preview(check: ContrastCheck) -> dict:
    """One contrast: groups, patients, sections, events, who is left out and why, batch, cautions."""
    row = {name: value for name, value in check.row.items() if value}
    design = check.design
    part = {"study_part": check.part} if check.part else {}
    if design is None:
        not_tested = {"not_tested": check.not_tested} if check.not_tested else {}
        return {"asked": row, **part, **not_tested, "problems": folded(check.problems)}
    levels = {}
    if design.levels:
        by_level = design.units.groupby("value")
        of_sections = design.sections["unit"].map(design.units["value"]).value_counts()
        patients = by_level["patient"].nunique()
        levels = {
            v: {"patients": int(patients.get(v, 0)), "sections": int(of_sections.get(v, 0))} for v in design.levels
        }
    survival = design.contrast.type == "survival" and not design.units.empty
    return {
        "asked": row,
        **part,
        "patients": int(design.units["patient"].nunique()),
        "sections": len(design.sections),
        "groups": levels,
        "within_patients": design.within_patient,
        "events": int(design.units["event"].sum()) if survival else None,
        "median_time": float(design.units["time"].median()) if survival else None,
        "left_out_patients": dict(design.dropped),
        "left_out_sections": dict(getattr(design.dropped, "sections", {})),
        "covariates": [str(name) for name in design.covariates.columns],
        "batch": {"measure": check.batch.measure, "strength": check.batch.strength, "follows": batch_follows(check)},
        "cautions": list(design.warnings),
        "untestable": design.untestable,
        "problems": [],
    }


def batch_follows(check: ContrastCheck) -> str:
    """What follows from batch and contrast, in words."""
    if check.batch.strength is None or check.design is None:
        return "cannot be judged: one batch, or batches of one patient each"
    contrast = check.design.contrast
    if "batch" in (*contrast.adjusted_columns, *contrast.strata, contrast.block):
        return check.design.untestable or "accounted for, as the contrast asks"
    said = [text for text in (check.design.untestable, *check.design.warnings) if "batch" in text]
    return said[0] if said else "fine"


def preview_text(found: dict) -> str:
    """The preview as lines for people."""
    lines = [f"{_n(found['samples'], 'sample')} of {_n(found['patients'], 'patient')}"]
    for name in ("platforms", "batches"):
        values = found[name]
        if 0 < len(values) <= 8:
            lines[0] += f"; {name} " + ", ".join(f"{value} ({n})" for value, n in values.items())
        elif values:
            lines[0] += f"; {len(values)} {name}"
    if left_out := found["left_out_samples"]:
        lines[0] += f"; {_n(left_out, 'sample')} {'is' if left_out == 1 else 'are'} left out by the sheet"
    for contrast in found["contrasts"]:
        lines += ["", *_contrast_lines(contrast)]
    if found.get("read"):
        lines += ["", "Samples:", *(f"  {in_a_line(sample)}" for sample in found["read"])]
    lines += (
        [""] + [f"CAUTION  {text}" for text in found["cautions"]] + [f"PROBLEM  {text}" for text in found["problems"]]
    )
    cautions = len(found["cautions"]) + sum(len(contrast.get("cautions", [])) for contrast in found["contrasts"])
    last = [_n(len(found["problems"]), "problem"), _n(cautions, "caution")]
    if not_testable := len(found["not_testable"]):
        last.append(f"{_n(not_testable, 'contrast')} not testable")
    return "\n".join([*lines, ", ".join(last)])


def _n(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _contrast_lines(contrast: dict) -> list[str]:
    asked = contrast["asked"]
    head = f"{asked.get('contrast')} ({asked.get('type')})"
    if "study_part" in contrast:
        head += f", {contrast['study_part']}"
    if "not_tested" in contrast:
        return [f"{head}: cannot be tested", f"  NOT TESTABLE  {contrast['not_tested']}"]
    if "patients" not in contrast:
        return [f"{head}: cannot be looked at, see the problems"]
    sizes = ", ".join(f"{v} {n['patients']} ({n['sections']})" for v, n in contrast["groups"].items())
    text = f"{_n(contrast['patients'], 'patient')} ({_n(contrast['sections'], 'section')})" + (
        f": {sizes}" if sizes else ""
    )
    if contrast["events"] is not None:
        part = 100 * contrast["events"] / max(contrast["patients"], 1)
        text += f", {_n(contrast['events'], 'event')} ({asked['event']} = {asked['event_value']}, {part:.0f} %)"
        text += f", median {asked['time']} {contrast['median_time']:.3g}"
    if contrast["within_patients"]:
        text += ", compared within patients"
    if contrast["covariates"]:
        text += f"; covariates {', '.join(contrast['covariates'])}"
    lines = [f"{head}: {text}"]
    sections = contrast["left_out_sections"]
    for reason in dict.fromkeys((*contrast["left_out_patients"], *sections)):
        n = contrast["left_out_patients"].get(reason, 0)
        lines.append(f"  left out  {_n(n, 'patient')}, {_n(sections.get(reason, 0), 'section')}: {reason}")
    batch = contrast["batch"]
    value = "" if batch["strength"] is None else f"{batch['measure']} {batch['strength']:.2f}, "
    lines.append(f"  batch     {value}{batch['follows']}")
    if contrast["untestable"]:
        lines.append(f"  NOT TESTABLE  {contrast['untestable'].removeprefix('not testable: ')}")
    return lines + [f"  CAUTION   {text}" for text in contrast["cautions"]]
