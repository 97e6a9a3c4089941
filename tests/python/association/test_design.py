"""Which patients are compared: variables, missing values, contradictions, blocks, subsets."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.design.design import build_design
from semanticst.association.design.subset import select
from semanticst.association.design.tables import Contrast, no_such_value
from semanticst.errors import BadInput


def with_values(cohort: Cohort, **columns) -> Cohort:
    return Cohort(cohort.sections.assign(**columns), cohort.counts, cohort.clinical)


def test_sections_of_a_patient_are_summed_before_shares_are_taken():
    cohort = make_cohort((6, 6), n_sections=3)
    result = cohort.ask("groups", column="group")
    summed = cohort.counts.groupby(cohort.sections["patient"]).sum()
    expected = summed[3] / summed.sum(axis=1)
    np.testing.assert_allclose(result.features.shown["proportion", "3"], expected)
    assert len(result.design.units) == 12
    assert len(result.design.sections) == 36


def test_order_of_rows_does_not_matter():
    cohort = make_cohort((6, 7), n_sections=2, effect=1.0)
    mixed = np.random.default_rng(0).permutation(len(cohort.sections))
    other = Cohort(cohort.sections.iloc[mixed], cohort.counts.iloc[mixed], cohort.clinical)
    pd.testing.assert_frame_equal(cohort.ask("groups", column="group").table, other.ask("groups", column="group").table)


def test_reference_is_the_first_level_unless_it_is_given(caplog):
    cohort = make_cohort((6, 6), effect=1.5)
    with caplog.at_level("INFO"):
        forward = row_of(cohort.ask("groups", column="group"), 2)
    assert "reference level of 'group' is 'g0'" in caplog.text
    assert forward["comparison"] == "g1 vs g0"
    assert forward["effect"] > 0
    backward = row_of(cohort.ask("groups", column="group", reference="g1"), 2)
    assert (backward["comparison"], backward["effect"]) == ("g0 vs g1", pytest.approx(-forward["effect"]))
    assert row_of(cohort.ask("groups", column="group", target="g0"), 2)["comparison"] == "g0 vs g1"


def test_reference_and_target_choose_two_of_many_groups():
    result = make_cohort((5, 5, 5)).ask("groups", column="group", reference="g2", target="g0")
    assert set(result.table["comparison"]) == {"g0 vs g2", "joint"}
    assert result.design.dropped == {"group is none of the levels compared": 5}


def test_missing_values_are_left_out_and_counted():
    cohort = make_cohort((8, 8))
    sections = cohort.sections.copy()
    sections.loc[sections["patient"].isin(["p00", "p01"]), "age"] = None
    sections.loc[sections["patient"] == "p15", "group"] = None
    result = Cohort(sections, cohort.counts, cohort.clinical).ask("groups", column="group", covariates=("age",))
    assert result.design.dropped == {"no group": 1, "no age": 2}
    assert (result.table["n_patients"] == 13).all()


def test_small_sections_are_left_out():
    cohort = make_cohort((6, 6), n_sections=2)
    counts = cohort.counts.copy()
    counts.iloc[0] = [3, 3, 3, 3, 3]
    counts.iloc[[2, 3]] = 1
    result = Cohort(cohort.sections, counts, cohort.clinical).ask("groups", column="group")
    assert result.design.dropped == {"too few cells": 1}
    assert len(result.design.units) == 11
    assert len(result.design.sections) == 21


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({"type": "groups", "column": "grup"}, "did you mean 'group'"),
        ({"type": "groups", "column": "group", "covariates": ("agee",)}, "did you mean 'age'"),
        ({"type": "groups", "column": "group", "reference": "control"}, "values found: g0, g1"),
        ({"type": "continuous", "column": "sex"}, "a number is expected"),
        ({"type": "survival", "time": "x", "event": "event", "event_value": "1"}, "negative time"),
        ({"type": "survival", "time": "time", "event": "event", "event_value": "dead"}, "values found: 0, 1"),
        ({"type": "ordered", "column": "patient"}, "needs its levels from low to high"),
    ],
)
def test_what_cannot_be_read_is_bad_input(contrast, message):
    cohort = make_cohort((6, 6))
    with pytest.raises(BadInput, match=message):
        cohort.ask(**contrast)


def test_the_other_side_of_a_contrast_is_not_what_was_meant():
    cohort = make_cohort((6, 6))
    drug = cohort.sections["group"].map({"g0": "none", "g1": "treated"})
    cohort = replace(cohort, sections=cohort.sections.assign(group=drug))
    with pytest.raises(BadInput, match="no sample has 'untreated' in 'group'; values found: none, treated$"):
        cohort.ask("groups", column="group", reference="untreated", target="treated")
    assert no_such_value("untreated", "group", ["none", "treated"]).endswith("; did you mean 'treated'?")


def test_contradicting_values_name_the_patient():
    cohort = make_cohort((6, 6), n_sections=2)
    sections = cohort.sections.copy()
    sections.loc["p03_1", "group"] = "g1"
    with pytest.raises(BadInput, match=r"'group' must be constant within a patient and is not for p03"):
        Cohort(sections, cohort.counts, cohort.clinical).ask("groups", column="group")
    sections = cohort.sections.copy()
    sections.loc["p05_0", "age"] = "99"
    with pytest.raises(BadInput, match=r"'age' must be constant within a patient and is not for p05"):
        Cohort(sections, cohort.counts, cohort.clinical).ask("groups", column="group", covariates=("age",))
    with pytest.raises(BadInput, match="is not for p05"):
        Cohort(sections, cohort.counts, cohort.clinical).ask("survival", time="age", event="event", event_value="1")


def test_sides_of_a_patient_are_compared_within_the_patient():
    cohort = make_cohort((9,), n_sections=4, section_effect=0.8, seed=5)
    result = cohort.ask("groups", column="side", permutations=1000)
    assert result.design.within_patient
    assert len(result.design.units) == 18
    summed = cohort.counts.groupby([cohort.sections["patient"], cohort.sections["side"]]).sum()
    logs = np.log(summed.div(summed.sum(axis=1), axis=0) + 0.001)
    ratio = logs.sub(logs.mean(axis=1), axis=0)[2]
    y = {side: ratio.xs(side, level="side") for side in ("s0", "s1")}
    row = row_of(result, 2)
    paired = stats.ttest_rel(y["s1"], y["s0"])
    assert row["effect"] == pytest.approx((y["s1"] - y["s0"]).mean())
    assert row["p_model"] == pytest.approx(paired.pvalue)
    assert row["p_rank"] == pytest.approx(stats.wilcoxon(y["s1"] - y["s0"]).pvalue)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 9)).reshape(9, -1).T
    flipped = signs * (y["s1"] - y["s0"]).to_numpy()
    t = np.abs(flipped.mean(axis=1) / flipped.std(axis=1, ddof=1))
    observed = np.abs((y["s1"] - y["s0"]).mean() / (y["s1"] - y["s0"]).std(ddof=1))
    assert row["p_permutation"] == pytest.approx((t >= observed - 1e-9).mean())
    assert "blocks patient" in row["model"]
    assert row["n_patients"] == 9


def test_patients_with_one_side_are_left_out_however_many():
    cohort = make_cohort((14,), n_sections=2)
    lost = [f"p{i:02d}_{i % 2}" for i in range(4)]
    few = Cohort(cohort.sections.drop(lost), cohort.counts.drop(lost), cohort.clinical)
    result = few.ask("groups", column="side", block="patient")
    assert "patients with one value only: 4, not used" in result.table["warnings"].iloc[0]
    assert (result.table["n_patients"] == 10).all()

    lost = [f"p{i:02d}_{i % 2}" for i in range(8)]
    many = Cohort(cohort.sections.drop(lost), cohort.counts.drop(lost), cohort.clinical)
    result = many.ask("groups", column="side", block="patient")
    assert "patients with one value only: 8, not used" in result.table["warnings"].iloc[0]
    assert (result.table["n_patients"] == 6).all()
    assert result.design.dropped == {"one value of side only": 8}


def test_block_patient_without_repeats_says_so():
    table = make_cohort((2, 2)).ask("groups", column="group", block="patient").table
    assert table["warnings"].str.contains("not testable").all()
    assert table["p"].isna().all()


def test_too_few_patients_in_a_group():
    table = make_cohort((2, 9)).ask("groups", column="group").table
    assert len(table) == 6
    assert table["warnings"].str.contains("not testable: fewer than 3 patients in a group").all()
    assert table[["effect", "p", "q"]].isna().all(axis=None)


def test_one_group_only():
    table = make_cohort((9,)).ask("groups", column="group").table
    assert table["warnings"].str.contains("not testable: all patients have the same value").all()


def test_no_patient_left():
    table = make_cohort((5, 5)).ask("groups", column="group", subset="age > 1000").table
    assert sorted(table["niche"]) == ["1", "2", "3", "4", "5", "all"]
    assert table["warnings"].str.startswith("not testable").all()


def test_small_groups_of_many_are_left_out():
    result = make_cohort((5, 2, 5)).ask("groups", column="group")
    assert result.design.dropped == {"'g1' has fewer than 3": 2}
    assert set(result.table["comparison"]) == {"g2 vs g0", "joint"}
    only_one_large = make_cohort((2, 2, 5)).ask("groups", column="group").table
    assert only_one_large["p"].isna().all()
    assert len(only_one_large) == 6


def test_a_covariate_that_gives_the_group_away():
    cohort = make_cohort((6, 6))
    cohort = with_values(cohort, site=cohort.sections["group"].map({"g0": "north", "g1": "south"}))
    table = cohort.ask("groups", column="group", covariates=("site",)).table
    assert table["warnings"].str.contains("covariates or blocks determine the contrast").all()
    assert table["p"].isna().all()


def test_a_group_that_lost_all_its_patients_is_known_and_untestable():
    """Quality control took the reference group: that is no typing error in the contrast."""
    cohort = make_cohort((3, 8))
    result = Cohort(cohort.sections, cohort.counts.iloc[3:], cohort.clinical).ask(
        "groups", column="group", reference="g0"
    )
    assert result.table["warnings"].str.contains("all patients have the same value").all()
    assert result.design.dropped == {"too few cells": 3}


@pytest.mark.parametrize("value", ["north", "5"])
def test_a_covariate_without_variation_is_left_out_and_said(value):
    cohort = with_values(make_cohort((14, 14)), site=value)
    for contrast in (
        {"type": "groups", "column": "group"},
        {"type": "survival", "time": "time", "event": "event", "event_value": "1"},
    ):
        row = row_of(cohort.ask(**contrast, covariates=("age", "site")), 2)
        assert "covariate site is the same for all patients: not used" in row["warnings"]
        assert row["p"] == row_of(cohort.ask(**contrast, covariates=("age",)), 2)["p"]


def test_constant_and_absent_niches_keep_their_rows():
    cohort = make_cohort((6, 6))
    counts = cohort.counts.copy()
    counts[4] = 0
    result = Cohort(cohort.sections, counts, cohort.clinical).ask("groups", column="group")
    row = row_of(result, 4)
    assert "not testable" in row["warnings"]
    assert np.isnan(row["p"])
    assert row["mean_target"] == 0
    assert (result.primary["n_tests"] == 4).all()

    same = pd.DataFrame(100, index=counts.index, columns=counts.columns)
    table = Cohort(cohort.sections, same, cohort.clinical).ask("groups", column="group").primary
    assert table["warnings"].str.contains("the same value in all patients").all()


def test_rare_niche_is_pointed_out():
    cohort = make_cohort((6, 6))
    for n, told in ((2, "2 patients (or sections) only"), (1, "1 patient (or section) only")):
        counts = cohort.counts.copy()
        counts.loc[counts.index[n:], 5] = 0
        row = row_of(Cohort(cohort.sections, counts, cohort.clinical).ask("groups", column="group"), 5)
        assert f"cells of this niche in {told}" in row["warnings"]


def test_few_permutations_are_pointed_out():
    few = make_cohort((4, 4), effect=1.0).ask("groups", column="group")
    assert few.primary["warnings"].str.contains("70 permutations").all()
    assert few.primary["model"].str.contains(r"\(exact, 70 permutations\)").all()
    many = make_cohort((8, 8)).ask("groups", column="group", permutations=20000)
    assert not many.primary["warnings"].str.contains("permutations").any(), many.primary[["p", "p_model", "warnings"]]
    assert many.primary["model"].str.contains("exact, 12870").all()


@pytest.mark.parametrize(
    ("subset", "kept"),
    [
        ("sex == f", lambda s: s["sex"] == "f"),
        ("sex=f", lambda s: s["sex"] == "f"),
        ("sex != 'f'", lambda s: s["sex"] != "f"),
        ("age >= 50 & sex == m", lambda s: (s["age"].astype(int) >= 50) & (s["sex"] == "m")),
        ("group == g0|g2", lambda s: s["group"].isin(["g0", "g2"])),
        ("age < 50", lambda s: s["age"].astype(int) < 50),
    ],
)
def test_subset(subset, kept):
    sections = make_cohort((10, 10, 10)).sections
    assert 0 < kept(sections).sum() < 30
    np.testing.assert_array_equal(select(Contrast("c", "groups", subset=subset), sections), kept(sections))


def test_missing_values_pass_no_condition():
    sections = make_cohort((4, 4)).sections
    sections.loc["p00_0", "sex"] = None
    for subset in ("sex == f", "sex != f"):
        assert not select(Contrast("c", "groups", subset=subset), sections)["p00_0"]


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        ("sex is f", "cannot be read"),
        ("sax == f", "did you mean 'sex'"),
        ("age > old", "not a number"),
        ("sex > 3", "a number is expected"),
    ],
)
def test_subset_that_cannot_be_read(subset, message):
    with pytest.raises(BadInput, match=message):
        select(Contrast("c", "groups", subset=subset), make_cohort((4, 4)).sections)


def test_text_covariates_become_indicators_without_the_first_level():
    sections = make_cohort((6, 6)).sections.assign(site=list("abcabcabcabc"))
    design = build_design(Contrast("c", "groups", column="group", covariates=("site", "age")), sections)
    assert list(design.covariates.columns) == ["site_b", "site_c", "age"]
    np.testing.assert_array_equal(design.covariates["site_c"], [0, 0, 1] * 4)


def test_a_pair_counts_those_who_can_be_compared_in_their_stratum():
    """Of three levels, the first site has no g2 and the second no g0: of g0 and g2 only the third site tells."""
    cohort = make_cohort((9, 9, 9))
    number = cohort.sections["patient"].str[1:].astype(int) % 9
    site = np.where(number < 6, np.where(number < 3, "a", "b"), "c")
    alone = ((site == "a") & (cohort.sections["group"] == "g2")) | ((site == "b") & (cohort.sections["group"] == "g0"))
    site = np.where(alone, "c", site)
    cohort = with_values(cohort, site=site)
    table = cohort.ask("groups", column="group", strata=("site",)).table
    rows = table[(table["comparison"] == "g2 vs g0") & (table["niche"] == "2")]
    assert rows[["n_patients", "n_reference", "n_target"]].iloc[0].to_list() == [12, 6, 6]


def test_who_is_dropped_within_patients_is_in_the_flow_with_sections():
    cohort = make_cohort((4, 4), n_sections=2)
    day = cohort.sections["side"].where(cohort.sections["patient"] != "p00", "s0")
    # both sides of p01, each in another part of the tissue: nothing to compare inside a part
    part = np.where(cohort.sections["patient"] == "p01", cohort.sections["side"], "whole")
    cohort = with_values(cohort, day=day, part=part)
    asked = Contrast("c", "groups", column="day", block="patient", strata=("part",))
    design = build_design(asked, cohort.sections)
    reason = "one value of day only in a part"
    assert (design.dropped[reason], design.dropped.sections[reason]) == (2, 4)
    assert len(design.sections) == 12
    assert "patients with one value only: 2, not used" in design.warnings
