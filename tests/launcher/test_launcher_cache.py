"""The cache: where it is, and that nothing half-made is ever used."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher import cache
from launcher.cache import STAMP, cache_dir, made_once, require_space
from launcher.environment import CHECKOUT
from launcher.messages import SetupError


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SEMANTICST_CACHE": "/big/disk", "XDG_CACHE_HOME": "/xdg"}, "/big/disk"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/semanticst"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/semanticst"),
        ({"SEMANTICST_CACHE": ""}, "/home/me/.cache/semanticst"),
        ({"SEMANTICST_CACHE": "~/c"}, "/home/me/c"),
    ],
)
def test_cache_dir(env, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_dir(env) == Path(expected)


def test_a_user_without_a_home_is_told(monkeypatch):
    """As in a container that runs under a number of its own."""
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cache_dir({"SEMANTICST_CACHE": "/big/disk"}) == Path("/big/disk")
    with pytest.raises(SetupError, match="set HOME"):
        cache_dir({})


def test_relative_cache_dir_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cache_dir({"SEMANTICST_CACHE": "here"}) == tmp_path / "here"


def test_a_complete_folder_is_not_made_again(tmp_path):
    made = []

    def make(folder, lock):
        made.append(folder)
        (folder / "content").touch()

    for _ in range(2):
        assert (made_once(tmp_path / "a" / "b", make) / "content").is_file()
    assert made == [tmp_path / "a" / "b"]


def test_an_interrupted_folder_is_noticed_and_made_again(tmp_path, capsys):
    def interrupted(folder, lock):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "env", interrupted)
    assert not (tmp_path / "env" / STAMP).exists()

    folder = made_once(tmp_path / "env", lambda folder, lock: (folder / "whole").touch())
    assert sorted(p.name for p in folder.iterdir()) == [STAMP, "whole"]
    assert "not whole" in capsys.readouterr().err


def test_an_unusable_folder_is_made_again(tmp_path):
    def make(folder, lock):
        (folder / "python").touch()

    def usable(folder):
        return (folder / "python").exists()

    folder = made_once(tmp_path / "env", make, usable)
    (folder / "python").unlink()
    assert (made_once(tmp_path / "env", make, usable) / "python").exists()


MAKER = """
import pathlib, sys, time
sys.path.insert(0, sys.argv[1])
from launcher.cache import made_once
target = pathlib.Path(sys.argv[2])
def make(folder, lock):
    with open(target.parent / "made", "a") as log:
        log.write("x")
    time.sleep(1)
made_once(target, make)
"""


def test_two_launches_at_once_make_it_once(tmp_path):
    command = [sys.executable, "-c", MAKER, str(CHECKOUT), str(tmp_path / "env")]
    launches = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = "".join(launch.communicate(timeout=300)[1] for launch in launches)
    assert [launch.returncode for launch in launches] == [0, 0]
    assert (tmp_path / "made").read_text() == "x"
    assert "waiting for it" in messages


KILLED = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from launcher.cache import made_once
from launcher.processes import install_step
def make(folder, lock):
    print("up", flush=True)
    install_step(["sleep", "2"], os.environ, lock, "")
made_once(pathlib.Path(sys.argv[2]), make)
"""


def test_a_step_that_outlives_a_killed_launcher_keeps_the_lock(tmp_path):
    """Nobody may start afresh in a folder that an orphaned installer is still writing into."""
    command = [sys.executable, "-c", KILLED, str(CHECKOUT), str(tmp_path / "env")]
    launch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert launch.stdout.readline() == "up\n"
    time.sleep(0.3)
    launch.kill()
    launch.wait()
    started = time.monotonic()
    made_once(tmp_path / "env", lambda folder, lock: None)
    assert time.monotonic() - started > 0.5


def test_a_cache_below_a_file_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="SEMANTICST_CACHE"):
        made_once(tmp_path / "file" / "env", lambda folder, lock: None)


def test_a_complete_folder_is_used_without_writing(tmp_path):
    """As it is from a read-only disk that an administrator filled."""
    made_once(tmp_path / "env", lambda folder, lock: None)
    (tmp_path / "env.lock").unlink()
    made_once(tmp_path / "env", lambda folder, lock: None)
    assert [path.name for path in tmp_path.iterdir()] == ["env"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_named(number, tmp_path, monkeypatch):
    def make(folder, lock):
        raise OSError(number, os.strerror(number), str(folder / "x"))

    with pytest.raises(SetupError, match=rf"{tmp_path}/env cannot be made: .*{os.strerror(number)}.*SEMANTICST_CACHE"):
        made_once(tmp_path / "env", make)
    # an installer that failed has said something of its own; why it did is seen from the disk
    monkeypatch.setattr(cache, "_free", lambda path: 1_000_000)
    for error in (OSError(number, os.strerror(number)), SetupError("uv failed")):
        with pytest.raises(SetupError, match="The disk is full: 1 MB are free"):
            made_once(tmp_path / "env", lambda folder, lock, error=error: (_ for _ in ()).throw(error))


def test_a_damaged_folder_on_a_read_only_disk_is_named(tmp_path, monkeypatch):
    made_once(tmp_path / "env", lambda folder, lock: None)
    (tmp_path / "env.lock").unlink()
    (tmp_path / "env.lock").mkdir()  # cannot be opened, whoever asks
    with pytest.raises(SetupError, match=f"{tmp_path}/env is not whole, and it cannot be written"):
        made_once(tmp_path / "env", lambda folder, lock: None, usable=lambda folder: False)


def test_what_can_be_mended_is_not_made_again(tmp_path):
    made_once(tmp_path / "env", lambda folder, lock: (folder / "kept").touch())
    state = {"usable": False}

    def mend(folder, lock):
        state["usable"] = True
        return True

    made_once(tmp_path / "env", lambda folder, lock: pytest.fail("made"), lambda folder: state["usable"], mend)
    assert (tmp_path / "env" / "kept").exists()
    made = []
    state["usable"] = False
    made_once(tmp_path / "env", lambda folder, lock: made.append(1), lambda folder: bool(made), lambda *_: False)
    assert made == [1]
    assert not (tmp_path / "env" / "kept").exists()


def test_too_small_a_disk_is_said(tmp_path):
    require_space(tmp_path, 0)
    with pytest.raises(SetupError, match="are free"):
        require_space(tmp_path, 1e9)
