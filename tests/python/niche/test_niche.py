import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from niche_helpers import blobs, embedded
from semanticst.errors import BadInput
from semanticst.niche import cluster
from semanticst.niche.base_clusterings import assign_parts
from semanticst.niche.bootstrap import best_jaccard, bootstrap_niches
from semanticst.niche.choose_k import (
    about_as_stable,
    choose_number,
    close_call,
    number_curve,
    parse_numbers,
    report_curve,
    undecided,
)
from semanticst.niche.cluster import NicheModel, cluster_niches, fit_niches
from semanticst.niche.consensus import most_central, rand_index, vote, weights_of_majority, whole_partition
from semanticst.niche.em import Cells, improve, start_from
from semanticst.niche.mixture import MixtureSearch, fit_mixture
from semanticst.niche.representations import fit_representations, middle_representation
from semanticst.niche.spatial_refinement import hmrf_inputs
from semanticst.niche.tissue_halves import Trial
from semanticst.report.run_record import run_facts
from semanticst.report.summary_facts import read_inputs, summarise


def in_tiles(X) -> Trial:
    """Cells of one sample, in tiles of 25."""
    return Trial(X, np.zeros(len(X), dtype=int), np.arange(len(X)) // 25)


def test_mixture_without_shrinkage_is_the_tied_mixture_of_scikit_learn():
    X, labels = blobs()
    ours = fit_mixture(X, 4, shrinkage=0.0, seed=1)
    theirs = GaussianMixture(4, covariance_type="tied", n_init=10, random_state=0, tol=1e-6, max_iter=500).fit(X)
    assert ours.log_likelihood == pytest.approx(theirs.score(X), abs=1e-3)
    assert adjusted_rand_score(ours.predict(X), theirs.predict(X)) > 0.99
    assert ours.bic(len(X)) == pytest.approx(-theirs.bic(X), rel=1e-3)
    assert adjusted_rand_score(ours.predict(X), labels) > 0.9


def test_full_shrinkage_is_a_sphere():
    X, _ = blobs()
    covariance = fit_mixture(X, 4, shrinkage=1.0).covariance
    np.testing.assert_allclose(covariance, covariance[0, 0] * np.eye(5), atol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.0, 0.1])
@pytest.mark.parametrize("d", [2, 10, 40])
@pytest.mark.parametrize("points", [2, 3, 8])
def test_cells_on_a_few_points_are_told_apart(points, d, shrinkage):
    """As of panels in which cells are of a few kinds: nothing is left within the parts but rounding."""
    rng = np.random.default_rng(points * d)
    label = rng.integers(points, size=1200)
    X = (rng.normal(scale=30, size=(points, d)) + 100)[label].astype(np.float32)
    found = fit_mixture(X, points, shrinkage=shrinkage, seed=1)
    assert adjusted_rand_score(found.predict(X), label) == 1


def test_mixture_is_the_same_for_the_same_seed_and_finds_the_same_optimum_for_others():
    X, _ = blobs(seed=3)
    one, two, other = (fit_mixture(X, 4, seed=s) for s in (0, 0, 5))
    np.testing.assert_array_equal(one.means, two.means)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-3)


def test_large_data_are_fitted_on_all_cells(monkeypatch):
    X, labels = blobs(n=3000)
    monkeypatch.setattr("semanticst.niche.mixture.REFINE_CELLS", 500)
    monkeypatch.setattr("semanticst.niche.em.PRODUCT", 12_000)
    assert adjusted_rand_score(fit_mixture(X, 4).predict(X), labels) > 0.9


@pytest.mark.parametrize(("limit", "last"), [(3000, []), (2999, [3000])])
def test_only_a_cohort_that_was_subsampled_is_fitted_once_more(monkeypatch, limit, last):
    X, _ = blobs(n=3000)
    rows = []

    def counted(cells, parts, *args, **settings):
        rows.append((cells.n, len(parts.weights)))
        return improve(cells, parts, *args, **settings)

    monkeypatch.setattr("semanticst.niche.mixture.REFINE_CELLS", limit)
    monkeypatch.setattr("semanticst.niche.mixture.improve", counted)
    fit_mixture(X, 4, starts=5, refine=2)
    assert rows == [(limit, 5), (limit, 2), *((n, 1) for n in last)]


