"""Clusters above the patient: sites, litters."""

import numpy as np
import pytest
from scipy import stats

from clinical_helpers import Cohort, clr, make_cohort, row_of
from semanticst.association.output.summary_text import paragraph
from semanticst.errors import BadInput


def at_sites(seed: int, site: np.ndarray, sd: float) -> Cohort:
    """10 + 10 patients without an effect; niche 2 differs between their sites (log share, SD ``sd``)."""
    cohort = make_cohort((10, 10), seed=seed)
    shift = sd * np.random.default_rng(seed).normal(size=site.max() + 1)
    cohort.counts[2] = np.round(cohort.counts[2] * np.exp(shift[site])).astype(int)
    cohort.sections["site"] = [f"c{s}" for s in site]
    return cohort


NESTED = np.repeat(np.arange(8), [2, 3, 2, 3] * 2)
"""Four sites in each group."""
CROSSED = np.tile(np.arange(5), 4)


def test_means_of_sites_are_compared_where_every_site_has_one_group():
    cohort = at_sites(1, NESTED, 1.0)
    row, y = row_of(cohort.ask("groups", column="group", cluster="site"), 2), clr(cohort)[2].to_numpy()
    means = np.array([y[s == NESTED].mean() for s in range(8)])
    assert row["effect"] == pytest.approx(means[4:].mean() - means[:4].mean())
    assert row["p_model"] == pytest.approx(stats.ttest_ind(means[4:], means[:4], equal_var=False).pvalue)
    assert row["n_patients"] == 20
    assert "means of each site are compared (4 v 4)" in row["warnings"]


def test_sites_that_differ_are_no_finding():
    """Patients as units: 0.3 and more false positives; means of sites keep their level."""
    p = {"": [], "site": []}
    for seed in range(60):
        cohort = at_sites(seed, NESTED, 1.5)
        for cluster in p:
            p[cluster].append(row_of(cohort.ask("groups", column="group", permutations=99, cluster=cluster), 2)["p"])
    assert np.mean(np.array(p[""]) <= 0.05) > 0.15
    assert np.mean(np.array(p["site"]) <= 0.05) <= 0.12


def test_patients_are_compared_inside_sites_that_have_both_groups():
    cohort = at_sites(2, CROSSED, 1.5)
    row = row_of(cohort.ask("groups", column="group", cluster="site"), 2)
    inside = row_of(cohort.ask("groups", column="group", strata=("site",)), 2)
    assert (row["effect"], row["p"]) == pytest.approx((inside["effect"], inside["p"]))
    assert "blocks site" in row["model"]


def test_two_sites_in_a_group_are_too_few():
    cohort = at_sites(3, np.repeat(np.arange(4), 5), 1.0)
    row = row_of(cohort.ask("groups", column="group", cluster="site"), 2)
    assert np.isnan(row["p"])
    assert row["warnings"].startswith("not testable: every site has one group (2 v 2), and 3 in each are needed")


def test_a_patient_without_a_site_is_one_alone_and_with_two_bad_input():
    cohort = at_sites(4, NESTED, 1.0)
    cohort.sections.loc["p00_0", "site"] = None
    assert "(5 v 4)" in row_of(cohort.ask("groups", column="group", cluster="site"), 2)["warnings"]
    two = make_cohort((5, 5), n_sections=2)
    with pytest.raises(BadInput, match="must be constant within a patient"):
        two.ask("groups", column="group", cluster="side")


def test_survival_is_compared_inside_sites():
    cohort = at_sites(5, CROSSED, 1.0)
    row = row_of(
        cohort.ask("survival", time="time", event="event", event_value="1", cluster="site", permutations=99), 2
    )
    assert "strata site" in row["model"]


def test_what_stands_beside_means_of_sites_is_of_sites_too():
    cohort = at_sites(1, NESTED, 1.0)
    result = cohort.ask("groups", column="group", cluster="site")
    row, share = row_of(result, 2), cohort.counts.div(cohort.counts.sum(axis=1), axis=0)[2].to_numpy()
    means = np.array([share[s == NESTED].mean() for s in range(8)])
    half = stats.t.ppf(0.975, 6) * np.sqrt(means[4:].var(ddof=1) / 4 + means[:4].var(ddof=1) / 4)
    assert row["percentage_points"] == pytest.approx(100 * (means[4:].mean() - means[:4].mean()))
    assert row["percentage_points_high"] - row["percentage_points_low"] == pytest.approx(200 * half)
    assert row["model"].startswith("means of 20 patients over 8 values of site; ")
    assert np.isnan(row["hedges_g"])
    assert np.isnan(row["p_rank"])
    assert "Asked for: in clusters of site." in paragraph(result)
    assert "n = 10" in paragraph(result)
    assert row_of(result, "all")["p"] > 0
    assert len(result.checks.sensitivity)
    nested = cohort.sections.assign(batch=cohort.sections["site"])
    batches = Cohort(nested, cohort.counts, cohort.clinical).ask("groups", column="group")
    columns = ["effect", "p", "percentage_points_low", "percentage_points_high"]
    assert row_of(batches, 2)[columns].to_list() == pytest.approx(row[columns].to_list())


def test_clusters_of_one_patient_each_are_said_to_change_nothing():
    cohort = make_cohort((8, 8))
    own = Cohort(
        cohort.sections.assign(site=[f"site {i}" for i in range(16)]), cohort.counts, (*cohort.clinical, "site")
    )
    result = own.ask("groups", column="group", cluster="site")
    assert "every site has one patient: as clusters they change nothing" in row_of(result, 2)["warnings"]
    assert row_of(result, 2)["p"] == row_of(cohort.ask("groups", column="group"), 2)["p"]
