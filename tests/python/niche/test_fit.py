"""Fit: what the model's samples had fits, what none of them had does not, whatever the votes say."""

import json
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import kneighbors_graph

from semanticst.niche.added import CELLS_OF_A_NICHE
from semanticst.niche.bootstrap import LEFT_OUT, agreement_of, expectation, tell_expectation
from semanticst.niche.cluster import cluster_niches
from semanticst.niche.em import Cells
from semanticst.niche.fit import FitReference, _left_out, learn_fit, tell_fit, tell_small
from semanticst.niche.fit_of_samples import OUTSIDE, UNCHECKED, UsualSamples
from semanticst.niche.mapped_section import (
    _correction,
    _rule,
    curve_of_model,
    model_card,
    niche_quality,
    report_fit,
    supported_of,
)
from semanticst.niche.mixture import MixtureSearch
from semanticst.niche.niche_model import NicheModel

CENTRES = 3 * np.eye(12)[:4]


def section(sample, regions, seed, n=400, shift=0.0):
    """Stripes of ``regions`` side by side in a section of ``n`` cells; as the niche step gets it."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 5 * np.sqrt(n), (n, 2))
    region = np.array(regions)[(xy[:, 0] * len(regions) / (5 * np.sqrt(n))).astype(int)]
    own = CENTRES[region] + rng.normal(0, 0.2, 12) + rng.normal(size=(n, 12))
    A = kneighbors_graph(xy, 8)
    A = ((A + A.T) > 0).astype(np.float32).tocsr()
    smooth = own.copy()
    for _ in range(2):
        smooth = (A @ smooth + smooth) / (A.sum(1).A1[:, None] + 1)
    cells = [f"c{i}" for i in range(n)]
    obs = pd.DataFrame({"sample": sample, "patient": sample, "batch": sample, "cell_id": cells, "region": region})
    obs.index = obs["sample"] + ":" + obs["cell_id"]
    found = ad.AnnData(obs=obs)
    found.obsm["spatial"] = xy
    found.obsm["X_pca_harmony"] = own.astype(np.float32)
    found.obsm["X_pca"] = (own + shift).astype(np.float32)
    found.obsm["X_semantic"] = smooth.astype(np.float32)
    found.obsm["X_profile"] = np.hstack([smooth, smooth]).astype(np.float32)
    found.obsp["spatial_connectivities"] = A
    return found


def cohort(*sections):
    adata = ad.concat(sections, pairwise=True)
    adata.uns["semanticst"] = {"graph_hops": 2, "feature_type": "counts", "spatial_unit": "um"}
    return adata


def training(n=6):
    return cohort(*(section(f"s{i}", (0, 1, 2), seed=i) for i in range(n)))


@pytest.fixture(scope="module")
def reference():
    return learn_fit(training(), seed=0)[0]


def test_fit_of_the_models_own_cells_is_uniform():
    adata = training()
    _, fit = learn_fit(adata, seed=0)
    assert (fit < OUTSIDE).mean() == pytest.approx(OUTSIDE, abs=0.01)
    assert fit.mean() == pytest.approx(0.5, abs=0.02)


def test_own_and_new_samples_of_the_same_tissue_fit(reference):
    own = reference.samples(training(), learn_fit(training(), seed=0)[1])
    assert own["fits"].mean() >= 0.95
    new = [cohort(section(f"n{i}", (0, 1, 2), seed=100 + i)) for i in range(20)]
    fits = [reference.samples(adata, reference.cells(adata))["fits"].iloc[0] for adata in new]
    assert np.mean(fits) >= 0.95


@pytest.mark.parametrize("regions", [(0,), (0, 1), (2, 1, 0)])
def test_sample_of_some_of_the_tissues_fits(reference, regions):
    adata = cohort(section("n", regions, seed=50))
    found = reference.samples(adata, reference.cells(adata))
    assert found["fits"].all(), found["why"].tolist()


def test_tissue_that_no_sample_had_is_outside(reference):
    adata = cohort(section("n", (0, 3, 2), seed=50))
    fit = reference.cells(adata)
    unseen = (adata.obs["region"] == 3).to_numpy()
    assert roc_auc_score(unseen, -fit) > 0.9
    assert (fit[unseen] < OUTSIDE).mean() > 0.8
    found = reference.samples(adata, fit).iloc[0]
    assert not found["fits"]
    assert "cells are outside" in found["why"]


def test_sample_that_batch_correction_moves_far_does_not_fit(reference):
    adata = cohort(section("n", (0, 1, 2), seed=50, shift=2.0))
    found = reference.samples(adata, reference.cells(adata)).iloc[0]
    assert not found["fits"]
    assert "of the spread away" in found["why"]


def test_features_that_vary_together_in_another_way_do_not_fit(reference):
    """Averages of noise look usual, and nothing of it is moved: variances tell."""
    adata = cohort(section("n", (0, 1, 2), seed=50))
    rng = np.random.default_rng(0)
    adata.obsm["X_pca"] = (0.3 * rng.normal(size=(400, 12)) + adata.obsm["X_pca"].mean(0)).astype(np.float32)
    adata.obsm["X_pca_harmony"] = adata.obsm["X_pca"]
    found = reference.samples(adata, np.full(400, 0.9)).iloc[0]
    assert not found["fits"]
    assert found["why"].startswith("its features vary together in another way")


def genes(adata, names=None):
    """The sample with 30 features of the 12 components, under ``names`` of others, as mapping projects it."""
    loadings = np.linalg.qr(np.random.default_rng(1).normal(size=(30, 12)))[0]
    adata.uns["semanticst"]["leading_loadings"] = loadings
    if names is not None:
        X = adata.obsm["X_pca"] @ loadings.T
        adata.obsm["X_pca"] = adata.obsm["X_pca_harmony"] = (X[:, names] @ loadings).astype(np.float32)
    return adata


def test_permuted_names_keep_no_correlation_between_features():
    reference, own_fit = learn_fit(genes(training()), seed=0)
    assert reference.samples(genes(training()), own_fit)["fits"].mean() >= 0.95
    assert reference.limits.coexpression > 0.5
    new = genes(cohort(section("n", (0, 1, 2), seed=50)))
    mixed = genes(cohort(section("n", (0, 1, 2), seed=50)), np.random.default_rng(0).permutation(30))
    found = [reference.samples(adata, np.full(400, 0.5)).iloc[0] for adata in (new, mixed)]
    assert found[0]["fits"]
    assert not found[1]["fits"]
    assert "other features go together" in found[1]["why"]
    assert found[0]["coexpression"] > 0.9 > 0.5 > found[1]["coexpression"]


def test_model_of_patients_that_differ_lets_more_pass():
    usual = UsualSamples(*(np.array([0.1]),) * 3, np.array([0.5, 0.8]), np.array([0.2]), 1.0, np.eye(2), np.eye(2))
    assert usual.limits.coexpression == pytest.approx(np.tanh(np.arctanh(0.5) / 1.5))
    assert usual.limits.moran == pytest.approx(0.015)
    assert replace(usual, coexpression=np.array([0.99, 0.99])).limits.coexpression == pytest.approx(0.8)
    assert replace(usual, coexpression=np.empty(0)).limits.coexpression == pytest.approx(0.2)
    assert replace(usual, moran=np.array([0.03, 0.2])).limits.moran == pytest.approx(0.01)


def test_what_no_sample_could_miss_and_what_its_own_samples_would_is_not_checked(reference, tmp_path):
    own = np.array([-0.017, -0.016, -0.010, -0.003])
    for values, name in (
        ({"moran": own}, "moran"),
        ({"coexpression": np.array([-0.1, 0.4])}, "coexpression"),
        ({"outside": np.array([0.0, 0.7])}, "outside"),
        ({"exchanged": np.array([0.13, 0.18])}, "exchanged"),
    ):
        usual = replace(reference.usual, **values)
        assert np.isnan(getattr(usual.limits, name))
        one = replace(reference, usual=usual)
        sample = cohort(section("s0", (0, 1, 2), seed=0))
        sample.obsp["spatial_connectivities"] = sample.obsp["spatial_connectivities"][::-1]  # neighbours at random
        judged = one.samples(sample, np.full(400, 0.5))
        assert name not in judged["checked"].iloc[0].split(", ")
        assert ("Moran's I" in judged["why"].iloc[0]) is (name != "moran")
        said = _rule(usual.limits)
        assert "nan" not in said
        assert said.endswith(f"Not checked, since the model has no measure of it: {UNCHECKED[name]}.")
    assert "Not checked" not in _rule(reference.limits)


@pytest.mark.parametrize("lowest", [-0.02, -1e-6, 0.0, 1e-6, 0.02, 0.04, 0.3])
def test_no_sample_of_a_model_is_below_its_own_limit_of_moran(reference, lowest):
    limit = replace(reference.usual, moran=np.array([lowest, 0.4])).limits.moran
    assert not lowest < limit


def test_cells_at_places_of_others_are_to_be_looked_at(reference, caplog):
    adata = cohort(section("n", (0, 1, 2), seed=50))
    shuffled = np.random.default_rng(0).permutation(adata.n_obs)
    for key in ("X_pca", "X_pca_harmony"):
        adata.obsm[key] = adata.obsm[key][shuffled]
    found = reference.samples(adata, np.full(400, 0.5))
    assert found["fits"].all()
    assert "lie as at random" in found["why"].iloc[0]
    with caplog.at_level("WARNING"):
        tell_fit(found)
    assert "n is to be looked at: its cells lie as at random" in caplog.text


def looking(adata, gains, looks="", clear=0.0):
    """``adata`` with what the comparison of its features gave, a gain of each sample and how much of them is clear."""
    samples = sorted(adata.obs["sample"].unique())
    adata.uns["semanticst"] |= {
        "exchanged_samples": np.array(samples), "exchanged": np.array(gains),
        "exchanged_clear": np.broadcast_to(clear, len(samples)),
        "exchanged_features": np.array([looks] * len(samples)),
    }  # fmt: skip
    return adata


def test_features_under_the_names_of_others_do_not_fit():
    reference, own_fit = learn_fit(looking(training(), [0, 0, 0.02, 0.01, 0, np.nan]), seed=0)
    assert reference.limits.exchanged == pytest.approx(0.03)
    assert reference.samples(looking(training(), [0, 0, 0.02, 0.01, 0, np.nan]), own_fit)["fits"].mean() >= 0.95
    for gain, fits in ((0.029, True), (0.031, False)):
        new = looking(cohort(section("n", (0, 1, 2), seed=50)), [gain], "A looks like B")
        found = reference.samples(new, np.full(400, 0.5)).iloc[0]
        assert found["fits"] == fits
        assert ("as under the names of others (A looks like B)" in found["why"]) != fits
    limits = [replace(reference.usual, exchanged=np.array([worst])).limits.exchanged for worst in (0.0, 0.033, 0.034)]
    assert limits == pytest.approx([0.02, 0.0495, np.nan], nan_ok=True)


def test_a_sample_of_the_model_with_other_names_is_no_measure_and_does_not_fit():
    gains, clear = [0.18, 0, 0.02, 0.01, 0, 0], [0.12, 0, 0.01, 0, 0, 0]
    reference, fit = learn_fit(looking(training(), gains, "A looks like B", clear), seed=0)
    assert reference.limits.exchanged == pytest.approx(0.03)
    found = reference.samples(looking(training(), gains, "A looks like B", clear), fit)
    assert found["why"].str.contains("under the names of others").tolist() == [True] + [False] * 5


def test_names_are_not_judged_where_those_of_the_models_own_samples_look_exchanged_by_chance():
    gains = [0.18, 0.13, 0.02, 0.15, 0, 0]
    reference, fit = learn_fit(looking(training(), gains, "A looks like B"), seed=0)
    new = looking(cohort(section("n", (0, 1, 2), seed=50)), [0.3], "A looks like B", 0.2)
    for adata, of_cells in ((looking(training(), gains, "A looks like B"), fit), (new, np.full(400, 0.5))):
        found = reference.samples(adata, of_cells)
        assert not found["why"].str.contains("names").any()
        assert not found["checked"].str.contains("exchanged").any()


def test_a_model_of_before_knows_nothing_of_names(reference):
    stored = {name: values for name, values in reference.arrays().items() if name != "fit/exchanged"}
    assert FitReference.from_arrays(stored).limits == reference.limits


@pytest.mark.parametrize("n", [40, 280])
def test_small_samples_are_not_judged_by_what_few_cells_do_not_know(reference, n):
    adata = cohort(section("n", (0,), seed=50, n=n))
    found = reference.samples(adata, np.full(n, 0.5)).iloc[0]
    assert (found["fits"], found["why"]) == (True, "")
    assert found["checked"] == "outside, shift, change"


def test_what_a_sample_was_judged_by_is_said(reference):
    large = cohort(section("n", (0, 1, 2), seed=50))
    assert reference.samples(large, np.full(400, 0.5))["checked"].iloc[0] == "outside, shift, change, moran"
    genes_known, _ = learn_fit(genes(training()), seed=0)
    new = looking(genes(large), [0.0])
    all_checks = "outside, shift, change, coexpression, exchanged, moran"
    assert genes_known.samples(new, np.full(400, 0.5))["checked"].iloc[0] == all_checks


def test_reference_comes_back_from_its_arrays(reference):
    again = FitReference.from_arrays(reference.arrays())
    adata = cohort(section("n", (0, 3), seed=50))
    np.testing.assert_array_equal(again.cells(adata), reference.cells(adata))
    assert again.limits == reference.limits


def test_one_sample_and_few_cells_have_a_fit():
    for adata in (cohort(section("s", (0, 1), seed=0, n=40)), cohort(section("s", (0,), seed=0, n=12))):
        reference, fit = learn_fit(adata, seed=0)
        assert np.isfinite(fit).all()
        assert np.isfinite(reference.cells(adata)).all()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Folder of a training and, in ``new``, of a mapping of a sample with a tissue that is new; the loaded model."""
    folder = tmp_path_factory.mktemp("mapped")
    training(4).write_h5ad(folder / "cohort.embedding.h5ad")
    cluster_niches(folder / "cohort.embedding.h5ad", folder, niche_k="3", starts=2, bootstraps=2)
    with np.load(folder / "niche_mixture.npz") as stored:
        mixture = dict(stored)
    basis = {
        "features": np.array(["a", "b"]), "feature_type": "counts", "depth": 100.0, "loadings": np.eye(2),
        "n_samples": 4, "n_cells": 1600, "platforms": np.array(["xenium"]), "spatial_units": np.array(["um"]),
    }  # fmt: skip
    network = {"version": "0.1.0", "mode": "semantic", "n_batches": 4, "shape": {"contexts": ["spatial"]}}
    model = {"mixture": mixture, "basis": basis, "network": network, "digest": "0123abcd"}
    new = cohort(section("n<script>1", (0, 3, 2), seed=50))
    (folder / "new").mkdir()
    new.write_h5ad(folder / "new" / "cohort.embedding.h5ad")
    cluster_niches(folder / "new" / "cohort.embedding.h5ad", folder / "new", model=model, additional=1)
    return folder, model, new


