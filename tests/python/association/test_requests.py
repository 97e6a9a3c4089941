"""Nothing that was asked is changed without being said: the designs of the statistical review, each with a value."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.associate import Association
from semanticst.association.design.design import build_design
from semanticst.association.design.subset import select
from semanticst.association.design.tables import Contrast
from semanticst.errors import BadInput

DEATH = {"type": "survival", "time": "months", "event": "status", "event_value": "dead"}


def with_columns(cohort: Cohort, **columns) -> Cohort:
    return replace(cohort, sections=cohort.sections.assign(**columns))


def sides_on_slides() -> Cohort:
    """10 patients, side s0 all on slide A, s1 all on B, which has 6 times as much of niche 2; no other effect."""
    cohort = make_cohort((10,), n_sections=2, section_effect=np.log(6))
    return with_columns(cohort, batch=cohort.sections["side"].map({"s0": "A", "s1": "B"}))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"strata": ("batch",)},
        {"block": "batch"},
        {"strata": ("batch",), "covariates": ("batch",)},
        {"covariates": ("batch",)},
    ],
)
def test_strata_hold_within_patients(asked):
    """Each asks that slides are not compared with each other, and no patient has two sides on one slide."""
    table = sides_on_slides().ask("groups", column="side", **asked).table
    assert table["p"].isna().all()
    reason = "nobody has several values of side inside patient and batch"
    if not asked.get("strata") and not asked.get("block"):
        # nothing asked, or a covariate: the batch is judged, or goes with the contrast in the model
        reason = "each batch holds one group of the contrast only" if not asked else "determine the contrast"
    assert table["warnings"].str.contains(f"not testable: .*{reason}").all()


def test_strata_within_patients_compare_inside_both():
    """A second visit on other slides: differences of sides inside visits."""
    cohort = make_cohort((9,), n_sections=4, section_effect=0.8, seed=5)
    visit = cohort.sections.index.str[-1].map({"0": "v1", "1": "v1", "2": "v2", "3": "v2"})
    result = with_columns(cohort, visit=visit).ask("groups", column="side", block="patient", strata=("visit",))
    assert result.design.block_names == ("patient", "visit")
    assert len(result.design.units) == 36
    assert row_of(result, 2)["n_patients"] == 9
    assert row_of(result, 2)["effect"] == pytest.approx(_mean_of_differences(cohort, visit))


def _mean_of_differences(cohort: Cohort, visit: pd.Index) -> float:
    """Of niche 2 between sides, over patients and visits, the long way round."""
    unit = [cohort.sections["patient"].to_numpy(), visit, cohort.sections["side"].to_numpy()]
    summed = cohort.counts.groupby(unit).sum()
    logs = np.log(summed.div(summed.sum(axis=1), axis=0) + 0.001)
    ratio = logs.sub(logs.mean(axis=1), axis=0)[2]
    return (ratio.xs("s1", level=2) - ratio.xs("s0", level=2)).mean()


@pytest.fixture(scope="module")
def deaths() -> Cohort:
    """40 patients, time in ``months``, ``status``, a covariate of two values that has nothing to do with either."""
    cohort = make_cohort((20, 20))
    ward = np.where(np.arange(40) % 3 == 0, "east", "west")
    status = cohort.sections["event"].map({"0": "alive", "1": "dead"})
    sections = cohort.sections.assign(months=cohort.sections["time"], status=status, ward=ward)
    return replace(cohort, sections=sections.drop(columns=["time", "event"]))


@pytest.mark.parametrize("name", ["event", "time", "value", "unit", "patients", "block"])
@pytest.mark.parametrize("field", ["covariates", "strata"])
@pytest.mark.parametrize("question", [DEATH, {"type": "groups", "column": "group"}], ids=["survival", "groups"])
def test_names_of_columns_are_the_users(deaths, question, field, name):
    """A column called ``event`` is what its values are, and no outcome: the same p as under another name."""
    expected = deaths.ask(**question, **{field: ("ward",)}, permutations=99).table
    renamed = replace(deaths, sections=deaths.sections.rename(columns={"ward": name}))
    found = renamed.ask(**question, **{field: (name,)}, permutations=99).table
    assert expected["p"].notna().any()
    pd.testing.assert_frame_equal(found.drop(columns="model"), expected.drop(columns="model"))


@pytest.mark.parametrize("wrong", ["5O", ">60", "55 y", "55,5", "inf", "1_000"])
def test_one_wrong_number_makes_no_categories(wrong):
    cohort = make_cohort((12, 12))
    sections = cohort.sections.copy()
    sections.loc["p07_0", "age"] = wrong
    found = "'age' is a number for most patients and '{}' for p07"
    if wrong == "55 y":
        found = "'age' is a number with a unit \\('{}' for p07\\); write the number alone"
    with pytest.raises(BadInput, match=found.format(wrong)):
        replace(cohort, sections=sections).ask("groups", column="group", covariates=("age",))


@pytest.mark.parametrize("question", [{"type": "groups", "column": "group"}, DEATH], ids=["groups", "survival"])
def test_ages_with_decimal_commas_are_no_categories(deaths, question):
    """Quoted in a file with commas they are text: they made 4 to 23 columns of 0 and 1 without a word."""
    age = pd.Series([f"{40 + i % 5},5" for i in range(len(deaths.sections))], index=deaths.sections.index)
    with pytest.raises(BadInput, match=r"'40,5' for \w+ \(with a decimal point: 40\.5\)"):
        with_columns(deaths, age=age).ask(**question, covariates=("age",), permutations=99)
    assert with_columns(deaths, age=age).ask(**question, covariates=("factor(age)",), permutations=99).table is not None


def test_categories_can_be_declared():
    """Sites 1, 2, 3 are a line unless they are said to be categories."""
    cohort = make_cohort((12, 12))
    site = pd.Series(np.arange(24) % 3 + 1, index=cohort.sections.index).astype(str)
    cohort = with_columns(cohort, site=site)
    line = cohort.ask("groups", column="group", covariates=("site",)).design
    assert list(line.covariates.columns) == ["site"]
    result = cohort.ask("groups", column="group", covariates=("factor(site)", "age"))
    assert list(result.design.covariates.columns) == ["site_2", "site_3", "age"]
    assert "covariates site_2+site_3+age" in row_of(result, 2)["model"]
    sections = cohort.sections.assign(site=site.replace("2", "2b"))
    with pytest.raises(BadInput, match=r"write factor\(site\)"):
        replace(cohort, sections=sections).ask("groups", column="group", covariates=("site",))
    mixed = replace(cohort, sections=sections).ask("groups", column="group", covariates=("factor(site)",))
    assert list(mixed.design.covariates.columns) == ["site_2b", "site_3"]


@pytest.fixture(scope="module")
def graded() -> pd.DataFrame:
    sections = make_cohort((12, 12)).sections
    grade = pd.Series(np.arange(24) % 3 + 1, index=sections.index).astype(str)
    return sections.assign(grade=grade, tissue="tumour")


@pytest.mark.parametrize(
    ("subset", "kept"), [("grade != 3.0", 16), ("grade == 3.0", 8), ("grade == 1.0|3", 16), ("grade != unknown", 24)]
)
def test_values_of_a_subset_are_tidied_as_cells_are(graded, subset, kept):
    assert select(Contrast("c", "groups", subset=subset), graded).sum() == kept


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        ("tissue != Tumor", "no sample has 'Tumor' in 'tissue'; values found: tumour; did you mean 'tumour'?"),
        ("tissue == tumour & sex == f and young", "no sample has 'f and young' in 'sex'; values found: f, m"),
        ("grade == 1|4", "no sample has '4' in 'grade'; values found: 1, 2, 3"),
        ("grade == unknown", "'unknown' in 'grade' counts as missing"),
    ],
)
def test_values_of_a_subset_exist(graded, subset, message):
    with pytest.raises(BadInput) as bad:
        select(Contrast("c", "groups", subset=subset), graded)
    assert message in str(bad.value)


def test_a_level_that_nobody_has_is_named():
    cohort = make_cohort((5, 5, 5))
    with pytest.raises(BadInput, match="no sample has 'g3' in 'group'; values found: g0, g1, g2"):
        cohort.ask("ordered", column="group", levels=("g0", "g1", "g2", "g3"))


def test_spellings_of_an_event_are_one():
    """13 deaths, of which 3 are written ``Dead``, were 10 events."""
    cohort = make_cohort((15, 15))
    status = np.array(["dead"] * 10 + ["Dead"] * 3 + ["alive"] * 17)
    cohort = with_columns(cohort, months=cohort.sections["time"], status=status)
    with pytest.raises(BadInput, match="'dead', 'Dead' in 'status' are probably one value"):
        cohort.ask(**DEATH)
    alike = with_columns(cohort, status=np.char.lower(status))
    assert alike.ask(**DEATH, permutations=99).design.units["event"].sum() == 13


@pytest.mark.parametrize(
    ("codes", "value", "caution"),
    [
        (
            ("1", "2"),
            "1",
            "status is 1 or 2, and 1 is taken for the event: where R's survival wrote them, 2 is the event",
        ),
        (("dead", "alive", "lost"), "dead", "status has 3 values: all but dead count as censored (alive, lost)"),
        (("1", "2"), "2", None),
    ],
)
def test_codes_of_an_event_that_may_be_meant_otherwise(codes, value, caution):
    cohort = make_cohort((15, 15))
    status = [codes[i % len(codes)] for i in range(30)]
    cohort = with_columns(cohort, status=status, batch="b")
    result = cohort.ask(**{**DEATH, "time": "time", "event_value": value}, permutations=99)
    assert result.design.warnings == ([caution] if caution else [])
    if caution:
        assert result.table["warnings"].str.contains(caution, regex=False).all()


def test_groups_in_several_spellings_are_no_groups():
    cohort = make_cohort((15,))
    answer = np.array(["No", "NO", "no", "yes", "yes"] * 3)
    with pytest.raises(BadInput, match="'NO', 'No', 'no' in 'answer' are probably one value"):
        with_columns(cohort, answer=answer).ask("groups", column="answer")
    other = with_columns(cohort, answer=np.array(["non-responder", "Non responder", "other"] * 5))
    with pytest.raises(BadInput, match="'Non responder', 'non-responder' in 'answer'"):
        other.ask("groups", column="answer")
    assert with_columns(cohort, answer=["HER2+", "HER2-", "HER2+"] * 5).ask("groups", column="answer").design.levels


NOBODY = [
    ({"type": "groups", "column": "group"}, {"subset": "age > 1000"}, "outside the subset: 12"),
    ({"type": "groups", "column": "group"}, {"covariates": ("dose",)}, "no dose: 12"),
    ({"type": "ordered", "column": "group", "levels": ("g0", "g1")}, {"covariates": ("dose",)}, "no dose: 12"),
    ({"type": "continuous", "column": "x"}, {"covariates": ("dose",)}, "no dose: 12"),
    ({"type": "continuous", "column": "dose"}, {}, "no dose: 12"),
    ({"type": "survival", "time": "time", "event": "event", "event_value": "1"}, {"strata": ("dose",)}, "no dose: 12"),
]


@pytest.mark.parametrize(("question", "further", "reason"), NOBODY)
def test_a_contrast_that_nobody_enters_is_rows_with_the_reason(tmp_path, question, further, reason):
    from semanticst.association.output.write import write_association

    cohort = with_columns(make_cohort((6, 6)), dose=None)
    result = cohort.ask(**question, **further)
    assert len(result.table) == 6
    said = f"not testable: no patient enters this contrast ({reason})"
    assert result.table["warnings"].str.startswith(said).all()
    assert (result.table["n_patients"].fillna(0) == 0).all()
    write_association(result, tmp_path)
    assert said.encode() in (tmp_path / "c.association.json").read_bytes()
    assert (tmp_path / "c_forest.png").stat().st_size > 0


def informative(result: Association, niche: int = 2) -> int:
    return int(row_of(result, niche)["n_patients"])


def test_patients_count_that_can_be_compared():
    """Strata of 8 of g0 only, 4 and 4, and 8 of g1 only: 8 patients carry the contrast, not 24."""
    cohort = make_cohort((12, 12))
    stratum = np.repeat(["s1", "s2", "s3"], 8)
    result = with_columns(cohort, ward=stratum).ask("groups", column="group", strata=("ward",))
    assert informative(result) == 8
    assert result.design.dropped == {"nobody of another group in their ward": 16}
    assert row_of(result, 2)["n_reference"] == 4
    # the same patients, asked for by a subset
    alone = with_columns(cohort, ward=stratum).ask("groups", column="group", subset="ward == s2")
    assert row_of(result, 2)["p"] == row_of(alone, 2)["p"]


def test_patients_alone_at_their_site_are_no_targets():
    """3 targets, of whom 2 are alone at their site: one target is left, and one patient is no group."""
    cohort = make_cohort((12, 3))
    site = np.array(["a"] * 13 + ["b", "c"])
    result = with_columns(cohort, site=site).ask("groups", column="group", covariates=("site",))
    assert result.design.dropped == {"nobody of another group in their site": 2}
    assert "fewer than 3 patients in a group" in row_of(result, 2)["warnings"]


def test_batches_of_one_group_do_not_count_once_batches_are_compared_inside():
    """Batch and contrast nearly go together; patients are compared inside the two batches that have both groups."""
    cohort = make_cohort((12, 12))
    batch = np.array(["a"] * 9 + ["m"] * 3 + ["m"] * 3 + ["b"] * 9)
    result = with_columns(cohort, batch=batch).ask("groups", column="group")
    assert "compared inside batches only" in row_of(result, 2)["warnings"]
    assert informative(result) == 6


def test_time_points_that_are_added_up_are_said():
    cohort = make_cohort((6, 6), n_sections=2)
    cohort = with_columns(cohort, timepoint=cohort.sections["side"].map({"s0": "baseline", "s1": "week6"}))
    sections = cohort.sections[["patient", "group", "timepoint", "batch"]]
    caution = (
        "sections that differ in timepoint (baseline, week6) are added up in 12 patients: choose some with subset, or "
        "compare them with block"
    )
    assert build_design(Contrast("c", "groups", column="group"), sections).warnings == [caution]
    one = Contrast("c", "groups", column="group", subset="timepoint == baseline")
    assert build_design(one, sections).warnings == []
    assert build_design(Contrast("c", "groups", column="timepoint", block="patient"), sections).warnings == []


def test_the_paragraph_says_what_was_asked():
    """The figures of a request are read together with the request: subset, covariates, strata, who was left out."""
    from semanticst.association.output.summary_text import who_was_compared

    sections = make_cohort((14, 14)).sections
    cohort = replace(make_cohort((14, 14)), sections=sections.assign(ward=np.arange(28) // 2 % 2))
    cohort = with_columns(cohort, ward=cohort.sections["ward"].astype(str))
    sections = cohort.sections.copy()
    sections.loc["p27_0", "x"] = None
    asked = {"covariates": ("x",), "strata": ("ward",), "subset": "age >= 30"}
    text = who_was_compared(replace(cohort, sections=sections).ask("groups", column="group", **asked))
    assert "Asked for: samples with age >= 30; adjusted for x; compared inside strata of ward." in text
    assert "Left out: 1 patient (no x)." in text
