"""Figures whose texts are looked for where they are drawn."""

import re

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from semanticst.plotting.niche_names import LONGEST
from semanticst.plotting.palette import named_niches
from semanticst.plotting.style import STYLE

WORDS = "Tumour-stroma border with many macrophages and T cells nearby"[:LONGEST]
NAMES = {1: WORDS, 2: "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION_TNFA_VIA_NFKB_SIGNAL"[:LONGEST], 3: "B cells"}


def texts_of(figure: Figure) -> dict[str, Bbox]:
    """What is drawn as text, with its place in pixels."""
    figure.draw(FigureCanvasAgg(figure).get_renderer())
    parts = [part for part in (figure, *figure.axes) if part.get_visible()]
    # numbers at an axis that are outside of what is shown exist and are not drawn
    texts = [text for part in parts for text in part.findobj(Text) if re.search("[A-Za-z]", text.get_text())]
    texts = [text for text in texts if text.get_visible()]
    shown = [text for text in texts if text.axes is None or text.axes.get_visible()]
    return {text.get_text(): text.get_window_extent() for text in shown}


def drawn(draw, result) -> Figure:
    with named_niches(NAMES), matplotlib.rc_context(STYLE):
        figure = draw(result)
        page = figure.bbox.padded(1)
        cut = [t for t, place in texts_of(figure).items() if not all(page.contains(*xy) for xy in place.corners())]
    assert not cut, cut
    return figure