def test_fit_stands_in_the_tables(mapped):
    folder, _, new = mapped
    assert pd.read_csv(folder / "niche_fit.csv")["fits"].all()
    cells = pd.read_csv(folder / "new" / "niches.csv.gz")
    assert cells["fit"].between(0, 1).all()
    samples = pd.read_csv(folder / "new" / "niche_fit.csv").iloc[0]
    assert not samples["fits"]
    assert samples["outside"] == pytest.approx((cells["fit"] < OUTSIDE).mean(), abs=0.01)


def test_what_may_be_expected_of_mapped_samples_is_said(mapped):
    folder, model, _ = mapped
    own = pd.read_csv(folder / "niche_fit.csv")["left_out_agreement"]
    known = model["mixture"]["quality/left_out"]
    np.testing.assert_allclose(np.sort(own.dropna()), known, atol=1e-4)
    assert len(known) >= 2
    assert own.mean() > 0.8
    new = pd.read_csv(folder / "new" / "niche_fit.csv")["left_out_agreement"]
    assert new.iloc[0] == pytest.approx(known.mean(), abs=1e-4)
    assert "agreed with its niches by" in (folder / "new" / "mapped_fit_mqc.json").read_text()
    assert "agreed with its niches by" in model_card(model)["To be expected"]


@pytest.mark.parametrize("supported", [1.0, 0.0])
def test_mapped_samples_are_told_what_the_model_knows_of_its_niches(mapped, tmp_path, caplog, supported):
    folder, model, _ = mapped
    assert model["mixture"]["quality/supported"].tolist() == [1.0]
    mixture = model["mixture"] | {"quality/supported": np.array([supported])}
    with caplog.at_level("WARNING"):
        cluster_niches(folder / "new" / "cohort.embedding.h5ad", tmp_path, model=model | {"mixture": mixture})
    by_niche = pd.read_csv(tmp_path / "niche_stability.csv")
    np.testing.assert_allclose(by_niche["jaccard"], mixture["quality/jaccard"], atol=1e-4)
    assert by_niche["jaccard"].notna().all()
    assert (by_niche["supported"] == bool(supported)).all()
    assert pd.read_csv(tmp_path / "niche_k.csv")["supported"].tolist() == [bool(supported)]
    assert ("a test of arbitrary cuts" in caplog.text) is (not supported)
    added = pd.read_csv(folder / "new" / "niche_stability.csv")["jaccard"]
    assert added.isna().tolist() == [False, False, False, True], "a niche that the model does not have"


