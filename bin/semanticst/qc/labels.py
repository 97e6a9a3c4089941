"""Labels and colours of reasons for removing a cell, in figures and tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    title: str
    colour: str


REASONS = {
    "empty": Reason("Zero counts", "#4B4B4B"),
    "min_counts": Reason("Few counts", "#D55E00"),
    "min_features": Reason("Few features", "#E69F00"),
    "max_mito": Reason("High mitochondrial fraction", "#CC79A7"),
    "max_control": Reason("High control fraction", "#8A3F6B"),
    "min_area": Reason("Small area", "#F0E442"),
    "max_area": Reason("Large area", "#8C6000"),
    "region": Reason("Excluded region", "#5D4037"),
    "dead": Reason("Dead region", "#0072B2"),
    "edge": Reason("Edge artefact", "#56B4E9"),
    "local": Reason("Local outlier", "#009E73"),
}
"""Thresholds, then spatial checks. Colours are told apart with any kind of colour vision (Okabe and Ito)."""


def title_of(reason: str, counts: bool) -> str:
    """Title of a reason; of other values than counts an empty cell has no signal."""
    return "No signal" if reason == "empty" and not counts else REASONS[reason].title


KEPT = "#D0D0D0"
"""Colour of a cell that nothing was found about."""
