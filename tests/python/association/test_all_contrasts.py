"""All contrasts of a run: q over all tests, flow, patients at baseline."""

import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from clinical_helpers import Cohort, make_cohort
from helpers import invoke
from semanticst.association.output.all_contrasts import flow
from semanticst.association.output.write import record
from semanticst.writing import write_json

CONTRASTS = {
    "arm": {"type": "groups", "column": "group"},
    "young": {"type": "continuous", "column": "x", "subset": "age < 60"},
    "survival": {"type": "survival", "time": "time", "event": "event", "event_value": "1", "covariates": ("sex",)},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder with the result and the cohort: p00_0 is excluded, p01_0 failed, p02_0 has few cells, p03 has no group."""
    folder = tmp_path_factory.mktemp("collect")
    cohort = make_cohort((8, 8), n_sections=2, effect=2.0)
    cohort.sections.loc[["p03_0", "p03_1"], "group"] = None
    cohort.counts.loc["p02_0"] = [3, 1, 0, 0, 0]
    everyone = cohort.sections.copy()
    cohort.sections = cohort.sections.drop(index="p00_0")
    cohort.counts = cohort.counts.drop(index=["p00_0", "p01_0"])
    paths = cohort.write(folder, "contrast,type\n")
    everyone.assign(exclude=np.where(everyone.index == "p00_0", "torn", "")).to_csv(folder / "used.csv")
    records = []
    for name, question in CONTRASTS.items():
        result = cohort.ask(permutations=99, **question)
        path = folder / f"{name}.association.json"
        found = json.loads(json.dumps(record(result, []), default=float))
        write_json(path, found | {"contrast": found["contrast"] | {"name": name}})
        records.append(path)
    out = folder / "out"
    result = invoke(
        "niche_collect", *records, "--samplesheet", paths["samplesheet"], "--used", folder / "used.csv",
        "--clinical", paths["clinical"], "--counts", paths["counts"], "--outdir", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return out, cohort


def test_q_of_the_run_is_over_all_tests(run):
    table = pd.read_csv(run[0] / "tests.csv")
    assert set(table["contrast"]) == set(CONTRASTS)
    assert len(table) == 15
    assert table["q_run"].tolist() == pytest.approx(multipletests(table["p"], method="fdr_bh")[1], abs=1e-6)
    within = table[table["contrast"] == "arm"]
    assert within["q"].tolist() == pytest.approx(multipletests(within["p"], method="fdr_bh")[1], abs=1e-6)
    assert not np.allclose(table["q"], table["q_run"])


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_steps_of_the_flow_add_up(run, contrast):
    flow = pd.read_csv(run[0] / "flow.csv").query("contrast == @contrast").set_index("step")
    assert flow.loc["in the samplesheet", ["patients", "sections"]].tolist() == [16, 32]
    lost = flow.drop(index=["in the samplesheet", "compared"]).sum()
    assert flow.loc["compared", "patients"] == 16 - lost["patients"]
    assert flow.loc["compared", "sections"] == 32 - lost["sections"]


def test_flow_has_the_validation_as_a_step():
    cohort = make_cohort((8, 8), n_sections=2)
    part = np.where(cohort.sections["patient"].isin(["p00", "p01", "p15"]), "validation", "discovery")
    cohort.sections["study_part"] = part
    discovery = Cohort(cohort.sections[part == "discovery"], cohort.counts[part == "discovery"], cohort.clinical)
    discovery.sections = discovery.sections.drop(columns="study_part")
    asked = discovery.ask("groups", column="group")
    # of the validation p00 and a section of p01 failed, of the discovery a section of p02
    sizes = cohort.counts.drop(index=["p00_0", "p00_1", "p01_0", "p02_0"]).sum(axis=1)
    told = json.loads(json.dumps(record(asked, []), default=float))
    told |= {"dropped_patients": {}, "dropped_sections": {"too few cells": 1}, "n_sections": told["n_sections"] - 1}
    steps = flow([told], cohort.sections, cohort.sections, sizes).set_index("step")[["patients", "sections"]]
    assert steps.T.to_dict("list") == {
        "in the samplesheet": [16, 32],
        "failed quality control": [1, 4],
        "of the validation": [2, 3],
        "compared": [13, 25],
    }


def test_flow_names_every_reason(run):
    flow = pd.read_csv(run[0] / "flow.csv").query("contrast == 'arm'").set_index("step")[["patients", "sections"]]
    assert flow.loc["left out by the samplesheet"].tolist() == [0, 1]
    assert flow.loc["failed quality control"].tolist() == [0, 1]
    assert flow.loc["too few cells"].tolist() == [0, 1]
    assert flow.loc["no group"].tolist() == [1, 2]


def test_baseline_describes_who_is_compared(run):
    table, cohort = pd.read_csv(run[0] / "baseline.csv"), run[1]
    people = cohort.sections.drop_duplicates("patient").set_index("patient")
    arm = table[table["contrast"] == "arm"].set_index(["variable", "group"]).sort_index()
    ages = people.loc[people["group"] == "g1", "age"].astype(float)
    assert arm.loc[("age", "g1"), "median"].item() == pytest.approx(ages.median())
    assert arm.loc[("age", "g1"), "n"].item() == 8
    female = arm.loc[("sex", "g0")].set_index("value").loc["f"]
    known = people.loc[people["group"] == "g0", "sex"]
    assert female["n"] == (known == "f").sum()
    assert female["percent"] == pytest.approx(100 * (known == "f").mean())
    assert ("group", "all") not in arm.index
    # what another contrast has as its outcome is not of the baseline either
    assert not {"time", "event"} & set(table["variable"])
    each = arm.loc[("sections per patient", "all")].set_index("value")["n"]
    assert each.to_dict() == {"1": 3, "2": 12}
    survival = table[table["contrast"] == "survival"].set_index(["variable", "group"]).sort_index()
    assert survival.loc[("age", "event"), "n"].item() == (people["event"] == "1").sum()


def test_sections_of_the_report_escape_what_users_call_things(run):
    sections = {path.name: json.loads(path.read_text()) for path in run[0].glob("*_mqc.json")}
    assert set(sections) == {f"contrasts_{name}_mqc.json" for name in ("tests", "flow", "baseline")}
    passed = (pd.read_csv(run[0] / "tests.csv")["q_run"] < 0.05).sum()
    assert f"{passed} over all contrasts together" in sections["contrasts_tests_mqc.json"]["description"]


def test_a_record_of_something_else_is_bad_input(tmp_path, run):
    other = tmp_path / "x.association.json"
    other.write_text("{}")
    sheets = ("--samplesheet", other, "--used", other, "--clinical", other, "--counts", other)
    result = invoke("niche_collect", other, *sheets, "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "expected the record of a contrast" in result.stderr
