"""Shares, log-ratios, contacts, the joint test, and confounding with batch."""

import click
import numpy as np
import pandas as pd
import pytest

from clinical_helpers import Cohort, clr, make_cohort, row_of
from semanticst.association.associate import examine
from semanticst.association.design.batch import correlation_ratio, cramers_v
from semanticst.association.design.tables import Contrast
from semanticst.association.features.composition import (
    build_features,
    centred_log_ratio,
    parse_features,
    read_contacts,
    read_counts,
    shares,
    unit_contacts,
)
from semanticst.association.features.within_niche import read_within_niche, within_niche_features
from semanticst.association.output.summary_text import paragraph
from semanticst.association.stats.omnibus import omnibus_test
from semanticst.errors import BadInput


def test_centred_log_ratio_is_stated():
    share = pd.DataFrame([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]], columns=[1, 2, 3])
    logs = centred_log_ratio(share, pseudo=0.001)
    np.testing.assert_allclose(logs.sum(axis=1), 0, atol=1e-12)
    assert logs.loc[0, 1] - logs.loc[0, 3] == pytest.approx(np.log(0.701 / 0.101))
    assert logs.loc[1, 1] - logs.loc[1, 2] == pytest.approx(np.log(0.001 / 0.501))


def test_no_cells_of_many_or_of_few_are_the_same_value():
    counts = pd.DataFrame([[0, 50, 50], [0, 5000, 5000], [1, 1, 1]])
    logs = centred_log_ratio(shares(counts))
    assert logs.loc[0, 0] == logs.loc[1, 0]


def test_a_niche_that_nobody_has_is_no_part_of_the_composition():
    share = pd.DataFrame([[0.6, 0.0, 0.4], [0.5, 0.0, 0.5]])
    logs = centred_log_ratio(share)
    assert logs[1].isna().all()
    np.testing.assert_allclose(logs[[0, 2]], centred_log_ratio(share[[0, 2]]))


def test_counts_are_read_wide_and_sorted(tmp_path):
    path = tmp_path / "niche_counts.csv"
    path.write_text("sample,patient,niche,n_cells,n_cells_sample\nb,P,2,5,7\nb,P,1,2,7\na,P,10,3,3\n")
    counts = read_counts(path)
    assert counts.index.tolist() == ["a", "b"]
    assert counts.columns.tolist() == [1, 2, 10]
    assert counts.loc["b"].tolist() == [2, 5, 0]


@pytest.mark.parametrize("row", ["a,1,x", "a,1,2.5", "a,one,3", "a,1,-4", "a,1,7\na,1,8"])
def test_counts_that_are_no_counts(tmp_path, row):
    path = tmp_path / "niche_counts.csv"
    path.write_text(f"sample,niche,n_cells\n{row}\n")
    with pytest.raises(BadInput, match="row [23]: expected one row per sample and niche"):
        read_counts(path)


def test_contacts_are_summed_over_sections_and_undefined_where_nothing_is_expected(tmp_path):
    path = tmp_path / "niche_contacts.csv"
    path.write_text(
        "sample,patient,niche_a,niche_b,edges,expected,log2_ratio\n"
        "s1,P,1,2,30,10,1.6\ns2,P,1,2,10,10,0\ns3,Q,1,2,0,2,-2\nother,R,1,2,5,5,0\n"
    )
    unit = pd.Series({"s1": "P", "s2": "P", "s3": "Q"})
    contacts = unit_contacts(read_contacts(path), unit)
    counts = pd.DataFrame([[50, 50], [90, 10]], index=["P", "Q"], columns=[1, 2])
    features = build_features(counts, ("contacts",), contacts)
    assert features.modelled.loc["P", ("contact_with_2", "1")] == pytest.approx(np.log2(40.5 / 20.5))
    assert np.isnan(features.modelled.loc["Q", ("contact_with_2", "1")])


