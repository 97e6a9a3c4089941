"""Numbers of cells are no finding: shares, rare types, patches and contacts of groups that differ in nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, label

from clinical_helpers import Cohort, make_cohort, row_of
from semanticst.association.associate import Association, examine
from semanticst.association.design.tables import Contrast
from semanticst.association.features.within_niche import log_odds_of_draws
from semanticst.association.stats.cell_numbers import LOG_CELLS

COHORTS = 25


def sections_of(n: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Groups (0/1) and sections of n patients in each of two groups."""
    group = np.repeat([0, 1], n)
    ids = [f"p{i:02d}" for i in range(2 * n)]
    sections = pd.DataFrame({"patient": ids, "group": [f"g{g}" for g in group]}, index=pd.Index(ids, name="sample"))
    return group, sections


def unequal_cells(seed: int, cells: tuple[int, int], patch: int, n: int = 12, n_niches: int = 8) -> Cohort:
    """The same composition in both groups, of which the second has more cells; they come in patches."""
    rng = np.random.default_rng(seed)
    group, sections = sections_of(n)
    level = np.linspace(2, -3, n_niches) + 0.6 * rng.normal(size=(2 * n, n_niches))
    share = np.exp(level) / np.exp(level).sum(axis=1, keepdims=True)
    size = np.exp(rng.normal(np.log(np.array(cells)[group]), 0.3)).astype(int)
    counts = [rng.multinomial(max(1, m // patch), s) * patch for s, m in zip(share, size)]
    columns = pd.RangeIndex(1, n_niches + 1, name="niche")
    return Cohort(sections, pd.DataFrame(counts, index=sections.index, columns=columns), ["group"])


def ask_groups(cohort: Cohort, log_cells: str, permutations: int = 499) -> Association:
    return cohort.ask("groups", permutations=permutations, column="group", log_cells=log_cells)


@pytest.mark.parametrize(("cells", "patch"), [((60, 2000), 1), ((1000, 20_000), 50)])
def test_cells_that_differ_by_group_are_no_finding(cells, patch):
    """Without it: of 8 niches in 12 + 12 patients 0.20 and 0.27 were false, of the commonest niche 0.36 and 0.73."""
    cohorts = [unequal_cells(seed, cells, patch) for seed in range(COHORTS)]
    p = {
        mode: np.concatenate([ask_groups(cohort, mode, 99).primary["p"] for cohort in cohorts])
        for mode in ("false", "auto")
    }
    assert (p["false"] <= 0.05).mean() > 0.12  # this is what is to be mended
    assert (p["auto"] <= 0.05).mean() <= 0.1


def test_both_estimates_stand_in_the_row_which_says_so():
    result = ask_groups(unequal_cells(1, (60, 2000), 1), "auto")
    plain = ask_groups(unequal_cells(1, (60, 2000), 1), "false")
    row, other = row_of(result, 1), row_of(plain, 1)
    assert row["cells_correlation"] > 0.9
    assert row["effect_without_cells"] == pytest.approx(other["effect"])
    assert (row["ci_low_without_cells"], row["p_without_cells"]) == pytest.approx((other["ci_low"], other["p"]))
    assert row["effect"] != pytest.approx(other["effect"])
    assert LOG_CELLS in row["model"]
    assert f"(log cells, r = {row['cells_correlation']:.2f})" in row["warnings"]
    assert "can hardly be told apart" in row["warnings"]
    assert "are not adjusted for" in other["warnings"]
    assert np.isnan(other["p_without_cells"])
    joint = row_of(result, "all")
    assert (joint["effect_without_cells"], joint["p_without_cells"]) == pytest.approx(
        tuple(row_of(plain, "all")[["effect", "p"]])
    )


def test_cells_that_do_not_go_with_the_contrast_stay_out_unless_they_are_asked_for():
    cohort = unequal_cells(3, (2000, 2000), 1)
    auto, always = (ask_groups(cohort, mode) for mode in ("auto", "true"))
    assert row_of(auto, 1)["cells_correlation"] == pytest.approx(row_of(always, 1)["cells_correlation"])
    assert abs(row_of(auto, 1)["cells_correlation"]) < 0.3
    assert LOG_CELLS not in row_of(auto, 1)["model"]
    assert LOG_CELLS in row_of(always, 1)["model"]


@pytest.mark.parametrize(
    ("one", "adjusted"),
    [(249, False), (240, False), (180, True)],
)
def test_one_removed_cell_is_no_reason_to_adjust(one, adjusted):
    """It goes with the contrast (r = -0.38) whatever its size, and as a covariate it took its patient out."""
    _, sections = sections_of(4)
    niche = np.random.default_rng(0).integers(60, 100, (8, 2))
    cells = np.where(np.arange(8) == 7, one, 250)
    counts = pd.DataFrame(np.column_stack([niche, cells - niche.sum(1)]), index=sections.index, columns=[1, 2, 3])
    row = row_of(ask_groups(Cohort(sections, counts, ["group"]), "auto", 99), 1)
    assert row["cells_correlation"] == pytest.approx(-0.38, abs=0.005)
    assert ("adjusted for the number of cells" in row["warnings"]) is adjusted
    assert (LOG_CELLS in row["model"]) is adjusted
    said = row_of(ask_groups(Cohort(sections, counts, ["group"]), "false", 99), 1)["warnings"]
    assert ("are not adjusted for" in said) is adjusted


def test_a_real_difference_of_a_tenth_is_adjusted_for():
    _, sections = sections_of(6)
    rng = np.random.default_rng(0)
    cells = np.repeat([1000, 1110], 6) + rng.integers(-5, 5, 12)
    niche = rng.integers(200, 300, (12, 2))
    counts = pd.DataFrame(np.column_stack([niche, cells - niche.sum(1)]), index=sections.index, columns=[1, 2, 3])
    assert LOG_CELLS in row_of(ask_groups(Cohort(sections, counts, ["group"]), "auto", 99), 1)["model"]


def test_a_contrast_that_is_the_number_of_cells_has_no_p():
    group, sections = sections_of(6)
    rng = np.random.default_rng(0)
    counts = [rng.multinomial(100 if g else 400, (0.5, 0.3, 0.2)) for g in group]
    cohort = Cohort(sections, pd.DataFrame(counts, index=sections.index, columns=[1, 2, 3]), ["group"])
    row = row_of(ask_groups(cohort, "auto"), 1)
    assert np.isnan(row["p"])
    assert row["warnings"].startswith("not testable: the contrast cannot be told apart from numbers of cells")
    assert np.isnan(row["p_without_cells"])
    assert np.isfinite(row["effect_without_cells"])


QUESTIONS = {
    "survival": {"time": "time", "event": "event", "event_value": "1"},
    "continuous": {"column": "x"},
    "ordered": {"column": "group", "levels": ("g0", "g1", "g2")},
    "groups": {"column": "group"},
}


@pytest.mark.parametrize("type", QUESTIONS)
def test_log_cells_are_a_covariate_of_every_type(type):
    cohort = make_cohort((8, 8, 8), n_sections=2)
    result = cohort.ask(type, log_cells="true", permutations=99, **QUESTIONS[type])
    row = result.primary.set_index("niche").loc["2"]
    assert LOG_CELLS in row["model"]
    assert np.isfinite(row["effect_without_cells"])
    assert -1 <= row["cells_correlation"] <= 1


def rare_types(seed: int, niche_cells: tuple[int, int], n: int = 12) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sections, counts and cell types of a niche whose composition is the same, and which is larger in one group."""
    rng = np.random.default_rng(seed)
    group, sections = sections_of(n)
    rows, counts = [], []
    for i, sample in enumerate(sections.index):
        odds = np.array([0.687, 0.25, 0.05, 0.01, 0.003]) * np.exp(0.4 * rng.normal(size=5))
        m = int(niche_cells[group[i]] * np.exp(0.3 * rng.normal()))
        found = rng.multinomial(m, odds / odds.sum())
        rows += [(sample, 1, name, float(k)) for name, k in zip("ABCDE", found)]
        counts.append([m, 4000 - m])
    types = pd.DataFrame(rows, columns=["sample", "niche", "cell_type", "n_cells"])
    return sections, pd.DataFrame(counts, index=sections.index, columns=[1, 2]), types


def types_inside(seed: int, niche_cells: tuple[int, int], log_cells: str = "auto") -> pd.DataFrame:
    sections, counts, types = rare_types(seed, niche_cells)
    found = examine(
        Contrast("c", "groups", column="group"), sections, counts, within_niche={"cell_types": types},
        kinds=("cell_types",), permutations=99, log_cells=log_cells, with_checks=False,
    )  # fmt: skip
    return found.table[found.table["family"] == "primary"].set_index("feature")


def rates(cohorts, columns, **given) -> pd.DataFrame:
    """Shares of p <= 0.05 per feature (rows) with and without adjustment (columns)."""
    found = {}
    for mode in ("false", "auto"):
        p = []
        for sections, counts, tables in cohorts:
            result = examine(
                Contrast("c", "groups", column="group"), sections, counts, permutations=99, log_cells=mode,
                **{k: v(tables) for k, v in given.items()},
            )  # fmt: skip
            p.append(result.table.set_index(["feature", "niche"])["p"].reindex(columns))
        found[mode] = (pd.concat(p, axis=1) <= 0.05).mean(axis=1)
    return pd.DataFrame(found)


def test_rare_types_of_a_niche_that_is_larger_are_no_finding():
    """Niches of 100 and 1,000 cells: by their log odds types of 1 and 0.3 % were found in 0.12 and 0.86 of cohorts."""
    tables = [types_inside(seed, (100, 1000)) for seed in range(COHORTS)]
    p = pd.concat([table["p"] for table in tables], axis=1)
    rate = (p <= 0.05).sum(axis=1) / p.notna().sum(axis=1).clip(lower=1)
    assert (rate <= 0.17).all()
    assert p.loc[["cell_type:B", "cell_type:C"]].notna().all(axis=None)
    # no covariate takes away what can be told: cells of the niche and the group are nearly the same number here
    assert not tables[0]["model"].str.contains("log cells", na=False).any()


def test_types_too_rare_for_niches_of_so_different_size_are_refused_with_the_reason():
    table = types_inside(0, (50, 500))
    for rare in ("cell_type:D", "cell_type:E"):
        assert np.isnan(table.loc[rare, "p"])
        assert np.isnan(table.loc[rare, "effect"])
        assert table.loc[rare, "warnings"].startswith("not testable: 0.")
        assert "cells of the niche are associated with the contrast (r = 0.9" in table.loc[rare, "warnings"]
    assert table.loc["cell_type:C", "p"] > 0
    # niches of one size can be compared, however rare the type
    alike = types_inside(0, (50, 50))
    assert abs(alike.loc["cell_type:D", "cells_correlation"]) < 0.3
    assert np.isfinite(alike.loc["cell_type:D", "p"])


def test_expected_log_odds_do_not_hang_on_the_number_of_cells():
    """A tenth of 40 or of 4,000 cells: the mean over many patients is the same, and that of all their cells is not."""
    rng = np.random.default_rng(0)
    cells = np.repeat([40, 4000], 4000)
    found = rng.binomial(cells, 0.02)
    same = log_odds_of_draws(found, cells, 40)
    plain = np.log((found + 0.5) / (cells - found + 0.5))
    few = cells == 40
    assert same[few].mean() == pytest.approx(same[~few].mean(), abs=0.03)
    assert abs(plain[few].mean() - plain[~few].mean()) > 0.1
    # all cells drawn: the log odds themselves
    assert log_odds_of_draws(np.array([3]), np.array([10]), 10)[0] == pytest.approx(np.log(3.5 / 7.5))


def tissue(seed: int, shares: tuple[float, float], smooth: float, side: int = 40, n: int = 12):
    """A niche on a lattice, at random or as a smooth field: more of it in one group, and no other structure."""
    rng = np.random.default_rng(seed)
    group, sections = sections_of(n)
    counts, patches, edges = [], [], []
    for i, sample in enumerate(sections.index):
        size = side + rng.integers(-5, 6)
        field = rng.normal(size=(size, size))
        field = gaussian_filter(field, smooth, mode="wrap") if smooth else field
        inside = field >= np.quantile(field, 1 - shares[group[i]] * np.exp(0.2 * rng.normal()))
        counts.append([inside.sum(), (~inside).sum()])
        masks = {1: inside, 2: ~inside}
        patches += [(sample, k, float(m.sum()), float(label(m)[1])) for k, m in masks.items()]
        q, pairs = inside.mean(), 2 * size * (size - 1)
        for a, b, expected in ((1, 1, q * q), (1, 2, 2 * q * (1 - q)), (2, 2, (1 - q) ** 2)):
            seen = touching(masks[a], masks[b]) + (touching(masks[b], masks[a]) if a != b else 0)
            edges.append((sample, a, b, float(seen), pairs * expected))
    tables = (
        pd.DataFrame(patches, columns=["sample", "niche", "n_cells", "n_patches"]),
        pd.DataFrame(edges, columns=["sample", "niche_a", "niche_b", "edges", "expected"]),
    )
    return sections, pd.DataFrame(counts, index=sections.index, columns=[1, 2]), tables


def touching(a: np.ndarray, b: np.ndarray) -> int:
    return int((a[1:] & b[:-1]).sum() + (a[:, 1:] & b[:, :-1]).sum())


@pytest.mark.parametrize(("shares", "smooth", "false_rate"), [((0.1, 0.2), 0, 0.8), ((0.1, 0.15), 2, 0.4)])
def test_patches_and_contacts_of_a_niche_that_is_larger_are_no_finding(shares, smooth, false_rate):
    """Without it fragmentation was found in 1.00 and 0.85 of null cohorts, self-contact of a smooth field in all."""
    cohorts = [tissue(seed, shares, smooth) for seed in range(COHORTS)]
    columns = [("fragmentation", "1"), ("contact_with_1", "1"), ("contact_with_2", "1")]
    rate = rates(
        cohorts, columns, within_niche=lambda t: {"fragmentation": t[0]}, contacts=lambda t: t[1],
        kinds=lambda _: ("fragmentation", "contacts"),
    )  # fmt: skip
    assert rate["false"].iloc[0] > false_rate
    assert (rate["auto"] <= 0.2).all()


def test_a_niche_that_lies_in_fewer_pieces_is_still_found():
    """Patches differ at equal shares: what is adjusted for is not taken away."""
    sections, counts, (patches, _) = tissue(1, (0.15, 0.15), 2)
    larger = sections["group"].reindex(patches["sample"]).to_numpy() == "g1"
    patches.loc[larger, "n_patches"] *= 2
    result = examine(
        Contrast("c", "groups", column="group"), sections, counts, within_niche={"fragmentation": patches},
        kinds=("fragmentation",), permutations=999,
    )  # fmt: skip
    row = row_of(result, 1)
    assert row["effect"] == pytest.approx(1, abs=0.3)
    assert row["p"] < 0.01