def test_a_model_whose_own_samples_disagree_is_not_dependable(caplog):
    caplog.set_level("INFO")
    for agreements, level in (([0.5, 0.9], "INFO"), ([0.1, 0.6], "WARNING")):
        caplog.clear()
        quality = {LEFT_OUT: np.array(agreements)}
        tell_expectation(quality)
        assert caplog.records[0].levelname == level
        assert ("not dependable" in expectation(quality)) == (level == "WARNING")
    caplog.clear()
    tell_expectation({})
    assert not caplog.records
    own = agreement_of(pd.Series(["old", "new", "never"]), {"old": 0.4, "never": np.nan}, quality)
    np.testing.assert_array_equal(own, [0.4, 0.35, np.nan])


def test_spread_is_made_only_for_a_model_that_has_it(mapped, tmp_path, caplog):
    folder, model, _ = mapped
    whole = NicheModel.from_arrays(model["mixture"])
    kept = [i for i, r in enumerate(whole.representations) if r.source != "X_spread"]
    fewer = replace(whole, representations=[whole.representations[i] for i in kept],
                    mixtures=[whole.mixtures[i] for i in kept], mapping=whole.mapping[kept],
                    weights=whole.weights[kept])  # fmt: skip
    caplog.set_level("INFO")
    for stored, said in ((whole, True), (fewer, False)):
        caplog.clear()
        new = folder / "new" / "cohort.embedding.h5ad"
        cluster_niches(new, tmp_path, model=model | {"mixture": stored.arrays()})
        assert ("spread of neighbourhoods" in caplog.text) == said
        assert len(pd.read_csv(tmp_path / "niches.csv.gz"))


