"""Metrics of cells."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import make_internal
from semanticst.constants import FeatureType
from semanticst.qc.metrics import _MITOCHONDRIAL, _RIBOSOMAL, bin_edges, cell_areas, cell_metrics, histograms, named


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


def test_numbers_beyond_float32():
    assert np.isnan(cell_areas(pd.DataFrame({"cell_area": [1e39, np.inf]}))).all()
    adata = make_internal(n_cells=2, n_features=2, kind="continuous")
    adata.X = sp.csr_matrix(np.full((2, 2), 3e38, np.float32))
    assert np.isfinite(cell_metrics(adata, FeatureType.CONTINUOUS)["total_counts"]).all()


def test_areas_that_are_none(caplog):
    assert cell_areas(pd.DataFrame(index=range(2))) is None
    given = cell_areas(pd.DataFrame({"cell_area": [0.0, -1.0, np.nan, 30.0]}))
    assert np.isnan(given[:3]).all()
    assert given[3] == 30
    assert cell_areas(pd.DataFrame({"cell_area": ["large", "small"]})) is None
    assert "holds no numbers" in caplog.text


def test_mitochondrial_genes_of_several_species_and_as_r_names_them():
    found = ["MT-CO1", "mt-Nd1", "GRCh38_MT-CO1", "mm10___mt-Co1", "GRCh38-2020-A_MT-ND4", "MT.CO1", "mt:CoI",
             "GRCh38-MT-CO1", "mm10---mt-Co1", "hg19_MT.CO1", "MT_CO1", "ENSG00000198804",
             "ENSMUSG00000064351"]  # fmt: skip
    others = ["MT1A", "MTOR", "MTRNR2L1", "GRCh38_MTOR", "GMT-1", "SMT3", "mm10___Mtor", "RNU-MT-1",
              "HG-MT-1", "ENSG00000198805", "ENSMUSG00000164351"]  # fmt: skip
    assert named(pd.DataFrame(index=found), _MITOCHONDRIAL).all()
    assert not named(pd.DataFrame(index=others), _MITOCHONDRIAL).any()
    assert named(pd.DataFrame(index=["GRCh38_RPS3", "mm10___Rpl13a"]), _RIBOSOMAL).all()


def finite(lowest, width=32):
    largest = float(np.finfo(np.float32).max)
    return st.floats(lowest, largest, allow_nan=False, width=width)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.one_of(
    st.lists(finite(0.0), min_size=1, max_size=8),
    # equal but for rounding
    st.builds(lambda x, steps: [float(np.nextafter(np.float32(x), np.float32(s))) for s in steps],
              finite(0.0), st.lists(st.sampled_from([0.0, 1e30]), min_size=1, max_size=8)),
))  # fmt: skip
def test_any_column_has_a_histogram(values):
    column = np.array(values, np.float64)
    edges = bin_edges(column)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(column, edges)[0].sum() == len(column)


def test_totals_that_are_constant_but_for_rounding():
    """As values that were scaled to one total; numpy's own choice of edges ends with an error."""
    total = np.float32(1e4) + np.array([0, 1e-3, 2e-3], np.float32)
    metrics = pd.DataFrame({"total_counts": total, "n_features": np.int32(5)})
    found = histograms(metrics, np.array([True, True, False]))
    assert {name: (h["input"].sum(), h["kept"].sum()) for name, h in found.items()} == {
        "log10_total_counts": (3, 2), "n_features": (3, 2),
    }  # fmt: skip
    assert len(bin_edges(np.array([]))) == 31
