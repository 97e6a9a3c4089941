"""The benchmark of the search for neighbours, on a section that is small."""

import anndata as ad
import numpy as np
import pytest

from helpers import invoke
from semanticst.bench import recall
from semanticst.graph import neighbours as search

SECTIONS = (("simulated", "2,500"), ("without kinds", "2,500"), ("s1, expression", "1,500"), ("s1, domain", "1,500"))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(recall, "JUDGED", 100)
    monkeypatch.setattr(search, "LIST_CELLS", 20)
    monkeypatch.setattr(search, "COMPARED_CELLS", (800, 2000))
    # pynndescent compiles for half a minute
    monkeypatch.setattr(recall, "descent", lambda X, seed: search.nearest_in_components(X, 10, exact_up_to=len(X)))


def table(stdout: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in stdout.splitlines() if line.startswith("| ")]


def test_a_row_per_search_and_section(tmp_path):
    path = tmp_path / "s1.graphs.h5ad"
    types = np.eye(5, dtype=np.float32)[np.random.default_rng(0).choice(5, 1500)]
    profile = np.random.default_rng(1).normal(size=(1500, 10)).astype(np.float32)
    kind = {"semanticst": {"feature_type": "onehot"}}
    ad.AnnData(obsm={"X_pca_harmony": types, "X_profile": profile}, uns=kind).write_h5ad(path)
    result = invoke(recall.bench_recall, path, "--cells", 2500, "--seeds", 2)
    assert result.exit_code == 0, result.stderr
    head, *lines = table(result.stdout)
    assert [line[:3] for line in lines] == [
        [section, cells, name]
        for section, cells in SECTIONS
        for name in ("all distances", "near lists", "nearest-neighbour descent")
    ]
    found = {(line[0], line[2]): float(line[4].split(" ± ")[0]) for line in lines}
    assert found["simulated", "all distances"] == found["s1, expression", "nearest-neighbour descent"] == 1
    assert 0.8 < found["simulated", "near lists"] <= 1
    assert ["±" in line[3] for line in lines[:2]] == [False, True]


def test_a_file_that_is_something_else(tmp_path):
    path = tmp_path / "s1.qc.h5ad"
    ad.AnnData(np.ones((300, 2))).write_h5ad(path)
    (tmp_path / "table.csv").write_text("a,b\n")
    wrong = {path: "s1.qc.h5ad: is no {sample}.graphs.h5ad", tmp_path / "table.csv": "table.csv: cannot be read"}
    for given, said in wrong.items():
        result = invoke(recall.bench_recall, given, "--cells", 2000, "--seeds", 1)
        assert result.exit_code == 3
        assert said in result.stderr
        assert not result.stdout