def test_cells_outside_are_clustered_behind_the_models_niches_on_request(mapped):
    folder, model, new = mapped
    cells = pd.read_csv(folder / "new" / "niches.csv.gz")
    assert set(cells["niche"]) <= {1, 2, 3, 4}
    assert ((cells["niche"] == 4) == (cells["fit"] < OUTSIDE)).mean() > 0.99
    unseen = (new.obs["region"] == 3).to_numpy()
    assert (cells["niche"][unseen] == 4).mean() > 0.8
    members = pd.read_csv(folder / "new" / "niche_member_counts.csv")
    assert (members.groupby("member")["n_cells"].sum() == 400).all()
    assert set(members["niche"]) == {1, 2, 3, 4}
    assert len(pd.read_csv(folder / "new" / "niche_stability.csv")) == 4
    # the model itself has its own niches only
    with np.load(folder / "new" / "niche_mixture.npz") as stored:
        again = dict(stored)
    assert set(again) == set(model["mixture"])
    for name, values in again.items():
        np.testing.assert_array_equal(values, model["mixture"][name])


def test_small_mapped_samples_are_told_to_be_judged_less(caplog):
    samples = pd.DataFrame({"sample": [f"s{i}" for i in range(8)], "n_cells": [299] * 6 + [300, 900]})
    with caplog.at_level("WARNING"):
        tell_small(samples[6:])
        assert not caplog.text
        tell_small(samples)
    assert "6 of 8 mapped samples have fewer than 300 cells (s0, s1, s2, s3, s4 and others)" in caplog.text


