"""In how many analyses a finding holds."""

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import make_cohort, row_of
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast
from semanticst.niche.alternatives import alternative_counts

GROUPS = Contrast("c", "groups", column="group")


@pytest.fixture(scope="module")
def result():
    cohort = make_cohort((10, 10), n_sections=2, effect=2.0)
    rng = np.random.default_rng(0)
    shuffled = cohort.counts.sample(frac=1, random_state=1).set_axis(cohort.counts.index)
    # niches 1 and 4 were one, and niche 4 has no counterpart
    merged = cohort.counts.assign(**{"1": 0}).drop(columns="1")
    merged[1] = merged[1] + merged.pop(4)
    members = {
        "profile2-10": cohort.counts,
        "profile3-50": cohort.counts + rng.poisson(3, cohort.counts.shape),
        "embedding-10": shuffled,
        "k=4": merged,
        "k=6, one base clustering": cohort.counts,
        "without Harmony": shuffled,
    }
    return examine(
        GROUPS, cohort.sections, cohort.counts, base_clusterings=members, permutations=499, log_cells="false"
    )


def test_a_finding_agrees_where_its_sign_and_p_do(result):
    table = result.checks.sensitivity
    own = table[table["niche"] == "2"].set_index("analysis")
    done = own[own["p"].notna()]
    agrees = (np.sign(done["effect"]) == np.sign(row_of(result, 2)["effect"])) & (done["p"] < 0.05)
    assert done["agrees"].tolist() == agrees.tolist()
    assert not own.loc["base clustering: embedding, 10 components", "agrees"]
    assert own.loc["base clustering: 2 hops, 10 components", "agrees"]
    row = row_of(result, 2)
    assert (row["n_analyses"], row["n_agree"]) == (len(done), int(agrees.sum()))
    assert len(done) == 12


def test_the_table_names_what_was_done_and_why_the_rest_was_not(result):
    own = result.checks.sensitivity.set_index(["niche", "analysis"])
    choices = (
        *("0.0001 added to proportions, not 0.001", "0.01 added to proportions, not 0.001"),
        "median niche as the reference",
        *("arcsine of the square root of proportions", "adjusted for log cells", "sections of a patient count alike"),
        *("4 niches", "6 niches, one base clustering", "without Harmony"),
    )
    for analysis in choices:
        assert np.isfinite(own.loc[("2", analysis), "p"]), analysis
    assert not own.loc[("2", "without Harmony"), "agrees"]
    assert own.loc[("2", "6 niches, one base clustering"), "agrees"]
    assert own.loc[("4", "4 niches"), "note"] == "no counterpart"
    assert row_of(result, 4)["n_analyses"] == 11


def test_a_base_clustering_agrees_with_itself(result):
    own = result.checks.sensitivity.set_index(["niche", "analysis"])
    same = own.loc[("2", "base clustering: 2 hops, 10 components")]
    row = row_of(result, 2)
    assert (same["effect"], same["ci_low"]) == pytest.approx((row["effect"], row["ci_low"]))


def test_the_least_pseudo_share_widens_the_effect_of_a_niche_that_some_lack():
    cohort = make_cohort((8, 8), effect=0.0)
    cohort.counts.loc[cohort.sections["group"] == "g1", 2] = 0
    result = examine(GROUPS, cohort.sections, cohort.counts, permutations=499, log_cells="false")
    own = result.checks.sensitivity.set_index(["niche", "analysis"])["effect"]
    least, most = own["2", "0.0001 added to proportions, not 0.001"], own["2", "0.01 added to proportions, not 0.001"]
    assert least < row_of(result, 2)["effect"] < most < 0
    assert least - row_of(result, 2)["effect"] == pytest.approx(
        np.log(0.1) * 0.8, abs=0.1
    )  # of five niches, one in its mean


@pytest.mark.parametrize(
    "question",
    [
        {"type": "survival", "time": "time", "event": "event", "event_value": "1"},
        {"type": "continuous", "column": "x"},
    ],
)
def test_other_types_have_the_table_too(question):
    result = make_cohort((8, 8), n_niches=4).ask(permutations=99, **question)
    table = result.checks.sensitivity
    assert table["p"].notna().sum() == 4 * 5
    assert set(table.loc[table["note"].str.startswith("no sections"), "analysis"]) == {
        "sections of a patient count alike"
    }


def test_parts_of_another_number_count_for_the_niche_that_they_are_mostly_in():
    samples = np.array(["a", "a", "a", "b", "b", "b"])
    labels = np.array([0, 0, 1, 0, 1, 2])
    finer = np.array([0, 1, 2, 1, 2, 3])
    coarser = np.array([0, 0, 1, 0, 1, 1])
    found = alternative_counts(samples, labels, {"k=4": finer, "k=2": coarser}).set_index(
        ["member", "niche", "sample"]
    )["n_cells"]
    assert found["k=4", 1].to_dict() == {"a": 2, "b": 1}
    assert found["k=4", 3].to_dict() == {"a": 0, "b": 1}
    assert found["k=2", 2].to_dict() == {"a": 1, "b": 2}
    assert ("k=2", 3) not in found.index.droplevel("sample")
    assert alternative_counts(samples, labels, {}).empty
    assert isinstance(found, pd.Series)
