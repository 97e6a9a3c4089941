"""The design of a contrast as it is tested, and why nothing of it can be, as far as no cell is needed to know it.

By the functions of the tests themselves, so that the check before a run and the run give one reason.
"""

import numpy as np
import pandas as pd

from semanticst.association.design.batch import BatchCheck, account_for_batch
from semanticst.association.design.design import Design, build_design
from semanticst.association.design.tables import Contrast
from semanticst.association.stats.changes import design_of_changes
from semanticst.association.stats.clusters import account_for_clusters, cluster_of_units, of_clusters
from semanticst.association.stats.group_contrasts import build_question, pair_question, slope_variable
from semanticst.association.stats.linear_contrast import DETERMINED, Question, Settings, answerable, too_few
from semanticst.association.stats.omnibus import indicators, parts_of_contrast
from semanticst.association.stats.survival import too_few_events


def design_as_tested(
    contrast: Contrast, sections: pd.DataFrame, usable: pd.Series | None = None
) -> tuple[Design, Design, BatchCheck]:
    """The design of the contrast itself, that of the test, and how batch and contrast go together.

    The two differ where changes within patients are compared (``Contrast.change`` of the second says which), and by
    batch and cluster. Parameters and BadInput as of `build_design`, `design_of_changes` and `cluster_of_units`.
    """
    inner = build_design(contrast, sections, usable=usable)
    asks_for_changes = contrast.interaction and not inner.untestable
    design, batch = account_for_batch(design_of_changes(contrast, inner, sections) if asks_for_changes else inner)
    if contrast.cluster and not design.untestable:
        design = account_for_clusters(design, cluster_of_units(design, sections))
    return inner, design, batch


def untestable(design: Design) -> str:
    """Why no feature can be tested by this design, empty when one may be.

    Of survival the numbers of patients and events alone are looked at: what else ends a Cox model is seen in the fit.
    """
    if design.untestable or design.units.empty:
        return design.untestable
    if design.contrast.type == "survival":
        return too_few_events(len(design.units), int(design.units["event"].sum()))
    design, settings = of_clusters(design), Settings()
    x = slope_variable(design)
    if x is None:
        return _of_several_groups(design, settings)
    if design.contrast.type == "groups":
        reference, target = design.levels
        question = pair_question(design, reference, target, settings)[1]
    else:
        question = build_question(design, x, settings)
    return _of_slope(question.where(question.contrasted) if question.within_patient else question)


def _of_slope(question: Question) -> str:
    none = np.zeros((len(question.x), 0))
    return answerable(question, none)[2]


def _of_several_groups(design: Design, settings: Settings) -> str:
    values = design.units["value"].to_numpy()
    question = build_question(design, np.unique(values, return_inverse=True)[1].astype(float), settings)
    if reason := too_few(question):
        return reason
    X = indicators(values, design.levels)
    return "" if parts_of_contrast(X, question.blocks, question.covariates) else DETERMINED
