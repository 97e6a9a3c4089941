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
import sys
from collections.abc import Callable
from pathlib import Path

import click

from semanticst import __version__
from semanticst.errors import BadInput, ExitCode
from semanticst.threads import limit_threads

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
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads for linear algebra and torch."
)


class Step(click.Command):
    """A click command that ends with the project's exit codes: bad input is 3, with all problems printed."""

    def invoke(self, ctx: click.Context):
        start_logging(ctx.command_path)
        if ctx.params.get("outdir"):
            ctx.params["outdir"].mkdir(parents=True, exist_ok=True)
        try:
            with limit_threads(ctx.params.get("threads", 1)):
                return super().invoke(ctx)
        except BadInput as bad:
            click.echo(report_problems(bad), err=True)
            ctx.exit(ExitCode.BAD_INPUT)


def step(**settings) -> Callable[[Callable], Step]:
    """Turn a function into a command with ``--version``, help on ``-h`` and the project's exit codes."""

    def decorate(function: Callable) -> Step:
        function = click.version_option(__version__, message="%(version)s")(function)
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 110})
        return click.command(cls=Step, **settings)(function)

    return decorate


def report_problems(bad: BadInput) -> str:
    """All problems of a bad input, one a line, under a line that counts them."""
    n = len(bad.problems)
    head = f"ERROR: {n} problem{'' if n == 1 else 's'} in the input:"
    return "\n".join([head, *(f"  - {p}" for p in bad.problems)])


def start_logging(name: str) -> None:
    """Log to stderr, one line a decision."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"[{Path(name).stem}] %(message)s", force=True)
    for noisy in ("matplotlib", "fontTools", "numba", "h5py", "harmonypy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
