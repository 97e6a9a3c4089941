"""The benchmark of the number of niches: what it says of tissue with niches and without."""

import json
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench import _run_default, number
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


def test_too_few_cells_to_choose_a_number_are_a_row_that_says_so(tmp_path):
    saved = tmp_path / "rows.csv"
    size = ("--patients", 2, "--cells", 80, "--niches", 3)
    result = invoke(number.bench_number, "--only", "0%, 1, 0.25, thin", *size, "--seeds", 1, "--save", saved)
    assert result.exit_code == 0, result.stderr
    assert "| 0%, 1, 0.25, thin | 3 | too few cells | 0 of 1 | 0 of 1 |  |  |" in result.output
    assert pd.read_csv(saved)["chosen"].tolist() == [0]


def test_a_method_keeps_its_niches_where_cells_are_too_few_for_a_number_of_its_own(tmp_path, monkeypatch):
    cells = ad.AnnData(obs=pd.DataFrame({"sample": ["s1"] * 3}, index=list("abc")))
    niches = SimpleNamespace(labels=np.zeros(3, int), consensus_labels=np.zeros(3, int))
    monkeypatch.setattr(_run_default, "embed", lambda *given: cells)
    monkeypatch.setattr(_run_default, "hmrf_inputs", lambda *given: None)
    monkeypatch.setattr(_run_default, "default_niches", lambda *given: niches)
    monkeypatch.setattr(_run_default, "fit_representations", lambda *given: None)
    monkeypatch.setattr(_run_default, "middle_representation", lambda *given: None)
    monkeypatch.setattr(_run_default, "trial_cells", lambda *given: None)
    monkeypatch.setattr(_run_default, "number_curve", lambda *given, **named: pd.DataFrame({"k": []}))
    job = {"samples": [], "variant": {}, "k": 1, "seed": 0, "own": True, "parts": False}
    (tmp_path / "job.json").write_text(json.dumps(job))
    _run_default.run(tmp_path)
    assert list(pd.read_csv(tmp_path / "labels.csv")) == ["cell", "niche"]


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
