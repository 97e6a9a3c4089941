"""``versions.yml`` of a command: what the report says of the software of a step."""

import platform
from importlib.metadata import version

import click

from helpers import invoke
from semanticst.cli import step


@step()
def command():
    """Use a package or two."""
    import sklearn  # noqa: F401


def test_packages_that_were_imported_are_told_with_their_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # ruff's is there, and no command imports it
    assert invoke(command, "--versions-of", "scikit-learn,ruff").exit_code == 0
    told = (tmp_path / "versions.yml").read_text()
    assert told == f"python: {platform.python_version()}\nscikit-learn: {version('scikit-learn')}\n"


def test_no_file_of_versions_where_none_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke(command).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_versions_are_the_workflows_and_stand_in_no_help():
    assert "versions" not in invoke(command, "--help").output.replace("--version ", "")


def test_a_command_that_fails_tells_no_versions(tmp_path, monkeypatch):
    @step()
    def failing():
        raise click.UsageError("no")

    monkeypatch.chdir(tmp_path)
    assert invoke(failing, "--versions-of", "click").exit_code == 2
    assert list(tmp_path.iterdir()) == []
