"""One rule of when the tissue singles out a number of niches, for the choice and for all that is said of it."""

import numpy as np
import pandas as pd
import pytest

from semanticst import constants
from semanticst.constants import is_convention, is_singled_out
from semanticst.niche.choose_k import about_as_stable, choose_number, highest_peak, report_curve
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
    niches = {"number": chosen, "mapped": False, "supported": True, "judged": False,
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
