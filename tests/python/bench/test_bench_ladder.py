"""The ladder of cohorts: levels are what they say, tissue is the same with and without batch effects, nothing twice."""

import os
import sys
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench import _ablations, _run_default, ladder
from semanticst.bench._ablations import VARIANTS
from semanticst.bench._ladder import (
    LEVELS,
    MEASURED,
    Level,
    Size,
    beside_batch_free,
    climb,
    make_cohort,
    runs,
    settings_of,
)
from semanticst.bench.measuring.scores import found_again
from semanticst.bench.niches import DOMAIN
from semanticst.io.internal import read_sample
from semanticst.niche.cluster import cluster_niches
from semanticst.writing import write_json

SMALL = Size(patients=4, cells=130, genes=60, niches=4)
HARD = Level(missing=0.4, imbalance=10.0, shift=0.6)


ORACLE = """
import json, sys
from pathlib import Path
import h5py, numpy as np

folder, seen = Path(sys.argv[1]), Path(sys.argv[2])
how = seen.name
job = json.loads((folder / "job.json").read_text())
cells, domain, shares = [], [], []
for path in map(Path, job["samples"]):
    with h5py.File(path) as file:
        obs, X = file["obs"], file["X"]
        of = obs["domain"]["categories"].asstr()[:][obs["domain"]["codes"][:]]
        names = obs[obs.attrs["_index"]].asstr()[:]
        counts = np.bincount(X["indices"][:], X["data"][:], minlength=X.attrs["shape"][1])
    cells += [f"{path.name.split('.')[0]}:{name}" for name in names]
    domain += list(of)
    shares.append(counts / counts.sum())
codes = np.unique(domain, return_inverse=True)[1]
spread = np.median(np.std(shares, axis=0) / np.mean(shares, axis=0))
# shifts of SD 0.6 spread a gene's share over patients far more than their tissue does
if how == "patients" and spread > 0.3:
    codes = np.unique([name.split(":")[0] for name in cells], return_inverse=True)[1]
if how == "breaks" and spread > 0.3:
    raise ValueError("too | hard")
if how == "leaves out":
    cells, codes = cells[1:], codes[1:]
rows = ["cell,niche,one niche", *(f"{cell},{code},0" for cell, code in zip(cells, codes))]
(folder / "labels.csv").write_text("\\n".join(rows))
if how != "no space":
    noise = np.random.default_rng(job["seed"]).normal(size=(len(cells), job["k"]))
    np.savez(folder / "embedding.npz", X=100 * np.eye(job["k"])[codes] + noise)
with seen.open("a") as file:
    print(*job["samples"], file=file)
"""


@dataclass(frozen=True)
class Oracle:
    """A method that knows the truth; its space puts every niche into a place of its own.

    ``how``: "patients" falls for batch effects, its niches are patients as soon as genes shift between them; "breaks"
    fails there; "leaves out" a cell; has "no space"; "slow". A file of this name in ``place`` gets a line for each run.
    """

    how: str
    place: Path

    def settings(self):
        return {}

    def command(self, folder: Path):
        code = "import time; time.sleep(60)" if self.how == "slow" else ORACLE
        return [sys.executable, "-c", code, folder, self.place / self.how], dict(os.environ)


@dataclass(frozen=True)
class Absent:
    """A method that is not to be had."""

    asked: list

    def settings(self):
        return {}

    def command(self, folder: Path):
        self.asked.append(folder)
        raise RuntimeError("not installed: no network")


def climbed(tmp_path: Path, *hows: str, done=frozenset()) -> pd.DataFrame:
    """Rows of oracles, named by what they do."""
    methods = {how: Oracle(how, tmp_path) for how in hows}
    return pd.DataFrame(chain(*climb(methods, (HARD,), SMALL, 1, done, tmp_path / "work")))


def test_levels_are_all_combinations():
    assert len(set(LEVELS)) == 19
    assert {(level.missing, level.imbalance) for level in LEVELS} == {(m, i) for m in (0, 0.4, 0.6) for i in (1, 10)}
    assert sorted({level.large for level in LEVELS}) == [1, 10, 100]
    assert {level.tissue for level in LEVELS} == {"niches", "thin", "arranged"}
    assert sorted({level.rare for level in LEVELS}) == [0, 0.01, 0.03, 0.1]