def permanova_p(Y: np.ndarray, group: np.ndarray, n: int, seed: int) -> tuple[float, float]:
    """PERMANOVA from the matrix of squared distances, as Anderson (2001) writes it."""
    squared = ((Y[:, None] - Y[None]) ** 2).sum(axis=2)

    def pseudo_f(g: np.ndarray) -> tuple[float, float]:
        total = squared.sum() / 2 / len(g)
        within = sum(squared[np.ix_(g == v, g == v)].sum() / 2 / (g == v).sum() for v in np.unique(g))
        k = len(np.unique(g))
        return (total - within) / (k - 1) / (within / (len(g) - k)), 1 - within / total

    observed, explained = pseudo_f(group)
    rng = np.random.default_rng(seed)
    null = [pseudo_f(rng.permutation(group))[0] for _ in range(n)]
    return (np.sum(np.array(null) >= observed - 1e-9) + 1) / (n + 1), explained


def test_joint_test_is_permanova_on_aitchison_distance():
    cohort = make_cohort((7, 7, 8), effect=0.5, seed=2)
    row = row_of(cohort.ask("groups", column="group", permutations=1999), "all")
    p, explained = permanova_p(clr(cohort).to_numpy(), np.repeat([0, 1, 2], (7, 7, 8)), 1999, 1)
    assert row["effect"] == pytest.approx(explained)
    assert row["p"] == pytest.approx(p, abs=0.04)
    assert row["q"] == row["p"]
    assert (row["feature"], row["effect_type"]) == ("composition", "r_squared")


def test_joint_test_finds_a_shift_of_many_small_effects():
    cohort = make_cohort((10, 10), effect=3.0)
    assert row_of(cohort.ask("groups", column="group"), "all")["p"] < 0.01
    assert row_of(make_cohort((10, 10)).ask("groups", column="group"), "all")["p"] > 0.05


def test_joint_test_inside_strata_sees_no_difference_between_strata():
    """Two sites differ, and most patients of an arm come from one site: within sites there is nothing to see."""
    cohort = make_cohort((12, 12), effect=6.0, seed=1)
    site = cohort.sections["group"]
    arm = np.where(np.arange(24) % 6 == 0, site.map({"g0": "g1", "g1": "g0"}), site)
    cohort = Cohort(cohort.sections.assign(site=site, arm=arm), cohort.counts, cohort.clinical)
    assert row_of(cohort.ask("groups", column="arm"), "all")["p"] < 0.01
    assert row_of(cohort.ask("groups", column="arm", strata=("site",)), "all")["p"] > 0.05


def test_omnibus_permutes_inside_blocks():
    rng = np.random.default_rng(0)
    blocks = np.tile([0, 1, 2], 6)
    X = (rng.random((18, 1)) < 0.5).astype(float)
    order = omnibus_test(rng.normal(size=(18, 2)), X, blocks, np.zeros((18, 0)), 99, seed=0).permutations.order
    assert (blocks[order] == blocks).all()
    assert (order != np.arange(18)).any(axis=1).all()


def test_cramers_v():
    a = pd.Series(list("xxxxxyyyyy") * 4)
    assert cramers_v(a, a) == pytest.approx(1, abs=0.02)
    rng = np.random.default_rng(0)
    unrelated = [cramers_v(pd.Series(rng.choice(list("pqrs"), 40)), a) for _ in range(50)]
    assert np.mean(unrelated) < 0.12
    assert cramers_v(a, pd.Series(["one"] * 40)) == 0


def test_correlation_ratio():
    group = pd.Series(np.repeat(list("abc"), 10))
    assert correlation_ratio(group.map({"a": 0.0, "b": 5.0, "c": 1.0}), group) == pytest.approx(1)
    assert correlation_ratio(pd.Series(np.tile(np.arange(10.0), 3)), group) == 0


