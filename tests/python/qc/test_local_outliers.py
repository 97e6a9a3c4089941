"""Cells that differ from the cells around them."""

import numpy as np
import pandas as pd
import pytest

from semanticst.qc.local_outliers import local_outliers
from semanticst.qc.neighbour_search import AROUND


def sample(seed=0, n=900):
    """A left half with 1,000 counts a cell and a right half with 50; n_features and mito_share follow."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 300, (n, 2))
    total = rng.lognormal(np.where(points[:, 0] < 150, np.log(1000), np.log(50)), 0.3)
    return points, pd.DataFrame({"total_counts": total, "n_features": total**0.8, "mito_share": rng.beta(5, 50, n)})


@pytest.mark.parametrize("seed", range(4))
def test_a_quiet_region_is_not_an_outlier_but_a_quiet_cell_in_a_busy_one_is(seed):
    points, metrics = sample(seed)
    busy = np.flatnonzero(points[:, 0] < 110)[:5]
    metrics.loc[busy, "total_counts"] = 50
    found = local_outliers(points, metrics)
    assert found[busy].all()
    assert found[points[:, 0] > 190].mean() < 0.04
    assert found.mean() < 0.04


def test_high_mitochondrial_share_stands_out_and_a_low_one_does_not():
    points, metrics = sample()
    metrics.loc[3, "mito_share"] = 0.6
    metrics.loc[4, "mito_share"] = 0.0
    metrics.loc[5, "total_counts"] *= 30
    found = local_outliers(points, metrics)
    assert found[3]
    assert not found[[4, 5]].any()


def test_no_mitochondrial_features_and_no_spread():
    points, metrics = sample()
    metrics["mito_share"] = np.nan
    metrics[["total_counts", "n_features"]] = 7.0
    assert not local_outliers(points, metrics).any()


def test_a_sample_smaller_than_a_neighbourhood_has_none():
    points, metrics = sample(n=AROUND)
    metrics.loc[0, "total_counts"] = 0
    assert not local_outliers(points, metrics).any()


def test_blocks_do_not_show(monkeypatch):
    points, metrics = sample()
    whole = local_outliers(points, metrics)
    monkeypatch.setattr("semanticst.qc.neighbour_search._ROWS", 70)
    assert np.array_equal(local_outliers(points, metrics), whole)
    assert whole.any()
