"""Environments of the methods that the pipeline is compared with: one each, from a lock file of its own.

They are for benchmarks only, so that nothing of theirs is in the pipeline's own environment or in the images.
"""

import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.cache import made_once, require_space
from launcher.environment import CHECKOUT, environment_digest, python_of
from launcher.messages import SetupError, say
from launcher.packages import is_whole
from launcher.processes import install_step
from launcher.uv import find_uv, pip_settings, uv_variables

LOCKS = CHECKOUT / "bench" / "peers"


def peer_names() -> list[str]:
    """Names of the environments: ``bench/peers/{name}.lock``."""
    return sorted(path.stem for path in LOCKS.glob("*.lock"))


def ready_peer(name: str, cache: Path, env: Mapping[str, str]) -> Path:
    """Folder of a peer's complete environment, installed first if need be. Raises SetupError."""
    lock_file = LOCKS / f"{name}.lock"
    if not lock_file.is_file():
        raise SetupError(f"no peer '{name}'; there are {', '.join(peer_names())}")
    return ready_lock(lock_file, cache, env)


def ready_lock(lock_file: Path, cache: Path, env: Mapping[str, str]) -> Path:
    """Folder of the complete environment of a lock file, installed first if need be. Raises SetupError."""
    name = lock_file.stem
    version = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    digest = environment_digest(lock_file.read_bytes(), name, version, f"{sys.platform}-{platform.machine()}")
    return made_once(
        cache / "peers" / f"{name}-{digest}",
        lambda folder, lock: _install(folder, lock, lock_file, cache, env),
        usable=lambda folder: python_of(folder).exists() and is_whole(folder),
    )


def _install(folder: Path, lock: int, lock_file: Path, cache: Path, env: Mapping[str, str]) -> None:
    say(f"installing {lock_file.stem}, once: {folder}")
    require_space(folder, 8 if "\ntorch==" in lock_file.read_text() else 2)
    variables = uv_variables(env, pip_settings(env), cache)
    step = [find_uv(cache, env), "--directory", str(CHECKOUT)]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    failure = f"{lock_file.stem} could not be installed (uv's own message is above)"
    install_step([*step, "venv", "--quiet", "--python", sys.executable, str(folder)], variables, lock, failure)
    install = [*step, "pip", "install", "--python", str(python_of(folder)), *quiet, "--no-deps", "--require-hashes"]
    install_step([*install, "--requirement", str(lock_file)], variables, lock, failure)
