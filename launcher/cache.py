"""Folders that are made once, kept in the user's cache and shared by all checkouts."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launcher.messages import SetupError, say

STAMP = ".complete"
"""Written into a folder last; a folder without it was interrupted."""


FULL = 50_000_000
"""Bytes; with less than this a disk is full, whatever an installer said that failed on it."""


def cache_dir(env: Mapping[str, str]) -> Path:
    """``$SEMANTICST_CACHE``, else ``$XDG_CACHE_HOME/semanticst``, else ``~/.cache/semanticst``."""
    if own := env.get("SEMANTICST_CACHE"):
        return Path(own).expanduser().absolute()
    shared = env.get("XDG_CACHE_HOME", "")
    # the XDG specification: a relative path is to be ignored
    return (Path(shared) if os.path.isabs(shared) else home() / ".cache") / "semanticst"


def home() -> Path:
    """The user's home folder, also without $HOME. Raises SetupError for a user that this machine does not know."""
    try:
        return Path.home()
    except RuntimeError:
        raise SetupError("you have no home folder here: set HOME to a folder of your own") from None


def made_once(
    folder: Path,
    make: Callable[[Path, int], None],
    usable: Callable[[Path], bool] = Path.is_dir,
    mend: Callable[[Path, int], bool] | None = None,
) -> Path:
    """Return ``folder``, made by ``make(folder, lock)`` unless a complete and usable one is there.

    One process makes it at a time. ``lock`` is the file descriptor of the lock: sub-processes that write into the
    folder inherit it, so that nobody starts afresh while such a process outlives a killed launcher. ``mend(folder,
    lock)`` is tried first on a folder that was complete once and is not usable any more: others may be using it.
    Raises SetupError when it cannot be made.
    """

    def ready() -> bool:
        return (folder / STAMP).is_file() and usable(folder)

    if ready():
        return folder
    with locked(folder) as lock:
        if ready():  # another launch made it while this one waited
            return folder
        try:
            if mend and (folder / STAMP).is_file() and mend(folder, lock):
                return folder
            if folder.exists():
                say(f"{folder} is not whole (an earlier installation was interrupted?), it is made again")
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            make(folder, lock)
            (folder / STAMP).touch()
        except OSError as error:
            raise SetupError(f"{folder} cannot be made: {error}. {_where_else(folder)}") from error
        except SetupError as error:
            if not _is_full(folder) or "SEMANTICST_CACHE" in str(error):  # it may have said so itself
                raise
            raise SetupError(f"{error}. {_where_else(folder)}") from error
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the lock of a folder, waiting for whoever else does; yields its file descriptor. Raises SetupError."""
    path = folder.with_name(folder.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a")  # noqa: SIM115 (closed below)
    except OSError as error:
        what = f"{folder} is not whole, and it cannot be written" if folder.exists() else "the cache cannot be written"
        raise SetupError(f"{what}: {error}. {_where_else(folder)}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another launch is making {folder.name}, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:  # some network file systems have no locks
            say(f"no lock on {path} ({error.strerror}): start one launch at a time until the installation is over")
        yield file.fileno()


def _where_else(path: Path) -> str:
    """What to do about a cache that takes nothing more, and why that is when the disk is full."""
    full = f"The disk is full: {_free(path) / 1e6:.0f} MB are free. " if _is_full(path) else ""
    return f"{full}Set SEMANTICST_CACHE to a folder of your own, on a disk with room"


def _is_full(path: Path) -> bool:
    return _free(path) < FULL


def _free(path: Path) -> int:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free


def require_space(folder: Path, gigabytes: float) -> None:
    """Raise SetupError when the disk of ``folder`` has less than ``gigabytes`` left."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"{gigabytes:g} GB are needed in {folder}, {free:.1f} GB are free. "
            "Set SEMANTICST_CACHE to a folder on a larger disk"
        )
