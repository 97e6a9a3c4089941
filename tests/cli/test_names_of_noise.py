"""A cohort in which no two features go together: nobody's names look exchanged, in any step that says so."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chain_helpers import SMALL, chain, done
from helpers import invoke, make_internal

CELLS, GENES = 300, 30


def noise(sample, seed, part=""):
    adata = make_internal(sample, sample, n_cells=CELLS, n_features=GENES, seed=seed)
    rng = np.random.default_rng(seed)
    adata.X = sp.csr_matrix(rng.poisson(4, (CELLS, GENES)).astype(np.float32))
    adata.obsm["spatial"] = rng.uniform(0, 10 * np.sqrt(CELLS), (CELLS, 2))
    if part:
        adata.uns["semanticst"]["study_part"] = part
    return adata


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three samples of noise, a fourth for validation, and a model of the three."""
    folder = tmp_path_factory.mktemp("noise")
    for i in range(4):
        noise(f"s{i}", i, "validation" if i == 3 else "discovery").write_h5ad(folder / f"s{i}.qc.h5ad")
    chain(folder, folder, [f"s{i}.qc.h5ad" for i in range(4)], training=SMALL)
    return folder


def test_own_and_validation_samples_are_not_judged_by_it(folder):
    found = pd.read_csv(folder / "niche_fit.csv")
    assert len(found) == 4
    assert found["exchanged"].max() > 0.05
    assert not found["why"].fillna("").str.contains("names of others").any()
    assert not found["checked"].str.contains("exchanged").any()


def test_nor_are_mapped_samples(folder, tmp_path):
    noise("new", 9).write_h5ad(tmp_path / "new.qc.h5ad")
    chain(tmp_path, tmp_path, ["new.qc.h5ad"], model=folder / "model.pt")
    found = pd.read_csv(tmp_path / "niche_fit.csv")
    assert not found["why"].fillna("").str.contains("names of others").any()
    assert not found["checked"].str.contains("exchanged").any()
    said = (tmp_path / "mapped_fit_mqc.json").read_text()
    assert "look as under the names" not in said
    assert "names of features" in said


def test_the_model_card_says_so(folder):
    told = invoke("model_inspect", folder / "model.pt")
    done(told)
    assert "gained by exchanging" not in told.stdout
    assert "Not checked, since the model has no measure of it: " in told.stdout
    assert "names of features" in told.stdout
    assert json.loads(invoke("model_inspect", folder / "model.pt", "--json").stdout)["fit"]["most_exchanged"] is None
