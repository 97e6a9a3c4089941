"""Clusters of patients that the contrast differs between and not within: batches nested in it are the units then.

Patients of a batch share what the batch does to them, so that twenty patients of three batches say no more of a
difference between groups of batches than three numbers. The mean of each batch is compared, which is an exact answer
of the same kind as the mean of a patient's sections (Donner & Klar 2000, Cluster Randomization Trials, chapter 6).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.features.composition import Features


def cluster_means(design: Design, values: pd.DataFrame) -> pd.DataFrame:
    """Means of values (units x columns) over the units of each cluster, NaN left out; values where there is none."""
    if design.clusters is None:
        return values
    return values.groupby(design.clusters, sort=True).mean()


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
    means = Features(cluster_means(design, features.modelled), cluster_means(design, features.shown))
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
        if "model" in row:
            row["model"] = f"means of {row['n_patients']} patients over {len(means.modelled)} batches; {row['model']}"
    return rows


def _levels(row: dict, design: Design) -> list[tuple[str, str]]:
    """Names of the columns of a row, and the level that each counts."""
    if "n_reference" not in row:
        return []
    if row["comparison"].startswith("trend"):
        return [("reference", design.levels[0]), ("target", design.levels[-1])]
    pairs = [(low, high) for low in design.levels for high in design.levels if row["comparison"] == f"{high} vs {low}"]
    return [("reference", pairs[0][0]), ("target", pairs[0][1])] if pairs else []
