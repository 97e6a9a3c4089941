"""What a user sees of wrong parameters and wrong input, and of the help."""

import pytest

from engine_helpers import nextflow, pipeline, write_sheet
from helpers import ROOT
from pipeline_helpers import schema_parameters

pytestmark = pytest.mark.engine

STACK_TRACE = ("\tat ", "Exception", "Traceback")


def assert_no_stack_trace(output: str):
    assert not [word for word in STACK_TRACE if word in output], output


def test_all_wrong_parameters_are_named_at_once(tmp_path):
    run = pipeline(
        tmp_path,
        *("--niche_K", "5", "--inptu", "sheet.csv", "--train_steps", "many", "--seed", "-1"),
        *("--device", "gpu", "--qc_mads", "0", "--qc_max_mito", "2", "--niche_k", "5,x"),
        *("--model", "nothere.pt", "--clinical", "nothere.csv", "--clinical_time", "days", "--qc_fail"),
    )
    assert run.code == 2
    for problem in (
        "--niche_K: there is no such parameter, did you mean --niche_k?",
        "--inptu: there is no such parameter, did you mean --input?",
        "--train_steps 'many': a whole number is expected",
        "--seed '-1': at least 0 is expected",
        "--device 'gpu': one of auto, cpu, cuda is expected",
        "--qc_mads '0': more than 0 is expected",
        "--qc_max_mito '2': at most 1 is expected",
        "--niche_k '5,x': not as expected: Number of niches",
        "--model 'nothere.pt': there is no such file",
        "--clinical 'nothere.csv': there is no such file",
        "--clinical_event is missing",
        "--input is missing",
        "--qc_fail : a value is expected after it",
    ):
        assert problem in run.output
    assert "13 problems" in run.output
    assert_no_stack_trace(run.output)


def test_help_lists_every_parameter_and_starts_nothing(tmp_path):
    code, output = nextflow(tmp_path, "run", ROOT, "--help")
    assert code == 0
    missing = [
        name for name, rule in schema_parameters().items() if f"--{name} " not in output and not rule.get("hidden")
    ]
    assert missing == []
    assert "Submitted process" not in output
    assert not (tmp_path / "results").exists()


def test_one_bad_samplesheet_gives_all_its_errors(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/b.h5ad").touch()
    odd = "data/c, \u00fc $x.h5ad"
    sheet = write_sheet(
        tmp_path / "sheet.csv",
        [
            {"sample": "a", "patient": "p1", "path": "data/it's a.h5ad"},
            {"sample": "a", "patient": "p2", "path": "data/b.h5ad"},
            {"sample": "with space", "patient": "p2", "path": odd},
            {"sample": "d", "patient": "", "path": "s3://bucket/d.h5ad"},
        ],
    )
    run = pipeline(tmp_path, "--input", sheet)
    assert run.code == 1  # the engine's own, whatever a task ends with
    for problem in (
        f"sheet.csv, row 2, column 'path': found \"data/it's a.h5ad\": there is no {tmp_path}/data/it's a.h5ad",
        "sheet.csv, row 3, column 'sample'",
        "sheet.csv, row 4, column 'sample'",
        f"sheet.csv, row 4, column 'path': found '{odd}': there is no {tmp_path}/{odd}",
        "sheet.csv, row 5, column 'patient'",
        "5 problems in the input",
        "Correct them and start again",
    ):
        assert problem in run.output, run.output
    assert_no_stack_trace(run.output)
    assert run.tasks("FAILED") == {"SAMPLESHEET_CHECK": 1}


def test_the_strict_parser_finds_nothing_wrong_with_the_workflow_code(tmp_path):
    code_of_workflow = ("main.nf", "nextflow.config", "workflows", "subworkflows", "modules", "conf")
    code, output = nextflow(tmp_path, "lint", *(ROOT / name for name in code_of_workflow), NXF_SYNTAX_PARSER="v2")
    assert code == 0, output
    assert "had no errors" in output
    assert "Warn" not in output
