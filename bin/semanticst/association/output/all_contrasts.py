"""All contrasts of a run side by side: q over all their tests, flow of patients and sections, patients at baseline."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.design.tables import read_clinical, read_text_table
from semanticst.association.features.composition import read_counts
from semanticst.association.output.summary_text import feature_name, unit_words
from semanticst.association.stats.results import PRIMARY, SIGNIFICANT, benjamini_hochberg
from semanticst.constants import VALIDATION, Obs
from semanticst.errors import BadInput, Problem
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import ASSOCIATION, Column, Section
from semanticst.plotting.niche_names import with_names
from semanticst.writing import write_table

TESTS = ("contrast", "niche", "feature", "comparison", "effect", "effect_type", "ci_low", "ci_high", "p", "q", "q_run",
         "n_patients", "warnings")  # fmt: skip
TOO_FEW = "too few cells"
OF_VALIDATION = "of the validation"
MOST_VALUES, MOST_ROWS = 8, 60
"""Values of a text column of which each is counted (one with more is a name or a code); rows in the report."""


def collect_contrasts(
    records: Sequence[Path], samplesheet: Path, used: Path, clinical: Path, counts: Path, outdir: Path
) -> None:
    """Write ``tests.csv``, ``flow.csv`` and ``baseline.csv``, and their sections of the report.

    Parameters
    ----------
    records
        ``{contrast}.association.json`` of every contrast.
    samplesheet, used
        ``samplesheet.valid.csv``, and ``samplesheet.used.csv`` which also has the samples that are left out.
    clinical
        ``clinical.valid.csv``.
    counts
        ``niche_counts.csv``.
    outdir
        An existing folder.

    Raises
    ------
    BadInput
        When a record or table cannot be read.
    """
    found = [_read(path) for path in sorted(records)]
    patients, sizes = read_clinical(clinical), read_counts(counts).sum(axis=1)
    sheet = read_text_table(samplesheet, ("sample", "patient")).set_index("sample")
    tests = all_tests(found)
    flows = flow(found, sheet, read_text_table(used, ("sample", "patient")), sizes)
    at_baseline = baseline(found, patients, sheet["patient"], sizes)
    for name, table in (("tests", tests), ("flow", flows), ("baseline", at_baseline)):
        write_table(outdir / f"{name}.csv", with_names(table))
    _report(tests, flows, at_baseline, outdir)


def all_tests(records: list[dict]) -> pd.DataFrame:
    """Primary rows of all contrasts with ``q_run``, p corrected by Benjamini and Hochberg over all of them."""
    rows = [row | {"contrast": r["contrast"]["name"]} for r in records for row in r["rows"] if row["family"] == PRIMARY]
    table = pd.DataFrame(rows, columns=list(TESTS))
    table["p"] = table["p"].astype(float)
    tested = table["p"].notna()
    table["q_run"] = np.nan
    if tested.any():
        table.loc[tested, "q_run"] = benjamini_hochberg(table.loc[tested, "p"].to_numpy())
    return table.sort_values("p", kind="stable", na_position="last").reset_index(drop=True)


def flow(records: list[dict], sheet: pd.DataFrame, used: pd.DataFrame, sizes: pd.Series) -> pd.DataFrame:
    """Patients and sections from the samplesheet to the test: columns contrast, step, patients, sections.

    A patient is lost at the step that takes his or her last section, so that steps add up to who is compared: with a
    validation those of the discovery.
    """
    left = sheet.index.intersection(sizes.index)
    of_validation = sheet[Obs.STUDY_PART] == VALIDATION if Obs.STUDY_PART in sheet else sheet["patient"] == ""
    failed = sheet.loc[sheet.index.difference(left), "patient"]
    lost = set(failed) - set(sheet.loc[left, "patient"])
    excluded = len(set(used["patient"]) - set(sheet["patient"]))
    validation = sheet.loc[left, "patient"][of_validation[left]]
    # a patient is of one part
    failed_of_discovery = failed[~of_validation[failed.index]]
    rows = []
    for record in records:
        patients = dict(record["dropped_patients"])
        sections = dict.fromkeys(patients, 0) | record["dropped_sections"]
        if len(validation):
            patients[OF_VALIDATION], sections[OF_VALIDATION] = validation.nunique(), len(validation)
        # a section without niches has no cells, and its reason is quality control
        if TOO_FEW in sections:
            sections[TOO_FEW] -= len(failed_of_discovery)
            patients[TOO_FEW] = patients.get(TOO_FEW, 0) - len(lost & set(failed_of_discovery))
        steps = [
            ("in the samplesheet", used["patient"].nunique(), len(used)),
            ("left out by the samplesheet", excluded, len(used) - len(sheet)),
            ("failed quality control", len(lost), len(failed)),
            *((reason, patients.get(reason, 0), n) for reason, n in sections.items()),
            ("compared", record["n_patients"], record["n_sections"]),
        ]
        rows += [
            (record["contrast"]["name"], *step)
            for step in steps
            if step[1] or step[2] or step[0] in ("in the samplesheet", "compared")
        ]
    return pd.DataFrame(rows, columns=["contrast", "step", "patients", "sections"])


def baseline(records: list[dict], clinical: pd.DataFrame, patient: pd.Series, sizes: pd.Series) -> pd.DataFrame:
    """Who is compared: the columns of the clinical table by group, and sections and cells per patient.

    Times and events of survival are no columns of the baseline.

    ``patient`` of each section, cells of each (``sizes``). Columns contrast, variable, value (empty for numbers), group
    (a level, an event, or all), n (patients with a value, or with this one), missing, and percent, or median with
    quartiles.
    """
    rows = []
    # times and events come after the baseline, whoever asks for them
    after = {record["contrast"][name] for record in records for name in ("time", "event")}
    for record in records:
        groups, asked = _groups(record), record["contrast"]
        sections = pd.Series(record["sections"], dtype=object)
        of = patient.reindex(sections)
        known = clinical.assign(
            **{
                "sections per patient": of.groupby(of.to_numpy()).size(),
                "cells per patient": sizes.reindex(sections).groupby(of.to_numpy()).sum(),
            }
        )
        for variable in (c for c in known if c not in after | {asked["column"]}):
            values = known[variable]
            number = pd.to_numeric(values, errors="coerce")
            numeric = bool(number[values.notna()].notna().all()) and number.nunique() > 2
            if not numeric and values.nunique() > MOST_VALUES:
                continue
            for group, members in groups.items():
                own = (number if numeric else values).reindex(members)
                shared = {"contrast": asked["name"], "variable": variable, "group": group, "missing": own.isna().sum()}
                rows += [shared | row for row in (_number(own) if numeric else _values(own, values))]
    columns = [
        "contrast",
        "variable",
        "value",
        "group",
        "n",
        "missing",
        "percent",
        "median",
        "quartile_low",
        "quartile_high",
    ]
    return pd.DataFrame(rows, columns=columns)


def _groups(record: dict) -> dict[str, list[str]]:
    """Patients of every level (a patient may be in several), or with and without the event; else of all."""
    units = pd.DataFrame(record["units"])
    if units.empty:
        return {}
    everyone = {"all": sorted(units["patient"].unique())}
    if record["contrast"]["type"] == "survival":
        events = units["event"].astype(float)
        return everyone | {n: sorted(units.loc[events == e, "patient"]) for e, n in ((1, "event"), (0, "censored"))}
    return everyone | {v: sorted(units.loc[units["value"] == v, "patient"].unique()) for v in record["levels"]}


def _number(own: pd.Series) -> list[dict]:
    low, median, high = own.quantile([0.25, 0.5, 0.75]) if own.notna().any() else (np.nan,) * 3
    return [{"n": own.notna().sum(), "median": median, "quartile_low": low, "quartile_high": high}]


def _values(own: pd.Series, all_values: pd.Series) -> list[dict]:
    n = max(int(own.notna().sum()), 1)
    found = sorted(all_values.dropna().unique())
    return [
        {"value": v if isinstance(v, str) else f"{v:g}", "n": (own == v).sum(), "percent": 100 * (own == v).sum() / n}
        for v in found
    ]


def _report(tests: pd.DataFrame, flows: pd.DataFrame, at_baseline: pd.DataFrame, outdir: Path) -> None:
    shown = tests[tests["p"].notna()].head(MOST_ROWS)
    contrasts, n = tests["contrast"].nunique(), int(tests["p"].notna().sum())
    if contrasts > 1 and n:
        passed, within = int((tests["q_run"] < SIGNIFICANT).sum()), int((tests["q"] < SIGNIFICANT).sum())
        text = (
            f"{n} tests in {contrasts} contrasts. {within} have q < 0.05 within their contrast, {passed} over all "
            "contrasts together (q of the run). Which of the two counts is a matter of what was planned: a contrast "
            "that was the question of the study is corrected by itself, one of many with all of them."
        )
        names = [f"{row['contrast']}: {feature_name(row)}" for _, row in shown.iterrows()]
        columns = {
            "effect": Column("Effect", "In the unit beside it", "{:.2f}"),
            "interval": Column("95 % interval", "of the effect"),
            "unit": Column("Unit", "What the effect is. A log hazard ratio of 0.69 is twice the hazard"),
            "p": Column("p", "Two-sided", "{:.2g}"),
            "q": Column("q", "Within the contrast", "{:.2g}"),
            "q_run": Column("q of the run", "Over all contrasts", "{:.2g}"),
            "n_patients": Column("Patients", "In this test", "{:,d}"),
        }
        section = Section("contrasts_tests", ASSOCIATION, "All contrasts", text)
        interval = [f"{a:.2f} to {b:.2f}" if pd.notna(a) else None for a, b in zip(shown["ci_low"], shown["ci_high"])]
        shown = shown.assign(interval=interval, unit=shown["effect_type"].map(unit_words, na_action="ignore"))
        multiqc.table(outdir, section, shown.set_index(pd.Index(names)), columns, "Contrast and niche")
    named = flows.assign(name=flows["contrast"] + ": " + flows["step"]).set_index("name")
    columns = {
        "patients": Column("Patients", "Lost at the step that takes their last section", "{:,d}"),
        "sections": Column("Sections", "Of these patients and of others", "{:,d}"),
    }
    text = "From the samplesheet to the test: what was left out, and why."
    multiqc.table(
        outdir, Section("contrasts_flow", ASSOCIATION, "Flow of patients and sections", text), named, columns, "Step"
    )
    if at_baseline.empty:
        return
    words = at_baseline.assign(text=[_words(row) for _, row in at_baseline.iterrows()])
    words["name"] = (
        words["contrast"] + ": " + words["variable"] + words["value"].map(lambda v: f" = {v}" if pd.notna(v) else "")
    )
    wide = words.pivot_table(index="name", columns="group", values="text", aggfunc="first", sort=False).head(MOST_ROWS)
    columns = {group: Column(str(group), "Patients, or median (quartiles)") for group in wide}
    text = (
        "Who is compared: numbers of patients (percent), or median (quartiles). Differences are described, not tested. "
        "Percentages are rounded, so that they may add up to 99 or 101."
    )
    multiqc.table(
        outdir, Section("contrasts_baseline", ASSOCIATION, "Patients at baseline", text), wide, columns, "Variable"
    )


def _words(row: pd.Series) -> str:
    if pd.notna(row["value"]):
        return f"{row['n']} ({row['percent']:.0f} %)"
    if not row["n"]:
        return "unknown"
    return f"{row['median']:.4g} ({row['quartile_low']:.4g} to {row['quartile_high']:.4g})"


def _read(path: Path) -> dict:
    try:
        record = json.loads(path.read_text())
        return {k: record[k] for k in ("contrast", "rows", "units", "sections", "levels", "n_patients", "n_sections",
                                       "dropped_patients", "dropped_sections")}  # fmt: skip
    except (OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected the record of a contrast")) from error
