"""Cells of a folder or file that are a sample, where several rows of the samplesheet share a path.

A row names its part by one of: fields of view (``fovs``), a value of a column of the cells (``part_column`` and
``part_value``), or a file (``cells``) with ids of cells or an outline.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import Problem, ReadError
from semanticst.io.columns import FALSE, TRUE
from semanticst.io.several_sections import FIELDS, plain
from semanticst.tables.delimited import Table, clean_value
from semanticst.tables.signs import one_form
from semanticst.wording import listed

PART_COLUMNS = ("fovs", "part_column", "part_value", "cells")
"""Columns of the samplesheet that name a part."""
SHARED = ("platform", "bin_size", "table", "feature_type", "spatial_unit", "um_per_px")
"""Columns that rows of one path agree in: they say how it is read."""
SEPARATOR = ";"
"""Between several values of one cell of the samplesheet. A value may hold it, too: the input tells, see `_whole`."""
_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
_WIDEST_RANGE = 100_000


@dataclass(frozen=True)
class Part:
    """One part of an input. Exactly one of ``fovs``, ``values`` and ``cells`` is given."""

    fovs: tuple[str, ...] = ()
    column: str = ""
    values: tuple[str, ...] = ()
    cells: str = ""
    """Path of the file with ids or an outline."""
    um_per_px: float | None = None
    """Micrometres per pixel of the image on which an outline was drawn; None: it has the coordinates of the cells."""

    def __str__(self) -> str:
        if self.fovs:
            return f"fovs {SEPARATOR.join(self.fovs)}"
        if self.column:
            return f"{self.column} {SEPARATOR.join(self.values)}"
        return f"cells in {Path(self.cells).name}"


def part_of(row: Mapping[str, str]) -> Part | None:
    """The part that a row of the samplesheet names; None where it names none, and the whole input is the sample.

    Raises ReadError when it names several, or one by half.
    """
    given = {name: " ".join(row.get(name, "").split()) for name in PART_COLUMNS}
    column, value = given["part_column"], given["part_value"]
    if bool(column) != bool(value):
        lacking, there = ("part_value", "part_column") if column else ("part_column", "part_value")
        raise ReadError(f"{there} is given without {lacking}; a part is a value of a column of the cells")
    named = [name for name in ("fovs", "part_column", "cells") if given[name]]
    if len(named) > 1:
        raise ReadError(f"the part is named by {' and by '.join(named)}; leave one of them")
    if not named:
        return None
    scale = row.get("outline_um_per_px", "")
    return Part(
        fovs=_fields(given["fovs"]),
        column=column,
        values=tuple(" ".join(one.split()) for one in value.split(SEPARATOR) if one.strip()),
        cells=row.get("cells", ""),
        um_per_px=float(scale) if scale else None,
    )


def same_cells(one: Part, other: Part) -> str:
    """What two parts of one input certainly have in common, as far as their names tell; empty where nothing."""
    if common := set(one.fovs) & set(other.fovs):
        return f"field of view {min(common, key=_in_order)}"
    if one.column and plain(one.column) == plain(other.column) and set(one.values) == set(other.values):
        return f"{one.column} {SEPARATOR.join(one.values)}"  # of others the input tells, whose values may hold a ;
    return f"the file {one.cells}" if one.cells and one.cells == other.cells else ""


def check_parts(table: Table, place_of: Callable[[str], str]) -> list[Problem]:
    """Problems of rows that share a path: each has to say which part it is, and no two may be the same cells.

    place_of : the file or folder that a path of the sheet means, so that two spellings of one are one.
    """
    problems: list[Problem] = []
    rows_of: dict[str, list[tuple[int, dict[str, str], Part | None]]] = {}
    for line, row in zip(table.lines, table.rows):
        row = {name: clean_value(row.get(name, "")) for name in (*SHARED, *PART_COLUMNS, "path", "outline_um_per_px")}
        try:
            part = part_of(row)
        except ReadError as error:
            problems.append(Problem(table.file, str(error), line))
            continue
        if row["path"]:
            rows_of.setdefault(place_of(row["path"]), []).append((line, row, part))
    for rows in rows_of.values():
        for number, (line, row, part) in enumerate(rows):
            problems += _against_earlier(table.file, rows[:number], line, row, part)
    return problems


def _against_earlier(file: Path, earlier: list, line: int, row: dict[str, str], part: Part | None) -> list[Problem]:
    """The first problem of a row with one above it that has the same path."""
    for other_line, other_row, other in earlier:
        if part is None or other is None:
            message = (
                f"also in row {other_line}; the same cells must not count twice. Samples that share a path each say "
                "which part of it they are: fovs, or part_column and part_value, or cells (docs/usage.md, Several "
                "samples from one folder)"
            )
            return [Problem(file, message, line, "path", row["path"])]
        if common := same_cells(part, other):
            column = "fovs" if part.fovs else "part_value" if part.column else "cells"
            message = f"{common} is also in row {other_line}; the same cells must not count twice"
            return [Problem(file, message, line, column, row[column])]
        differing = [name for name in SHARED if row[name] != other_row[name]]
        if differing:
            message = f"row {other_line} has '{other_row[differing[0]]}' for the same path, which is read once for both"
            return [Problem(file, message, line, differing[0], row[differing[0]])]
    return []


def cells_of(
    part: Part,
    ids: pd.Index,
    obs: pd.DataFrame,
    points: np.ndarray,
    um_per_unit: float,
    warnings: list[str] | None = None,
    notes: list[str] | None = None,
) -> np.ndarray:
    """Which cells are in the part: bool, n_cells. What is doubtful about its file is added to ``warnings``, and what
    of it does not count to ``notes``.

    ids, obs, points : of the cells of the whole input; points n_cells x 2 or more, in the unit of the file.
    um_per_unit : micrometres of that unit, 0 where it is not known; needed where an outline has pixels of its own.

    Raises ReadError when there is no such column, field, value or id, when no cell is in the outline, and when the
    outline does not fit the cells.
    """
    if part.fovs:
        column = _field_column(obs)
        return _with_values(obs[column], part.fovs, f"fields of view (column {column}{_spaced(obs[column])})")
    if part.column:
        column = _named_column(obs, part.column)
        return _with_values(obs[column], part.values, f"values of {column}")
    # with all readers behind it, which a check of the samplesheet does without
    from semanticst.io.regions.outlines import inside, read_selection

    selection = read_selection(Path(part.cells))
    if selection.ids is not None:
        found, doubtful = _with_ids(ids, selection.ids, Path(part.cells).name, selection.hint)
    else:
        scale = outline_scale(part.um_per_px, um_per_unit)
        found, doubtful = inside(selection, points[:, :2], scale, Path(part.cells).name)
    if warnings is not None:
        warnings += doubtful
    if notes is not None:
        notes += selection.notes
    return found


def outline_scale(um_per_px: float | None, um_per_unit: float) -> float:
    """What an outline's numbers are multiplied with to become coordinates of the file.

    Raises ReadError when the outline has pixels of its own and the unit of the coordinates is not known (0).
    """
    if um_per_px is None:
        return 1.0
    if not um_per_unit:
        raise ReadError(
            "outline_um_per_px is given, but the unit of the cells' coordinates is not known; state it with "
            "spatial_unit and um_per_px"
        )
    return um_per_px / um_per_unit


def with_categories(obs: pd.DataFrame, parts: Iterable[Part]) -> pd.DataFrame:
    """The columns that tell the parts as categories, so that their values are looked up once and not for each part."""
    names = {plain(part.column) for part in parts if part.column} | FIELDS
    return obs.assign(**{name: obs[name].astype("category") for name in obs.columns if plain(name) in names})


def count_parts(masks: Sequence[np.ndarray], names: Sequence[str]) -> int:
    """Number of cells that are in none of the parts. Raises ReadError when a cell is in two."""
    times = np.sum(masks, axis=0, dtype=np.int32)
    if (times > 1).any():
        cell = int(np.argmax(times > 1))
        first, second = [name for name, mask in zip(names, masks) if mask[cell]][:2]
        both = int((masks[names.index(first)] & masks[names.index(second)]).sum())
        raise ReadError(
            f"{both} cells are in the parts of both {first} and {second}; the same cells must not count twice"
        )
    return int((times == 0).sum())


def _fields(text: str) -> tuple[str, ...]:
    """``1-3;7`` -> 1, 2, 3, 7. Raises ReadError for a range that runs backwards."""
    found: dict[str, None] = {}
    for piece in re.split("[;, ]+", re.sub(r"\s*-\s*", "-", text)):
        if match := _RANGE.fullmatch(piece):
            low, high = (int(number) for number in match.groups())
            if low > high or high - low > _WIDEST_RANGE:
                raise ReadError(f"fovs {piece}: a range goes from the lower to the higher number, such as 1-12")
            found |= dict.fromkeys(str(number) for number in range(low, high + 1))
        elif piece:
            found[_tidy(piece)] = None
    return tuple(found)


def _tidy(value: object) -> str:
    """A value as text: 7, 7.0, 007 and " 7 " are one."""
    text = " ".join(one_form(str(value)).split())
    if re.fullmatch(r"\d+(\.0+)?", text):
        return str(int(text.split(".")[0]))
    return text


def _in_order(value: object) -> tuple[int, str]:
    text = str(value)
    return (int(text), "") if text.isdigit() else (1 << 62, text)


def _field_column(obs: pd.DataFrame) -> str:
    found = [name for name in obs.columns if plain(name) in FIELDS]
    if not found:
        raise ReadError(
            f"fovs is given, but no column of the cells tells their field of view (fov, tile); columns: "
            f"{listed(obs.columns, 12)}"
        )
    return found[0]


def _spaced(fields: pd.Series) -> str:
    """What to do where names of fields hold what parts them in ``fovs``."""
    names = fields.astype("category").cat.categories.astype(str)
    if not names.str.contains("[ ,;]").any():
        return ""
    return f"; names with spaces are given as part_column {fields.name} and part_value"


def _named_column(obs: pd.DataFrame, name: str) -> str:
    if name in obs.columns:
        return name
    found = [column for column in obs.columns if plain(column) == plain(name)]
    if len(found) != 1:
        raise ReadError(f"part_column {name}: the cells have no such column; columns: {listed(obs.columns, 12)}")
    return found[0]


def _with_values(column: pd.Series, values: Iterable[str], what: str) -> np.ndarray:
    # a category already has its codes, which sixty cores of one slide would look up sixty times
    known = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype(object).astype("category")
    codes, used = known.cat.codes.to_numpy(), np.unique(known.cat.codes)
    texts = [_tidy(value) for value in known.cat.categories]
    if len(set(texts)) < len(texts):  # 1 and 01, say, are two parts: the spelling tells
        texts = [" ".join(one_form(str(value)).split()) for value in known.cat.categories]
    elif len(texts) <= 2 and all(text.lower() in TRUE | FALSE for text in texts):
        # True in Python, TRUE in R and spreadsheets, 1 in both
        texts, values = [_truth(text) for text in texts], [_truth(_tidy(value)) for value in values]
    there = {texts[code] for code in used if code >= 0}
    values = _whole(list(values), there)
    missing = [value for value in values if value not in there]
    if missing:
        raise ReadError(
            f"no cell has {listed(missing, 12)}; {what} in the input: {listed(sorted(there, key=_in_order), 12)}"
        )
    chosen = np.array([text in set(values) for text in texts] + [False])  # the last for code -1, a missing value
    return chosen[codes]


def _whole(pieces: list[str], there: set[str]) -> list[str]:
    """Pieces of a text between separators as values: the longest run of them that is a value is one.

    there : the values of the input. A piece that is in none of them stays as it is. A value that is spelled exactly so
    goes before one that only reads as the same number (01 and 1). Raises ReadError where several of these do.
    """
    exact = {_closed(value): value for value in sorted(there)}
    alike: dict[str, list[str]] = {}
    for spelling, value in exact.items():
        alike.setdefault(_closed(spelling, _tidy), []).append(value)
    values, start = [], 0
    while start < len(pieces):
        joined = {end: SEPARATOR.join(pieces[start:end]) for end in range(len(pieces), start, -1)}
        end = next((end for end, text in joined.items() if _closed(text, _tidy) in alike), start + 1)
        text = joined[end]
        found = [exact[text]] if text in exact else alike.get(_closed(text, _tidy), [text])
        if len(found) > 1:
            raise ReadError(
                f"{text} may be {' or '.join(found)}, which are different values of the input; spell it as it is there"
            )
        values += found
        start = end
    return values


def _closed(value: str, tidied: Callable[[str], str] = str.strip) -> str:
    """A value without spaces around separators, as `part_of` takes it apart."""
    return SEPARATOR.join(tidied(piece) for piece in value.split(SEPARATOR) if piece.strip())


def _truth(text: str) -> str:
    return "True" if text.lower() in TRUE else "False" if text.lower() in FALSE else text


def _with_ids(ids: pd.Index, wanted: pd.Index, file: str, hint: str) -> tuple[np.ndarray, list[str]]:
    """Which cells have one of the ids, and a warning about ids that no cell has."""
    if not all(map(str.isascii, ids)):
        ids = ids.map(one_form)  # as those of the file are
    chosen = np.zeros(len(ids), dtype=bool)
    if ids.is_unique:  # the table of all ids is made once, and kept by pandas for the next part
        at = ids.get_indexer(wanted)
        chosen[at[at >= 0]] = True
    else:
        chosen[:] = ids.isin(wanted)
    n_strange = len(wanted) - int(chosen.sum())
    if not chosen.any():
        raise ReadError(
            f"{file}: none of its {len(wanted)} ids is a cell ({wanted[0]}, cells are called {ids[0]}){hint}"
        )
    if n_strange <= 0:
        return chosen, []
    first = wanted[~wanted.isin(ids)][0]
    if n_strange > len(wanted) / 2:
        raise ReadError(
            f"{file}: {n_strange} of {len(wanted)} ids are no cells (first: {first}); is it of another section?"
        )
    return chosen, [
        f"{file}: {n_strange} of {len(wanted)} ids are no cells of the input (first: {first}) and are left out"
    ]
