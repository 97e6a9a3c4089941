"""Samples that may be mixed up."""

import tracemalloc

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from helpers import make_internal
from semanticst.io.clinical_table import sexes_of
from semanticst.qc.fingerprint import _totals as fingerprint_totals
from semanticst.qc.fingerprint import fingerprint
from semanticst.qc.mix_ups import by_chance, mix_ups, sex_of, swaps_not_checked


def record(adata: ad.AnnData) -> dict:
    own = adata.uns["semanticst"]
    found = fingerprint(adata, np.ones(adata.n_obs, bool))
    return {"sample": own["sample"], "patient": own["patient"], "status": "pass", "fingerprint": found}


def section(sample: str, patient: str, taste: int, seed: int, names: list[str] | None = None) -> ad.AnnData:
    """A section whose genes are expressed as its patient does (taste)."""
    adata = make_internal(sample, patient, n_cells=80, n_features=40, seed=seed)
    rates = np.random.default_rng(taste).lognormal(0, 1, 40)
    adata.X = sp.csr_matrix(np.random.default_rng(seed).poisson(rates, (80, 40)).astype(np.float32))
    if names:
        adata.var_names = names + list(adata.var_names[len(names) :])
    return adata


def test_one_section_under_two_names_is_found_by_its_counts():
    """In another order, with other ids, fewer cells and other features in front."""
    one, other = section("s1", "p1", 0, 1), section("s2", "p2", 0, 2)
    some = np.random.default_rng(0).permutation(80)[:40]
    part = section("s3", "p3", 0, 3)[:40].copy()
    part.X = sp.csr_matrix(one.X.toarray()[some][:, ::-1])
    part.var_names = one.var_names[::-1]
    found = mix_ups([record(one), record(other), record(part)])
    assert set(found) == {"s1", "s3"}
    assert "shares cells of the same values with s3 (about 5" in found["s1"][0]


def test_one_section_under_two_names_is_found_by_its_cells():
    one = section("s1", "p1", 0, 1)
    other = section("s2", "p2", 0, 2)
    other.obsm["spatial"] = one.obsm["spatial"].copy()
    assert "cells of the same id and place" in mix_ups([record(one), record(other)])["s2"][0]
    # spots of a lattice have the same ids and places in all samples
    for adata in (one, other):
        adata.obsm["spatial"] = np.array([(x, y) for x in range(10) for y in range(8)], dtype=np.float64)
    assert mix_ups([record(one), record(other)]) == {}


def few_told_apart(sample: str, n: int, features: int, kind: str, seed: int) -> ad.AnnData:
    """Independent cells of four types in a small panel of low values: many have the same by chance."""
    adata = make_internal(sample, sample, n_cells=n, n_features=features, seed=seed)
    of_panel, rng = np.random.default_rng(features), np.random.default_rng(seed)
    rates = (of_panel.gamma(0.7, 1, features) * of_panel.gamma(1, 1, (4, features)))[rng.integers(4, size=n)]
    adata.X = sp.csr_matrix((rng.poisson(rates) if kind == "counts" else rates.round()).astype(np.float32))
    adata.uns["semanticst"]["feature_type"] = kind
    adata.obsm["spatial"] = rng.uniform(0, 1000, (n, 2))
    return adata


@pytest.mark.parametrize(
    ("n", "features", "kind"),
    [(200, 28, "counts"), (400, 60, "counts"), (1000, 24, "counts"), (100, 60, "continuous"), (400, 60, "continuous")],
)
def test_independent_samples_share_no_more_than_chance_gives(n, features, kind):
    samples = [few_told_apart(f"s{i}", n, features, kind, seed=i) for i in range(6)]
    assert mix_ups([record(adata) for adata in samples]) == {}


@pytest.mark.parametrize("part", [1.0, 0.6])
@pytest.mark.parametrize("features", [24, 32])
def test_twins_are_found_where_independent_samples_share_some_values(features, part):
    one, other = (few_told_apart(f"s{i}", 400, features, "counts", seed=i) for i in (1, 2))
    some = np.random.default_rng(0).permutation(400)[: int(part * 400)]
    twin = few_told_apart("twin", 400, features, "counts", seed=3)[: len(some)].copy()
    twin.X = one.X[some]
    found = mix_ups([record(adata) for adata in (one, other, twin)])
    assert set(found) == {"s1", "twin"}
    assert "shares cells of the same values with twin" in found["s1"][0]


def test_what_chance_gives_follows_what_samples_repeat():
    assert by_chance(14, 0, 1.0) == pytest.approx(0.5**14)  # all hashes are known: as many as twice within the samples
    assert by_chance(5, 0, 0.01) < 1e-9  # of a hundredth of them five, and none twice within them
    assert by_chance(50, 50, 1.0) > 0.4
    assert by_chance(80, 20, 1.0) < 1e-8


