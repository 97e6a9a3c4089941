"""Figures of a contrast: forest of effects, patients as points or Kaplan-Meier curves, representative sections."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from semanticst.association.associate import Association
from semanticst.association.checks.arbitrary_cuts import has_arbitrary_cuts
from semanticst.association.output.composition_plot import composition
from semanticst.association.output.forest_plot import forest
from semanticst.association.output.kaplan_meier import survival_curves
from semanticst.association.output.patient_plot import patients
from semanticst.association.output.representative_sections import draw_representative_sections, strongest_niche
from semanticst.plotting.style import STYLE
from semanticst.wording import CUTS_IN_FIGURE
from semanticst.writing import atomic

DPI = 150


def draw_figures(result: Association, outdir: Path, stem: str, niches: Path | None = None) -> list[str]:
    """Write all figures of a contrast as ``{stem}_{name}.png`` (150 dpi) and ``.pdf``; returns their names.

    ``niches``: ``niches.csv.gz``, for maps of the patients with the most and the least of the strongest niche.
    """
    outcome = {"kaplan_meier": survival_curves} if result.contrast.type == "survival" else {"patients": patients}
    drawings: dict[str, Callable[[Association], Figure | None]] = {"forest": forest, **outcome}
    drawings["composition"] = composition
    if niches is not None and strongest_niche(result) is not None:
        drawings["representative_sections"] = partial(draw_representative_sections, niches=niches)
    # the date would make every PDF differ
    options: dict[str, dict[str, Any]] = {"png": {"dpi": DPI}, "pdf": {"metadata": {"CreationDate": None}}}
    drawn, cuts = [], has_arbitrary_cuts(result.table)
    with matplotlib.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = draw(result)
            if figure is None:
                continue
            if cuts:  # below, where no layout has its parts
                figure.text(0, -0.01, CUTS_IN_FIGURE, va="top", fontsize=9)
            drawn.append(name)
            for ending in options:
                with atomic(outdir / f"{stem}_{name}.{ending}") as unfinished:
                    figure.savefig(unfinished, bbox_inches="tight", facecolor="white", **options[ending])
    return drawn
