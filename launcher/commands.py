"""The commands of ``./semanticst``."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from launcher.cache import cache_dir
from launcher.engine import Engine, engine_variables, find_engine
from launcher.environment import (
    CHECKOUT,
    TORCH_BUILDS,
    activated,
    chosen_torch,
    damaged_packages,
    python_of,
    ready_environment,
    repair,
)
from launcher.messages import NoPlace, SetupError, UsageError, say
from launcher.peers import peer_names, ready_peer
from launcher.preflight import answered, check_parameters, check_places, check_tables, given_parameters, preview_tables
from launcher.processes import exit_code_of, replace_by
from launcher.usage import HELP, OWN, PARAMETERS_OF_RUN
from launcher.verify import verify as verify_outputs

MOST_WORKERS = 8
"""Of the tests; each holds the scientific libraries in memory, and the slowest group takes its time anyway."""

WORKFLOW_CODE = ("main.nf", "nextflow.config", "workflows", "subworkflows", "modules", "conf")


class Place:
    """What the commands need, prepared when first asked for."""

    def __init__(self) -> None:
        self.env = dict(os.environ)
        self.cache = cache_dir(self.env)
        self._environment: Path | None = None

    def environment(self) -> Path:
        self._environment = self._environment or ready_environment(self.cache, self.env)
        return self._environment

    def engine(self) -> Engine:
        engine = find_engine(self.cache, self.environment(), self.env)
        say(f"engine: {engine.description}")
        return engine

    def activated(self) -> dict[str, str]:
        """Variables for programs of the environment; the library in ``bin/`` can be imported."""
        return activated(self.environment(), self.env) | {"PYTHONPATH": str(CHECKOUT / "bin")}


def nextflow(place: Place, arguments: Sequence[str]) -> int:
    command, variables = _engine_call(place, arguments)
    return replace_by(command, variables)


def run(place: Place, arguments: Sequence[str]) -> int:
    code = checked(place, arguments)
    return nextflow(place, ["run", str(CHECKOUT), *arguments]) if code is None else code


def checked(place: Place, arguments: Sequence[str]) -> int | None:
    """Exit code of a run that needs no engine: help, or tables that cannot be used. None: the engine may start.

    Raises UsageError for wrong parameters, NoPlace where the run cannot write.
    """
    given = given_parameters(arguments, place.env, place.environment)
    if given is None:
        return None
    if answered(given):
        return 0
    check_parameters(given, place.env, place.environment)
    check_places(given, place.env)
    return check_tables(given, place.environment(), place.env) or None


def check(place: Place, arguments: Sequence[str]) -> int:
    """Preview of a run's contrasts; takes the parameters of the run."""
    own = ("--no_files", "--json", "--read_samples")
    given = given_parameters([a for a in arguments if a not in own], place.env, place.environment)
    if given is None:
        raise UsageError("check takes parameters of the pipeline, such as --input, --clinical and --contrasts")
    if answered(given):
        return 0
    if not given.params.get("outdir"):
        given.params["outdir"] = "results"  # a run needs one
    check_parameters(given, place.env, place.environment)
    further = ["--preview", "json" if "--json" in arguments else "text"]
    further += ["--no-check-files"] if "--no_files" in arguments else []
    further += ["--read-samples"] if "--read_samples" in arguments else []
    return preview_tables(given, place.environment(), place.env, *further)


def demo(place: Place, arguments: Sequence[str]) -> int:
    outdir = option_value(arguments, "--outdir")
    if outdir is None:
        outdir = "results_demo"
        arguments = ["--outdir", outdir, *arguments]
    arguments = ["-profile", "demo", *arguments]
    code = checked(place, arguments)
    if code is not None:
        return code
    command, variables = _engine_call(place, ["run", str(CHECKOUT), *arguments])
    code = exit_code_of(command, variables)
    report = Path(outdir).absolute() / "multiqc" / "multiqc_report.html"
    if code == 0 and report.is_file():
        say(f"the report of the demo: {report}")
    return code


def verify(place: Place, arguments: Sequence[str]) -> int:
    return verify_outputs(arguments)


def split(place: Place, arguments: Sequence[str]) -> int:
    return named(place, "split", [str(CHECKOUT / "bin" / "sample_split.py"), *arguments])


def named(place: Place, name: str, arguments: Sequence[str]) -> int:
    """Run a command of the library, which calls itself ``./semanticst NAME`` in its help and messages."""
    variables = place.activated() | {"SEMANTICST_COMMAND": f"./semanticst {name}"}
    return replace_by([str(python_of(place.environment())), *arguments], variables)


def python(place: Place, arguments: Sequence[str]) -> int:
    return replace_by([str(python_of(place.environment())), *arguments], place.activated())


def test(place: Place, arguments: Sequence[str]) -> int:
    if arguments[:1] == ["--containers"]:
        return replace_by([str(CHECKOUT / "tests" / "containers" / "run.sh"), *arguments[1:]], place.env)
    variables = place.activated()
    os.chdir(CHECKOUT)
    command = [str(python_of(place.environment())), "-m", "pytest", *_workers(arguments), *arguments]
    return replace_by(command, variables)


def _workers(arguments: Sequence[str]) -> list[str]:
    """One worker per core for all tests or a part of them by mark; few named files are faster without."""
    if any(a.startswith(("-n", "--numprocesses")) or Path(a.partition("::")[0]).exists() for a in arguments):
        return []
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # files in the order of tests/conftest.py, the slowest first
    return ["-n", str(workers or 1), "--dist", "loadfile", "--no-loadscope-reorder"]


