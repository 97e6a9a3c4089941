"""Columns of cells as bytes: positions in steps, fractions in hundredths, values by a table of levels.

A page that is opened from a file may not fetch binary files, so bytes travel as base64 in a script, packed by zlib.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MISSING = 255
"""Code of a cell without a value."""
STEPS = 65_535
"""Of the longer side of a section, at most."""
FINE = 128
"""Steps of the usual distance between cells: finer ones would not be seen, and pack badly."""


@dataclass(frozen=True)
class Levels:
    """What the codes of a feature mean: ``table[code]``. ``exact``: every value that occurs is one of them."""

    table: np.ndarray
    exact: bool


def positions(xy: np.ndarray, spacing: float) -> tuple[np.ndarray, list[float], float]:
    """Positions (n x 2) as steps from a corner: uint16 n x 2, the corner, and the length of a step, in x as in y.

    spacing : the usual distance between cells, in the unit of ``xy``.
    """
    corner = xy.min(axis=0)
    step = float(max(np.ptp(xy, axis=0).max() / STEPS, spacing / FINE, 1e-9))
    return np.round((xy - corner) / step).astype(np.uint16), corner.tolist(), step


def hundredths(values: np.ndarray) -> np.ndarray:
    """Fractions (0 to 1) as uint8: 0 to 100, `MISSING` where there is none. Exact to two decimals."""
    known = np.isfinite(values)
    codes = np.full(len(values), MISSING, np.uint8)
    codes[known] = np.round(100 * np.clip(values[known], 0, 1)).astype(np.uint8)
    return codes


def levels_of(values: np.ndarray) -> Levels:
    """Levels for the values of a feature in all cells of a cohort: the values themselves where there are few.

    Else 255 steps of equal length from the lowest to the highest; of values that are 0 and more and reach far beyond
    most of them (counts), steps of equal length on the scale of log(1 + x).
    """
    different = np.unique(values)
    if len(different) <= MISSING:
        return Levels(different, exact=True)
    low, high = float(different[0]), float(different[-1])
    if low >= 0 and high > 8 * max(float(np.quantile(values, 0.9)), 1.0):
        return Levels(np.expm1(np.linspace(np.log1p(low), np.log1p(high), MISSING)), exact=False)
    return Levels(np.linspace(low, high, MISSING), exact=False)


def codes_of(values: np.ndarray, levels: Levels) -> np.ndarray:
    """Code (uint8) of the nearest level of each value."""
    if len(levels.table) == 1:
        return np.zeros(len(values), np.uint8)
    middles = (levels.table[1:] + levels.table[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.uint8)


def packed(columns: dict[str, np.ndarray]) -> dict[str, Any]:
    """Columns as one packed text: ``fields`` (name, bytes of a value, values) in their order, and ``data``.

    Columns of more than a byte lie as all lowest bytes, then all next, which packs better.
    """
    parts: list[np.ndarray] = []
    fields: list[list[Any]] = []
    for name, values in columns.items():
        fields.append([name, values.dtype.itemsize, int(values.size)])
        parts += [(values >> shift & 255).astype(np.uint8) for shift in range(0, 8 * values.dtype.itemsize, 8)]
    raw = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return {"fields": fields, "data": text_of(raw)}


def text_of(raw: bytes) -> str:
    """Bytes packed by zlib, as base64; without the search for repeats where there are none, as in ids at random."""
    packers = [zlib.compressobj(9, strategy=s) for s in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)]
    return base64.b64encode(min((p.compress(raw) + p.flush() for p in packers), key=len)).decode("ascii")


def packed_ids(ids: Sequence[str]) -> dict[str, Any]:
    """Ids as one packed text: those of one ``length`` (bytes) as all first letters, then all second ones, which packs
    better; of different ones (``length`` 0) a JSON list, since an id may hold any sign."""
    letters = [name.encode() for name in ids]
    length = len(letters[0]) if letters else 0
    if not length or any(len(name) != length for name in letters):
        return {"length": 0, "data": text_of(json.dumps(list(ids), ensure_ascii=False, separators=(",", ":")).encode())}
    return {
        "length": length,
        "data": text_of(np.frombuffer(b"".join(letters), np.uint8).reshape(len(letters), -1).T.tobytes()),
    }


def along_a_curve(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of cells (uint16 n x 2) in which neighbours in the file are neighbours in the section (Morton's curve), so
    that equal values come in runs, which pack well; and how far along the curve each is from the one before (uint32),
    which is all that is stored of positions."""
    places = _spread(steps[:, 0]) | _spread(steps[:, 1]) << np.uint64(1)
    order = np.argsort(places, kind="stable")
    return order, np.diff(places[order], prepend=np.uint64(0)).astype(np.uint32)


def sum_for_last(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Shares of a whole (`hundredths`) with the sum of all, modulo 256, for the last: about 100, which packs well."""
    return [*columns[:-1], np.add.reduce(columns, dtype=np.uint8)]


def _spread(values: np.ndarray) -> np.ndarray:
    """The 16 bits of each value with a zero between any two."""
    spread = values.astype(np.uint64)
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        spread = (spread | spread << np.uint64(shift)) & np.uint64(mask)
    return spread
