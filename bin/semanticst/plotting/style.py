"""Style of figures: ink, fonts, an empty page, names in lines, the colour of a row."""

import textwrap
import unicodedata
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from semanticst.plotting.palette import niche_colour

INK, FAINT = "#222222", "#9A9A9A"
STYLE: dict[Any, Any] = {  # matplotlib types the names of its settings one by one
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names have signs of their own
}
_WIDE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans JP", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAexGothic", "NanumGothic", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
"""Fonts with Chinese, Japanese and Korean signs, which matplotlib's own lacks; whichever is installed is asked."""


def font_families() -> list[str]:
    """Matplotlib's own font, and the first that is installed of those with signs which it lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in _WIDE_FONTS if name in installed][:1]]


STYLE["font.family"] = font_families()
# a name like "HER2$low$" is no formula; every module that draws imports this one
matplotlib.rcParams["text.parse_math"] = False


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most ``width`` letters, half as many where letters are as wide as they are high."""
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return "\n".join(textwrap.wrap(text, width // 2 if wide else width)) or text


def row_colour(niche: str) -> str:
    """The niche's colour; ink where a row is about all niches."""
    return niche_colour(int(niche)) if niche.isdigit() else INK
