"""Clusters of patients: batches, sites, litters, of which patients may be alike whatever they are compared for.

Where the contrast varies inside clusters, patients are compared (and permuted) inside them, and what they share
cancels. Where it does not, the cluster is what was sampled: twenty patients of three batches say no more of a
difference between groups of batches than three numbers. The mean of each cluster is compared then, which is an exact
answer of the same kind as the mean of a patient's sections (Donner & Klar 2000, Cluster Randomization Trials, chapter
6), and fewer than three in a group say nothing.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.design.tables import require_column
from semanticst.association.design.variables import MIN_PER_GROUP
from semanticst.association.features.composition import Features

BY_PATIENT = ("hedges_g", "p_rank")
"""Columns of a row that speak of patients, not of means over several."""


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


def account_for_clusters(design: Design, of: pd.Series) -> Design:
    """The design given the cluster of each unit: compared inside clusters, or by their means (``Design.clusters``)."""
    name, n = design.contrast.cluster, of.nunique()
    if n == len(of):
        return _noted(design, f"every {name} has one patient: as clusters they change nothing")
    if design.within_patient:
        return _noted(design, f"compared within patients, so what patients of one {name} share cancels")
    nested = "value" in design.units and design.contrast.type in ("groups", "ordered")
    nested = nested and design.units["value"].groupby(of).nunique().max() == 1
    if not nested:
        codes = pd.DataFrame({"block": design.blocks, "cluster": of.to_numpy()}).groupby(["block", "cluster"]).ngroup()
        inside = replace(design, blocks=codes.to_numpy(), block_names=(*design.block_names, name))
        return _noted(inside, f"patients are compared inside each {name} ({n})")
    sizes = of.groupby(design.units["value"].to_numpy()).nunique().reindex(list(design.levels), fill_value=0)
    text = " v ".join(map(str, sizes))
    if sizes.min() < MIN_PER_GROUP:
        one = f"every {name} has one {design.contrast.column}"
        reason = f"not testable: {one} ({text}), and {MIN_PER_GROUP} in each are needed"
        return replace(design, untestable=reason)
    note = f"every {name} has one {design.contrast.column}: means of each {name} are compared ({text})"
    return _noted(replace(design, clusters=of.to_numpy(), cluster_name=f"values of {name}"), note)


def _noted(design: Design, note: str) -> Design:
    return replace(design, warnings=[*design.warnings, note])


def cluster_means(design: Design, values: pd.DataFrame) -> pd.DataFrame:
    """Means of values (units x columns) over the units of each cluster, NaN left out; values where there is none."""
    if design.clusters is None:
        return values
    return values.groupby(design.clusters, sort=True).mean()


def means_of_features(design: Design, features: Features) -> Features:
    """``cluster_means`` of both tables."""
    return Features(cluster_means(design, features.modelled), cluster_means(design, features.shown))


def of_clusters(design: Design) -> Design:
    """The design with a unit per cluster; the same where there are none. Blocks that cut clusters are left out."""
    if design.clusters is None:
        return design
    first = ~pd.Series(design.clusters).duplicated().to_numpy()
    names, index = np.unique(design.clusters, return_index=True)
    whole = (pd.Series(design.blocks).groupby(design.clusters).nunique().max() or 0) < 2
    keep_blocks = whole and not design.within_patient
    return replace(
        design,
        units=design.units[first].set_axis(design.clusters[first]).loc[names].assign(patient=names),
        covariates=cluster_means(design, design.covariates),
        blocks=design.blocks[index] if keep_blocks else np.zeros(len(names), int),
        block_names=design.block_names if keep_blocks else (),
        within_patient=False,
        clusters=None,
    )


def compare_clusters(design: Design, features: Features, model: Callable[[Design, Features], list[dict]]) -> list[dict]:
    """Rows of ``model`` over the means of clusters, with patients counted as patients; plain ``model`` without any."""
    if design.clusters is None:
        return model(design, features)
    means = means_of_features(design, features)
    rows = model(of_clusters(design), means)
    values = design.units.get("value", pd.Series(dtype=object)).to_numpy()
    for row in rows:
        defined = features.modelled[row["feature"], row["niche"]].notna().to_numpy()
        for name, level in _levels(row, design):
            row[f"n_{name}"] = len(np.unique(design.patients[defined & (values == level)]))
        if "n_reference" in row and row["family"] == "pairwise":
            row["n_patients"] = row["n_reference"] + row["n_target"]
        else:
            row["n_patients"] = len(np.unique(design.patients[defined]))
        # Hedges' g and rank tests of means of clusters would be read as those of patients
        row.update({name: np.nan for name in BY_PATIENT if name in row})
        if "model" in row:
            averaged = f"means of {row['n_patients']} patients over {len(means.modelled)} {design.cluster_name}"
            row["model"] = f"{averaged}; {row['model']}"
    return rows


def _levels(row: dict, design: Design) -> list[tuple[str, str]]:
    """Names of the columns of a row, and the level that each counts."""
    if "n_reference" not in row:
        return []
    if row["comparison"].startswith("trend"):
        return [("reference", design.levels[0]), ("target", design.levels[-1])]
    pairs = [(low, high) for low in design.levels for high in design.levels if row["comparison"] == f"{high} vs {low}"]
    return [("reference", pairs[0][0]), ("target", pairs[0][1])] if pairs else []
