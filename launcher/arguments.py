"""The command line of ``nextflow run``, read as the engine reads it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

VALUE, FLAG, MAYBE = "value", "flag", "maybe"
"""An option takes the next argument, none, or the next one unless that begins with a dash."""

OPTIONS = {
    **dict.fromkeys(
        (
            *("-name", "-lib", "-cache", "-ps", "-pool-size", "-pi", "-poll-interval", "-qs", "-queue-size", "-o"),
            *("-output-dir", "-w", "-work-dir", "-bucket-dir", "-params-file", "-r", "-revision", "-d", "-deep"),
            *("-c", "-config", "-profile", "-without-podman", "-entry", "-main-script", "-plugins", "-user", "-hub"),
        ),
        VALUE,
    ),
    **dict.fromkeys(
        (
            *("-E", "-latest", "-stdin", "-ansi", "-without-docker", "-with-mpi", "-bg", "-h"),
            *("-help", "-without-conda", "-without-spack", "-offline", "-stub-run", "-stub", "-preview"),
            *("-disable-jobs-cancellation",),
        ),
        FLAG,
    ),
    **dict.fromkeys(
        (
            *("-test", "-with-cloudcache", "-ansi-log", "-with-tower", "-with-wave", "-with-fusion", "-with-weblog"),
            *("-with-trace", "-with-report", "-with-timeline", "-with-dag", "-with-charliecloud", "-with-singularity"),
            *("-with-apptainer", "-with-podman", "-with-docker", "-dump-hashes", "-dump-channels", "-N"),
            *("-with-notification", "-with-conda", "-with-spack"),
        ),
        MAYBE,
    ),
}
"""Options of ``nextflow run`` 25.04; a test compares them with the engine's own."""

DYNAMIC = re.compile(r"-(process|cluster|executor|e)\..+")
SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8}")


@dataclass
class Arguments:
    """Parameters and options of a command line; ``understood``: it holds nothing that only the engine knows."""

    params: dict[str, object] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    understood: bool = True

    def last(self, *names: str) -> str | None:
        """Value of an option that is known by several names."""
        given = [value for name in names for value in self.options.get(name, [])]
        return given[-1] if given else None

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)


def read_arguments(arguments: Sequence[str], env: Mapping[str, str] = os.environ) -> Arguments:
    """Read what follows ``nextflow run PIPELINE``."""
    read, pending = Arguments(), list(arguments)
    while pending:
        current = pending.pop(0)
        if re.match(r"--[a-zA-Z\d]", current):
            name, equals, value = current[2:].partition("=")
            if not equals:
                value = pending.pop(0) if pending and _is_value(pending[0]) else "true"
            _add(read, name, typed(value, env))
        elif current == "-resume":
            last = pending and (pending[0] == "last" or SESSION.search(pending[0])) and not pending[0].startswith("-")
            read.options.setdefault(current, []).append(pending.pop(0) if last else "last")
        elif DYNAMIC.match(current):
            if "=" not in current and pending and _is_value(pending[0]):
                pending.pop(0)
        elif current.startswith("-") and len(current) > 1:
            _take_option(read, current, pending)
        # anything else is an argument of the workflow, which takes none
    return read


def _take_option(read: Arguments, option: str, pending: list[str]) -> None:
    kind = OPTIONS.get(option)
    values = read.options.setdefault(option, [])
    if kind is None or (kind == VALUE and not pending):
        read.understood = False
    elif kind == VALUE or (kind == MAYBE and pending and not pending[0].startswith("-")):
        # the engine takes several files of one -c apart at commas
        values += pending.pop(0).split(",") if option in ("-c", "-config") else [pending.pop(0)]


def _add(read: Arguments, name: str, value: object) -> None:
    """Keep a parameter; ``--a.b`` is a map, which no parameter is, and ``--a-b`` becomes ``aB``."""
    root, *inner = re.split(r"(?<!\\)\.", name)
    if inner:
        value = {".".join([*inner[:-1], camel(inner[-1])]): value}
    else:
        root = camel(root.replace("\\.", "."))
    read.params[root] = value


def camel(name: str) -> str:
    """The name under which the engine keeps a parameter with dashes."""
    first, *others = name.split("-")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def typed(text: str, env: Mapping[str, str]) -> object:
    """A parameter of the command line in the type that the engine detects."""
    if env.get("NXF_DISABLE_PARAMS_TYPE_DETECTION"):
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"-?\d+", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d+\.\d+", text, re.ASCII) else text


def _is_value(text: str) -> bool:
    """Is this the value of the parameter before it? So the engine decides: -1 is, -resume is not."""
    if not text:
        return False
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text.strip(), re.ASCII)
    return len(text) == 1 or not text.startswith("-") or bool(number) or " " in text
