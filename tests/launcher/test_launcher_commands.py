"""The command line of ``./semanticst``, without an environment and without an engine."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from launcher import commands
from launcher.engine import Engine
from launcher.environment import CHECKOUT
from launcher.messages import SetupError
from launcher.processes import exit_code_of

LAUNCHER = CHECKOUT / "semanticst"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place with an engine that only prints its arguments, and programs that are not run but recorded."""
    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\necho "$@" > called\nexit ${ENGINE_EXIT:-0}\n')
    echo.chmod(0o755)
    monkeypatch.setenv("SEMANTICST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(commands, "ready_environment", lambda cache, env, torch=None: tmp_path / "env")
    monkeypatch.setattr(commands, "find_engine", lambda cache, environment, env: Engine("a fake", str(echo)))
    monkeypatch.setattr(commands, "replace_by", lambda command, env: (command, env))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_is_nextflow_run_of_this_checkout(place):
    command, env = commands.main(["run", "--simulate", "--seed", "3", "-resume"])
    assert command == [str(place / "echo"), "run", str(CHECKOUT), "--simulate", "--seed", "3", "-resume"]
    assert env["PATH"].startswith(f"{place}/env/bin:")
    assert env["NXF_OFFLINE"] == "true"


def test_python_reaches_the_library(place):
    command, env = commands.main(["python", "-c", "1"])
    assert command == [f"{place}/env/bin/python", "-c", "1"]
    assert env["PYTHONPATH"] == str(CHECKOUT / "bin")


def test_test_is_pytest_in_the_checkout(place):
    command, _ = commands.main(["test", "tests/python", "-q"])
    assert command[1:] == ["-m", "pytest", "tests/python", "-q"]


@pytest.mark.parametrize("arguments", [[], ["-m", "not engine"], ["-k", "contract"]])
def test_all_tests_have_a_worker_per_core(place, arguments, monkeypatch):
    monkeypatch.setattr(commands.os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    command, _ = commands.main(["test", *arguments])
    assert command[1:] == ["-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", *arguments]


def test_the_number_of_workers_can_be_given(place):
    command, _ = commands.main(["test", "-n", "0"])
    assert command[1:] == ["-m", "pytest", "-n", "0"]
    assert Path.cwd() == CHECKOUT


def test_demo_says_where_the_report_is(place, capsys):
    report = place / "results_demo/multiqc/multiqc_report.html"
    report.parent.mkdir(parents=True)
    report.touch()
    assert commands.main(["demo", "--seed", "3"]) == 0
    assert (place / "called").read_text().split() == [
        *["run", str(CHECKOUT), "-profile", "demo", "--outdir", "results_demo", "--seed", "3"]
    ]
    assert str(report) in capsys.readouterr().err


def test_demo_passes_on_a_failure_and_another_outdir(place, capsys, monkeypatch):
    monkeypatch.setenv("ENGINE_EXIT", "3")
    assert commands.main(["demo", "--outdir", "elsewhere"]) == 3
    assert "results_demo" not in (place / "called").read_text()
    assert "report" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--outdir", "a"], "a"),
        (["--outdir=a", "-resume"], "a"),
        (["--outdir", "a", "--outdir", "b"], "b"),
        (["--outdirs", "a"], None),
        (["--outdir"], None),
        ([], None),
    ],
)
def test_option_value(arguments, expected):
    assert commands.option_value(arguments, "--outdir") == expected


def test_bench_without_benchmarks(place, monkeypatch, capsys):
    monkeypatch.setattr(commands, "CHECKOUT", place)
    assert commands.main(["bench"]) == 2
    assert "no benchmarks yet" in capsys.readouterr().err


def test_bench_lists_and_runs(place, monkeypatch, capsys):
    monkeypatch.setattr(commands, "CHECKOUT", place)
    folder = place / "bin/semanticst/bench"
    folder.mkdir(parents=True)
    for name in ("__init__.py", "_shared.py", "recovery.py", "speed.py"):
        (folder / name).touch()
    assert commands.main(["bench"]) == 0
    assert capsys.readouterr().out == "recovery\nspeed\n"
    assert commands.main(["bench", "nothing"]) == 2
    command, _ = commands.main(["bench", "speed", "--n", "3"])
    assert command[1:] == ["-m", "semanticst.bench.speed", "--n", "3"]


def test_what_cannot_be_installed_is_exit_1(place, monkeypatch, capsys):
    def fail(cache, env, torch=None):
        raise SetupError("no network")

    monkeypatch.setattr(commands, "ready_environment", fail)
    assert commands.main(["setup"]) == 1
    assert "ERROR: no network" in capsys.readouterr().err


def test_a_torch_build_that_cannot_be_had_is_not_chosen(place, monkeypatch):
    def fail(cache, env, torch=None):
        raise SetupError("no network")

    monkeypatch.setattr(commands, "ready_environment", fail)
    assert commands.main(["setup", "--torch", "cpu"]) == 1
    assert not (place / "cache" / "torch").exists()


def test_setup_remembers_the_torch_build(place):
    (place / "cache").mkdir()
    assert commands.main(["setup", "--torch", "cpu"]) == 0
    assert (place / "cache" / "torch").read_text() == "cpu\n"


def test_lint_fails_when_one_check_fails(place, monkeypatch):
    ruff, mypy = place / "env/bin/ruff", place / "env/bin/mypy"
    ruff.parent.mkdir(parents=True)
    for program, content in ((ruff, '#!/bin/sh\n[ "$1" = check ]\n'), (mypy, "#!/bin/sh\n")):
        program.write_text(content)
        program.chmod(0o755)
    monkeypatch.setattr(commands, "CHECKOUT", place)
    assert commands.main(["lint"]) == 1
    ruff.write_text("#!/bin/sh\n")
    assert commands.main(["lint"]) == 0
    mypy.write_text("#!/bin/sh\nexit 1\n")
    assert commands.main(["lint"]) == 1
    mypy.write_text("#!/bin/sh\n")
    monkeypatch.setenv("ENGINE_EXIT", "1")
    assert commands.main(["lint"]) == 1


