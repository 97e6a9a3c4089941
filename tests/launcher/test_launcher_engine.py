"""Which Nextflow and which Java are taken, and that no jar is used that is not in the lock."""

import hashlib
import sys
from pathlib import Path

import pytest

from launcher import engine, java
from launcher.engine import Engine, engine_variables, find_engine, jar_name, locked_jars, ready_jars, wrong_jars
from launcher.messages import SetupError
from launcher.processes import output_of, version_in

JARS = {"io.nextflow:nextflow:25.04.3": b"engine", "org.example:lib:1.0": b"library"}
LOCKED = {coordinate: hashlib.sha256(content).hexdigest() for coordinate, content in JARS.items()}


@pytest.fixture
def fetches(monkeypatch):
    """Coordinates that were asked for; the download writes JARS, nothing leaves the machine."""
    calls = []

    def fake_step(command, env, lock, failure):
        calls.append(command[3:])
        for coordinate in command[3:]:
            (Path(command[2]) / jar_name(coordinate)).write_bytes(JARS[coordinate])

    monkeypatch.setattr(engine, "install_step", fake_step)
    monkeypatch.setattr(engine, "pip_settings", lambda env: {})
    return calls


def _program(path, output, code=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_the_lock_names_a_hash_for_every_jar():
    locked = locked_jars(engine.LOCK.read_bytes())
    assert "io.nextflow:nextflow:25.04.3" in locked
    assert len(locked) == 57
    assert not any("lib-trace" in coordinate for coordinate in locked)
    assert all(len(digest) == 64 for digest in locked.values())
    assert len({jar_name(coordinate) for coordinate in locked}) == len(locked)


def test_jars_are_fetched_once_in_the_order_of_the_lock(fetches, tmp_path):
    for _ in range(2):
        jars = ready_jars(tmp_path, tmp_path, {}, LOCKED)
    assert [jar.name for jar in jars] == ["nextflow-25.04.3.jar", "lib-1.0.jar"]
    assert fetches == [list(LOCKED)]


def test_a_download_that_differs_from_the_lock_is_refused(fetches, tmp_path):
    tampered = LOCKED | {"org.example:lib:1.0": "0" * 64}
    with pytest.raises(SetupError, match=r"refused.*lib-1\.0\.jar"):
        ready_jars(tmp_path, tmp_path, {}, tampered)
    with pytest.raises(SetupError, match="refused"):  # and again: it was not taken for complete
        ready_jars(tmp_path, tmp_path, {}, tampered)


def test_a_jar_changed_later_is_noticed_and_fetched_again(fetches, tmp_path):
    jars = ready_jars(tmp_path, tmp_path, {}, LOCKED)
    jars[1].write_bytes(b"something else")
    assert wrong_jars(jars[1].parent, LOCKED) == ["lib-1.0.jar"]
    ready_jars(tmp_path, tmp_path, {}, LOCKED)
    assert jars[1].read_bytes() == b"library"
    assert len(fetches) == 2


def test_a_recent_nextflow_on_path_is_used(fetches, tmp_path):
    program = _program(tmp_path / "nextflow", "nextflow version 25.10.2.7777")
    found = find_engine(tmp_path, tmp_path, {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert found.command(["run", "x"], {}) == [program, "run", "x"]
    assert "25.10" in found.description
    assert fetches == []


@pytest.mark.parametrize(
    ("output", "code", "reason"),
    [("nextflow version 24.10.5.5935", 0, "it is 24.10"), ("nextflow version 25.10.2: no Java", 1, "does not start")],
)
def test_another_nextflow_on_path_is_not_used(output, code, reason, fetches, tmp_path, monkeypatch, capsys):
    _program(tmp_path / "nextflow", output, code)
    monkeypatch.setattr(engine, "locked_jars", lambda lock: LOCKED)
    monkeypatch.setattr(engine, "find_java", lambda environment, env: java.Java("/j/java", "Java 21 from somewhere"))
    found = find_engine(tmp_path, tmp_path, {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert found.program == "/j/java"
    assert found.description == "Nextflow 25.04.3 from the cache, Java 21 from somewhere"
    assert reason in capsys.readouterr().err


def test_java_command():
    found = Engine("", "/j/java", (Path("/c/a.jar"), Path("/c/b.jar")))
    command = found.command(["run", "x", "-resume"], {"NXF_OPTS": "-Xmx2g '-Da=b c'"})
    assert command[0] == "/j/java"
    assert command[-3:] == ["run", "x", "-resume"]
    assert command[command.index("-cp") + 1 :][:2] == ["/c/a.jar:/c/b.jar", "nextflow.cli.Launcher"]
    assert {"-Xmx2g", "-Da=b c", "--add-opens=java.base/java.nio=ALL-UNNAMED"} <= set(command)
    # options of the user come later and win
    assert command.index("-XX:TieredStopAtLevel=1") < command.index("-Xmx2g")


def test_the_engine_is_offline_unless_told_otherwise(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    variables = engine_variables({"JAVA_TOOL_OPTIONS": "-Dx=1"}, ["run", "a b"])
    assert variables["NXF_OFFLINE"] == "true"
    assert variables["NXF_DISABLE_CHECK_LATEST"] == "true"
    assert variables["NXF_HOME"] == "/home/me/.nextflow"
    assert variables["NXF_CLI"] == "nextflow run 'a b'"
    assert "JAVA_TOOL_OPTIONS" not in variables
    own = {"NXF_OFFLINE": "false", "NXF_HOME": "/own", "NXF_ANSI_LOG": "true"}
    assert engine_variables(own, []).items() >= own.items()


def test_the_first_supported_java_is_taken(tmp_path):
    _program(tmp_path / "old/bin/java", 'openjdk version "11.0.2"')
    _program(tmp_path / "future/bin/java", 'openjdk version "25.0.1"')
    good = _program(tmp_path / "good/bin/java", 'openjdk version "17.0.15" 2025-04-15')
    env = {
        "NXF_JAVA_HOME": f"{tmp_path}/old",
        "JAVA_HOME": f"{tmp_path}/missing",
        "PATH": f"{tmp_path}/good/bin:/usr/bin:/bin",
    }
    found = java.find_java(tmp_path, env)
    assert found.program == good
    assert "Java 17 from PATH" in found.origin
    env["PATH"] = f"{tmp_path}/future/bin:/usr/bin:/bin"
    wheel = _program(tmp_path / "wheel/java", "")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(f"#!/bin/sh\necho {wheel}\n")
    (tmp_path / "bin/python").chmod(0o755)
    assert java.find_java(tmp_path, env) == (wheel, "Java 21 from the Python environment")


def test_a_machine_without_java_has_the_one_of_the_environment():
    found = java.find_java(Path(sys.prefix), {"PATH": "/nonexistent"})
    assert found.origin == "Java 21 from the Python environment"
    assert version_in(output_of([found.program, "-version"], {}))[0] in java.SUPPORTED


def test_no_java_at_all_is_said(tmp_path):
    with pytest.raises(SetupError, match="no Java"):
        java.find_java(tmp_path, {"PATH": "/nonexistent"})
