"""Custom content for the MultiQC report: one function for each kind of table or figure.

Every function writes ``{outdir}/{section.id}_mqc.json``, which MultiQC turns into a section of the report::

    section = Section("training", INTEGRATION, "Training", "The loss of the network over the epochs.")
    lines(outdir, section, {"loss": {1: 3.2, 2: 2.9}}, x="Epoch", y="Loss")

Everything that is shown may hold what a user called it, and is escaped here, except values of type `Html`: the
pipeline may emphasise its own words (`emphasised`). Sections of one part stand in the order that
``assets/multiqc_config.yml`` gives; those that it does not name (one per contrast) follow by title.
"""

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.mqc.packed_picture import picture_address
from semanticst.mqc.sections import (
    ASSOCIATION,
    INTEGRATION,
    METHODS,
    NICHES,
    PARTS,
    PLANTED,
    QC,
    SUMMARY,
    Column,
    Html,
    Part,
    Section,
    emphasised,
    escaped,
    markup,
    swatch,
)
from semanticst.writing import write_json

__all__ = [
    "ASSOCIATION", "INTEGRATION", "METHODS", "NICHES", "PARTS", "PLANTED", "QC", "SUMMARY", "Column", "Html", "Part",
    "Section", "bars", "boxes", "emphasised", "gallery", "general_stats", "heatmap", "image", "lines", "markup", "page",
    "swatch", "table", "text",
]  # fmt: skip


def table(
    outdir: Path, section: Section, frame: pd.DataFrame, columns: Mapping[str, Column], row_title: str = "Sample"
) -> Path:
    """Write a table. Row names are the index of ``frame``; columns that ``columns`` does not name are left out."""
    content = {
        "plot_type": "table",
        "pconfig": {"col1_header": markup(row_title), "no_violin": True, "sort_rows": False, "scale": False},
        "headers": {key: _header(column) for key, column in columns.items() if key in frame},
        "data": _rows(frame, columns),
    }
    return _write(outdir, section, content)


def general_stats(
    outdir: Path, id: str, frame: pd.DataFrame, columns: Mapping[str, Column], source: str, place: int
) -> Path:
    """Add columns to the table of samples at the top of the report.

    ``source`` names them in the column chooser; those with a lower ``place`` stand further left.
    """
    content = {
        "id": _anchor(id),
        "plot_type": "generalstats",
        "headers": {
            key: _header(column) | {"namespace": markup(source), "placement": place}
            for key, column in columns.items()
            if key in frame
        },
        "data": _rows(frame, columns),
    }
    path = Path(outdir) / f"{id}_mqc.json"
    write_json(path, content)
    return path


def bars(
    outdir: Path,
    section: Section,
    data: Mapping[str, Mapping[str, float]],
    y: str,
    colours: Mapping[str, str] | None = None,
    percent_first: bool = True,
) -> Path:
    """Write stacked bars, ``{bar: {piece: value}}``, with a switch between numbers and proportions."""
    pieces = dict.fromkeys(piece for values in data.values() for piece in values)
    content = {
        "plot_type": "bargraph",
        "pconfig": {
            # one axis for both sides of the switch; a % sign in it would stand at every tick, of numbers too
            "ylab": markup(f"{y} (number or per cent)"),
            "cpswitch_c_active": not percent_first,
            "sort_samples": False,
        },
        "categories": {markup(piece): {"name": _piece_name(piece)} | _colour(colours, piece) for piece in pieces},
        "data": {_row_name(bar): {markup(piece): n for piece, n in values.items()} for bar, values in data.items()},
    }
    return _write(outdir, section, content)


def lines(
    outdir: Path,
    section: Section,
    data: Mapping[str, Mapping[float, float]],
    x: str,
    y: str,
    colours: Mapping[str, str] | None = None,
    log_y: bool = False,
) -> Path:
    """Write lines, ``{line: {x: y}}``."""
    content = {
        "plot_type": "linegraph",
        "pconfig": {
            "title": markup(f"{y} by {x[:1].lower()}{x[1:]}"),
            "xlab": markup(x),
            "ylab": markup(y),
            "ylog": log_y,
            "colors": {_row_name(name): colour for name, colour in (colours or {}).items()},
            # MultiQC names lines on hover only, unless told; the names of many samples would crowd out the figure
            "showlegend": len(data) <= _LEGEND_LINES,
        },
        # pairs: the keys of a JSON object are text, and MultiQC would put 100 before 20
        "data": {_row_name(name): [[x, y] for x, y in points.items()] for name, points in data.items()},
    }
    return _write(outdir, section, content)


