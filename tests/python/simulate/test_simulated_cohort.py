"""The simulated cohort keeps what ``planted.json`` promises."""

import hashlib
import json
import tracemalloc

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.spatial import cKDTree
from scipy.stats import ttest_ind
from statsmodels.stats.multitest import multipletests

from semanticst.io.values import possible_types
from semanticst.simulate.cohort import plan_sections, simulate_cohort
from semanticst.simulate.expression import draw_batch, draw_counts, draw_intensities, niche_mixes, type_programmes
from semanticst.simulate.outcome import centred_log_ratio, draw_groups, draw_log_areas
from semanticst.simulate.settings import Settings, Tissue
from semanticst.simulate.tissue import GEOMETRIES, cell_positions, draw_niches, whole_quotas


def digest(folder):
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


def niche_cells(folder) -> pd.DataFrame:
    """Cells of each true niche in each patient, patients x domains."""
    truth, sheet = pd.read_csv(folder / "domains.csv.gz"), pd.read_csv(folder / "samplesheet.csv")
    return pd.crosstab(truth["sample"].map(sheet.set_index("sample")["patient"]), truth["domain"])


def welch(folder) -> pd.Series:
    """Benjamini-Hochberg q of a Welch test on the true centred log-ratios, one per niche."""
    cells = niche_cells(folder)
    clinical = pd.read_csv(folder / "clinical.csv", index_col="patient").loc[cells.index]
    ratio = centred_log_ratio(cells.to_numpy())
    target = (clinical["group"] == "responder").to_numpy()
    p = ttest_ind(ratio[target], ratio[~target], equal_var=False).pvalue
    return pd.Series(multipletests(p, method="fdr_bh")[1], cells.columns)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    simulate_cohort(Settings(), folder)
    return folder


def test_default_cohort_is_of_demo_size(demo):
    sheet = pd.read_csv(demo / "samplesheet.csv")
    clinical = pd.read_csv(demo / "clinical.csv")
    per_patient = sheet.groupby("patient").size()
    assert list(clinical.columns) == ["patient", "group", "time", "event", "age"]
    assert len(clinical) == 12
    assert clinical["group"].value_counts().to_dict() == {"responder": 6, "non_responder": 6}
    assert sorted(per_patient.unique()) == [1, 2, 3]
    assert 19_000 <= len(pd.read_csv(demo / "domains.csv.gz")) <= 25_000
    assert set(sheet["patient"]) == set(clinical["patient"])
    assert (
        pd.crosstab(sheet["batch"], sheet["patient"].map(clinical.set_index("patient")["group"])).to_numpy().min() > 0
    )


def test_samples_hold_counts_and_truth(demo):
    sheet = pd.read_csv(demo / "samplesheet.csv")
    truth = pd.read_csv(demo / "domains.csv.gz").set_index("cell_id")["domain"]
    for path in sheet["path"]:
        adata = ad.read_h5ad(demo / path)
        assert adata.n_vars == 150
        assert adata.X.dtype == np.float32
        assert (adata.X.data > 0).all()
        assert (adata.X.data == adata.X.data.round()).all()
        assert adata.obs_names.is_unique
        assert (truth.loc[adata.obs_names] == adata.obs["domain"].astype(str)).all()
        assert adata.obs["domain"].nunique() == 6
        nearest = cKDTree(adata.obsm["spatial"]).query(adata.obsm["spatial"], 2)[0][:, 1]
        assert nearest.min() > 3.9
        assert 6 < np.median(nearest) < 11


def test_niches_are_neither_cell_types_nor_scattered(demo):
    adata = ad.read_h5ad(demo / "samples" / "P04_S1.h5ad")
    domain = adata.obs["domain"].to_numpy(str)
    neighbours = cKDTree(adata.obsm["spatial"]).query(adata.obsm["spatial"], 5)[1][:, 1:]
    same = (domain[neighbours] == domain[:, None]).mean()
    assert same > 0.7
    mixes = niche_mixes(6)
    assert np.allclose(mixes.sum(axis=1), 1)
    assert mixes.max() < 0.6
    assert ((mixes > 0).sum(axis=1) >= 4).all()


def test_same_seed_same_bytes_other_seed_other_cohort(tmp_path):
    small = {"patients": 4, "cells": 80, "genes": 50}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_cohort(Settings(seed=seed, **small), tmp_path / name)
    tables = [{k: v for k, v in digest(tmp_path / n).items() if not k.endswith(".h5ad")} for n in "abc"]
    assert tables[0] == tables[1]
    assert tables[0]["domains.csv.gz"] != tables[2]["domains.csv.gz"]
    one, two = (ad.read_h5ad(tmp_path / n / "samples" / "P1_S1.h5ad") for n in "ab")
    assert (one.X != two.X).nnz == 0
    assert np.array_equal(one.obsm["spatial"], two.obsm["spatial"])


