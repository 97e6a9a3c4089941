"""Clusters above the patient (sites, litters): patients of one may be alike, whatever they are compared for.

Where the contrast varies inside clusters, patients are compared (and permuted) inside them, and what they share
cancels. Where it does not, the cluster is what was sampled: means of clusters are compared (Donner & Klar 2000, Cluster
Randomization Trials, chapter 6), and fewer than three in a group say nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.design.tables import require_column
from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.association.features.composition import Features
from semanticst.association.stats.cell_numbers import Cells


@dataclass(frozen=True)
class ClusterCells(Cells):
    """Cells whose logarithms are asked for as means of clusters; ``of`` is the cluster of each unit of ``cells``."""

    cells: Cells | None = None
    of: pd.Series | None = None

    @property
    def log_total(self) -> pd.Series:
        """Mean of the log cells over the units of each cluster."""
        values = super().log_total if self.cells is None else self.cells.log_total
        return values.groupby(self.of).mean()

    def log_niche(self, niche: str) -> pd.Series:
        """Mean of the log cells of a niche over the units of each cluster."""
        values = super().log_niche(niche) if self.cells is None else self.cells.log_niche(niche)
        return values.groupby(self.of).mean()


def cluster_of_units(design: Design, sections: pd.DataFrame) -> pd.Series:
    """Cluster of each unit (text, by unit); a patient without one is a cluster alone.

    Raises BadInput when there is no such column, or a patient has several.
    """
    contrast = design.contrast
    require_column(contrast, "cluster", contrast.cluster, sections)
    values = sections.loc[design.sections.index, contrast.cluster]
    values = values.where(values.notna(), "patient " + design.sections["patient"])
    by_unit = values.groupby(design.sections["unit"])
    if by_unit.nunique().max() > 1:
        raise contrast.problem("cluster", f"'{contrast.cluster}' must be constant within a patient")
    return by_unit.first().reindex(design.units.index)


def account_for_clusters(design: Design, of: pd.Series) -> tuple[Design, bool]:
    """The design given the cluster of each unit, and whether its units are the clusters themselves now."""
    name, n = design.contrast.cluster, of.nunique()
    if n == len(of):
        return design, False
    if design.within_patient:
        return _noted(design, f"compared within patients, so what patients of one {name} share cancels"), False
    nested = "value" in design.units and design.contrast.type in ("groups", "ordered")
    nested = nested and design.units["value"].groupby(of).nunique().max() == 1
    if not nested:
        codes = pd.DataFrame({"block": design.blocks, "cluster": of.to_numpy()}).groupby(["block", "cluster"]).ngroup()
        inside = replace(design, blocks=codes.to_numpy(), block_names=(*design.block_names, name))
        return _noted(inside, f"patients are compared inside each {name} ({n})"), False
    sizes = of.groupby(design.units["value"].to_numpy()).nunique().reindex(list(design.levels), fill_value=0)
    text = " v ".join(map(str, sizes))
    if sizes.min() < MIN_PER_GROUP:
        one = f"every {name} has one {design.contrast.column}"
        reason = f"not testable: {one} ({text}), and {MIN_PER_GROUP} in each are needed"
        return replace(design, untestable=reason), False
    order = sorted(of.unique())
    first = design.units.groupby(of).first().loc[order].assign(patient=order)
    together = replace(
        design, units=first, covariates=design.covariates.groupby(of).mean().loc[order],
        blocks=np.zeros(len(order), int), block_names=(), clusters=None,
    )  # fmt: skip
    note = f"every {name} has one {design.contrast.column}: means of each {name} are compared ({text})"
    return _noted(together, note), True


def means_of_clusters(features: Features, of: pd.Series) -> Features:
    """Means over the units of each cluster."""
    return Features(features.modelled.groupby(of).mean(), features.shown.groupby(of).mean())


def _noted(design: Design, note: str) -> Design:
    return replace(design, warnings=[*design.warnings, note])
