"""Is a number of niches supported? Halves of the tissue, and the zero line of shuffled cells."""

import html
import json
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from semanticst.graph.contexts import neighbourhood_profile, spatial_context
from semanticst.niche.choose_k import (
    CLOSE_ZERO_SPLITS,
    ZERO_SPLITS,
    choose_number,
    is_supported,
    not_supported,
    number_curve,
    report_curve,
    unjudged,
)
from semanticst.niche.cluster import cluster_niches
from semanticst.niche.consensus import rand_index, rand_index_within
from semanticst.niche.mixture import rows_of_samples
from semanticst.niche.representations import fit_representations, middle_representation
from semanticst.niche.tissue_halves import (
    Trial,
    distinct_halves,
    halves_of_tiles,
    is_arranged,
    tissue_tiles,
    trial_cells,
    without_arrangement,
)


def tissue(kind: str, seed: int, n: int = 400, samples: int = 3) -> ad.AnnData:
    """Sections of cells: ``stripes`` of three mixes of six cell types, ``types`` at random places, or all ``alike``."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 1000, (n * samples, 2))
    sample = np.repeat([f"s{i}" for i in range(samples)], n)
    mixes = np.full((3, 6), 1 / 6) if kind != "stripes" else rng.dirichlet(np.full(6, 0.5), size=3)
    stripe = (xy[:, 0] // 334).astype(int)
    types = (mixes[stripe].cumsum(1) > rng.random(len(xy))[:, None]).argmax(1)
    means = np.zeros((6, 20)) if kind == "alike" else np.pad(rng.normal(scale=2, size=(6, 5)), ((0, 0), (0, 15)))
    X = (means[types] + rng.normal(scale=0.5, size=(len(xy), 20))).astype(np.float32)
    A = sp.block_diag([spatial_context(xy[sample == s], 10) for s in np.unique(sample)], format="csr")
    obs = pd.DataFrame(
        {"sample": sample, "patient": sample, "batch": sample, "cell_id": np.arange(len(xy)).astype(str)}
    )
    obs.index = obs["sample"] + ":" + obs["cell_id"]
    profile = neighbourhood_profile(X, A.astype(np.float32), 3)
    adata = ad.AnnData(
        obs=obs, obsm={"spatial": xy, "X_pca_harmony": X, "X_pca": X, "X_profile": profile, "X_semantic": X}
    )
    adata.obsp["spatial_connectivities"] = A.astype(np.float32)
    adata.uns["semanticst"] = {"graph_hops": 3, "feature_type": "counts", "spatial_unit": "um"}
    return adata


def curve_of(adata: ad.AnnData, seed: int, numbers=range(2, 6)) -> pd.DataFrame:
    trial = trial_cells(adata, middle_representation(fit_representations(adata)), seed)
    return number_curve(trial, numbers, shrinkage=0.1, seed=seed)


@pytest.mark.parametrize("kind", ["types", "alike"])
def test_no_number_is_supported_where_there_is_no_structure(kind):
    for seed in range(2):
        curve = curve_of(tissue(kind, seed), seed, range(2, 7))
        assert not curve["supported"][curve["k"] == choose_number(curve)].any()
        assert curve["supported"].sum() == 0


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("kind", "expected"), [("types", False), ("alike", False), ("stripes", True)])
def test_cells_at_random_places_are_told_from_tissue(kind, expected, seed):
    adata = tissue(kind, seed)
    assert is_arranged(adata, np.arange(adata.n_obs), seed) is expected


def test_cells_that_shun_their_like_are_arranged():
    adata = tissue("alike", 0)
    rows, columns = np.arange(adata.n_obs) // 20, np.arange(adata.n_obs) % 20
    xy = np.column_stack([columns, rows % 20]) * 10.0
    sign = np.where((rows + columns) % 2, 1.0, -1.0)[:, None]
    adata.obsm["X_pca_harmony"] = adata.obsm["X_pca_harmony"] + 2 * sign.astype(np.float32)
    samples = adata.obs["sample"].to_numpy()
    graphs = [spatial_context(xy[samples == s], 4) for s in np.unique(samples)]
    adata.obsp["spatial_connectivities"] = sp.block_diag(graphs, format="csr").astype(np.float32)
    assert is_arranged(adata, np.arange(adata.n_obs), 0)


def test_no_number_is_supported_where_cells_lie_as_at_random(tmp_path):
    adata = tissue("stripes", 0)
    trial = trial_cells(adata, middle_representation(fit_representations(adata)), 0)
    curves = [number_curve(of, [2, 3, 4], shrinkage=0.1, seed=0) for of in (trial, replace(trial, arranged=False))]
    assert [curve["supported"].any() for curve in curves] == [True, False]
    verdict = ["supported", "arranged"]
    pd.testing.assert_frame_equal(curves[0].drop(columns=verdict), curves[1].drop(columns=verdict))
    told = [curve.assign(chosen=curve["k"] == 3, about_as_stable=curve["k"] == 3) for curve in curves]
    assert not_supported(told[0]) == ""
    assert not_supported(told[1]) == (
        "No number of niches is supported by the tissue: the cells lie in their samples as at random"
    )
    report_curve(told[1], tmp_path)
    said = html.unescape(json.loads((tmp_path / "niche_k_mqc.json").read_text())["description"])
    assert "no more alike than any of their sample" in said
    assert "where stability is above the zero line, it is by chance" in said


def test_the_zero_line_has_more_pairs_where_it_is_close():
    assert set(curve_of(tissue("stripes", 0), 0)["zero_pairs"]) == {ZERO_SPLITS}
    adata = tissue("stripes", 0)
    near = trial_cells(adata, middle_representation(fit_representations(adata)), 0)
    noise = np.random.default_rng(0).normal(size=near.X.shape)
    close = number_curve(replace(near, X=noise), [2, 3, 4], shrinkage=0.1, seed=0)
    assert set(close["zero_pairs"]) == {CLOSE_ZERO_SPLITS}


def test_the_number_of_tissues_is_supported():
    curve = curve_of(tissue("stripes", 1), 1)
    assert choose_number(curve) == 3
    assert curve["supported"][curve["k"] == 3].all()
    assert (curve["stability"] - curve["zero"])[curve["k"] == 3].item() > 0.4


def test_what_differs_between_samples_only_is_no_structure():
    adata = tissue("alike", 0)
    adata.obsm["X_pca_harmony"] += 5 * (adata.obs["sample"] == "s1").to_numpy(np.float32)[:, None]
    adata.obsm["X_profile"] += 5 * (adata.obs["sample"] == "s1").to_numpy(np.float32)[:, None]
    assert not curve_of(adata, 0)["supported"].any()


def test_a_small_or_unsure_distance_from_the_zero_line_is_none():
    curve = pd.DataFrame({"k": [3, 4, 5], "stability": [0.5, 0.5, 0.5], "stability_sd": [0.1, 0.1, 0.6], "pairs": 20})
    assert is_supported(curve.assign(zero=[0.45, 0.2, 0.2], zero_sd=0.05, zero_pairs=8)).tolist() == [
        False,
        True,
        False,
    ]
    assert unjudged([3, 4])["supported"].all()


def test_beside_a_number_that_is_clearly_supported_less_is_enough():
    curve = pd.DataFrame(
        {"k": [2, 3, 4, 5, 6], "stability_sd": 0.1, "pairs": 20, "zero": 0.2, "zero_sd": 0.05, "zero_pairs": 8}
    )
    near = curve.assign(stability=[0.5, 0.24, 0.28, 0.29, 0.29])
    assert is_supported(near).tolist() == [True, False, False, False, False], (
        "2 is never chosen, and no reason for others"
    )
    one = curve.assign(stability=[0.5, 0.24, 0.28, 0.31, 0.29])
    assert is_supported(one).tolist() == [True, False, True, True, True]
    assert is_supported(one.assign(k=[2, 4, 6, 8, 10])).tolist() == [True, False, False, True, False]


def test_tiles_are_pieces_of_tissue_of_one_sample():
    rng = np.random.default_rng(0)
    xy, samples = rng.uniform(size=(1000, 2)), np.repeat(["a", "b", "c"], [800, 170, 30])
    tiles = tissue_tiles(xy, samples)
    assert [len(np.unique(tiles[samples == s])) for s in "abc"] == [16, 8, 1]
    assert pd.Series(samples).groupby(tiles).nunique().max() == 1
    assert np.bincount(tiles).min() >= 20
    widths = pd.DataFrame(xy[:800]).groupby(tiles[:800]).agg(np.ptp)
    assert widths.max(axis=None) < 0.5


def test_halves_share_no_tile_and_have_half_of_each_sample():
    samples = np.repeat(["a", "b"], [160, 160])
    tiles = np.repeat(np.arange(16), 20)
    one, two = halves_of_tiles(tiles, samples, np.random.default_rng(3))
    assert not set(tiles[one]) & set(tiles[two])
    assert sorted([*one, *two]) == list(range(320))
    assert (samples[one] == "a").sum() == (samples[one] == "b").sum() == 80


@pytest.mark.parametrize(("sections", "differ"), [(1, 1), (2, 1), (4, 3), (5, 10), (12, 30)])
def test_sections_of_one_tile_are_halved_in_many_ways_where_there_are_many(sections, differ):
    tiles = np.repeat(np.arange(sections), 20)
    rng = np.random.default_rng(0)
    halves = [halves_of_tiles(tiles, tiles.astype(str), rng) for _ in range(100)]
    assert distinct_halves(halves) >= differ
    if sections < 6:
        assert distinct_halves(halves) == differ
    for one, two in halves:
        assert not set(tiles[one]) & set(tiles[two])
        assert abs(len(one) - len(two)) <= 20


def test_two_sections_of_one_tile_tell_no_number():
    rng = np.random.default_rng(0)
    X, sections = rng.normal(size=(60, 3)), np.repeat([0, 1], 30)
    X[sections == 1] += 4  # each half is a section, and always the same one
    assert number_curve(Trial(X, sections, sections), [2, 3, 4], shrinkage=0.1, seed=0).empty


def test_each_pair_of_halves_has_cells_of_its_own():
    samples = np.repeat(["a", "b"], [9_000, 1_000])
    trial = Trial(np.zeros((10_000, 2)), samples, np.arange(10_000) // 100)
    one, two = (trial.draw(np.random.default_rng(seed)) for seed in (0, 1))
    for rows in (one, two):
        assert len(rows) == 4_000
        assert (np.diff(rows) > 0).all()
        assert (samples[rows] == "b").sum() == 1_000
    assert 0.2 < np.isin(one, two).mean() < 0.8
    small = Trial(np.zeros((100, 2)), samples[:100], np.arange(100))
    assert small.draw(np.random.default_rng(0)).tolist() == list(range(100))


def test_the_draw_of_cells_does_not_decide_the_curve():
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=1.2, size=(4, 4))
    kind = np.arange(12_000) // 50 % 4
    X = centres[kind] + rng.normal(size=(12_000, 4))
    curve = number_curve(Trial(X, np.zeros(12_000), np.arange(12_000) // 750), [4, 5], shrinkage=0.1, seed=0)
    again = number_curve(Trial(X, np.zeros(12_000), np.arange(12_000) // 750), [4, 5], shrinkage=0.1, seed=0)
    pd.testing.assert_frame_equal(curve, again)
    assert curve["pairs"].tolist() == [20, 20]
    assert curve.loc[0, "stability"] > curve.loc[1, "stability"]


def test_shuffling_leaves_each_sample_its_cells():
    adata = tissue("stripes", 0)
    shift = np.where(adata.obs["sample"] == "s2", 50, 0).astype(np.float32)
    adata.obsm["X_pca_harmony"][:, 0] += shift
    adata.obsm["X_profile"] = neighbourhood_profile(
        adata.obsm["X_pca_harmony"], adata.obsp["spatial_connectivities"], 3
    )
    middle = middle_representation(fit_representations(adata))
    found = without_arrangement(adata, middle, np.arange(adata.n_obs), np.random.default_rng(0))
    first = pd.Series(found[:, 0]).groupby(adata.obs["sample"].to_numpy())
    assert first.std().max() < 3
    assert np.ptp(first.mean()) > 40
    assert not np.allclose(np.abs(found[:, 1]), np.abs(middle.matrix(adata)[:, 1]))


def test_agreement_within_samples_leaves_out_what_tells_samples_apart():
    rng = np.random.default_rng(0)
    samples = np.repeat(["a", "b"], [300, 900])
    apart = (samples == "b").astype(int)
    a, b = 2 * apart + rng.integers(2, size=1200), 2 * apart + rng.integers(2, size=1200)
    assert rand_index(a, b) > 0.2
    assert abs(rand_index_within(a, b, samples)) < 0.02
    assert rand_index_within(a, a, samples) == 1
    assert rand_index_within(apart, apart, samples) == 0
    assert rand_index_within(a[:300], b[:300], samples[:300]) == pytest.approx(rand_index(a[:300], b[:300]))


def test_samples_have_the_same_say_whatever_their_size():
    samples = np.repeat(["small", "large", "middle"], [100, 5000, 900])
    rows = rows_of_samples(samples, 1000, np.random.default_rng(0))
    assert pd.Series(samples[rows]).value_counts().to_dict() == {"large": 450, "middle": 450, "small": 100}
    assert (np.diff(rows) > 0).all()
    assert rows_of_samples(samples, 6000, np.random.default_rng(0)).tolist() == list(range(6000))


def test_niches_of_a_cohort_without_structure_are_told(tmp_path, caplog):
    tissue("types", 0, n=200).write_h5ad(tmp_path / "cohort.embedding.h5ad")
    cluster_niches(tmp_path / "cohort.embedding.h5ad", tmp_path, niche_k="4,5", starts=2, bootstraps=0)
    curve = pd.read_csv(tmp_path / "niche_k.csv")
    assert not curve["supported"].any()
    assert curve["zero"].notna().all()
    for text in (caplog.text, (tmp_path / "niche_k_mqc.json").read_text()):
        assert "No number of niches among 4 and 5 is supported" in text
    one = curve.assign(supported=[True, False], chosen=[False, True])
    assert not_supported(one).startswith("5 niches are not supported by the tissue")
    assert not_supported(one.assign(chosen=[True, False])) == ""
    assert choose_number(one.assign(stability=[0.4, 0.5])) == 4
