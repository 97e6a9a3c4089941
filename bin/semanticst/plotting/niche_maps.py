"""Niche maps: where the niches lie in each section."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from semanticst.plotting.palette import niche_colour, niche_marker, niche_name
from semanticst.plotting.section_axes import bar_length, dot_diameter, draw_bar, extent, fit, save
from semanticst.plotting.thumbnail import draw_thumbnail
from semanticst.plotting.tissue_place import TissuePlace
from semanticst.threads import in_parallel
from semanticst.units import percent

log = logging.getLogger(__name__)

_RASTER_ABOVE = 50_000
"""Dots above which a PDF holds them as a picture, so that it stays small and opens quickly."""
_PANELS_PER_ROW = 4
_DOT_ON_TISSUE = 0.6
"""Diameter of a dot against one that touches its neighbours: tissue is seen between them, and colours stay true."""
_BELOW = 0.02
"""How far a picture goes on below the cells, of the longer side."""


@dataclass(frozen=True)
class SectionMap:
    """Cells of one section: positions (float64, n x 2) and niches (int, n)."""

    sample: str
    patient: str
    xy: np.ndarray
    niche: np.ndarray
    unit: str
    group: str = ""
    """Sections of different groups are shown in turn: the level of a contrast, event or censored."""
    note: str = ""
    """What a title says of the section beside sample and patient, where it is more than the group."""
    tissue: TissuePlace | None = None
    """A picture of the tissue, and where it lies."""

    @property
    def title(self) -> str:
        """Sample, patient where it is another word, and what is known of it."""
        words = [self.sample, "" if self.patient == self.sample else self.patient, self.note or self.group]
        return ", ".join(word for word in words if word)


def write_maps(sections: list[SectionMap], outdir: Path, threads: int = 1, caution: str = "") -> None:
    """Write ``{sample}.niches.png`` and ``.pdf`` of each section into ``outdir``, with ``caution`` below the title."""
    in_parallel(partial(write_map, outdir=Path(outdir), caution=caution), sections, threads, "niche maps")


def write_map(section: SectionMap, outdir: Path, caution: str = "") -> None:
    """Write the full-size map of one section as PNG (200 dots per inch) and PDF."""
    figure = section_figure(section, caution)
    for ending in ("png", "pdf"):
        save(figure, Path(outdir) / f"{section.sample}.niches.{ending}", dpi=200)


def section_figure(section: SectionMap, caution: str = "") -> Figure:
    """Draw one section with its legend, and ``caution`` below the title; the figure takes the section's shape."""
    width, height = extent(section.xy)
    longest = 6.5
    scale = longest / max(width, height)
    map_width, map_height = max(width * scale, 1.5), max(height * scale, 1.5)
    figure = Figure(figsize=(map_width + 2.2, map_height + 0.9))
    numbers, sizes = np.unique(section.niche, return_counts=True)
    labels = [f"{niche_name(k)} ({_part(share)})" for k, share in zip(numbers, sizes / sizes.sum())]
    figure.set_figwidth(map_width + max(2.2, 0.4 + _label_width(labels)))
    total_width, total_height = figure.get_size_inches()
    axes = figure.add_axes((0.2 / total_width, 0.45 / total_height, map_width / total_width, map_height / total_height))
    if section.tissue:
        # a scale bar would be lost on a dark picture
        draw_thumbnail(axes, section.tissue, section.xy[:, 1].max() + _BELOW * max(width, height))
    draw_section(axes, section, dot=_DOT_ON_TISSUE if section.tissue else 1.0)
    title = section.sample if section.sample == section.patient else f"{section.sample} (patient {section.patient})"
    figure.text(
        0.2 / total_width, 1 - 0.12 / total_height, title, va="top", fontsize=11, fontweight="bold", parse_math=False
    )
    if caution:
        figure.text(0.2 / total_width, 1 - 0.31 / total_height, caution, va="top", fontsize=8)
    _legend(
        figure,
        handles=_legend_dots(numbers, labels),
        loc="upper left",
        bbox_to_anchor=((map_width + 0.35) / total_width, 1 - 0.4 / total_height),
        frameon=False,
        fontsize=9,
    )
    return figure


