"""Rare tissue: what is planted is found, and nothing else is."""

import json
import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from semanticst.graph.contexts import neighbourhood_profile, spatial_context
from semanticst.niche.cluster import cluster_niches
from semanticst.niche.rare.niche_blends import BLOCK, nearest_blends, project_to_simplex
from semanticst.niche.rare.rare_section import rare_cautions, report_rare_tissue
from semanticst.niche.rare.rare_tissue import (
    CLEAR_GAIN,
    LARGEST,
    PATCH_COLUMNS,
    Kind,
    find_rare_tissue,
)
from semanticst.niche.representations import fit_representations
from semanticst.units import percent

SIDE, SPACING, COMPONENTS = 32, 10.0, 12
NAME = "P<1>"


def cohort(patches: dict[str, int], patients=(NAME, "P2", "P3"), seed=0, shift=3.0) -> tuple[ad.AnnData, np.ndarray]:
    """Sections of 32 x 32 cells, a patient each, of three niches side by side; in those of ``patches`` a square of so
    many cells a side that is like none of them. The cells and the niches (n,) that they are given."""
    rng = np.random.default_rng(seed)
    means = np.eye(4, COMPONENTS) * shift
    row, column = (grid.ravel() for grid in np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))
    parts, niches = [], []
    for patient in patients:
        niche = np.minimum(column * 3 // SIDE, 2)
        kind, size = niche.copy(), patches.get(patient, 0)
        kind[(row >= 4) & (row < 4 + size) & (column >= 13) & (column < 13 + size)] = 3
        X = (means[kind] + rng.normal(size=(len(kind), COMPONENTS))).astype(np.float32)
        xy = np.column_stack([column, row]) * SPACING + rng.normal(0, 0.5, (len(kind), 2))
        graph = spatial_context(xy, 8)
        one = ad.AnnData(obs=pd.DataFrame(
            {"sample": f"{patient}_S", "patient": patient, "batch": "b", "cell_id": np.arange(len(kind)).astype(str),
             "truth": kind == 3}, index=np.arange(len(kind)).astype(str)
        ))  # fmt: skip
        one.obsm = {
            "X_pca": X,
            "X_pca_harmony": X,
            "X_profile": neighbourhood_profile(X, graph, 2, None),
            "spatial": xy,
        }
        parts.append((one, graph))
        niches.append(niche)
    whole = ad.concat([one for one, _ in parts], index_unique="-")
    whole.obsp["spatial_connectivities"] = sp.block_diag([graph for _, graph in parts], format="csr")
    whole.uns["semanticst"] = {
        "feature_type": "counts", "graph_hops": 2, "spatial_unit": "um", "train_mode": "none", "graph_k_spatial": 8,
        "graph_k_expression": 8, "graph_k_domain": 8,
    }  # fmt: skip
    return whole, np.concatenate(niches)


def looked_for(adata, niches):
    return find_rare_tissue(adata, fit_representations(adata), niches)


def test_blends_are_the_nearest_points_of_the_hull():
    rng = np.random.default_rng(0)
    vertices, Z = rng.normal(size=(5, 4)) * 3, rng.normal(size=(200, 4)) * 3
    weights = nearest_blends(Z, vertices)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-9)
    much = 1e4  # the sum of weights as one more equation
    exact = [nnls(np.vstack([vertices.T, np.full(5, much)]), np.append(z, much))[0] for z in Z]
    np.testing.assert_allclose(weights @ vertices, np.array(exact) @ vertices, atol=0.05)