def with_batch(cohort: Cohort, batches, **columns) -> Cohort:
    return Cohort(cohort.sections.assign(batch=batches, **columns), cohort.counts, cohort.clinical)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        (["b1"] * 8 + ["b2"] * 8, "(nested, "),
        ([f"b{i // 2}" for i in range(16)], "batches are compared (4 v 4), each by the mean of its patients"),
        (["b1"] * 7 + ["b2"] + ["b2"] * 7 + ["b1"], "compared inside batches only"),
        (["b1", "b2"] * 8, ""),
        ([f"b{i}" for i in range(16)], ""),
        (["b1"] * 16, ""),
    ],
)
def test_batch_that_goes_with_the_contrast_is_pointed_out_in_every_row(batches, expected):
    warnings = with_batch(make_cohort((8, 8)), batches).ask("groups", column="group").table["warnings"]
    if expected:
        assert warnings.str.contains(expected, regex=False).all()
    else:
        assert not warnings.str.contains("batch").any()


def test_batch_nested_in_the_contrast_leaves_no_effect_no_p_and_no_q():
    cohort = with_batch(make_cohort((8, 8), effect=3.0), ["b1"] * 8 + ["b2"] * 8)
    result = cohort.ask("groups", column="group")
    assert (
        result.table[["effect", "ci_low", "p", "p_model", "p_rank", "q", "hedges_g", "p_mixed"]].isna().all(axis=None)
    )
    assert result.table["warnings"].str.startswith("not testable: each batch holds").all()
    assert (result.table["n_tests"] == 0).all()
    assert result.primary["mean_target"].notna().all(), "what was seen may be described"
    assert result.batch_strength == pytest.approx(1, abs=0.1)


def test_an_effect_of_the_batch_alone_is_not_taken_for_the_contrast():
    """Batch b2 has far more of niche 2, and most of group g1 was in it."""
    batches = np.array(["b1"] * 10 + ["b2"] * 2 + ["b1"] * 2 + ["b2"] * 10)
    p = []
    for seed in range(40):
        cohort = make_cohort((12, 12), seed=seed)
        counts = cohort.counts.copy()
        counts.loc[batches == "b2", 2] *= 6
        asked = with_batch(Cohort(cohort.sections, counts, cohort.clinical), batches)
        row = row_of(asked.ask("groups", column="group", permutations=199), 2)
        assert "blocks batch" in row["model"]
        p.append(row["p"])
    assert np.mean(np.array(p) < 0.05) < 0.2, "ignoring the batch, nearly all are"


def test_batch_that_is_adjusted_for_already_is_left_to_the_contrast():
    cohort = with_batch(make_cohort((8, 8)), ["b1"] * 7 + ["b2"] + ["b2"] * 7 + ["b1"])
    table = cohort.ask("groups", column="group", covariates=("batch",)).table
    assert not table["warnings"].str.contains("confounded").any()
    assert table.loc[0, "model"].count("batch") == 1


def test_batch_is_judged_for_numbers_and_survival_too():
    cohort = make_cohort((12,))
    number = pd.Series(np.repeat([0.0, 10.0], 6) + np.tile([0.1, 0.2, 0.3], 4), cohort.sections.index)
    halves = np.repeat(["b1", "b2"], 6)
    result = with_batch(cohort, halves, x=number.astype(str)).ask("continuous", column="x")
    assert result.table["warnings"].str.contains("correlation ratio").all()
    result = with_batch(cohort, halves, event=np.repeat(["0", "1"], 6)).ask(
        "survival", time="time", event="event", event_value="1"
    )
    assert result.table["warnings"].str.contains("compared inside batches only").all()
    assert 0.5 < result.batch_strength < 1, "patients of one status still die at different times"


def inside_tables(cohort: Cohort) -> dict[str, pd.DataFrame]:
    """Niche 2 of group g1 lies in fewer patches, has more T cells, and expresses the set more; niche 5 is as in g0."""
    rng = np.random.default_rng(0)
    rows = {"fragmentation": [], "cell_types": [], "gene_sets": []}
    for sample, counts in cohort.counts.iterrows():
        moved = cohort.sections.loc[sample, "group"] == "g1"
        for niche, n in counts.items():
            here = {"sample": sample, "niche": niche}
            special = moved and niche == 2
            n_patches = min(n, 1 + rng.binomial(n, 0.1 if special else 0.4))
            rows["fragmentation"].append({**here, "n_cells": float(n), "n_patches": float(n_patches)})
            n_t = rng.binomial(n, 0.5 if special else 0.1)
            rows["cell_types"] += [
                {**here, "cell_type": t, "n_cells": float(k)} for t, k in (("T", n_t), ("B", n - n_t))
            ]
            mean = rng.normal(2 if special else 1, 0.2)
            rows["gene_sets"].append({**here, "gene_set": "IFNG", "n_cells": float(n), "mean": mean})
    return {kind: pd.DataFrame(table) for kind, table in rows.items()}


