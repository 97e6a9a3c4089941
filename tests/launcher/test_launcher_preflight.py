"""What the launcher tells before the engine starts, and what it leaves to the engine. Nothing is installed for it.

That it judges as the workflow does is compared in tests/pipeline/test_parameter_check.py.
"""

import shutil
import sys
from pathlib import Path

import pytest

from launcher import commands, configuration, preflight
from launcher.arguments import read_arguments
from launcher.engine import Engine
from launcher.messages import UsageError
from launcher.parameters import folder_problems, parameter_problems

HERE = Path(sys.prefix)
"""The tests run in the pipeline's environment."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to start runs in, with a home of its own."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NXF_HOME", str(tmp_path / "home/.nextflow"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(folder, monkeypatch):
    """An engine that notes that it was started; the environment is the one of the tests."""
    program = folder / "engine"
    program.write_text("#!/bin/sh\ntouch started\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(commands, "ready_environment", lambda cache, env, torch=None: HERE)
    monkeypatch.setattr(commands, "find_engine", lambda cache, environment, env: Engine("a fake", str(program)))
    monkeypatch.setattr(commands, "replace_by", commands.exit_code_of)
    return folder / "started"


def nothing_is_installed() -> Path:
    pytest.fail("the environment was asked for")


def given(*arguments, env=None, environment=nothing_is_installed):
    return preflight.given_parameters(arguments, env or {}, environment)


def problems(*arguments) -> str:
    found = given(*arguments)
    return "\n".join(parameter_problems(found.params, found.complete))


def test_help_and_version_need_no_environment_and_no_engine(folder, monkeypatch, capsys):
    monkeypatch.setattr(commands.Place, "environment", nothing_is_installed)
    assert commands.main(["run", "--help"]) == 0
    assert "--niche_starts " in capsys.readouterr().out
    assert commands.main(["run", "-profile", "demo", "--help", "device", "-resume"]) == 0
    assert "one of: auto, cpu, cuda" in capsys.readouterr().out
    assert commands.main(["run", "--version"]) == 0
    assert capsys.readouterr().out.startswith("nf-semanticst 0.")


def test_wrong_parameters_end_with_2_and_are_all_named(folder, monkeypatch, capsys):
    monkeypatch.setattr(commands.Place, "environment", nothing_is_installed)
    for command in ("run", "demo"):
        assert commands.main([command, "--niche_K", "5", "--seed", "x", "--input", "nothere.csv"]) == 2
        said = capsys.readouterr().err
        assert "3 problems" in said if command == "run" else "4 problems" in said
        assert "did you mean --niche_k?" in said


def test_an_unknown_profile_gets_the_list_of_those_there_are(folder):
    with pytest.raises(UsageError, match="'nothere', 'x'. There are: docker, .*demo, test, test_full"):
        given("-profile", "nothere,demo,x")
    assert given("-profile", "standard").complete
    (folder / "own.config").write_text("profiles { nothere { } }\n")
    assert not problems("-profile", "nothere,demo", "-c", "own.config")


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("process.cpus = 2\nexecutor { queueSize = 5 }\n", True),
        ("// params of nobody\n/* includeConfig 'x' */\ntower.accessToken = 'a//b'\n", True),
        ("params { input = 'x.csv' }\n", False),
        ("params.simulate = true\n", False),
        ("includeConfig 'site.config'\n", False),
    ],
)
@pytest.mark.parametrize("place", ["home/.nextflow/config", "nextflow.config", "given.config"])
def test_what_others_may_have_set_is_left_to_the_engine(place, text, complete, folder):
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text(text)
    option = ["-c", place] if place == "given.config" else []
    found = preflight.given_parameters(option, {"NXF_HOME": str(folder / "home/.nextflow")}, nothing_is_installed)
    said = parameter_problems(found.params, found.complete)
    assert found.complete == complete
    assert bool(said) == complete  # --input is missing
    # whatever is set there, the command line wins: what is wrong here is wrong
    assert "--seed 'x': a whole number" in problems(*option, "--seed", "x")
    assert "cannot be combined" in problems(*option, "--simulate", "--clinical", __file__)


def test_names_that_others_may_let_pass(folder):
    assert "there is no such parameter" in problems("--ours", "1")
    (folder / "site.config").write_text("params { validation_ignore_params = 'ours' }\n")
    assert "no such parameter" not in problems("--ours", "1", "-c", "site.config")
    assert "no such parameter" not in problems("--ours", "1", "-c", "not there.config")
    assert "--theirs" in problems(
        "--ours", "1", "--theirs", "2", "-c", "site.config", "--validation_ignore_params", "ours"
    )


@pytest.mark.parametrize("arguments", [["-newer", "x"], ["-profile"], ["-h"], ["-params-file", "s3://bucket/p.yml"]])
def test_what_only_the_engine_understands(arguments, folder):
    assert given("--seed", "x", *arguments) is None


def test_files_that_lie_elsewhere_are_looked_up_by_the_engine(folder, monkeypatch):
    assert not problems("--input", "s3://bucket/sheet.csv", "--model", "~/model.pt", "--clinical", "file:///x.csv")
    monkeypatch.setenv("NXF_FILE_ROOT", "/elsewhere")
    assert not problems("--input", "sheet.csv")


def test_files_of_parameters(folder):
    (folder / "p.json").write_text('{"simulate": true, "seed": 3, "outdir": "${launchDir}/o"}')
    found = given("-params-file", "p.json", "--seed", "4")
    assert (found.params["simulate"], found.params["seed"]) == (True, 4)
    assert found.params["outdir"] == f"{folder}/o"
    assert given(env={"NXF_PARAMS_FILE": "p.json"}).params["seed"] == 3
    (folder / "p.yml").write_text("simulate: on\nqc_mads: 2.5\n")
    found = given("-params-file", "p.yml", environment=lambda: HERE)
    assert (found.params["simulate"], found.params["qc_mads"]) == (True, 2.5)
    for name, text in {"a.json": "{", "b.yml": "a: [1", "c.json": "[1]", "d.txt": "", "none.yml": None}.items():
        if text is not None:
            (folder / name).write_text(text)
        with pytest.raises(UsageError, match=name):
            given("-params-file", name, environment=lambda: HERE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !own 1\n", ""),
        ("", ""),
        ("- a\n", "YAML that maps names to values is expected"),
        ("a: [1", "cannot be read as YAML: while parsing a flow sequence"),
    ],
)
def test_a_file_of_yaml_is_looked_into(text, problem, engine, folder, capsys):
    (folder / "mqc.yml").write_text(text)
    code = commands.main(["run", "--simulate", "--multiqc_config", "mqc.yml"])
    assert code == (2 if problem else 7)
    assert problem in capsys.readouterr().err


def test_own_profiles_are_read_as_they_stand():
    assert set(configuration.profiles()) >= {"docker", "slurm", "gpu", "demo", "test"}
    demo = configuration.profile_parameters(["demo"])
    assert demo["simulate"] is True
    assert configuration.profile_parameters(["docker"]) == {}
    text = "params {\n a = 'x // y' // z\n b = 1.5\n c = null\n d = \"${e}/f\"\n}\nparams.g = false\nx { params = 1 }\n"
    assert configuration.parameters_in(text) == {
        **{"a": "x // y", "b": 1.5, "c": None, "g": False},
        "d": configuration.UNKNOWN,
    }


def tables(*arguments) -> list[str]:
    return preflight.tables_command(given(*arguments))


def test_which_tables_are_checked(folder):
    for name in ("s.csv", "c.csv", "k.csv"):
        (folder / name).touch()
    survival = ["--clinical_time=t", "--clinical_event=e", "--clinical_event_value=1"]
    assert tables("--input", "s.csv") == ["s.csv"]
    assert tables("--input", "s.csv", "--clinical", "c.csv", "--contrasts=k.csv", *survival) == [
        *("s.csv", "--clinical", "c.csv", "--contrasts", "k.csv"),
        *("--clinical-time=t", "--clinical-event=e", "--clinical-event-value=1"),
    ]
    assert tables("--simulate") == tables("--input", "s.csv", "-stub-run") == tables("--input", "s3://b/s.csv") == []
    # tables are checked against each other: one alone would be told wrong
    assert tables("--input", "s.csv", "--clinical", "s3://b/c.csv") == []
    (folder / "nextflow.config").write_text("params { clinical = 'c.csv' }\n")
    assert tables("--input", "s.csv", "--contrasts", "k.csv") == ["s.csv"]


def test_tables_are_checked_before_the_engine_starts(engine, folder, capfd):
    sheet = folder / "my [sheet] #1's.csv"
    sheet.write_text("sample,patient,path\na b,p,x.h5ad\nb,,y.h5ad\n")
    (folder / "clinical.csv").write_text("patient,age\nq,x\n")
    arguments = ["run", "--input", str(sheet), "--clinical", "clinical.csv", "--clinical_group", "stage"]
    assert commands.main(arguments) == 3
    said = capfd.readouterr().err
    for problem in ("row 2, column 'sample'", "there is no", "row 3, column 'patient'", "no patient of", "'stage'"):
        assert problem in said, said
    assert "nothing was started" in said
    assert not engine.exists()

    (folder / "x.csv").write_text("cell_id,x,y,a\n1,0,0,3\n")
    sheet.write_text("sample,patient,path\na,q,x.csv\n")
    assert commands.main(arguments[:5]) == 7
    assert engine.exists()
    assert "1 sample of 1 patient" in capfd.readouterr().err


def test_a_check_that_cannot_be_made_holds_nobody_up(engine, folder, monkeypatch, capsys):
    (folder / "s.csv").write_text("sample,patient,path\n")
    monkeypatch.setattr(preflight, "CHECK", folder / "not there.py")
    assert commands.main(["run", "--input", "s.csv"]) == 7
    assert "could not be checked before the start (2)" in capsys.readouterr().err


def test_a_run_that_has_no_place_is_not_started(engine, folder, monkeypatch, capsys):
    (folder / "file").touch()
    for arguments, what in {
        ("--simulate", "--outdir", "file/out"): "the output folder (--outdir) cannot be written",
        ("--simulate", "-w", "/proc/1/work"): "the work folder (-work-dir) cannot be written",
    }.items():
        assert commands.main(["run", *arguments]) == 4
        assert what in capsys.readouterr().err
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 2000))
    assert commands.main(["run", "--simulate", "--outdir", "s3://bucket/out"]) == 4
    assert "2 kB are free" in capsys.readouterr().err
    assert not engine.exists()
    monkeypatch.setenv("NXF_CACHE_DIR", "/elsewhere")
    assert commands.main(["run", "--simulate", "--outdir", "s3://bucket/out", "-w", "s3://bucket/work"]) == 7


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["-w", "w$x"], "w$x"),
        (["-work-dir", "link"], "w$x"),
        (["-work-dir", "w{a,b}"], "w{a,b}"),
        (["-w", "w {a} [1] 'q'"], None),
        (["-w", "s3://b/w$x"], None),
        ([], None),
    ],
)
def test_folders_in_which_no_task_could_run_are_refused(arguments, refused, engine, folder, capsys):
    (folder / "w$x").mkdir()
    (folder / "link").symlink_to("w$x")
    code = commands.main(["run", "--simulate", *arguments])
    said = capsys.readouterr().err
    assert (code, engine.exists()) == ((2, False) if refused else (7, True)), said
    assert (f"-work-dir {folder / (refused or '')}: Nextflow cannot run tasks in a folder" in said) == bool(refused)


def test_the_work_folder_is_that_of_the_launch_unless_named(engine, folder, monkeypatch, capsys):
    """And a folder of the pipeline in which no step would be found is named with it."""
    (folder / "a$b").mkdir()
    monkeypatch.chdir(folder / "a$b")
    assert commands.main(["run", "--simulate"]) == 2
    assert f"-work-dir {folder}/a$b/work: " in capsys.readouterr().err
    monkeypatch.setenv("NXF_WORK", str(folder / "work"))
    assert commands.main(["run", "--simulate"]) == 7
    monkeypatch.delenv("NXF_WORK")
    (folder / "a$b/nextflow.config").write_text(f"workDir = '{folder}/work'\n")
    assert commands.main(["run", "--simulate"]) == 7
    assert [text[:20] for text in folder_problems(None, Path('/pipe"line'))] == ["the pipeline lies in"]


def test_the_command_line_is_read_as_the_engine_reads_it():
    read = read_arguments(
        ["-c", "a.config,b.config", "--seed", "-1", "--x", "-resume", "last", "--y", "- z", "-config", "c", "-bg", "w"]
    )
    assert read.params == {"seed": -1, "x": True, "y": "- z"}
    assert read.options == {"-c": ["a.config", "b.config"], "-resume": ["last"], "-config": ["c"], "-bg": []}
    assert read_arguments(["--n", "1"], {"NXF_DISABLE_PARAMS_TYPE_DETECTION": "1"}).params == {"n": "1"}


def test_demo_is_checked_with_its_profile(engine, folder):
    assert commands.main(["demo", "--seed", "x"]) == 2
    assert not engine.exists()
    assert commands.main(["demo"]) == 7


def test_denoised_expression_needs_a_network_of_this_run_or_of_the_model():
    """A model brings its own network, whatever --train_mode says."""
    asked = {"input": "s3://b/s.csv", "train_mode": "none", "train_denoised": True}
    assert parameter_problems(asked) == ["--train_denoised needs a network, and --train_mode none trains none"]
    assert parameter_problems(asked | {"model": "s3://b/model.pt"}) == []
    assert parameter_problems(asked | {"train_mode": "semantic"}) == []
