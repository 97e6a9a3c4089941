"""A niche and its cell types: what they alone would give, and what is left beyond them."""

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import row_of
from semanticst.association.associate import Association, examine
from semanticst.association.checks.beyond_cell_types import cell_types_of
from semanticst.association.design.tables import Contrast
from semanticst.association.output.summary_text import paragraph

NICHES = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])
"""Where cells of each type (rows) lie: shares of niches (columns)."""


def ask(seed: int, more_of_type: float = 0.0, more_in_niche: float = 0.0, type="groups", **question) -> Association:
    """12 + 12 patients with 900 cells; in g1 the log odds of type B rise, or of all cells to lie in niche 2."""
    rng = np.random.default_rng(seed)
    group = np.repeat([0, 1], 12)
    ids = [f"p{i:02d}" for i in range(24)]
    sections = pd.DataFrame({"patient": ids, "group": [f"g{g}" for g in group]}, index=pd.Index(ids, name="sample"))
    rows = []
    for i, sample in enumerate(ids):
        odds = np.exp(0.3 * rng.normal(size=3) + np.array([0, more_of_type * group[i], 0]))
        for name, n in zip("ABC", rng.multinomial(900, odds / odds.sum())):
            where = NICHES["ABC".index(name)] * np.exp(0.2 * rng.normal(size=3) + [0, more_in_niche * group[i], 0])
            found = rng.multinomial(n, where / where.sum())
            rows += [(sample, niche + 1, name, float(k)) for niche, k in enumerate(found)]
    types = pd.DataFrame(rows, columns=["sample", "niche", "cell_type", "n_cells"])
    counts = types.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum").astype(int)
    contrast = Contrast("c", type, **(question or {"column": "group"}))
    return examine(contrast, sections, counts, cell_types=types, permutations=499, log_cells="false")


def test_a_niche_that_follows_from_its_cell_types_is_not_found_given_them():
    found = [row_of(ask(seed, more_of_type=1.2), 2) for seed in range(12)]
    assert np.mean([row["p"] < 0.05 for row in found]) > 0.9
    assert np.mean([row["p_types"] < 0.05 for row in found]) > 0.9
    assert np.mean([row["p_given_types"] < 0.05 for row in found]) < 0.2
    effect, alone = (np.mean([row[c] for row in found]) for c in ("effect", "effect_types"))
    assert alone == pytest.approx(effect, rel=0.3)


def test_a_niche_whose_cells_lie_elsewhere_is_found_given_its_cell_types():
    found = [row_of(ask(seed, more_in_niche=1.0), 2) for seed in range(12)]
    assert np.mean([row["p_given_types"] < 0.05 for row in found]) > 0.9
    assert np.mean([row["p_types"] < 0.05 for row in found]) < 0.2
    assert np.mean([row["effect_given_types"] for row in found]) == pytest.approx(
        np.mean([row["effect"] for row in found]), rel=0.15
    )


def test_plain_proportions_of_cell_types_are_tested_by_themselves_and_told():
    result = ask(0, more_of_type=1.5)
    table = result.checks.cell_types.set_index("cell_type")
    assert set(table.index) == {"A", "B", "C"}
    assert table.loc["B", "effect"] == pytest.approx(1.0, abs=0.3)  # 1.5 less its third, which the mean takes
    assert table.loc["B", "q"] < 0.05
    assert (table["q"] >= table["p"]).all()
    text = paragraph(result)
    assert "The same test of plain proportions of cell types finds" in text
    row = row_of(result, 2)
    assert f"{row['effect_given_types']:+.2f} (p" in text


def test_expected_shares_are_those_of_types_spread_as_on_average():
    units = pd.Index(["a", "b"])
    counts = pd.DataFrame([[30, 10], [10, 30]], index=units, columns=[1, 2])
    table = pd.DataFrame(
        [("a", 1, "A", 20.0), ("a", 1, "B", 10.0), ("a", 2, "B", 10.0), ("b", 1, "A", 10.0), ("b", 2, "A", 30.0)],
        columns=["sample", "niche", "cell_type", "n_cells"],
    )
    types = cell_types_of(table, pd.Series(units, units), counts)
    # A lies in niche 1 wholly in a and by a quarter in b; B by half in a, and b has none
    a, b = 0.5 * (1 + 0.25), 0.5
    assert types.expected.loc["a"].tolist() == pytest.approx([(a + b) / 2, 1 - (a + b) / 2])
    assert types.expected.loc["b"].tolist() == pytest.approx([a, 1 - a])


def test_one_type_or_a_patient_without_types_is_no_ground_for_it():
    units = pd.Index(["a", "b"])
    counts = pd.DataFrame([[30, 10], [10, 30]], index=units, columns=[1, 2])
    rows = [("a", 1, "A", 20.0), ("a", 2, "B", 10.0), ("b", 1, "A", 10.0)]
    table = pd.DataFrame(rows, columns=["sample", "niche", "cell_type", "n_cells"])
    assert cell_types_of(table[table["cell_type"] == "A"], pd.Series(units, units), counts) is None
    assert cell_types_of(table[table["sample"] == "a"], pd.Series(units, units), counts) is None
