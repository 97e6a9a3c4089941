"""Planning a study: variance components, power against its closed form, and what more patients and sections bring."""

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import make_cohort
from semanticst.association.design.tables import Contrast
from semanticst.association.planning.plan import draw_power, given_variance, plan_study
from semanticst.association.planning.power import Study, closed_form, power
from semanticst.association.planning.variance import variance_components
from semanticst.errors import BadInput
from semanticst.units import percent


@pytest.mark.parametrize(("patients", "effect"), [(8, 1.2), (10, 1.0), (20, 0.5), (20, 1.0)])
def test_two_groups_with_one_section_agree_with_the_t_test(patients, effect):
    study = Study("groups", patients, 1, effect, 0.8, 0.5)
    assert -0.03 < power(study, 4000, seed=1)["power"] - closed_form(study) < 0.02


def test_closed_form_is_the_one_of_textbooks():
    """Cohen (1988): 64 per group give 80 % for d = 0.5, 34 pairs the same for d_z = 0.5."""
    assert closed_form(Study("groups", 64, 1, 0.5, 1.0, 0.0)) == pytest.approx(0.80, abs=0.005)
    assert closed_form(Study("paired", 34, 2, 0.5, 9.0, 1.0)) == pytest.approx(0.81, abs=0.01)


def test_pairs_do_not_depend_on_differences_between_patients():
    study = Study("paired", 10, 2, 0.6, 0.8, 0.5)
    assert power(study, 2000, seed=2)["power"] == pytest.approx(closed_form(study), abs=0.03)
    assert power(Study("paired", 10, 2, 0.6, 8.0, 0.5), 2000, seed=2)["power"] == power(study, 2000, seed=2)["power"]


def test_weak_hazard_ratios_agree_with_the_closed_form_and_strong_ones_are_below_it():
    weak = Study("survival", 80, 2, 0.4, 0.8, 0.5)
    assert power(weak, 1500, seed=3)["power"] == pytest.approx(closed_form(weak), abs=0.04)


def test_without_an_effect_the_level_is_kept():
    for design in ("groups", "paired", "survival"):
        found = power(Study(design, 12 if design != "survival" else 33, 2, 0.0, 0.8, 0.5, 5), 3000, seed=4)
        assert 0.035 <= found["power"] <= 0.065
        assert 0.005 <= found["power_corrected"] <= 0.016


def test_more_patients_always_help_and_more_sections_only_against_their_own_noise():
    base = power(Study("groups", 10, 1, 1.0, 0.5, 1.0), 2000, 5)["power"]
    assert power(Study("groups", 20, 1, 1.0, 0.5, 1.0), 2000, 5)["power"] > base + 0.1
    assert power(Study("groups", 10, 4, 1.0, 0.5, 1.0), 2000, 5)["power"] > base + 0.1
    assert power(Study("groups", 10, 4, 1.0, 1.0, 0.0), 2000, 5) == power(
        Study("groups", 10, 1, 1.0, 1.0, 0.0), 2000, 5
    )


def test_variance_components_of_simulated_patients_come_back():
    """Equal and unequal numbers of sections: the mean of many estimates of the variance is the planted one."""
    rng = np.random.default_rng(0)
    between, within = [], []
    for _ in range(150):
        n_sections = np.resize([1, 2, 5, 3], 16)
        patient = np.repeat(np.arange(16), n_sections)
        logs = np.zeros((len(patient), 2))
        half = 0.4 * rng.normal(size=16)[patient] + 0.25 * rng.normal(size=len(patient)) + 0.5 * (patient >= 8)
        logs[:, 0], logs[:, 1] = half, -half
        share = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
        samples = [f"s{i}" for i in range(len(patient))]
        counts = pd.DataFrame((1e7 * share).astype(int), index=samples, columns=[1, 2])
        group = np.where(patient >= 8, "b", "a")
        sections = pd.DataFrame({"patient": [f"p{p:02d}" for p in patient], "group": group}, index=samples)
        row = variance_components(counts, sections, Contrast("c", "groups", column="group")).iloc[0]
        between.append(row["sd_between"] ** 2)
        within.append(row["sd_within"] ** 2)
    assert np.mean(between) == pytest.approx(0.16, rel=0.1)
    assert np.mean(within) == pytest.approx(0.0625, rel=0.05)