def test_exit_codes_are_those_of_a_shell():
    assert exit_code_of(["sh", "-c", "exit 7"], os.environ) == 7
    assert exit_code_of(["sh", "-c", "kill -KILL $$"], os.environ) == 137


def test_sigterm_is_handed_on():
    """A scheduler that ends the launcher ends what runs below it, and sees its exit code."""
    script = (
        f"import sys, os; sys.path.insert(0, {str(CHECKOUT)!r}); from launcher.processes import exit_code_of;"
        "sys.exit(exit_code_of(['sh', '-c', 'trap \"exit 9\" TERM; echo up; while :; do sleep 0.1; done'], os.environ))"
    )
    launcher = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout.readline() == "up\n"
    time.sleep(0.3)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(timeout=120) == 9


def _launch(*arguments, **env):
    return subprocess.run(
        [sys.executable, str(LAUNCHER), *arguments], capture_output=True, text=True, env={**os.environ, **env}
    )


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"], []])
def test_help(arguments):
    done = _launch(*arguments)
    assert done.returncode == 0
    for name in ("demo", "test", "run", "nextflow", "python", "lint", "bench", "setup"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        *(([name, "--help"], f"Usage: ./semanticst {name} ") for name in ("check", "demo", "test", "bench", "verify")),
        (["lint", "-h"], "Usage: ./semanticst lint\n"),
        (["setup", "--help"], "usage: ./semanticst setup "),
        (["check", "--input", "s.csv", "--help"], "Usage: ./semanticst check "),
        (["check", "--help", "device"], "--device\n"),
        (["help", "check"], "Usage: ./semanticst check "),
        (["help", "run"], "Usage: nextflow run "),
        (["run", "-h"], "Usage: nextflow run "),
        (["run", "--help", "device"], "--device\n"),
    ],
)
def test_each_command_has_its_own_help_without_an_environment(arguments, first, monkeypatch, capsys):
    monkeypatch.setattr(commands.Place, "environment", lambda self: pytest.fail("the environment was asked for"))
    try:
        code = commands.main(arguments)
    except SystemExit as done:  # argparse
        code = done.code
    assert code == 0
    assert capsys.readouterr().out.startswith(first)


def test_commands_of_the_library_are_called_by_the_name_that_users_know(place, monkeypatch):
    _, variables = commands.main(["split", "folder"])
    assert variables["SEMANTICST_COMMAND"] == "./semanticst split"
    _, variables = commands.main(["help", "bench", "input"])
    assert variables["SEMANTICST_COMMAND"] == "./semanticst bench input"


@pytest.mark.parametrize(
    "arguments", [["help", "walk"], ["walk"], ["lint", "x"], ["setup", "--torch", "gpu"], ["setup", "x"]]
)
def test_bad_commands_are_exit_2(arguments, tmp_path):
    done = _launch(*arguments, SEMANTICST_CACHE=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") <= 3
    assert not list(tmp_path.iterdir())


@pytest.fixture
def entry(monkeypatch):
    """The file ``./semanticst`` as a module."""
    loader = SourceFileLoader("entry", str(LAUNCHER))
    module = module_from_spec(spec_from_loader("entry", loader))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 15)])
def test_an_unsuitable_python_gets_a_message(version, entry, monkeypatch):
    monkeypatch.setattr(entry.sys, "version_info", version)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SystemExit, match=rf"Python 3\.11.*is Python 3\.{version[1]}"):
        entry.main()


def test_an_unsuitable_python_hands_over_to_a_suitable_one(entry, tmp_path, monkeypatch):
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")  # as a shim of a version that is not installed
    (tmp_path / "python3.12").write_text("#!/bin/sh\n")
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    monkeypatch.setattr(entry.sys, "version_info", (3, 10))
    monkeypatch.setattr(entry.sys, "argv", ["semanticst", "help"])
    monkeypatch.setenv("PATH", str(tmp_path))
    calls = []

    def replaced(program, arguments):
        calls.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(entry.os, "execv", replaced)
    with pytest.raises(SystemExit):
        entry.main()
    assert calls == [[str(tmp_path / "python3.12"), "semanticst", "help"]]


def test_the_entry_file_parses_on_old_pythons():
    """Python 3.6 is the oldest that clusters still have; f-strings are fine, newer syntax is not."""
    ast.parse(LAUNCHER.read_text(), feature_version=(3, 6))


def test_files_are_executable():
    assert os.access(LAUNCHER, os.X_OK)
    assert os.access(CHECKOUT / ".ci/run", os.X_OK)


@pytest.mark.parametrize("code", [0, 5])
def test_the_stages_of_ci_say_how_long_they_took(code, tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy2(CHECKOUT / ".ci/run", tmp_path / ".ci")
    for program, text in {"semanticst": f'[ "$*" != test ] || exit {code}', "apt-get": "true"}.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([tmp_path / ".ci/run"], env=os.environ | {"PATH": path}, capture_output=True, text=True)
    stages = re.findall(r"^== (.+): \d+ s$", done.stdout, re.M)
    asked = ["./semanticst lint", "./semanticst test", "./semanticst test --containers machine build demo"]
    assert done.returncode == code
    assert [stage for stage in stages if stage not in ("slurm", "browser")] == asked[: 1 if code else None]