@pytest.mark.parametrize(
    ("cells", "starts", "trees"),
    [
        (300, 12, [300, 300]),
        (690, 12, [690, 690]),
        (700, 12, [400] * 6),
        (500, 4, [400, 400]),
        (565, 8, [565, 565]),
    ],
)
def test_a_small_cohort_has_one_tree_of_all_cells_in_each_space(monkeypatch, cells, starts, trees):
    made = []

    def counted(space, method):
        made.append(len(space))
        return linkage(space, method)

    monkeypatch.setattr("semanticst.niche.mixture.linkage", counted)
    X, true = blobs(n=cells)
    found = MixtureSearch(Cells.of(X), starts=starts, seed=0, subsample=400)
    assert made == trees
    assert adjusted_rand_score(found.fit(4, shrinkage=0.1, refine=2).predict(X), true) > 0.95


def test_one_search_serves_all_numbers_of_parts():
    X, _ = blobs(seed=3)
    search = MixtureSearch(Cells.of(X), starts=8, seed=0)
    shared = [search.fit(k, shrinkage=0.1, refine=2) for k in (4, 2, 4)]
    np.testing.assert_array_equal(shared[0].means, fit_mixture(X, 4, starts=8, refine=2, seed=0).means)
    np.testing.assert_array_equal(shared[0].means, shared[2].means)
    assert len(shared[1].means) == 2
    at_once = MixtureSearch(Cells.of(X), starts=8, seed=0, k_max=9).fit(4, shrinkage=0.1, refine=2)
    assert adjusted_rand_score(at_once.predict(X), shared[0].predict(X)) > 0.99


def test_log_odds_and_likelihood_are_those_of_the_normal_distribution():
    X, _ = blobs(seed=2)
    X = X + 100  # far from the origin
    mixture = fit_mixture(X, 4, seed=0)
    exact = np.column_stack([multivariate_normal(m, mixture.covariance).logpdf(X) for m in mixture.means])
    exact += np.log(mixture.weights)
    np.testing.assert_allclose(softmax(mixture.log_odds(X), axis=1), softmax(exact, axis=1), atol=1e-9)
    assert mixture.log_likelihood == pytest.approx(logsumexp(exact, axis=1).mean(), abs=1e-4)


def test_starts_on_few_cells_may_lie_further_apart_than_the_scatter_of_all_allows():
    cells = Cells.of(blobs(n=300, d=8, spread=0.0)[0])
    means = np.random.default_rng(0).normal(scale=5.0, size=(1, 3, 8))
    started = start_from(cells, np.full((1, 3), 1 / 3), means, 0.1)
    assert np.linalg.eigvalsh(started.covariance[0]).min() > 0
    assert np.isfinite(improve(cells, started, 0.1, 5).log_likelihood).all()


def test_parts_of_nested_representations_are_those_of_each_alone(monkeypatch):
    adata, _ = embedded()
    adata.obsm["X_profile"] += 10  # centred by the representations
    monkeypatch.setattr("semanticst.niche.representations.BLOCK", 170)
    representations = fit_representations(adata, widths=(3, 5))
    mixtures = [fit_mixture(r.matrix(adata), 4, starts=4) for r in representations]
    for found, r, mixture in zip(assign_parts(adata, representations, mixtures), representations, mixtures):
        np.testing.assert_array_equal(found, mixture.predict(r.matrix(adata)))
        cells, alone = r.cells(adata), Cells.of(r.matrix(adata))
        np.testing.assert_allclose(cells.scatter, alone.scatter, rtol=1e-5, atol=1e-6)


def test_constant_components_do_not_break_the_mixture():
    X, labels = blobs()
    padded = np.hstack([X, np.zeros((len(X), 2))])
    assert adjusted_rand_score(fit_mixture(padded, 4).predict(padded), labels) > 0.9


@pytest.mark.parametrize(
    ("X", "message"), [(np.ones((3, 2)), "3 cells cannot form 4"), (np.full((9, 2), np.nan), "not finite")]
)
def test_impossible_mixtures_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        fit_mixture(X, 4)


def test_votes_align_names_and_count():
    a = np.array([0, 0, 0, 1, 1, 2])
    renamed = np.array([2, 2, 2, 0, 0, 1])
    odd = np.array([0, 0, 1, 1, 1, 2])
    found = vote([a, renamed, odd], 3)
    np.testing.assert_array_equal(found.labels, a)
    np.testing.assert_allclose(found.stability, [1, 1, 2 / 3, 1, 1, 1])


def test_ties_are_decided_in_the_same_way_however_niches_are_numbered():
    first, second = np.array([0, 0, 1, 1, 1, 1, 0]), np.array([0, 0, 1, 1, 1, 1, 1])
    found = vote([first, second], 2)
    np.testing.assert_array_equal(found.labels, 1 - first)
    np.testing.assert_array_equal(found.consensus_labels, found.labels)
    assert found.stability[6] == pytest.approx(0.5)


def test_niches_are_numbered_by_falling_size():
    labels = vote([np.array([2] * 5 + [0] * 3 + [1] * 2)], 3).labels
    assert np.bincount(labels).tolist() == [5, 3, 2]


