"""The script in examples/ does what its text says."""

import runpy
import sys

import anndata as ad
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from helpers import ROOT, make_sample
from semanticst.constants import Obsm
from semanticst.threads import limit_threads


@pytest.fixture
def two_regions(tmp_path):
    """300 cells; on the right of the tissue half of the genes have three times as many counts. Path and side."""
    sample = make_sample(n_cells=300, n_features=60)
    right = sample.obsm["spatial"][:, 0] > np.median(sample.obsm["spatial"][:, 0])
    counts = sample.X.toarray()
    counts[np.ix_(right, range(30))] *= 3
    sample.X = counts
    sample.write_h5ad(tmp_path / "sample.h5ad")
    return tmp_path / "sample.h5ad", right


def test_the_network_is_trained_on_one_object(two_regions, tmp_path, monkeypatch, capsys):
    path, right = two_regions
    out = tmp_path / "embedded.h5ad"
    monkeypatch.setattr(sys, "argv", ["train.py", str(path), str(out), "30"])
    with limit_threads(1):  # several spin at each other's cost on a busy machine
        runpy.run_path(str(ROOT / "examples/train.py"), run_name="__main__")

    embedded = ad.read_h5ad(out)
    Z = embedded.obsm[Obsm.EMBEDDING]
    assert Z.shape == (300, 32)
    np.testing.assert_allclose(embedded.obsm[Obsm.SCORES].sum(1), 1, atol=1e-5)
    assert cross_val_score(LogisticRegression(max_iter=500), Z, right).mean() > 0.9, "the embedding tells the regions"
    header, first, last = (line.split() for line in capsys.readouterr().out.splitlines()[-3:])
    loss = header.index("loss")
    assert (int(first[0]), int(last[0])) == (1, 30)
    assert float(last[loss]) < 0.9 * float(first[loss])
