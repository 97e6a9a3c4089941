"""Interaction of a change with a group: changes within patients, compared between groups of patients.

Every patient has a change (after minus before; of several times the slope), and the groups are compared by it: the
interaction of a mixed model with two times, with the patient as the unit (Frison & Pocock 1992, Stat Med 11:1685).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design, build_design
from semanticst.association.design.tables import Contrast, require_column
from semanticst.association.design.variables import Dropped
from semanticst.association.features.composition import Features
from semanticst.association.stats.cell_numbers import Cells
from semanticst.association.stats.group_contrasts import slope_variable


@dataclass(frozen=True)
class CellChange(Cells):
    """Cells per unit of a contrast within patients, whose logarithms are asked for as changes of patients."""

    inner: Design | None = None

    @property
    def log_total(self) -> pd.Series:
        """Change of the log of the cells of each patient."""
        return self._change(super().log_total)

    def log_niche(self, niche: str) -> pd.Series:
        """Change of the log of each patient's cells in a niche."""
        return self._change(super().log_niche(niche))

    def _change(self, values: pd.Series) -> pd.Series:
        if self.inner is None:
            raise ValueError("a change needs the design within patients")
        return change(self.inner, values.to_frame()).iloc[:, 0].rename(values.name)


def change(inner: Design, values: pd.DataFrame) -> pd.DataFrame:
    """Slope of values (units x columns) on what is compared within patients, per patient; a difference of two values.

    NaN where a value is missing. Patients with one value only are left out.
    """
    x = pd.Series(slope_variable(inner), inner.units.index)
    slopes = {}
    for patient, units in inner.units.groupby("patient", sort=True):
        own = x[units.index] - x[units.index].mean()
        if len(units) > 1 and np.ptp(own) > 0:
            slopes[patient] = own.to_numpy() @ values.loc[units.index].to_numpy(float) / (own**2).sum()
    return pd.DataFrame.from_dict(slopes, orient="index", columns=values.columns)


def changes_of(inner: Design, outer: Design, features: Features) -> Features:
    """Changes of features per patient, for the units of ``outer``."""
    modelled, shown = (change(inner, v).reindex(outer.units.index) for v in (features.modelled, features.shown))
    return Features(modelled, shown, features.expected)


def design_of_changes(contrast: Contrast, inner: Design, sections: pd.DataFrame) -> Design:
    """Patients with a change, compared by the contrast's ``interaction``; ``contrast.change`` says what changes.

    Raises BadInput when nothing changes within patients, when more than two levels have no order, or when the groups
    differ within a patient.
    """
    require_column(contrast, "interaction", contrast.interaction, sections)
    if not inner.within_patient:
        message = f"'{contrast.column}' does not change within patients, and an interaction is of a change with a group"
        raise contrast.problem("interaction", message)
    if slope_variable(inner) is None:
        message = f"'{contrast.column}' has more than two values: give reference and target, or make it ordered"
        raise contrast.problem("interaction", message)
    several = inner.units.groupby("patient")["value"].nunique()
    with_change = inner.sections["patient"].isin(several.index[several > 1])
    if sections.loc[inner.sections.index].groupby("patient")[contrast.interaction].nunique().max() > 1:
        raise contrast.problem("interaction", f"'{contrast.interaction}' must be constant within a patient")
    asked = replace(
        contrast, type="groups", column=contrast.interaction, reference="", target="", levels=(), block="",
        change=_in_words(contrast, inner),
    )  # fmt: skip
    outer = build_design(asked, sections.loc[inner.sections.index[with_change]])
    dropped = Dropped()
    dropped.update(inner.dropped)
    dropped.sections.update(getattr(inner.dropped, "sections", {}))
    lost = several.index.difference(several.index[several > 1])
    if len(lost):
        reason = f"one value of {contrast.column} only"
        dropped[reason], dropped.sections[reason] = len(lost), int((~with_change).sum())
    for reason, n in outer.dropped.items():
        dropped[reason] = dropped.get(reason, 0) + n
    for reason, n in getattr(outer.dropped, "sections", {}).items():
        dropped.sections[reason] = dropped.sections.get(reason, 0) + n
    return replace(outer, dropped=dropped)


def _in_words(contrast: Contrast, inner: Design) -> str:
    if contrast.type == "continuous":
        return f"per SD of {contrast.column}"
    low, high = inner.levels[0], inner.levels[-1]
    return f"from {low} to {high}" if len(inner.levels) == 2 else f"per step from {low} to {high}"
