"""The answer of a run in a few facts: cohort, failed samples, niches, findings, cautions: ``summary.json``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from semanticst.association.checks.arbitrary_cuts import is_supported
from semanticst.association.output.all_contrasts import all_tests
from semanticst.association.output.summary_text import SAME_SIGN
from semanticst.association.stats.results import (
    FEW_EVENTS,
    FEW_PERMUTATIONS,
    NOT_TESTABLE,
    SIGNIFICANT,
    reason_untested,
)
from semanticst.describe.readings import UNSURE
from semanticst.errors import BadInput, Problem
from semanticst.plotting.palette import niche_name
from semanticst.report.same_split import same_splits
from semanticst.report.study_parts import study_parts
from semanticst.report.summary_sentences import (
    are_arbitrary_cuts,
    cohort_sentence,
    cuts_caution,
    failed_of,
    few,
    findings_sentence,
    niches_sentence,
    samples_sentence,
)
from semanticst.spreadsheet import unguarded
from semanticst.wording import at_random, no_number, numbered, plural, two_are_better

FORMAT = 1
"""Of ``summary.json``; raised when a key changes its meaning or goes."""
NO_INTERPRETATION = "Not to be interpreted"
"""How the caveat of a finding begins whose niches mean nothing."""
FEW_PATIENTS = 10
"""Patients below which a cohort says little about others."""
_VALIDATION = ("n_patients", "n_sections", "n_found", "n_same_direction", "n_confirmed", "not_testable", "said")
_NEEDED = ("contrast", "rows", "found", "nearest", "detectable", "who", "warnings", "n_patients", "n_sections",
           "n_events", "n_tests", "section_values", "units", "levels")  # fmt: skip
_NICHE_COLUMNS = ("niche", "n_cells", "share", "n_samples", "n_patients", "stability", "jaccard", "reading", "markers",
                  "cell_types")  # fmt: skip
_EFFECT = ("effect", "effect_type", "ci_low", "ci_high", "hazard_ratio", "hazard_ratio_low", "hazard_ratio_high",
           "percentage_points", "percentage_points_low", "percentage_points_high", "p", "q", "q_run", "n_patients",
           "n_events", "members_same_sign", "p_given_types", "warnings")  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """What the steps of a run wrote; what is empty did not run."""

    qc: pd.DataFrame
    """``qc.csv``."""
    niches: pd.DataFrame | None = None
    """``niche_overview.csv``."""
    records: Sequence[dict] = field(default_factory=list)
    """``{contrast}.association.json`` of all contrasts."""
    cautions: Sequence[dict] = field(default_factory=list)
    """Cautions that a step has for the whole cohort: ``text``, and the ``section`` that shows why."""
    supported: bool = True
    """Whether the number of niches is (``niche_k.csv``)."""
    arranged: bool = True
    """Whether the cells lie otherwise than at random (``niche_k.csv``)."""
    no_number: str = ""
    """That none of several numbers is, in words; empty for one that was given."""
    two_are_better: str = ""
    """That 2 niches, asked for among others, are more stable, in words."""
    about_as_stable: tuple[int, ...] = ()
    """Numbers of niches that are (``niche_k.csv``)."""
    mapped: bool = False
    """Whether the niches are those of a model, onto which the samples were mapped."""
    chosen: int | None = None
    """The number that was chosen (``niche_k.csv``): that of the model, where niches were added to it."""


def read_inputs(qc: Path, described: Path | None, associations: Path | None, mapped: bool = False) -> Inputs:
    """Read what a run has written.

    described : folder with ``niche_overview.csv`` and ``niche_cautions.json``. associations : folder with the records
    of contrasts. mapped : onto a model. Raises BadInput when a file cannot be read or lacks what is needed.
    """
    overview = described / "niche_overview.csv" if described else None
    numbers = described / "niche_k.csv" if described and (described / "niche_k.csv").is_file() else None
    return Inputs(
        qc=_table(qc, ("sample", "patient", "status", "reason", "n_cells_kept", "platform", "batch")),
        niches=_table(overview, ("niche", "share", "markers")) if overview and overview.is_file() else None,
        supported=numbers is None or is_supported(numbers),
        arranged=not numbers or not at_random(pd.read_csv(numbers)),
        no_number=_no_number(numbers) if numbers else "",
        two_are_better=_two_are_better(numbers) if numbers else "",
        about_as_stable=_about_as_stable(numbers) if numbers else (),
        chosen=_chosen(pd.read_csv(numbers)) if numbers else None,
        records=[_record(path) for path in sorted(associations.glob("*.association.json"))] if associations else [],
        cautions=_step_cautions(described / "niche_cautions.json") if described else (),
        mapped=mapped,
    )


def summarise(inputs: Inputs) -> dict:
    """Return the content of ``summary.json``, as docs/output.md explains it."""
    tests = all_tests(list(inputs.records))
    cohort, samples = _cohort(inputs.qc), _left_out(inputs.qc)
    niches = _niches(inputs, cohort["patients"])
    contrasts = [_contrast(record, tests, niches) for record in inputs.records]
    return {
        "format": FORMAT,
        "cohort": cohort,
        "samples_left_out": samples,
        "niches": niches,
        "contrasts": contrasts,
        "cautions": _cautions(inputs, cohort, niches, contrasts),
        "text": {
            "cohort": cohort_sentence(cohort, inputs.mapped),
            "samples": samples_sentence(cohort, samples),
            "niches": niches_sentence(niches),
            "findings": findings_sentence(contrasts, tests),
        },
    }


def leading(contrasts: Sequence[dict]) -> dict | None:
    """The contrast with the smallest q, of those the one with the smallest p; None without a contrast."""
    worst = float("inf")
    key = lambda c: (c["smallest_q"] if c["smallest_q"] is not None else worst, c["smallest_p"] or worst)  # noqa: E731
    return min(contrasts, key=key) if contrasts else None


def _cohort(qc: pd.DataFrame) -> dict:
    used = qc[~qc["status"].isin(["fail", "excluded"])]
    platforms = used["platform"].replace("", None).dropna()
    return {
        "patients": int(used["patient"].nunique()),
        "samples": len(used),
        "samples_given": len(qc),
        "warned": qc.loc[qc["status"] == "warn", "sample"].astype(str).tolist(),
        "cells": int(pd.to_numeric(used["n_cells_kept"]).sum()),
        "platforms": {str(name): int(n) for name, n in platforms.value_counts(sort=False).items()},
        "batches": int(used["batch"].replace("", None).nunique()),
        "parts": study_parts(used),
    }


def _about_as_stable(numbers: Path) -> tuple[int, ...]:
    table = pd.read_csv(numbers)
    return tuple(table["k"][table["about_as_stable"].astype(bool)]) if "about_as_stable" in table else ()


def _no_number(numbers: Path) -> str:
    table = pd.read_csv(numbers)
    supported = table["supported"].astype(bool).tolist() if "supported" in table else [True] * len(table)
    return no_number(table["k"].tolist(), supported)


def _two_are_better(numbers: Path) -> str:
    table = pd.read_csv(numbers)
    if "stability" not in table:
        return ""
    table = table.dropna(subset=["stability"])
    chosen = _chosen(table)
    return "" if chosen is None else two_are_better(table["k"].tolist(), table["stability"].tolist(), chosen)


def _chosen(table: pd.DataFrame) -> int | None:
    chosen = table["k"][table["chosen"].astype(bool)].tolist() if "chosen" in table else []
    return int(chosen[0]) if chosen else None


def _left_out(qc: pd.DataFrame) -> list[dict]:
    rows = qc[qc["status"].isin(["fail", "excluded"])]
    return rows[["sample", "patient", "status", "reason"]].fillna("").to_dict("records")


def _niches(inputs: Inputs, patients: int) -> dict | None:
    table = inputs.niches
    if table is None:
        return None
    judged = "jaccard" in table and table["jaccard"].notna().any()
    rows = table[[name for name in _NICHE_COLUMNS if name in table]].astype(object)
    numbers = table["niche"].astype(int)
    return {
        "number": len(table),
        "added": len(table) - (inputs.chosen or len(table)) if inputs.mapped else 0,
        "supported": inputs.supported,
        "arranged": inputs.arranged,
        "no_number": "" if inputs.supported else inputs.no_number,
        "two_are_better": inputs.two_are_better,
        "about_as_stable": list(inputs.about_as_stable),
        "mapped": inputs.mapped,
        "judged": bool(judged),
        "one_patient": patients == 1 and not inputs.mapped,
        "unsure": numbers[table["reading"].isin(UNSURE)].tolist() if judged else [],
        "table": [
            {"name": niche_name(int(row["niche"])), **row} for row in rows.where(rows.notna(), None).to_dict("records")
        ],
    }


def _contrast(record: dict, tests: pd.DataFrame, niches: dict | None) -> dict:
    name = record["contrast"]["name"]
    own = tests[tests["contrast"] == name]
    rows = pd.DataFrame(record["rows"])
    rows = rows[rows["family"] == "primary"].merge(own[["niche", "feature", "comparison", "q_run"]], how="left")
    tested = own[own["p"].notna()]
    reason = reason_untested(own["warnings"].fillna(""))
    validation = record.get("validation")
    answers = {tuple(keys): answer for *keys, answer in validation["answers"]} if validation else {}
    entries = {"found": record["found"], "nearest": [record["nearest"]] if record["nearest"] else []}
    said = {kind: [_finding(entry, rows, niches) for entry in found] for kind, found in entries.items()}
    for finding in said["found"] if validation else ():
        answer = answers.get(tuple(str(finding[key]) for key in ("niche", "feature", "comparison")))
        finding["confirmed"] = {"yes": True, "no": False}.get(answer or "")
    return {
        "contrast": name,
        "type": record["contrast"]["type"],
        "question": record["contrast"],
        "who": record["who"],
        **{key: record[key] for key in ("n_patients", "n_sections", "n_events", "levels")},
        "n_tests": len(tested),
        "n_found": len(said["found"]),
        "smallest_p": float(tested["p"].min()) if len(tested) else None,
        "smallest_q": float(tested["q"].min()) if len(tested) else None,
        "findings": said["found"],
        "nearest": next(iter(said["nearest"]), None),
        "detectable": record["detectable"],
        "validation": validation and {key: validation[key] for key in _VALIDATION},
        "not_testable": "" if len(tested) or not reason else f"{NOT_TESTABLE}{reason}",
        "warnings": [w for w in record["warnings"] if not w.startswith(NOT_TESTABLE)],
        "section": f"association_{name}",
    }


def _finding(entry: dict, rows: pd.DataFrame, niches: dict | None) -> dict:
    same = (rows["niche"].astype(str) == str(entry["niche"])) & (rows["feature"] == entry["feature"])
    row = rows[same & (rows["comparison"] == entry["comparison"])].iloc[0]
    values = {key: row.get(key) for key in _EFFECT}
    known = {key: None if pd.isna(value) else value for key, value in values.items()}
    return entry | known | {"caveat": _caveat(entry, niches)}


def _caveat(entry: dict, niches: dict | None) -> str:
    """Why a row should not be interpreted, though its test may pass; empty where its niches can be."""
    if niches is None:
        return ""
    if are_arbitrary_cuts(niches):
        return f"{NO_INTERPRETATION}: the niches are arbitrary cuts (the tissue does not support their number)."
    unsure = [n for n in niches["unsure"] if str(n) in _niches_of(entry)]
    if not unsure:
        return ""
    verb = "is" if len(unsure) == 1 else "are"
    return f"{NO_INTERPRETATION}: {numbered(unsure)} {verb} of low reproducibility with other patients."


def not_interpretable(niches: dict | None) -> set[str]:
    """Niches of which findings mean nothing."""
    if niches is None:
        return set()
    if are_arbitrary_cuts(niches):
        return {str(row["niche"]) for row in niches["table"]}
    return {str(niche) for niche in niches["unsure"]}


def _niches_of(entry: dict) -> set[str]:
    """Niches that a row is about: two of a contact."""
    return {str(entry["niche"]), str(entry["feature"]).removeprefix("contact_with_")}


def _cautions(inputs: Inputs, cohort: dict, niches: dict | None, contrasts: list[dict]) -> list[dict]:
    """What a reader must know before a finding is passed on; ``section`` shows why."""
    said = []
    if niches is not None and are_arbitrary_cuts(niches):  # all else is about these niches
        said.append(_caution(cuts_caution(niches), "niche_overview"))
    said += [dict(caution) for caution in inputs.cautions]
    failed = sum(row["status"] == "fail" for row in _left_out(inputs.qc))
    given = cohort["samples"] + failed
    if 5 * failed > given:
        said.append(_caution(f"{failed_of(failed, given)} quality control: look at the reasons first.", "qc_failed"))
    if cohort["patients"] < FEW_PATIENTS:
        text = f"The cohort has {plural(cohort['patients'], 'patient')}: what is found says little about others."
        said.append(_caution(text, "qc_status"))
    said += [_caution(text, f"association_{names[0]}") for names, text in same_splits(inputs.records)]
    unsure = {str(n) for n in niches["unsure"]} if niches else set()
    for contrast in contrasts:
        found = contrast["findings"]
        shaky = sorted({int(n) for f in found for n in _niches_of(f) & unsure})
        if shaky:
            text = f"{contrast['contrast']}: found for {numbered(shaky)}, of low reproducibility with other patients."
            said.append(_caution(text, "niche_overview"))
        sensitive = [f for f in found if f["members_same_sign"] is not None and f["members_same_sign"] < SAME_SIGN]
        if sensitive:
            text = f"{contrast['contrast']}: {plural(len(sensitive), 'finding')} with another sign in some clusterings."
            said.append(_caution(text, contrast["section"]))
        said += [_caution(f"{contrast['contrast']}: {text}.", contrast["section"]) for text in _weak_findings(contrast)]
    warnings: dict[str, list[str]] = {}
    for contrast in contrasts:
        for warning in contrast["warnings"]:
            warnings.setdefault(warning, []).append(contrast["contrast"])
    said += [_caution(f"{few(names)}: {text}.", f"association_{names[0]}") for text, names in warnings.items()]
    return said


def _weak_findings(contrast: dict) -> list[str]:
    """What weakens some findings of a contrast; what holds for all its rows is a warning of the contrast."""
    own = [set((f["warnings"] or "").split("; ")) - set(contrast["warnings"]) for f in contrast["findings"]]
    few_events = sum(any(FEW_EVENTS in w for w in warnings) for warnings in own)
    few_permutations = sum(any(FEW_PERMUTATIONS in w for w in warnings) for warnings in own)
    gone = sum(f["p_given_types"] is not None and f["p_given_types"] > SIGNIFICANT for f in contrast["findings"])
    said = []
    if few_events:
        said.append(f"{plural(few_events, 'finding')} with so few events that the estimate is pulled towards no effect")
    if few_permutations:
        patients = "with so few patients that p rests on the t distribution"
        said.append(f"{plural(few_permutations, 'finding')} {patients}")
    if gone:
        types = f"not seen any more given the proportions of cell types (p > {SIGNIFICANT})"
        said.append(f"{plural(gone, 'finding')} {types}")
    return said


def _caution(text: str, section: str) -> dict:
    return {"text": text, "section": section}


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        texts = dict.fromkeys(("sample", "patient", "batch", "platform", "reason", "markers", "cell_types"), str)
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
        for name in texts.keys() & set(table):
            table[name] = table[name].map(unguarded, na_action="ignore")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected a table of a run")) from error
    if absent := [name for name in columns if name not in table]:
        raise BadInput(Problem(path, f"lacks {', '.join(absent)}; expected the table of this name of a run"))
    return table


def _step_cautions(path: Path) -> list[dict]:
    """What ``niche_cluster.py`` has to say of mapped samples and of rare tissue; nothing from runs of before."""
    try:
        return [_caution(entry["text"], entry["section"]) for entry in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected the cautions of a run")) from error


def _record(path: Path) -> dict:
    try:
        record = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected the record of a contrast")) from error
    if absent := [name for name in _NEEDED if not isinstance(record, dict) or name not in record]:
        raise BadInput(Problem(path, f"expected the record of a contrast; it lacks {', '.join(absent)}"))
    return record
