"""Sections of the report about integration: the map of cells, and how batches mix."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from semanticst.cohort.mixing import MOST_CELLS, NEIGHBOURS
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import INTEGRATION, Column, Html, Section
from semanticst.plotting.palette import niche_colour, niche_marker, niche_name
from semanticst.plotting.section_axes import save_small
from semanticst.plotting.style import FAINT, INK, STYLE, new_figure
from semanticst.units import percent

MOST_NAMED = 12
"""Values of a label that have a legend; niches have one, however many they are."""
MOST_BY_COLOUR = 8
"""Niches above which each has its number in the map."""
_WORDS = {"batch": "Batch", "patient": "Patient", "sample": "Sample", "cell_type": "Cell type"}
_MAPPED = ("niche", "batch", "patient")
_LEGEND_DOT = 4
"""How many times a cell."""
_STAGES = {"before": "before correction", "after": "after correction"}
FAR_BELOW, NEARLY_ALL = 0.5, 0.9
"""Of the mixing that composition allows: below the first cells still lie apart, from the second on they are mixed."""
_HOW_TO_READ = (
    f"Mixing reached = (LISI - 1) / (LISI <i>by composition</i> - 1): from {percent(NEARLY_ALL)} on batches mix as "
    f"their tissue allows, below {percent(FAR_BELOW)} is far below it. LISI is iLISI of batches, cLISI of cell types; "
    "cell types should lie apart, LISI near 1, and a correction should not change that."
)


def map_section(outdir: Path, table: pd.DataFrame, n_cells: int, corrected: bool = False) -> None:
    """Draw ``integration_map.png`` and its section. table : as `mixing.map_of_cells` returns it. corrected : whether
    there was a batch correction, also where it moved none of the cells."""
    stages = _stages_of(table)
    png = outdir / "integration_map.png"
    with matplotlib.rc_context(STYLE):
        save_small(map_figure(table), png, 110, [niche_colour(k) for k in range(1, 21)])
    shown = "All cells" if len(table) == n_cells else f"{len(table):,} of {n_cells:,} cells, drawn at random"
    second = (
        "The upper row is before the batch correction, the lower one after it: kinds of cells should stay apart, "
        "batches mix. "
        if len(stages) > 1
        else "The batch correction moved none of them. "
        if corrected
        else "There was no batch correction. "
    )
    text = multiqc.emphasised(
        f"{shown}, placed by what they express (t-SNE of the components). {second}Patients that lie apart where their "
        "batches do may be biology as well: the table below says what composition alone leads to. Distances between "
        "groups, and how large they are drawn, mean nothing. Coordinates: "
        "<code>integration/integration_map.csv.gz</code>."
    )
    section = Section("integration_map", INTEGRATION, "Map of the cells", text)
    multiqc.image(outdir, section, png, "t-SNE of cells by niche, batch and patient")


def _stages_of(table: pd.DataFrame) -> list[str]:
    return [stage for stage in _STAGES if f"{stage}_1" in table]


def map_figure(table: pd.DataFrame) -> Figure:
    """Cells by niche, batch and patient (columns) at each stage (rows). table : as `mixing.map_of_cells` returns it."""
    stages = _stages_of(table)
    rows = max(0, -(-table["niche"].nunique() // 3) - 4)  # of the legend, above those of MOST_NAMED
    figure = new_figure(3.4 * len(_MAPPED), 3.4 * len(stages) + 0.6 + 0.18 * rows)
    axes = figure.subplots(len(stages), len(_MAPPED), squeeze=False)
    for row, stage in zip(axes, stages):
        for ax, label in zip(row, _MAPPED):
            named = _draw(ax, table, stage, label)
            word, n = _WORDS.get(label, "Niche"), len(table[label].unique())
            # more values than can be named share colours
            word = word if named or n == 1 else f"{word} ({n})"
            ax.set_title(f"{word}, {_STAGES[stage]}" if len(stages) > 1 else word, loc="left")
            if stage == stages[-1] and named:
                ax.legend(
                    loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, fontsize=8, markerscale=_LEGEND_DOT,
                    handletextpad=0.2, columnspacing=0.8,
                )  # fmt: skip
    return figure


def _draw(ax: Axes, table: pd.DataFrame, stage: str, label: str) -> bool:
    """Draw the cells in the colours of a label; whether its values can be named in a legend."""
    values = sorted(
        table[label].unique(), key=(lambda v: (int(v), "")) if label == "niche" else (lambda v: (0, str(v)))
    )
    named = 1 < len(values) <= MOST_NAMED or (label == "niche" and len(values) > 1)
    size = max(0.4, min(4, 20_000 / max(len(table), 1)))
    # at random order no label lies over all others
    order = table.sample(frac=1, random_state=0)
    colour = {value: niche_colour(int(value) if label == "niche" else k + 1) for k, value in enumerate(values)}
    marker = {value: niche_marker(int(value)) if label == "niche" else "o" for value in values}
    for shape, cells in order.groupby(order[label].map(marker), sort=False):
        x, y = cells[f"{stage}_1"], cells[f"{stage}_2"]
        ax.scatter(x, y, s=size, c=cells[label].map(colour), marker=str(shape), linewidths=0)
    if label == "niche" and len(values) > MOST_BY_COLOUR:
        _number(ax, table, stage)
    if named:
        for value in values:
            name = niche_name(int(value)) if label == "niche" else str(value)
            ax.scatter(
                [],
                [],
                s=size,
                color=colour[value],
                marker=marker[value],
                label=name if len(name) < 20 else f"{name[:19]}\N{HORIZONTAL ELLIPSIS}",
            )
    ax.set_xticks([])
    ax.set_yticks([])
    # groups of cells at the edge of one map would seem to be of the next one
    ax.margins(0.05)
    ax.spines[:].set(visible=True, color=FAINT, linewidth=0.6)
    return named


def _number(ax: Axes, table: pd.DataFrame, stage: str) -> None:
    """The number of each niche at the cell of it that is nearest to the middle (median) of its cells."""
    for niche, cells in table.groupby("niche"):
        xy = cells[[f"{stage}_1", f"{stage}_2"]].to_numpy()
        x, y = xy[np.argmin(((xy - np.median(xy, axis=0)) ** 2).sum(axis=1))]
        ax.text(x, y, str(niche), fontsize=7, ha="center", va="center", color=INK,
                path_effects=[withStroke(linewidth=2.5, foreground="white")])  # fmt: skip


def mixing_section(outdir: Path, table: pd.DataFrame, corrected: bool = False) -> None:
    """Write the table of mixing. table : as `mixing.mixing` returns it. corrected : as for `map_section`."""
    if table.empty:
        return
    several = len(table["stage"].unique()) > 1
    names = [f"{_WORDS[row.label]}{f', {_STAGES[row.stage]}' if several else ''}" for row in table.itertuples()]
    order = sorted(range(len(table)), key=lambda i: (list(_WORDS).index(table["label"].iloc[i]), i))
    shown = table.set_index(pd.Index(names)).iloc[order]
    columns = {
        "n_values": Column("Values", "Batches, patients, samples or cell types", "{:,d}"),
        "lisi": Column(
            "LISI", "Effective number of them among the neighbours of a cell (about 90 count): 1 = all alike", "{:.2f}"
        ),
        "lisi_expected": Column("LISI by composition", "The same, shuffled among the cells of each niche", "{:.2f}"),
        "reached": Column(
            "Mixing reached", "(LISI - 1) / (LISI by composition - 1): 100 % = as composition allows", "{:.0%}"
        ),
        "other": Column("Edges across", f"Of the {NEIGHBOURS} nearest cells, those with another value", "{:.0%}"),
        "other_expected": Column(
            "Edges across, by composition", "The same, shuffled among the cells of each niche", "{:.0%}"
        ),
    }
    text = Html(f"{multiqc.markup(mixing_sentence(table, corrected))} {multiqc.emphasised(_HOW_TO_READ)}")
    help = (
        f"On {MOST_CELLS:,} cells at most, in the components that niches are made of. The "
        "expectation keeps how many cells of each batch a niche has. Niches come from these components: what a batch "
        "has alone may have become a niche of its own, and then counts as composition. Edges across look mixed where "
        "the cells of one batch lie densely and are the nearest of all others; LISI does not, so it decides."
    )
    section = Section("integration_mixing", INTEGRATION, "Mixing of batches", text, help)
    multiqc.table(outdir, section, shown, columns, "Label")


def mixing_sentence(table: pd.DataFrame, corrected: bool = False) -> str:
    """Whether batches mix as composition allows, in words with numbers; patients, or samples, where there is one batch.

    table : as `mixing.mixing` returns it. corrected : as for `map_section`.
    """
    label = next((name for name in ("batch", "patient", "sample") if (table["label"] == name).any()), None)
    if label is None:
        return "There is one sample, so nothing can mix."
    rows = table[table["label"] == label].set_index("stage")
    row = rows.loc["after" if "after" in rows.index else "before"]
    many = {"batch": "batches", "patient": "patients", "sample": "samples"}[label]
    head = "" if label == "batch" else "There is one batch. "
    if not np.isfinite(row["reached"]):
        return f"{head}Each niche is of one {label} alone: composition leaves nothing that could mix."
    # the number that is shown decides, so that word and number agree
    share = round(row["reached"], 2)
    word = "as" if share >= NEARLY_ALL else "less than" if share >= FAR_BELOW else "far less than"
    beyond = " They still lie apart: a niche may be of some of them rather than of tissue." if share < FAR_BELOW else ""
    before = ""
    if len(rows) > 1 and np.isfinite(rows.loc["before", "reached"]):
        before = f"; before the correction {percent(rows.loc['before', 'reached'])}"
    numbers = (
        f"LISI {row['lisi']:.2f} of {row['n_values']:.0f} {many}, {row['lisi_expected']:.2f} by composition, which "
        f"is {percent(share)} of what could be reached{before}"
    )
    unmoved = "After the correction, which moved none of these cells," if corrected else "Without a batch correction"
    stage = "After the correction" if len(rows) > 1 else unmoved
    return f"{head}{stage} {many} mix {word} composition allows ({numbers}).{beyond}"
