"""Pooling of studies: known answers, and what is not pooled."""

import numpy as np
import pandas as pd
import pytest

from helpers import invoke


def table(path, effects, se=0.5, digest="0123456789abcdef", **changes):
    """An association table with one niche per effect."""
    frame = pd.DataFrame({
        "niche": [str(i + 1) for i in range(len(effects))], "feature": "proportion", "effect": effects,
        "effect_type": "clr_difference", "se": se, "n_patients": 20, "family": "primary",
        "comparison": "b vs a", "model_digest": digest,
    } | changes)  # fmt: skip
    frame.to_csv(path, index=False)
    return path


def combined(folder, *tables):
    result = invoke("studies_combine", *tables, "--outdir", folder / "out")
    assert result.exit_code == 0, result.stderr
    return pd.read_csv(folder / "out" / "combined.csv").astype({"niche": str}).set_index("niche")


def test_fixed_effect_is_the_weighted_mean(tmp_path):
    one, two = table(tmp_path / "a.csv", [1.0], se=0.5), table(tmp_path / "b.csv", [2.0], se=1.0)
    found = combined(tmp_path, one, two).loc["1"]
    assert found["effect_fixed"] == pytest.approx((1 / 0.25 + 2 / 1) / (1 / 0.25 + 1 / 1))
    assert found["ci_high_fixed"] - found["ci_low_fixed"] == pytest.approx(2 * 1.959964 / np.sqrt(5))
    assert found["heterogeneity"] == pytest.approx((1 - 1.2) ** 2 / 0.25 + (2 - 1.2) ** 2)
    assert found["n_patients"] == 40


def test_equal_studies_have_no_heterogeneity_and_different_ones_do(tmp_path):
    tables = [table(tmp_path / f"{i}.csv", [1.0, e], se=0.2) for i, e in enumerate((1.0, -1.0, 3.0))]
    found = combined(tmp_path, *tables)
    assert (found.loc["1", "tau2"], found.loc["1", "i2"]) == (0, 0)
    assert found.loc["2", "i2"] > 0.9
    assert found.loc["2", "p_heterogeneity"] < 1e-6
    assert found["same_sign"].to_dict() == {"1": True, "2": False}
    # Paule-Mandel: Q is its expectation with tau2; of studies of one error that is their variance less the error's
    assert found.loc["2", "tau2"] == pytest.approx(4 - 0.04, rel=1e-3)
    assert found.loc["2", "effect"] == pytest.approx(1.0)
    random, fixed = (found["ci_high" + s] - found["ci_low" + s] for s in ("", "_fixed"))
    assert (random >= fixed).all()


def test_figure_and_studies_are_written(tmp_path):
    combined(tmp_path, table(tmp_path / "a.csv", [1.0, 0.2]), table(tmp_path / "b.csv", [0.8, -0.1]))
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "combined.csv", "combined_studies.csv", "combined_forest.png", "combined_forest.pdf",
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "out" / "combined_studies.csv")) == 4


