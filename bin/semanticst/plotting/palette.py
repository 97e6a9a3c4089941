"""Colours and names of niches, the same in maps, bars, forest plots, tables and report."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

# Okabe & Ito's eight (black left out, it is the ink) first, then the darker and paler steps of the same hues:
# neighbours in the list differ in lightness as well as in hue, so that the order helps where hue does not.
_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442",
    "#003F63", "#8C6000", "#005F45", "#8A3F6B", "#A9DDF7", "#7A3500", "#B8B000",
    "#7F8FA6", "#4B4B4B", "#B39DDB", "#C8E6C9", "#FFCCBC", "#5D4037",
)  # fmt: skip

REMOVED = "#BDBDBD"
"""Colour of cells that belong to no niche."""


def niche_colour(niche: int) -> str:
    """Hex colour of niche ``niche`` (1, 2, ...); the list of 20 repeats after that.

    Raises ValueError for a niche below 1.
    """
    if niche < 1:
        raise ValueError(f"niches are numbered from 1, got {niche}")
    return _COLOURS[(niche - 1) % len(_COLOURS)]


def bar_colour(niche: int) -> str:
    """`niche_colour` for bars that have neither shape nor hatch: paler, then darker where the list of colours repeats.

    Raises ValueError for a niche below 1.
    """
    colour = niche_colour(niche)
    towards, share = ((0, 0.0), (255, 0.45), (0, 0.35))[(niche - 1) // len(_COLOURS) % 3]
    parts = (round((1 - share) * part + share * towards) for part in bytes.fromhex(colour[1:]))
    return "#" + "".join(f"{part:02X}" for part in parts)


def niche_marker(niche: int) -> str:
    """Shape of a niche's dots in maps: a circle, and another one each time that the list of colours repeats."""
    return "o^sD"[(niche - 1) // len(_COLOURS) % 4]


def niche_hatch(niche: int) -> str | None:
    """Hatch of a niche's bars: none while colours differ, one where the list of colours repeats."""
    return "////" if niche > len(_COLOURS) else None


_NAMES: ContextVar[Mapping[int, str] | None] = ContextVar("names of niches", default=None)


@contextmanager
def named_niches(names: Mapping[int, str]) -> Iterator[None]:
    """Inside, niches have these names wherever they are shown. A run has one set of them, and everything asks here."""
    token = _NAMES.set(dict(names))
    try:
        yield
    finally:
        _NAMES.reset(token)


def given_names() -> dict[int, str]:
    """Names that the user gave, by niche; empty without any."""
    return dict(_NAMES.get() or {})


def niche_name(niche: int) -> str:
    """How niche ``niche`` is written in figures and text: ``Niche 3``, or ``Niche 3 (Tumour border)`` if it was named.

    The number stays, since the tables have it.
    """
    name = (_NAMES.get() or {}).get(niche)
    return f"Niche {niche} ({name})" if name else f"Niche {niche}"
