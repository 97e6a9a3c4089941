"""Scores of an earlier run, from which a benchmark goes on."""

from collections.abc import Collection
from pathlib import Path

import click
import pandas as pd

from semanticst.bench._methods import NOT_INSTALLED


def known_scores(path: Path | None, columns: Collection[str]) -> list[dict]:
    """Rows of an earlier run that need not be run again, with ``columns`` and ``failed``; none without such a file."""
    if not path or not path.exists():
        return []
    known = pd.read_csv(path, dtype={"failed": str})
    if missing := set(columns) - set(known):
        raise click.UsageError(f"{path} is none of this benchmark's, or of an older one: no column {min(missing)}")
    known["failed"] = known["failed"].fillna("") if "failed" in known else ""
    return known[~known["failed"].str.startswith(NOT_INSTALLED)].to_dict("records")
