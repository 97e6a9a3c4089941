"""The variable of a contrast: its levels, numbers, or time and event."""

import logging

import numpy as np
import pandas as pd

from semanticst.association.design.region_parts import samples_of
from semanticst.association.design.tables import Contrast, conditions, no_such_value, numbers, require_column
from semanticst.errors import BadInput, Problem
from semanticst.tables.spellings import one_value

log = logging.getLogger(__name__)

MIN_PER_GROUP = 3
"""Patients below which a group is not compared."""


class Dropped(dict[str, int]):
    """Patients left out by reason; ``sections``: the sections that are, also of patients who stay."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: dict[str, int] = {}


def keep(sections: pd.DataFrame, wanted: pd.Series, reason: str, dropped: dict[str, int]) -> pd.DataFrame:
    """Keep the wanted sections (bool), and count under ``reason`` the patients of whom none is left."""
    kept = sections[wanted]
    if isinstance(dropped, Dropped) and len(kept) < len(sections):
        lost_sections = len(set(samples_of(sections.index)) - set(samples_of(kept.index)))
        dropped.sections[reason] = dropped.sections.get(reason, 0) + lost_sections
    lost = set(sections["patient"]) - set(kept["patient"])
    if lost:
        dropped[reason] = dropped.get(reason, 0) + len(lost)
    return kept


def own_variables(
    contrast: Contrast, sections: pd.DataFrame, dropped: dict[str, int]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """``patient`` and ``value`` (or ``time`` and ``event``) of the complete cases among the sections, and the levels.

    A frame of its own: columns of users may have these names as well.
    """
    if contrast.type == "survival":
        return _survival(contrast, sections, dropped), ()
    sections = keep(sections, sections[contrast.column].notna(), f"no {contrast.column}", dropped)
    values = sections[contrast.column]
    own = sections[["patient"]]
    if contrast.type == "continuous":
        return own.assign(value=numbers(contrast, "column", contrast.column, values)), ()
    levels = _levels(contrast, values)
    reason = f"{contrast.column} is none of the levels compared"
    return keep(own.assign(value=values), values.isin(levels), reason, dropped), levels


def check_columns(contrast: Contrast, sections: pd.DataFrame) -> None:
    """Raise BadInput, with all problems, unless the sections have every column that the contrast names."""
    named = [(name, getattr(contrast, name)) for name in ("column", "time", "event", "block", "interaction", "cluster")]
    named += [("covariates", column) for column in contrast.adjusted_columns]
    named += [("strata", column) for column in contrast.strata]
    named += [("subset", condition.column) for _, condition in conditions(contrast)]
    problems = []
    for name, column in named:
        if column:
            try:
                require_column(contrast, name, column, sections)
            except BadInput as bad:
                problems += bad.problems
    if problems:
        raise BadInput(problems)


def check_values(contrast: Contrast, sections: pd.DataFrame) -> None:
    """Check what the contrast names against all sections, those without cells included.

    Raises BadInput, with all problems, for levels or an event value that nobody has, for one value
    in several spellings, and for levels without order.
    """
    problems = [
        contrast.fault(field, spelling_message(column, same), column)
        for field, column in _compared_as_text(contrast)
        for same in one_value(sections[column].dropna())
    ]
    if contrast.type == "survival":
        found = sorted(sections[contrast.event].dropna().unique())
        # a cohort without an event is legal: one value, and it is the other one
        if len(found) > 1 and contrast.event_value not in found:
            problems.append(contrast.fault("event_value", no_such_value(contrast.event_value, contrast.event, found)))
    elif contrast.type != "continuous":
        problems += _absent_levels(contrast, sorted(sections[contrast.column].dropna().unique()))
    if problems:
        raise BadInput(problems)


def _absent_levels(contrast: Contrast, found: list[str]) -> list[Problem]:
    problems = []
    named = {contrast.reference, contrast.target, *contrast.levels}
    for name in ("reference", "target", "levels"):
        given = contrast.levels if name == "levels" else (getattr(contrast, name),)
        absent = [g for g in given if g and g not in found]
        if absent:
            problems.append(contrast.fault(name, no_such_value(absent[0], contrast.column, found, named)))
    if contrast.type == "ordered" and not contrast.levels and len(found) > 2:
        problems.append(
            contrast.fault("levels", "an ordered contrast needs its levels from low to high, joined by ';'")
        )
    return problems


def _compared_as_text(contrast: Contrast) -> list[tuple[str, str]]:
    """Fields and columns of the contrast whose values are compared as text."""
    named = [("column", contrast.column)] if contrast.type in ("groups", "ordered") else [("event", contrast.event)]
    named += [("covariates", column) for column in contrast.adjusted_columns]
    named += [
        (name, column)
        for name in ("strata", "block", "interaction", "cluster")
        for column in np.atleast_1d(getattr(contrast, name))
    ]
    return [(name, str(column)) for name, column in named if column and column != "patient"]


def spelling_message(column: str, same: list[str]) -> str:
    """One value in several spellings."""
    return (
        f"{', '.join(map(repr, same))} in '{column}' are probably one value; write them alike (or, if they "
        "are different, give one another name)"
    )


def _levels(contrast: Contrast, values: pd.Series) -> tuple[str, ...]:
    """Levels in the order of comparison: reference first (alphabetically first if not given), target last."""
    levels = list(contrast.levels)
    if not levels and contrast.reference and contrast.target:
        levels = [contrast.reference, contrast.target]
    levels = levels or sorted(values.unique())
    if contrast.type == "ordered":
        return tuple(levels)
    if contrast.reference:
        levels = [contrast.reference, *(x for x in levels if x != contrast.reference)]
    if contrast.target:
        levels = [*(x for x in levels if x != contrast.target), contrast.target]
    if not contrast.reference and not contrast.levels and levels:
        log.info("reference level of '%s' is '%s', the first in alphabetical order", contrast.column, levels[0])
    return tuple(levels)


def without_small_levels(
    sections: pd.DataFrame, levels: tuple[str, ...], dropped: dict[str, int]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Of many groups, compare those that are large enough, when these are at least two."""
    sizes = sections.groupby("value")["patient"].nunique()
    large = tuple(v for v in levels if sizes.get(v, 0) >= MIN_PER_GROUP)
    if len(large) < 2:
        return sections, levels
    for level in (v for v in levels if v not in large):
        reason = f"'{level}' has fewer than {MIN_PER_GROUP}"
        sections = keep(sections, sections["value"] != level, reason, dropped)
    return sections, large


def _survival(contrast: Contrast, sections: pd.DataFrame, dropped: dict[str, int]) -> pd.DataFrame:
    both = sections[contrast.time].notna() & sections[contrast.event].notna()
    sections = keep(sections, both, f"no {contrast.time} or {contrast.event}", dropped)
    time = numbers(contrast, "time", contrast.time, sections[contrast.time])
    if (time < 0).any():
        who = sections["patient"][time < 0].iloc[0]
        raise contrast.problem("time", f"patient {who} has a negative time")
    found = sorted(sections[contrast.event].unique())
    censored = ", ".join(v for v in found if v != contrast.event_value) or "none"
    log.info("event: %s == %s; censored: %s", contrast.event, contrast.event_value, censored)
    event = (sections[contrast.event] == contrast.event_value).astype(float)
    return sections[["patient"]].assign(time=time, event=event)


def null_residuals(time: np.ndarray, event: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Martingale residuals (n): events minus those expected by Nelson and Aalen inside strata."""
    expected = np.zeros(len(time))
    for i in np.flatnonzero(event):
        at_risk = (stratum == stratum[i]) & (time >= time[i])
        expected[at_risk] += 1 / at_risk.sum()
    return event - expected