def test_rand_index_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    a = rng.integers(5, size=200)
    for b in (a, rng.integers(3, size=200), np.where(rng.random(200) < 0.7, a, 0), np.zeros(200, dtype=int)):
        assert rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b))
    assert rand_index(b, b) == 1


def test_the_member_that_agrees_most_is_the_reference():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=300)
    noisy = np.where(rng.random(300) < 0.1, rng.integers(3, size=300), truth)
    assert most_central([rng.integers(3, size=300), noisy, truth, np.roll(truth, 0)]) in (2, 3)


def test_number_of_niches_is_found():
    X, _ = blobs(n=1200, k=5, d=6, spread=8.0, seed=4)
    curve = number_curve(in_tiles(X), range(2, 9), shrinkage=0.1, seed=0)
    assert curve["k"].tolist() == list(range(2, 9))
    assert choose_number(curve) == 5


@pytest.mark.parametrize(
    ("stability", "chosen"),
    [
        ({2: 0.99, 3: 0.95, 4: 0.7, 5: 0.6, 6: 0.85, 7: 0.5}, 6),  # the peak, not the start of the trend
        ({2: 0.5, 3: 0.6, 4: 0.9, 5: 0.6, 6: 0.95, 7: 0.5}, 6),  # the highest of two
        ({2: 0.5, 3: 0.6, 4: 0.9, 5: 0.6, 6: 0.89, 7: 0.5}, 6),  # of two that are as high the one with the better BIC
        ({2: 0.99, 3: 0.9, 4: 0.8, 5: 0.7}, 3),  # no peak, and 2 is not chosen
        ({2: 0.99, 3: 0.8, 4: 0.85, 5: 0.7, 6: 0.95}, 4),  # the end of the range is none: 7 is not known
        ({5: 0.9, 7: 0.6, 9: 0.95, 11: 0.94}, 11),  # of a list the most stable, or as stable with the better BIC
        ({2: 0.9, 3: 0.6}, 3),
        ({2: 0.9, 3: 0.75, 4: 0.745, 5: 0.65, 6: 0.62}, 4),  # 3 is the start of the trend, and 4 hardly less stable
        ({2: 0.9}, 2),
    ],
)
def test_number_is_chosen_at_the_highest_peak_of_stability(stability, chosen):
    k = list(stability)
    curve = curve_of(list(stability.values()), sd=0.01, pairs=20).assign(k=k, bic=k, supported=True)
    assert choose_number(curve) == chosen


FLAT = {2: 0.6, 3: 0.2, 4: 0.30, 5: 0.36, 6: 0.38, 7: 0.40, 8: 0.39, 9: 0.41, 10: 0.40, 11: 0.42, 12: 0.40}


@pytest.mark.parametrize(
    ("changed", "chosen"),
    [
        ({}, 7),  # 4 to 12 are about as stable: nearest to the middle of 2 to 12
        ({11: 0.40, 6: 0.42}, 7),  # the same wherever the highest peak is
        ({6: 0.2, 7: 0.2}, 8),  # those that are clearly less stable are left out
        ({7: 0.2}, 6),  # of two that are as near, the smaller
        ({9: 0.8}, 9),  # the tissue singles it out
        ({9: 0.8, 5: 0.79, 8: 0.78}, 9),  # and still does where three are about as stable
    ],
)
def test_a_number_that_the_tissue_does_not_single_out_is_a_convention(changed, chosen):
    curve = curve_of(list((FLAT | changed).values()), sd=0.08, pairs=20).assign(supported=True)
    assert choose_number(curve) == chosen
    assert chosen in curve["k"][about_as_stable(curve, chosen)].tolist()


def test_the_convention_is_told_with_what_it_was_taken_from(tmp_path):
    curve = curve_of(list(FLAT.values()), sd=0.08, pairs=20).assign(supported=True, zero=0.1)
    curve["about_as_stable"], curve["chosen"] = about_as_stable(curve, 7), curve["k"] == 7
    assert curve["k"][curve["about_as_stable"]].tolist() == list(range(4, 13))
    report_curve(curve, tmp_path)
    text = (tmp_path / "niche_k_mqc.json").read_text()
    assert "does not single out a number: 4 to 12 niches are about as stable. 7 niches were chosen" in text
    assert "nearest to the middle of those tried is taken, a convention" in text
    assert "the highest from 3 niches up" not in text
    unsupported = curve.assign(supported=False, about_as_stable=curve["chosen"])
    report_curve(unsupported, tmp_path)
    assert "single out" not in (tmp_path / "niche_k_mqc.json").read_text()
    gaps = curve[curve["k"] % 2 == 1]
    assert choose_number(gaps) == 11, "of a list the most stable, as good as it may be"


