"""Other programs, started in place of the launcher, or below it with signals and exit codes passed on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from launcher.messages import SetupError


def replace_by(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become ``command``: signals and the exit code are its own from here on. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], list(command), dict(env))


def exit_code_of(command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run ``command`` to its end and return its exit code (128 + n after signal n), as a shell would.

    Ctrl-C reaches the command by itself (same terminal); SIGTERM is handed on.
    """
    child = subprocess.Popen(list(command), env=dict(env), cwd=cwd)
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))
    code = child.wait()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, terminate)
    return code if code >= 0 else 128 - code


def install_step(command: Sequence[str], env: Mapping[str, str], lock: int, failure: str) -> None:
    """Run one step of an installation, its output on stderr. Raises SetupError(``failure``) when it fails."""
    done = subprocess.run(list(command), env=dict(env), stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=[lock])
    if done.returncode:
        raise SetupError(failure)


def output_of(command: Sequence[str], env: Mapping[str, str]) -> str:
    """What a command tells on stdout and stderr; empty when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            list(command), env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def version_in(text: str) -> tuple[int, ...]:
    """The version that a program tells: (25, 4, 3) of ``nextflow version 25.04.3``; () when it tells none."""
    found = re.search(r'(?:version|^uv) "?(\d+(?:\.\d+)*)', text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()
