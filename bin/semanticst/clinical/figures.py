"""Figures of a contrast: forest of effects, patients as points or Kaplan-Meier curves."""

from pathlib import Path

import matplotlib

from semanticst.clinical.associate import Association
from semanticst.clinical.curves import survival_curves
from semanticst.clinical.drawing import STYLE
from semanticst.clinical.forest import forest
from semanticst.clinical.points import patients
from semanticst.writing import atomic

DPI = 150


def draw_figures(result: Association, outdir: Path, stem: str) -> list[str]:
    """Write all figures of a contrast as ``{stem}_{name}.png`` (150 dpi) and ``.pdf``; returns their names."""
    outcome = {"kaplan_meier": survival_curves} if result.contrast.type == "survival" else {"patients": patients}
    drawings = {"forest": forest, **outcome}
    # the date would make every PDF differ
    options = {"png": {"dpi": DPI}, "pdf": {"metadata": {"CreationDate": None}}}
    with matplotlib.rc_context(STYLE):
        for name, draw in drawings.items():
            figure = draw(result)
            for ending in options:
                with atomic(outdir / f"{stem}_{name}.{ending}") as partial:
                    figure.savefig(partial, bbox_inches="tight", facecolor="white", **options[ending])
    return list(drawings)
