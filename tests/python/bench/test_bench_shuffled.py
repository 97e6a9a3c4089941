"""Shuffled outcomes on fixed niches: what belongs together stays together, and a planted finding is gone."""

import numpy as np
import pandas as pd
import pytest

from clinical_helpers import make_cohort
from helpers import invoke
from semanticst.bench.shuffled import hand_on, shuffled


@pytest.fixture
def tables(tmp_path):
    """A cohort in which niche 2 goes with the group, as the tables of a run."""
    cohort = make_cohort((8, 8), n_sections=2, effect=2.0)
    sections = cohort.sections.rename_axis("sample").reset_index()
    sections[["sample", "patient", "side"]].to_csv(tmp_path / "samplesheet.csv", index=False)
    clinical = sections.groupby("patient")[["group", "time", "event"]].first()
    clinical.to_csv(tmp_path / "clinical.csv")
    counts = cohort.counts.rename_axis("sample").reset_index()
    counts = counts.melt("sample", var_name="niche", value_name="n_cells")
    counts.to_csv(tmp_path / "counts.csv", index=False)
    (tmp_path / "contrasts.csv").write_text(
        "contrast,type,column,time,event,event_value\narm,groups,group,,,\nlife,survival,,time,event,1\n"
        "side,groups,side,,,\n"
    )
    return tmp_path


def test_shuffled_outcomes_find_nothing(tables):
    names = {"--counts": "counts", "--input": "samplesheet", "--clinical": "clinical", "--contrasts": "contrasts"}
    files = [x for option, name in names.items() for x in (option, tables / f"{name}.csv")]
    result = invoke(shuffled, *files, "--shuffles", 25, "--permutations", 99)
    assert result.exit_code == 0, result.output
    rows = {
        cells[1].strip(): cells for cells in (line.split("|") for line in result.output.splitlines()) if len(cells) > 8
    }
    patients, n, below, _, any_q = (float(v) for v in rows["arm"][2:7])
    assert (patients, n) == (16, 25)
    assert below < 0.15
    assert any_q <= 0.16, "the planted niche is still found where the group is another"
    assert float(rows["life"][2]) == 16
    assert any("compared within patients" in name for name in rows)


def test_the_outcome_of_a_patient_stays_together():
    cohort = make_cohort((8, 8), n_sections=2)
    columns = ["time", "event"]
    handed = hand_on(cohort.sections, columns, np.random.default_rng(1))
    before, after = (s.groupby("patient")[columns].first() for s in (cohort.sections, handed))
    assert handed.groupby("patient")[columns].nunique().max().max() == 1
    assert sorted(map(tuple, before.to_numpy())) == sorted(map(tuple, after.to_numpy()))
    assert not before.equals(after)
    pd.testing.assert_frame_equal(handed.drop(columns=columns), cohort.sections.drop(columns=columns))
