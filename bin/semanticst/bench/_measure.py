"""Time and memory of a command, as the system counts them."""

import os
import subprocess
import time
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


def measured(command: Sequence[object], log: Path) -> Measured:
    """Run a command with its output in ``log`` and measure it. Raises RuntimeError with the log's end when it fails."""
    start = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
        # wait4 gives the usage of this child alone, where getrusage gives the largest of all children so far
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = "\n".join(log.read_text().splitlines()[-15:])
        raise RuntimeError(f"exit code {process.returncode} of {' '.join(map(str, command))}\n{end}")
    return Measured(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / KIB_PER_MB)