def test_without_support_the_number_nearest_to_the_middle_is_taken(tmp_path):
    rising = np.linspace(0.1, 0.2, 14)
    curve = curve_of(rising, sd=0.05, pairs=20).assign(supported=False, zero=0.15)
    assert choose_number(curve) == 8
    assert choose_number(curve.assign(supported=curve["k"] == 2)) == 8, "2 is not chosen"
    assert choose_number(curve.assign(supported=curve["k"] == 3)) == 3
    assert choose_number(curve[:2]) == 3, "of 2 and 3"
    curve = curve.assign(about_as_stable=about_as_stable(curve, 8), chosen=curve["k"] == 8)
    assert curve["k"][curve["about_as_stable"]].tolist() == [8]
    report_curve(curve, tmp_path)
    text = (tmp_path / "niche_k_mqc.json").read_text()
    assert "No number of niches is supported by the tissue" in text
    assert "nearest to the middle of those tried is taken, so that there are niches to be looked at" in text
    assert "peak" not in text
    of_list = curve[curve["k"].isin([5, 7, 9])].assign(chosen=[False, True, False])
    report_curve(of_list.assign(about_as_stable=of_list["chosen"]), tmp_path)
    text = (tmp_path / "niche_k_mqc.json").read_text()
    assert "No number of niches among 5, 7 and 9 is supported by the tissue" in text
    assert "From a list the most stable number from 3 up is taken" in text
    assert "peak" not in text
    curve.to_csv(tmp_path / "niche_k.csv", index=False)
    assert run_facts([], None, numbers=tmp_path / "niche_k.csv")["ran_k_none"]


@pytest.mark.parametrize(("numbers", "told"), [([2, 4], True), ([2, 3, 4], True), ([4, 5], False), (None, False)])
def test_two_niches_that_were_asked_for_and_are_more_stable_are_told(tmp_path, numbers, told):
    """Of 2,4 the most stable was promised, and 4 was taken without a word."""
    curve = curve_of([0.79, 0.5, 0.64, *[0.4] * 11], sd=0.01, pairs=20).assign(supported=True, zero=0.1)
    curve = curve[curve["k"].isin(numbers or range(2, 16))]
    chosen = choose_number(curve)
    curve = curve.assign(chosen=curve["k"] == chosen, about_as_stable=about_as_stable(curve, chosen))
    report_curve(curve, tmp_path)
    section = json.loads((tmp_path / "niche_k_mqc.json").read_text())["description"]
    curve.to_csv(tmp_path / "niche_k.csv", index=False)
    pd.DataFrame({"niche": [1], "share": 1.0, "markers": ""}).to_csv(tmp_path / "niche_overview.csv", index=False)
    qc = "sample,patient,batch,platform,status,reason,n_cells_kept\ns,p,b,xenium,pass,,100\n"
    (tmp_path / "qc.csv").write_text(qc)
    summary = summarise(read_inputs(tmp_path / "qc.csv", tmp_path, None))["text"]["niches"]
    for text in (section, summary):
        assert ("2 niches are more stable (0.79, 4 niches 0.64), and taken only where" in text) is told


@pytest.mark.parametrize(
    ("stability", "expected"),
    [
        ([0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5], []),  # one is the best
        ([0.9, 0.5, 0.9, 0.89, 0.5, 0.5, 0.5, 0.5], [4, 5]),
        ([0.9, 0.5, *[0.9] * 6], [4, 5, 6, 7, 8, 9]),
        ([0.9, *[0.9] * 7], []),  # more would not tell them apart
    ],
)
def test_more_halves_where_it_is_close(stability, expected):
    curve = curve_of(stability, sd=0.05, pairs=20)
    assert curve["k"][close_call(curve)].tolist() == expected


@pytest.mark.parametrize(("text", "numbers"), [("7", [7]), ("5,9,7", [5, 7, 9]), ("auto", list(range(2, 16)))])
def test_numbers_are_read(text, numbers):
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize("text", ["many", "1", "4,,5", "", "4,100"])
def test_nonsense_numbers_are_refused(text):
    with pytest.raises(ValueError, match="niches|neither"):
        parse_numbers(text)


def test_views_are_the_embedding_and_the_later_hops():
    adata, _ = embedded(hops=3)
    names = [v.name for v in fit_representations(adata, widths=(3, 50))]
    assert names == ["embedding-3", "embedding-6", "profile2-3", "profile2-6", "profile3-3", "profile3-6"]


