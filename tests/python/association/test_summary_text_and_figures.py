"""What a reader gets: sentences with the table's numbers, figures, sections of the report."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.checks.arbitrary_cuts import ARBITRARY, of_arbitrary_cuts
from semanticst.association.checks.unreproducible import of_unsure_niches
from semanticst.association.output.composition_plot import composition
from semanticst.association.output.forest_plot import forest
from semanticst.association.output.kaplan_meier import survival_curves
from semanticst.association.output.patient_plot import patients
from semanticst.association.output.summary_text import finding, p_text, paragraph, top_markers_text
from semanticst.association.output.write import record, write_association
from semanticst.plotting.palette import niche_colour
from semanticst.plotting.style import row_colour

SURVIVAL = {"time": "time", "event": "event", "event_value": "1"}


def test_paragraph_of_a_finding():
    result = make_cohort((10, 10), n_sections=2, effect=2.5).ask("groups", column="group")
    text, row = paragraph(result), row_of(result, 2)
    assert text.startswith("20 patients (40 sections), group: g0 (n = 10), g1 (n = 10), reference g0.")
    joint = row_of(result, "all")
    assert (
        f"composition as a whole is associated with group ({p_text(joint['p'])}, {100 * joint['effect']:.0f} % expl"
        in text
    )
    sentence = (
        f"Niche 2 covers on average {100 * row['mean_target']:.1f} % in g1 "
        f"and {100 * row['mean_reference']:.1f} % in g0: log-ratio difference {row['effect']:+.2f} "
        f"(95 % CI {row['ci_low']:.2f} to {row['ci_high']:.2f}), "
        f"{row['percentage_points']:+.1f} percentage points (95 % CI {row['percentage_points_low']:.1f} "
        f"to {row['percentage_points_high']:.1f}), {p_text(row['q'], 'q')}; 20 patients; "
        f"agrees in {row['n_agree']} of {row['n_analyses']} other analyses."
    )
    assert sentence in text
    n_found = (result.primary["q"] < 0.05).sum()
    assert re.search(rf"{n_found} of 5 tests pass(es)? a false discovery rate", text)
    assert "Proportions add up to one" in text


def test_paragraph_without_a_finding_says_what_could_have_been_found():
    result = make_cohort((6, 6)).ask("groups", column="group")
    text = paragraph(result)
    assert "Nothing passes a false discovery rate of 5 % (5 tests); smallest q: Niche" in text
    assert f"an effect of about {result.primary['detectable_effect'].median():.2f}" in text


def test_what_could_have_been_found_has_a_unit_and_is_no_absurd_number():
    """The logarithm of 40 000 times stood there as "an effect of about 10.68"."""
    result = make_cohort((6, 6)).ask("groups", column="group")
    least = result.primary["detectable_effect"].median()
    assert f"an effect of about {least:.2f} (CLR difference, {np.exp(least):.1f} times) would have been" in paragraph(
        result
    )
    result.table["detectable_effect"] = result.table["detectable_effect"].where(lambda x: x.isna(), 10.68)
    text = paragraph(result)
    assert "Even effects of 20 times would mostly have been missed at p < 0.05 / 5" in text
    assert "10.68" not in text


def test_percentage_points_of_another_sign_are_left_out():
    """A sentence said: less of it, -0.11 per SD, +0.3 percentage points."""
    result = make_cohort((8, 8)).ask("continuous", column="x")
    row = row_of(result, 1)
    same, other = (row.copy() for _ in range(2))
    same["percentage_points"] = abs(row["percentage_points"]) * np.sign(row["effect"])
    other["percentage_points"] = -same["percentage_points"]
    assert "percentage points" in finding(result, same)
    assert "percentage points" not in finding(result, other)


def test_three_groups_are_answered_by_the_test_over_all_of_them():
    """A bold q in the table and "nothing passes" above it contradicted each other."""
    result = make_cohort((9, 9, 9), effect=1.2).ask("groups", column="group")
    found = result.primary[result.primary["q"] < 0.05].sort_values("p")
    text = paragraph(result)
    assert f"{len(found)} of 5 tests pass" in text
    first = found.iloc[0]
    assert (
        f"Niche {first['niche']}: levels of group explain {100 * first['effect']:.0f} % of its variance, "
        f"{p_text(first['q'], 'q')}; 27 patients." in text
    )
    pair = result.pairs_of(first).iloc[0]
    assert f"{p_text(pair['q'], 'p adjusted by Holm')}; 18 patients." in text
    assert record(result, [])["n_found"] == len(found)
    assert record(result, [])["n_tests"]["primary"] == 5
    nothing = make_cohort((6, 6, 6)).ask("groups", column="group")
    assert "Nothing passes a false discovery rate of 5 % (5 tests); smallest q: Niche" in paragraph(nothing)
    assert record(nothing, [])["n_tests"]["pairwise"] == 0
    # pairs that were not tested have no level, and so no effect that would have been found
    assert nothing.table["detectable_effect"].isna().all()
    assert "would have been found" not in paragraph(nothing)


def test_smallest_hazard_ratio_that_could_have_been_found():
    result = make_cohort((30,)).ask("survival", **SURVIVAL)
    ratio = np.exp(result.primary["detectable_effect"].median())
    assert f"a hazard ratio of about {ratio:.1f} (or {1 / ratio:.2f}) per SD" in paragraph(result)


def test_paragraph_of_untestable_contrast_gives_the_reason():
    text = paragraph(make_cohort((2, 9)).ask("groups", column="group"))
    assert "Nothing could be tested: fewer than 3 patients in a group" in text


def test_what_does_not_prevent_a_test_is_no_reason_why_there_is_none():
    """Two patients of a group prevent it; doubtful niches, and what the design says of the rest, do not."""
    result = make_cohort((2, 9)).ask("groups", column="group")
    table = of_unsure_niches(result.table, {"1", "3"})
    result = replace(result, table=of_arbitrary_cuts(table))
    text = paragraph(result)
    assert "Nothing could be tested: fewer than 3 patients in a group." in text
    assert text.count("fewer than 3 patients in a group") == text.count(ARBITRARY) == 1
    few = make_cohort((4,)).ask("survival", **SURVIVAL)
    drawn = survival_curves(replace(few, table=of_arbitrary_cuts(few.table)))
    [said] = drawn.axes[0].texts
    assert re.fullmatch(r"not testable: \d events? in 4 patients, 3 in 6 are needed", said.get_text())


def test_paragraph_names_who_was_left_out_and_what_holds_for_all_rows():
    cohort = make_cohort((8, 8))
    sections = cohort.sections.assign(batch=["b1"] * 8 + ["b2"] * 8)
    sections.loc["p00_0", "age"] = None
    text = paragraph(
        Cohort(sections, cohort.counts, cohort.clinical).ask("groups", column="group", covariates=("age",))
    )
    assert "Left out: 1 patient (no age)." in text
    assert "Nothing could be tested: each batch holds one group of the contrast only" in text


def test_sentences_of_other_types():
    cohort = make_cohort((8, 8, 8), effect=1.0)
    ordered = cohort.ask("ordered", column="group", levels=("g0", "g1", "g2"))
    row = row_of(ordered, 2, "trend g0 < g1 < g2")
    assert f"log-ratio change per step {row['effect']:+.2f}" in finding(ordered, row)
    assert f"{100 * row['mean_target']:.1f} % in g2 and {100 * row['mean_reference']:.1f} % in g0" in finding(
        ordered, row
    )
    number = cohort.ask("continuous", column="x")
    row = row_of(number, 1)
    course = "more" if row["effect"] > 0 else "less"
    assert f"{course} of it with higher x, {row['effect']:+.2f} per SD" in finding(number, row)
    survival = cohort.ask("survival", **SURVIVAL)
    row = row_of(survival, 1)
    text = finding(survival, row)
    assert f"hazard ratio {row['hazard_ratio']:.2f} per SD" in text
    assert f"{int(row['n_events'])} events; higher abundance, {'shorter' if row['effect'] > 0 else 'longer'}" in text


@pytest.mark.parametrize(("p", "text"), [(0.00001, "p < 0.001"), (0.0123, "p = 0.012"), (0.456, "p = 0.46")])
def test_p_in_words(p, text):
    assert p_text(p) == text


def panel_titles(figure) -> list[str]:
    return [ax.get_title() or ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]


def test_forest_shows_every_niche_with_its_colour_and_interval():
    result = make_cohort((8, 8), effect=2.5).ask("groups", column="group")
    figure = forest(result)
    ax = figure.axes[0]
    # the largest effect stands first
    order = sorted(range(1, 6), key=lambda k: -row_of(result, k)["effect"])
    assert order != sorted(order)
    bold = [t.get_fontweight() == "bold" for t in ax.texts]
    assert bold == [row_of(result, k)["q"] < 0.05 for k in order]
    assert set(bold) == {True, False}
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"Niche {k}" for k in order]
    dots = [(tuple(c.get_offsets()[0]), c.get_facecolor()[0]) for c in ax.collections]
    for place, (k, ((x, y), colour)) in enumerate(zip(order, dots)):
        row = row_of(result, k)
        assert (x, y) == (pytest.approx(row["effect"]), place)
        assert "#{:02X}{:02X}{:02X}".format(*(int(round(255 * c)) for c in colour[:3])) == niche_colour(k)
        assert ax.lines[place].get_xdata().tolist() == pytest.approx([row["ci_low"], row["ci_high"]])


def test_forest_of_several_groups_has_a_panel_a_pair():
    result = make_cohort((5, 5, 5)).ask("groups", column="group")
    figure = forest(replace(result, top_markers={"1": "A, B and C"}))
    assert panel_titles(figure) == ["g1 vs g0", "g2 vs g0", "g2 vs g1"]
    # read against each other, so on one axis
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert "Niche 1\nA, B and C" in [t.get_text() for t in figure.axes[0].get_yticklabels()]
    # pairs of niches that do not pass over all levels have no p
    said = [t.get_text() for ax in figure.axes for t in ax.texts]
    assert any("not tested" in text for text in said)
    assert not any("nan" in text for text in said)


def test_composition_is_sorted_by_group_and_by_the_leading_niche():
    result = make_cohort((7, 9), n_niches=22, effect=2.5).ask("groups", column="group")
    figure = composition(result)
    assert panel_titles(figure) == ["g0 (n = 7)", "g1 (n = 9)"]
    leading = result.primary.sort_values("p", kind="stable")["niche"].iloc[0]
    for ax, group in zip(figure.axes, ("g0", "g1")):
        first, *others = ax.containers
        assert first.get_label() == f"Niche {leading}"
        heights = [bar.get_height() for bar in first]
        assert heights == sorted(heights, reverse=True)
        patients_of = result.design.units.index[result.design.units["value"] == group]
        assert {t.get_text() for t in ax.get_xticklabels()} == set(patients_of)
        # more niches than colours: told apart by hatches
        hatched = {bars.get_label() for bars in (first, *others) if bars[0].get_hatch()}
        assert hatched == {"Niche 21", "Niche 22"}


def test_composition_of_survival_and_of_a_number():
    cohort = make_cohort((12, 12))
    events = panel_titles(composition(cohort.ask("survival", **SURVIVAL)))
    assert [title.split(" (")[0] for title in events] == ["event", "censored"]
    assert panel_titles(composition(cohort.ask("continuous", column="x"))) == ["by x, rising"]


def test_points_lie_apart_inside_their_level():
    result = make_cohort((15, 15)).ask("groups", column="group")
    shown = result.features.shown.copy()
    shown["proportion", "1"] = 0.0
    figure = patients(replace(result, features=replace(result.features, shown=shown)))
    dots = figure.axes[0].collections[0].get_offsets()
    for level, places in enumerate((dots[:15, 0], dots[15:, 0])):
        assert len(set(np.round(places, 4))) == 15
        assert np.abs(places - level).max() < 0.4
    # quartiles as a box
    box = figure.axes[1].patches[0]
    of_level = 100 * result.features.shown["proportion", "2"].to_numpy()[:15]
    assert (box.get_y(), box.get_y() + box.get_height()) == pytest.approx(tuple(np.quantile(of_level, [0.25, 0.75])))


def test_untestable_rows_are_drawn_as_such():
    figure = forest(make_cohort((2, 9)).ask("groups", column="group"))
    assert [t.get_text() for t in figure.axes[0].texts] == ["not testable"] * 5


def test_every_patient_is_a_point():
    result = make_cohort((7, 9)).ask("groups", column="group")
    figure = patients(result)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 5
    for k, ax in enumerate(shown, start=1):
        points = ax.collections[0].get_offsets()
        assert len(points) == 16
        np.testing.assert_allclose(points[:, 1], 100 * result.features.shown["proportion", str(k)])
        assert (np.round(points[:, 0]) == np.repeat([0, 1], (7, 9))).all()


def test_survival_curves_have_numbers_at_risk():
    result = make_cohort((40,)).ask("survival", **SURVIVAL)
    figure = survival_curves(result)
    axes = [ax for part in figure.subfigs for ax in part.axes]
    assert len(axes) == 8
    numbers = [t.get_text() for t in axes[1].texts if t.get_text().isdigit()]
    share = result.features.shown["proportion", result.primary["niche"].iloc[0]]
    above = int((share > share.median()).sum())
    assert numbers[0] == str(above)
    assert str(40 - above) in numbers
    # confidence bands of both curves
    assert len(axes[0].collections) == 2
    assert axes[1].get_xlabel() == "time (time, unit as given)"


def test_rows_about_all_niches_have_no_niche_colour():
    assert row_colour("all") not in {niche_colour(k) for k in range(1, 21)}


def test_files_of_a_contrast(tmp_path):
    cohort = make_cohort((6, 6), effect=2.5)
    result = cohort.ask("groups", column="group")
    write_association(result, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "association_c_composition_mqc.json",
        "association_c_forest_mqc.json",
        "association_c_mqc.json",
        "association_c_patients_mqc.json",
        "c.association.json",
        "c.csv",
        "c_composition.pdf",
        "c_composition.png",
        "c_forest.pdf",
        "c_forest.png",
        "c_patients.pdf",
        "c_patients.png",
        "c_sensitivity.csv",
    ]
    for name in ("composition", "forest", "patients"):
        picture = imread(tmp_path / f"c_{name}.png")
        assert picture.shape[1] > 600
        assert picture[..., :3].std() > 0.05
    record = json.loads((tmp_path / "c.association.json").read_text())
    assert record["paragraph"] == paragraph(result)
    assert record["n_tests"] == {"primary": 5, "composition": 1}
    assert record["levels"] == {"g0": 6, "g1": 6}
    assert len(record["units"]) == 12
    assert record["settings"]["pseudo_share"] == 0.001
    section = json.loads((tmp_path / "association_c_mqc.json").read_text())
    assert section["parent_id"] == "association"
    first = result.table.iloc[0]
    assert section["data"][f"Niche {first['niche']}"]["effect"] == pytest.approx(first["effect"])
    assert "All niches together (R²)" in section["data"]


def test_what_levels_explain_is_no_difference(tmp_path):
    write_association(make_cohort((6, 6, 6)).ask("groups", column="group"), tmp_path)
    section = json.loads((tmp_path / "association_c_mqc.json").read_text())
    row = next(values for name, values in section["data"].items() if name.startswith("Niche 1"))
    assert 0 <= row["explained"] <= 1
    assert "effect" not in row
    assert "partial eta squared" in section["headers"]["explained"]["description"]


def test_markup_in_the_users_words_is_escaped(tmp_path):
    cohort = make_cohort((6, 6))
    group = cohort.sections["group"].replace({"g1": "<b>bold</b>"})
    result = Cohort(cohort.sections.assign(group=group), cohort.counts, cohort.clinical).ask("groups", column="group")
    write_association(result, tmp_path)
    section = json.loads((tmp_path / "association_c_mqc.json").read_text())
    assert "<b>bold" not in section["description"]


def test_sentence_says_what_the_niche_is_rich_in(tmp_path):
    path = tmp_path / "niche_markers.csv"
    path.write_text("niche,symbol,log2_fold_change,rank\n2,CD8A,2,1\n2,CD4,0.3,2\n2,KRT,0.2,3\n1,CD8A,-1,1\n")
    result = make_cohort((10, 10), effect=2.5).ask("groups", column="group")
    # niche 1 has no difference worth naming, as in the table of niches
    assert top_markers_text(path) == {"2": "CD8A and CD4"}
    marked = replace(result, top_markers=top_markers_text(path))
    assert "Niche 2, enriched for CD8A and CD4, covers on average" in paragraph(marked)
    survival = replace(make_cohort((30,)).ask("survival", **SURVIVAL), top_markers={"2": "CD8A"})
    assert finding(survival, row_of(survival, 2)).startswith("Niche 2, enriched for CD8A: hazard ratio")
