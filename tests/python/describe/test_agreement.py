"""Agreement of sections of one patient."""

import json

import numpy as np
import pandas as pd
import pytest

from semanticst.describe.agreement import intraclass_correlation, section_agreement
from semanticst.describe.niche_sections import _agreement


def test_the_example_of_shrout_and_fleiss():
    """Six subjects, four ratings each: ICC(1) = 0.17 (Shrout & Fleiss 1979, table 4), its interval -0.13 to 0.72."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    icc, low, high = intraclass_correlation(np.ravel(ratings).astype(float), np.repeat(np.arange(6), 4))
    assert icc == pytest.approx(0.166, abs=0.001)
    assert (low, high) == pytest.approx((-0.133, 0.723), abs=0.001)


def test_the_interval_covers_the_planted_value_and_the_mean_is_near_it():
    """Unequal numbers of sections; SD 0.8 between patients and 0.5 within: 0.72."""
    rng, planted = np.random.default_rng(0), 0.64 / 0.89
    patient = np.repeat(np.arange(20), np.resize([2, 3, 5], 20))
    found = np.array(
        [
            intraclass_correlation(0.8 * rng.normal(size=20)[patient] + 0.5 * rng.normal(size=len(patient)), patient)
            for _ in range(300)
        ]
    )
    assert np.mean(found[:, 0]) == pytest.approx(planted, abs=0.04)
    assert 0.9 < np.mean((found[:, 1] <= planted) & (planted <= found[:, 2])) < 0.98


def counts(sections: dict[str, int], own: float, seed: int = 0) -> pd.DataFrame:
    """Cells of three niches in the sections of patients whose log shares have SD ``own`` between sections."""
    rng, rows = np.random.default_rng(seed), []
    for patient, n in sections.items():
        level = rng.normal(size=3)
        for s in range(n):
            share = np.exp(level + own * rng.normal(size=3))
            found = rng.multinomial(5000, share / share.sum())
            rows += [(f"{patient}_{s}", patient, k + 1, cells) for k, cells in enumerate(found)]
    return pd.DataFrame(rows, columns=["sample", "patient", "niche", "n_cells"])


def test_sections_that_are_alike_agree_and_others_do_not():
    patients = {f"p{i}": 3 for i in range(10)}
    alike, unlike = section_agreement(counts(patients, 0.05)), section_agreement(counts(patients, 5.0))
    assert (alike["icc"] > 0.95).all()
    assert (unlike["icc"] < 0.5).all()
    assert alike[["n_patients", "n_sections"]].drop_duplicates().to_numpy().tolist() == [[10, 30]]


def test_only_patients_with_several_sections_count_and_two_are_too_few():
    one = {f"q{i}": 1 for i in range(5)}
    several = section_agreement(counts({"a": 2, "b": 2, "c": 3} | one, 0.1))
    assert several[["n_patients", "n_sections"]].iloc[0].tolist() == [3, 7]
    assert section_agreement(counts({"a": 2, "b": 2} | one, 0.1)) is None


def test_the_columns_of_the_report_say_what_they_are(tmp_path):
    _agreement(tmp_path, section_agreement(counts({f"p{i}": 3 for i in range(4)}, 0.1)))
    headers = json.loads((tmp_path / "qc_agreement_mqc.json").read_text())["headers"].values()
    assert [header["title"] for header in headers] == ["ICC", "95 % CI, low", "95 % CI, high"]