INSIDE_KINDS = ("proportion", "fragmentation", "cell_types", "gene_sets")


def test_what_differs_inside_a_niche_is_found_there_and_not_elsewhere():
    cohort = make_cohort((8, 8), n_sections=2)
    asked = Contrast("c", "groups", column="group")
    result = examine(
        asked, cohort.sections, cohort.counts, within_niche=inside_tables(cohort), kinds=INSIDE_KINDS, permutations=499
    )
    rows = result.primary.set_index(["feature", "niche"])
    assert rows.loc[("fragmentation", "2"), "effect"] < -1
    assert rows.loc[("cell_type:T", "2"), "effect"] > 1.5
    assert rows.loc[("gene_set:IFNG", "2"), "effect"] == pytest.approx(1, abs=0.2)
    for feature in ("fragmentation", "cell_type:T", "gene_set:IFNG"):
        assert rows.loc[(feature, "2"), "q"] < 0.01
        assert rows.loc[(feature, "5"), "q"] > 0.05
    assert rows.loc[("cell_type:T", "2"), "mean_target"] == pytest.approx(0.5, abs=0.06)
    assert rows["n_tests"].eq(len(rows)).all(), "one correction over everything that was tested"
    assert set(rows["effect_type"]) == {
        "clr_difference", "log2_fragmentation_difference", "log_odds_difference", "expression_difference",
    }  # fmt: skip
    text = paragraph(result)
    assert "T in niche 2 are on average" in text
    assert "Fragmentation of niche 2" in text


def test_sections_are_summed_and_units_with_few_cells_have_no_value():
    unit = pd.Series({"a1": "a", "a2": "a", "b1": "b"})
    table = pd.DataFrame(
        {
            "sample": ["a1", "a2", "b1"],
            "niche": 1,
            "gene_set": "S",
            "n_cells": [30.0, 10.0, 15.0],
            "mean": [1.0, 5.0, 9.0],
        }
    )
    modelled, shown, _ = within_niche_features("gene_sets", table, unit, pd.Index(["a", "b"]), min_cells=20)
    assert modelled["gene_set:S", "1"].loc["a"] == pytest.approx(2.0)
    assert np.isnan(modelled["gene_set:S", "1"].loc["b"])
    cells = pd.DataFrame(
        {
            "sample": ["a1", "a2", "b1", "b1"],
            "niche": 1,
            "cell_type": ["T", "T", "B", "T"],
            "n_cells": [30.0, 10.0, 30.0, 10.0],
        }
    )
    modelled, shown, _ = within_niche_features("cell_types", cells, unit, pd.Index(["a", "b"]), min_cells=20)
    assert shown["cell_type:T", "1"].tolist() == [1.0, 0.25]
    assert modelled["cell_type:T", "1"].isna().all(), "fewer than 3 units have the type: nothing to compare"


def test_tables_of_what_is_inside_that_cannot_be_read(tmp_path):
    path = tmp_path / "niche_patches.csv"
    path.write_text("sample,niche,n_cells,n_patches\na,1,30,2\na,1,30,3\n")
    with pytest.raises(BadInput, match="one row per sample, niche"):
        read_within_niche(path, "fragmentation")


def test_a_kind_without_its_table_is_refused():
    assert parse_features("proportion, contacts", {"contacts": "x.csv"}) == ("proportion", "contacts")
    with pytest.raises(click.UsageError, match="obs\\['cell_type'\\]"):
        parse_features("cell_types", {"cell_types": None})
    with pytest.raises(click.UsageError, match="choose from"):
        parse_features("shape", {})
