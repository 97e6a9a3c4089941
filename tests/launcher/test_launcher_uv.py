"""uv takes over what a hospital has told pip."""

import pytest

from launcher import uv
from launcher.messages import SetupError
from launcher.processes import version_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uv 0.13.9 (1234567 2026-01-01)", (0, 13, 9)),
        ("nextflow version 25.04.3.5949", (25, 4, 3, 5949)),
        ('openjdk version "17.0.15" 2025-04-15', (17, 0, 15)),
        ('openjdk version "21" 2023-09-19', (21,)),
        ('java version "1.8.0_292"', (1, 8, 0)),
        ("", ()),
        ("command not found", ()),
    ],
)
def test_version_in(text, expected):
    assert version_in(text) == expected


def test_pip_config_is_read():
    listed = """\
:env:.timeout='9'
global.index-url='https://mirror/simple'
global.cert='/etc/ssl/mine.pem'
install.index-url='https://other/simple'
freeze.timeout='10'
"""
    assert uv.parse_pip_config(listed) == {"index-url": "https://other/simple", "cert": "/etc/ssl/mine.pem"}


def test_pip_variables_go_before_its_files(monkeypatch):
    monkeypatch.setattr(uv, "output_of", lambda *_: "global.index-url='https://file/simple'\nglobal.cert='/c.pem'\n")
    settings = uv.pip_settings({"PIP_INDEX_URL": "https://variable/simple", "PIP_TRUSTED_HOST": "", "PATH": "/bin"})
    assert settings == {"index-url": "https://variable/simple", "cert": "/c.pem"}


def test_pip_settings_become_uv_variables(tmp_path):
    pip = {
        "index-url": "https://mirror/simple",
        "extra-index-url": "https://a/simple\nhttps://b/simple",
        "find-links": "/wheels /more",
        "trusted-host": "mirror",
        "cert": "/etc/ssl/mine.pem",
        "proxy": "http://proxy:3128",
        "disable-pip-version-check": "1",
    }
    variables = uv.uv_variables({"PATH": "/bin"}, pip, tmp_path)
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert variables["UV_INDEX"] == "https://a/simple https://b/simple"
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert variables["UV_FIND_LINKS"] == "/wheels,/more"
    assert variables["UV_INSECURE_HOST"] == "mirror"
    assert variables["SSL_CERT_FILE"] == "/etc/ssl/mine.pem"
    assert variables["ALL_PROXY"] == "http://proxy:3128"
    assert variables["UV_CACHE_DIR"] == str(tmp_path / "uv")
    assert variables["PATH"] == "/bin"


def test_what_uv_was_told_stays(tmp_path):
    env = {"UV_INDEX_URL": "https://uv/simple", "UV_CACHE_DIR": "/uv", "https_proxy": "http://p", "SSL_CERT_FILE": "/c"}
    pip = {"index-url": "https://pip/simple", "proxy": "http://q", "cert": "/d"}
    variables = uv.uv_variables(env, pip, tmp_path)
    assert "UV_DEFAULT_INDEX" not in variables
    assert "ALL_PROXY" not in variables
    assert {key: variables[key] for key in env} == env


def test_settings_for_other_projects_are_left_out(tmp_path):
    env = {"UV_SYSTEM_PYTHON": "1", "UV_TORCH_BACKEND": "cu126", "UV_EXCLUDE_NEWER": "2020-01-01", "UV_INDEX": ""}
    assert not set(env) & set(uv.uv_variables(env, {}, tmp_path))


def _program(path, output):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return str(path)


def test_a_recent_uv_on_path_is_used(tmp_path):
    program = _program(tmp_path / "bin" / "uv", "uv 0.99.0")
    assert uv.find_uv(tmp_path / "cache", {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}) == program


def test_an_old_uv_on_path_is_not_used(tmp_path, monkeypatch):
    _program(tmp_path / "bin" / "uv", "uv 0.4.2")
    monkeypatch.setattr(uv, "_install_uv", lambda folder, lock, env: _program(folder / "bin" / "uv", "uv 0.13.9"))
    found = uv.find_uv(tmp_path / "cache", {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert found.startswith(str(tmp_path / "cache" / "uv-"))


def test_neither_pip_nor_ensurepip_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(uv.sys, "executable", "/bin/false")
    with pytest.raises(SetupError, match="python3-venv"):
        uv.find_uv(tmp_path, {"PATH": "/nonexistent"})


def test_the_pinned_uv_is_hashed():
    lines = uv.PINNED.read_text().splitlines()
    assert lines[0].startswith("uv==")
    assert version_in(lines[0].split()[0].replace("==", " ")) >= uv.OLDEST
    assert sum("--hash=sha256:" in line for line in lines) > 5