def test_planted_niche_is_found_and_the_others_are_mostly_silent(tmp_path):
    seeds, found, false = 10, 0, 0
    for seed in range(seeds):
        simulate_cohort(Settings(seed=seed, genes=40), tmp_path / str(seed))
        planted = json.loads((tmp_path / str(seed) / "planted.json").read_text())
        q = welch(tmp_path / str(seed))
        found += q[planted["outcome_domain"]] < 0.05
        false += (q.drop(planted["outcome_domain"]) < 0.05).sum()
    assert found >= 9
    # 50 tests of niches that move by closure alone
    assert false <= 7


def test_no_effect_plants_nothing(tmp_path):
    significant = 0
    for seed in range(8):
        simulate_cohort(Settings(seed=seed, genes=40, cells=120, effect=0, hazard=0), tmp_path / str(seed))
        planted = json.loads((tmp_path / str(seed) / "planted.json").read_text())
        assert all(contrast["domains"] == [] for contrast in planted["contrasts"].values())
        significant += (welch(tmp_path / str(seed)) < 0.05).any()
    assert significant <= 2


def test_more_of_the_niche_means_longer_life(tmp_path):
    simulate_cohort(Settings(patients=60, cells=100, genes=40, sections=(1, 1)), tmp_path)
    planted = json.loads((tmp_path / "planted.json").read_text())
    cells = niche_cells(tmp_path)
    ratio = centred_log_ratio(cells.to_numpy())[:, list(cells.columns).index(planted["outcome_domain"])]
    clinical = pd.read_csv(tmp_path / "clinical.csv", index_col="patient").loc[cells.index]
    assert planted["contrasts"]["survival"]["domains"][0]["direction"] == "down"
    died = clinical["event"] == 1
    assert np.corrcoef(ratio[died], np.log(clinical["time"][died]))[0, 1] > 0.3
    assert ratio[~died].mean() > ratio[died].mean()


@pytest.mark.parametrize("seed", range(3))
def test_missing_niches_are_missing_and_listed(tmp_path, seed):
    simulate_cohort(Settings(patients=6, cells=150, genes=40, missing_niches=0.3, seed=seed), tmp_path)
    planted = json.loads((tmp_path / "planted.json").read_text())
    cells = niche_cells(tmp_path)
    assert (cells == 0).sum().sum() == round(0.3 * 36) == len(planted["absent"])
    assert (cells[planted["outcome_domain"]] > 0).all()
    assert (cells.sum() > 0).all()
    assert (cells.loc["P1"] > 0).all()


def test_imbalance_enlarges_one_niche_of_each_patient():
    ratios = []
    for imbalance in (1.0, 5.0):
        rng = np.random.default_rng(0)
        settings = Settings(imbalance=imbalance)
        log_area, enlarged = draw_log_areas(draw_groups(12, rng), 2, settings, rng)
        ratios.append(log_area[np.arange(12), enlarged])
        assert 2 not in enlarged
    assert np.allclose(ratios[1] - ratios[0], np.log(5))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("seed", range(3))
def test_each_geometry_gives_each_niche_its_share(geometry, seed):
    rng = np.random.default_rng(seed)
    points = cell_positions(700, rng)
    shares = rng.dirichlet([4] * 6)
    shares[seed] = 0
    shares /= shares.sum()
    niche = draw_niches(points, shares, geometry, (seed + 1) % 6, rng)
    got = np.bincount(niche, minlength=6) / 700
    assert got[seed] == 0
    assert np.abs(got - shares).max() < 0.03


@pytest.mark.parametrize("n_niches", [2, 3, 5])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_geometries_work_with_few_niches(n_niches, geometry):
    rng = np.random.default_rng(0)
    niche = draw_niches(cell_positions(200, rng), np.full(n_niches, 1 / n_niches), geometry, 1, rng)
    assert sorted(np.unique(niche)) == list(range(n_niches))


def test_unknown_geometry_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no such geometry: spiral"):
        draw_niches(cell_positions(50, rng), np.array([0.5, 0.5]), "spiral", 0, rng)


def test_quotas_are_whole_and_complete():
    assert whole_quotas(np.array([0.5, 0.25, 0.25]), 10).tolist() in ([5, 3, 2], [5, 2, 3])
    assert whole_quotas(np.array([1 / 3] * 3), 100).sum() == 100


