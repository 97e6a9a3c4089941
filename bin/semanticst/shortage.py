"""Shortage of disk, quota or memory: which one, what there was and what was needed, in one line."""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from semanticst.errors import CannotWrite, ExitCode

DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EFBIG: "the largest size of a file is reached (ulimit -f)",
}
_NO_MEMORY = re.compile(r"allocate memory|out of memory|Cannot allocate|Unable to allocate", re.IGNORECASE)


def shortage(error: BaseException, *folders: Path) -> tuple[ExitCode, str] | None:
    """Exit code and line for an error that a lack of room or memory lies behind; None for any other.

    ``folders``: where the command writes, beside the temporary folder. What was written by `semanticst.writing.atomic`
    is known better than that: it raises CannotWrite.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, CannotWrite):
            return ExitCode.CANNOT_WRITE, str(cause)
    if number := disk_error(error):
        places = [folder for folder in (*folders, Path(tempfile.gettempdir())) if folder.exists()]
        where = min(places, key=lambda folder: shutil.disk_usage(folder).free)
        return ExitCode.CANNOT_WRITE, f"{DISK[number]}: {room_in(where)}. {ADVICE}"
    for cause in causes:
        if (lacking := _lacking_memory(cause)) is not None:
            return ExitCode.NO_MEMORY, f"out of memory: {lacking}{memory_used()}"
    return None


ADVICE = "Make room or take another disk (-work-dir, --outdir, TMPDIR), then start again with -resume"


def disk_error(error: BaseException) -> int | None:
    """The number of `DISK` that lies behind an error, also where a library raised its own in its place."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in DISK:
            return cause.errno
        # HDF5 has the number in its text, and not every error of it is an OSError
        if (stated := re.search(r"\berrno = (\d+)", str(cause))) and int(stated[1]) in DISK:
            return int(stated[1])
    return None


def cannot_write(path: Path, error: OSError | None, number: int | None, room: int, needed: str) -> CannotWrite:
    """What to say of a file that could not be written; ``room``: bytes that were free when it was begun."""
    if number is None:
        why = error.strerror if error else "no reason is known"
        return CannotWrite(f"{path.name} cannot be written into {path.parent.absolute()}: {why}")
    had = f"{size(room)} were free when {path.name} was begun, {needed}"
    return CannotWrite(f"{DISK[number]}: {room_in(path.parent)}; {had}. {ADVICE}")


def room_in(folder: Path) -> str:
    """The disk that holds a folder, its size and what is free, in words."""
    folder = folder.absolute()
    mount = next(place for place in (folder, *folder.parents) if place.is_mount())
    disk, files = shutil.disk_usage(folder), os.statvfs(folder)
    words = f"{folder} on {mount} has {size(disk.free)} of {size(disk.total)} free"
    # a disk also ends when it has no entries left for further files, however small
    return words + (" and no entry for a further file (inodes)" if files.f_files and not files.f_favail else "")


def memory_used() -> str:
    """Largest memory of this process, or of one that it started, so far; and what it may have, in words."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = max(resource.getrusage(who).ru_maxrss for who in whose) * unit
    return f"this step had up to {size(used)} in one process, of {size(_memory_limit())}"


def size(n: float) -> str:
    """Bytes in words: ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from or in place of, and so on."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop(0)
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            pending += [cause.__cause__, None if cause.__suppress_context__ else cause.__context__]


def _lacking_memory(error: BaseException) -> str | None:
    """What an error says about memory that it did not get (often how much), ready to go on; None if it is another."""
    from concurrent.futures.process import BrokenProcessPool

    if isinstance(error, BrokenProcessPool):
        return "a part of this step was killed, mostly for its memory; "
    text = " ".join(str(error).split())
    of_torch = isinstance(error, RuntimeError) and _NO_MEMORY.search(text)
    if isinstance(error, MemoryError) or of_torch or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return f"{text}; " if text else ""
    return None


def _memory_limit() -> int:
    """Bytes that this process may use: the machine's, or less by a container, a scheduler or ``ulimit``."""
    import resource

    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limits += [soft for soft, _ in [resource.getrlimit(kind)] if soft != resource.RLIM_INFINITY]
    # version 2 and version 1 of control groups, as a container sees its own
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        file = Path("/sys/fs/cgroup") / name
        if file.is_file() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)
