"""Interaction: a change within patients that differs by group."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast
from semanticst.association.output.summary_text import paragraph
from semanticst.errors import BadInput

VISITS = {"type": "groups", "column": "side", "interaction": "group"}


def treated(seed: int, extra: float, both: float = 1.0) -> Cohort:
    """10 + 10 patients before (s0) and after (s1): niche 2 rises by ``both`` in all, by ``extra`` more in g1."""
    cohort = make_cohort((10, 10), n_sections=2, section_effect=both, seed=seed)
    more = ((cohort.sections["group"] == "g1") & (cohort.sections["side"] == "s1")).to_numpy()
    factor = np.where(more, np.exp(extra), 1.0)
    cohort.counts[2] = np.round(cohort.counts[2] * factor).astype(int)
    return cohort


def changes(cohort: Cohort) -> pd.DataFrame:
    """Changes of the log-ratio of niche 2 and of its share in percent, the long way round."""
    share = cohort.counts.div(cohort.counts.sum(axis=1), axis=0)
    logs = np.log(share + 0.001)
    values = pd.DataFrame({"clr": logs[2] - logs.mean(axis=1), "share": 100 * share[2]})
    before, after = (
        values[cohort.sections["side"] == side].set_axis(cohort.sections["patient"].unique()) for side in ("s0", "s1")
    )
    return after - before


def test_the_effect_is_the_difference_of_the_changes():
    cohort = treated(1, 1.5)
    row, found = row_of(cohort.ask(**VISITS), 2), changes(cohort)
    welch = stats.ttest_ind(found["clr"][10:], found["clr"][:10], equal_var=False)
    assert row["effect"] == pytest.approx(found["clr"][10:].mean() - found["clr"][:10].mean())
    assert row["p_model"] == pytest.approx(welch.pvalue)
    assert row["p"] < 0.05
    assert row["percentage_points"] == pytest.approx(found["share"][10:].mean() - found["share"][:10].mean())
    assert 100 * row["mean_target"] == pytest.approx(found["share"][10:].mean())
    assert row["n_patients"] == 20
    assert row["comparison"] == "g1 vs g0"


def test_a_change_that_is_the_same_in_both_groups_is_no_finding():
    p = [row_of(treated(seed, 0.0, both=2.0).ask(permutations=199, **VISITS), 2)["p"] for seed in range(40)]
    assert np.mean(np.array(p) <= 0.05) <= 0.125
    main = [
        row_of(treated(seed, 0.0, both=2.0).ask("groups", column="side", permutations=199), 2)["p"] for seed in (0, 1)
    ]
    assert max(main) < 0.01


def test_the_text_says_what_changed():
    result = treated(1, 1.5).ask(**VISITS)
    text, row = paragraph(result), row_of(result, 2)
    assert (
        "group: g0 (n = 10), g1 (n = 10), reference g0, compared by the change from s0 to s1 of each patient." in text
    )
    assert f"Niche 2 changes from s0 to s1 on average by {100 * row['mean_target']:+.1f} points in g1" in text


def test_changes_have_the_checks_of_other_contrasts():
    """The composition as a whole, other choices, base clusterings and cell types: all of changes."""
    cohort = treated(1, 2.5)
    members = dict.fromkeys(("embedding-10", "profile2-10"), cohort.counts)
    types = cohort.counts.melt(ignore_index=False, var_name="niche", value_name="n").reset_index()
    types = pd.concat(
        types.assign(cell_type=name, n_cells=(types["n"] * part).round()) for name, part in (("A", 0.3), ("B", 0.7))
    )
    result = examine(
        Contrast("c", **VISITS), cohort.sections, cohort.counts, log_cells="false", permutations=499,
        base_clusterings=members, cell_types=types[["sample", "niche", "cell_type", "n_cells"]],
    )  # fmt: skip
    row, joint = row_of(result, 2), row_of(result, "all")
    assert joint["p"] <= 0.05
    assert (row["n_members"], row["members_same_sign"]) == (2, 1)
    assert np.isnan(row["p_mixed"])
    own = result.checks.sensitivity.set_index(["niche", "analysis"]).loc["2"]
    assert own.loc["base clustering: embedding, 10 components", "effect"] == pytest.approx(row["effect"])
    assert row["n_agree"] >= row["n_analyses"] - 1
    assert set(result.checks.cell_types["cell_type"]) == {"A", "B"}
    assert result.checks.cell_types["effect"].abs().max() < abs(row["effect"])


def test_patients_with_one_value_are_left_out():
    cohort = treated(1, 1.5)
    cohort.sections, cohort.counts = cohort.sections.drop(index="p03_1"), cohort.counts.drop(index="p03_1")
    assert row_of(cohort.ask(**VISITS), 2)["n_patients"] == 19


def test_several_visits_are_compared_by_slopes():
    cohort = make_cohort((6, 6), n_sections=3)
    cohort.sections["visit"] = [str(i % 3) for i in range(len(cohort.sections))]
    result = cohort.ask("ordered", column="visit", levels=("0", "1", "2"), interaction="group")
    logs = np.log(cohort.counts.div(cohort.counts.sum(axis=1), axis=0) + 0.001)
    y = (logs[2] - logs.mean(axis=1)).to_numpy().reshape(12, 3)
    slopes = (y[:, 2] - y[:, 0]) / 2
    assert row_of(result, 2)["effect"] == pytest.approx(slopes[6:].mean() - slopes[:6].mean())
    assert "per step from 0 to 2" in paragraph(result)


def test_cells_that_change_with_the_group_are_adjusted_for():
    cohort = treated(2, 0.0)
    more = ((cohort.sections["group"] == "g1") & (cohort.sections["side"] == "s1")).to_numpy()
    cohort.counts = cohort.counts.mul(np.where(more, 10, 1), axis=0)
    row = row_of(cohort.ask(log_cells="auto", **VISITS), 2)
    assert row["cells_correlation"] > 0.5
    assert "log cells" in row["model"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"type": "groups", "column": "group", "interaction": "sex"}, "does not change within patients"),
        ({"type": "groups", "column": "side", "interaction": "nothing"}, "nothing"),
        ({"type": "groups", "column": "side", "interaction": "side"}, "must be constant within a patient"),
    ],
)
def test_what_has_no_interaction_is_bad_input(question, said):
    with pytest.raises(BadInput, match=said):
        treated(1, 0.0).ask(**question)
