"""What must not change the niches: the size of mini-batches, orders, where the origin of the coordinates lies; and what
batch effects may not do: tear a tissue apart, or press different tissues together."""

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from helpers import real_data
from semanticst.bench._ablations import VARIANTS, Variant, default_niches, embed
from semanticst.bench._ladder import Level, Size, make_cohort
from semanticst.bench.niches import prepare
from semanticst.features.build import build_components
from semanticst.niche.spatial_refinement import hmrf_inputs

NICHES = 5
SMALL = Variant(training={"steps": 60})
"""Enough training for cohorts of a thousand cells."""
TILED = replace(SMALL, training={"steps": 60, "tile_cells": 100, "batch_cells": 300})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Four patients in four batches, some niches missing: paths of ``{sample}.qc.h5ad``, true domains by cell."""
    size = Size(patients=4, cells=300, genes=80, niches=NICHES)
    samples, truth = make_cohort(Level(0.2, 1.0, 0.25), size, 0, tmp_path_factory.mktemp("cohort"))
    return samples, truth["domain"]


@pytest.fixture(scope="module")
def samples(cohort):
    return cohort[0]


@pytest.fixture(scope="module")
def niches(samples, tmp_path_factory):
    return niches_of(samples, tmp_path_factory.mktemp("niches"))


def niches_of(samples, folder: Path, variant=SMALL, k=NICHES, starts=4, seed=0) -> pd.Series:
    """Niche by ``sample:cell_id``."""
    cohort = embed(samples, variant, seed, folder)
    return pd.Series(
        default_niches(cohort, k, hmrf_inputs(cohort, seed), starts, seed).labels, index=cohort.obs_names.to_numpy(str)
    )


def rewritten(samples, folder: Path, change) -> list[Path]:
    """Copies of the samples with ``change`` applied to each."""
    paths = []
    for path in samples:
        paths.append(folder / path.name)
        change(ad.read_h5ad(path)).write_h5ad(paths[-1])
    return paths


def same(one: pd.Series, two: pd.Series) -> float:
    """Adjusted Rand index over the cells, found by their names."""
    assert set(one.index) == set(two.index)
    return adjusted_rand_score(one, two.loc[one.index])


def test_the_cohort_has_niches_to_lose(cohort, niches):
    assert same(niches, cohort[1]) > 0.6


def test_mini_batches_give_the_niches_of_the_whole_graph(samples, niches, tmp_path):
    assert same(niches, niches_of(samples, tmp_path, TILED)) > 0.9


@pytest.mark.realdata
def test_mini_batches_give_the_niches_of_the_whole_graph_in_real_tissue(tmp_path):
    """On further tissue: the row ``small tiles`` of ``./semanticst bench niches``."""
    samples = prepare(real_data("starmap_mpfc", "samplesheet.csv"), tmp_path / "samples")
    settings = {"whole": {"batch_cells": 100_000}, "tiles": VARIANTS["small tiles"].training}
    found = {}
    for how, training in settings.items():
        (tmp_path / how).mkdir()
        found[how] = niches_of(samples, tmp_path / how, Variant(training={"steps": 100} | training), 4)
    assert same(found["whole"], found["tiles"]) > 0.9


def test_orders_of_samples_and_of_cells_change_nothing(samples, niches, tmp_path):
    rng = np.random.default_rng(1)
    (tmp_path / "chain").mkdir()
    shuffled = rewritten(samples, tmp_path, lambda sample: sample[rng.permutation(sample.n_obs)].copy())
    assert same(niches, niches_of(shuffled[::-1], tmp_path / "chain")) > 0.99


def moved(xy):
    """Turned by 37 degrees, mirrored, rescaled and shifted: one run for all four."""
    angle = np.deg2rad(37)
    turned = xy @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turned * [-1000, 1000] + [5e7, -3e6]


def test_where_and_how_the_tissue_lies_changes_nothing(samples, niches, tmp_path):
    def elsewhere(sample):
        sample.obsm["spatial"] = moved(sample.obsm["spatial"])
        return sample

    (tmp_path / "chain").mkdir()
    assert same(niches, niches_of(rewritten(samples, tmp_path, elsewhere), tmp_path / "chain")) > 0.99


def test_a_gene_that_one_sample_lacks_is_left_out_or_counts_as_average(cohort, niches, tmp_path):
    samples, truth = cohort

    def without_first_gene(sample):
        return sample[:, 1:].copy() if f"{sample.uns['semanticst']['sample']}.qc.h5ad" == samples[0].name else sample

    lacking = rewritten(samples, tmp_path, without_first_gene)
    left_out, average = tmp_path / "left-out", tmp_path / "average"
    for folder in (left_out, average):
        folder.mkdir()
    build_components(lacking, left_out, min_samples=1.0)
    found = niches_of(lacking, average, replace(SMALL, features={"min_samples": 0.75}))
    for folder, n_features in ((left_out, 79), (average, 80)):
        with np.load(folder / "cohort.basis.npz") as basis:
            assert len(basis["features"]) == n_features
    assert same(found, truth) > same(niches, truth) - 0.05


def another_batch(sample: ad.AnnData, rng) -> ad.AnnData:
    """The same cells measured again: half the depth, each gene's level shifted (log SD 0.4), counts lost."""
    again = sample.copy()
    rates = np.asarray(sample.X.todense()) * 0.5 * np.exp(rng.normal(0, 0.4, sample.n_vars))
    again.X = sp.csr_matrix(rng.poisson(rates * (rng.uniform(size=rates.shape) > 0.1)).astype(np.float32))
    return again


def named(sample: ad.AnnData, name: str) -> ad.AnnData:
    for column in ("sample", "patient", "batch"):
        sample.obs[column] = pd.Categorical([name] * sample.n_obs)
    sample.uns["semanticst"]["sample"] = name
    return sample


def test_a_sample_and_its_copy_with_a_batch_effect_have_the_same_niches(tmp_path):
    made = make_cohort(Level(0, 1, 0), Size(2, 800, 120, NICHES), 3, tmp_path / "made")[0][0]
    pair = [tmp_path / "one.qc.h5ad", tmp_path / "two.qc.h5ad"]
    original = ad.read_h5ad(made)
    named(original.copy(), "one").write_h5ad(pair[0])
    named(another_batch(original, np.random.default_rng(0)), "two").write_h5ad(pair[1])
    (tmp_path / "chain").mkdir()
    found = niches_of(pair, tmp_path / "chain")
    copies = [found[found.index.str.startswith(name)] for name in ("one:", "two:")]
    assert list(copies[0].index.str[4:]) == list(copies[1].index.str[4:])
    assert adjusted_rand_score(*copies) > 0.9


def test_samples_that_share_no_niche_are_not_pressed_together(tmp_path):
    made, truth = make_cohort(Level(0, 1, 0), Size(2, 1200, 120, 6), 4, tmp_path / "made")
    whole = ad.read_h5ad(made[0])
    domain = truth["domain"].loc[[f"{whole.obs['sample'].iloc[0]}:{cell}" for cell in whole.obs_names]].to_numpy()
    names = sorted(set(domain))
    paths = []
    for name, own in (("one", names[:3]), ("two", names[3:])):
        paths.append(tmp_path / f"{name}.qc.h5ad")
        named(whole[np.isin(domain, own)].copy(), name).write_h5ad(paths[-1])
    (tmp_path / "chain").mkdir()
    found = niches_of(paths, tmp_path / "chain", k=6)
    table = pd.crosstab(found, found.index.str.split(":").str[0])
    pressed = table.min(axis=1).sum() / len(found)
    assert pressed < 0.1, table