def test_a_panel_of_cell_types_has_fewer_widths_and_no_embedding():
    adata, _ = embedded(hops=2)
    adata.obsm["X_semantic"] = np.random.default_rng(0).normal(size=(600, 64))
    assert [v.name for v in fit_representations(adata)][:5] == [f"embedding-{w}" for w in (10, 20, 30, 40, 50)]
    adata.uns["semanticst"]["feature_type"] = "onehot"
    assert [v.name for v in fit_representations(adata)] == ["profile2-6"]
    assert [v.name for v in fit_representations(adata, learned=True)] == ["embedding-10", "embedding-20", "profile2-6"]


def curve_of(stability, sd=0.1, pairs=8):
    k = np.arange(2, 2 + len(stability))
    return pd.DataFrame({"k": k, "bic": k / 10, "stability": stability, "stability_sd": sd, "pairs": pairs})


@pytest.mark.parametrize(
    ("stability", "chosen", "expected"),
    [
        ([0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5], 4, [4]),
        ([0.9, 0.5, 0.86, 0.84, 0.7, 0.5, 0.5], 4, [4, 5]),  # 2 is not chosen, and not said to be as good
        ([0.3, 0.2, 0.40, 0.38, 0.39, 0.41, 0.42], 4, [4, 5, 6, 7, 8]),
        (
            [0.3, 0.31, 0.40, 0.38, 0.39, 0.41, 0.42],
            5,
            [3, 4, 5, 6, 7, 8],
        ),  # what is no clear difference counts as none
    ],
)
def test_numbers_about_as_stable_as_the_chosen_one(tmp_path, stability, chosen, expected):
    curve = curve_of(stability, 0.06, 20).assign(zero=0.1, supported=True)
    curve["about_as_stable"] = about_as_stable(curve, chosen)
    assert curve["k"][curve["about_as_stable"]].tolist() == expected
    report_curve(curve.assign(chosen=curve["k"] == chosen), tmp_path)
    told = (
        f"does not single out a number: {min(expected)} to 8 niches are about as stable"
        in (tmp_path / "niche_k_mqc.json").read_text()
    )
    assert told is (len(expected) > 3)


def test_numbers_without_support_are_not_about_as_stable():
    curve = curve_of([0.3, 0.4, 0.4, 0.4], 0.06, 20).assign(supported=[False, False, True, True])
    assert curve["k"][about_as_stable(curve, 4)].tolist() == [4, 5]
    given = pd.DataFrame({"k": [7], "stability": [np.nan], "stability_sd": np.nan, "pairs": np.nan, "supported": True})
    assert about_as_stable(given, 7).all()


@pytest.mark.parametrize(
    ("stability", "sd", "expected"),
    [
        ([0.5, 0.5, 0.9, 0.5, 0.5, 0.7, 0.5], 0.02, []),  # decided: 4 is a peak, and 7 a lower one
        ([0.5, 0.5, 0.9, 0.5, 0.5, 0.89, 0.5], 0.02, [3, 4, 5, 6, 7, 8]),  # two peaks about as high
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 0.02, []),  # no peak: the most stable from 3 up
        ([0.5, 0.5, 0.9, 0.86, 0.7, 0.6, 0.5], 0.06, [3, 4, 5, 6]),  # 4 or 5, and what is beside them
        ([0.5, 0.3, 0.4, 0.3, 0.39, 0.39, 0.39], 0.02, [3, 4, 5, 6, 7, 8]),  # 4 is a peak, if it is singled out
    ],
)
def test_numbers_that_cannot_be_chosen_are_out_of_the_race(stability, sd, expected):
    curve = curve_of(stability, sd)
    assert curve["k"][undecided(curve)].tolist() == expected


def test_all_stay_in_the_race_where_peaks_cannot_be_seen():
    curve = curve_of([0.5, 0.9, 0.5, 0.9])
    gaps = curve.assign(k=[3, 5, 7, 9])
    assert undecided(gaps).all()


def test_a_clear_number_needs_fewer_pairs_and_its_neighbours_as_many_as_it():
    X, _ = blobs(n=800, k=4, d=4, spread=9.0, seed=1)
    curve = number_curve(in_tiles(X), range(2, 8), shrinkage=0.1, seed=0)
    assert choose_number(curve) == 4
    assert set(curve["pairs"]) <= {8, 20, 32}
    assert curve["pairs"].min() == 8


@pytest.mark.parametrize("kind", ["counts", "onehot"])
def test_number_is_chosen_on_the_middle_hop(kind):
    adata, _ = embedded(hops=4)
    adata.uns["semanticst"]["feature_type"] = kind
    assert middle_representation(fit_representations(adata, widths=(3, 5))).name == "profile3-3"
    adata.uns["semanticst"]["train_mode"] = "reference"
    assert middle_representation(fit_representations(adata)).name == "embedding-6"


