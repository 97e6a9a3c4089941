"""The benchmark of niches: scores that are what they say, rows for each part, an annotation that is needed."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench._ablations import VARIANTS
from semanticst.bench._methods import METHODS
from semanticst.bench.measuring.score_table import table
from semanticst.bench.measuring.scores import agreement, annotated, chaos, coherence, lisi, pas
from semanticst.bench.niches import bench_niches, expanded
from semanticst.simulate.cohort import simulate_cohort
from semanticst.simulate.settings import Settings


def test_scores_of_a_niche_per_patient():
    domain = np.array(["a", "b"] * 50)
    sample = np.repeat(["s1", "s2"], 50)
    perfect = agreement(domain, sample, (domain == "a").astype(int))
    assert perfect == {"ari": 1.0, "nmi": 1.0, "ari_within": 1.0}
    by_patient = agreement(domain, sample, (sample == "s1").astype(int))
    assert abs(by_patient["ari"]) < 0.02
    assert by_patient["ari_within"] == 0


def test_cells_without_annotation_are_left_out():
    domain = np.array(["a", "b", "NA", "NA"])
    assert annotated(domain).tolist() == [True, True, False, False]
    assert agreement(domain, np.array(["s"] * 4), np.array([0, 1, 0, 1]))["ari"] == 1


def test_lisi_of_mixed_and_of_separate_samples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    labels = rng.integers(3, size=600)
    assert 2.4 < lisi(X, labels) <= 3
    assert lisi(X + 100 * labels[:, None], labels) == 1


def test_coherence_of_stripes_and_of_noise():
    rng = np.random.default_rng(0)
    xy = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    stripes, noise = (xy[:, 0] // 10).astype(int), rng.integers(3, size=900)
    step = 1 / xy[:, 0].std()  # to the next cell of a lattice, coordinates being scaled
    assert chaos(xy, stripes) == pytest.approx(step)
    assert chaos(xy, noise) > 1.1 * step
    assert pas(xy, stripes) < 0.05
    assert pas(xy, noise) > 0.6
    lonely = np.where(np.arange(900) == 465, 3, stripes)
    assert pas(xy, lonely) == pytest.approx(pas(xy, stripes) + 1 / 900, abs=1e-6)
    assert chaos(xy, lonely) == pytest.approx(step, rel=0.01)  # a niche of one cell is left out
    # samples are looked at one by one: the second lies on top of the first
    both, sample = np.vstack([xy, xy]), np.repeat(["s1", "s2"], 900)
    twice = coherence(both, sample, np.concatenate([stripes, 2 - stripes]))
    assert twice["pas"] == pytest.approx(pas(xy, stripes))
    assert twice["chaos"] == pytest.approx(chaos(xy, stripes))


def test_table_says_what_failed_and_leaves_out_what_nobody_has():
    rows = [{"row": "a", "seed": s, "chaos": 0.1 * s, "ari": np.nan, "note": "as told"} for s in (0, 1)]
    rows += [{"row": "b", "seed": 0, "failed": "no | network"}]
    rows += [{"row": "c", "seed": 0, "chaos": 0.5}, {"row": "c", "seed": 1, "failed": "took long"}]
    text = table(pd.DataFrame(rows))
    assert text.splitlines()[0] == "| | seeds | CHAOS |"
    assert "| a | 2 | 0.050 ± 0.071 |" in text
    assert "| b | 0 | failed: no / network |" in text
    assert "| c | 1 | 0.500 |" in text
    assert text.endswith("- a: as told\n- c: seed 1 failed: took long")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(Settings(patients=2, sections=(1, 1), cells=250, genes=60, niches=3, batches=2), folder)
    return folder


def test_a_row_for_every_part(cohort, monkeypatch):
    monkeypatch.setitem(VARIANTS, "default", type(VARIANTS["default"])(training={"steps": 5}))
    result = invoke(
        bench_niches, "--input", cohort / "samplesheet.csv", "--method", "default", "--seeds", 1, "--niche-starts", 2
    )
    assert result.exit_code == 0, result.stderr
    head, *_ = result.stdout.splitlines()
    assert head.startswith("2 samples, ")
    assert head.endswith("annotated, 3 niches")
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in result.stdout.splitlines()[4:]}
    parts = [
        "without refinement",
        "without network",
        "without spread",
        "without network or refinement",
        "network alone",
        "no space",
        "with rare tissue",
    ]
    assert list(rows) == ["default", *parts]
    assert all(row[0].strip() == "1" for row in rows.values())
    columns = [name.strip() for name in result.stdout.splitlines()[2].split("|")[2:-1]]
    default = dict(zip(columns, rows["default"]))
    assert float(default["own k"]) >= 2
    assert float(default["peak MB"]) > 100
    assert float(default["CHAOS"]) > 0
    assert rows["no space"][columns.index("peak MB")].strip() == ""  # a part has no process of its own
    assert float(rows["without network"][1]) > 0.3


class Columns:
    """A method that cuts the tissue into vertical stripes."""

    CODE = """
