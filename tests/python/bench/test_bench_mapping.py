"""The benchmark of mapping: its tables, and that every bad case is a change."""

import numpy as np
import pandas as pd
import pytest

from helpers import make_internal
from semanticst.bench.mapping import leave_out_table, row_of
from semanticst.bench.material.left_out import BAD_CASES, Mapped


def mapped(niches, told="", seconds=1.0, fits=True):
    index = pd.Index([f"s:c{i}" for i in range(len(niches))])
    cells = pd.DataFrame({"niche": niches, "stability": 1.0, "fit": 0.5}, index=index)
    samples = pd.DataFrame({"sample": ["s"], "outside": [0.02], "fits": [fits]})
    return Mapped(cells, samples, seconds, told)


def test_scores_are_of_the_cells_that_were_left_out():
    joint = mapped([1, 1, 2, 2, 3, 3])
    truth = pd.Series(["a", "a", "b", "b", "c", "c"], index=joint.cells.index)
    row = row_of("p1", mapped([2, 2, 1, 1]), joint, mapped([1], seconds=40.0), truth)
    assert (row["agreement"], row["truth"], row["truth joint"]) == (1, 1, 1)
    text = leave_out_table(pd.DataFrame([row]), 0.93)
    assert "| p1 | 1.000 | 1.000 / 1.000 | 1.0 / 40 | 0.020 | - |" in text
    assert "NO" not in text


def test_what_is_wanted_and_does_not_hold_is_said():
    joint = mapped([1, 1, 2, 2])
    truth = pd.Series("NA", index=joint.cells.index)
    bad = row_of("p1", mapped([1, 2, 1, 2], seconds=9.0, fits=False), joint, mapped([1], seconds=10.0), truth)
    text = leave_out_table(pd.DataFrame([bad]), 0.85)
    assert "agreement at least 0.85: NO" in text
    assert "truth within 0.03: no truth" in text
    assert "at most 0.05 of the time: NO" in text
    assert "95 % of the samples fit: NO" in text


@pytest.mark.parametrize("name", BAD_CASES)
def test_a_bad_case_changes_what_it_says(name):
    adata, before = make_internal(), make_internal()
    found = BAD_CASES[name](adata)
    same = (
        found.shape == before.shape
        and found.var_names.equals(before.var_names)
        and np.array_equal(found.X.toarray(), before.X.toarray())
        and found.uns["semanticst"]["platform"] == before.uns["semanticst"]["platform"]
    )
    assert same == (name == "clean")
