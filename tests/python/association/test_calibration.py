"""Does a p-value mean what it says? Cohorts without effect, and with a known one, from fixed seeds.

The bounds are those of the number of cohorts drawn here. The parts that make p and interval are called directly, the
table around them is tested elsewhere.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clinical_helpers import Cohort, make_cohort
from semanticst.association.features.composition import build_features
from semanticst.association.stats.cox import permutation_test
from semanticst.association.stats.linear_contrast import Question, compare

N_COHORTS = 90


def bounds(n_tests: int) -> tuple[float, float]:
    """Range of the share below 0.05 that a calibrated test stays in with 99.9 % probability.

    Niches of one cohort are correlated and sum to zero: they count as if they were half as many.
    """
    low, high = stats.binom.interval(0.999, n_tests // 2, 0.05)
    return low / (n_tests // 2), high / (n_tests // 2)


@cache
def null_cohorts(sizes: tuple[int, ...], n_sections: int) -> list[Cohort]:
    return [make_cohort(sizes, n_sections, seed=1000 + i) for i in range(N_COHORTS)]


def rows(counts: pd.DataFrame, x, blocks=None, covariates=None, names=(), patients=None) -> pd.DataFrame:
    """Compare units (rows of counts) by x as the pipeline does."""
    n = len(counts)
    patients = np.arange(n) if patients is None else patients
    blocks = np.zeros(n, int) if blocks is None else blocks
    covariates = np.zeros((n, 0)) if covariates is None else covariates
    x = np.asarray(x, float)
    question = Question(x, patients, blocks, covariates, names, permutations=199, continuous=len(np.unique(x)) > 3)
    return pd.DataFrame(compare(build_features(counts, ("proportion",)), question))


def patient_counts(cohort: Cohort) -> pd.DataFrame:
    return cohort.counts.groupby(cohort.sections["patient"]).sum()


def by_group(cohort: Cohort) -> pd.DataFrame:
    group = cohort.sections.groupby("patient")["group"].first()
    return rows(patient_counts(cohort), group.str[1:].astype(float))


def by_group_with_covariates(cohort: Cohort) -> pd.DataFrame:
    patients = cohort.sections.groupby("patient").first()
    Z = np.column_stack([patients["age"].astype(float), patients["sex"] == "m"]).astype(float)
    return rows(patient_counts(cohort), patients["group"].str[1:].astype(float), covariates=Z)


def by_number(cohort: Cohort) -> pd.DataFrame:
    return rows(patient_counts(cohort), cohort.sections.groupby("patient")["x"].first().astype(float))


def by_side(cohort: Cohort) -> pd.DataFrame:
    units = cohort.counts.groupby([cohort.sections["patient"], cohort.sections["side"]]).sum()
    patient, side = units.index.codes
    return rows(units, side, blocks=patient, names=("patient",), patients=patient)


@pytest.mark.parametrize(
    ("sizes", "n_sections", "ask"),
    [
        ((8, 8), 1, by_group),
        ((8, 8), 5, by_group),
        ((4, 12), 1, by_group),
        ((5, 5, 5), 1, by_group),
        ((8, 8), 1, by_group_with_covariates),
        ((8, 8), 1, by_number),
        ((8, 8), 5, by_side),
    ],
)
def test_without_an_effect_five_in_a_hundred_are_below_five_per_cent(sizes, n_sections, ask):
    p = np.concatenate([ask(cohort)["p"] for cohort in null_cohorts(sizes, n_sections)])
    low, high = bounds(len(p))
    assert low <= (p <= 0.05).mean() <= high
    assert stats.kstest(p, "uniform").statistic < 0.1


def test_survival_without_an_effect():
    rng = np.random.default_rng(0)
    p = []
    for i in range(200):
        lifetime = rng.exponential(size=33)
        censoring = np.quantile(lifetime, 0.3) * rng.uniform(0.5, 1.7, 33)
        event = (lifetime <= censoring).astype(float)
        base = pd.DataFrame({"time": np.minimum(lifetime, censoring), "event": event, "stratum": 0})
        p.append(permutation_test(base, rng.exponential(size=33), p_model=1.0, permutations=199, seed=i)[1])
    low, high = bounds(2 * len(p))
    assert low <= np.mean(np.array(p) <= 0.05) <= high


def test_counting_cells_would_find_something_in_most_cohorts():
    """Why the unit is the patient: the same null cohorts, each cell taken as an observation."""
    p = []
    for cohort in null_cohorts((8, 8), 5):
        counts = cohort.counts.groupby(cohort.sections["group"]).sum()
        for niche in counts:
            table = np.column_stack([counts[niche], counts.sum(axis=1) - counts[niche]])
            p.append(stats.chi2_contingency(table).pvalue)
    assert np.mean(np.array(p) < 0.05) > 0.5


@pytest.mark.parametrize(("sizes", "effect"), [((8, 8), 1.5), ((4, 4), 3.0), ((5, 12), 1.5)])
def test_interval_covers_the_truth(sizes, effect):
    """A niche that is exp(effect) times as frequent: its log-ratio rises by the effect less what all niches lose."""
    truth = np.full(5, -effect / 5)
    truth[1] += effect
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(160):
        level = np.linspace(2, 0, 5) + 0.7 * rng.normal(size=(sum(sizes), 5))
        level[sizes[0] :, 1] += effect
        share = np.exp(level) / np.exp(level).sum(axis=1, keepdims=True)
        # so many cells that drawing them adds nothing to the uncertainty between patients
        counts = pd.DataFrame((share * 1e6).astype(int), columns=range(1, 6))
        table = rows(counts, np.repeat([0, 1], sizes))
        covered += ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).tolist()
    assert 0.92 <= np.mean(covered) <= 0.97


def test_interval_of_a_large_effect_in_few_patients():
    """Handing patients to the other group must not let a large effect shorten its own interval."""
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(250):
        level = np.linspace(0.5, 0, 5) + 0.2 * rng.normal(size=(8, 5))
        level[4:, 1] += 2.5
        share = np.exp(level) / np.exp(level).sum(axis=1, keepdims=True)
        row = rows(pd.DataFrame((share * 1e6).astype(int), columns=range(1, 6)), np.repeat([0, 1], 4)).iloc[1]
        covered.append(row["ci_low"] <= 2.0 <= row["ci_high"])
    assert 0.92 <= np.mean(covered) <= 0.98


def test_planted_niche_ranks_first():
    first = []
    for i in range(40):
        table = by_group(make_cohort((10, 10), n_sections=2, effect=2.0, planted=3, seed=i))
        first.append(table.loc[table["p"].idxmin(), "niche"] == "3")
    assert np.mean(first) > 0.9


def test_without_an_effect_no_niche_passes_the_false_discovery_rate_in_most_cohorts():
    """With q < 0.05 at most about one null cohort in twenty shows any finding."""
    tables = [
        c.ask("groups", column="group", permutations=199, with_checks=False).primary
        for c in null_cohorts((8, 8), 1)[:60]
    ]
    found = [(table["q"] < 0.05).any() for table in tables]
    assert np.mean(found) <= stats.binom.ppf(0.999, 60, 0.05) / 60
