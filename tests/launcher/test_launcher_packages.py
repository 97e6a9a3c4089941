"""An environment that lost files is noticed at the start and repaired; what comes and goes by itself is not a loss."""

import shutil

import pytest

from launcher import environment
from launcher.messages import SetupError
from launcher.packages import MANIFEST, count_files, is_whole, lost_packages, note_files

PACKAGES = {
    "one": ["one/__init__.py", "one/part/deep.py", "../../../bin/one"],
    "two": ["two.py", "two_data/a.txt"],
}


def install(folder, name, files):
    """Lay a package down as an installer does, with a list of its files."""
    packages = folder / "lib/python3.12/site-packages"
    record = packages / f"{name}-1.0.dist-info/RECORD"
    for file in files:
        (packages / file).parent.mkdir(parents=True, exist_ok=True)
        (packages / file).write_text("12345")
    record.parent.mkdir(exist_ok=True)
    lines = [f"{file},sha256=x,5\n" for file in files] + [f"{name}-1.0.dist-info/RECORD,,\n", f"{name}/x.pyc,,\n"]
    record.write_text("".join(lines))


@pytest.fixture
def installed(tmp_path):
    """A small environment with its list."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    (tmp_path / "pyvenv.cfg").touch()
    for name, files in PACKAGES.items():
        install(tmp_path, name, files)
    note_files(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("lost", "packages"),
    [
        ("one/part/deep.py", ["one"]),
        ("one/part", ["one"]),
        ("one", ["one"]),
        ("two.py", ["two"]),
        ("two-1.0.dist-info", ["two"]),
        ("one-1.0.dist-info/RECORD", ["one"]),
        ("../../../bin/one", ["one"]),
    ],
)
def test_a_lost_file_is_noticed_and_its_package_named(lost, packages, installed):
    assert is_whole(installed)
    assert lost_packages(installed) == []
    path = installed / "lib/python3.12/site-packages" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert not is_whole(installed)
    assert lost_packages(installed) == packages


def test_what_comes_and_goes_is_no_loss(installed):
    cache = installed / "lib/python3.12/site-packages/one/__pycache__"
    cache.mkdir()
    (cache / "x.pyc").touch()
    (installed / "lib/python3.12/site-packages/further.py").touch()
    assert is_whole(installed)
    note_files(installed)
    shutil.rmtree(cache)
    assert is_whole(installed)


def test_an_environment_without_a_list_is_looked_at_in_full_and_gets_one(installed):
    (installed / MANIFEST).unlink()
    assert is_whole(installed)
    assert (installed / MANIFEST).exists()
    (installed / MANIFEST).write_text("{")  # cut short
    (installed / "lib/python3.12/site-packages/two.py").unlink()
    assert not is_whole(installed)
    shutil.rmtree(installed / "lib")
    assert not is_whole(installed)
    assert lost_packages(installed) == []
    assert set(count_files(installed)) == {"python", "one"}


def test_a_size_that_changed_is_found_when_asked_for(installed):
    (installed / "lib/python3.12/site-packages/two.py").write_text("")
    assert is_whole(installed)
    assert lost_packages(installed, sizes=True) == ["two"]


@pytest.fixture
def uv(installed, monkeypatch):
    """The environment of this checkout is the small one; commands of uv are noted and restore what is lost."""
    commands = []

    def run(command, env, lock, failure):
        commands.append(command)
        if "install" in command:
            for name, files in PACKAGES.items():
                install(installed, name, files)

    (installed / ".complete").touch()
    monkeypatch.setattr(environment, "environment_folder", lambda cache, torch: installed)
    monkeypatch.setattr(environment, "find_uv", lambda cache, env: "uv")
    monkeypatch.setattr(environment, "pip_settings", lambda env: {})
    monkeypatch.setattr(environment, "require_space", lambda folder, gigabytes: None)
    monkeypatch.setattr(environment, "install_step", run)
    return commands


def test_what_is_lost_is_installed_again_and_nothing_else(uv, installed, tmp_path_factory, capsys):
    cache = tmp_path_factory.mktemp("cache")
    assert environment.ready_environment(cache, {}) == installed
    assert uv == []
    (installed / "lib/python3.12/site-packages/two.py").unlink()
    shutil.rmtree(installed / "lib/python3.12/site-packages/one-1.0.dist-info")
    assert environment.ready_environment(cache, {}) == installed
    assert "files of one, two are missing" in capsys.readouterr().err
    assert len(uv) == 1
    assert {"--reinstall-package=one", "--reinstall-package=two", "--require-hashes"} <= set(uv[0])
    assert is_whole(installed)
    environment.ready_environment(cache, {})
    assert len(uv) == 1


@pytest.mark.parametrize("gone", ["bin/python", "pyvenv.cfg"])
def test_without_its_python_all_is_made_again(gone, uv, installed, tmp_path_factory):
    (installed / gone).unlink()
    environment.ready_environment(tmp_path_factory.mktemp("cache"), {})
    assert [command for command in uv if "venv" in command]
    assert not any(argument.startswith("--reinstall") for argument in uv[-1])


def test_setup_finds_files_that_were_cut_short(uv, installed, tmp_path_factory):
    (installed / "lib/python3.12/site-packages/two.py").write_text("")
    damaged = environment.damaged_packages(installed)
    environment.repair(installed, tmp_path_factory.mktemp("cache"), {}, damaged)
    assert uv[0][1:] == ["cache", "clean", "--quiet", "two"]
    assert "--reinstall-package=two" in uv[1]
    assert environment.damaged_packages(installed) == []


def test_a_repair_that_fails_names_what_is_lost(uv, installed, tmp_path_factory, monkeypatch, capsys):
    def fail(command, env, lock, failure):
        raise SetupError(failure)

    monkeypatch.setattr(environment, "install_step", fail)
    (installed / "lib/python3.12/site-packages/two.py").unlink()
    for _ in range(2):
        with pytest.raises(SetupError, match="could not be installed"):
            environment.ready_environment(tmp_path_factory.mktemp("cache"), {})
        assert "files of two are missing" in capsys.readouterr().err
    assert (installed / "lib/python3.12/site-packages/one/part/deep.py").exists()
