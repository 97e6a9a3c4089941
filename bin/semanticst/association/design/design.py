"""From a contrast's row to units that a model may compare.

The unit is the patient. Only where the variable differs between sections of a patient (before and after treatment,
primary and recurrence) a unit is the part of a patient that has one value of it, and the patient becomes the block.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from semanticst.association.design.subset import select
from semanticst.association.design.tables import Contrast, require_column
from semanticst.association.design.variables import (
    MIN_PER_GROUP,
    Dropped,
    add_variables,
    check_values,
    keep,
    without_small_levels,
)

log = logging.getLogger(__name__)

SINGLES, UNUSED = -1, -2
"""Blocks of patients with one unit only, in a contrast within patients: compared with each other, or left out."""


@dataclass
class Design:
    """Units of a contrast and everything a model needs beside the features.

    Attributes
    ----------
    units
        One row per unit, sorted: ``patient``, and ``value`` (text level, or float64) or ``time`` and ``event`` (0/1).
    sections
        The sections in use, indexed by sample, with the column ``unit``.
    levels
        Levels compared: reference first, or from low to high.
    within_patient
        True where several units belong to one patient.
    covariates
        float64, one row per unit; text columns are 0/1 columns, the first level left out.
    blocks
        int64 per unit: units are compared, and permuted, inside a block. All 0 without strata and block.
    dropped
        Patients left out, by reason.
    warnings
        What stands in every row of the table.
    untestable
        Why nothing of this contrast can be tested; empty when it can.
    """

    contrast: Contrast
    units: pd.DataFrame
    sections: pd.DataFrame
    levels: tuple[str, ...] = ()
    within_patient: bool = False
    covariates: pd.DataFrame = field(default_factory=pd.DataFrame)
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    block_names: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    untestable: str = ""

    @property
    def patients(self) -> np.ndarray:
        """Patient of each unit."""
        return self.units["patient"].to_numpy()


def build_design(contrast: Contrast, sections: pd.DataFrame, usable: pd.Series | None = None) -> Design:
    """Choose the sections, check the variables, and make the units.

    ``usable`` (bool per section) says which sections have enough cells: a level that only the others have is known,
    and is not tested. Raises BadInput for an unknown column, a level that nobody has, a value that is no number, and
    for a variable that contradicts itself within a patient (the patient is named).
    """
    dropped = Dropped()
    check_values(contrast, sections)
    inside = select(contrast, sections)
    if usable is not None:
        sections, inside = keep(sections, usable, "too few cells", dropped), inside[usable]
    sections = keep(sections, inside, "outside the subset", dropped)
    covariates, strata, block = contrast.covariates, contrast.strata, contrast.block
    for name, columns in {"covariates": covariates, "strata": strata, "block": (block,) if block else ()}.items():
        for column in columns:
            require_column(contrast, name, column, sections)

    sections, levels = add_variables(contrast, sections, dropped)
    extra = [c for c in dict.fromkeys((*covariates, *strata, block)) if c and c != "patient"]
    for column in extra:
        sections = keep(sections, sections[column].notna(), f"no {column}", dropped)

    if contrast.type == "groups" and len(levels) > 2:
        sections, levels = without_small_levels(sections, levels, dropped)
    within = _differs_within_patient(contrast, sections)
    unit = sections["patient"]
    if within:
        unit = sections["patient"] + " | " + sections["value"].astype(str)
    sections = sections.assign(unit=np.asarray(unit, dtype=object))
    _require_constant(contrast, sections, extra)

    value_columns = ["time", "event"] if contrast.type == "survival" else ["value"]
    units = sections.groupby("unit", sort=True)[list(dict.fromkeys(["patient", *value_columns, *extra]))].first()
    blocking = [c for c in dict.fromkeys((*strata, block)) if c and c != "patient"]
    blocks, notes = _codes(units, blocking), []
    if within:
        blocks = _patient_blocks(units, contrast.type == "continuous")
        n_single = int(len(set(units["patient"][blocks <= SINGLES])))
        if n_single:
            use = "compared with each other" if (blocks == SINGLES).any() else "not used"
            notes.append(f"patients with one value only: {n_single}, {use}")
        units, blocks = units[blocks != UNUSED], blocks[blocks != UNUSED]
    adjusted = [c for c in covariates if c not in blocking]
    constant = [c for c in adjusted if len(units[c].unique()) < 2]
    notes += [f"covariate {c} is the same for all patients: not used" for c in constant]
    design = Design(
        contrast=contrast,
        units=units,
        sections=sections[sections["unit"].isin(units.index)],
        levels=levels,
        within_patient=within,
        covariates=_covariate_matrix(units, [c for c in adjusted if c not in constant]),
        blocks=blocks,
        block_names=("patient",) if within else tuple(blocking),
        dropped=dropped,
        warnings=notes,
    )
    for reason, n in dropped.items():
        log.info("%d patients left out: %s", n, reason)
    n_patients = units["patient"].nunique()
    log.info("%d units of %d patients, %d sections", len(units), n_patients, len(design.sections))
    return design


def _differs_within_patient(contrast: Contrast, sections: pd.DataFrame) -> bool:
    """Is the variable one of sections? Said by ``block``, or seen in at least three patients.

    One or two patients with several values are taken for a typing error until the contrast says otherwise.
    """
    columns = ["time", "event"] if contrast.type == "survival" else ["value"]
    several = sections.groupby("patient")[columns].nunique().max(axis=1)
    contradicting = sorted(several.index[several > 1])
    if contrast.type != "survival" and contrast.block == "patient":
        return True
    if not contradicting:
        return False
    if contrast.type == "survival" or len(contradicting) < MIN_PER_GROUP:
        name = contrast.time if contrast.type == "survival" else contrast.column
        hint = (
            "" if contrast.type == "survival" else "; if sections of a patient are to be compared, set block to patient"
        )
        message = f"'{name}' must be constant within a patient and is not for {', '.join(contradicting)}{hint}"
        raise contrast.problem("time" if contrast.type == "survival" else "column", message)
    log.info("%d patients have sections of several values: compared within patients", len(contradicting))
    return True


def _require_constant(contrast: Contrast, sections: pd.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        several = sections.groupby("unit")[column].nunique()
        if (several > 1).any():
            who = sections.loc[sections["unit"] == several.index[several > 1][0], "patient"].iloc[0]
            message = f"'{column}' must be constant within a patient and is not for {who}"
            name = "covariates" if column in contrast.covariates else "strata" if column in contrast.strata else "block"
            raise contrast.problem(name, message)


def _covariate_matrix(units: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Numbers stay numbers, text becomes 0/1 columns without its first level."""
    parts = [pd.DataFrame(index=units.index)]
    for column in columns:
        parsed = pd.to_numeric(units[column], errors="coerce")
        if parsed.notna().all():
            parts.append(parsed.astype(float).rename(column).to_frame())
        else:
            parts.append(pd.get_dummies(units[column], prefix=column, drop_first=True, dtype=float))
    return pd.concat(parts, axis=1)


def _codes(units: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    if not columns:
        return np.zeros(len(units), dtype=int)
    return units.groupby(list(columns), sort=True).ngroup().to_numpy()


def _patient_blocks(units: pd.DataFrame, continuous: bool) -> np.ndarray:
    """Each patient with several values is a block, those with one value are one block together where that helps.

    So patients that were seen on one side only are used, as in a mixed model, and a permutation stays valid.
    """
    codes = units.groupby("patient", sort=True).ngroup().to_numpy()
    single = (units.groupby("patient")["value"].transform("size") == 1).to_numpy()
    values = units["value"][single]
    if continuous:
        enough = len(values) >= 2 * MIN_PER_GROUP and values.nunique() >= MIN_PER_GROUP
    else:
        enough = (values.value_counts() >= MIN_PER_GROUP).sum() >= 2
    return np.where(single, SINGLES if enough else UNUSED, codes)