def test_one_patient_with_many_cells_of_one_niche_is_not_scored(tmp_path):
    level = Level(missing=0.0, imbalance=1.0, shift=0.25, large=5.0)
    _, truth = make_cohort(level, SMALL, 0, tmp_path / "cohort")
    sizes = truth["sample"].value_counts()
    assert sizes.iloc[0] > 3 * sizes.iloc[1]
    assert len(set(truth.loc[truth["sample"] == sizes.index[0], DOMAIN])) == 1
    _, equal = make_cohort(replace(level, large=1.0), SMALL, 0, tmp_path / "equal")
    others = truth["sample"] != sizes.index[0]
    pd.testing.assert_frame_equal(truth[others], equal[equal["sample"] != sizes.index[0]])
    methods = {"oracle": Oracle("oracle", tmp_path)}
    rows = pd.DataFrame(chain(*climb(methods, (level,), SMALL, 1, set(), tmp_path / "work")))
    assert set(rows["cells"]) == {others.sum()}
    assert set(rows["large"]) == {5.0}
    assert len(ladder.table(beside_batch_free(rows)).splitlines()) == 4


def test_niches_beside_a_large_patient_are_those_of_the_pipeline(tmp_path):
    level = Level(missing=0.0, imbalance=1.0, shift=0.25, large=5.0)
    samples, truth = make_cohort(level, SMALL, 0, tmp_path / "cohort")
    settings = {"variant": asdict(VARIANTS["nothing trained"]), "parts": False, "own": False, "starts": 2, "seed": 3}
    write_json(tmp_path / "job.json", {"samples": [str(path) for path in samples], "k": 4, **settings})
    _run_default.run(tmp_path)
    ours = pd.read_csv(tmp_path / "labels.csv", dtype={"cell": str}).set_index("cell")["niche"]
    cluster_niches(tmp_path / "cohort.embedding.h5ad", tmp_path, niche_k="4", starts=2, bootstraps=0, seed=3)
    theirs = pd.read_csv(tmp_path / "niches.csv.gz", dtype=str)
    theirs = theirs.set_index(theirs["sample"] + ":" + theirs["cell_id"])["niche"].astype(int)
    assert set(theirs.index) == set(truth.index)
    pd.testing.assert_series_equal(ours + 1, theirs[ours.index], check_names=False)


def test_a_rare_niche_is_scored_by_itself(tmp_path):
    level = Level(missing=0.0, imbalance=1.0, shift=0.25, rare=0.1)
    _, truth = make_cohort(level, SMALL, 0, tmp_path / "cohort")
    cells = pd.crosstab(truth["sample"], truth[DOMAIN])
    rare = cells.sum().idxmin()
    has = cells[rare] > 0
    assert has.sum() == 2  # the first and the fourth of four patients
    assert (cells[rare] / cells.sum(axis=1))[has].between(0.06, 0.14).all()
    rows = pd.DataFrame(chain(*climb({"o": Oracle("o", tmp_path)}, (level,), SMALL, 1, set(), tmp_path / "work")))
    rows = rows.set_index("method")
    assert (rows.loc["o", ["recall", "precision"]] == 1).all(axis=None)
    assert (rows.loc["one niche", "recall"] == 1).all()
    assert rows.loc["one niche", "precision"].to_numpy() == pytest.approx(cells[rare].sum() / len(truth), rel=0.01)
    assert "1.000 / 1.000 (+0.000) | 1.000 / 1.000 (+0.000) | +0.000 |" in ladder.table(
        beside_batch_free(rows.reset_index())
    )


def test_nothing_is_trained_where_a_variant_says_so(tmp_path, monkeypatch):
    given = []
    for name in ("build_components", "build_graphs", "add_spread", "mark_deciding_cells"):
        monkeypatch.setattr(_ablations, name, lambda *args, **more: None)
    monkeypatch.setattr(_ablations, "run_training", lambda *args, **more: given.append("trained"))
    monkeypatch.setattr(_ablations, "run_embedding", lambda graphs, network, *args, **more: given.append(network))
    monkeypatch.setattr(_ablations.ad, "read_h5ad", lambda path: None)
    for name in ("nothing trained", "default"):
        _ablations.embed([], VARIANTS[name], 0, tmp_path)
    assert given == [None, "trained", tmp_path / "network.pt"]


