"""The check before a run says of a design what the test says of it."""

import numpy as np
import pytest

from clinical_helpers import make_cohort
from semanticst.association.design.tables import Contrast
from semanticst.association.stats.design_as_tested import design_as_tested, untestable


def cohort_with(sizes=(12, 12), n_sections=1, **columns):
    cohort = make_cohort(sizes, n_sections=n_sections)
    number = cohort.sections["patient"].factorize()[0]
    for name, of in columns.items():
        cohort.sections[name] = of(number, cohort.sections)
    return cohort


def dummies(n):
    return {f"d{i}": lambda number, _, i=i: (number == i).astype(int).astype(str) for i in range(n)}


ALIKE = "not testable: covariates or blocks determine the contrast, or leave too few patients"
BY_SIDE = {"batch": lambda _, s: s["side"].map({"s0": "A", "s1": "B"})}
CASES = {
    "a batch per side": (cohort_with((10,), 2, **BY_SIDE), ALIKE, {
        "type": "groups", "column": "side", "block": "patient", "covariates": ("batch",)}),
    "as many covariates as patients": (cohort_with(**dummies(23)), ALIKE, {
        "type": "groups", "column": "group", "covariates": tuple(dummies(23))}),
    "the same of a number": (cohort_with(x=lambda n, _: (n * 7 % 24).astype(str), **dummies(23)), ALIKE, {
        "type": "continuous", "column": "x", "covariates": tuple(dummies(23))}),
    "the same of three groups": (cohort_with((6, 6, 6), **dummies(17)), ALIKE, {
        "type": "groups", "column": "group", "covariates": tuple(dummies(17))}),
    "groups of two": (cohort_with((2, 9)), "not testable: fewer than 3 patients in a group", {
        "type": "groups", "column": "group"}),
    "two cages": (cohort_with(cage=lambda n, _: (n // 6).astype(str)),
                  "not testable: every cage has one group (2 v 2), and 3 in each are needed", {
        "type": "groups", "column": "group", "cluster": "cage"}),
    "two patients of a group with a change": (cohort_with((2, 8), 2),
                                              "not testable: fewer than 3 patients in a group", {
        "type": "groups", "column": "side", "interaction": "group"}),
    "one event": (cohort_with(months=lambda n, _: (n + 1).astype(str), dead=lambda n, _: np.where(n == 3, "1", "0")),
                  "not testable: 1 event in 24 patients, 3 in 6 are needed", {
        "type": "survival", "time": "months", "event": "dead", "event_value": "1"}),
    "two groups": (cohort_with(), "", {"type": "groups", "column": "group"}),
    "three steps": (cohort_with((6, 6, 6)), "", {"type": "ordered", "column": "group", "levels": ("g0", "g1", "g2")}),
    "sides": (cohort_with((10,), 2), "", {"type": "groups", "column": "side"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_check_gives_the_reason_of_the_test(case):
    cohort, reason, asked = CASES[case]
    design = design_as_tested(Contrast("asked", **asked), cohort.sections)[1]
    assert untestable(design) == reason
    primary = cohort.ask(**asked, permutations=49).primary
    if reason:
        assert primary["p"].isna().all()
        assert primary["warnings"].str.contains(reason, regex=False).all()
    else:
        assert primary["p"].notna().all()
