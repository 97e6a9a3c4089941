"""Time and memory of a command, as the system counts them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KIB_PER_MB = 1e6 / 1024
GRACE_S = 10
"""Seconds that a command has to end when it is asked to."""


@dataclass(frozen=True)
class Measured:
    """One command that ended well: seconds on the clock, seconds of CPU, largest resident memory in MB (10^6 bytes)."""

    wall_s: float
    cpu_s: float
    peak_mb: float


# A child starts with its parent's resident memory in its books: a small one cannot be measured from a large one. So
# this small process stands in between, and reports the command's exit status, seconds, seconds of CPU and KiB.
_BETWEEN = """
import os, resource, sys, time
limit = int(os.environ.pop("MEASURED_LIMIT", 0))
answer = int(os.environ.pop("MEASURED_TO"))
if limit:
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
start = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
code = os.waitstatus_to_exitcode(status)
os.write(answer, f"{code} {time.monotonic() - start} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}".encode())
"""


def _end(number: int, _: object) -> None:
    """Ended from outside: by an exception, so that the command ends too and no folder of it is left."""
    sys.exit(128 + number)


def _end_group(leader: subprocess.Popen) -> None:
    """Ask all processes of the group to end, as an engine ends its tasks then, and kill those that do not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
        patience = time.monotonic() + GRACE_S
        while time.monotonic() < patience:
            leader.poll()  # else it stays in the group when it has ended
            os.killpg(leader.pid, 0)
            time.sleep(0.05)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def measured(
    command: Sequence[object],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    limit_mb: float | None = None,
) -> Measured:
    """Run a command (an executable's path and its arguments), its output in ``log``, and measure it.

    ``env``: its variables, those of this process when not given. ``limit_mb``: no more memory than this is given to
    it. Raises RuntimeError with the end of the log when it fails, TimeoutError when it takes more than ``limit_s``.
    """
    reading, writing = os.pipe()
    variables = dict(os.environ if env is None else env) | {"MEASURED_TO": str(writing)}
    if limit_mb:
        variables["MEASURED_LIMIT"] = str(int(limit_mb * 1e6))
    with log.open("w") as output, os.fdopen(reading) as answer:
        between = [sys.executable, "-I", "-S", "-c", _BETWEEN, *map(str, command)]
        done = subprocess.Popen(
            between,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            env=variables,
            start_new_session=True,  # so that all of it can be ended
        )
        os.close(writing)
        before = signal.signal(signal.SIGTERM, _end)
        try:
            done.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"took more than {limit_s:g} s") from None
        finally:
            signal.signal(signal.SIGTERM, before)
            if done.poll() is None:
                _end_group(done)
        values = answer.read().split()
    code = int(values[0]) if values else done.returncode
    if code:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"exit code {code} of {' '.join(map(str, command))}\n{end}")
    return Measured(float(values[1]), float(values[2]), float(values[3]) / KIB_PER_MB)