def reprocessed(adata: ad.AnnData, part: float, change) -> ad.AnnData:
    """Another object of a section: turned, in another unit, with other ids, a part of the cells, other values."""
    rng = np.random.default_rng(5)
    other = adata[np.sort(rng.permutation(adata.n_obs)[: int(part * adata.n_obs)])].copy()
    turn = np.deg2rad(37)
    other.obsm["spatial"] = (
        other.obsm["spatial"] @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] / 3 + 7
    )
    other.obs_names = [f"renamed_{i}" for i in range(other.n_obs)]
    other.X = sp.csr_matrix(change(other.X.toarray(), rng)).astype(np.float32)
    other.uns["semanticst"] |= {"sample": "s2", "patient": "p2", "feature_type": "continuous"}
    return other


def normalised(values, rng):
    return np.log1p(1e4 * values / values.sum(axis=1, keepdims=True))


def few_changed(values, rng):
    return np.maximum(values + rng.choice([-1, 0, 1], values.shape, p=[0.1, 0.8, 0.1]), 0)


def other_values(values, rng):
    return rng.gamma(2, 1, values.shape)


def scattered(n: int, features: int, seed: int, lattice: bool = False) -> ad.AnnData:
    adata = make_internal("s1", "p1", n_cells=n, n_features=features, seed=seed)
    rng = np.random.default_rng(seed)
    adata.X = sp.csr_matrix(rng.poisson(rng.gamma(1, 1, features), (n, features)).astype(np.float32))
    adata.obsm["spatial"] = rng.uniform(0, 1000, (n, 2))
    if lattice:
        adata.obsm["spatial"] = np.array([(x, y) for x in range(20) for y in range(n // 20)], dtype=np.float64)
    return adata


@pytest.mark.parametrize(
    ("change", "lattice", "part", "words"),
    [
        (other_values, False, 1.0, "cells among the same neighbours"),
        (other_values, False, 0.6, "cells among the same neighbours"),
        (normalised, True, 0.5, "cells with the same features"),
        (few_changed, True, 1.0, "cells with the same features"),
    ],
)
def test_one_section_that_was_processed_again_is_found(change, lattice, part, words):
    one = scattered(1000, 60, 1, lattice)
    found = mix_ups([record(one), record(reprocessed(one, part, change))])
    assert set(found) == {"s1", "s2"}
    assert f"shares {words}" in found["s1"][0]
    assert "(at least " in found["s1"][0]


@pytest.mark.parametrize("lattice", [False, True])
def test_other_sections_share_no_places_and_no_patterns(lattice):
    samples = [scattered(1000, 60, seed, lattice) for seed in (1, 2)]
    if not lattice:  # places in whole pixels
        samples[0].obsm["spatial"], samples[1].obsm["spatial"] = (a.obsm["spatial"].round() for a in samples)
    turned = reprocessed(samples[1], 1.0, normalised)
    assert mix_ups([record(samples[0]), record(turned)]) == {}


def test_a_section_that_is_unlike_its_patient_is_named_only_where_patients_are_told_apart():
    # p4 and p5 swapped a section each
    tastes = {"p1": [1, 1, 1], "p2": [2, 2, 2], "p3": [3, 3, 3], "p4": [4, 4, 5], "p5": [5, 5, 4]}
    cohort = [
        section(f"{patient}_{i}", patient, taste, seed=10 * taste + 100 * i)
        for patient, own in tastes.items()
        for i, taste in enumerate(own)
    ]
    found = mix_ups([record(adata) for adata in cohort])
    assert set(found) == {"p4_2", "p5_2"}
    assert "seems exchanged with p5_2 of patient p5 (100 % of the sections then" in found["p4_2"][0]
    # one that was given to a wrong patient, and none in its place
    cohort = [adata for adata in cohort if adata.uns["semanticst"]["sample"] != "p5_2"]
    (named,) = mix_ups([record(adata) for adata in cohort]).items()
    assert named[0] == "p4_2"
    assert "resembles patient p5 more than the other sections of its own patient (93 % of such" in named[1][0]

    same = [section(f"{p}_{i}", p, 0, seed=9 * n + i) for n, p in enumerate(tastes) for i in range(3)]
    assert mix_ups([record(adata) for adata in same]) == {}


def cohort_of(tastes: dict[str, list[int]]) -> list[dict]:
    return [
        record(section(f"{patient}_{i}", patient, taste, seed=100 * (number + 1) + i))
        for number, (patient, own) in enumerate(tastes.items())
        for i, taste in enumerate(own)
    ]


def test_one_swap_among_four_patients_of_two_sections():
    """Half of all sections then resemble another patient."""
    records = cohort_of({"p1": [1, 2], "p2": [1, 2], "p3": [3, 3], "p4": [4, 4]})
    found = mix_ups(records)
    assert set(found) == {"p1_0", "p1_1", "p2_0", "p2_1"}
    assert "with two sections each, their others may be the swapped ones" in found["p1_0"][0]
    assert swaps_not_checked(records) == ""
    # a twin in another patient makes two patients alike, and hides nothing
    twin = next(r for r in records if r["sample"] == "p3_0") | {"sample": "twin", "patient": "p9"}
    with_twin = mix_ups([*records, twin])
    assert set(with_twin) == {*found, "p3_0", "twin"}
    assert all(with_twin[name] == found[name] for name in found)
    right = cohort_of({f"p{i}": [i, i] for i in range(1, 5)})
    assert (mix_ups(right), swaps_not_checked(right)) == ({}, "")


def test_two_swaps_and_a_ring_of_three_at_once():
    two = {"p1": [1, 1, 2], "p2": [2, 2, 1], "p3": [3, 3, 4], "p4": [4, 4, 3], "p5": [5, 5, 5]}
    assert set(mix_ups(cohort_of(two))) == {"p1_2", "p2_2", "p3_2", "p4_2"}
    ring = {"p1": [1, 1, 2], "p2": [2, 2, 3], "p3": [3, 3, 1], "p4": [4, 4, 4], "p5": [5, 5, 5]}
    assert set(mix_ups(cohort_of(ring))) == {"p1_2", "p2_2", "p3_2"}


@pytest.mark.parametrize(
    ("tastes", "why"),
    [
        ({"p1": [1]}, "there is one sample"),
        ({"p1": [1], "p2": [2], "p3": [3]}, "each patient has one section"),
        ({"p1": [1, 1], "p2": [2, 2]}, "4 sections have others of their patient, of 2 patients"),
        ({"p1": [1, 2], "p2": [1, 2], "p3": [3, 3]}, "6 sections of 3 patients are too few"),
        ({f"p{i}": [0, 0, 0] for i in range(5)}, "profiles do not tell patients apart"),
    ],
)
def test_where_swaps_cannot_be_told_it_is_said(tastes, why):
    records = cohort_of(tastes)
    assert mix_ups(records) == {}
    assert why in swaps_not_checked(records)


@pytest.mark.parametrize(("x", "y", "sex"), [(3.0, 0.0, "female"), (0.0, 3.0, "male"), (1.0, 1.0, ""), (0.0, 0.0, "")])
def test_genes_of_sex(x, y, sex):
    adata = section("s1", "p1", 0, 1, names=["Xist", "DDX3Y"])
    dense = adata.X.toarray()
    dense[:, 0], dense[:, 1] = x, y
    adata.X = sp.csr_matrix(dense)
    found = record(adata)
    assert sex_of(found) == sex
    stated = {"p1": "male"}
    expected = {"s1": ["genes of sex are female (240 counts of XIST, 0 of genes of Y), the tables say male: swapped?"]}
    assert mix_ups([found], stated) == (expected if sex == "female" else {})


def test_sections_of_one_patient_with_genes_of_both_sexes():
    cohort = [section(f"s{i}", "p1", 0, i, names=["XIST", "DDX3Y"]) for i in range(2)]
    for i, adata in enumerate(cohort):
        dense = adata.X.toarray()
        dense[:, :2] = (0, 2) if i else (2, 0)
        adata.X = sp.csr_matrix(dense)
    assert set(mix_ups([record(adata) for adata in cohort])) == {"s0", "s1"}


def test_sex_is_read_where_a_table_says_it_plainly():
    sections = pd.DataFrame({"sample": ["s1"], "patient": ["p1"], "Sex": ["F"]})
    patients = pd.DataFrame({"patient": ["p1", "p2", "p3"], "Gender": ["male", " Female", "2"]})
    assert sexes_of(sections, patients) == {"p1": "male", "p2": "female"}
    assert sexes_of(sections, patients[["patient"]]) == {"p1": "female"}


def test_totals_of_features_take_no_copy_of_all_values():
    X = sp.random(60_000, 100, 0.2, format="csr", dtype=np.float32, random_state=0)
    kept = np.arange(60_000) % 3 > 0
    tracemalloc.start()
    try:
        total = fingerprint_totals(X, kept)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(total, np.asarray(X[kept].sum(axis=0)).ravel(), rtol=1e-4)
    assert peak < 8 * X.nnz