def write_thumbnails(sections: list[SectionMap], niches: list[int], path: Path, caution: str = "") -> None:
    """Write one sheet (PNG) with a small map of each section, one scale for all bars if it fits, and one legend;
    ``caution`` stands above."""
    n_columns = min(_PANELS_PER_ROW, len(sections))
    panel, gap, head = 2.9, 0.15, 0.3
    rows = [sections[start : start + n_columns] for start in range(0, len(sections), n_columns)]
    # a row is as high as its highest section, whose width fills the panel
    row_heights = [panel * min(max(_shape(section) for section in row), 1.5) for row in rows]
    width = max(n_columns * panel, 4.2)
    names = [niche_name(k) for k in niches]
    width = max(width, _label_width(names))
    legend_columns = max(1, min(len(niches), int(width / _label_width(names))))
    foot = 0.25 + 0.24 * -(-len(niches) // legend_columns)
    above = 0.25 if caution else 0.0
    height = above + sum(row_heights) + len(rows) * head + foot
    figure = Figure(figsize=(width, height))
    length = _common_bar([extent(section.xy)[0] for section in sections])
    if caution:
        figure.text(gap / width, 1 - 0.1 / height, caution, va="top", fontsize=8.5)
    top = height - above
    for row, row_height in zip(rows, row_heights):
        for column, section in enumerate(row):
            left, bottom = column * panel + gap, top - head - row_height + gap
            axes = figure.add_axes(
                (left / width, bottom / height, (panel - 2 * gap) / width, (row_height - gap) / height)
            )
            figure.text(left / width, (top - 0.1) / height, _short(section.title, 34), va="top", fontsize=8.5,
                        parse_math=False)  # fmt: skip
            draw_section(axes, section, length, font_size=7)
        top -= head + row_height
    _legend(
        figure,
        handles=_legend_dots(niches, names),
        loc="lower center",
        ncols=legend_columns,
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
        columnspacing=1.0,
    )
    save(figure, path, dpi=150)


def choose_sections(sections: list[SectionMap], n: int) -> list[SectionMap]:
    """Choose ``n`` sections, groups in turn and within a group patients in turn, so that the sheet shows as many of
    both as it can; they stand in the order in which they were chosen where there are groups, else by sample."""
    turn_of_patient, turn_of_group = Counter[str](), Counter[str | None]()
    by_patient = []
    for place, section in enumerate(sections):
        turn_of_patient[section.patient] += 1
        by_patient.append((turn_of_patient[section.patient], place))
    ranked = []
    for turn, place in sorted(by_patient):
        group = sections[place].group
        turn_of_group[group] += 1
        ranked.append((turn_of_group[group] if group else turn, place))
    chosen = [place for _, place in sorted(ranked)[:n]]
    grouped = any(section.group for section in sections)
    return [sections[place] for place in (chosen if grouped else sorted(chosen))]


def draw_section(
    axes: Axes,
    section: SectionMap,
    bar: float | None = None,
    font_size: float = 8,
    colour: Callable[[int], str] = niche_colour,
    dot: float = 1.0,
) -> None:
    """Draw dots and a scale bar (``bar`` units long, else fitted); y grows downwards, as in the microscope's image.

    ``colour`` of a niche; ``dot``: diameter of a dot, 1 = it touches its neighbours.
    """
    points_per_unit = fit(axes, section.xy)
    diameter = dot * dot_diameter(section.xy, points_per_unit)
    for niche in np.unique(section.niche):
        x, y = section.xy[section.niche == niche].T
        axes.plot(
            x,
            y,
            linestyle="none",
            marker=niche_marker(int(niche)),
            markersize=diameter,
            markeredgewidth=0 if dot == 1 else 0.12 * diameter,
            markeredgecolor="white",
            color=colour(int(niche)),
            rasterized=len(section.xy) > _RASTER_ABOVE,
        )
    draw_bar(axes, section.xy, section.unit, bar, font_size)


def _part(share: float) -> str:
    """``18 %``, and ``< 1 %`` of what is there but would be rounded to nothing."""
    return percent(share) if share > 0.005 else "< 1 %"


def _shape(section: SectionMap) -> float:
    """Height of a section over its width, with the room for the scale bar."""
    width, height = extent(section.xy)
    border = 0.03 * max(width, height)
    return (height + 4 * border) / (width + 2 * border)


def _common_bar(widths: list[float]) -> float | None:
    """One bar length for sections of these widths, or None where it would be lost on the widest."""
    length = bar_length(min(widths))
    return length if length >= 0.06 * max(widths) else None


def _legend_dots(niches, labels: list[str]) -> list[Line2D]:
    return [
        Line2D(
            [], [], linestyle="none", marker=niche_marker(int(k)), markersize=8, color=niche_colour(int(k)), label=label
        )
        for k, label in zip(niches, labels)
    ]


def _label_width(labels: list[str]) -> float:
    """Inches of the longest label in a legend, with its dot."""
    return 0.3 + 0.072 * max(map(len, labels))


def _legend(figure: Figure, **settings) -> None:
    for text in figure.legend(**settings).get_texts():
        text.set_parse_math(False)  # names have signs of their own


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
