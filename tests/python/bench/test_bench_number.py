"""The benchmark of the number of niches: what it says of tissue with niches and without."""

import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench import number
from semanticst.bench._ladder import LEVELS, WITHOUT_STRUCTURE, Level, Size


def test_names_of_levels_differ():
    names = [number.name_of(level) for level in (*LEVELS, *WITHOUT_STRUCTURE)]
    assert len(set(names)) == len(names)
    assert number.name_of(Level(0.4, 10.0, 0.6)) == "40%, 10, 0.6"
    assert number.name_of(WITHOUT_STRUCTURE[0]) == "0%, 1, 0.25, random"


def test_table_puts_numbers_that_are_not_supported_in_brackets():
    usual = {"level": "a", "planted": 0, "zero": 0.2}
    rows = [
        usual | {"seed": s, "chosen": 3 + s, "stability": 0.1 * s, "supported": s > 0, "singled_out": False}
        for s in range(2)
    ]
    assert (
        number.table(pd.DataFrame(rows)).splitlines()[2] == "| a | 0 | (3), 4 | 1 of 2 | 0 of 2 | 0.00 to 0.10 | 0.20 |"
    )


def test_no_number_is_supported_where_there_are_no_niches(monkeypatch):
    """Three patients of 400 cells, of tissue with niches and with cell types at random places."""
    monkeypatch.setattr(number, "AUTO_RANGE", range(2, 6))
    size = Size(patients=3, cells=400, genes=80, niches=3)
    monkeypatch.setattr(number, "LEVEL_OPTIONS", {"with": (Level(0.0, 1.0, 0.25),), "without": WITHOUT_STRUCTURE[:1]})
    (there,), (absent,) = (list(number.of_levels(which, size, 1)) for which in ("with", "without"))
    assert there["planted"] == 3
    assert there["supported"]
    assert there["singled_out"]
    assert there["stability"] > there["zero"] + 0.1
    assert absent["planted"] == 0
    assert not absent["supported"]
    assert not absent["singled_out"]


def test_samples_that_are_given_are_looked_at_once_a_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(number, "prepare", lambda sheet, folder: [])
    found = iter((4, 5))
    monkeypatch.setattr(number, "chosen_number", lambda samples, folder, seed: {
        "seed": seed, "chosen": next(found), "stability": 0.5, "zero": 0.1,
        "supported": True, "singled_out": True})  # fmt: skip
    sheet, saved = tmp_path / "samplesheet.csv", tmp_path / "rows.csv"
    sheet.touch()
    result = invoke(number.bench_number, "--input", sheet, "--seeds", 2, "--save", saved)
    assert result.exit_code == 0
    assert "| 4, 5 | 2 of 2 | 2 of 2 | 0.50 | 0.10 |" in result.output
    assert pd.read_csv(saved)["chosen"].tolist() == [4, 5]


def test_only_levels_of_a_name_are_run(monkeypatch, tmp_path):
    monkeypatch.setattr(number, "make_cohort", lambda level, *rest: ([], level))
    monkeypatch.setattr(number, "chosen_number", lambda *rest: {"seed": 0})
    found = number.of_levels("both", Size(), 2, "one patient")
    assert [row["level"] for row in found] == [
        name for large in (10, 100) for name in [f"0%, 1, 0.25, one patient x {large}"] * 2
    ]


@pytest.mark.parametrize("option", [("--structure", "some"), ("--seeds", "0"), ("--only", "nothing")])
def test_wrong_options_are_usage_errors(option):
    assert invoke(number.bench_number, *option).exit_code == 2
