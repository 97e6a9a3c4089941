"""PERMANOVA of the niche composition, on the Aitchison distance between units."""

from typing import Any

import numpy as np
import pandas as pd

from semanticst.association.design.design import Design
from semanticst.association.features.composition import JOINT
from semanticst.association.stats.clusters import cluster_means, of_clusters
from semanticst.association.stats.cox import martingale_residuals
from semanticst.association.stats.group_contrasts import build_question, steps
from semanticst.association.stats.linear_contrast import DETERMINED, Settings, too_few
from semanticst.association.stats.omnibus import indicators, omnibus_test, slopes_test
from semanticst.association.stats.patient_slopes import has_courses, patient_slopes
from semanticst.association.stats.permutation import PERMUTED
from semanticst.association.stats.results import COMPOSITION
from semanticst.association.stats.survival import base_frame, too_few_events


def compare_composition(design: Design, log_ratios: pd.DataFrame, settings: Settings) -> dict:
    """The row of the joint test; ``log_ratios`` (units x niches) are centred, or changes of such.

    Survival enters as the martingale residual of the model without niches (as in MiRKAT-S, Plantinga et al. 2017,
    Microbiome 5:17), covariates and blocks as in the other tests. Nothing is permuted across blocks.
    """
    row: dict[str, Any] = {"niche": JOINT, "feature": "composition", "comparison": "joint", "family": COMPOSITION}
    row["n_patients"] = len(np.unique(design.patients))
    Y = cluster_means(design, log_ratios.dropna(axis=1, how="all")).to_numpy()
    design = of_clusters(design)
    covariates, blocks = design.covariates.to_numpy(float), design.blocks
    keep = np.ones(len(Y), dtype=bool)
    if design.contrast.type == "survival":
        base = base_frame(design)
        row["n_events"] = int(base["event"].sum())
        reason = too_few_events(len(Y), row["n_events"])
        X = None if reason else martingale_residuals(base)[:, None]
    else:
        values = design.units["value"].to_numpy()
        if design.contrast.type == "groups":
            X = indicators(values, design.levels)
            code = np.unique(values, return_inverse=True)[1].astype(float)
        else:
            code = values.astype(float) if design.contrast.type == "continuous" else steps(values, design.levels)
            X = code[:, None]
        question = build_question(design, code, settings)
        reason = too_few(question)
        if question.within_patient:
            keep = question.contrasted
            row["n_patients"] = len(np.unique(design.patients[keep]))
    if not reason and Y.shape[1] < 2:
        reason = "not testable: fewer than two niches"
    if X is None or reason:
        return {**row, "warnings": [reason]}
    Y, X, blocks, covariates, patients = (a[keep] for a in (Y, X, blocks, covariates, design.patients))
    if design.within_patient and X.shape[1] == 1 and has_courses(X[:, 0], patients):
        _, length, slopes = patient_slopes(X[:, 0], patients, blocks, covariates, Y)
        result = slopes_test(slopes, length, settings.permutations, settings.seed)
    else:
        several = patients if design.within_patient and X.shape[1] > 1 else None
        result = omnibus_test(Y, X, blocks, covariates, settings.permutations, settings.seed, True, several)
    if result is None:
        return {**row, "warnings": [DETERMINED]}
    given = f", blocks {'+'.join(design.block_names)}" if design.block_names else ""
    given += f", covariates {'+'.join(design.covariates.columns)}" if covariates.size else ""
    outcome = " of the martingale residual" if design.contrast.type == "survival" else ""
    row.update(
        effect=result.explained[0],
        effect_type="r_squared",
        p=result.p[0],
        p_permutation=result.p[0],
        p_source=PERMUTED,
        p_dispersion=result.p_dispersion,
        model=f"PERMANOVA{outcome} (F2, unequal spread), Aitchison distance{given}; "
        f"p by permutation ({result.permutations.describe()})",
        warnings=spread_warning(result.p_dispersion),
    )
    return row


def spread_warning(p_dispersion: float) -> list[str]:
    """Groups that differ in spread: not what the joint test asks, and worth to know."""
    if not p_dispersion < 0.05:
        return []
    return [f"patients differ more from each other in one group than in another (PERMDISP p = {p_dispersion:.2g})"]