def test_reference_mode_is_one_tied_mixture_on_the_embedding():
    adata, labels = embedded(hops=3)
    usual = fit_niches(adata, fit_representations(adata)[:1], 4, hmrf_inputs(adata, 0), starts=4, seed=0)[0].mixtures[0]
    adata.uns["semanticst"]["train_mode"] = "reference"
    (representation,) = fit_representations(adata)
    assert (representation.source, representation.loadings.shape) == ("X_semantic", (6, 6))
    model, consensus = fit_niches(adata, [representation], 4, hmrf_inputs(adata, 0), starts=4, seed=0)
    tied = fit_mixture(representation.matrix(adata), 4, shrinkage=0, starts=4, seed=0)
    np.testing.assert_array_equal(model.mixtures[0].covariance, tied.covariance)
    assert not np.allclose(tied.covariance, usual.covariance)
    assert adjusted_rand_score(consensus.labels, labels) > 0.95
    adata.obsm["X_semantic"] = np.hstack([adata.obsm["X_semantic"], np.random.default_rng(0).normal(size=(600, 30))])
    assert fit_representations(adata)[0].loadings.shape == (36, 20)


def test_niches_of_a_cohort_are_found_and_mapped_again():
    adata, labels = embedded()
    model, consensus = fit_niches(adata, fit_representations(adata), 4, hmrf_inputs(adata, 0), starts=4, seed=0)
    assert adjusted_rand_score(consensus.labels, labels) > 0.95
    again, stability = NicheModel.from_arrays(model.arrays()).assign(adata)
    np.testing.assert_array_equal(again, consensus.labels)
    np.testing.assert_allclose(stability, consensus.stability)


def test_a_model_that_lost_a_part_is_refused():
    adata, _ = embedded()
    whole = fit_niches(adata, fit_representations(adata)[:1], 4, hmrf_inputs(adata, 0), starts=2, seed=0)[0].arrays()
    for lost in ("representations", "hmrf/weight", "states/means", "weights", "embedding-6/covariance"):
        arrays = {name: value for name, value in whole.items() if name != lost}
        with pytest.raises(BadInput, match=f"has niches without '{lost}'; give integration/model.pt"):
            NicheModel.from_arrays(arrays)


def test_the_consensus_is_refined_unless_told_otherwise(tmp_path):
    adata, _ = embedded()
    # ten cells that all members put into another niche than that of the cells around them
    wrong = np.flatnonzero(adata.obsm["X_profile"][:, 0] > 0)[:10]
    for key in ("X_profile", "X_semantic"):
        adata.obsm[key][wrong] = adata.obsm[key][np.arange(600)[::-1][:10]]
    representations = fit_representations(adata)
    refined, without = (fit_niches(adata, representations, 4, inputs, 4, 0) for inputs in (hmrf_inputs(adata, 0), None))
    assert refined[0].hmrf is not None
    assert without[0].hmrf is None
    assert "hmrf/weight" not in without[0].arrays()
    np.testing.assert_array_equal(without[1].labels, without[1].consensus_labels)
    np.testing.assert_array_equal(without[0].assign(adata)[0], without[1].labels)
    changed = np.flatnonzero(refined[1].labels != refined[1].consensus_labels)
    assert len(changed)
    assert set(changed) <= set(wrong)


def test_mapping_with_other_hops_is_refused():
    adata, _ = embedded()
    model, _ = fit_niches(adata, fit_representations(adata), 3, hmrf_inputs(adata, 0), starts=2, seed=0)
    adata.uns["semanticst"]["graph_hops"] = 3
    with pytest.raises(BadInput, match="--graph-hops 2"):
        model.assign(adata)


def test_threads_do_not_change_the_niches():
    adata, _ = embedded()
    representations = fit_representations(adata)
    one, two = (
        fit_niches(adata, representations, 4, hmrf_inputs(adata, 0), starts=4, seed=0, threads=t)[1].labels
        for t in (1, 3)
    )
    np.testing.assert_array_equal(one, two)