def boxes(
    outdir: Path, section: Section, data: Mapping[str, Mapping[str, Mapping[str, float]]], axes: Mapping[str, str]
) -> Path:
    """Write box plots, ``{button: {box: {min, q1, median, q3, max}}}``: one figure per button, a box per sample.

    ``axes`` names the axis of each button. The numbers are drawn as they are, and no cell has to be in the report.
    """
    labels = [{"name": markup(name), "xlab": markup(axes[name]), "ylab": markup(axes[name])} for name in data]
    figures = [{_row_name(box): values for box, values in of.items()} for of in data.values()]
    content = {
        "plot_type": "box",
        "pconfig": {"data_labels": labels, "xlab": labels[0]["xlab"], "sort_samples": False},
        "data": figures if len(figures) > 1 else figures[0],
    }
    return _write(outdir, section, content)


def heatmap(
    outdir: Path,
    section: Section,
    frame: pd.DataFrame,
    x: str,
    y: str,
    z: str,
    low: float | None = None,
    high: float | None = None,
    diverging: bool = False,
) -> Path:
    """Write a heatmap of ``frame`` (rows from top to bottom as given), blue-white-red around 0 when ``diverging``."""
    if diverging:
        values = np.abs(frame.to_numpy(dtype=float))
        largest = float(values[np.isfinite(values)].max(initial=0.0)) if high is None else high
        # values that are all alike, or none, have no range of colours of their own
        high = largest if np.isfinite(largest) and largest > 0 else 1.0
        low = -high
    stops = _BLUE_WHITE_RED if diverging else _WHITE_BLUE
    content = {
        "plot_type": "heatmap",
        "pconfig": {
            "title": markup(z),
            "xlab": markup(x),
            "ylab": markup(y),
            "zlab": markup(z),
            "min": low,
            "max": high,
            "colstops": stops,
            "square": False,
            "cluster_rows": False,
            "cluster_cols": False,
            "xcats_samples": False,
            "ycats_samples": False,
            "display_values": frame.size <= 200,
            "angled_xticks": frame.shape[1] > 12,
        },
        "xcats": [markup(name) for name in frame.columns],
        "ycats": [markup(name) for name in frame.index],
        "data": frame.to_numpy(dtype=float),
    }
    return _write(outdir, section, content)


def image(outdir: Path, section: Section, png: Path, alt: str) -> Path:
    """Write a PNG file into the report. ``alt`` says what it shows, for readers who cannot see it."""
    picture = f'<img style="max-width:100%" alt="{html.escape(alt)}" src="{picture_address(png)}" />'
    content = {"plot_type": "image", "data": f'<div class="mqc-custom-content-image">{picture}</div>'}
    return _write(outdir, section, content)


def gallery(outdir: Path, section: Section, pictures: Sequence[tuple[str, Path]]) -> Path:
    """Write PNG files side by side, each with its caption (which says what it shows)."""
    figures = []
    for caption, png in pictures:
        words = html.escape(caption)
        figures.append(
            f'<figure style="margin:0"><img style="width:100%" alt="{words}" src="{picture_address(png)}" />'
            f'<figcaption style="font-size:0.9em">{words}</figcaption></figure>'
        )
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:16px"
    content = {"plot_type": "html", "data": f'<div style="{grid}">{"".join(figures)}</div>'}
    return _write(outdir, section, content)


def page(outdir: Path, section: Section, blocks: Sequence[Html]) -> Path:
    """Write blocks of `semanticst.mqc.blocks` one below the other."""
    whole = "\n".join(block for block in blocks if block)
    return _write(outdir, section, {"plot_type": "html", "data": f'<div class="{section.id}">{whole}</div>'})


