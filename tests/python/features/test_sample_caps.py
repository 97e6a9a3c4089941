"""A say for every sample: who is limited, to what, and that nobody is where samples are alike."""

import logging

import numpy as np
import pytest
import scipy.sparse as sp

from semanticst.features.basis import Moments
from semanticst.features.sample_caps import LEAST, evenly, rows_with_a_say, sample_caps, tell_caps


def alone(sizes):
    """Each sample of a patient of its own."""
    return {sample: sample for sample in sizes}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"a": 700, "b": 710, "c": 1390}, {"a": 700, "b": 710, "c": 1390}),
        ({"a": 150, "b": 150, "c": 150, "h": 1500}, {"a": 150, "b": 150, "c": 150, "h": 300}),
        ({"a": 150, "b": 1500}, {"a": 150, "b": 300}),
        ({"a": 10, "b": 20, "c": 30, "h": 1500}, {"a": 10, "b": 20, "c": 30, "h": LEAST}),
        ({"a": 5000}, {"a": 5000}),
    ],
)
def test_a_sample_has_no_more_than_twice_the_median(sizes, expected):
    assert sample_caps(sizes, alone(sizes)) == expected


def test_samples_of_a_patient_with_many_share_what_it_has():
    sizes = {f"p{i}": 1000 for i in range(3)} | {"q1": 500, "q2": 1000, "q3": 1000, "q4": 1000}
    caps = sample_caps(sizes, {s: "q" if s[0] == "q" else s for s in sizes})
    assert {s: caps[s] for s in ("p0", "p1", "p2")} == dict.fromkeys(("p0", "p1", "p2"), 1000)
    assert [caps[f"q{i}"] for i in (1, 2, 3, 4)] == [500, 500, 500, 500]


def test_rows_are_drawn_within_the_samples_that_are_limited():
    samples = np.array(["b"] * 1000 + ["a"] * 150 + ["c"] * 150)
    rows = rows_with_a_say(samples, samples, 0)
    assert (np.diff(rows) > 0).all()
    assert {s: int((samples[rows] == s).sum()) for s in "abc"} == {"a": 150, "b": 300, "c": 150}
    assert not np.array_equal(rows, rows_with_a_say(samples, samples, 1))
    assert rows_with_a_say(samples[:450], samples[:450], 0) is None


@pytest.mark.parametrize(
    ("most", "enough", "expected"),
    [
        (None, 0, [100, 150, 150, 150, 300]),
        (500, 0, [100, 100, 100, 100, 100]),
        (500, 140, [100, 140, 140, 140, 140]),
        (500, 1000, [100, 150, 150, 150, 300]),
        (5000, 1000, [100, 150, 150, 150, 300]),
    ],
)
def test_all_samples_together_have_no_more_than_given_and_each_enough(most, enough, expected):
    samples = np.repeat(list("abcde"), [100, 150, 150, 150, 1500])
    rows = rows_with_a_say(samples, samples, 0, most=most, enough=enough)
    assert [int((samples[rows] == s).sum()) for s in "abcde"] == expected


def test_sections_of_a_patient_with_many_keep_enough():
    samples = np.repeat(list("abcdefgh"), 500)
    patients = np.repeat(list("abcdeeee"), 500)
    for enough, expected in ((0, 250), (400, 400), (1000, 500)):
        rows = rows_with_a_say(samples, patients, 0, enough=enough)
        kept = samples if rows is None else samples[rows]
        assert [int((kept == s).sum()) for s in "abcdefgh"] == [500] * 4 + [expected] * 4


def test_limited_samples_are_logged(caplog):
    with caplog.at_level(logging.INFO):
        tell_caps({"large": 900, "small": 10}, {"large": 300, "small": 10})
    assert [r.getMessage() for r in caplog.records] == [
        "large: 300 of its 900 cells have a say in what the cohort is like"
    ]


def test_moments_with_a_weight_are_those_of_cells_that_came_less_often():
    rng = np.random.default_rng(0)
    few, many = (sp.csr_matrix(rng.poisson(2.0, (40, 5)).astype(np.float32)) for _ in range(2))
    weighted, plain = Moments(), Moments()
    weighted.add(few, cross=True)
    weighted.add(sp.vstack([many] * 4).tocsr(), cross=True, weight=0.25)
    plain.add(few, cross=True)
    plain.add(many, cross=True)
    for name in ("mean", "variance", "covariance"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(plain, name), rtol=1e-6)


def test_values_are_taken_evenly_through_their_order():
    assert evenly(np.arange(100)[::-1], 4).tolist() == [12, 37, 62, 87]
    assert evenly(np.array([3, 1]), 4).tolist() == [3, 1]
