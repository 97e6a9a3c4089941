"""The benchmark of niches: scores that are what they say, rows for each part, an annotation that is needed."""

import numpy as np
import pytest

from helpers import invoke
from semanticst.bench._scores import agreement, annotated, lisi
from semanticst.bench._variants import VARIANTS
from semanticst.bench.niches import bench_niches
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


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(Settings(patients=2, sections=(1, 1), cells=250, genes=60, niches=3, batches=2), folder)
    return folder


def test_a_row_for_every_part(cohort, monkeypatch):
    monkeypatch.setitem(VARIANTS, "default", type(VARIANTS["default"])(training={"steps": 5}))
    result = invoke(
        bench_niches, "--input", cohort / "samplesheet.csv", "--variant", "default", "--seeds", 2, "--niche-starts", 2
    )
    assert result.exit_code == 0, result.stderr
    head, *_ = result.stdout.splitlines()
    assert head.startswith("2 samples, ")
    assert head.endswith("annotated, 3 niches")
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in result.stdout.splitlines()[4:]}
    assert list(rows) == ["default", "without network", "network alone", "no space"]
    assert all("±" in row[0] for row in rows.values())
    assert float(rows["without network"][0].split("±")[0]) > 0.3


def test_a_sheet_without_annotation_is_bad_input(cohort, tmp_path):
    import anndata as ad

    plain = ad.read_h5ad(next((cohort / "samples").glob("*.h5ad")))
    del plain.obs["domain"]
    plain.write_h5ad(tmp_path / "plain.h5ad")
    (tmp_path / "sheet.csv").write_text("sample,patient,path\ns,p,plain.h5ad\n")
    result = invoke(bench_niches, "--input", tmp_path / "sheet.csv")
    assert result.exit_code == 3
    assert "column 'domain'" in result.stderr