def test_agreement_of_sections_is_the_patients_part_of_the_variance():
    cohort = make_cohort((8, 8), n_sections=3)
    table = variance_components(cohort.counts, cohort.sections)
    between, within = table["sd_between"] ** 2, table["sd_within"] ** 2
    assert table["icc"].tolist() == pytest.approx((between / (between + within)).tolist())
    assert (table["icc"] > 0.3).all()


def test_one_section_per_patient_has_no_variance_within():
    cohort = make_cohort((8, 8))
    table = variance_components(cohort.counts, cohort.sections)
    assert table["sd_within"].isna().all()
    assert (table["sd_between"] > 0).all()
    assert table.loc[0, ["n_patients", "n_sections"]].tolist() == [16, 16]


def test_sentence_names_the_smallest_study_that_reaches_the_target(tmp_path):
    text = plan_study(given_variance(0.8, 0.5), tmp_path, patients=(5, 10, 20), sections=(1, 3), effects=(1.2, 0.2),
                      niches=4, studies=400)  # fmt: skip
    table = pd.read_csv(tmp_path / "power.csv")
    enough = table[(table["effect"] == 1.2) & (table["power_corrected"] >= 0.8)].sort_values(["patients", "sections"])
    row = enough.iloc[0]
    each = f"{row['sections']} section" + ("s" if row["sections"] > 1 else "")
    assert (
        f"With {row['patients']} patients per group and {each} each the study has {percent(row['power_corrected'])} "
        "power" in text
    )
    assert "For a difference of 0.2 in the log-ratio of a niche (about 1.2 times as frequent) none of these" in text
    assert "corrected for 4 niches" in text
    assert (tmp_path / "power.txt").read_text().strip() == text
    assert len(draw_power(table, 0.8).axes) == 2
    assert {"power.png", "power.pdf"} <= {p.name for p in tmp_path.iterdir()}


def test_pairs_without_any_variance_within_are_refused(tmp_path):
    with pytest.raises(BadInput, match="sd-within"):
        plan_study(given_variance(0.8, None), tmp_path, design="paired", patients=(5,), sections=(1,), effects=(1.0,))


def test_survival_with_many_tests_has_power():
    """E1: with more than 50 tests the level lay below the floor of 999 permutations, and power was exactly 0."""
    found = power(Study("survival", 200, 1, 1.1, 0.8, 0.0, n_tests=60, events=0.5), 100, 0)
    assert found["power_corrected"] > 0.9


def test_patients_who_answer_differently_cost_power_that_sections_do_not_buy():
    """E2: 10 patients, 8 sections a side: 0.81 planned, 0.65 in fact."""
    alike = power(Study("paired", 10, 8, 0.35, 0.8, 0.5), 400, 0)
    differ = power(Study("paired", 10, 8, 0.35, 0.8, 0.5, sd_response=0.3), 400, 0)
    assert alike["power"] - differ["power"] > 0.1
    assert differ["power"] == pytest.approx(differ["closed_form"], abs=0.08)


def test_the_response_of_patients_is_estimated_from_pairs():
    rng = np.random.default_rng(0)
    patient, side, n = np.repeat(np.arange(60), 6), np.tile(np.repeat([0, 1], 3), 60), 360
    logs = np.linspace(0.5, -0.5, 4) + 0.8 * rng.normal(size=(60, 4))[patient] + 0.2 * rng.normal(size=(n, 4))
    logs += 0.5 * rng.normal(size=(60, 4))[patient] * side[:, None]
    share = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    counts = pd.DataFrame((1e6 * share).astype(int), [f"s{i:03d}" for i in range(n)], [1, 2, 3, 4])
    sections = pd.DataFrame({"patient": [f"p{p:02d}" for p in patient], "side": side.astype(str)}, counts.index)
    table = variance_components(counts, sections, Contrast("c", "groups", column="side", block="patient"))
    # centring over four niches leaves 3/4 of the variance
    assert table["sd_response"].mean() == pytest.approx(0.5 * np.sqrt(3 / 4), abs=0.06)


def test_a_study_that_would_not_be_tested_has_no_power():
    """E3: 5 patients with 2 events had 0.075."""
    found = power(Study("survival", 5, 1, 1.1, 0.8, 0.0, events=0.3), 100, 0)
    assert found["power"] == 0
    assert found["not_testable"].startswith("not testable: 2 events")