def test_batch_effects_have_the_size_asked_for():
    rng = np.random.default_rng(3)
    programmes = type_programmes(4, 60, rng)
    cell_type = rng.integers(4, size=4000)
    plain = draw_counts(cell_type, programmes, draw_batch(60, 0, 0, 0, rng), 0, np.random.default_rng(1))
    batch = draw_batch(60, 0.5, 0.4, 0, rng)
    shifted = draw_counts(cell_type, programmes, batch, 0, np.random.default_rng(1))
    ratio = np.asarray(shifted.mean(axis=0) / plain.mean(axis=0)).ravel()
    assert np.allclose(ratio, batch.depth * batch.gene_factor, rtol=0.2)
    assert 0.25 < np.log(batch.gene_factor).std() < 0.55

    lossy = draw_batch(60, 0, 0, 0.9, np.random.default_rng(5))
    fewer = draw_counts(cell_type, programmes, lossy, 0, np.random.default_rng(1))
    assert fewer.sum() / plain.sum() == pytest.approx(1 - lossy.dropout, rel=0.05)


def test_counts_are_overdispersed_and_debris_is_nearly_empty():
    programmes = np.full((1, 20), 1 / 20)
    counts = draw_counts(
        np.zeros(5000, int),
        programmes,
        draw_batch(20, 0, 0, 0, np.random.default_rng(0)),
        0.1,
        np.random.default_rng(0),
    )
    total = np.asarray(counts.sum(axis=1)).ravel()
    assert (total < 40).mean() == pytest.approx(0.1, abs=0.03)
    gene = counts[total > 40, 0].toarray().ravel()
    assert gene.var() > 2 * gene.mean()


