"""``report_planted.py`` on a small simulated cohort."""

import json

import pandas as pd

from helpers import invoke


def simulated(folder):
    """Simulate a cohort; its own domains, renamed, stand for the niches found, and the answers for the tests."""
    options = {"--patients": 4, "--sections": "1", "--cells": 60, "--genes": 40, "--niches": 3}
    arguments = [part for pair in options.items() for part in pair]
    assert invoke("cohort_simulate", *arguments, "--outdir", folder / "planted").exit_code == 0
    planted = json.loads((folder / "planted" / "planted.json").read_text())
    truth = pd.read_csv(folder / "planted" / "domains.csv.gz")
    niche = truth["domain"].map({"D1": 3, "D2": 1, "D3": 2})
    truth.assign(niche=niche).drop(columns="domain").to_csv(folder / "niches.csv.gz", index=False)
    holder = {"D1": 3, "D2": 1, "D3": 2}[planted["outcome_domain"]]
    for contrast, kind, effect in (("response", "clr_difference", 1.2), ("survival", "hazard_ratio_per_sd", 0.3)):
        table = pd.DataFrame({"niche": [1, 2, 3], "feature": "proportion", "effect": effect, "effect_type": kind})
        table["q"] = [0.01 if k == holder else 0.6 for k in table["niche"]]
        table.assign(p=table["q"]).to_csv(folder / f"{contrast}.csv", index=False)
    return holder


def test_the_planted_niche_is_found_in_both_contrasts(tmp_path):
    holder = simulated(tmp_path)
    tables = [tmp_path / "response.csv", tmp_path / "survival.csv"]
    result = invoke(
        "report_planted", "--planted", tmp_path / "planted", "--niches", tmp_path / "niches.csv.gz",
        "--associations", *tables, "--outdir", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "out" / "planted.json").read_text())
    assert found["ari"] == 1
    for contrast in ("response", "survival"):
        assert found["contrasts"][contrast]["niche"] == holder
        assert found["contrasts"][contrast]["found"] is True
    text = json.loads((tmp_path / "out" / "planted_mqc.json").read_text())["data"]
    assert "is associated with a lower hazard" in text
    assert text.count("<b>found</b>") == 2


def test_a_folder_without_the_truth_is_bad_input(tmp_path):
    simulated(tmp_path)
    (tmp_path / "planted" / "planted.json").unlink()
    result = invoke(
        "report_planted",
        "--planted",
        tmp_path / "planted",
        "--niches",
        tmp_path / "niches.csv.gz",
        "--outdir",
        tmp_path,
    )
    assert result.exit_code == 3
    assert "planted.json" in result.stderr


def test_usage_errors(tmp_path):
    assert invoke("report_planted", "--niches", tmp_path / "absent.csv").exit_code == 2
