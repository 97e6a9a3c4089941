"""Units of time are told where the name of the column says them, and not guessed."""

import pytest

from semanticst.association.output.time_words import outcome_words, time_label, time_unit


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("survival_days", "days"), ("OS.months", "months"), ("osMonths", "months"), ("time_yrs", "years"),
        ("Weeks", "weeks"), ("os", ""), ("monthly_visits_time", ""), ("days_or_months", ""), ("today", ""),
    ],
)  # fmt: skip
def test_unit_of_a_column(column, unit):
    assert time_unit(column) == unit


def test_words_of_axes_and_titles():
    assert time_label("survival_days") == "time in days (survival_days)"
    assert time_label("Months") == "time in months"
    assert time_label("os") == "time (os, unit as given)"
    assert outcome_words("946", "event", "survival_days") == "event at 946 days"
    assert outcome_words("31", "censored", "os") == "censored at 31"