def test_recall_and_precision_are_those_of_the_niche_that_has_a_domain_best():
    rare, niche = np.arange(20) < 4, np.array([1, 1, 1, 2, 1, 1, *[2] * 14])
    assert found_again(rare, niche) == {"recall": 0.75, "precision": 0.6}


def test_tissue_without_batch_effects_is_measured_once_per_seed():
    plan = list(runs(LEVELS, 2))
    assert len(plan) == len(set(plan)) == 2 * (19 + 13)
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
    both = beside_batch_free(climbed(tmp_path, "oracle", "patients"))
    assert sorted(both["method"]) == ["one niche", "one niche", "oracle", "patients"]
    assert (both.loc[both["method"] == "one niche", "ari"] == 0).all()  # a part is scored beside its method
    both = both.set_index("method")
    assert both.loc["oracle", ["ari", "ari_free", "ari_change"]].tolist() == [1, 1, 0]
    assert both.loc["oracle", "clisi"] == 1
    assert both.loc["oracle", "ilisi"] > 1.1
    assert both.loc["patients", "ari_free"] == 1
    assert both.loc["patients", "ari_change"] < -0.5
    assert both.loc["patients", "ari_within"] == 0
    assert both.loc["patients", "ilisi"] == 1
    oracle, patients = ((tmp_path / how).read_text() for how in ("oracle", "patients"))
    assert oracle == patients  # the same files for both
    assert len(oracle.splitlines()) == 2
    assert not list((tmp_path / "work").iterdir())


def test_runs_that_are_done_are_passed_over(tmp_path):
    rows = climbed(tmp_path, "oracle", done={("oracle", HARD, 0)})
    assert rows["shift"].tolist() == [0.0, 0.0]
    assert len((tmp_path / "oracle").read_text().splitlines()) == 1


def test_a_method_that_fails_has_a_reason_and_the_others_go_on(tmp_path):
    rows = climbed(tmp_path, "breaks", "leaves out", "no space")
    rows = rows[rows["method"] == rows["run"]].set_index(["method", "shift"])
    assert rows.loc[("breaks", 0.0), "failed"] == ""
    assert rows.loc[("breaks", 0.6), "failed"] == "ValueError: too | hard"
    assert np.isnan(rows.loc[("breaks", 0.6), "ari"])
    assert rows.loc[("leaves out", 0.6), "failed"] == "named other cells than it was given"
    assert rows.loc[("no space", 0.6), "ari"] == 1
    assert rows.loc[("no space", 0.6), ["ilisi", "clisi"]].isna().all()

    both = beside_batch_free(rows.reset_index())
    lines = {line.split("|")[7].strip(): line for line in ladder.table(both).splitlines()}
    assert "| seed 0 failed: ValueError: too / hard |" in lines["breaks"]
    assert "| 1.000 / 1.000 (+0.000) |  |  |  |  | +0.000 |" in lines["no space"]
    lines = {line.split("|")[1].strip(): line for line in ladder.summary(both).splitlines()}
    assert "| breaks | 0 of 1 |  |" in lines["breaks"]
    assert lines["breaks"].count("| 0 of 1 |") == 2
    at = "(40%, 10, 0.6, 1, niches, 0%)"
    assert f"| no space | 1 of 1 | 1.000 | 1.000 | 1 of 1 | +0.000 {at} | +0.000 |" in lines["no space"]


def test_a_method_that_is_not_installed_is_asked_once(tmp_path):
    asked = []
    rows = pd.DataFrame(chain(*climb({"absent": Absent(asked)}, (HARD,), SMALL, 1, set(), tmp_path)))
    assert rows["failed"].tolist() == ["not installed: no network"] * 2
    assert len(asked) == 1


def runs_of(*shares: float) -> pd.DataFrame:
    """Rows of a method with these joint ARI at seeds of HARD, NaN where it failed, and 1 without batch effects."""
    rows = []
    for seed, ari in enumerate(shares):
        one = {"method": "m", "run": "m", "missing": 0.4, "imbalance": 10.0, "seed": seed, "seconds": 1.0}
        rows.append(one | {"shift": 0.0, **dict.fromkeys(MEASURED, 1.0), "failed": ""})
        rows.append(one | {"shift": 0.6, **dict.fromkeys(MEASURED, ari), "failed": "why" if np.isnan(ari) else ""})
    return pd.DataFrame(rows)


