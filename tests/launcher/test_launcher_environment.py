"""The Python environment: its lock file, its name, its variables. Nothing is installed here."""

import re

import pytest

from launcher import environment
from launcher.environment import CHECKOUT, LOCK, TORCH_BUILDS, environment_digest, lock_without_cuda
from launcher.messages import SetupError

LOCK_TEXT = LOCK.read_text()


def _names(text):
    return set(re.findall(r"^([A-Za-z0-9._-]+) *(?:[=><]=|\[)", text, flags=re.MULTILINE))


def test_digest_tells_environments_apart():
    one = environment_digest(b"lock", "default", "cpython3.11", "linux-x86_64")
    others = [
        environment_digest(b"lock2", "default", "cpython3.11", "linux-x86_64"),
        environment_digest(b"lock", "cpu", "cpython3.11", "linux-x86_64"),
        environment_digest(b"lock", "default", "cpython3.12", "linux-x86_64"),
        environment_digest(b"lock", "default", "cpython3.11", "linux-aarch64"),
    ]
    assert len({one, *others}) == 5
    assert one == environment_digest(b"lock", "default", "cpython3.11", "linux-x86_64")


def test_every_requirement_is_locked_with_hashes():
    wanted = _names((CHECKOUT / "requirements.in").read_text())
    assert len(wanted) > 15
    assert wanted <= _names(LOCK_TEXT)
    blocks = re.split(r"^(?=[a-z0-9])", LOCK_TEXT, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_locks_name_no_host():
    for lock in (LOCK, CHECKOUT / "launcher" / "uv.txt", CHECKOUT / "launcher" / "engine" / "jgo.lock.toml"):
        assert "://" not in lock.read_text()


def test_cpu_build_keeps_all_but_torch_and_cuda():
    kept = _names(lock_without_cuda(LOCK_TEXT))
    removed = _names(LOCK_TEXT) - kept
    assert {"torch", "triton"} < removed
    assert all(re.match("torch$|triton$|nvidia-|cuda-", name) for name in removed)
    assert not any(name.startswith(("nvidia", "cuda")) for name in kept)
    assert {"torch-geometric", "sympy", "filelock", "numpy"} <= kept


def test_activated_variables(tmp_path):
    env = {"PATH": "/usr/bin", "PYTHONPATH": "/module/of/the/cluster", "PYTHONHOME": "/x", "KEEP": "1"}
    variables = environment.activated(tmp_path, env)
    assert variables["PATH"] == f"{tmp_path}/bin:/usr/bin"
    assert variables["PYTHONNOUSERSITE"] == "1"
    assert variables["KEEP"] == "1"
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(variables)


def test_torch_choice_is_remembered(tmp_path):
    assert environment.chosen_torch(tmp_path) == "default"
    (tmp_path / "torch").write_text("cpu\n")
    assert environment.chosen_torch(tmp_path) == "cpu"


@pytest.fixture
def steps(monkeypatch):
    """The commands of an installation, none of which is run."""
    commands = []
    monkeypatch.setattr(environment, "find_uv", lambda cache, env: "uv")
    monkeypatch.setattr(environment, "pip_settings", lambda env: {})
    monkeypatch.setattr(environment, "require_space", lambda folder, gigabytes: None)
    monkeypatch.setattr(environment, "install_step", lambda command, env, lock, failure: commands.append(command))
    return commands


@pytest.mark.parametrize("torch", TORCH_BUILDS)
def test_everything_but_a_cpu_torch_is_installed_with_hashes(torch, steps, tmp_path):
    environment.ready_environment(tmp_path, {}, torch)
    hashed = [command for command in steps if "--require-hashes" in command]
    assert len(hashed) == 1
    requirements = hashed[0][hashed[0].index("--requirement") + 1]
    cpu_torch = [command for command in steps if "--torch-backend" in command]
    if torch == "default":
        assert requirements == str(LOCK)
        assert not cpu_torch
    else:
        assert requirements.startswith(str(tmp_path))
        version = re.search(r"^torch==(\S+)", LOCK_TEXT, re.MULTILINE)[1]
        assert cpu_torch[0][-1] == f"torch=={version}"
        assert steps.index(cpu_torch[0]) < steps.index(hashed[0])  # an index out of reach shows before the big download


def test_a_failed_step_leaves_no_complete_environment(steps, tmp_path, monkeypatch):
    def fail(command, env, lock, failure):
        raise SetupError(failure)

    folder = environment.environment_folder(tmp_path, "default")
    monkeypatch.setattr(environment, "install_step", fail)
    with pytest.raises(SetupError, match="PIP_INDEX_URL"):
        environment.ready_environment(tmp_path, {})
    assert not (folder / ".complete").exists()


def test_an_environment_whose_python_has_gone_is_made_again(steps, tmp_path):
    environment.ready_environment(tmp_path, {})
    first = len(steps)
    environment.ready_environment(tmp_path, {})  # no bin/python was made by the fake steps: it is as good as gone
    assert len(steps) == 2 * first
