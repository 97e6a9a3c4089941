"""Samples that were normalised to totals of their own are brought to one."""

import json
import logging

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from helpers import make_internal, random_values
from semanticst.features import build, common_total
from semanticst.features.build import build_components, load_basis
from semanticst.features.common_total import FORMS, CommonTotal, constant_total


def normalised(X, total: float, form: str = "log1p") -> sp.csr_matrix:
    """Counts, each cell scaled to ``total``, in a form."""
    X = sp.csr_matrix(X, dtype=np.float64)
    data = X.data * np.repeat(total / np.asarray(X.sum(1)).ravel(), np.diff(X.indptr))
    return sp.csr_matrix((FORMS[form].after(data).astype(np.float32), X.indices, X.indptr), shape=X.shape)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("total", [37.0, 10_000.0])
def test_a_total_is_told_in_the_form_of_the_values(form, total):
    found = constant_total(normalised(random_values("counts", 80, 30), total, form))
    assert found == (form, pytest.approx(total, rel=1e-4))


@pytest.mark.parametrize(
    "X",
    [
        random_values("counts", 80, 30),
        random_values("continuous", 80, 30),
        sp.csr_matrix(np.log1p(random_values("counts", 80, 30).toarray())),
        sp.csr_matrix(np.random.default_rng(0).normal(size=(80, 30))),
        sp.csr_matrix((80, 30)),
        sp.csr_matrix((0, 30)),
        normalised(random_values("counts", 80, 30), 100)[:, :8],
    ],
    ids=["counts", "intensities", "logarithms of counts", "z-scores", "empty", "no cells", "features chosen since"],
)
def test_other_values_have_none(X):
    assert constant_total(X) is None


def test_some_features_that_were_left_out_since_change_nothing():
    X = normalised(random_values("counts", 200, 60), 100)
    form, total = constant_total(X[:, :59])
    assert (form, total) == ("log1p", pytest.approx(98.3, abs=1.5))


@pytest.mark.parametrize("form", FORMS)
def test_samples_come_to_the_median_total(form):
    X = [random_values("counts", 60, 30, seed) for seed in range(3)]
    given = {f"s{i}": normalised(x, total, form) for i, (x, total) in enumerate(zip(X, (50, 100, 400)))}
    common = CommonTotal.of({name: constant_total(values) for name, values in given.items()})
    assert common == CommonTotal(form, pytest.approx(100, rel=1e-4))
    for x, values in zip(X, given.values()):
        brought = common.bring(values)
        assert brought.dtype == np.float32
        np.testing.assert_allclose(brought.toarray(), normalised(x, 100, form).toarray(), rtol=2e-3, atol=1e-5)


def test_values_of_one_total_already_and_of_none_stay_as_they_are():
    X = random_values("counts", 60, 30)
    assert CommonTotal.of({"a": ("log1p", 100.0), "b": ("log1p", 101.0)}) is None
    assert CommonTotal.of({"a": None, "b": None}) is None
    assert CommonTotal("log1p", 100.0).bring(X) is X
    assert CommonTotal("values", 100.0).bring(logs := normalised(X, 50)) is logs


@pytest.mark.parametrize("other", [None, ("values", 50.0)])
def test_samples_of_which_only_some_have_a_total_are_told(other, caplog):
    assert CommonTotal.of({"a": ("log1p", 100.0), "b": other}) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (
        "were normalised to one total per cell (a to 100 as log1p), the others not, or in another form"
        in record.message
    )


def components(folder, totals, model=None):
    """Components of two samples of one tissue that were normalised to ``totals``, and what was recorded."""
    paths = []
    for number, total in enumerate(totals):
        adata = make_internal(
            sample=f"s{number}", patient=f"p{number}", batch=f"b{number}", kind="counts", n_cells=120, seed=number
        )
        adata.X = normalised(adata.X, total)
        adata.uns["semanticst"]["feature_type"] = "continuous"
        paths.append(folder / f"s{number}.qc.h5ad")
        adata.write_h5ad(paths[-1])
    build_components(paths, folder, n_components=5, harmony=False)
    found = [ad.read_h5ad(folder / f"s{n}.components.h5ad").obsm["X_pca"] for n in range(len(totals))]
    return np.vstack(found), json.loads((folder / "cohort.features.json").read_text())


def test_depth_of_a_sample_is_not_in_its_components(tmp_path):
    (one := tmp_path / "one").mkdir()
    (own := tmp_path / "own").mkdir()
    same, recorded = components(one, (100, 100))
    assert recorded["common_total"] is None
    found, recorded = components(own, (50, 200))
    assert recorded["common_total"] == pytest.approx(125, rel=1e-3)
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(found.T, same.T)]
    assert np.abs(correlations).min() > 0.98
    basis, _ = load_basis(own / "cohort.basis.npz")
    assert basis.common == CommonTotal("log1p", pytest.approx(125, rel=1e-3))
    assert load_basis(one / "cohort.basis.npz")[0].common is None


def test_the_total_of_a_sample_is_looked_for_once(tmp_path, monkeypatch):
    looked = []
    for module in (build, common_total):
        monkeypatch.setattr(module, "constant_total", lambda X: looked.append(X.shape) or constant_total(X))
    _, recorded = components(tmp_path, (50, 200, 100))
    assert recorded["common_total"] == pytest.approx(100, rel=1e-3)
    assert len(looked) == 3
