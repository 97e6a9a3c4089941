"""Dead regions and edge artefacts: tissue damaged on purpose, tissue that only looks odd, and odd coordinates."""

import numpy as np
import pytest

from helpers import real_data
from semanticst.qc.neighbour_search import NEAR, apart, density, neighbourhoods, regions
from semanticst.qc.regions import dead_regions, edge_artefacts


def lattice(side=45):
    """Hexagonal lattice of spots 100 apart."""
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    return np.column_stack([(column + row % 2 / 2).ravel(), (row * np.sqrt(3) / 2).ravel()]) * 100.0


def cells(side=45, seed=0):
    return np.random.default_rng(seed).uniform(0, side * 100.0, (side**2, 2))


def tissue(points, seed=0):
    """Counts with two layers that differ threefold, as grey and white matter do."""
    rng = np.random.default_rng(seed)
    level = np.where(points[:, 0] < points[:, 0].max() * 0.6, 1500, 500)
    return rng.poisson(level * rng.lognormal(0, 0.4, len(points)))


def thinned(counts, where, share, seed=0):
    counts = counts.copy()
    counts[where] = np.random.default_rng(seed).binomial(counts[where], share)
    return counts


def judge(points, counts):
    logs = np.log1p(counts).astype(np.float32)
    around = neighbourhoods(points, logs)
    return dead_regions(around), edge_artefacts(around, logs)


kinds = pytest.mark.parametrize("points", [lattice(), cells()], ids=["lattice", "cells"])


@kinds
def test_tissue_of_two_kinds_is_neither_dead_nor_damaged_at_its_edge(points):
    dead, edge = judge(points, tissue(points))
    assert dead.max() == 0
    assert edge.mean() < 0.005


@kinds
@pytest.mark.parametrize("seed", range(3))
def test_a_disc_without_its_counts_is_one_dead_region(points, seed):
    disc = np.linalg.norm(points - [1500, 2000], axis=1) < 600
    dead, edge = judge(points, thinned(tissue(points, seed), disc, 0.05, seed))
    assert dead.max() == 1
    assert (dead == 1)[disc].mean() > 0.85
    assert (dead == 1)[~disc].mean() < 0.01
    assert edge.mean() < 0.02


def test_regions_are_numbered_by_size():
    points = lattice()
    large, small = (
        np.linalg.norm(points - centre, axis=1) < size for centre, size in (([1000, 900], 600), ([2000, 3000], 400))
    )
    dead, _ = judge(points, thinned(tissue(points), large | small, 0.03))
    assert set(dead[large]) <= {0, 1}
    assert set(dead[small]) <= {0, 2}
    assert dead.max() == 2


@kinds
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_a_poor_strip_along_the_border_is_found_there_and_nowhere_else(points, share):
    strip = points[:, 1] < 200
    _, edge = judge(points, thinned(tissue(points), strip, share))
    assert edge[strip].mean() > 0.5
    assert edge[~strip].mean() < 0.01


@kinds
def test_a_good_cell_in_a_poor_strip_is_not_flagged(points):
    strip = points[:, 1] < 200
    spared = strip & (np.random.default_rng(1).random(len(points)) < 0.15)
    counts = thinned(np.full(len(points), 1000), strip & ~spared, 0.2)
    _, edge = judge(points, counts)
    assert edge[strip & ~spared].mean() > 0.5
    assert not edge[spared].any()


def test_a_poor_strip_inside_is_no_edge():
    points = lattice()
    inside = np.abs(points[:, 1] - 1900) < 150
    _, edge = judge(points, thinned(tissue(points), inside, 0.2))
    assert edge.mean() < 0.01


def test_cells_in_one_place_cost_no_more_than_others():
    points = cells()
    points[:1500] = points[0]
    moved = apart(points)
    assert len(np.unique(moved, axis=0)) == len(points)
    assert np.abs(moved - points).max() < 0.01
    assert np.array_equal(moved[1500:], points[1500:])
    dead, edge = judge(points, tissue(points))
    assert dead.max() == 0
    assert edge.mean() < 0.02


def test_where_nothing_can_be_judged():
    assert neighbourhoods(np.zeros((500, 2)), np.zeros(500, np.float32)) is None
    assert neighbourhoods(cells(6), np.zeros(36, np.float32)) is None


def test_a_line_of_cells_and_flat_counts_do_no_harm():
    line = np.column_stack([np.arange(300.0), np.zeros(300)])
    dead, edge = judge(line, np.full(300, 50))
    assert dead.max() == 0
    assert not edge.any()


def test_blocks_do_not_show(monkeypatch):
    points = cells()
    counts = thinned(tissue(points), (points[:, 1] < 200) | (np.linalg.norm(points - 2000, axis=1) < 600), 0.1)
    whole = judge(points, counts)
    monkeypatch.setattr("semanticst.qc.neighbour_search._ROWS", 70)
    for found, again in zip(whole, judge(points, counts)):
        assert found.any()
        assert np.array_equal(found, again)


def test_density_of_a_lattice_is_known():
    around = neighbourhoods(lattice(), np.zeros(45**2, np.float32))
    # one spot on 100 x 100 x sqrt(3) / 2 square units
    assert np.median(density(around, um=True)) == pytest.approx(1e4 / (1e4 * np.sqrt(3) / 2), rel=0.3)
    assert np.median(density(around, um=False)) == pytest.approx(1 / (1e4 * np.sqrt(3) / 2), rel=0.3)
    assert around.spacing == pytest.approx(100 * np.sqrt(np.sqrt(3) / 2), rel=0.15)


def test_small_regions_are_dropped():
    around = neighbourhoods(lattice(), np.zeros(45**2, np.float32))
    found = np.zeros(45**2, bool)
    found[:9] = True
    found[1000:1012] = True
    assert set(regions(around, found, 10)[:9]) == {0}
    assert regions(around, found, 10)[1000:1012].tolist() == [1] * 12
    assert regions(around, found, NEAR).max() == 0


@pytest.mark.realdata
@pytest.mark.parametrize("cohort", ["dlpfc_br8100", "starmap_mpfc", "her2st_4"])
def test_no_false_alarm_in_real_sections(cohort):
    import anndata as ad

    for file in sorted(real_data(cohort, "samples").glob("*.h5ad")):
        adata = ad.read_h5ad(file)
        counts = np.asarray(adata.layers.get("counts", adata.X).sum(axis=1)).ravel()
        dead, edge = judge(np.asarray(adata.obsm["spatial"], float)[counts > 0], counts[counts > 0])
        assert dead.max() == 0, file.name
        assert edge.mean() < 0.005, file.name


@pytest.mark.parametrize("extent", [1e-25, 1e150])
def test_density_is_finite_whatever_the_coordinates(extent):
    points = np.random.default_rng(0).uniform(0, extent, (60, 2))
    around = neighbourhoods(points, np.ones(60, np.float32))
    assert np.isfinite(density(around, um=True)).all()
