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


def cache_dir(env: Mapping[str, str]) -> Path:
    """``$SEMANTICST_CACHE``, else ``$XDG_CACHE_HOME/semanticst``, else ``~/.cache/semanticst``."""
    if own := env.get("SEMANTICST_CACHE"):
        return Path(own).expanduser().absolute()
    shared = env.get("XDG_CACHE_HOME", "")
    # the XDG specification: a relative path is to be ignored
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "semanticst"


def made_once(folder: Path, make: Callable[[Path, int], None], usable: Callable[[Path], bool] = Path.is_dir) -> Path:
    """Return ``folder``, made by ``make(folder, lock)`` unless a complete and usable one is there.

    One process makes it at a time. ``lock`` is the file descriptor of the lock: sub-processes that write into the
    folder inherit it, so that nobody starts afresh while such a process outlives a killed launcher.
    """

    def ready() -> bool:
        return (folder / STAMP).is_file() and usable(folder)

    if ready():
        return folder
    with _locked(folder.with_name(folder.name + ".lock")) as lock:
        if ready():  # another launch made it while this one waited
            return folder
        if folder.exists():
            say(f"{folder} is not whole (an earlier installation was interrupted?), it is made again")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        make(folder, lock)
        (folder / STAMP).touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise SetupError(f"cannot write to the cache: {error}. Set SEMANTICST_CACHE to a folder that you own") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another launch is making {path.stem}, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:  # some network file systems have no locks
            say(f"no lock on {path} ({error.strerror}): start one launch at a time until the installation is over")
        yield file.fileno()


def require_space(folder: Path, gigabytes: float) -> None:
    """Raise SetupError when the disk of ``folder`` has less than ``gigabytes`` left."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"{gigabytes:g} GB are needed in {folder}, {free:.1f} GB are free. "
            "Set SEMANTICST_CACHE to a folder on a larger disk"
        )
