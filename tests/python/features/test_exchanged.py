"""Names of features that were exchanged in a part of the panel: what goes together tells, in counts and stainings."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import make_internal
from semanticst.constants import GRAPH_SETTINGS
from semanticst.features.build import build_components
from semanticst.features.exchanged import Together, exchanged_features

FEATURES, PROGRAMS = 60, 6
LIMIT = 0.02


def section(sample, seed, kind="counts", n_cells=400):
    """Cells of six programs, each of which raises ten of sixty features in a measure of their own."""
    adata = make_internal(sample=sample, batch=sample, seed=seed, n_cells=n_cells, n_features=FEATURES)
    of_panel, rng = np.random.default_rng(1), np.random.default_rng(seed)
    means = np.exp(of_panel.normal(0.5, 1, FEATURES) + rng.normal(0, 0.2, FEATURES))
    program = np.arange(FEATURES) % PROGRAMS
    raised = of_panel.uniform(2, 8, FEATURES) * (rng.integers(PROGRAMS, size=n_cells)[:, None] == program) + 1
    values = rng.poisson(means * raised) if kind == "counts" else means * raised * rng.lognormal(0, 0.5, raised.shape)
    adata.X = sp.csr_matrix(values.astype(np.float32))
    if kind != "counts":
        adata.uns["semanticst"]["feature_type"] = kind
    return adata


def components(folder, sections, model=None):
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for adata in sections:
        paths.append(folder / f"{adata.uns['semanticst']['sample']}.qc.h5ad")
        adata.write_h5ad(paths[-1])
    build_components(paths, folder, n_components=10, model=model)
    return {p.name.split(".")[0]: ad.read_h5ad(p).uns["semanticst"] for p in folder.glob("*.components.h5ad")}


@pytest.fixture(scope="module", params=["counts", "continuous"])
def trained(request, tmp_path_factory):
    """Kind of values, what is said of the model's own samples, and the model."""
    folder = tmp_path_factory.mktemp("model")
    own = components(folder, [section(f"s{i}", i, request.param) for i in range(4)])
    with np.load(folder / "cohort.basis.npz", allow_pickle=False) as file:
        basis = dict(file)
    graph = {name: np.array(5) for name in GRAPH_SETTINGS}
    model = {"basis": basis, "network": {"shape": {"n_input": basis["loadings"].shape[1]}}, "mixture": graph}
    return request.param, own, model


def test_own_samples_go_together_as_the_others(trained):
    _, own, _ = trained
    assert [said["exchanged"] < LIMIT / 2 for said in own.values()] == [True] * 4


def test_a_fifth_of_the_names_in_rotation_is_told_and_named(tmp_path, trained):
    kind, _, model = trained
    clean, mixed = section("clean", 10, kind), section("mixed", 11, kind)
    names = mixed.var_names.to_numpy().copy()
    names[:12] = np.roll(names[:12], 1)
    mixed.var_names = pd.Index(names)
    said = components(tmp_path, [clean, mixed], model)
    assert said["clean"]["exchanged"] < LIMIT / 2
    assert said["mixed"]["exchanged"] > 2 * LIMIT
    named = said["mixed"]["exchanged_features"]
    assert "looks like" in named
    assert "more" in named
    assert {pair.split(" looks like ")[0] for pair in named.split(" and ")[0].split(", ")} <= set(names[:12])


def test_features_that_a_sample_lacks_are_left_out(tmp_path, trained):
    kind, _, model = trained
    said = components(tmp_path, [section("fewer", 12, kind)[:, 1:].copy()], model)
    assert said["fewer"]["exchanged"] < LIMIT / 2


def test_models_without_the_correlations_of_features_compare_nothing(tmp_path, trained):
    kind, _, model = trained
    basis = {name: values for name, values in model["basis"].items() if not name.startswith("together")}
    said = components(tmp_path, [section("n", 12, kind)], model | {"basis": basis})
    assert np.isnan(said["n"]["exchanged"])


def noise(n_samples, n_features, seed=0):
    """Scatters of samples in which no two features go together."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(n_samples, 300, n_features))
    return {f"s{i}": (X - X.mean(0)).T @ (X - X.mean(0)) for i, X in enumerate(samples)}


@pytest.mark.parametrize(("n_samples", "n_features"), [(3, 30), (6, 30), (3, 40), (12, 30)])
def test_what_names_of_noise_gain_is_not_clear(n_samples, n_features):
    scatters = noise(n_samples, n_features)
    names = np.array([f"f{i}" for i in range(n_features)])
    total = sum(scatters.values())
    sizes = np.sqrt(np.diag(total))
    found = exchanged_features(Together(names, total / np.outer(sizes, sizes)), scatters, list(scatters)).values()
    assert max(said.gain for said in found) > 0.05
    assert max(said.clear for said in found) < LIMIT / 4


def test_a_sample_of_the_model_with_a_fifth_of_its_names_in_rotation_is_clear(tmp_path, trained):
    sections = [section(f"s{i}", i, trained[0]) for i in range(3)]
    names = sections[1].var_names.to_numpy().copy()
    names[:12] = np.roll(names[:12], 1)
    sections[1].var_names = pd.Index(names)
    said = components(tmp_path, sections)
    assert [said[f"s{i}"]["exchanged_clear"] > LIMIT for i in range(3)] == [False, True, False]
    assert said["s1"]["exchanged_clear"] <= said["s1"]["exchanged"]


def test_too_few_features_that_vary_say_nothing():
    together = Together(np.array([f"f{i}" for i in range(30)]), np.eye(30, dtype=np.float32))
    assert np.isnan(together.exchanged(np.diag(np.r_[np.ones(19), np.zeros(11)]))[0])
