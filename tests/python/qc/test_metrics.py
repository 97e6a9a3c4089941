"""Metrics of cells."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import make_internal
from semanticst.constants import FeatureType
from semanticst.qc.metrics import _RIBOSOMAL, cell_areas, cell_metrics, named


def test_ribosomal_proteins_by_name_or_symbol():
    names = [
        "RPS3",
        "RPL13A",
        "Rps27l",
        "Rplp0",
        "RPSA",
        "RPS6",
        "RPS6KA1",
        "Rps6kb1",
        "RPN1",
        "RPAP1",
        "ENSG0",
        "CRPL1",
    ]
    var = pd.DataFrame({"symbol": ["x"] * 10 + ["RPL3", "x"]}, index=names)
    assert named(var, _RIBOSOMAL).tolist() == [True] * 6 + [False] * 4 + [True, False]


def test_shares_are_of_the_counts():
    adata = make_internal(n_cells=4, n_features=5)
    adata.var_names = ["MT-CO1", "RPS3", "A", "B", "C"]
    adata.X = sp.csr_matrix(np.array([[1, 2, 3, 4, 0], [0, 0, 1, 0, 0], [0] * 5, [5, 0, 0, 0, 0]], np.float32))
    adata.obs["control_counts"] = np.array([10, 0, 0, 5], np.float32)
    table = cell_metrics(adata, FeatureType.COUNTS)
    assert table["mito_share"].tolist() == pytest.approx([0.1, 0, np.nan, 1], nan_ok=True)
    assert table["ribo_share"].tolist() == pytest.approx([0.2, 0, np.nan, 0], nan_ok=True)
    assert table["control_share"].tolist() == pytest.approx([0.5, 0, np.nan, 0.5], nan_ok=True)
    assert (table.dtypes.drop("n_features") == np.float32).all()
    assert "cell_area" not in table


def test_areas_that_are_none(caplog):
    assert cell_areas(pd.DataFrame(index=range(2))) is None
    given = cell_areas(pd.DataFrame({"cell_area": [0.0, -1.0, np.nan, 30.0]}))
    assert np.isnan(given[:3]).all()
    assert given[3] == 30
    assert cell_areas(pd.DataFrame({"cell_area": ["large", "small"]})) is None
    assert "holds no numbers" in caplog.text
