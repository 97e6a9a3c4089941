"""What must not change the niches, and what batches must and must not do to them. Whole chain, from what QC writes."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from equivalence_helpers import NICHES, as_another_batch, niches_of, niches_of_files, simulated_section
from helpers import real_data
from semanticst.bench.niches import prepare
from semanticst.features import build_components
from semanticst.features.build import load_basis

TILES = {"tile_cells": 100, "batch_cells": 200}
"""Several tiles of each sample and several steps to a pass over the cohort."""


def agreement(a: pd.Series, b: pd.Series) -> float:
    assert set(a.index) == set(b.index)
    return adjusted_rand_score(a, b.loc[a.index])


@pytest.fixture(scope="module")
def cohort():
    return [simulated_section(f"s{i}", seed=i, batch=f"b{i % 2}") for i in range(3)]


@pytest.fixture(scope="module")
def niches(cohort, tmp_path_factory):
    """Trained on whole samples."""
    return niches_of(cohort, tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def tiled(cohort, tmp_path_factory):
    return niches_of(cohort, tmp_path_factory.mktemp("tiled") / "run", **TILES)


def moved(adata, matrix, shift=(0.0, 0.0)):
    copy = adata.copy()
    copy.obsm["spatial"] = copy.obsm["spatial"] @ np.asarray(matrix, dtype=float) + np.asarray(shift)
    return copy


TURN = [[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]]
MOVES = {
    "shifted": (np.eye(2), (1e4, -300.0)),
    "rotated": (TURN, (0.0, 0.0)),
    "mirrored": ([[-1, 0], [0, 1]], (0.0, 0.0)),
    "rescaled": (0.37 * np.eye(2), (0.0, 0.0)),
}


def test_the_cohort_has_niches_to_lose(cohort, niches):
    truth = pd.concat([c.obs["domain"].astype(str).set_axis(f"s{i}:" + c.obs_names) for i, c in enumerate(cohort)])
    assert agreement(niches, truth) > 0.6


def test_mini_batches_give_the_niches_of_whole_samples(niches, tiled):
    assert agreement(niches, tiled) > 0.9


def test_the_order_of_samples_changes_nothing(cohort, niches, tmp_path):
    assert agreement(niches, niches_of(cohort[::-1], tmp_path / "run")) == 1


def test_the_order_of_cells_changes_nothing(cohort, niches, tmp_path):
    rng = np.random.default_rng(0)
    shuffled = [adata[rng.permutation(adata.n_obs)].copy() for adata in cohort]
    assert agreement(niches, niches_of(shuffled, tmp_path / "run")) > 0.99


def test_position_turn_side_and_unit_change_nothing(cohort, niches, tmp_path):
    """Each sample by another move: they are independent of each other."""
    samples = [moved(adata, *move) for adata, move in zip(cohort, [MOVES["rotated"], MOVES["mirrored"], (0.37 * np.array(TURN), (1e4, -300.0))])]  # fmt: skip
    assert agreement(niches, niches_of(samples, tmp_path / "run")) > 0.99


@pytest.mark.parametrize("how", ["shifted", "rotated", "mirrored", "rescaled"])
def test_a_move_changes_no_graph(cohort, how, tmp_path):
    from semanticst.graph.contexts import spatial_context

    before = spatial_context(cohort[0].obsm["spatial"], 10)
    after = spatial_context(moved(cohort[0], *MOVES[how]).obsm["spatial"], 10)
    assert (before != after).nnz == 0


def test_other_tiles_after_a_turn_give_nearly_the_same_niches(cohort, tiled, tmp_path):
    """Tiles are cut along the axes, so a turn cuts others: the steps of the training differ, the niches hardly."""
    samples = [moved(adata, *MOVES["rotated"]) for adata in cohort]
    assert agreement(tiled, niches_of(samples, tmp_path / "run", **TILES)) > 0.9


@pytest.mark.parametrize(("share", "expected"), [(1.0, 79), (0.6, 80)])
def test_a_gene_that_one_sample_lacks_is_used_as_the_rule_says(cohort, tmp_path, share, expected):
    samples = [cohort[0], cohort[1], cohort[2][:, 1:]]
    paths = []
    for number, adata in enumerate(samples):
        paths.append(tmp_path / f"{number}.qc.h5ad")
        adata.write_h5ad(paths[-1])
    build_components(paths, tmp_path, n_components=5, harmony=False, min_samples=share)
    features = load_basis(tmp_path / "cohort.basis.npz")[0].features
    assert len(features) == expected
    assert ("g000" in features) == (share < 1)


def test_a_gene_that_one_sample_lacks_hardly_changes_the_niches(cohort, niches, tmp_path):
    samples = [cohort[0], cohort[1], cohort[2][:, 1:].copy()]
    assert agreement(niches, niches_of(samples, tmp_path / "run")) > 0.9


def test_a_sample_measured_twice_in_two_batches_gets_the_same_niches_cell_by_cell(tmp_path):
    first, other = simulated_section("a", seed=10), simulated_section("b", seed=20)
    found = niches_of([first, other, as_another_batch(first, "c", "b2")], tmp_path / "run")
    once, again = (found[[f"{s}:{c}" for c in first.obs_names]].to_numpy() for s in "ac")
    assert len(set(once)) == NICHES
    # one to one: the same number, not only the same partition
    assert np.mean(once == again) > 0.9
    assert adjusted_rand_score(once, again) > 0.9


def test_samples_without_a_common_niche_are_not_forced_together(tmp_path):
    samples = [
        simulated_section("a", seed=30, niches=[0, 1]),
        simulated_section("b", seed=40, niches=[2, 3], batch="b2"),
    ]
    found = niches_of(samples, tmp_path / "run")
    share = pd.crosstab(found.to_numpy(), found.index.str[0], normalize="columns")
    assert share.min(axis=1).max() < 0.05


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "k"), [("starmap_mpfc", 4), ("dlpfc_br8100", 7)])
def test_mini_batches_give_the_niches_of_whole_samples_on_real_tissue(name, k, tmp_path):
    paths = prepare(real_data(name, "samplesheet.csv"), tmp_path / "samples")
    whole = niches_of_files(paths, tmp_path / "whole", k, batch_cells=10**6)
    tiles = niches_of_files(paths, tmp_path / "tiles", k, tile_cells=500, batch_cells=1000)
    assert agreement(whole, tiles) > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible to torch")
def test_a_gpu_finds_the_niches_of_a_cpu(cohort, niches, tmp_path):
    assert agreement(niches, niches_of(cohort, tmp_path / "run", device="cuda")) > 0.95
