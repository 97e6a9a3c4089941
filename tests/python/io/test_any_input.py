"""Tables and objects that nobody thinks of: read, or refused with a message, and never a traceback."""

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semanticst.io.ingest import ingest_sample
from semanticst.io.internal import internal_faults
from semanticst.io.readers import ReadError

FEW = settings(max_examples=40, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.sampled_from(
    ["", "Unnamed: 0", "x", "y", "X", "Y", "z", "cell_id", "label", "index", "Area", "cell_type", "image", "fov",
     "in_tissue", "array_row", "array_col", "CD3", "MT-CO1", "NegPrb1", "Cell: CD3 mean", "centroid-0", "centroid-1",
     "a,b", 'q"t', "µ"]
)  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(["", "NA", "nan", "inf", "-1", "1e39", "1e-320", "0", "1", "x", "1,5", " 2 ", "0x1"]),
    st.floats(0, 1e6, width=32).map(repr),
    st.integers(0, 30).map(str),
)


def read(path) -> ad.AnnData | None:
    try:
        return ingest_sample({"sample": "s", "patient": "p", "path": str(path)})
    except ReadError:
        return None


@FEW
@given(st.lists(NAMES, min_size=1, max_size=8), st.integers(1, 6), st.sampled_from(",\t;"), st.data())
def test_any_table(tmp_path, columns, n_rows, separator, data):
    kind = data.draw(st.sampled_from(["numbers", "anything"]))
    value = st.integers(0, 30).map(str) if kind == "numbers" else NUMBERS
    rows = [[data.draw(value) for _ in columns] for _ in range(n_rows)]
    file = tmp_path / "t.csv"
    pd.DataFrame(rows, columns=columns).to_csv(file, sep=separator, index=False)
    adata = read(file)
    assert adata is None or internal_faults(adata) == []


COLUMNS = {
    "in_tissue": [[0, 1] * 6, [True] * 12, ["yes"] * 12, [np.nan] * 12, ["maybe"] * 12],
    "library_id": [["a"] * 12, ["a", "b"] * 6, list(range(12)), [np.nan] * 12],
    "array_row": [[0] * 12, list(range(12)), ["a"] * 12, [np.nan] * 12],
    "array_col": [[0] * 12, list(range(12)), [1e300] * 12],
    "sample": [["a"] * 12, [1.5] * 12],
    "x": [[0.0] * 12, list(range(12)), [np.inf] * 12],
    "y": [[0.0] * 12, list(range(12))],
    "cell_area": [[1e38] * 12, [-1.0] * 12, ["large"] * 12],
}
MATRICES = [
    np.zeros((12, 3)), np.ones((12, 3)), np.full((12, 3), 3e38), np.full((12, 3), -1.0), np.eye(12, 3),
    np.full((12, 3), np.nan), np.full((12, 3), 0.5), np.arange(36).reshape(12, 3), np.ones((12, 3), bool),
]  # fmt: skip
POINTS = [
    None, np.arange(24.0).reshape(12, 2), np.zeros((12, 2)), np.full((12, 2), np.nan), np.arange(36.0).reshape(12, 3),
    np.zeros((12, 0)), np.full((12, 2), "a"), np.full((12, 2), 1e308), np.arange(12).reshape(12, 1),
]  # fmt: skip


@FEW
@given(st.data())
def test_any_object(tmp_path, data):
    def draw(values):
        return values[data.draw(st.integers(0, len(values) - 1))]

    obs = pd.DataFrame(index=[f"c{i}" for i in range(12)])
    for name in data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), unique=True)):
        obs[name] = draw(COLUMNS[name])
    names = draw([["A", "B", "C"], ["", "", ""], ["A", "A", "A"], ["ENSG00000000001"] * 3, ["1", "2", "3"]])
    var = pd.DataFrame({"Symbol": draw([["a", "b", "c"], [""] * 3, [1.0, 2.0, 3.0]])}, index=names)
    points, X = draw(POINTS), draw(MATRICES)
    with h5py.File(tmp_path / "s.h5ad", "w") as file:
        ad.io.write_elem(file, "obs", obs)
        ad.io.write_elem(file, "var", var)
        ad.io.write_elem(file, "X", draw([X, sp.csr_matrix(X), sp.csc_matrix(X)]))
        ad.io.write_elem(
            file, "obsm", {} if points is None else {draw(["spatial", "X_spatial", "spatial_fov"]): points}
        )
        if data.draw(st.booleans()):
            ad.io.write_elem(file, "layers", {draw(["counts", "raw", "log"]): draw(MATRICES)})
        ad.io.write_elem(
            file, "uns", draw([{}, {"spatial": {"a": {}}}, {"spatial_unit": "um"}, {"resolution": 0, "bin_type": 1}])
        )
    adata = read(tmp_path / "s.h5ad")
    assert adata is None or internal_faults(adata) == []


@pytest.mark.parametrize(
    "text", ["\0" * 50, "a\n" * 50, ",,,\n,,,\n", "x,y\n" + "1," * 9000, '"', "\ufeff", "a,b\r1,2\r"]
)
def test_texts_that_are_no_table(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert read(tmp_path / "t.csv") is None
