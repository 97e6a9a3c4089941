"""Assembly of a sample from what its several files say."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.constants import Obsm
from semanticst.io.readers.base import ReadError
from semanticst.io.understood import cells_left_out

SHORTENED = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
"""What spreadsheets make of ids of 18 digits."""
_POWER = re.compile(r"^\d(?:\.\d+)?e\+\d+$", re.IGNORECASE)


def only_once(ids: pd.Index, file: Path) -> None:
    """Raise ReadError when ids repeat in ``file``."""
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        if SHORTENED.fullmatch(str(repeated[0]).strip()):
            raise ReadError(
                f"{file.name}: {len(repeated)} ids occur more than once (first: {repeated[0]}): a spreadsheet "
                "shortened long numbers; take the table as it was before"
            )
        raise ReadError(
            f"{file.name}: {len(repeated)} ids occur more than once (first: {repeated[0]}); one row per cell is "
            "expected. Of several images or sections, give each a file, or name their column as part_column"
        )


def pair_up(
    cells: pd.Index, placed: pd.Index, counts: Path, positions: Path
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rows of the two files that belong together, in the order of the counts, and notes about what is left out.

    cells, placed : ids in the rows of ``counts`` and of ``positions``.

    Raises ReadError when ids repeat, and when the files have less than half of the shorter one's ids in common: they
    are of two samples then, and the rest would pass for one.
    """
    only_once(cells, counts)
    only_once(placed, positions)
    notes: list[str] = []
    at = placed.get_indexer(cells)
    lost = np.flatnonzero(at < 0)
    left = np.setdiff1d(np.arange(len(placed)), at)
    if len(lost) and len(left) and (alike := same_spelling(cells, placed, lost, left)) is not None:
        at[lost] = alike
        first = lost[int(np.argmax(alike >= 0))]
        which = "ids" if len(lost) == len(cells) else f"{int((alike >= 0).sum())} ids"
        notes.append(
            f"{which} are spelled differently in {counts.name} and {positions.name}, and matched: {cells[first]} is "
            f"{placed[at[first]]}"
        )
    found = at >= 0
    n = int(found.sum())
    if 2 * n < min(len(cells), len(placed)) or n == 0:
        raise ReadError(
            f"{counts.name} and {positions.name} have {n} ids in common, of {len(cells)} (first: {cells[0]}) and "
            f"{len(placed)} (first: {placed[0]}); are they of one sample, and whole?"
        )
    if n < len(cells):
        note = f"{len(cells) - n} of {len(cells)} cells are left out: {positions.name} has no position for them"
        notes.append(cells_left_out(len(cells) - n, note))
    if n < len(placed):
        note = f"{len(placed) - n} of {len(placed)} cells of {positions.name} have no counts and are left out"
        notes.append(cells_left_out(len(placed) - n, note))
    return np.flatnonzero(found), at[found], notes


def by_order(cells: pd.Index, placed: pd.Index, counts: Path, positions: Path, named: bool) -> str:
    """A warning where both lists of ids are the numbers of the rows, of which one counts from 0 and the other from 1.

    pandas and R put them in front of tables without ids, and programs that label cells count from either. By these
    numbers each cell would get its neighbour's position, so that the caller pairs the rows by their order. Empty for
    all other ids. named : whether a column is called as ids are.

    Raises ReadError when the files have different numbers of rows, so that their order says nothing; ids that are
    called so may then be of a label that only one of them has.
    """
    starts = row_numbers_from(cells), row_numbers_from(placed)
    if None in starts or starts[0] == starts[1]:
        return ""
    what = (
        f"the ids are numbers of the rows, from {starts[0]} in {counts.name} and from {starts[1]} in {positions.name}"
    )
    if named and len(cells) != len(placed):
        return ""
    if len(cells) != len(placed):
        raise ReadError(
            f"{what}, and there are {len(cells)} and {len(placed)} rows: nothing tells which belong together; give "
            "both tables a column cell_id"
        )
    then = "give both tables the same ids" if named else "give both tables a column cell_id"
    return f"{what}; the rows are paired by their order. If that is wrong, {then}"


