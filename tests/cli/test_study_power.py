"""The command: a finished run or stated values, and what it refuses."""

import pandas as pd
import pytest

from clinical_helpers import make_cohort
from helpers import invoke

SMALL = ("--patients", "4,8", "--sections", "1,2", "--effects", "2", "--studies", 100)


@pytest.fixture
def finished(tmp_path):
    """The files of a finished run that the command reads."""
    cohort = make_cohort((6, 6), n_sections=3, effect=2.0)
    paths = cohort.write(tmp_path / "tables", "contrast,type,column\narm,groups,group\n")
    run = tmp_path / "run"
    for name, place in {
        "counts": "niches/niche_counts.csv", "clinical": "pipeline_info/clinical.valid.csv",
        "samplesheet": "pipeline_info/samplesheet.valid.csv", "contrasts": "pipeline_info/contrasts.valid.csv",
    }.items():  # fmt: skip
        (run / place).parent.mkdir(parents=True, exist_ok=True)
        (run / place).write_bytes(paths[name].read_bytes())
    return run


def test_finished_run(finished, tmp_path):
    out = tmp_path / "out"
    result = invoke("study_power", "--run", finished, "--contrast", "arm", "--niche", "2", "--outdir", out, *SMALL)
    assert result.exit_code == 0, result.stderr
    variance = pd.read_csv(out / "variance.csv").set_index("niche")
    assert 0.4 < variance.loc[2, "sd_between"] < 1.4
    assert 0.3 < variance.loc[2, "sd_within"] < 0.9
    table = pd.read_csv(out / "power.csv")
    assert table["sd_between"].unique().tolist() == pytest.approx([variance.loc[2, "sd_between"]])
    assert (table["n_tests"] == 5).all()
    assert "estimated for niche 2 from 12 patients (36 sections)" in result.stdout


def test_differences_of_the_contrast_are_no_noise(finished, tmp_path):
    for name, more in (("with", ("--contrast", "arm")), ("without", ())):
        invoke("study_power", "--run", finished, "--outdir", tmp_path / name, *SMALL, *more)
    inside, overall = (pd.read_csv(tmp_path / n / "variance.csv").set_index("niche") for n in ("with", "without"))
    assert overall.loc[2, "sd_between"] > inside.loc[2, "sd_between"] + 0.2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "give --run, or --sd-between"),
        (("--sd-between", 1, "--niche", 2), 2, "need --run"),
        (("--sd-between", 1, "--patients", "many"), 2, "numbers above 0"),
        (("--sd-between", 1, "--design", "paired"), 3, "sd-within"),
    ],
)
def test_refused(options, code, message, tmp_path):
    result = invoke("study_power", "--outdir", tmp_path, *options)
    assert result.exit_code == code
    assert message in result.output + result.stderr


def test_unknown_niche_and_unfinished_run(finished, tmp_path):
    result = invoke("study_power", "--run", finished, "--niche", "9", "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "there is no such niche; niches: 1, 2, 3, 4, 5" in result.stderr
    (finished / "niches" / "niche_counts.csv").unlink()
    result = invoke("study_power", "--run", finished, "--outdir", tmp_path)
    assert result.exit_code == 3
    assert "niche_counts.csv" in result.stderr


def test_repeats_with_the_seed(tmp_path):
    for name in ("a", "b"):
        invoke("study_power", "--sd-between", 1, "--seed", 3, "--outdir", tmp_path / name, *SMALL)
    assert (tmp_path / "a/power.csv").read_bytes() == (tmp_path / "b/power.csv").read_bytes()
