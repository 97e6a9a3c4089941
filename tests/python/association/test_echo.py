"""Echoes of one changed niche in the others."""

import numpy as np
import pandas as pd

from clinical_helpers import Cohort, make_cohort
from semanticst.association.associate import examine
from semanticst.association.design.tables import Contrast
from semanticst.association.output.summary_text import paragraph
from semanticst.bench._rival_tests import units
from semanticst.bench.material.simulated_counts import N_NICHES, PLANTED, Layout, draw


def cohorts(n: int) -> list[Cohort]:
    """Cohorts of the calibration bench, 30 + 30 patients, of which one niche alone changes (effect 3)."""
    found = []
    for drawn in draw(Layout("x", "groups", (30, 30)), n, 5, 3.0):
        counts, patient, x = units(drawn)
        ids = [f"p{i:02d}" for i in patient]
        sections = pd.DataFrame(
            {"patient": ids, "group": [f"g{int(v)}" for v in x]}, index=pd.Index(ids, name="sample")
        )
        found.append(Cohort(sections, pd.DataFrame(counts, sections.index, range(1, N_NICHES + 1)), ["group"]))
    return found


def test_echoes_of_a_changed_niche_are_marked_and_it_is_not():
    """Without it another niche had q < 0.05 in 0.80 of the cohorts, against the median in 0.11."""
    others, unmarked, planted = [], [], []
    for cohort in cohorts(30):
        table = cohort.ask("groups", permutations=99, column="group").primary.set_index("niche")
        found = table[table["q"] < 0.05].drop(str(PLANTED + 1))
        others.append(len(found) > 0)
        unmarked.append((found["echo"] == "no").any())
        planted.append(table.loc[str(PLANTED + 1), "echo"])
    assert np.mean(others) > 0.6
    assert np.mean(unmarked) < 0.3
    assert set(planted) == {"no"}


def test_the_paragraph_says_which_findings_are_echoes():
    results = (cohort.ask("groups", permutations=99, column="group") for cohort in cohorts(8))
    result = next(r for r in results if (r.findings["echo"] == "yes").any())
    echoes = result.findings[result.findings["echo"] == "yes"]
    text = paragraph(result)
    assert "of other niches that change: not found with the median niche as the reference." in text
    assert all(f"Niche {niche}" in text for niche in echoes["niche"])
    assert result.table.loc[~(result.table["q"] < 0.05), "echo"].isna().all()


def test_three_niches_have_no_median_to_stand_on():
    cohort = make_cohort(n_niches=3, effect=2.0)
    table = examine(Contrast("c", "groups", column="group"), cohort.sections, cohort.counts, permutations=99).table
    assert table["p_median_reference"].isna().all()
    assert table["echo"].isna().all()
