"""Genes, proteins or cell types that the explorer can colour by: which, and their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.errors import BadInput, Problem
from semanticst.export.explorer.quantise import MISSING, Levels, codes_of, levels_of

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
    kind: str
    """What it is: a feature type, or ``protein`` where proteins were measured beside genes."""
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
    called = protein_names(cohort)
    known = called | known | {f"{name} (protein)": shown for name, shown in called.items()}
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
    """The best marker of each niche, then the second, and so on, of those that are higher inside, proteins too."""
    table = pd.read_csv(path, dtype={"feature": str, "symbol": str, "modality": str}, keep_default_na=False)
    effects = [table[c].replace("", "nan").astype(float) for c in ("log2_fold_change", "difference") if c in table]
    higher = np.nanmax(np.column_stack(effects), axis=1, initial=-np.inf) > 0
    table = table[higher].sort_values(["rank", "niche"], kind="stable")
    protein = table["modality"].eq("protein") if "modality" in table else pd.Series(False, table.index)
    names = [f"{name} (protein)" if of_protein else name for name, of_protein in zip(table["feature"], protein)]
    return list(dict.fromkeys(known[name] for name in names if name in known))[:MOST_MARKERS]


def protein_names(cohort: Cohort) -> dict[str, str]:
    """What each protein is called: by its name, with what it is behind it where a gene is called the same."""
    genes = set(map(str, cohort.symbols))
    return {name: f"{name} (protein)" if name in genes else name for name in cohort.protein_names}


def read_features(cohort: Cohort, names: Sequence[str]) -> list[Feature]:
    """Values of the features in all cells, as codes."""
    if not names:
        return []
    own = [name for name in names if name in set(map(str, cohort.symbols))]
    features = _coded(cohort, own, own, str(cohort.feature_type), len(cohort.cells))
    proteins = cohort.proteins()
    if proteins is not None:
        called = {shown: name for name, shown in protein_names(cohort).items()}
        wanted = [name for name in names if name in called and name not in own]
        features += _coded(proteins, [called[name] for name in wanted], wanted, "protein", len(cohort.cells))
    return sorted(features, key=lambda feature: names.index(feature.name))


def _coded(cohort: Cohort, columns: Sequence[str], names: Sequence[str], kind: str, n_cells: int) -> list[Feature]:
    """Features of a modality; cells in which it was not measured have the code `MISSING`."""
    place = {str(symbol): i for i, symbol in reversed(list(enumerate(cohort.symbols)))}
    at = [place[name] for name in columns]
    values = np.empty((len(cohort.cells), len(at)), np.float32)
    for rows, block in cohort.blocks() if at else ():
        values[rows] = block[:, at].toarray()
    features = []
    for name, column in zip(names, values.T):
        levels = levels_of(column)
        above = column[column > levels.table[0]]
        high = float(np.quantile(above, COLOUR_QUANTILE)) if len(above) else float(levels.table[-1])
        codes = np.full(n_cells, MISSING, np.uint8)
        codes[slice(None) if cohort.file_rows is None else cohort.file_rows] = codes_of(column, levels)
        features.append(Feature(name, kind, levels, codes, high))
    return features