def test_table_and_curve_are_written(tmp_path):
    adata, labels = embedded()
    adata.write_h5ad(tmp_path / "e.h5ad")
    cluster_niches(tmp_path / "e.h5ad", tmp_path, niche_k="3,4", starts=4)
    niches = pd.read_csv(tmp_path / "niches.csv.gz")
    assert niches.columns.tolist() == [
        *("sample", "cell_id", "x", "y", "niche", "patient", "stability", "niche_jaccard", "coordinate_unit", "fit"),
        "rare_tissue",
    ]
    assert adjusted_rand_score(niches["niche"], labels) > 0.95
    assert sorted(niches["niche"].unique()) == [1, 2, 3, 4]
    assert pd.read_csv(tmp_path / "niche_k.csv").query("chosen")["k"].tolist() == [4]
    by_niche = pd.read_csv(tmp_path / "niche_stability.csv")
    assert by_niche.columns.tolist() == ["niche", "n_cells", "stability", "jaccard", "jaccard_sd", "supported"]
    assert by_niche["supported"].all()
    assert by_niche["n_cells"].tolist() == niches["niche"].value_counts().sort_index().tolist()
    assert by_niche["stability"].tolist() == pytest.approx(niches.groupby("niche")["stability"].mean(), abs=1e-3)
    assert (niches["niche_jaccard"] == niches["niche"].map(by_niche.set_index("niche")["jaccard"])).all()
    assert (by_niche["jaccard"] > 0.85).all()
    assert (niches["coordinate_unit"] == "um").all()
    members = pd.read_csv(tmp_path / "niche_member_counts.csv")
    assert len(set(members["member"])) > 1
    assert "k=3" in set(members["member"])
    sizes = pd.read_csv(tmp_path / "niches.csv.gz").groupby("sample").size()
    by_member = (
        members.groupby(["member", "sample"])["n_cells"]
        .sum()
        .reset_index()
        .pivot_table(index="member", columns="sample", values="n_cells")
    )
    assert (by_member == sizes[by_member.columns].to_numpy()).all(axis=None), "each member has every cell once"
    assert pd.read_csv(tmp_path / "niches_by_k.csv.gz").columns.tolist() == ["sample", "cell_id", "k3", "k4"]
    assert (tmp_path / "niche_k_mqc.json").exists()


def test_niches_without_bootstraps_have_no_jaccard(tmp_path):
    adata, _ = embedded()
    adata.write_h5ad(tmp_path / "e.h5ad")
    cluster_niches(tmp_path / "e.h5ad", tmp_path, niche_k="4", starts=2, bootstraps=0)
    assert pd.read_csv(tmp_path / "niche_stability.csv")["jaccard"].isna().all()
    assert pd.read_csv(tmp_path / "niches.csv.gz")["niche_jaccard"].isna().all()


def jaccard_of(X, labels, patients, k, **settings):
    given = {"shrinkage": 0.1, "bootstraps": 10, "seed": 0} | settings
    return bootstrap_niches(X, labels, np.asarray(patients), np.asarray(patients), k, **given).jaccard


def test_samples_of_patients_that_were_not_drawn_agree_where_tissue_is_alike():
    """Of six patients five have three groups of cells at the same places, the sixth two at others."""
    X, labels = blobs(n=1800, k=3, d=4, spread=12.0, seed=1)
    samples = np.resize([f"s{i}" for i in range(6)], 1800)
    own, rng = samples == "s5", np.random.default_rng(0)
    X[own] = rng.normal(size=(own.sum(), 4)) * 0.5 + np.where(labels[own] == 0, 0.0, 3.0)[:, None]
    given = {"shrinkage": 0.1, "bootstraps": 12, "seed": 0}
    found = bootstrap_niches(X, labels, samples, samples, 3, **given).left_out
    assert set(found) == set(samples)
    assert found["s5"] < 0.5 < 0.7 < min(found[s] for s in found if s != "s5")
    assert bootstrap_niches(X, labels, np.full(1800, "p"), samples, 3, **given).left_out == {}


def test_jaccard_is_that_of_sets():
    found = best_jaccard(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0]), 3)
    np.testing.assert_allclose(found, [2 / 3, 2 / 3, np.nan])


def test_real_groups_come_back_and_cut_ones_do_not():
    X, labels = blobs(n=900, k=3, d=4, spread=12.0, seed=1)
    everyone = np.resize(["p1", "p2", "p3"], 900)
    assert (jaccard_of(X, labels, everyone, 3).mean(0) > 0.95).all()
    # one of the groups is cut at random: no draw finds its halves again, the others stay
    cut = np.where((labels == 2) & (np.arange(900) % 2 == 0), 3, labels)
    mean = jaccard_of(X, cut, everyone, 4).mean(0)
    assert (mean[2:] < 0.6).all()
    assert (mean[:2] > mean[2:].max()).all()


def test_a_niche_of_one_patient_is_less_sure_than_one_of_all():
    X, labels = blobs(n=800, k=4, d=5, spread=12.0, seed=2)
    rng = np.random.default_rng(0)
    patients = np.where(labels == 3, "p0", rng.choice(["p0", "p1", "p2", "p3", "p4", "p5"], 800))
    found = jaccard_of(X, labels, patients, 4, bootstraps=20)
    # where p0 is not drawn the niche falls to the one next to it, which it then covers by half; elsewhere it comes back
    assert 0.2 < (found[:, 3] < 0.9).mean() < 0.7
    assert (found[found[:, 3] > 0.9, 3] > 0.95).all()
    assert found[:, 3].mean() < found.mean(0).max() - 0.15


