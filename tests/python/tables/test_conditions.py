"""The subset of a contrast is read in one way, by the check before the run and by the step."""

import pytest

from semanticst.tables.conditions import Condition, parse_condition, split_conditions


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("tissue == tumour", Condition("tissue", "==", ("tumour",))),
        (" tissue='lymph node' ", Condition("tissue", "==", ("lymph node",))),
        ("stage != II|'III'", Condition("stage", "!=", ("II", "III"))),
        ("time point >= 4.5", Condition("time point", ">=", ("4.5",))),
    ],
)
def test_a_condition(text, condition):
    assert parse_condition(text) == condition


def test_a_limit_is_a_number():
    assert parse_condition("age < 1e3").limit == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("tissue tumour", "'tissue tumour' cannot be read"),
        ("age > old", "'old' is not a number"),
        ("age > nan", "not a number"),
        ("a == b == c", "cannot be read"),
    ],
)
def test_what_is_no_condition(text, message):
    with pytest.raises(ValueError, match=message):
        parse_condition(text)


def test_conditions_are_joined_by_and():
    assert split_conditions("a == b & c > 4") == ["a == b", "c > 4"]
    assert split_conditions("a == b &") == ["a == b", ""], (
        "one that was forgotten is no condition, and is said to be none"
    )
    assert split_conditions("  ") == []
