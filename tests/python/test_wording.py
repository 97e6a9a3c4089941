"""Numbers and lists as a reader sees them."""

import pytest

from semanticst.wording import joined, listed, numbered, plural, spans


@pytest.mark.parametrize(("n", "text"), [(0, "0 patients"), (1, "1 patient"), (33, "33 patients")])
def test_one_is_no_plural(n, text):
    assert plural(n, "patient") == text
    assert plural(n, "entry", "entries").endswith("entry" if n == 1 else "entries")


@pytest.mark.parametrize(("names", "text"), [(["A"], "A"), (["A", "B"], "A and B"), (list("ABC"), "A, B and C")])
def test_the_last_name_is_joined_by_and(names, text):
    assert joined(names) == text


@pytest.mark.parametrize(("niches", "text"), [([4], "niche 4"), (["4", "6"], "niches 4 and 6")])
def test_niches_are_named_by_their_numbers(niches, text):
    assert numbered(niches) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([4], "4"), ([4, 5], "4 and 5"), ([5, 4, 3], "3 to 5"), ([3, 4, 7, 9, 10, 11], "3, 4, 7 and 9 to 11")],
)
def test_numbers_in_a_row_are_a_span(numbers, text):
    assert spans(numbers) == text


def test_first_names_stand_for_many():
    assert listed(["a", "b"], 3) == "a, b"
    assert listed(list("abcde"), 3) == "a, b, c and 2 more"
    assert listed(iter(()), 3) == "none"
