"""Counts in other forms: what each is, and that a bench reads the same cells in it."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from semanticst.bench._ladder import Level, Size, make_cohort
from semanticst.bench.material.scaled_values import Form, in_form
from semanticst.io.internal import read_sample


def counts() -> sp.csr_matrix:
    return sp.csr_matrix(np.random.default_rng(0).poisson(3, (50, 20)).astype(np.float32))


def form_of(form: Form) -> np.ndarray:
    return in_form(counts(), form, 100.0, np.random.default_rng(1)).toarray()


def test_forms_are_what_they_are_called():
    X = counts().toarray()
    assert np.array_equal(form_of(Form.GIVEN), X)
    normalised, logged, scored = (form_of(form) for form in (Form.NORMALISED, Form.LOGGED, Form.ZSCORED))
    assert normalised.sum(1) == pytest.approx(np.full(50, 100), rel=1e-5)
    own = np.expm1(form_of(Form.OWN_TOTAL)).sum(1)
    assert own == pytest.approx(np.full(50, np.median(X.sum(1))), rel=1e-5)
    assert np.allclose(logged, np.log1p(normalised), atol=1e-5)
    assert np.allclose(scored, (logged - logged.mean(0)) / logged.std(0), atol=1e-4)
    stained = form_of(Form.STAINED)
    assert (stained > 0).all()
    assert np.corrcoef(np.log(stained).mean(0), X.mean(0))[0, 1] > 0.8


def test_a_feature_that_does_not_vary_has_no_scores():
    X = sp.csr_matrix(np.repeat([[1.0, 0.0]], 5, axis=0))
    assert (in_form(X, Form.ZSCORED, 1.0, np.random.default_rng(0)).toarray() == 0).all()


@pytest.mark.filterwarnings("error::RuntimeWarning")  # z-scores have totals below 0
def test_a_bench_reads_the_same_cells_in_another_form(tmp_path):
    size = Size(patients=2, cells=100, genes=60, niches=4)
    samples, truth = make_cohort(Level(0.0, 1.0, 0.25), Size(**vars(size) | {"values": "zscored"}), 0, tmp_path / "z")
    read = [read_sample(path) for path in samples]
    assert [one.uns["semanticst"]["feature_type"] for one in read] == ["continuous"] * 2
    assert min(one.X.min() for one in read) < 0
    _, given = make_cohort(Level(0.0, 1.0, 0.25), size, 0, tmp_path / "given")
    both = truth.join(given, rsuffix="_given", how="inner")
    assert len(both) > 0.9 * len(given)
    assert (both["domain"] == both["domain_given"]).all()
    sheet = pd.read_csv(tmp_path / "z" / "values" / "samplesheet.csv")
    assert set(ad.read_h5ad(tmp_path / "z" / "values" / sheet["path"][0]).obs) == {"cell_type", "domain"}