def test_drawing_anew_does_not_depend_on_threads_or_on_the_size_of_the_cohort(monkeypatch):
    X, labels = blobs(n=900, k=3, spread=12.0)
    patients = np.resize(["p1", "p2"], 900)
    one, two = (jaccard_of(X, labels, patients, 3, bootstraps=4, threads=t) for t in (1, 3))
    np.testing.assert_array_equal(one, two)
    monkeypatch.setattr("semanticst.niche.bootstrap.DRAWN_CELLS", 200)
    monkeypatch.setattr("semanticst.niche.bootstrap.JUDGED_CELLS", 300)
    assert (jaccard_of(X, labels, patients, 3, bootstraps=4).mean(0) > 0.9).all()


def test_same_seed_gives_the_same_bytes(tmp_path):
    adata, _ = embedded()
    adata.write_h5ad(tmp_path / "e.h5ad")
    for folder in ("one", "two"):
        cluster_niches(tmp_path / "e.h5ad", tmp_path / folder, niche_k="4", starts=4)
    assert (tmp_path / "one/niches.csv.gz").read_bytes() == (tmp_path / "two/niches.csv.gz").read_bytes()


def test_more_niches_than_cells_is_bad_input(tmp_path):
    adata, _ = embedded(n=20)
    adata.write_h5ad(tmp_path / "e.h5ad")
    most = adata.n_obs // 4
    with pytest.raises(BadInput, match=f"cannot form {most + 1} niches, .* ask for at most {most}"):
        cluster_niches(tmp_path / "e.h5ad", tmp_path, niche_k=str(most + 1))
    assert not (tmp_path / "niches.csv.gz").exists()


def test_no_niche_without_a_cell():
    one, two, three = np.repeat([0, 1, 2], 4), np.repeat([0, 1, 0], 4), np.repeat([0, 1, 1], 4)
    partitions, weights = [two, three, two, one], np.array([1.0, 2.0, 1.0, 0.5])
    assert vote(partitions, 3, weights).n_niches == 2
    decides = whole_partition(partitions, 3)
    assert decides == 3
    found = vote(partitions, 3, weights_of_majority(weights, decides))
    assert rand_index(found.labels, one) == 1
    assert found.stability.min() > 0.5
    assert found.stability.max() == pytest.approx(1)
    with pytest.raises(BadInput, match="no base clustering has cells in each of 4 niches"):
        whole_partition(partitions, 4)
    assert weights_of_majority(np.array([0.3]), 0).tolist() == [1.0]


def test_the_consensus_has_as_many_niches_as_were_asked_for(monkeypatch, caplog):
    adata, _ = embedded(n=12)
    representations = fit_representations(adata, widths=(3,))
    one, two = np.repeat([0, 1, 2], 4), np.repeat([0, 1, 0], 4)
    monkeypatch.setattr(cluster, "assign_parts", lambda *_: [two, one])
    monkeypatch.setattr(cluster, "representation_weights", lambda *_: np.array([2.0, 1.0]))
    mixtures = [SimpleNamespace(weights=np.ones(3))] * 2
    with caplog.at_level("WARNING"):
        model, consensus = cluster.consensus_niches(adata, representations, mixtures, None)
    assert consensus.n_niches == model.k == 3
    assert f"3 niches: by votes alone one has no cell, {representations[1].name} decides" in caplog.text


def test_few_cells_choose_no_number(tmp_path):
    adata, _ = embedded(n=12)
    adata.write_h5ad(tmp_path / "e.h5ad")
    with pytest.raises(BadInput, match="12 cells in . samples? are too few to choose a number of niches"):
        cluster_niches(tmp_path / "e.h5ad", tmp_path, niche_k="auto")


def test_every_network_has_its_votes():
    adata, _ = embedded()
    representations = fit_representations(adata, widths=(3,))
    assert [r.source for r in representations] == ["X_semantic", "X_profile"]
    assert fit_niches(adata, representations, 4, hmrf_inputs(adata, 0), 4, 0)[0].weights.tolist() == [1, 1]
    adata.uns["semanticst"]["train_networks"] = 3
    model, consensus = fit_niches(adata, representations, 4, hmrf_inputs(adata, 0), 4, 0)
    assert model.weights.tolist() == [3, 1]
    assert consensus.votes.max(1).min() >= 0.75
