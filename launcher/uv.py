"""uv, which installs the Python environment: found on PATH, or installed into the cache."""

import ast
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.cache import made_once
from launcher.messages import say
from launcher.processes import install_step, output_of, version_in

PINNED = Path(__file__).with_name("uv.txt")
OLDEST = (0, 8)  # older ones were not tried

# What pip calls it -> what uv reads: the first name is set, unless one of the names is set already.
FROM_PIP = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_OFFLINE",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
}

# Set for other projects of the user, these would change what is installed or where.
NOT_OURS = (
    "UV_SYSTEM_PYTHON",
    "UV_CONSTRAINT",
    "UV_BUILD_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_EXCLUDE",
    "UV_EXCLUDE_NEWER",
    "UV_NO_BUILD_ISOLATION",
    "UV_TORCH_BACKEND",
    "UV_WORKING_DIR",
)


def find_uv(cache: Path, env: Mapping[str, str]) -> str:
    """Path of a uv that is recent enough; installed into ``cache`` when PATH has none. Raises SetupError."""
    there = shutil.which("uv", path=env.get("PATH"))
    if there and version_in(output_of([there, "--version"], env)) >= OLDEST:
        return there
    pinned = next(line.split()[0] for line in PINNED.read_text().splitlines() if line.startswith("uv=="))
    folder = made_once(
        cache / pinned.replace("==", "-"),
        lambda target, lock: _install_uv(target, lock, env),
        usable=lambda target: os.access(target / "bin" / "uv", os.X_OK),
    )
    return str(folder / "bin" / "uv")


def _install_uv(folder: Path, lock: int, env: Mapping[str, str]) -> None:
    """pip of this Python puts uv into ``folder``; a Python without pip gets one from ensurepip first."""
    say("installing uv, the installer of the Python environment (25 MB)")
    python = sys.executable
    if not output_of([python, "-m", "pip", "--version"], env):
        python = str(folder / "venv" / "bin" / "python")
        install_step(
            [sys.executable, "-m", "venv", str(folder / "venv")],
            env,
            lock,
            f"{sys.executable} has neither pip nor ensurepip. Install one of: the system package python3-venv or "
            "python3-pip (Debian, Ubuntu), python3-pip (Fedora, RHEL), or uv itself, and put it on PATH",
        )
    pip_env = {key: value for key, value in env.items() if key not in ("PIP_TARGET", "PIP_USER", "PIP_PREFIX")}
    pip_env["PIP_ROOT_USER_ACTION"] = "ignore"  # its warning is about another kind of installation
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes"]
    install_step(
        [*pip, "--target", str(folder), "--requirement", str(PINNED)],
        pip_env,
        lock,
        "pip could not install uv (its own message is above). Behind a mirror or a proxy: set PIP_INDEX_URL, PIP_PROXY "
        "and PIP_CERT, or pip's own configuration file",
    )


def uv_variables(env: Mapping[str, str], pip: Mapping[str, str], cache: Path) -> dict[str, str]:
    """``env`` for uv: pip's mirrors, proxies and certificates hold for uv, unless uv has settings of its own."""
    variables = {
        key: value for key, value in env.items() if key not in NOT_OURS and (value or not key.startswith("UV_"))
    }
    for setting, value in pip.items():
        names = FROM_PIP.get(setting, ())
        if names and not any(variables.get(name) for name in names):
            variables[names[0]] = ",".join(value.split()) if setting == "find-links" else " ".join(value.split())
    if variables.get("UV_INDEX") or variables.get("UV_EXTRA_INDEX_URL"):
        # pip looks into all indexes; uv's caution is not needed where every file has a known hash
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    # beside the environments: then files are linked and not copied, and one folder holds all there is to delete
    variables.setdefault("UV_CACHE_DIR", str(cache / "uv"))
    variables.setdefault("UV_PYTHON_DOWNLOADS", "never")
    if not sys.stderr.isatty():
        variables.setdefault("UV_NO_PROGRESS", "1")
    return variables


def pip_settings(env: Mapping[str, str]) -> dict[str, str]:
    """pip's settings from its configuration files and variables: {'index-url': ...}."""
    listed = parse_pip_config(output_of([sys.executable, "-m", "pip", "config", "list"], env))
    variables = {key[4:].lower().replace("_", "-"): value for key, value in env.items() if key.startswith("PIP_")}
    return listed | {key: value for key, value in variables.items() if value}


def parse_pip_config(text: str) -> dict[str, str]:
    """Read ``pip config list`` (lines such as ``global.index-url='...'``); [install] goes before [global]."""
    settings: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section in settings and value[:1] in ("'", '"'):
            settings[section][name] = ast.literal_eval(value)
    return settings["global"] | settings["install"]
