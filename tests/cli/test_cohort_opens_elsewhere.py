"""``cohort.h5ad`` in scanpy and squidpy: opened and drawn without a word, in the colours of the report."""

import json
import os
import subprocess

import pandas as pd
import pytest

from helpers import ASSETS, invoke, make_internal
from launcher.cache import cache_dir
from launcher.environment import python_of
from launcher.messages import SetupError
from launcher.peers import ready_peer
from semanticst.cohort.assemble import assemble_cohort
from semanticst.constants import UNS
from semanticst.plotting.palette import niche_colour

DRAW = """
import json, sys, warnings
import matplotlib
matplotlib.use("Agg")
import anndata as ad, scanpy as sc, squidpy as sq
from matplotlib.colors import to_hex
warnings.simplefilter("error")
for among_libraries in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
    warnings.simplefilter("ignore", among_libraries)  # not about the object
warnings.filterwarnings("ignore", message="No data for colormapping")  # squidpy says it of every category
cohort = ad.read_h5ad(sys.argv[1])
one = cohort[cohort.obs["sample"] == "s0"].copy()
drawn = []
for column in ("niche", "niche_name", "rare_tissue", "arm", "age"):
    axes = sc.pl.embedding(one, "spatial", color=column, show=False)
    if column.startswith("niche"):
        points = max(axes.collections, key=lambda found: len(found.get_offsets()))
        drawn.append(sorted({to_hex(colour).upper() for colour in points.get_facecolors()}))
    sq.pl.spatial_scatter(cohort, shape=None, library_key="sample", color=column)
    matplotlib.pyplot.close("all")
print(json.dumps({"colours": drawn, "symbols": list(cohort.var["symbol"][:2])}))
"""


@pytest.fixture
def elsewhere():
    """Python of an environment with scanpy and squidpy, which nothing else of the project needs."""
    try:
        return python_of(ready_peer("cellcharter", cache_dir(os.environ), os.environ))
    except SetupError as error:
        pytest.skip(f"scanpy and squidpy cannot be installed: {error}")


@pytest.fixture
def published(tmp_path):
    """The object as a run publishes it, assembled of two samples in three niches and annotated."""
    parts = [make_internal(sample=f"s{i}", patient=f"p{i}", n_cells=60, seed=i) for i in range(2)]
    tables = []
    for part in parts:
        part.write_h5ad(tmp_path / f"{part.obs['sample'].iloc[0]}.qc.h5ad")
        tables.append(part.obs[["sample", "patient"]].assign(cell_id=part.obs_names))
    cells = pd.concat(tables).reset_index(drop=True)
    cells["niche"] = cells.index % 3 + 1
    niches = cells.assign(stability=0.9, niche_jaccard=0.8, fit=0.5, x=0.0, y=0.0, coordinate_unit="um")
    rare = pd.array([0, 1] * 30 + [pd.NA] * 60, dtype="Int64")  # not looked for in the second sample
    niches.assign(rare_tissue=rare).to_csv(tmp_path / "niches.csv.gz", index=False)
    embedding = make_internal(n_cells=120)
    embedding.obs_names = cells["sample"].astype(str) + ":" + cells["cell_id"]
    for key in ("X_pca", "X_pca_harmony", "X_semantic", "semantic_scores"):
        embedding.obsm[key] = embedding.X.toarray()[:, :3]
    settings = {"train_mode": "semantic", "contexts": ["spatial", "expression", "domain"], "graph_hops": 2}
    embedding.uns[UNS] |= settings | {"spatial_unit": "um", "feature_type": "counts"}
    embedding.write_h5ad(tmp_path / "embedding.h5ad")
    samples = [tmp_path / f"s{i}.qc.h5ad" for i in range(2)]
    assemble_cohort(samples, tmp_path / "embedding.h5ad", tmp_path / "niches.csv.gz", tmp_path / "cohort.h5ad")
    pd.DataFrame({"niche": [1, 2, 3], "n_cells": 40, "stability": 0.9}).to_csv(tmp_path / "stability.csv", index=False)
    (tmp_path / "sheet.csv").write_text("sample,patient,path,batch,timepoint\ns0,p0,a,b,early\ns1,p1,b,b,\n")
    (tmp_path / "clinical.csv").write_text("patient,age,arm\np0,50,A\np1,NA,B\n")
    (tmp_path / "names.csv").write_text("niche,name\n2,Border & $x$\n")
    result = invoke(
        "cohort_annotate", tmp_path / "cohort.h5ad", "--niches", tmp_path / "niches.csv.gz", "--stability",
        tmp_path / "stability.csv", "--samplesheet", tmp_path / "sheet.csv", "--clinical", tmp_path / "clinical.csv",
        "--niche-names", tmp_path / "names.csv", "--schema-dir", ASSETS, "--outdir", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return tmp_path / "out/cohort.h5ad"


def test_scanpy_and_squidpy_open_and_draw_it_without_a_word(published, elsewhere):
    command = [elsewhere, "-W", "ignore", "-c", DRAW, published]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    *said, last = done.stdout.splitlines()
    assert said == []
    found = json.loads(last)
    assert found["colours"] == [sorted(niche_colour(k) for k in (1, 2, 3))] * 2
    assert found["symbols"] == ["gene_0", "gene_1"]