def test_rows_without_an_error_are_left_out(tmp_path):
    one, two = table(tmp_path / "a.csv", [1.0, 1.0], se=[0.5, np.nan]), table(tmp_path / "b.csv", [1.0, 1.0])
    assert combined(tmp_path, one, two).index.tolist() == ["1"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "fedcba9876543210"}, "another model"),
        ({"digest": ""}, "expected one model_digest"),
        ({"comparison": "c vs a"}, "no niche, feature and comparison is in two"),
        ({"effect_type": "clr_slope_per_sd"}, "no niche, feature and comparison is in two"),
    ],
)
def test_what_is_not_of_one_model_or_question_is_refused(tmp_path, changes, said):
    tables = table(tmp_path / "a.csv", [1.0]), table(tmp_path / "b.csv", [1.0], **changes)
    result = invoke("studies_combine", *tables, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert said in result.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_table_without_standard_errors_is_refused(tmp_path):
    one, two = table(tmp_path / "a.csv", [1.0]), table(tmp_path / "b.csv", [1.0])
    pd.read_csv(two).drop(columns="se").to_csv(two, index=False)
    result = invoke("studies_combine", one, two, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "column 'se'" in result.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"se": np.nan}, "no row has an effect and its standard error"),
        ({"se": "0,43"}, "row 2, column 'se': found '0,43': is no number with a decimal point"),
        ({"n_patients": np.nan}, "row 2, column 'n_patients': is empty"),
        ({"niche": "1"}, "row 3, column 'niche': found '1': stands there twice, for proportion, b vs a"),
        ({}, "has the very numbers of Bern"),
    ],
)
def test_what_would_mislead_is_refused_and_says_which_study(tmp_path, changes, said):
    places = [tmp_path / city for city in ("bern", "oslo")]
    for place in places:
        place.mkdir()
    tables = table(places[0] / "arm.csv", [1.0, 2.0]), table(places[1] / "arm.csv", [1.0, 2.0], **changes)
    result = invoke("studies_combine", *tables, "--study", "Bern", "--study", "Oslo", "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert f"Oslo ({places[1]}" in result.stderr
    assert said in result.stderr


def test_slopes_are_pooled_per_unit_of_the_variable(tmp_path):
    """Each study states them per SD of its own patients: these have SDs of 2 and 4 and the same slope of 0.5."""
    tables = [
        table(tmp_path / f"{sd}.csv", [0.5 * sd], se=0.1 * sd, effect_type="clr_slope_per_sd",
              comparison=f"per SD of age (years) ({sd})", n_patients=10 * sd)
        for sd in (2, 4)
    ]  # fmt: skip
    found = combined(tmp_path, *tables).loc["1"]
    assert (found["comparison"], found["effect_type"]) == ("per unit of age (years)", "clr_slope_per_unit")
    assert (found["effect"], found["tau2"]) == (pytest.approx(0.5), 0)
    assert found["ci_high_fixed"] - found["effect_fixed"] == pytest.approx(1.959964 * 0.1 / np.sqrt(2))


@pytest.mark.parametrize(
    "changes", [{}, {"n_patients": 19}, {"effects": [1.00001, 0.2, -0.4]}, {"effects": [1.0, 0.2]}]
)
def test_one_study_that_was_tested_twice_is_no_second_study(tmp_path, changes):
    one = table(tmp_path / "a.csv", [1.0, 0.2, -0.4])
    other = table(tmp_path / "b.csv", **{"effects": [1.0, 0.2, -0.4]} | changes)
    result = invoke("studies_combine", one, other, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "one study would count twice" in result.stderr


@pytest.mark.parametrize(
    ("column", "value"), [("se", -0.5), ("se", 1e-200), ("effects", [1e300]), ("n_patients", 2.5), ("n_patients", -5)]
)
def test_numbers_that_cannot_be_are_refused(tmp_path, column, value):
    one, two = table(tmp_path / "a.csv", [1.0]), table(tmp_path / "b.csv", **{"effects": [1.1], column: value})
    result = invoke("studies_combine", one, two, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "row 2" in result.stderr
    assert "cannot be" in result.stderr
    assert "np." not in result.stderr


def test_brackets_that_hold_no_sd_are_a_part_of_the_name(tmp_path):
    asked = "per SD of dose (mg)"
    tables = [table(tmp_path / f"{e}.csv", [e], comparison=asked, effect_type="clr_slope_per_sd") for e in (1.0, 1.5)]
    assert combined(tmp_path, *tables).loc["1", "comparison"] == asked


def test_questions_that_differ_are_shown_side_by_side(tmp_path):
    tables = table(tmp_path / "a.csv", [1.0]), table(tmp_path / "b.csv", [1.0], comparison="per SD of age")
    result = invoke("studies_combine", *tables, "--study", "Bern", "--study", "Oslo", "--outdir", tmp_path / "out")
    assert "Bern: b vs a (clr_difference); Oslo: per SD of age (clr_difference)" in result.stderr


def test_study_that_is_in_no_pooled_row_is_told(tmp_path):
    """Its groups are the other way round: it would be left out without a word."""
    tables = [table(tmp_path / f"{i}.csv", [1.0 + i, 0.5]) for i in range(2)]
    tables += [table(tmp_path / "r.csv", [-1.0], comparison="a vs b"), table(tmp_path / "m.csv", [1.5, 2, 3])]
    names = [word for name in ("Bern", "Oslo", "Lyon", "Rom") for word in ("--study", name)]
    result = invoke("studies_combine", *tables, *names, "--outdir", tmp_path / "out")
    assert result.exit_code == 0
    assert "2 rows pooled, from 3 studies" in result.stderr
    assert "WARNING: Lyon: nothing of it is pooled" in result.stderr
    assert "it asks: a vs b (clr_difference). The others ask: b vs a (clr_difference)" in result.stderr
    assert "Rom: 1 of its 3 rows are in no other table" in result.stderr
    assert "Bern: " not in result.stderr


def test_row_without_a_digest_is_refused(tmp_path):
    digest = ["0123456789abcdef", ""]
    one, two = table(tmp_path / "a.csv", [1.0, 2.0]), table(tmp_path / "b.csv", [1.1, 1.5], digest=digest)
    result = invoke("studies_combine", one, two, "--outdir", tmp_path / "out")
    assert result.exit_code == 3
    assert "row 3, column 'model_digest'" in result.stderr


def test_tables_that_a_spreadsheet_wrote_anew_are_read(tmp_path):
    one, two = table(tmp_path / "a.csv", [1.0]), table(tmp_path / "b.csv", [3.0])
    pd.read_csv(two).to_csv(two, sep=";", index=False)
    assert combined(tmp_path, one, two).loc["1", "effect"] == pytest.approx(2)


def test_one_table_or_one_name_twice_is_wrong_usage(tmp_path):
    one = table(tmp_path / "a.csv", [1.0])
    assert invoke("studies_combine", one, "--outdir", tmp_path / "out").exit_code == 2
    names = ["--study", "Bern", "--study", "Oslo"]
    result = invoke("studies_combine", one, one, *names, "--outdir", tmp_path / "out")
    assert result.exit_code == 2
    assert "a table is given twice" in result.stderr