def test_blends_of_many_cells_are_made_block_by_block():
    vertices = np.eye(3)
    Z = np.tile(vertices, (BLOCK // 3 + 5, 1))
    np.testing.assert_allclose(nearest_blends(Z, vertices), Z, atol=1e-6)
    assert nearest_blends(np.empty((0, 3)), vertices).shape == (0, 3)


def test_projection_onto_the_simplex():
    projected = project_to_simplex(np.array([[0.2, 0.3, 0.5], [2.0, 0.0, 0.0], [1.0, 1.0, -5.0]]))
    np.testing.assert_allclose(projected, [[0.2, 0.3, 0.5], [1, 0, 0], [0.5, 0.5, 0]])


def test_what_is_planted_in_two_patients_is_found():
    adata, niches = cohort({NAME: 6, "P3": 6})
    found = looked_for(adata, niches)
    rare = adata.obs["truth"].to_numpy()
    assert set(found.kind) == {0, 1}
    assert (found.kind[rare] > 0).mean() > 0.8
    assert rare[found.kind > 0].mean() > 0.7  # cells beside a patch of 36 see more of it than of their own
    assert found.patches.columns.tolist() == list(PATCH_COLUMNS)
    assert found.patches["patient"].tolist() == [NAME, "P3"]
    assert found.patches["n_cells"].sum() == (found.kind > 0).sum()
    middle = (13 + 2.5) * SPACING, (4 + 2.5) * SPACING
    np.testing.assert_allclose(found.patches[["x", "y"]], [middle, middle], atol=SPACING)
    assert (found.patches["nearest_niche"] == 2).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patches", [{}, {"P2": 6}], ids=["nowhere", "in one patient"])
def test_nothing_is_found_where_nothing_recurs(patches, seed):
    found = looked_for(*cohort(patches, seed=seed))
    assert found.patches.empty
    assert not found.kind.any()


def with_halo(adata: ad.AnnData, niches: np.ndarray, steps: int) -> np.ndarray:
    """Niches (n,) in which what was planted is a fourth one, with all within ``steps`` of it."""
    graph, inside = adata.obsp["spatial_connectivities"], adata.obs["truth"].to_numpy(float)
    for _ in range(steps):
        inside = np.sign(inside + graph @ inside)
    return np.where(inside > 0, 3, niches)


@pytest.mark.parametrize("size", [4, 6])
@pytest.mark.parametrize("steps", [0, 1])
def test_a_small_niche_is_no_rare_tissue(size, steps):
    adata, niches = cohort({NAME: size, "P3": size}, shift=4.0)
    assert looked_for(adata, niches).patches["n_cells"].sum() > 0
    assert looked_for(adata, with_halo(adata, niches, steps)).patches.empty


def test_a_kind_that_is_a_niche_is_no_rare_tissue(monkeypatch):
    adata, niches = cohort({NAME: 6, "P3": 6})
    assert len(looked_for(adata, niches).patches)
    monkeypatch.setattr(Kind, "is_niche", lambda kind, labels: labels is niches)
    assert looked_for(adata, niches).patches.empty


def test_a_kind_is_a_niche_of_which_it_has_a_third():
    labels, gain = np.repeat([0, 1], [60, 40]), np.zeros(100)
    assert Kind([np.arange(60, 74)], gain).is_niche(labels)
    assert not Kind([np.arange(60, 73)], gain).is_niche(labels)  # a part of the niche
    assert Kind([np.arange(40, 80)], gain).is_niche(labels)
    assert not Kind([np.arange(27, 80)], gain).is_niche(np.repeat([0, 1, 2, 3], [20, 20, 20, 40]))  # mostly beside it
    assert not Kind([], gain).is_niche(labels)


def test_a_kind_is_clear_in_several_patients():
    patients = np.repeat(["P1", "P2", "P3"], 100)
    clear, unclear = np.full(300, CLEAR_GAIN), np.where(np.arange(300) < 100, CLEAR_GAIN, CLEAR_GAIN - 1)
    assert Kind([np.arange(7), np.arange(100, 108)], clear).is_clear(patients)
    assert not Kind([np.arange(7), np.arange(20, 28)], clear).is_clear(patients)
    assert not Kind([np.arange(7), np.arange(100, 108)], unclear).is_clear(patients)


def test_tissue_of_many_cells_is_not_rare_and_the_reader_is_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    adata, niches = cohort({NAME: 11, "P3": 11})
    found = looked_for(adata, niches)
    assert found.patches.empty
    [(n, patients)] = found.common
    assert n > LARGEST * adata.n_obs
    assert patients == 2
    report_rare_tissue(adata, found, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "no rare tissue" not in caplog.text
    text = (
        f"{n} cells ({percent(n / adata.n_obs)}) in 2 patients look alike, and like none of the niches nor a blend of "
        "niches: too many to be rare tissue, try more niches (--niche_k)"
    )
    assert text in caplog.text
    assert rare_cautions(found) == [{"text": f"{text}.", "section": "niche_overview"}]


def test_patches_of_different_tissue_are_not_alike():
    adata, niches = cohort({NAME: 6, "P3": 6})
    other = adata.obs["truth"].to_numpy() & (adata.obs["patient"] == "P3").to_numpy()
    X = adata.obsm["X_pca_harmony"]
    X[other, 3], X[other, 4] = X[other, 4].copy(), X[other, 3].copy()
    adata.obsm["X_profile"] = neighbourhood_profile(X, adata.obsp["spatial_connectivities"], 2, None)
    assert looked_for(adata, niches).patches.empty


def test_one_patient_is_not_enough():
    adata, niches = cohort({"P2": 6}, patients=("P2",))
    assert looked_for(adata, niches) is None


def test_report_shows_each_patch_and_escapes_names(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    adata, niches = cohort({NAME: 6, "P3": 6})
    found = looked_for(adata, niches)
    report_rare_tissue(adata, found, tmp_path)
    assert f"rare tissue 1: {(found.kind > 0).sum()} cells in 2 patches of 2 patients" in caplog.text
    section = json.loads((tmp_path / "rare_tissue_mqc.json").read_text())
    assert f"1 kind of rare tissue, {(found.kind > 0).sum()} of {adata.n_obs:,d} cells" in section["description"]
    assert [row["n_cells"] for row in section["data"].values()] == found.patches["n_cells"].tolist()
    shown = "".join(path.read_text() for path in tmp_path.glob("rare_tissue*_mqc.*"))
    assert "P&lt;1&gt;" in shown
    assert NAME not in shown
    assert (tmp_path / "rare_tissue_maps_mqc.html").exists() or (tmp_path / "rare_tissue_maps_mqc.json").exists()


def test_no_section_where_there_is_none(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    adata, niches = cohort({})
    report_rare_tissue(adata, looked_for(adata, niches), tmp_path)
    report_rare_tissue(adata, None, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "no rare tissue: no patches in several patients" in caplog.text
    assert "no rare tissue was looked for" in caplog.text


def test_step_writes_cells_and_patches(tmp_path):
    adata, _ = cohort({NAME: 6, "P3": 6})
    rare = adata.obs.pop("truth").to_numpy()
    adata.write_h5ad(tmp_path / "e.h5ad")
    cluster_niches(tmp_path / "e.h5ad", tmp_path, niche_k="3", starts=2, bootstraps=0)
    cells = pd.read_csv(tmp_path / "niches.csv.gz")
    assert rare[cells["rare_tissue"] == 1].mean() > 0.7
    patches = pd.read_csv(tmp_path / "rare_tissue.csv")
    n = (cells["rare_tissue"] > 0).sum()
    assert patches["n_cells"].sum() == n
    assert json.loads((tmp_path / "niche_cautions.json").read_text()) == [
        {
            "text": f"1 kind of rare tissue ({n} cells in 2 patients) is like none of the niches: it counts in that "
            "which is nearest; look at the images.",
            "section": "rare_tissue",
        }
    ]


def test_no_caution_without_rare_tissue():
    adata, niches = cohort({})
    assert rare_cautions(looked_for(adata, niches)) == rare_cautions(None) == []
