"""Genes, proteins or cell types that the explorer can colour by: which, and their values."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semanticst.cohort.read_cohort import Cohort
from semanticst.describe.readings import LEAST_EFFECT
from semanticst.errors import BadInput, Problem
from semanticst.export.explorer.niche_tables import numbers, read_niche_table
from semanticst.export.explorer.quantise import MISSING, Levels, codes_of, levels_of

log = logging.getLogger(__name__)

MARKERS, NONE = "markers", "none"
PARAMETER = "--explorer_genes"
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

    choice : ``none`` or empty, or names, comma-separated, among which ``markers`` stands for the best of each niche in
    turn, 12 at most. Raises BadInput for names that the cohort does not have, too many, commas without any, or ``none``
    beside others.
    """
    words = [word.strip() for word in choice.split(",") if word.strip()]
    if words == [NONE] or not choice.strip():
        return []
    if not words:
        raise BadInput(Problem(PARAMETER, "holds no name; write none for no feature, or markers", value=choice))
    known = {str(feature): str(symbol) for feature, symbol in zip(cohort.features, cohort.symbols)}
    known |= {str(symbol): str(symbol) for symbol in cohort.symbols}
    called = protein_names(cohort)
    known = called | known | {f"{name} (protein)": shown for name, shown in called.items()}
    found: list[str] = []
    for word in words:
        if word == MARKERS and word not in known:
            if markers is None:
                log.warning("markers are not shown: no niche_markers.csv (--described) says which they are")
            found += best_markers(markers, known) if markers else []
        elif word in known:
            found.append(known[word])
        elif word == NONE:
            raise BadInput(Problem(PARAMETER, "none stands alone: leave it out, or the names beside it", value=choice))
        else:
            near = sorted(name for name in known if name.lower() == word.lower())
            hint = f", did you mean {near[0]}?" if near else "; give names of features as they are in niche_markers.csv"
            raise BadInput(Problem(PARAMETER, f"no sample has this feature{hint}", value=word))
    found = list(dict.fromkeys(found))
    if len(found) > MOST_FEATURES:
        raise BadInput(Problem(PARAMETER, f"names {len(found)} features, {MOST_FEATURES} are the most"))
    return found


def best_markers(path: Path, known: dict[str, str]) -> list[str]:
    """The best marker of each niche, then the second, and so on, of those that are higher inside, proteins too.

    Raises BadInput when it is not such a table.
    """
    table = read_niche_table(path, ("niche", "feature", "rank"), ("modality", *LEAST_EFFECT))
    effects = [numbers(table, name) for name in LEAST_EFFECT if name in table.columns]
    if not effects:
        raise BadInput(Problem(path, "this column must exist, or difference", table.header_line, "log2_fold_change"))
    higher = np.nanmax(np.column_stack(effects), axis=1, initial=-np.inf) > 0
    order = np.lexsort((numbers(table, "niche"), numbers(table, "rank")))
    rows = [table.rows[i] for i in order if higher[i]]
    names = [f"{row['feature']} (protein)" if row.get("modality") == "protein" else row["feature"] for row in rows]
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
