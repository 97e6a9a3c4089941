"""``cohort_simulate.py`` on the command line."""

import json

import pandas as pd
import pytest

from helpers import invoke, load_command
from semanticst.simulate.settings import Settings

SMALL = ("--patients", 3, "--sections", "1-2", "--cells", 80, "--genes", 45)


def test_writes_a_cohort_as_a_user_would_bring_it(tmp_path):
    result = invoke("cohort_simulate", *SMALL, "--seed", 4, "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "clinical.csv", "contrasts.csv", "domains.csv.gz", "planted.json", "samples", "samplesheet.csv",
    ]  # fmt: skip
    sheet = pd.read_csv(tmp_path / "samplesheet.csv")
    assert all((tmp_path / path).is_file() for path in sheet["path"])
    assert len(list((tmp_path / "samples").iterdir())) == len(sheet)
    assert "is associated with the outcome" in result.stderr


def test_no_effect_and_batch_effect_reach_the_settings(tmp_path):
    result = invoke("cohort_simulate", *SMALL, "--no-effect", "--batch-effect", 2, "--outdir", tmp_path)
    assert result.exit_code == 0, result.stderr
    settings = json.loads((tmp_path / "planted.json").read_text())["settings"]
    assert settings["effect"] == settings["hazard"] == 0
    assert settings["batch_depth"] == pytest.approx(0.6)
    assert settings["batch_dropout"] == pytest.approx(0.2)
    assert "no effect" in result.stderr


@pytest.mark.parametrize("arguments", [("--sections", "one"), ("--niches", 1), ("--missing-niches", 2), ("--cells", 5)])
def test_impossible_settings_are_usage_errors(tmp_path, arguments):
    result = invoke("cohort_simulate", *arguments, "--outdir", tmp_path)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_options_have_the_defaults_of_the_settings():
    defaults = Settings()
    for option in load_command("cohort_simulate").params:
        if hasattr(defaults, option.name) and option.name != "sections":
            assert option.default == getattr(defaults, option.name), option.name
