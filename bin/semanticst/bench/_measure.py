"""Time and memory of a command, as the system counts them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KIB_PER_MB = 1e6 / 1024


@dataclass(frozen=True)
class Measured:
    """One command that ended well: seconds on the clock, seconds of CPU, largest resident memory in MB (10^6 bytes)."""

    wall_s: float
    cpu_s: float
    peak_mb: float


# A child starts with its parent's resident memory in its books: a small one cannot be measured from a large one. So
# this small process stands in between, and reports the command's exit status, seconds, seconds of CPU and KiB.
_BETWEEN = """
import os, sys, time
start = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
code = os.waitstatus_to_exitcode(status)
os.write(int(os.environ["MEASURED_TO"]),
         f"{code} {time.monotonic() - start} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}".encode())
"""


def measured(command: Sequence[object], log: Path) -> Measured:
    """Run a command (an executable's path and its arguments), its output in ``log``, and measure it.

    Raises RuntimeError with the end of the log when it fails.
    """
    reading, writing = os.pipe()
    with log.open("w") as output, os.fdopen(reading) as answer:
        between = [sys.executable, "-I", "-S", "-c", _BETWEEN, *map(str, command)]
        environment = os.environ | {"MEASURED_TO": str(writing)}
        done = subprocess.Popen(between, stdout=output, stderr=subprocess.STDOUT, pass_fds=(writing,), env=environment)
        os.close(writing)
        values = answer.read().split()
        done.wait()
    code = int(values[0]) if values else done.returncode
    if code:
        end = "\n".join(log.read_text().splitlines()[-15:])
        raise RuntimeError(f"exit code {code} of {' '.join(map(str, command))}\n{end}")
    return Measured(float(values[1]), float(values[2]), float(values[3]) / KIB_PER_MB)