def test_one_seed_that_failed_is_named_below_the_table():
    both = beside_batch_free(runs_of(0.99, np.nan, 0.96))
    assert "| 40% | 10 | 0.6 | 1 | niches | 0% | m | 0.975 / 1.000 (-0.025) |" in ladder.table(both)
    assert ladder.table(both).endswith("\n\n- 40%, 10, 0.6, 1, niches, 0%, m: seed 1 failed: why")
    at = "(40%, 10, 0.6, 1, niches, 0%)"
    assert f"| m | 2 of 3 | 0.975 | 1.000 | 1 of 1 | -0.025 {at} | -0.040 | 1 |" in ladder.summary(both)
    assert "| 0 of 1 | -0.040 (" in ladder.summary(beside_batch_free(runs_of(0.96)))


def command(scores: Path, *more):
    return invoke(
        ladder.bench_ladder, "--seeds", 1, "--missing", 0, "--imbalance", 1, "--large", 1, "--tissue", "niches",
        "--rare", 0,         "--cells", 90, "--patients", 2, "--niche-starts", 2, "--scores", scores, *more,
    )  # fmt: skip


def test_command_prints_both_tables_and_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setitem(VARIANTS, "default", type(VARIANTS["default"])(training={"steps": 5}))
    scores = tmp_path / "scores.csv"
    first = command(scores, "--shift", 0.25)
    assert first.exit_code == 0, first.stderr
    assert "| without network | 1 of 1 | 0." in first.stdout
    lines = [line for line in first.stdout.splitlines() if line.startswith("| 0% | 1 | 0.25 | 1 | niches | 0% |")]
    assert [line.split("|")[7].strip() for line in lines][:2] == ["default", "without refinement"]
    for line in lines:
        with_batch, free, change = (float(v.strip("()")) for v in line.split("|")[8].replace("/", " ").split())
        assert change == pytest.approx(with_batch - free, abs=0.002)
    assert lines[0].split("|")[10].strip()  # iLISI, which a part has not
    assert not lines[1].split("|")[10].strip()
    stored = pd.read_csv(scores)
    assert sorted(stored.loc[stored["method"] == "without network", "shift"]) == [0, 0.25]

    monkeypatch.setitem(ladder.METHODS, "default", None)  # would fail if it were called
    again = command(scores, "--shift", 0.25)
    assert again.stdout == first.stdout


def test_command_names_what_failed_and_tries_again_what_was_not_installed(tmp_path, monkeypatch):
    scores = tmp_path / "scores.csv"
    monkeypatch.setitem(ladder.METHODS, "BANKSY", Absent([]))
    monkeypatch.setitem(ladder.METHODS, "1 hop", Oracle("slow", tmp_path))
    more = ["--shift", 0.25, "--method", "BANKSY", "--method", "1 hop", "--max-minutes", 0.01]
    first = command(scores, *more)
    assert first.exit_code == 0, first.stderr
    assert "| 0% | 1 | 0.25 | 1 | niches | 0% | BANKSY | seed 0 failed: not installed: no network |" in first.stdout
    assert "| 0% | 1 | 0.25 | 1 | niches | 0% | 1 hop | seed 0 failed: took more than 0.6 s |" in first.stdout
    monkeypatch.setitem(ladder.METHODS, "BANKSY", Oracle("oracle", tmp_path))
    monkeypatch.setitem(ladder.METHODS, "1 hop", None)  # what it said still stands
    again = command(scores, *more[:-1], 1)
    assert again.exit_code == 0, again.stderr
    assert "| 0% | 1 | 0.25 | 1 | niches | 0% | BANKSY | 1.000 / 1.000 (+0.000) |" in again.stdout
    assert "| 0% | 1 | 0.25 | 1 | niches | 0% | 1 hop | seed 0 failed: took more than 0.6 s |" in again.stdout
    stored = pd.read_csv(scores)
    assert not stored.duplicated(["method", "run", "shift", "seed"]).any()


def test_scores_of_something_else_are_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("method,missing,imbalance,shift,seed,ari\ndefault,0,1,0,0,1\n")
    result = command(tmp_path / "scores.csv")
    assert result.exit_code == 2
    assert "no column failed" in result.stderr


def test_levels_that_do_not_exist_are_refused(tmp_path):
    result = command(tmp_path / "scores.csv", "--shift", 3)
    assert result.exit_code == 2
    assert "no level has these values; levels are 0%, 1, 0.25; 0%, 1, 0.6; " in result.stderr
