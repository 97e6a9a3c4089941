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
from launcher.verify import verify as verify_outputs

HELP = """\
Usage: ./semanticst COMMAND [ARGUMENTS]

  demo [ARGS]        run the pipeline on a simulated cohort; results in ./results_demo
  test [ARGS]        run all tests (ARGS go to pytest)
  test --containers [STEPS]
                     build the images and run the pipeline from them (Debian, root; without STEPS: what there is)
  run ARGS           run the pipeline: nextflow run <this checkout> ARGS; parameters and tables are checked first
  check --input SHEET [--clinical TABLE --contrasts TABLE ...] [--read_samples | --no_files] [--json]
                     what a run would compare, from its tables alone: groups, events, who is left out and why, batches;
                     --read_samples: read every sample, and say what was understood (format, values, unit, left out);
                     --no_files: the samples are not here; exit code 3 with problems, 0 with none. Writes nothing
  split FOLDER       find the pieces of tissue in a folder or file (cores of a tissue array) and draft a samplesheet
  verify OUTDIR      whether an output folder is what its run left there: whole, damaged, left over from earlier runs
  nextflow ARGS      the workflow engine itself
  python ARGS        the Python of the pipeline's environment, with its library in reach
  lint               check the workflow, and the style and types of the Python code
  bench [NAME ARGS]  run a benchmark; without a name: list them
  setup [--torch cpu|default] [--peers [NAMES]]
                     install everything now; 'cpu' takes PyTorch's smaller CPU build from its own index; --peers: also
                     the methods that 'bench niches' compares with (else when first used)
  help               this text

The first command installs what is missing into a cache: a Python environment (3 GB to download, 7 GB on disk) and,
where the machine has none that fits, Nextflow and Java. Later commands and other checkouts use it again.

  SEMANTICST_CACHE   the cache; default $XDG_CACHE_HOME/semanticst or ~/.cache/semanticst. Delete it to remove all.
  SEMANTICST_MAVEN   address of a Maven mirror, for Nextflow
  PIP_INDEX_URL, PIP_CERT, PIP_PROXY or pip's configuration files: mirror of the Python package index
  NXF_OFFLINE=false  let Nextflow use the network
"""


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
    return python(place, [str(CHECKOUT / "bin" / "sample_split.py"), *arguments])


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
    return python(place, ["-m", f"semanticst.bench.{arguments[0]}", *arguments[1:]])


def setup(place: Place, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="semanticst setup", description="Install everything now.")
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
    print(HELP, end="")
    return 0


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


def main(arguments: Sequence[str]) -> int:
    """Run one command; its own exit code, or 2 wrong usage, 3 wrong tables, 4 no place, 1 not installed."""
    name, *rest = arguments or ["help"]
    try:
        if name not in COMMANDS:
            raise UsageError(f"no command '{name}'; there are {', '.join(n for n in COMMANDS if n[0] != '-')}")
        return COMMANDS[name](Place(), rest)
    except UsageError as error:
        say(f"ERROR: {error}")
        return 2
    except NoPlace as error:
        say(f"ERROR: {error}")
        return 4
    except SetupError as error:
        say(f"ERROR: {error}")
        return 1
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