def test_a_small_mapped_sample_is_told(mapped, tmp_path, caplog):
    _, model, _ = mapped
    new = cohort(section("n", (0, 1, 2), seed=1))
    new[:200].copy().write_h5ad(tmp_path / "e.h5ad")
    with caplog.at_level("WARNING"):
        cluster_niches(tmp_path / "e.h5ad", tmp_path, model=model)
    assert "1 of 1 mapped samples have fewer than 300 cells (n)" in caplog.text


def test_no_additional_niche_of_a_few_cells(mapped, tmp_path, caplog):
    _, model, _ = mapped
    cohort(section("n", (0, 1, 2), seed=1)).write_h5ad(tmp_path / "e.h5ad")
    with caplog.at_level("WARNING"):
        cluster_niches(tmp_path / "e.h5ad", tmp_path, model=model, additional=2)
    assert pd.read_csv(tmp_path / "niches.csv.gz")["niche"].max() == 3
    assert f"{CELLS_OF_A_NICHE} are needed" in caplog.text


def test_report_says_which_model_and_what_does_not_fit(mapped):
    folder, _, _ = mapped
    texts = {path.name: path.read_text() for path in (folder / "new").glob("mapped_*_mqc.json")}
    assert set(texts) == {f"mapped_{name}_mqc.json" for name in ("model", "fit", "maps", "niches")}
    assert "0123abcd" in texts["mapped_model_mqc.json"]
    # by this, and not by the checksum of the file, tables of several runs are known to be of one model
    digests = pd.read_csv(folder / "new" / "niche_member_counts.csv")["model_digest"].unique()
    assert len(digests) == 1
    assert digests[0] in texts["mapped_model_mqc.json"]
    assert "1 of 1 sample does not fit the model" in texts["mapped_fit_mqc.json"]
    assert "1 of 1 samples could be judged by 4 of 6 checks only" in texts["mapped_fit_mqc.json"]
    assert all("n<script>1" not in text for text in texts.values())
    assert "n&lt;script&gt;1" in texts["mapped_fit_mqc.json"]
    # words of the pipeline are bold, and not shown with their tags
    assert "<b>The model&#x27;s own samples" in texts["mapped_fit_mqc.json"]
    assert "<code>model_digest</code>" in texts["mapped_model_mqc.json"]
    assert not list(folder.glob("mapped_*"))


