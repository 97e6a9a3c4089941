"""Shared parts of the commands in ``bin/``: exit codes, logging, common options.

A command is written as::

    @step()
    @click.argument("samples", nargs=-1, required=True, type=EXISTING)
    @outdir_option
    def graph_build(samples, outdir):
        \"\"\"Build the semantic graphs of each sample.\"\"\"
        from semanticst.graph import build_graphs   # heavy imports stay inside: --help is instant

        build_graphs(samples, outdir)
"""

import logging
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType

import click

from semanticst import __version__
from semanticst.errors import BadInput, CannotWrite, ExitCode, folded
from semanticst.shortage import disk_error, shortage
from semanticst.threads import limit_threads

VERSIONS = "versions.yml"
MODULE_OF = {"scikit-learn": "sklearn"}
"""Modules of packages that are not called alike."""
CALLED = "SEMANTICST_COMMAND"
"""Variable with the name that a user knows a command by, such as ``./semanticst split``."""
EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

outdir_option = click.option(
    "--outdir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    show_default="the current folder",
    help="Folder for the results; made if missing.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed."
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads of linear algebra and torch; or samples and problems worked on at a time, in processes.",
)


class Step(click.Command):
    """A click command that ends with the project's exit codes.

    Bad input is 3, with all problems printed; a full disk (4) and want of memory (137) are told in one line.
    """

    is_process = False

    def main(self, *args, **kwargs):
        # for this process alone, and none that it starts
        if name := os.environ.pop(CALLED, ""):
            kwargs["prog_name"] = name
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Messages name an option as the pipeline's parameter (``--niche_k``): commands take this spelling, too."""
        own = {name for option in self.params for name in (*option.opts, *option.secondary_opts)}
        return super().parse_args(ctx, [_with_dashes(arg, own) for arg in args])

    def invoke(self, ctx: click.Context):
        start_logging(ctx.command_path)
        outdir = ctx.params.get("outdir") or Path()
        try:
            _make_folder(outdir)
            with limit_threads(ctx.params.get("threads", 1)):
                result = super().invoke(ctx)
            if VERSIONS in ctx.meta:
                write_versions(Path(VERSIONS), ctx.meta[VERSIONS].split(","))
            return result
        except BadInput as bad:
            click.echo(report_problems(bad), err=True)
            ctx.exit(ExitCode.BAD_INPUT)
        except Exception as error:
            lacking = shortage(error, outdir)
            if lacking is None:
                raise
            code, line = lacking
            click.echo(f"ERROR: {line}", err=True)
            if self.is_process:
                # at once: HDF5 crashes when it lets go of a file that it could not write, with an exit code of its own
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            ctx.exit(code)

    def __call__(self, *args, **kwargs):
        """What a script calls: the process ends with the command."""
        self.is_process = True
        # HDF5 prints by either what it meets when it lets go of a file
        sys.excepthook, sys.unraisablehook = (
            _print_error,
            lambda lost: _print_error(lost.exc_type, lost.exc_value, lost.exc_traceback),
        )
        return super().__call__(*args, **kwargs)


def step(**settings) -> Callable[[Callable], Step]:
    """Turn a function into a command with ``--version``, help on ``-h`` and the project's exit codes."""

    def decorate(function: Callable) -> Step:
        function = click.version_option(__version__, message="%(version)s")(function)
        # for the workflow: a process for each tool that is asked for its version took longer than the tools
        function = click.option("--versions-of", hidden=True, expose_value=False, callback=_keep_names)(function)
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        return click.command(cls=Step, **settings)(function)

    return decorate


def _with_dashes(arg: str, own: Collection[str]) -> str:
    """``--niche_k=4`` as ``--niche-k=4``, where the command has that option; anything else as it is."""
    name, equals, value = arg.partition("=")
    dashed = name.replace("_", "-")
    return f"{dashed}{equals}{value}" if name.startswith("--") and dashed in own else arg


def _keep_names(ctx: click.Context, _option: click.Parameter, names: str | None) -> None:
    if names:
        ctx.meta[VERSIONS] = names


def write_versions(path: Path, packages: Iterable[str]) -> None:
    """Write ``name: version`` of Python and of those ``packages`` that were imported, a line each."""
    from importlib.metadata import version

    imported = [name for name in packages if MODULE_OF.get(name, name.replace("-", "_")) in sys.modules]
    lines = [f"python: {platform.python_version()}", *(f"{name}: {version(name)}" for name in imported)]
    path.write_text("".join(f"{line}\n" for line in lines))


def _print_error(kind: type, error: BaseException | None, trace: TracebackType | None) -> None:
    """Print an error as Python does, but no full disk: that is told once, by the error that ended the command."""
    if error and not disk_error(error):
        sys.__excepthook__(kind, error, trace)


def _make_folder(folder: Path) -> None:
    """Make the folder of the results. Raises CannotWrite when that, or writing into it, is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder.absolute()} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWrite(f"{folder.absolute()} takes no files: it is read-only, or belongs to somebody else")


def report_problems(bad: BadInput) -> str:
    """All problems of a bad input under a line that counts them; those that say the same are one line."""
    n = len(bad.problems)
    head = f"ERROR: {n} problem{'' if n == 1 else 's'} in the input:"
    return "\n".join([head, *(f"  - {line}" for line in folded(bad.problems))])


class _Lines(logging.Formatter):
    """One line a decision; those that somebody should look at say so."""

    def format(self, record: logging.LogRecord) -> str:
        said = super().format(record)
        return said if record.levelno < logging.WARNING else said.replace("] ", f"] {record.levelname}: ", 1)


def start_logging(name: str) -> None:
    """Log to stderr, one line a decision."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Lines(f"[{Path(name).stem}] %(message)s"))
    for noisy in ("matplotlib", "fontTools", "numba", "h5py", "harmonypy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