def test_batches_take_turns_within_groups():
    rng = np.random.default_rng(0)
    groups = draw_groups(20, rng)
    sheet = plan_sections(Settings(patients=20), groups, rng)
    table = pd.crosstab(groups[sheet["patient_index"]], sheet["batch"])
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patients": 1}, "2 patients"),
        ({"cells": 20}, "10 cells for each niche"),
        ({"missing_niches": 1.0}, "missing niches"),
        ({"imbalance": 0.5}, "imbalance of 1"),
        ({"genes": 10}, "5 genes"),
        ({"sections": (3, 1)}, "sections"),
        ({"batch_dropout": -0.1}, "batch effects"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_large_sections_take_memory_by_their_cells(tmp_path):
    tracemalloc.start()
    try:
        simulate_cohort(Settings(patients=2, sections=(1, 1), cells=30_000, genes=150), tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000 * 150 * 8 * 6  # 112 MB where this was written; distances of all cells would be 7,200


def test_each_patient_can_be_a_batch_of_its_own():
    settings = Settings(patients=8, sections=(1, 2), batches=3, own_batches=True)
    rng = np.random.default_rng(0)
    sheet = plan_sections(settings, draw_groups(8, rng), rng)
    assert sheet.groupby("patient")["batch"].nunique().eq(1).all()
    assert sheet["batch"].nunique() == 8


def test_batch_effects_leave_the_tissue_as_it_is(tmp_path):
    """The ladder compares a cohort with itself without batch effects: same cells, places, niches and types."""
    common = {"patients": 2, "sections": (1, 1), "cells": 120, "genes": 60, "niches": 4, "own_batches": True}
    simulate_cohort(Settings(**common, batch_depth=0.5, batch_shift=0.6, batch_dropout=0.2), tmp_path / "with")
    simulate_cohort(Settings(**common, batch_depth=0, batch_shift=0, batch_dropout=0), tmp_path / "without")
    for sample in ("P1_S1", "P2_S1"):
        one, other = (ad.read_h5ad(tmp_path / f / "samples" / f"{sample}.h5ad") for f in ("with", "without"))
        pd.testing.assert_frame_equal(one.obs, other.obs)
        assert (one.obsm["spatial"] == other.obsm["spatial"]).all()
        assert (one.X != other.X).nnz > 0


def test_intensities_follow_the_counts_over_a_background_and_some_are_far_too_bright():
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix(rng.poisson(rng.gamma(1.0, 5.0, 20), (5000, 20)), dtype=np.float32)
    found, expected = draw_intensities(counts, rng).toarray(), counts.toarray()
    assert found.min() > 0
    assert np.corrcoef(np.log(found).ravel(), np.log1p(expected).ravel())[0, 1] > 0.8
    noise = np.log(found / (100 * (expected + 0.3 * expected.mean(axis=0) + 0.01)))
    np.testing.assert_allclose(np.median(noise, axis=0), 0, atol=0.05)
    too_bright = found > 10 * np.percentile(found, 99, axis=0)
    assert 0.5e-4 < too_bright.mean() < 6e-4


def test_a_cohort_of_intensities_is_the_same_tissue(tmp_path):
    common = {"patients": 2, "sections": (1, 1), "seed": 3}
    simulate_cohort(Settings(**common), tmp_path / "counts")
    simulate_cohort(Settings(**common, intensities=True), tmp_path / "stained")
    one, two = (pd.read_csv(tmp_path / f / "domains.csv.gz").iloc[:300] for f in ("counts", "stained"))
    pd.testing.assert_frame_equal(one, two)
    path = pd.read_csv(tmp_path / "stained" / "samplesheet.csv")["path"][0]
    X = ad.read_h5ad(tmp_path / "stained" / path).X
    assert possible_types(X)[0] == "continuous"


def sections_of(tissue: Tissue, folder, **settings) -> ad.AnnData:
    simulate_cohort(Settings(patients=2, sections=(1, 1), cells=1200, niches=4, tissue=tissue, **settings), folder)
    return ad.concat([ad.read_h5ad(path) for path in sorted(folder.glob("samples/*.h5ad"))], join="outer")


def shares_of_types(cells: ad.AnnData) -> pd.DataFrame:
    return pd.crosstab(cells.obs["domain"], cells.obs["cell_type"], normalize="index")


def beside_own_type(cells: ad.AnnData) -> pd.Series:
    """How often, by domain, the nearest cell of a section is of a cell's own type."""
    alike = []
    for _, rows in cells.obs.groupby(cells.obs_names.str.split("_").str[0]).indices.items():
        nearest = cKDTree(cells.obsm["spatial"][rows]).query(cells.obsm["spatial"][rows], 2)[1][:, 1]
        types = cells.obs["cell_type"].to_numpy(str)[rows]
        alike.append(pd.Series(types == types[nearest], index=cells.obs["domain"].to_numpy(str)[rows]))
    return pd.concat(alike).groupby(level=0).mean()


def test_niches_that_differ_by_the_arrangement_of_their_cells_only(tmp_path):
    cells = sections_of(Tissue.ARRANGED, tmp_path)
    shares = shares_of_types(cells)
    assert (shares.loc["D1"] - shares.loc["D2"]).abs().max() < 0.12 < (shares.loc["D1"] - shares.loc["D3"]).abs().max()
    beside = beside_own_type(cells)
    assert beside["D2"] > beside["D1"] + 0.2
    assert beside["D4"] > beside["D3"] + 0.2


def test_thin_niches_are_two_cells_wide(tmp_path):
    cells = sections_of(Tissue.THIN, tmp_path)
    assert set(cells.obs["domain"]) == {"D1", "D2", "D3"}  # a thin niche lies between two others
    thin = cells.obs["domain"] == "D3"
    # a section of 1,200 cells is about 35 across
    assert 0.02 < thin.mean() < 0.12
    first = cells[cells.obs_names.str.startswith("P1")]
    near = cKDTree(first.obsm["spatial"]).query(first.obsm["spatial"][(first.obs["domain"] == "D3").to_numpy()], 13)[1]
    assert (first.obs["domain"].to_numpy(str)[near[:, 1:]] == "D3").mean() < 0.6


def test_a_rare_niche_is_one_patch_in_every_third_patient(tmp_path):
    settings = {"patients": 4, "sections": (1, 1), "cells": 600, "niches": 4}
    simulate_cohort(Settings(rare=0.05, **settings), tmp_path / "rare")
    simulate_cohort(Settings(**settings), tmp_path / "usual")
    truth = pd.read_csv(tmp_path / "rare" / "domains.csv.gz")
    cells = pd.crosstab(truth["sample"], truth["domain"])
    rare = cells.sum().idxmin()
    share = cells[rare] / cells.sum(axis=1)
    assert share.round(2).tolist() == [0.05, 0, 0, 0.05]
    assert rare != json.loads((tmp_path / "rare" / "planted.json").read_text())["outcome_domain"]
    section = ad.read_h5ad(tmp_path / "rare" / "samples" / "P1_S1.h5ad")
    of_it = (section.obs["domain"] == rare).to_numpy()
    places = section.obsm["spatial"]
    centre = places[of_it].mean(axis=0)
    assert np.hypot(*(places[of_it] - centre).T).max() < 0.5 * np.ptp(places, axis=0).min()
    assert (
        pd.crosstab(*pd.read_csv(tmp_path / "usual" / "domains.csv.gz")[["sample", "domain"]].T.to_numpy()) > 0
    ).all(axis=None)


def test_tissue_without_niches(tmp_path):
    shares = shares_of_types(sections_of(Tissue.RANDOM, tmp_path / "random"))
    assert (shares.max() - shares.min()).max() < 0.12
    assert (shares.mean() > 0.02).all()
    uniform = sections_of(Tissue.UNIFORM, tmp_path / "uniform")
    assert set(uniform.obs["cell_type"]) == {"T1"}