import json, sys
import anndata as ad, pandas as pd
job = json.load(open(sys.argv[1] + "/job.json"))
(sample,) = [ad.read_h5ad(path) for path in job["samples"]]
niche = pd.qcut(sample.obsm["spatial"][:, 0], job["k"], labels=False)
cells = "s:" + sample.obs_names
pd.DataFrame({"niche": niche}, index=pd.Index(cells, name="cell")).to_csv(sys.argv[1] + "/labels.csv")
"""

    def settings(self):
        return {}

    def command(self, folder):
        return [sys.executable, "-c", self.CODE, folder], dict(os.environ)


def test_a_sheet_without_annotation_needs_a_number(cohort, tmp_path, monkeypatch):
    import anndata as ad

    plain = ad.read_h5ad(next((cohort / "samples").glob("*.h5ad")))
    del plain.obs["domain"]
    plain.write_h5ad(tmp_path / "plain.h5ad")
    (tmp_path / "sheet.csv").write_text("sample,patient,path\ns,p,plain.h5ad\n")
    result = invoke(bench_niches, "--input", tmp_path / "sheet.csv")
    assert result.exit_code == 3
    assert "column 'domain'" in result.stderr
    monkeypatch.setitem(METHODS, "1 hop", Columns())
    result = invoke(bench_niches, "--input", tmp_path / "sheet.csv", "--niche-k", 4, "--method", "1 hop", "--seeds", 2)
    assert result.exit_code == 0, result.stderr
    assert ", 0 annotated, 4 niches" in result.stdout
    assert result.stdout.splitlines()[2] == "| | seeds | CHAOS | PAS | cells | CPU s | peak MB |"
    (row,) = [line.split("|")[2:-1] for line in result.stdout.splitlines() if line.startswith("| 1 hop |")]
    assert row[0].strip() == "2"
    assert all("±" in cell for cell in row[1:])


def test_methods_are_named_alone_or_in_groups():
    assert expanded(["ours"])[0] == "default"
    assert "BANKSY" in expanded(["peers"])
    assert not set(expanded(["ours"])) & set(expanded(["peers"]))
    assert expanded(["1 hop", "ours"]) == ["1 hop", *(name for name in expanded(["ours"]) if name != "1 hop")]


def test_a_stopped_benchmark_goes_on_from_its_scores(cohort, tmp_path, monkeypatch):
    def bench(*more):
        return invoke(bench_niches, "--input", cohort / "samplesheet.csv", "--method", "1 hop", "--save", scores, *more)

    scores = tmp_path / "scores.csv"
    failing = Columns()
    failing.CODE = "raise SystemExit('broken')"
    monkeypatch.setitem(METHODS, "1 hop", failing)
    assert "failed: " in bench("--seeds", 1).stdout
    stored = pd.read_csv(scores)
    stored = pd.DataFrame([{"row": "1 hop", "seed": 0, "ari": 0.25, "cells": stored["cells"][0], "k": stored["k"][0]}])
    stored.to_csv(scores, index=False)
    # seed 0 is known, seed 1 is run and fails, and what failed is not tried again
    again = bench("--seeds", 3)
    assert again.exit_code == 0, again.stderr
    assert "| 1 hop | 1 | 0.250 |" in again.stdout
    assert "1 hop: seed 1 failed" in again.stdout
    before = scores.read_text()
    assert "1 hop: seed 1 failed" in bench("--seeds", 3).stdout
    assert scores.read_text() == before
    other = bench("--niche-k", 5)
    assert other.exit_code == 2
    assert "another cohort" in other.stderr
