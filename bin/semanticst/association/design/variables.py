"""The variable of a contrast: its levels, numbers, or time and event."""

import logging

import pandas as pd

from semanticst.association.design.tables import Contrast, numbers, require_column

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
        dropped.sections[reason] = dropped.sections.get(reason, 0) + len(sections) - len(kept)
    lost = set(sections["patient"]) - set(kept["patient"])
    if lost:
        dropped[reason] = dropped.get(reason, 0) + len(lost)
    return kept


def add_variables(
    contrast: Contrast, sections: pd.DataFrame, dropped: dict[str, int]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add ``value`` (or ``time`` and ``event``) to the sections; complete cases only."""
    if contrast.type == "survival":
        return _add_survival(contrast, sections, dropped), ()
    sections = sections.assign(value=sections[contrast.column])
    sections = keep(sections, sections["value"].notna(), f"no {contrast.column}", dropped)
    if contrast.type == "continuous":
        parsed = numbers(contrast, "column", contrast.column, sections["value"])
        return sections.assign(value=parsed), ()
    levels = _levels(contrast, sections["value"])
    inside = sections["value"].isin(levels)
    return keep(sections, inside, f"{contrast.column} is none of the levels compared", dropped), levels


def check_values(contrast: Contrast, sections: pd.DataFrame) -> None:
    """Check what the contrast names against all sections, those without cells included.

    Raises BadInput for an unknown column, for a level or event value that nobody has, and for levels without order.
    """
    if contrast.type == "survival":
        for name in ("time", "event"):
            require_column(contrast, name, getattr(contrast, name), sections)
        found = sorted(sections[contrast.event].dropna().unique())
        # a cohort without an event is legal: one value, and it is the other one
        if len(found) > 1 and contrast.event_value not in found:
            message = f"no patient has this value in '{contrast.event}'; values found: {', '.join(found)}"
            raise contrast.problem("event_value", message)
        return
    require_column(contrast, "column", contrast.column, sections)
    found = sorted(sections[contrast.column].dropna().unique())
    for name in ("reference", "target", "levels"):
        given = contrast.levels if name == "levels" else (getattr(contrast, name),)
        absent = [g for g in given if g and g not in found]
        if absent:
            message = f"'{absent[0]}' is no value of '{contrast.column}'; values found: {', '.join(found) or 'none'}"
            raise contrast.problem(name, message)
    if contrast.type == "ordered" and not contrast.levels and len(found) > 2:
        raise contrast.problem("levels", "an ordered contrast needs its levels from low to high, joined by ';'")


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


def _add_survival(contrast: Contrast, sections: pd.DataFrame, dropped: dict[str, int]) -> pd.DataFrame:
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
    return sections.assign(time=time, event=event)
