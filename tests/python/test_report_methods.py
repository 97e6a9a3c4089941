"""The methods text says what was run, and nothing else."""

import json
import re
from string import Formatter

import pytest
import yaml

from helpers import ASSETS, ROOT
from semanticst.errors import BadInput
from semanticst.report.methods import compose, write_methods

TEMPLATE = ASSETS / "methods_description_template.yml"
DESIGN = yaml.safe_load(TEMPLATE.read_text())
SCHEMA = ROOT / "nextflow_schema.json"

SMALL = {
    "steps": [
        {"process": "A", "text": "A ran {times} times [@b2] with {versions[tool]}."},
        {"process": "B", "text": "B ran [@a1]."},
        {"process": "A", "when": ["option", "not other"], "text": "Option [@b2]."},
        {"process": "A", "when": ["option or other"], "text": "Either."},
    ],
    "packages": {"tool": "c3"},
    "references": {"a1": "Alpha.", "b2": "Beta <i>.", "c3": "Gamma."},
}
RAN = {"A": {"tool": "1.10", "plain": "2"}, "C": {"tool": "1.10"}, "Workflow": {"engine": "3"}}


def written(settings, ran=RAN, design=SMALL):
    return compose(design, ran, settings, TEMPLATE)


def test_only_what_ran_is_told_and_cited():
    text, software, references = written({"times": 3, "option": False, "other": None})
    assert text == "A ran 3 times [1] with 1.10."
    assert software == "Software: plain 2, tool 1.10 [2]."
    assert references == ["Beta <i>.", "Gamma."]


@pytest.mark.parametrize(
    ("option", "other", "expected"),
    [
        (True, None, "Option [1]. Either."),
        (True, "x", "Either."),
        (None, 0, "Either."),
        (False, None, ""),
        ("", "false", ""),
    ],
)
def test_conditions(option, other, expected):
    text, _, _ = written({"times": 1, "option": option, "other": other})
    assert text.removeprefix("A ran 1 times [1] with 1.10.").strip() == expected


def test_different_versions_of_a_package_are_both_named():
    _, software, _ = written({"times": 1}, RAN | {"C": {"tool": "1.9"}})
    assert "tool 1.10 and 1.9" in software


def test_values_of_parameters_are_escaped():
    text, _, _ = written({"times": "<img>"})
    assert "&lt;img&gt;" in text


def test_an_unknown_parameter_is_bad_input():
    with pytest.raises(BadInput, match="times"):
        written({})


def test_every_reference_is_used_and_every_citation_known():
    cited = set(re.findall(r"\[@([\w-]+)\]", " ".join(step["text"] for step in DESIGN["steps"])))
    cited |= set(DESIGN["packages"].values())
    assert cited == set(DESIGN["references"])


def test_placeholders_and_conditions_are_parameters():
    if not SCHEMA.exists():
        pytest.fail("nextflow_schema.json is missing")
    schema = json.loads(SCHEMA.read_text())
    groups = schema.get("$defs") or schema["definitions"]
    parameters = {name for group in groups.values() for name in group["properties"]}
    for step in DESIGN["steps"]:
        fields = {field for _, field, _, _ in Formatter().parse(step["text"]) if field}
        assert {field for field in fields if not field.startswith("versions[")} <= parameters
        terms = [term.removeprefix("not ") for condition in step.get("when", []) for term in condition.split(" or ")]
        assert set(terms) <= parameters


def test_processes_of_the_template_exist():
    modules = (ROOT / "modules").rglob("main.nf")
    processes = {found for path in modules for found in re.findall(r"^process (\w+)", path.read_text(), re.MULTILINE)}
    assert {step["process"] for step in DESIGN["steps"]} <= processes | {"Workflow"}


def test_file_with_the_real_template(tmp_path):
    groups = json.loads(SCHEMA.read_text())["$defs"]
    settings = {name: entry.get("default") for group in groups.values() for name, entry in group["properties"].items()}
    versions = {
        "SAMPLE_QC": {"anndata": "0.12.2"},
        "COHORT_FEATURES": {"harmonypy": "2.1"},
        "NICHE_ASSOCIATE": {"statsmodels": "0.15"},
        "Workflow": {"nf-semanticst": "0.1.0", "Nextflow": "25.04.3"},
    }
    (tmp_path / "versions.yml").write_text(yaml.safe_dump(versions))
    (tmp_path / "params.json").write_text(json.dumps(settings))
    write_methods(tmp_path / "versions.yml", tmp_path / "params.json", TEMPLATE, tmp_path)
    content = json.loads((tmp_path / "methods_mqc.json").read_text())
    text = content["data"]
    assert "nf-semanticst 0.1.0, a Nextflow 25.04.3 [1] pipeline" in text
    assert "Harmony [" in text
    assert "5 scaled median absolute deviations" in text
    assert "Cox regression" in text
    # did not run
    assert "graph neural network was trained" not in text
    assert "simulated" not in text
    assert "{" not in text
    numbers = {int(number) for number in re.findall(r"\[(\d+)\]", text)}
    assert numbers == set(range(1, text.count("<li>") + 1))


@pytest.mark.parametrize(
    ("name", "content"), [("versions.yml", "a: [b"), ("versions.yml", "- a"), ("params.json", "{,}")]
)
def test_unreadable_files_are_bad_input(tmp_path, name, content):
    (tmp_path / "versions.yml").write_text("A: {tool: '1'}")
    (tmp_path / "params.json").write_text("{}")
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=name):
        write_methods(tmp_path / "versions.yml", tmp_path / "params.json", TEMPLATE, tmp_path)
