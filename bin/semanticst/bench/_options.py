"""Options of the benchmarks that compare methods: which of them, how often, and what a run may take."""

import math
from collections.abc import Sequence
from pathlib import Path

import click

from semanticst.bench._methods import METHODS, Own, Peer
from semanticst.bench.material.scaled_values import Form
from semanticst.constants import NICHE_STARTS

GROUPS = {
    "ours": [name for name, method in METHODS.items() if isinstance(method, Own)],
    "peers": [name for name, method in METHODS.items() if isinstance(method, Peer)],
}
"""Names that stand for many methods."""


def method_option(default: str):
    """``methods``: names of methods and of groups, to be ``expanded``."""
    return click.option(
        "--method", "methods", type=click.Choice([*GROUPS, *METHODS], case_sensitive=False), multiple=True,
        default=[default], show_default=True,
        help="Rows, or all of ours or of others, which are installed when first used.",
    )  # fmt: skip


def in_a_folder(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """The path of a table, whose folder is there: the first row may take an hour."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    return path


def seeds_option(default: int):
    return click.option("--seeds", type=click.IntRange(1), default=default, show_default=True, help="Seeds 0, 1, ...")


niche_starts_option = click.option(
    "--niche-starts", type=click.IntRange(1), default=NICHE_STARTS, show_default=True, help="Starts of each mixture."
)
values_option = click.option(
    "--values", "form", type=click.Choice([str(form) for form in Form]), default=str(Form.GIVEN), show_default=True,
    help="What counts are turned into before they are read; with scores of their own.",
)  # fmt: skip


def finite(_: click.Context, __: click.Parameter, value: float) -> float:
    """The value; ``nan`` passes every range."""
    if not math.isfinite(value):
        raise click.BadParameter("a number is expected")
    return value


max_minutes_option = click.option(
    "--max-minutes", type=click.FloatRange(0, min_open=True), default=60, show_default=True, callback=finite,
    help="Time that one run may take.",
)  # fmt: skip
max_gb_option = click.option(
    "--max-gb", type=click.FloatRange(0, min_open=True), default=16, show_default=True, callback=finite,
    help="Memory that one run may take.",
)  # fmt: skip


def expanded(methods: Sequence[str]) -> list[str]:
    """Names of methods, each once, for names of methods and of groups."""
    return list(dict.fromkeys(name for given in methods for name in GROUPS.get(given, [given])))
