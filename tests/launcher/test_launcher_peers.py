"""Environments of the methods that benchmarks compare with: one each, hashed, made once."""

import pytest

from launcher import commands, peers
from launcher.messages import SetupError


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """The commands of an installation, none of which is run; there are locks of two peers."""
    taken = []

    def take(command, env, lock, failure):
        taken.append(command)
        if "venv" in command:
            python = peers.python_of(type(tmp_path)(command[-1]))
            python.parent.mkdir(parents=True)
            python.touch()
            (python.parents[1] / "lib/python3/site-packages").mkdir(parents=True)

    (tmp_path / "locks").mkdir()
    for name in ("one", "two"):
        (tmp_path / "locks" / f"{name}.lock").write_text(f"{name}==1\n")
    monkeypatch.setattr(peers, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(peers, "find_uv", lambda cache, env: "uv")
    monkeypatch.setattr(peers, "pip_settings", lambda env: {})
    monkeypatch.setattr(peers, "require_space", lambda folder, gigabytes: None)
    monkeypatch.setattr(peers, "install_step", take)
    return taken


def test_a_peer_is_installed_once_with_hashes(steps, tmp_path):
    place = peers.ready_peer("one", tmp_path / "cache", {})
    assert len(steps) == 2
    assert "--require-hashes" in steps[1]
    assert steps[1][-1] == str(tmp_path / "locks" / "one.lock")
    assert peers.ready_peer("one", tmp_path / "cache", {}) == place
    assert len(steps) == 2
    (tmp_path / "locks" / "one.lock").write_text("one==2\n")
    assert peers.ready_peer("one", tmp_path / "cache", {}) != place


def test_an_unknown_peer(steps, tmp_path):
    with pytest.raises(SetupError, match="no peer 'three'; there are one, two"):
        peers.ready_peer("three", tmp_path / "cache", {})


@pytest.mark.parametrize(("arguments", "expected"), [(["--peers"], ["one", "two"]), (["--peers", "two"], ["two"])])
def test_setup_installs_the_peers_that_are_named(arguments, expected, steps, tmp_path, monkeypatch):
    installed = []
    monkeypatch.setattr(commands, "ready_environment", lambda cache, env, torch=None: tmp_path)
    monkeypatch.setattr(commands, "ready_peer", lambda name, cache, env: installed.append(name))
    monkeypatch.setattr(commands.Place, "engine", lambda self: None)
    assert commands.main(["setup", *arguments]) == 0
    assert installed == expected