def lint(place: Place, arguments: Sequence[str]) -> int:
    """All checks run; the exit code is 1 if any of them finds something."""
    if arguments:
        raise UsageError("lint takes no arguments")
    workflow = [name for name in WORKFLOW_CODE if (CHECKOUT / name).exists()]
    command, variables = _engine_call(place, ["lint", *workflow])
    programs = python_of(place.environment())
    ruff, mypy = str(programs.with_name("ruff")), str(programs.with_name("mypy"))
    checks = [
        (command, variables | {"NXF_SYNTAX_PARSER": "v2"}),
        ([ruff, "check", ".", "semanticst"], place.activated()),
        ([ruff, "format", "--check", ".", "semanticst"], place.activated()),
        ([mypy], place.activated()),  # what it looks at is in pyproject.toml
    ]
    failed = 0
    for check, variables in checks:
        code = exit_code_of(check, variables, cwd=CHECKOUT)
        if code > 128:  # ended by a signal: the user has had enough
            return code
        failed |= code != 0
    return int(failed)


def bench(place: Place, arguments: Sequence[str]) -> int:
    names = bench_names(CHECKOUT)
    if not names:
        raise UsageError("there are no benchmarks yet (bin/semanticst/bench/NAME.py)")
    if not arguments:
        print("\n".join(names))
        return 0
    if arguments[0] not in names:
        raise UsageError(f"no benchmark '{arguments[0]}'; there are {', '.join(names)}")
    return named(place, f"bench {arguments[0]}", ["-m", f"semanticst.bench.{arguments[0]}", *arguments[1:]])


def setup(place: Place, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./semanticst setup", description="Install everything now.")
    parser.add_argument("--torch", choices=TORCH_BUILDS, help="build of torch; kept for later commands")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="methods for benchmarks; all when none is named")
    parsed = parser.parse_args(arguments)
    chosen = parsed.torch
    if chosen:
        ready_environment(place.cache, place.env, chosen)
        (place.cache / "torch").write_text(chosen + "\n")  # only after it worked
    environment = place.environment()
    if damaged := damaged_packages(environment):
        repair(environment, place.cache, place.env, damaged)
    place.engine()
    if parsed.peers is not None:
        for name in parsed.peers or peer_names():
            say(f"ready: peer {name} in {ready_peer(name, place.cache, place.env)}")
    say(f"ready: Python environment ({chosen_torch(place.cache)} build of torch) in {environment}")
    return 0


def show_help(place: Place, arguments: Sequence[str]) -> int:
    """The whole, or that of one command: ``help NAME`` is ``NAME --help``."""
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(HELP, end="")
        return 0
    name, *rest = arguments
    return call(place, name, ["--help", *rest] if name in PARAMETERS_OF_RUN | {"run"} else [*rest, "--help"])


COMMANDS: dict[str, Callable[[Place, Sequence[str]], int]] = {
    "demo": demo,
    "test": test,
    "run": run,
    "check": check,
    "split": split,
    "verify": verify,
    "nextflow": nextflow,
    "python": python,
    "lint": lint,
    "bench": bench,
    "setup": setup,
    "help": show_help,
    "--help": show_help,
    "-h": show_help,
}


def asks_for_help(name: str, arguments: Sequence[str]) -> bool:
    """Is the help of the command itself asked for? Not that of a parameter, a benchmark, or what pytest is given."""
    if name in PARAMETERS_OF_RUN:
        at = next((place for place, one in enumerate(arguments) if one in ("-h", "--help")), None)
        return at is not None and all(one.startswith("-") for one in arguments[at + 1 : at + 2])
    return list(arguments) in (["--help"], ["-h"])


def call(place: Place, name: str, arguments: Sequence[str]) -> int:
    """Run a command, or print its help. Raises UsageError when there is none of this name."""
    if name not in COMMANDS:
        raise UsageError(f"no command '{name}'; there are {', '.join(n for n in COMMANDS if n[0] != '-')}")
    if name in OWN and asks_for_help(name, arguments):
        print(OWN[name].format(names=", ".join(bench_names(CHECKOUT))), end="")
        return 0
    if name == "run" and list(arguments) == ["-h"]:  # else that of the engine's command, without a parameter of ours
        arguments = ["--help"]
    return COMMANDS[name](place, arguments)


def main(arguments: Sequence[str]) -> int:
    """Run one command; its own exit code, or 2 wrong usage, 3 wrong tables, 4 no place, 1 not installed."""
    name, *rest = arguments or ["help"]
    try:
        return call(Place(), name, rest)
    except UsageError as error:
        say(f"ERROR: {error}")
        return 2
    except NoPlace as error:
        say(f"ERROR: {error}")
        return 4
    except SetupError as error:
        say(f"ERROR: {error}")
        return 1
    except BrokenPipeError:  # help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        say("interrupted; the next command goes on from here")
        return 130


def bench_names(checkout: Path) -> list[str]:
    """Names of the benchmarks: modules of ``semanticst.bench`` that do not start with an underscore."""
    return sorted(path.stem for path in (checkout / "bin/semanticst/bench").glob("[!_]*.py"))


def option_value(arguments: Sequence[str], option: str) -> str | None:
    """Value of the last ``option VALUE`` or ``option=VALUE`` among ``arguments``."""
    value = None
    for argument, following in zip(arguments, [*arguments[1:], None]):
        if argument == option:
            value = following
        elif argument.startswith(option + "="):
            value = argument.removeprefix(option + "=")
    return value


def _engine_call(place: Place, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Command and variables that run the engine; the environment's programs are the ones that tasks find."""
    engine = place.engine()
    variables = engine_variables(activated(place.environment(), place.env), arguments)
    return engine.command(arguments, variables), variables
