"""Feature types of values."""

import numpy as np
import pytest
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.io.values import as_csr, detect_feature_type, first_where


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 0], [0, 1], [1, 0]], FeatureType.ONEHOT),
        ([[1, 0]] * 19 + [[0, 0]], FeatureType.ONEHOT),
        ([[1, 0]] * 19 + [[1, 1]], FeatureType.BINARY),
        ([[1, 0], [0, 0], [0, 0]], FeatureType.BINARY),
        ([[1], [1], [1]], FeatureType.BINARY),
        ([[2, 0], [0, 1]], FeatureType.COUNTS),
        ([[0, 0], [0, 0]], FeatureType.COUNTS),
        ([[1.5, 0], [0, 1]], FeatureType.CONTINUOUS),
    ],
)
def test_feature_type(rows, expected):
    assert detect_feature_type(as_csr(np.array(rows, float))) == expected


def test_first_where_looks_into_every_block(monkeypatch):
    monkeypatch.setattr("semanticst.io.values._BLOCK", 4)
    data = np.arange(11)
    assert first_where(data, lambda v: v == 9) == 9
    assert first_where(data, lambda v: v > 20) is None


def test_as_csr_adds_up_repeated_entries_and_drops_zeros():
    matrix = sp.coo_matrix(([1.0, 2.0, 3.0, -3.0], ([0, 0, 1, 1], [1, 1, 0, 0])), shape=(2, 3))
    X = as_csr(matrix)
    assert X.dtype == np.float32
    assert X.nnz == 1
    assert X[0, 1] == 3
