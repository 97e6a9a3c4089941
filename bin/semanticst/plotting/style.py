"""Style of figures: ink, style, an empty page, the colour of a row."""

from typing import Any

import matplotlib
from matplotlib.figure import Figure

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
# a name like "HER2$low$" is no formula; every module that draws imports this one
matplotlib.rcParams["text.parse_math"] = False


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def row_colour(niche: str) -> str:
    """The niche's colour; ink where a row is about all niches."""
    return niche_colour(int(niche)) if niche.isdigit() else INK
