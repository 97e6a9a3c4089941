"""Checks before the engine starts: help, wrong parameters, wrong tables. In seconds, in the workflow's words.

The workflow checks the same again, since ``nextflow run`` without the launcher is a way to run the pipeline as well. So
nothing is refused here that the engine might accept: what only the engine knows is left to it.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from launcher.arguments import Arguments, camel, read_arguments
from launcher.configuration import UNKNOWN, foreign_files, may_set, profile_parameters, profiles, version
from launcher.environment import CHECKOUT, activated, python_of
from launcher.messages import NoPlace, UsageError, say
from launcher.parameters import (
    defaults,
    folder_problems,
    is_local,
    parameter_help,
    parameter_problems,
    problem_message,
    words,
)

BAD_INPUT = 3
LEAST_ROOM = 1_000_000
"""Bytes that a run needs on each disk before it has any result."""

CHECK = CHECKOUT / "bin" / "samplesheet_check.py"
SHORTCUTS = ("clinical_group", "clinical_time", "clinical_event", "clinical_event_value", "clinical_covariates")


@dataclass
class Given:
    """Parameters of a run. Not ``complete``: a file that only the engine can read may set more, or other defaults."""

    params: dict[str, object]
    complete: bool
    arguments: Arguments

    def on(self, name: str) -> bool:
        return str(self.params.get(name)).lower() == "true"

    def file(self, name: str) -> str | None:
        """Path of a parameter that names a file on this machine, else None."""
        value = self.params.get(name)
        return str(value) if value not in (None, "", False, True) and is_local(str(value)) else None


def given_parameters(
    arguments: Sequence[str], env: Mapping[str, str], environment: Callable[[], Path], folder: Path | None = None
) -> Given | None:
    """What ``nextflow run`` is given on its command line, in a file of parameters and by the pipeline's own profiles.

    ``environment``: makes the Python environment, asked for only when a YAML file has to be read. None: there is
    something in the command line that only the engine understands. Raises UsageError for what cannot be right.
    """
    folder = folder or Path.cwd()
    read = read_arguments(arguments, env)
    if not read.understood or read.has("-h", "-help", "-main-script", "-stdin", "-test", "-entry"):
        return None
    foreign = foreign_files(read, env, folder)
    chosen = [name for name in (read.last("-profile") or "").split(",") if name]
    _check_profiles(chosen, foreign)
    complete = not any(may_set(file, "params") for file in foreign)
    params = file_parameters(read.last("-params-file") or env.get("NXF_PARAMS_FILE"), env, environment, folder)
    if params is None:
        return None
    params |= read.params
    if complete:
        params = defaults() | profile_parameters(chosen) | params
        complete = UNKNOWN not in params.values()
        params = {name: value for name, value in params.items() if value is not UNKNOWN}
    return Given(params, complete, read)


def answered(given: Given) -> bool:
    """Print help or version when that is what is asked for."""
    topic = given.params.get("help")
    if topic and topic != "false":
        print(parameter_help(topic))
    elif given.on("version"):
        print(*version())
    else:
        return False
    return True


def check_parameters(
    given: Given, env: Mapping[str, str], environment: Callable[[], Path], folder: Path | None = None
) -> None:
    """Raises UsageError with all problems of the parameters and of folders in which no task could run.

    ``environment``: asked for when a file is YAML.
    """
    look = partial(yaml_problem, env=env, environment=environment)
    problems = parameter_problems(given.params, given.complete, look)
    if problems := problems + folder_problems(_work_folder(given, env, folder or Path.cwd())):
        raise UsageError(problem_message(problems))


def _work_folder(given: Given, env: Mapping[str, str], folder: Path) -> Path | None:
    """Where tasks will run; None where that is elsewhere, or where a file that only the engine reads may name it."""
    named = given.arguments.last("-w", "-work-dir") or env.get("NXF_WORK")
    if not named and any(may_set(file, "workDir") for file in foreign_files(given.arguments, env, folder)):
        return None
    return folder / (named or "work") if is_local(named or "work") else None


def check_places(given: Given, env: Mapping[str, str], folder: Path | None = None) -> None:
    """Can the run write where it has to? Raises NoPlace: the engine's own messages about that are hard to read."""
    folder = folder or Path.cwd()
    places = {}
    if not env.get("NXF_CACHE_DIR"):
        places["the folder of the launch (start in another one)"] = folder
    work = given.arguments.last("-w", "-work-dir") or env.get("NXF_WORK")
    outdir = given.params.get("outdir")
    for what, name in (("the work folder (-work-dir)", work), ("the output folder (--outdir)", outdir)):
        if isinstance(name, str) and name and is_local(name):
            places[what] = folder / name
    for what, place in places.items():
        there = next(path for path in (place, *place.parents) if path.exists())
        if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
            raise NoPlace(f"{what} cannot be written: {there} is read-only, no folder, or belongs to somebody else")
        if (free := shutil.disk_usage(there).free) < LEAST_ROOM:
            needed = f"{LEAST_ROOM // 1_000_000} MB are needed for the engine's notes alone"
            raise NoPlace(f"{what} has no room: {free / 1000:.0f} kB are free on the disk of {there}, {needed}")


