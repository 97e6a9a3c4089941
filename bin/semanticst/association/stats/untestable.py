"""Why nothing of a design can be tested, as far as its units, blocks and covariates say it before any cell is read.

By the functions of the tests themselves, so that the check before a run and the run give one reason.
"""

import numpy as np

from semanticst.association.design.design import Design
from semanticst.association.stats.clusters import of_clusters
from semanticst.association.stats.group_contrasts import build_question, pair_question, slope_variable
from semanticst.association.stats.linear_contrast import DETERMINED, Question, Settings, answerable, too_few
from semanticst.association.stats.omnibus import indicators, parts_of_contrast
from semanticst.association.stats.survival import too_few_events


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
        question = pair_question(design, *design.levels, settings)[1]
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
