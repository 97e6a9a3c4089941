"""Genes, proteins or cell types that the explorer can colour by: which, and their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.errors import BadInput, Problem
from semanticst.export.explorer.quantise import Levels, codes_of, levels_of

MARKERS, NONE = "markers", "none"
MOST_MARKERS = 12
MOST_FEATURES = 200
"""Each costs up to a byte a cell."""
COLOUR_QUANTILE = 0.99
"""Of the values above the lowest: where the colours end."""


@dataclass(frozen=True)
class Feature:
    """A feature with the codes of all cells of the cohort."""

    name: str
    levels: Levels
    codes: np.ndarray
    """uint8, n_cells, in the order of the cohort."""
    high: float
    """Where the colours end."""


def wanted_features(cohort: Cohort, markers: Path | None, choice: str) -> list[str]:
    """Names (as a reader calls them) of the features to show.

    choice : ``none``, or names, comma-separated, among which ``markers`` stands for the best of each niche in turn,
    12 at most. Raises BadInput for names that the cohort does not have, or too many.
    """
    words = [word.strip() for word in choice.split(",") if word.strip()]
    if words == [NONE]:
        return []
    known = {str(feature): str(symbol) for feature, symbol in zip(cohort.features, cohort.symbols)}
    known |= {str(symbol): str(symbol) for symbol in cohort.symbols}
    found: list[str] = []
    for word in words:
        if word == MARKERS and word not in known:
            found += best_markers(markers, known) if markers else []
        elif word in known:
            found.append(known[word])
        else:
            near = sorted(name for name in known if name.lower() == word.lower())
            hint = f", did you mean {near[0]}?" if near else "; give names of features as they are in niche_markers.csv"
            raise BadInput(Problem("--explorer_genes", f"no sample has this feature{hint}", value=word))
    found = list(dict.fromkeys(found))
    if len(found) > MOST_FEATURES:
        raise BadInput(Problem("--explorer_genes", f"names {len(found)} features, {MOST_FEATURES} are the most"))
    return found


def best_markers(path: Path, known: dict[str, str]) -> list[str]:
    """The best marker of each niche, then the second, and so on, of those that are higher inside."""
    table = pd.read_csv(path, dtype={"feature": str, "symbol": str}, keep_default_na=False)
    effect = "log2_fold_change" if "log2_fold_change" in table else "difference"
    table = table[pd.to_numeric(table[effect]) > 0].sort_values(["rank", "niche"], kind="stable")
    names = [known[name] for name in table["feature"] if name in known]
    return list(dict.fromkeys(names))[:MOST_MARKERS]


def read_features(cohort: Cohort, names: Sequence[str]) -> list[Feature]:
    """Values of the features in all cells, as codes."""
    if not names:
        return []
    place = {str(symbol): i for i, symbol in reversed(list(enumerate(cohort.symbols)))}
    columns = [place[name] for name in names]
    values = np.empty((len(cohort.cells), len(columns)), np.float32)
    for rows, block in cohort.blocks():
        values[rows] = block[:, columns].toarray()
    features = []
    for name, column in zip(names, values.T):
        levels = levels_of(column)
        above = column[column > levels.table[0]]
        high = float(np.quantile(above, COLOUR_QUANTILE)) if len(above) else float(levels.table[-1])
        features.append(Feature(name, levels, codes_of(column, levels), high))
    return features
