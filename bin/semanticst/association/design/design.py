"""From a contrast's row to units that a model may compare.

The unit is the patient. Only where the variable differs between sections of a patient (before and after treatment,
primary and recurrence) a unit is the part of a patient that has one value of it, and the patient becomes the block.
"""

import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from semanticst.association.design.cautions import event_cautions, pooling_cautions
from semanticst.association.design.covariates import check_numbers, compared, covariate_matrix, is_category
from semanticst.association.design.subset import select
from semanticst.association.design.tables import NO_ROW, Contrast, contrast_columns, has_row
from semanticst.association.design.variables import (
    MIN_PER_GROUP,
    Dropped,
    check_columns,
    check_values,
    keep,
    own_variables,
    without_small_levels,
)
from semanticst.errors import BadInput, Problem

log = logging.getLogger(__name__)


@dataclass
class Design:
    """Units of a contrast and everything a model needs beside the features.

    Attributes
    ----------
    units
        One row per unit, sorted: ``patient``, and ``value`` (text level, or float64) or ``time`` and ``event`` (0/1).
    sections
        The sections in use, indexed by sample: ``patient``, ``value`` (or ``time`` and ``event``), ``unit``, and
        ``batch`` where the samplesheet has it; no other column of users, since that may have one of these names.
    levels
        Levels compared: reference first, or from low to high.
    within_patient
        True where several units belong to one patient.
    covariates
        float64, one row per unit; categories are 0/1 columns, the first level left out.
    known_covariates
        The same as text, one column per covariate.
    blocks
        int64 per unit: units are compared, and permuted, inside a block. All 0 without strata and block.
    clusters
        Name per unit of the batch (or site) whose means are compared in place of units; None where units are.
    cluster_name
        What the clusters are, in words.
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
    known_covariates: pd.DataFrame = field(default_factory=pd.DataFrame)
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    block_names: tuple[str, ...] = ()
    clusters: np.ndarray | None = None
    cluster_name: str = "batches"
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
    if problems := contrast_problems(contrast, sections):
        raise BadInput(problems)
    inside = select(contrast, sections)
    if usable is not None:
        sections, inside = keep(sections, usable, "too few cells", dropped), inside[usable]
    sections = keep(sections, has_row(contrast, sections), NO_ROW, dropped)
    sections = keep(sections, inside[sections.index], "outside the subset", dropped)
    notes = event_cautions(contrast, sections) if contrast.type == "survival" else []

    own, levels = own_variables(contrast, sections, dropped)
    extra = [*dict.fromkeys((*contrast.adjusted_columns, *contrast.strata, contrast.block))]
    extra = [c for c in extra if c and c != "patient"]
    for column in extra:
        own = keep(own, sections.loc[own.index, column].notna(), f"no {column}", dropped)
    if contrast.type == "groups" and len(levels) > 2:
        own, levels = without_small_levels(own, levels, dropped)
    within = _differs_within_patient(contrast, own)
    if not within and not contrast.change:
        named = contrast_columns(contrast) & set(sections.columns) - {"patient"}
        notes += pooling_cautions(contrast, sections.loc[own.index].drop(columns=[*named, "batch"], errors="ignore"))
    blocking = [c for c in dict.fromkeys((*contrast.strata, contrast.block)) if c and c != "patient"]
    unit = own["patient"]
    if within:
        parts = [own["value"].astype(str), *(sections.loc[own.index, column] for column in blocking)]
        unit = unit.str.cat(parts, sep=" | ")
    own = own.assign(unit=np.asarray(unit, dtype=object))
    known = sections.loc[own.index, extra]
    _require_constant(contrast, own, known)

    units = own.groupby("unit", sort=True).first()
    known = known.groupby(own["unit"], sort=True).first().rename_axis(index=None)
    blocks = _codes(known, blocking)
    if within:
        # a patient seen at one value tells of a difference between patients only, with all the noise of that
        keys = units[["patient", "value"]].assign(stratum=blocks)
        several = (keys.groupby(["patient", "stratum"])["value"].transform("nunique") > 1).to_numpy()
        if not several.any():  # inside strata nobody has: what is untestable about it is said below
            several = (keys.groupby("patient")["value"].transform("nunique") > 1).to_numpy()
        reason = f"one value of {contrast.column} only" + (f" in a {' and '.join(blocking)}" if blocking else "")
        kept = keep(own, own["unit"].isin(units.index[several]), reason, dropped)
        n_single = own["patient"].nunique() - kept["patient"].nunique()
        if n_single:
            notes.append(f"patients with one value only: {n_single}, not used")
        units, known, keys = units[several], known[several], keys[several]
        blocks = keys.groupby(["patient", "stratum"], sort=True).ngroup().to_numpy()
    adjusted = [c for c in dict.fromkeys(contrast.adjusted_columns) if c not in (*blocking, "patient")]
    if "batch" in sections:
        own = own.assign(batch=sections["batch"])
    design = without_uncompared(
        Design(
            contrast=contrast,
            units=units,
            sections=own[own["unit"].isin(units.index)],
            levels=levels,
            within_patient=within,
            known_covariates=known[adjusted],
            blocks=blocks,
            block_names=("patient", *blocking) if within else tuple(blocking),
            dropped=dropped,
        )
    )
    known = design.known_covariates
    notes += [f"covariate {c} is the same for all patients: not used" for c in known if known[c].nunique() < 2]
    design = replace(design, covariates=covariate_matrix(contrast, known), warnings=notes)
    if design.units.empty:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in dropped.items()) or "no section is left"
        design = replace(design, untestable=f"not testable: no patient enters this contrast ({reasons})")
    elif within and not _several_values(design):
        inside = " and ".join(design.block_names)
        untestable = f"not testable: nobody has several values of {contrast.column} inside {inside}"
        design = replace(design, untestable=untestable)
    for reason, n in design.dropped.items():
        log.info("%d patients left out: %s", n, reason)
    n_patients = design.units["patient"].nunique()
    log.info("%d units of %d patients, %d sections", len(design.units), n_patients, len(design.sections))
    return design


def contrast_problems(contrast: Contrast, sections: pd.DataFrame) -> list[Problem]:
    """What a contrast names and the sections do not have: columns, levels, events, values of its subset, numbers."""
    problems: list[Problem] = []
    for check in (check_columns, check_values, check_numbers, select):
        try:
            check(contrast, sections)
        except BadInput as bad:
            problems += [problem for problem in bad.problems if problem not in problems]
            if check is check_columns:
                break
    return problems


def without_uncompared(design: Design) -> Design:
    """The design without the patients that nobody can be compared with in their stratum or category of a covariate.

    They would be counted and carry no information on the contrast. Within patients, and of survival, nobody is left
    out by this; nor is anybody where nobody would be left: the test says then what determines the contrast.
    """
    known, contrast = design.known_covariates, design.contrast
    categories = [c for c in known if is_category(contrast, c, known[c]) and len(known[c].unique()) > 1]
    names = [*design.block_names, *categories]
    if design.within_patient or contrast.type == "survival" or not names or design.units.empty:
        return design
    labels = [design.blocks, *(known[c].to_numpy() for c in categories)]
    use = compared(design.units["value"].to_numpy(), labels)
    if use.all() or not use.any():
        return design
    units, known, levels = design.units[use], known[use], design.levels
    if contrast.type == "groups":
        levels = tuple(level for level in levels if (units["value"] == level).any())
    reason = f"nobody of another {contrast.column} in their {' or '.join(names)}"
    dropped = deepcopy(design.dropped)
    sections = keep(design.sections, design.sections["unit"].isin(units.index), reason, dropped)
    return replace(
        design,
        units=units,
        sections=sections,
        levels=levels,
        known_covariates=known,
        covariates=covariate_matrix(contrast, known),
        blocks=design.blocks[use],
        dropped=dropped,
    )


def _several_values(design: Design) -> bool:
    """Is there a block that has more than one value of the contrast?"""
    values_of_block = design.units["value"].groupby(design.blocks).nunique()
    return bool((values_of_block > 1).any())


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


def _require_constant(contrast: Contrast, own: pd.DataFrame, known: pd.DataFrame) -> None:
    for column in known:
        several = known[column].groupby(own["unit"]).nunique()
        if (several > 1).any():
            who = own.loc[own["unit"] == several.index[several > 1][0], "patient"].iloc[0]
            message = f"'{column}' must be constant within a patient and is not for {who}"
            adjusted = column in contrast.adjusted_columns
            name = "covariates" if adjusted else "strata" if column in contrast.strata else "block"
            raise contrast.problem(name, message, column)


def _codes(units: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    if not columns:
        return np.zeros(len(units), dtype=int)
    return units.groupby(list(columns), sort=True).ngroup().to_numpy()
