"""The launcher's check of parameters and the workflow's own say the same: one start of the engine for all of it."""

import json
from functools import partial

import pytest

from engine_helpers import nextflow
from helpers import ROOT
from launcher.arguments import FLAG, OPTIONS
from launcher.parameters import (
    all_parameters,
    folder_problems,
    parameter_help,
    parameter_problems,
    problem_message,
    text_of,
)
from launcher.preflight import given_parameters, yaml_problem

pytestmark = pytest.mark.engine

SHEET = ["--input", "sheet.csv"]
LINES = [
    [],
    SHEET,
    ["--help"],
    # names
    [*SHEET, "--niche_K", "5"],
    [*SHEET, "--inptu", "a", "--no_such_thing_at_all", "--steps", "3", "--graph", "1"],
    [*SHEET, "--niche-k", "4", "--a.b", "1", "--B.c-d=2", "--nicheK=3"],
    [*SHEET, "--nope", "1", "--validation_ignore_params", "nope, other"],
    # values
    [*SHEET, "--train_steps", "many", "--seed", "-1", "--niche_starts", "1.5", "--qc_mads", "0", "--qc_max_mito", "2"],
    [*SHEET, "--seed", "1e3", "--qc_mads", "1e-1", "--qc_max_mito", "0.50", "--sample_bundle_mb", "007"],
    [*SHEET, "--seed", "99999999999", "--simulate_effect", "-2.50", "--simulate_hazard=.5", "--qc_min_counts", "+3"],
    [*SHEET, "--device", "gpu", "--qc_fail", "--train_denoised", "yes", "--features_harmony", "TRUE"],
    [*SHEET, "--niche_k", "5,x", "--train_contexts", "spatial,domain", "--qc_remove", "local,edge,", "--niche_k", "1"],
    [
        *SHEET,
        "--multiqc_title",
        "it's",
        "--clinical_group",
        "$HOME",
        "--seed",
        "nan",
        "--train_learning_rate",
        "Infinity",
    ],
    [*SHEET, "--outdir", "", "--device", "", "--train_mode=", "--seed="],
    [*SHEET, "--multiqc_title", "- a title", "--device", "-1", "--niche_k", "-"],
    # files
    ["--input", "nothere.csv"],
    ["--input", "sheet.xlsx", "--model", "sheet.csv", "--clinical_gene_sets", "sets.txt"],
    ["--input", "glob [a]{b}*.csv"],
    [*SHEET, "--multiqc_config", "list.yml"],
    [*SHEET, "--multiqc_config", "params.yml", "--seed", "x"],
    [*SHEET, "--multiqc_config", "nothere.yml"],
    ["--input=sheet.csv", "--clinical=sheet.csv", "--clinical_group=x=y"],
    ["--input"],
    ["--input", "-resume"],
    # together
    ["--simulate", "--input", "sheet.csv", "--clinical", "sheet.csv", "--contrasts", "sheet.csv"],
    ["--simulate", "false"],
    ["--simulate=TRUE", "--clinical_group", "a"],
    [*SHEET, "--clinical_group", "a", "--clinical_time", "b"],
    [*SHEET, "--clinical", "sheet.csv", "--clinical_event", "dead or not"],
    [*SHEET, "--clinical", "sheet.csv", "--clinical_time", "t", "--clinical_event", "e", "--clinical_event_value", "0"],
    [
        *SHEET,
        "--clinical",
        "sheet.csv",
        "--clinical_time",
        "t",
        "--clinical_event",
        "e",
        "--clinical_event_value",
        "true",
    ],
    [*SHEET, "--clinical_event_value", "false"],
    [*SHEET, "--clinical_features", "proportion,gene_sets"],
    [*SHEET, "--train_mode", "none", "--train_denoised"],
    [*SHEET, "--train_mode", "none", "--train_denoised", "--model", "model.pt"],
    [*SHEET, "--train_mode", "none", "--train_networks", "3"],
    [*SHEET, "--train_mode", "none", "--train_networks", "1", "--niche_additional", "0"],
    [*SHEET, "--niche_additional", "2", "--niche_k", "5,100"],
    [*SHEET, "--niche_additional", "2", "--model", "model.pt"],
    [*SHEET, "--niche_additional", "x", "--niche_k", "5, 7"],
    # profiles, options of the engine, files of parameters
    ["-profile", "demo"],
    ["-profile", "test,docker", "--input", "sheet.csv"],
    ["-profile", "test", "-resume", "--seed", "x", "-with-report", "--device", "y"],
    ["-resume", "last", "-ansi-log", "false", "-stub-run", "-w", "work", "-process.cpus", "2", *SHEET, "--seed", "z"],
    ["-params-file", "params.json"],
    ["-params-file", "params.yml"],
    ["-params-file", "params.yml", "--seed", "5", *SHEET],
]
FILES = {
    "sheet.csv": "sample,patient,path\n",
    "sheet.xlsx": "",
    "model.pt": "",
    "list.yml": "- a\n- !own b\n",
    "params.json": """{"seed": "x", "qc_mads": 0.0, "niche_k": [2, 3], "device": null, "simulate": true,
        "my-name": 1, "a": {"b": 1}}""",
    "params.yml": """
        seed: 1.5
        features_harmony: yes
        niche_k: 4
        input: ${launchDir}/nothere.csv
        device: {a: 1}
        model:
        """,
}


