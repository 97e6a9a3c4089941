"""Sensitivity of a finding to how it was analysed: the same test under other choices, and in how many it holds.

Choices of the test itself (what is added to proportions, the reference, the scale, cell numbers, weights of sections)
and of the niches (every base clustering alone: another representation, other hops; other numbers of niches; components
before Harmony). What a run cannot say is listed with its reason.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.features.composition import (
    PSEUDO_SHARE,
    Features,
    centred_log_ratio,
    shares,
)
from semanticst.association.features.summed_units import Units
from semanticst.association.stats.cell_numbers import LOG_CELLS
from semanticst.association.stats.results import NOT_TESTABLE, OMNIBUS, PRIMARY
from semanticst.association.stats.sensitivity import LEVEL
from semanticst.constants import WITHOUT_HARMONY

PSEUDO_SHARES = (0.0001, 0.01)
"""Added to shares in place of ``PSEUDO_SHARE``."""
COLUMNS = (
    "niche",
    "comparison",
    "analysis",
    "effect",
    "effect_type",
    "ci_low",
    "ci_high",
    "p",
    "same_sign",
    "agrees",
    "note",
)
NO_HARMONY = (
    "not in this run: Harmony moved no cell (one batch, switched off, none apart), or niches are those of a model"
)
NO_NUMBERS = "not in this run: niches are those of a model"

Model = Callable[[Design, Features], list[dict]]


@dataclass(frozen=True)
class Material:
    """What the analyses are made of.

    ``unadjusted`` and ``design`` without and with what is adjusted for; cells per section and niche (``counts``), and
    the units whose cells are summed (``units``); the rows of the same tests under the niches of each base clustering
    (``base_clusterings``), under other numbers of niches (``numbers``) and of components that Harmony has not seen
    (``uncorrected``, None where there are none), numbered as the niches.
    """

    unadjusted: Design
    design: Design
    counts: pd.DataFrame
    units: Units
    base_clusterings: Mapping[str, list[dict]]
    numbers: Mapping[str, list[dict]]
    uncorrected: list[dict] | None = None

    @property
    def share(self) -> pd.DataFrame:
        """Share of each niche among the cells of a unit."""
        return shares(self.units.sum(self.counts))

    def features(self, values: pd.DataFrame) -> Features:
        """Values per unit and niche, as they are compared."""
        columns = pd.MultiIndex.from_tuples([("proportion", str(n)) for n in values], names=["feature", "niche"])
        values = values.set_axis(columns, axis=1)
        return self.units.compared(Features(values, values))


def sensitivity_table(rows: list[dict], material: Material, log_total: pd.Series, model: Model) -> pd.DataFrame:
    """One row per niche (primary rows about its share), comparison and analysis; ``COLUMNS``.

    ``agrees``: the effect has the same sign (an omnibus test has none) and p < 0.05. Also fills ``n_analyses`` and
    ``n_agree`` of ``rows``, which are changed in place. ``log_total`` is the log of the cells of each unit.
    """
    tested = [r for r in rows if r["feature"] == "proportion" and r["family"] == PRIMARY and "effect" in r]
    found = []
    for name, repeated, note in _analyses(material, log_total, model):
        others = {_key(r): r for r in repeated}
        found += [_one(row, name, others.get(_key(row), {}), note) for row in tested]
    table = pd.DataFrame(found, columns=list(COLUMNS))
    for row in tested:
        own = table[(table["niche"] == row["niche"]) & (table["comparison"] == row["comparison"])]
        agrees = own["agrees"].dropna()
        if len(agrees):
            row.update(n_analyses=len(agrees), n_agree=int(agrees.sum()))
    return table


def _analyses(material: Material, log_total: pd.Series, model: Model) -> Iterator[tuple[str, list[dict], str]]:
    """Name and rows of each analysis; no rows and the reason where it cannot be done."""
    design, unadjusted, share = material.design, material.unadjusted, material.share
    for pseudo in PSEUDO_SHARES:
        logs = centred_log_ratio(share, pseudo)
        yield f"{pseudo:g} added to proportions, not {PSEUDO_SHARE:g}", model(design, material.features(logs)), ""
    logs = centred_log_ratio(share)
    against_median = material.features(logs.sub(logs.median(axis=1), axis=0))
    yield "median niche as the reference", model(design, against_median), ""
    yield "arcsine of the square root of proportions", model(design, material.features(np.arcsin(np.sqrt(share)))), ""
    if LOG_CELLS in design.covariates and LOG_CELLS not in unadjusted.covariates:
        yield "not adjusted for log cells", model(unadjusted, material.features(logs)), ""
    elif np.ptp(log_total) > 1e-9:
        with_cells = unadjusted.covariates.assign(**{LOG_CELLS: log_total.reindex(unadjusted.units.index)})
        yield "adjusted for log cells", model(replace(unadjusted, covariates=with_cells), material.features(logs)), ""
    name = "sections of a patient count alike"
    unit = material.units.of
    if unit.duplicated().any():
        mean = shares(material.counts.loc[unit.index]).groupby(unit.to_numpy()).mean()
        yield name, model(design, material.features(centred_log_ratio(mean.reindex(material.units.index)))), ""
    else:
        yield name, [], "no sections of a patient are summed"
    for member, rows in material.base_clusterings.items():
        yield _base_clustering(member), rows, ""
    for number, rows in material.numbers.items():
        k, comma, how = number.partition(",")
        yield f"{k} niches{comma}{how}", rows, ""
    if not material.numbers:
        yield "other numbers of niches", [], NO_NUMBERS
    yield WITHOUT_HARMONY, material.uncorrected or [], "" if material.uncorrected else NO_HARMONY


def _base_clustering(member: str) -> str:
    """``profile3-10``, ``spread3-10`` and ``embedding-50`` in words."""
    around = re.fullmatch(r"(profile|spread)(\d+)-(\d+)", member)
    if around:
        what = "spread over " if around[1] == "spread" else ""
        return f"base clustering: {what}{around[2]} hops, {around[3]} components"
    embedding = re.fullmatch(r"embedding-(\d+)", member)
    return f"base clustering: embedding, {embedding[1]} components" if embedding else f"base clustering: {member}"


def _one(row: dict, name: str, other: dict, note: str) -> dict:
    said = {"niche": row["niche"], "comparison": row["comparison"], "analysis": name, "note": note}
    if "effect" not in other:
        reasons = [w for w in other.get("warnings", []) if w.startswith(NOT_TESTABLE)]
        return said | {"note": note or "; ".join(reasons) or "no counterpart"}
    same = None if row["comparison"] == OMNIBUS else bool(np.sign(other["effect"]) == np.sign(row["effect"]))
    values = {k: other.get(k, np.nan) for k in ("effect", "effect_type", "ci_low", "ci_high", "p")}
    return said | values | {"same_sign": same, "agrees": same is not False and bool(other["p"] < LEVEL)}


def _key(row: dict) -> tuple[str, str, str]:
    return row["feature"], row["niche"], row["comparison"]