def check_tables(given: Given, environment: Path, env: Mapping[str, str], *further: str) -> int:
    """Check samplesheet, clinical table and contrasts with the pipeline's own command, and print every problem at once.

    ``further``: more options of ``samplesheet_check.py``. Returns 3 when the tables cannot be used, else 0; also where
    they are not on this machine, or could not be checked here: the run checks them itself.
    """
    command = tables_command(given)
    if not command:
        return 0
    variables = activated(environment, env) | {"PYTHONPATH": str(CHECKOUT / "bin"), "PYTHONDONTWRITEBYTECODE": "1"}
    code: int | str | None
    try:
        with tempfile.TemporaryDirectory(prefix="semanticst-check-", ignore_cleanup_errors=True) as outdir:
            call = [str(python_of(environment)), str(CHECK), *command, "--outdir", outdir, *further]
            code = subprocess.run(call, env=variables, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:  # no folder for temporary files takes one
        code = error.strerror
    if code == BAD_INPUT:
        say("nothing was started: correct what is named above first")
        return BAD_INPUT
    if code:
        say(f"the tables could not be checked before the start ({code}); the run does it itself")
    return 0


def preview_tables(given: Given, environment: Path, env: Mapping[str, str], *further: str) -> int:
    """Print what each contrast will compare; exit code of ``samplesheet_check.py``, which writes nothing then."""
    command = tables_command(given)
    if not command:
        raise UsageError("check needs --input, the samplesheet, and tables that are on this machine")
    variables = activated(environment, env) | {"PYTHONPATH": str(CHECKOUT / "bin"), "PYTHONDONTWRITEBYTECODE": "1"}
    call = [str(python_of(environment)), str(CHECK), *command, *further]
    return subprocess.run(call, env=variables, stdin=subprocess.DEVNULL, check=False).returncode


def tables_command(given: Given) -> list[str]:
    """Arguments of ``samplesheet_check.py`` for these parameters; empty when the tables are not to be checked here."""
    sheet = given.file("input")
    if not sheet or given.on("simulate") or given.arguments.has("-stub", "-stub-run", "-preview"):
        return []
    tables = {name: given.file(name) for name in ("clinical", "contrasts")}
    if any(given.params.get(name) and not file for name, file in tables.items()):
        return []  # one lies elsewhere, and they are checked against each other
    if not given.complete and not tables["clinical"]:
        return [sheet]  # there may be a clinical table, which contrasts would be checked against
    command = [sheet]
    for name, file in tables.items():
        command += [f"--{name}", file] if file else []
    for name in SHORTCUTS:
        value = given.params.get(name)
        command += [f"--{name.replace('_', '-')}={value}"] if value not in (None, "") else []
    return command


def file_parameters(
    name: str | None, env: Mapping[str, str], environment: Callable[[], Path], folder: Path
) -> dict[str, object] | None:
    """Parameters of a JSON or YAML file; {} without one, None when it is not here. Raises UsageError."""
    if not name:
        return {}
    if not is_local(name):
        return None
    file, ending = folder / name, name.rpartition(".")[2]
    if ending not in ("json", "yml", "yaml"):
        raise UsageError(f"Not a valid params file extension: {name} -- It must be one of the following: json,yml,yaml")
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read the params file: {name} ({error.strerror})") from None
    except ValueError:
        raise UsageError(f"Cannot read the params file: {name} (it is not UTF-8 text)") from None
    for variable in ("baseDir", "projectDir"):
        text = text.replace(f"${{{variable}}}", str(CHECKOUT))
    text = text.replace("${launchDir}", str(folder.resolve()))
    content = json_of(text, name) if ending == "json" else yaml_of(text, name, env, environment)
    if not isinstance(content, dict):
        raise UsageError(f"Cannot parse params file: {name} (names and values are expected)")
    return {camel(key) if "-" in key else key: value for key, value in content.items()}


def json_of(text: str, name: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"Cannot parse params file: {name} ({error})") from None


YAML = """
import json, sys, yaml
try:
    print(json.dumps({expression}, default=str))
except yaml.YAMLError as error:
    sys.exit(" ".join(str(error).split()))
"""
VALUES = "yaml.safe_load(sys.stdin.read())"
# the tree only: values may have tags that only their reader knows
IS_MAPPING = "isinstance(yaml.compose(sys.stdin.read(), yaml.SafeLoader), (yaml.MappingNode, type(None)))"


def yaml_of(text: str, name: str, env: Mapping[str, str], environment: Callable[[], Path]) -> object:
    """Values of a file of parameters in YAML. Raises UsageError when it is none."""
    done = _read_yaml(VALUES, text.encode(), env, environment)
    if done.returncode:
        raise UsageError(f"Cannot parse params file: {name} ({done.stderr.decode(errors='replace').strip()})")
    return json.loads(done.stdout)


def yaml_problem(path: str, env: Mapping[str, str], environment: Callable[[], Path]) -> str | None:
    """What is wrong with a file that should map names to values, in words; None if nothing is."""
    say = words()["expected"]
    try:
        done = _read_yaml(IS_MAPPING, Path(path).read_bytes(), env, environment)
    except OSError as error:
        return say["yaml"].format(why=error.strerror)
    if done.returncode:
        return say["yaml"].format(why=done.stderr.decode(errors="replace").strip())
    return None if json.loads(done.stdout) else say["mapping"]


def _read_yaml(
    expression: str, text: bytes, env: Mapping[str, str], environment: Callable[[], Path]
) -> subprocess.CompletedProcess[bytes]:
    """YAML is read in the environment: this Python has no library for it."""
    place = environment()
    call = [str(python_of(place)), "-c", YAML.replace("{expression}", expression)]
    variables = activated(place, env) | {"PYTHONUTF8": "1"}
    return subprocess.run(call, env=variables, input=text, capture_output=True, check=False)


def _check_profiles(chosen: list[str], foreign: list[Path]) -> None:
    known = profiles()
    wrong = [name for name in chosen if name not in known and name != "standard"]
    if wrong and not any(may_set(file, "profiles") for file in foreign):
        named = ", ".join(f"'{name}'" for name in wrong)
        raise UsageError(f"Unknown configuration profile: {named}. There are: {', '.join(known)}")