def text(outdir: Path, section: Section, paragraphs: str | Sequence[str]) -> Path:
    """Write paragraphs of text; those of type `Html` as they are."""
    if isinstance(paragraphs, str):
        paragraphs = [paragraphs]
    content = {"plot_type": "html", "data": "\n".join(f"<p>{markup(paragraph)}</p>" for paragraph in paragraphs)}
    return _write(outdir, section, content)


_LEGEND_LINES = 12
_LONGEST_PIECE, _MORE = 80, "\N{HORIZONTAL ELLIPSIS}"
_ENDS = re.compile(r"^\s+|\s+$")
_WHITE_BLUE = [[0, "#FFFFFF"], [0.5, "#6BAED6"], [1, "#08306B"]]
_BLUE_WHITE_RED = [[0, "#2166AC"], [0.25, "#92C5DE"], [0.5, "#F7F7F7"], [0.75, "#F4A582"], [1, "#B2182B"]]


def _write(outdir: Path, section: Section, content: dict) -> Path:
    anchor = _anchor(section.id)
    head = {
        "id": anchor,
        "parent_id": section.part.id,
        "parent_name": section.part.title,
        "parent_description": section.part.text,
        "section_name": markup(section.title),
        "description": markup(section.text),
        "helptext": markup(section.help),
    }
    if "pconfig" in content:
        # a title is asked for; without series_label MultiQC counts niches as "samples" under it
        common = {"id": f"{anchor}_plot", "title": markup(section.title), "series_label": False}
        content["pconfig"] = common | _given(content["pconfig"])
    path = Path(outdir) / f"{section.id}_mqc.json"
    write_json(path, head | content)
    return path


def _anchor(id: str) -> str:
    """Return the id as an HTML anchor; a dot in it would read as a class in MultiQC's selectors."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"-x{ord(found.group()):x}-", id)


def _header(column: Column) -> dict:
    per_cent = column.is_per_cent
    return _given(
        {
            "title": markup(column.title),
            "description": markup(column.text or column.title),
            "format": column.format.replace("%}", "f}") if per_cent and column.format else column.format,
            "suffix": " %" if per_cent else column.suffix or None,
            "scale": column.scale or False,
            "min": 100 * column.low if per_cent and column.low is not None else column.low,
            "max": 100 * column.high if per_cent and column.high is not None else column.high,
            "hidden": column.hidden,
        }
    )


def _given(settings: Mapping) -> dict:
    return {key: value for key, value in settings.items() if value is not None}


def _rows(frame: pd.DataFrame, columns: Mapping[str, Column]) -> dict[str, dict]:
    """Return ``{row: {column: value}}`` without missing values."""
    shown = [key for key in columns if key in frame]
    hundredths = {key: 100 * frame[key].astype(float) for key in shown if columns[key].is_per_cent}
    records = frame[shown].assign(**hundredths).to_dict("records")
    return {
        _row_name(name): {key: _escaped(value) for key, value in record.items() if not pd.isna(value)}
        for name, record in zip(frame.index, records)
    }


def _escaped(value):
    if not isinstance(value, str):
        return value
    # MultiQC takes a comma in any cell for a thousands separator and removes it
    return (value if isinstance(value, Html) else escaped(value)).replace(",", "&#44;")


def _row_name(name: object) -> str:
    """Return the name of a row, bar, line or box.

    MultiQC takes one with a slash for a path and keeps its end only, and takes spaces off the ends, so that rows whose
    names differ by them would be one, and such lines no report at all.
    """
    shown = _escaped(name if isinstance(name, str) else str(name))
    if isinstance(name, Html):
        return shown  # the ends of tags of the pipeline stay
    return _ENDS.sub(lambda ends: "".join(f"&#{ord(space)};" for space in ends[0]), shown.replace("/", "&#47;"))


def _piece_name(piece: str) -> str:
    """Return the name of a piece of bars; MultiQC breaks one that is longer, in the middle of ``&lt;`` too."""
    cut = piece
    while len(markup(cut)) > _LONGEST_PIECE:
        cut = f"{cut.removesuffix(_MORE)[:-1]}{_MORE}"
    return markup(cut)


def _colour(colours: Mapping[str, str] | None, piece: str) -> dict:
    return {"color": colours[piece]} if colours and piece in colours else {}
