"""Feature types of values."""

import numpy as np
import pytest
import scipy.sparse as sp

from semanticst.constants import COUNTING, FeatureType
from semanticst.errors import ReadError
from semanticst.io.values import as_csr, check_values, cohort_type, first_where, possible_types
from semanticst.qc.platforms import PLATFORMS


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
    assert possible_types(as_csr(np.array(rows, float)))[0] == expected


ONE_MARKER = [[1, 0], [0, 1], [1, 0]]
TWO_MARKERS = [[1, 0], [1, 1], [0, 0]]
COUNTED = [[2, 0], [0, 1]]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([ONE_MARKER, ONE_MARKER], "onehot"),
        ([ONE_MARKER, TWO_MARKERS], "binary"),
        ([ONE_MARKER, COUNTED, TWO_MARKERS], "counts"),
        ([[[0, 0], [0, 0]], TWO_MARKERS], "binary"),
        ([COUNTED, [[1.5, 0], [0, 1]]], None),
        # so many 1 that some 2 would be among them if these were counts: they were made binary
        ([COUNTED, [[1, 0], [0, 1], [1, 1]] * 100], None),
    ],
)
def test_kind_of_the_cohort_is_the_one_that_all_samples_may_be(samples, expected):
    assert cohort_type([possible_types(as_csr(np.array(rows, float))) for rows in samples]) == expected


def test_platform_tells_counts_from_marks_and_stainings():
    marks, counted = as_csr(np.array(ONE_MARKER, float)), as_csr(np.array(COUNTED, float))
    assert possible_types(marks, "visium_hd") == ("counts",)
    assert possible_types(as_csr(np.array(ONE_MARKER * 200, float)), "xenium") == ("onehot", "binary")
    assert cohort_type([possible_types(counted, "imc"), possible_types(counted * 0.3, "imc")]) == "continuous"
    assert set(PLATFORMS) == COUNTING


def test_a_feature_without_any_value_is_named():
    X = sp.csr_matrix(np.array([[1.5, np.nan, 2], [1, np.nan, np.nan]], np.float32))
    with pytest.raises(ReadError, match=r"1 features have no finite value in any cell \(CD4\); take them out"):
        check_values(X, ["a", "b"], ["CD3", "CD4", "CD8"], "")
    with pytest.raises(ReadError, match=r"not finite.*\(first: cell b, feature CD8"):
        check_values(X[:, [0, 2]], ["a", "b"], ["CD3", "CD8"], "")


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
