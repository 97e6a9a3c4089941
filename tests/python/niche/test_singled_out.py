"""One rule of when the tissue singles out a number of niches, for the choice and for all that is said of it."""

import numpy as np
import pandas as pd
import pytest

from semanticst import constants
from semanticst.constants import AUTO_LARGEST, is_convention, is_singled_out
from semanticst.niche.choose_k import (
    about_as_stable,
    choose_number,
    highest_peak,
    is_supported,
    report_curve,
    stability_peaks,
)
from semanticst.report.run_record import run_facts
from semanticst.report.summary_sentences import niches_sentence


@pytest.mark.parametrize(
    ("tried", "alike", "singled_out", "convention"),
    [
        (range(2, 9), [4], True, False),
        (range(2, 9), [4, 5, 6], True, False),
        (range(2, 9), [3, 4, 5, 6], False, True),
        (range(3, 9), [3, 4, 5, 6], False, False),  # 2 is needed to see whether 3 is a peak
        ([2, 3, 4, 6, 7, 8], [4, 6, 7, 8], False, False),
        (range(8, 1, -1), [3, 4, 5, 6], False, False),
        ([7], [7], True, False),
        (range(2, 9), [], True, False),  # a table of before they were recorded
    ],
)
def test_the_tissue_singles_out_a_number_or_it_is_a_convention(tried, alike, singled_out, convention):
    for numbers in (tried, pd.Series(tried), np.array(tried)):
        assert is_convention(numbers, alike) is convention
    for several in (alike, pd.Series(alike), np.array(alike)):
        assert is_singled_out(several) is singled_out


def said_of(curve: pd.DataFrame, folder) -> dict[str, bool]:
    """By which step the number is taken for one that the tissue does not single out."""
    chosen = choose_number(curve)
    curve = curve.assign(about_as_stable=about_as_stable(curve, chosen), chosen=curve["k"] == chosen)
    curve.to_csv(folder / "niche_k.csv", index=False)
    report_curve(curve, folder)
    section = (folder / "niche_k_mqc.json").read_text()
    niches = {"number": chosen, "mapped": False, "supported": True, "judged": False, "one_patient": False,
              "about_as_stable": curve["k"][curve["about_as_stable"]].tolist()}  # fmt: skip
    return {
        "choice": chosen != highest_peak(curve),
        "report": "does not single out a number" in section,
        "convention in the report": "a convention" in section,
        "methods text": run_facts([], None, numbers=folder / "niche_k.csv")["ran_k_alike"] is not None,
        "summary": "does not single out their number" in niches_sentence(niches),
    }


FLAT = [0.6, 0.2, 0.30, 0.36, 0.38, 0.40, 0.39, 0.41, 0.40, 0.42, 0.40]
"""Stability of 2 to 12 niches: 6 to 12 are not less stable than 11 by two standard errors."""


def flat_curve() -> pd.DataFrame:
    k = np.arange(2, 2 + len(FLAT))
    return pd.DataFrame({"k": k, "bic": k / 10, "stability": FLAT, "stability_sd": 0.08, "pairs": 20,
                         "zero": 0.1, "supported": True})  # fmt: skip


@pytest.mark.parametrize(("most", "singled_out"), [(3, False), (6, False), (7, True)])
def test_choice_report_methods_text_and_summary_follow_one_rule(tmp_path, monkeypatch, most, singled_out):
    monkeypatch.setattr(constants, "SINGLED_OUT", most)
    assert set(said_of(flat_curve(), tmp_path).values()) == {not singled_out}


def test_of_a_list_with_gaps_the_most_stable_is_taken_and_no_convention(tmp_path):
    curve = flat_curve()
    found = said_of(curve[curve["k"] != 4].reset_index(drop=True), tmp_path)
    assert {step for step, not_singled_out in found.items() if not_singled_out} == {"report", "summary"}


def curve_of(stability: list[float], sd: float = 0.02, zero: float = 0.1) -> pd.DataFrame:
    """Of 2 and more niches; the best by BIC are the most."""
    k = np.arange(2, 2 + len(stability))
    return pd.DataFrame({"k": k, "bic": k / 10, "stability": stability, "stability_sd": sd, "pairs": 20,
                         "zero": zero, "zero_sd": 0.02, "zero_pairs": 8}).assign(supported=is_supported)  # fmt: skip


FALLING = [0.95, 0.85, 0.65, 0.55, 0.5, 0.45, 0.45, 0.45, 0.44, 0.45, 0.44]
"""As of tissue of two domains: where it ends to fall, numbers are not less stable than their neighbours."""


def test_the_end_of_a_fall_is_no_peak():
    curve = curve_of(FALLING)
    assert not stability_peaks(curve).any()
    assert choose_number(curve) == 3
    assert curve["k"][about_as_stable(curve, 3)].tolist() == [3]


def test_what_rises_again_is_a_peak_however_stable_few_niches_are():
    curve = curve_of([0.97, 0.9, 0.5, 0.65, 0.55, 0.45, 0.45, 0.44])
    assert curve["k"][stability_peaks(curve)].tolist() == [5]
    assert choose_number(curve) == 5
    # 3 niches are more stable, which is something else than about as stable
    assert curve["k"][about_as_stable(curve, 5)].tolist() == [5]


def test_a_level_stretch_below_a_number_about_as_stable_keeps_its_peaks():
    curve = curve_of([0.7, 0.5, 0.42, 0.42, 0.42, 0.41], sd=0.2)
    assert curve["k"][stability_peaks(curve)].tolist() == [4, 5, 6]


def text_of(curve: pd.DataFrame, folder) -> str:
    chosen = choose_number(curve)
    curve = curve.assign(about_as_stable=about_as_stable(curve, chosen), chosen=curve["k"] == chosen)
    report_curve(curve, folder)
    return (folder / "niche_k_mqc.json").read_text()


def test_without_a_peak_the_report_says_what_was_taken_and_what_is_more_stable(tmp_path):
    falling = [0.99, *FALLING[2:]]
    text = text_of(curve_of([*falling, *[0.44] * (AUTO_LARGEST - 1 - len(falling))]), tmp_path)
    assert "There is none: the most stable number from 3 up is taken." in text
    assert "2 niches, which are more stable (0.99), are found where they are asked for (--niche_k 2)." in text
    text = text_of(curve_of(falling), tmp_path)
    assert "2 niches are more stable (0.99, 3 niches 0.65), and taken only where they are asked for alone" in text
    assert text.count("more stable") == 1
    assert "more stable" not in text_of(curve_of([0.85, *FALLING[1:]]), tmp_path).replace("most stable", "")


def test_numbers_that_are_not_in_a_row_are_no_range(tmp_path):
    text = text_of(curve_of([0.95, 0.75, 0.85, 0.6, 0.5, 0.84, 0.5, 0.5, 0.84, 0.5]), tmp_path)
    assert "single out a number" not in text
    text = text_of(curve_of([0.95, 0.75, 0.85, 0.6, 0.5, 0.84, 0.5, 0.83, 0.5, 0.84, 0.5], sd=0.05), tmp_path)
    assert "single out a number: 3, 4, 7, 9 and 11 niches are about as stable" in text


def test_where_only_two_niches_are_supported_the_first_sentence_says_so(tmp_path):
    text = text_of(curve_of([0.8, 0.15, 0.12, 0.1, 0.1, 0.1]), tmp_path)
    assert "No number of niches from 3 up is supported by the tissue, but 2 are (--niche_k 2): those found" in text
    assert "but 2 are" not in text_of(curve_of([0.12, 0.15, 0.12, 0.1, 0.1, 0.1]), tmp_path)
