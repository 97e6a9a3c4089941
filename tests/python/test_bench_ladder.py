"""The ladder of cohorts: levels are what they say, tissue is the same with and without batch effects, nothing twice."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench import ladder
from semanticst.bench._ladder import LEVELS, Level, Size, beside_batch_free, climb, make_cohort, runs, settings_of
from semanticst.bench._ours import OURS, Found
from semanticst.bench.niches import DOMAIN, domains
from semanticst.io.internal import read_sample

SMALL = Size(patients=4, cells=130, genes=60, niches=4)
HARD = Level(missing=0.4, imbalance=10.0, shift=0.6)


def oracle(samples, k, seed, starts, folder) -> Found:
    """Knows the truth; its joint space puts every niche into a place of its own."""
    truth = domains(samples)
    niche = pd.factorize(truth[DOMAIN])[0]
    rng = np.random.default_rng(seed)
    return Found(niche, 100 * np.eye(k)[niche] + rng.normal(size=(len(niche), k)), truth.index.to_numpy(str))


def by_patient_where_there_are_batches(samples, k, seed, starts, folder) -> Found:
    """Falls for batch effects: niches are patients as soon as some gene shifts between them."""
    found = oracle(samples, k, seed, starts, folder)
    shares = np.stack([np.asarray(read_sample(p).X.sum(0)).ravel() / read_sample(p).X.sum() for p in samples])
    # shifts of SD 0.6 spread a gene's share over patients far more than their tissue does
    if np.median(shares.std(axis=0) / shares.mean(axis=0)) < 0.3:
        return found
    patient = np.unique([name.split(":")[0] for name in found.cells], return_inverse=True)[1]
    return Found(patient, np.column_stack([100 * patient, found.coordinates % 1]), found.cells)


def test_levels_are_all_combinations():
    assert len(set(LEVELS)) == 12
    assert {(level.missing, level.imbalance) for level in LEVELS} == {(m, i) for m in (0, 0.4, 0.6) for i in (1, 10)}


def test_tissue_without_batch_effects_is_measured_once_per_seed():
    plan = list(runs(LEVELS, 2))
    assert len(plan) == len(set(plan)) == 2 * (12 + 6)
    assert plan.index((Level(0.4, 10.0, 0.0), 1)) < plan.index((Level(0.4, 10.0, 0.25), 1))


def test_level_is_the_same_tissue_in_other_batches(tmp_path):
    with_batch, with_truth = make_cohort(HARD, SMALL, 3, tmp_path / "with")
    free, free_truth = make_cohort(Level(0.4, 10.0, 0.0), SMALL, 3, tmp_path / "without")
    pd.testing.assert_frame_equal(with_truth, free_truth.loc[with_truth.index])
    assert [p.name for p in with_batch] == [p.name for p in free]
    present = pd.crosstab(with_truth["sample"], with_truth[DOMAIN]) > 0
    assert (~present).to_numpy().sum() == round(0.4 * 16)
    batches = [set(read_sample(p).obs["batch"]) for p in with_batch]
    assert [len(b) for b in batches] == [1, 1, 1, 1]
    assert len(set.union(*batches)) == 4


def test_no_batch_effect_is_none_of_any_kind():
    free = settings_of(Level(0.0, 1.0, 0.0), SMALL, 0)
    assert (free.batch_depth, free.batch_shift, free.batch_dropout) == (0, 0, 0)
    hard = settings_of(HARD, SMALL, 0)
    assert (hard.batch_depth, hard.batch_shift, hard.batch_dropout) == (0.5, 0.6, 0.2)


def test_scores_tell_a_method_that_falls_for_batches(tmp_path):
    methods = {"oracle": oracle, "patients": by_patient_where_there_are_batches}
    rows = pd.DataFrame(climb(methods, (HARD,), SMALL, 1, 1, set(), tmp_path))
    both = beside_batch_free(rows).set_index("method")
    assert both.loc["oracle", ["ari", "ari_free", "ari_change"]].tolist() == [1, 1, 0]
    assert both.loc["oracle", "clisi"] == 1
    assert both.loc["oracle", "ilisi"] > 1.1
    assert both.loc["patients", "ari_free"] == 1
    assert both.loc["patients", "ari_change"] < -0.5
    assert both.loc["patients", "ari_within"] == 0
    assert both.loc["patients", "ilisi"] == 1


def test_runs_that_are_done_are_passed_over(tmp_path):
    done = {("oracle", HARD, 0)}
    rows = list(climb({"oracle": oracle}, (HARD,), SMALL, 1, 1, done, tmp_path))
    assert [row["shift"] for row in rows] == [0.0]


@pytest.mark.parametrize("name", [n for n in OURS if n != "default"])
def test_our_methods_name_every_cell(tmp_path, name):
    samples, truth = make_cohort(Level(0.0, 1.0, 0.0), SMALL, 0, tmp_path)
    (tmp_path / "method").mkdir()
    found = OURS[name](samples, 4, 0, 2, tmp_path / "method")
    assert sorted(found.cells) == sorted(truth.index)
    assert len(found.niche) == len(found.coordinates) == len(truth)
    assert np.unique(found.niche).size == 4


def command(scores: Path, *more):
    return invoke(
        ladder.bench_ladder, "--method", "without network", "--seeds", 1, "--missing", 0, "--imbalance", 1,
        "--cells", 90, "--patients", 2, "--niche-starts", 2, "--scores", scores, *more,
    )  # fmt: skip


def test_command_prints_both_tables_and_goes_on_where_it_was(tmp_path, monkeypatch):
    scores = tmp_path / "scores.csv"
    first = command(scores, "--shift", 0.25)
    assert first.exit_code == 0, first.stderr
    assert "| without network | 0." in first.stdout
    line = next(line for line in first.stdout.splitlines() if line.startswith("| 0% | 1 | 0.25 | without network"))
    with_batch, free, change = (float(v.strip("()")) for v in line.split("|")[5].replace("/", " ").split())
    assert change == pytest.approx(with_batch - free, abs=0.002)
    assert sorted(pd.read_csv(scores)["shift"]) == [0, 0.25]

    monkeypatch.setitem(ladder.METHODS, "without network", None)  # would fail if it were called
    again = command(scores, "--shift", 0.25)
    assert again.stdout == first.stdout


def test_levels_that_do_not_exist_are_refused(tmp_path):
    result = command(tmp_path / "scores.csv", "--shift", 3)
    assert result.exit_code == 2
    assert "no level has these values" in result.stderr