@pytest.mark.parametrize(
    ("n", "agreement", "said"),
    [
        (1, 0.9, ["1 of 3 samples does not fit the model, and its niches may mean nothing, whatever the stability: "
                  "s0 (72 % of its cells are outside)."]),
        (3, 0.9, ["3 of 3 samples do not fit the model, and their niches may mean nothing, whatever the stability: "
                  "s0, s1, s2."]),
        (0, 0.57, ["Niches of samples that are mapped onto this model are not dependable, whether they fit or not: its "
                   "own samples, left out of bootstraps, agreed with it by 0.57, at least 0.6 is wanted."]),
        (0, np.nan, []),
    ],
)  # fmt: skip
def test_what_is_wrong_with_mapped_samples_is_for_the_summary_too(mapped, tmp_path, n, agreement, said):
    """The step alone said so, and the first page of the report nothing."""
    _, model, new = mapped
    niches = NicheModel.from_arrays(model["mixture"])
    quality = {name: value for name, value in niches.quality.items() if name != LEFT_OUT}
    if np.isfinite(agreement):
        quality[LEFT_OUT] = np.array([agreement])
    samples = pd.DataFrame({"sample": ["s0", "s1", "s2"], "outside": 0.72, "checked": "outside"})
    samples["fits"] = samples.index >= n
    samples["why"] = np.where(samples["fits"], "", "72 % of its cells are outside")
    columns = ("shift", "change", "coexpression", "moran", "exchanged", "left_out_agreement", "mean_fit")
    samples = samples.assign(n_cells=400, **dict.fromkeys(columns, 0.5))
    three = new[: 3 * (new.n_obs // 3)].copy()
    three.obs["sample"] = np.repeat(["s0", "s1", "s2"], three.n_obs // 3)
    cautions = report_fit(three, np.ones(three.n_obs), samples, replace(niches, quality=quality), tmp_path)
    assert cautions == [{"text": text, "section": "mapped_fit"} for text in said]


def test_a_cohort_of_its_own_has_no_cautions_of_mapping(mapped):
    folder, _, _ = mapped
    assert json.loads((folder / "niche_cautions.json").read_text()) == []
    [caution] = json.loads((folder / "new/niche_cautions.json").read_text())
    assert "n<script>1 (" in caution["text"]


def test_card_has_whole_cells_and_the_curve_where_there_is_one(mapped):
    niches = NicheModel.from_arrays(mapped[1]["mixture"])
    assert niche_quality(niches)["n_cells"].tolist() == [int(n) for n in niches.quality["n_cells"]]
    assert "." not in niche_quality(niches)["n_cells"].to_string()
    assert niche_quality(replace(niches, quality={}))["n_cells"].isna().all()
    tried = {"curve_k": np.array([2.0, 3, 4]), "curve_stability": np.array([0.5, np.nan, 0.25])}
    assert curve_of_model(replace(niches, quality=tried)) == {2: 0.5, 4: 0.25}
    assert curve_of_model(niches) == {}


@pytest.mark.parametrize(("stored", "supported"), [([0.0], False), ([1.0], True), (None, None)])
def test_card_and_sections_say_whether_the_number_is_supported(mapped, tmp_path, stored, supported):
    folder, model, _ = mapped
    curve = {"k": [2.0, 3, 4], "stability": [0.5, 0.45, 0.25], "zero": [0.4, np.nan, 0.2]}
    mixture = {name: values for name, values in model["mixture"].items() if name != "quality/supported"}
    mixture |= {f"quality/curve_{name}": np.array(values) for name, values in curve.items()}
    mixture |= {"quality/supported": np.array(stored)} if stored else {}
    model = model | {"mixture": mixture}
    assert supported_of(NicheModel.from_arrays(mixture).quality) is supported
    card = model_card(model).get("Number of niches", "")
    assert card.startswith({False: "not supported by the tissue", True: "supported", None: ""}[supported])
    assert ("arbitrary cuts" in card) is (supported is False)
    cluster_niches(folder / "new" / "cohort.embedding.h5ad", tmp_path, model=model)
    for name in ("model", "curve", "niches"):
        text = json.loads((tmp_path / f"mapped_{name}_mqc.json").read_text())["description"]
        cuts = "<b>The tissue of the model does not support its 3 niches: they are arbitrary cuts, not to be"
        assert (cuts in text) is (supported is False)
    drawn = json.loads((tmp_path / "mapped_curve_mqc.json").read_text())
    assert "Zero line" in drawn["description"]
    assert set(drawn["data"]) == {"Stability", "Zero line"}
    assert curve_of_model(NicheModel.from_arrays(mixture), "zero") == {2: 0.4, 4: 0.2}


def test_training_stores_the_zero_line_of_its_curve(mapped):
    folder, model, _ = mapped
    np.testing.assert_allclose(model["mixture"]["quality/curve_zero"], pd.read_csv(folder / "niche_k.csv")["zero"])


@pytest.mark.parametrize(
    ("basis", "network", "said"),
    [
        ({"harmony_centres": np.ones((2, 3)), "n_batches": np.array(1)}, {}, "none was made (one batch)"),
        # of before, where only the network knows
        ({"harmony_centres": np.ones((2, 3))}, {"n_batches": 1}, "none was made (one batch)"),
        ({"harmony_centres": np.ones((2, 3)), "n_batches": np.array(2)}, {"n_batches": 2}, "yes"),
        ({"n_batches": np.array(2)}, {}, "no, nor of mapped samples"),
    ],
)
def test_card_says_no_batch_correction_where_none_was_made(basis, network, said):
    assert _correction({"basis": basis, "network": network}).startswith(said)


def test_model_remembers_how_well_its_niches_were_supported(mapped):
    folder, model, _ = mapped
    niches = NicheModel.from_arrays(model["mixture"])
    table = pd.read_csv(folder / "niche_stability.csv")
    np.testing.assert_allclose(niches.quality["jaccard"], table["jaccard"])
    assert model_card(model)["Niches"] == "3"


@pytest.mark.parametrize("shift", [1, 3, 10])
def test_a_sample_with_nearly_all_cells_is_measured_by_the_others(shift):
    rng = np.random.default_rng(0)
    sizes = (3000, 30, 30, 30, 30)
    Z = np.vstack([rng.normal(shift if n > 30 else -shift, 0.3, (n, 4)) for n in sizes])
    ends = np.cumsum((0, *sizes))
    samples = [np.arange(*ends[i : i + 2]) for i in range(5)]
    mixture = MixtureSearch(Cells.of(Z), starts=4, seed=0).fit(3, shrinkage=0.1, refine=1)
    density = _left_out(Z, mixture, samples)
    assert np.isfinite(density).all()
    assert density[samples[0]].mean() < density[samples[1]].mean(), (
        "others have no cells like those of the large sample"
    )
