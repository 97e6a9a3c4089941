"""Nextflow: the machine's when it is recent enough, else the jars of ``launcher/engine/jgo.lock.toml``.

``launcher/engine/jgo.toml`` says which Nextflow and without what (``io.seqera:lib-trace`` is not on the public index).
After an edit of it, renew the lock in that folder with ``jgo lock``.
"""

import hashlib
import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.cache import home, made_once
from launcher.environment import python_of
from launcher.java import find_java
from launcher.messages import SetupError, say
from launcher.processes import install_step, output_of, version_in
from launcher.uv import pip_settings

LOCK = Path(__file__).parent / "engine" / "jgo.lock.toml"
FETCH = Path(__file__).with_name("fetch_jars.py")
OLDEST = (25, 4)

# The packages of java.base that Nextflow's own launch script opens to it.
OPENED = (
    "java.lang", "java.io", "java.nio", "java.net", "java.util", "java.util.concurrent.locks",
    "java.util.concurrent.atomic", "java.util.regex", "java.nio.file.spi", "sun.nio.ch", "sun.nio.fs",
    "sun.net.www.protocol.http", "sun.net.www.protocol.https", "sun.net.www.protocol.ftp",
    "sun.net.www.protocol.file", "jdk.internal.misc", "jdk.internal.vm",
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """A way to start Nextflow: ``program`` is its launch script, or Java with the ``jars``."""

    description: str
    program: str
    jars: tuple[Path, ...] = ()

    def command(self, arguments: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The command line that runs Nextflow with ``arguments``."""
        if not self.jars:
            return [self.program, *arguments]
        # compiled quickly, not in full: that took half of the engine's CPU time, which mostly waits for tasks
        options = ["-Dfile.encoding=UTF-8", "-Djava.awt.headless=true", "-XX:TieredStopAtLevel=1"]
        options += shlex.split(env.get("NXF_OPTS", "")) + shlex.split(env.get("NXF_JVM_ARGS", ""))
        options += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
        classpath = ":".join(str(jar) for jar in self.jars)
        return [self.program, *options, "-cp", classpath, "nextflow.cli.Launcher", *arguments]


def find_engine(cache: Path, environment: Path, env: Mapping[str, str]) -> Engine:
    """The engine to use; says which one, and which Java. Raises SetupError when none can be had."""
    there = shutil.which("nextflow", path=env.get("PATH"))
    version = version_in(output_of([there, "-v"], engine_variables(env, ["-v"]))) if there else ()
    if there and version >= OLDEST:
        return Engine(f"Nextflow {version[0]}.{version[1]:02} from PATH ({there}), which chooses its Java", there)
    if there:
        found = f"it is {version[0]}.{version[1]:02}" if version else "it does not start"
        say(f"{there} is not used: {found}, 25.04 or newer is needed")
    java = find_java(environment, env)
    locked = locked_jars(LOCK.read_bytes())
    jars = ready_jars(cache, environment, env, locked)
    return Engine(f"Nextflow {_version_of(locked)} from the cache, {java.origin}", java.program, jars)


def engine_variables(env: Mapping[str, str], arguments: Sequence[str]) -> dict[str, str]:
    """``env`` for the engine: offline, quiet when nobody watches. A variable that the user has set stays."""
    variables = {key: value for key, value in env.items() if key != "JAVA_TOOL_OPTIONS"}  # as its own script does
    # The user's own folder, as always: their configuration and secrets hold here too. Set, because Java looks
    # up the home folder elsewhere than in $HOME.
    variables["NXF_HOME"] = variables.get("NXF_HOME") or str(home() / ".nextflow")
    variables.setdefault("NXF_OFFLINE", "true")
    variables.setdefault("NXF_DISABLE_CHECK_LATEST", "true")
    variables.setdefault("NXF_CLI", shlex.join(["nextflow", *arguments]))  # what `nextflow log` and reports show
    if sys.stdout.isatty():
        variables.setdefault("COLUMNS", str(shutil.get_terminal_size().columns))
    else:
        variables.setdefault("NXF_ANSI_LOG", "false")
    return variables


def locked_jars(lock: bytes) -> dict[str, str]:
    """{'group:artifact:version': SHA-256} of jgo's lock file."""
    dependencies = tomllib.loads(lock.decode())["dependencies"]
    return {f"{d['groupId']}:{d['artifactId']}:{d['version']}": d["sha256"] for d in dependencies}


def ready_jars(cache: Path, environment: Path, env: Mapping[str, str], locked: Mapping[str, str]) -> tuple[Path, ...]:
    """The jars of the lock, in its order; fetched if need be, checked every time. Raises SetupError."""
    digest = hashlib.sha256("".join(f"{c} {s}\n" for c, s in locked.items()).encode()).hexdigest()[:16]
    folder = made_once(
        cache / "engine" / digest,
        lambda target, lock: _fetch(target, lock, environment, env, locked),
        usable=lambda target: not wrong_jars(target, locked),
    )
    return tuple(folder / jar_name(coordinate) for coordinate in locked)


def wrong_jars(folder: Path, locked: Mapping[str, str]) -> list[str]:
    """Names of the jars that are missing from ``folder`` or differ from the lock."""
    names = {jar_name(coordinate): digest for coordinate, digest in locked.items()}
    return [name for name, digest in names.items() if _sha256(folder / name) != digest]


def jar_name(coordinate: str) -> str:
    """'group:artifact:version' -> 'artifact-version.jar'."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _fetch(folder: Path, lock: int, environment: Path, env: Mapping[str, str], locked: Mapping[str, str]) -> None:
    say(f"fetching Nextflow {_version_of(locked)}, once ({len(locked)} jars, 31 MB): {folder}")
    variables = dict(env)
    certificates = env.get("SSL_CERT_FILE") or pip_settings(env).get("cert")
    if certificates:
        variables.setdefault("REQUESTS_CA_BUNDLE", certificates)
    install_step(
        [str(python_of(environment)), str(FETCH), str(folder), *locked],
        variables,
        lock,
        "Nextflow could not be fetched. Set SEMANTICST_MAVEN to the address of a Maven mirror that you can reach, or "
        "install Nextflow 25.04 or newer and put it on PATH",
    )
    if wrong := wrong_jars(folder, locked):
        raise SetupError(f"refused: the SHA-256 of these files is not the one of {LOCK.name}: {', '.join(wrong)}")


def _version_of(locked: Mapping[str, str]) -> str:
    return next(c.split(":")[2] for c in locked if c.startswith("io.nextflow:nextflow:"))


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if os.access(path, os.R_OK) else None
