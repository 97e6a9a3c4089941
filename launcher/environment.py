"""The Python environment of the pipeline: locked, hashed, kept in the cache under a digest of what it is made of."""

import hashlib
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.cache import locked, made_once, require_space
from launcher.messages import SetupError, say
from launcher.packages import is_whole, lost_packages, note_files
from launcher.processes import install_step
from launcher.uv import find_uv, pip_settings, uv_variables

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = CHECKOUT / "requirements.lock"
TORCH_BUILDS = ("default", "cpu")
IN_CHECKOUT = ["--directory", str(CHECKOUT)]  # no uv.toml or pyproject.toml of the user's current folder
FAILURE = (
    "the Python environment could not be installed (uv's own message is above). Run the command again to go on. "
    "Behind a mirror or a proxy: set PIP_INDEX_URL, PIP_PROXY and PIP_CERT, or uv's own variables"
)


def chosen_torch(cache: Path) -> str:
    """The build of torch that ``setup --torch`` chose last: 'default' (the one on the package index) or 'cpu'."""
    choice = cache / "torch"
    return choice.read_text().strip() if choice.is_file() else "default"


def environment_digest(lock: bytes, torch: str, python: str, machine: str) -> str:
    """Name of an environment: another lock file, Python or machine is another environment."""
    return hashlib.sha256(b"\0".join([lock, torch.encode(), python.encode(), machine.encode()])).hexdigest()[:16]


def environment_folder(cache: Path, torch: str) -> Path:
    """Where the environment of this checkout and this Python lies, whether it exists or not."""
    version = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    machine = f"{sys.platform}-{platform.machine()}"
    return cache / "env" / environment_digest(LOCK.read_bytes(), torch, version, machine)


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def ready_environment(cache: Path, env: Mapping[str, str], torch: str | None = None) -> Path:
    """Folder of the complete environment, installed first if need be. Raises SetupError."""
    torch = torch or chosen_torch(cache)
    return made_once(
        environment_folder(cache, torch),
        lambda folder, lock: _install(folder, lock, cache, env, torch),
        usable=lambda folder: _has_python(folder) and is_whole(folder),
        mend=lambda folder, lock: _mend(folder, lock, cache, env, torch),
    )


def damaged_packages(environment: Path) -> list[str]:
    """Packages some of whose files are missing or have another size, in seconds. None is left after a repair."""
    return lost_packages(environment, sizes=True)


def activated(environment: Path, env: Mapping[str, str]) -> dict[str, str]:
    """``env`` with the environment first on PATH and nothing of other Python installations in reach."""
    variables = {key: value for key, value in env.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
    variables["PATH"] = f"{environment / 'bin'}:{env.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
    variables["VIRTUAL_ENV"] = str(environment)
    variables["PYTHONNOUSERSITE"] = "1"
    return variables


def repair(environment: Path, cache: Path, env: Mapping[str, str], packages: Sequence[str]) -> None:
    """Install packages anew that `damaged_packages` named. Raises SetupError when that is not possible."""
    say(f"files of {', '.join(packages)} are damaged, they are installed anew: {environment}")
    # files are links into the cache of uv, which has the damage as well
    clean = [find_uv(cache, env), "cache", "clean", "--quiet", *packages]
    with locked(environment) as lock:
        install_step(clean, uv_variables(env, {}, cache), lock, "the cache of uv cannot be cleaned")
        _install_packages(environment, lock, cache, env, chosen_torch(cache), packages)
        note_files(environment)
    if left := damaged_packages(environment):
        raise SetupError(f"still damaged: {', '.join(left)}. Delete {environment} and run the command again")


def _mend(folder: Path, lock: int, cache: Path, env: Mapping[str, str], torch: str) -> bool:
    """Install what lost files, and leave the rest: other runs may be using it. False when its Python is gone."""
    if not _has_python(folder):
        return False
    lost = lost_packages(folder)
    of = ", ".join(lost) or "the folder bin"
    say(f"files of {of} are missing from the Python environment, it is repaired: {folder}")
    _install_packages(folder, lock, cache, env, torch, lost)
    note_files(folder)
    return not lost_packages(folder)


def _has_python(folder: Path) -> bool:
    # a link to the Python below it, which may have been removed
    return python_of(folder).exists() and (folder / "pyvenv.cfg").exists()


def _install(folder: Path, lock: int, cache: Path, env: Mapping[str, str], torch: str) -> None:
    size = "about 1 GB to download, 3 GB" if torch == "cpu" else "about 3 GB to download, 7 GB"
    say(f"installing the Python environment, once ({size} on disk; from half a minute to some minutes): {folder}")
    require_space(folder, 4 if torch == "cpu" else 8)
    venv = [find_uv(cache, env), *IN_CHECKOUT, "venv", "--quiet", "--python", sys.executable, str(folder)]
    install_step(venv, uv_variables(env, pip_settings(env), cache), lock, FAILURE)
    _install_packages(folder, lock, cache, env, torch)
    note_files(folder)


def _install_packages(
    folder: Path, lock: int, cache: Path, env: Mapping[str, str], torch: str, again: Sequence[str] = ()
) -> None:
    """Install the packages of the lock file that are not there, and those of ``again`` in any case."""
    variables = uv_variables(env, pip_settings(env), cache)
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    install = [find_uv(cache, env), *IN_CHECKOUT, "pip", "install", "--python", str(python_of(folder)), *quiet]
    install += [f"--reinstall-package={name}" for name in again]
    locked_file = LOCK
    if torch == "cpu":
        locked_file = folder / "without-torch.lock"
        _install_cpu_torch(install, variables, lock)
        locked_file.write_text(lock_without_cuda(LOCK.read_text()))
    # the few packages without a wheel are built with the setuptools of the lock, not with today's
    options = ["--no-deps", "--require-hashes", "--build-constraints", str(LOCK), "--compile-bytecode"]
    install_step([*install, *options, "--requirement", str(locked_file)], variables, lock, FAILURE)


def _install_cpu_torch(install: list[str], variables: Mapping[str, str], lock: int) -> None:
    """torch from PyTorch's own CPU index, which uv knows as a 'backend'.

    The CPU wheels are other files than those of the package index, so that the hashes of the lock cannot hold for
    them: torch is installed by its exact version instead, and everything else from the lock with its hashes, without
    the CUDA libraries that only the default build of torch needs.
    """
    (version,) = re.findall(r"^torch==(\S+)", LOCK.read_text(), re.MULTILINE)
    install_step(
        [*install, "--no-deps", "--torch-backend", "cpu", f"torch=={version}"],
        variables,
        lock,
        f"the CPU build of torch {version} cannot be had: most likely PyTorch's CPU index cannot be reached from here "
        "(uv's own message is above). Nothing has changed: the default build runs on CPUs too, it is just larger",
    )


def lock_without_cuda(lock: str) -> str:
    """The lock file without torch and the CUDA libraries below it."""
    header, *blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return header + "".join(block for block in blocks if not re.match(r"torch==|triton==|cuda-|nvidia-", block))
