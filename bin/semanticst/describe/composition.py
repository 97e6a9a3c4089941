"""Sizes of niches, their cell types, and the attention to contexts in them."""

import numpy as np
import pandas as pd

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import Obs


def niche_counts(cohort: Cohort) -> pd.DataFrame:
    """Count the cells of every niche in every sample, zeros included.

    Returns columns sample, patient, niche, n_cells, n_cells_sample, sorted by sample and niche.
    """
    counts = pd.crosstab(cohort.cells[Obs.SAMPLE], cohort.cells[Obs.NICHE])
    counts = counts.reindex(index=cohort.samples[Obs.SAMPLE], columns=cohort.niches, fill_value=0)
    n_samples, n_niches = counts.shape
    return pd.DataFrame(
        {
            "sample": np.repeat(cohort.samples[Obs.SAMPLE].to_numpy(), n_niches),
            "patient": np.repeat(cohort.samples[Obs.PATIENT].to_numpy(), n_niches),
            "niche": np.tile(cohort.niches, n_samples),
            "n_cells": counts.to_numpy().ravel(),
            "n_cells_sample": np.repeat(cohort.samples["n_cells"].to_numpy(), n_niches),
        }
    )


def niche_regions(cohort: Cohort) -> pd.DataFrame | None:
    """Count the cells of every niche in every annotated region of every sample, zeros included; None without regions.

    Returns columns sample, patient, annotated_region, niche, n_cells; cells in no region are in no row.
    """
    if Obs.ANNOTATION not in cohort.cells or not (cohort.cells[Obs.ANNOTATION] != "").any():
        return None
    inside = cohort.cells[cohort.cells[Obs.ANNOTATION] != ""]
    counts = pd.crosstab([inside[Obs.SAMPLE], inside[Obs.PATIENT], inside[Obs.ANNOTATION]], inside[Obs.NICHE])
    counts = counts.reindex(columns=pd.Index(cohort.niches, name="niche"), fill_value=0)
    counts.index.names = names = ["sample", "patient", Obs.ANNOTATION.value]
    return counts.reset_index().melt(names, value_name="n_cells").sort_values([*names, "niche"], ignore_index=True)


def niche_cell_types(cohort: Cohort) -> pd.DataFrame | None:
    """Share of each cell type in each niche, or None where the input names no cell types.

    Returns columns niche, cell_type, n_cells, share (of the niche), share_all (of all cells), sorted by niche and
    falling share.
    """
    if Obs.CELL_TYPE not in cohort.cells:
        return None
    counts = pd.crosstab(cohort.cells[Obs.NICHE], cohort.cells[Obs.CELL_TYPE])
    table = counts.reset_index().melt("niche", var_name="cell_type", value_name="n_cells")
    table["share"] = table["n_cells"] / table.groupby("niche")["n_cells"].transform("sum")
    table["share_all"] = table["cell_type"].map(counts.sum() / counts.to_numpy().sum())
    return table.sort_values(["niche", "share", "cell_type"], ascending=[True, False, True], ignore_index=True)


def sample_cell_types(cohort: Cohort) -> pd.DataFrame | None:
    """Cells of each type in each niche of each sample, or None where the input names no cell types.

    Returns columns sample, patient, niche, cell_type, n_cells; what does not occur has no row.
    """
    if Obs.CELL_TYPE not in cohort.cells:
        return None
    keys = [Obs.SAMPLE, Obs.PATIENT, Obs.NICHE, Obs.CELL_TYPE]
    counts = cohort.cells.groupby(keys, as_index=False, observed=True).size()
    return counts.set_axis(["sample", "patient", "niche", "cell_type", "n_cells"], axis=1)


def niche_scores(cohort: Cohort) -> pd.DataFrame | None:
    """Attention to each context over the cells of each niche, or None where the object holds no scores.

    Returns columns niche, context, mean, sd (between cells).
    """
    if cohort.scores is None:
        return None
    scores = cohort.scores.assign(niche=cohort.cells[Obs.NICHE]).melt("niche", var_name="context")
    by_niche = scores.groupby(["niche", "context"], sort=False)["value"]
    table = by_niche.agg(mean="mean", sd=lambda values: values.std(ddof=0)).reset_index()
    return table.sort_values("niche", kind="stable", ignore_index=True)


def niche_overview(cohort: Cohort) -> pd.DataFrame:
    """Size and certainty of each niche.

    Returns, indexed by niche, columns n_cells, share (of all cells), n_samples and n_patients in which it covers at
    least 1 % of the cells, stability (mean over its cells) and jaccard (bootstrap Jaccard index), the last two where
    the object holds them.
    """
    counts = niche_counts(cohort)
    counts["present"] = counts["n_cells"] >= 0.01 * counts["n_cells_sample"]
    present = counts[counts["present"] & (counts["n_cells"] > 0)]
    overview = counts.groupby("niche")["n_cells"].sum().to_frame()
    overview["share"] = overview["n_cells"] / len(cohort.cells)
    for column in ("sample", "patient"):
        overview[f"n_{column}s"] = present.groupby("niche")[column].nunique().reindex(overview.index, fill_value=0)
    if Obs.STABILITY in cohort.cells:
        overview["stability"] = cohort.cells.groupby(Obs.NICHE)[Obs.STABILITY].mean().reindex(overview.index)
    if Obs.NICHE_JACCARD in cohort.cells:
        overview["jaccard"] = cohort.cells.groupby(Obs.NICHE)[Obs.NICHE_JACCARD].first().reindex(overview.index)
    return overview