# folders in which Nextflow can run no task
WORK, PROJECT = "work $HOME", 'pro"ject'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parameters")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def answers(folder):
    """What the workflow says, in the order of LINES and topics."""
    (folder / "cases.json").write_text(json.dumps({"lines": LINES, "topics": topics()}))
    files = {"CASES": str(folder / "cases.json"), "ANSWERS": str(folder / "answers.json")}
    (folder / WORK).mkdir()
    (folder / "work").symlink_to(WORK)
    (folder / PROJECT).symlink_to(ROOT)
    code, output = nextflow(folder, "run", folder / PROJECT / "tests/pipeline/parameter_check", **files)
    assert code == 0, output
    return json.loads((folder / "answers.json").read_text())


def topics() -> list[str]:
    return ["true", *all_parameters(), "--niche-k", "nichek", "no such parameter"]


@pytest.fixture(scope="module")
def environment():
    import sys
    from pathlib import Path

    return Path(sys.prefix)


def test_every_command_line_is_read_and_judged_alike(answers, folder, environment, monkeypatch):
    monkeypatch.chdir(folder)
    different, found = [], 0
    by_the_clock = {name for name, rule in all_parameters().items() if rule.get("recorded") is False}
    for line, answer in zip(LINES, answers["lines"]):
        given = given_parameters(line, {}, lambda: environment, folder)
        look = partial(yaml_problem, env={}, environment=lambda: environment)
        problems = parameter_problems(given.params, given.complete, look)
        message = problem_message(problems) if problems else ""
        found += len(problems)
        read = {name: text_of(value) for name, value in given.params.items() if name not in by_the_clock}
        of_the_engine = {name: value for name, value in answer["given"].items() if name not in by_the_clock}
        if message != answer["message"] or read != of_the_engine:
            different.append(f"{line}\n--- launcher\n{message}\n--- workflow\n{answer['message']}")
            different += [f"{name}: {value!r} {of_the_engine.get(name)!r}" for name, value in read.items()]
    assert not different, "\n\n".join(different)
    assert found > 60


def test_folders_in_which_no_task_could_run_are_refused_alike(answers, folder):
    """Also behind a link, which the engine looks through."""
    project = folder / PROJECT / "tests/pipeline/parameter_check"
    refused = folder_problems(folder / "work", project)
    assert answers["folders"] == refused
    assert f"-work-dir {folder / WORK}: " in refused[0]
    assert f"the pipeline lies in {project}: " in refused[1]


def test_help_is_the_same(answers):
    assert [parameter_help(topic) for topic in topics()] == answers["topics"]


def test_the_launcher_knows_the_options_of_the_engine(answers):
    own = {name: takes for name, takes in answers["options"].items() if not name.endswith((".", "--"))}
    assert {name: OPTIONS.get(name) != FLAG for name in own} == own


def test_a_failed_run_says_what_to_do(answers):
    """By the exit code of the step, and by the disks: /proc has no room, as a full disk has none."""
    advice = answers["advice"]
    assert len(set(advice.values())) == 5
    assert "Make room and start again with -resume" in advice["4"]
    assert "too little memory" in advice["137"]
    assert "### Out of memory" in (ROOT / "docs/usage.md").read_text()
    assert answers["disks"] == [[], ["The disk of the output folder (/proc) is full: 0 kB of 0 kB are free."]]