def row_numbers_from(ids: pd.Index) -> int | None:
    """The first of ids that are 0, 1, 2, ... or 1, 2, 3, ... in the order of the rows; None for others."""
    values = [re.sub(r"\.0+$", "", str(value).strip()) for value in ids]
    return next((start for start in (0, 1) if values == [str(start + i) for i in range(len(values))]), None)


def same_spelling(
    cells: pd.Index, placed: pd.Index, lost: np.ndarray | None = None, left: np.ndarray | None = None
) -> np.ndarray | None:
    """For each cell its place in ``placed`` (-1: none) without what programs change in ids: R writes AAAC.1 for AAAC-1
    and 1e+05 for 100000, pandas 7.0 for 7, and spaces and case get lost.

    lost, left : positions in the two lists of those that have no partner as they are, for which alone one is sought;
    None: all. None where ids of one list would become one, where nothing is found, or, of all, fewer than half.
    """
    plain = [_plain_ids(ids) for ids in (cells, placed)]
    if not all(ids.is_unique for ids in plain):
        return None
    lost = np.arange(len(cells)) if lost is None else lost
    left = np.arange(len(placed)) if left is None else left
    at = plain[1][left].get_indexer(plain[0][lost])
    n = int((at >= 0).sum())
    everything = len(lost) == len(cells)
    if not n or (everything and 2 * n < min(len(cells), len(placed))):
        return None
    return np.where(at >= 0, left[at], -1)


def _plain_ids(ids: pd.Index) -> pd.Index:
    """Ids as they are compared by `same_spelling`."""
    texts = ids.astype(str).str.replace(_POWER, _written_out, regex=True)
    texts = texts.str.replace(r"^(\d+)\.0+$", r"\1", regex=True).str.replace(r"^X(?=\d)", "", regex=True)
    return pd.Index(texts.str.replace(r"[^A-Za-z0-9]+", "-", regex=True).str.strip("-").str.lower())


def _written_out(found: re.Match) -> str:
    """1e+05 as 100000; as it is where R would have written all digits, as a number that a spreadsheet shortened."""
    value = float(found[0])
    return f"{value:.0f}" if value < 1e15 and value == int(value) else found[0]


def assemble(
    X, ids: Sequence[str], features: Sequence[str], spatial: np.ndarray, *, unit: str, notes: list[str],
    platform: str = "", um_per_unit: tuple[float, str] | None = None, control: np.ndarray | None = None,
    obs: dict[str, object] | None = None, matrix: str = "", warnings: Sequence[str] = (),
) -> ad.AnnData:  # fmt: skip
    """AnnData as `semanticst.io.readers.base.Reader` describes it.

    matrix : name of the file that the values are from. um_per_unit : micrometres per unit, and where that number comes
    from. control : bool per feature. obs : columns.
    """
    var = pd.DataFrame(index=pd.Index(features, dtype=object))
    if control is not None and control.any():
        var["control"] = control
    uns: dict[str, Any] = {"spatial_unit": unit, "notes": notes}
    if matrix:
        uns["matrix"] = matrix
    if warnings:
        uns["warnings"] = list(warnings)
    if platform:
        uns["platform"] = platform
    if um_per_unit:
        uns["um_per_unit"], uns["um_per_unit_source"] = um_per_unit
    return ad.AnnData(
        X,
        obs=pd.DataFrame({k: np.asarray(v) for k, v in (obs or {}).items()}, index=pd.Index(ids, dtype=object)),
        var=var,
        obsm={Obsm.SPATIAL.value: np.asarray(spatial, dtype=np.float64)},
        uns=uns,
    )


def rows_of(X, rows: np.ndarray):
    """``X[rows]``, without a copy when these are all rows in order."""
    return X if len(rows) == X.shape[0] and (np.diff(rows) == 1).all() else X[rows]
