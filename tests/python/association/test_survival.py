"""Survival contrasts against lifelines called directly, and where they must refuse or warn."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, NelsonAalenFitter
from lifelines.statistics import logrank_test, proportional_hazard_test
from scipy.stats import chi2

from clinical_helpers import Cohort, clr, make_cohort, row_of
from semanticst.association.design.design import build_design
from semanticst.association.design.tables import Contrast
from semanticst.association.features.composition import build_features
from semanticst.association.stats.cox import fit_cox, leave_one_out_range, martingale_residuals
from semanticst.association.stats.linear_contrast import Settings
from semanticst.association.stats.survival import base_frame, compare_survival, compare_survival_only

SURVIVAL = {"time": "time", "event": "event", "event_value": "1"}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return with_hazard(make_cohort((40,), seed=1), niche=2, log_ratio=0.9)


def with_hazard(cohort: Cohort, niche: int, log_ratio: float, event_share: float = 0.6, seed: int = 0) -> Cohort:
    """Give patients a survival that depends on a niche."""
    rng = np.random.default_rng(seed)
    y = clr(cohort)[niche]
    lifetime = rng.exponential(np.exp(-log_ratio * (y - y.mean()) / y.std(ddof=1)))
    censoring = np.quantile(lifetime, event_share) * rng.uniform(0.7, 1.6, len(y))
    time = pd.Series(np.minimum(lifetime, censoring), index=y.index)
    event = pd.Series((lifetime <= censoring).astype(int), index=y.index)
    patient = cohort.sections["patient"]
    sections = cohort.sections.assign(time=patient.map(time).astype(str), event=patient.map(event).astype(str))
    return Cohort(sections, cohort.counts, cohort.clinical)


def frame_of(cohort: Cohort, niche: int) -> pd.DataFrame:
    y = clr(cohort)[niche]
    patients = cohort.sections.drop_duplicates("patient").set_index("patient").loc[y.index]
    return patients[["time", "event"]].astype(float).assign(y=(y - y.mean()) / y.std(ddof=1), sex=patients["sex"])


def score_p(frame: pd.DataFrame) -> float:
    """Permutation p of the score, with Nelson and Aalen's hazard from lifelines and permutations of its own."""
    hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(frame["time"], frame["event"])
    residual = frame["event"].to_numpy() - hazard.cumulative_hazard_at_times(frame["time"]).to_numpy()
    rng = np.random.default_rng(99)
    null = np.array([abs(rng.permutation(frame["y"].to_numpy()) @ residual) for _ in range(3000)])
    return float((null >= abs(frame["y"].to_numpy() @ residual)).mean())


def test_cox_agrees_with_lifelines(cohort):
    result = cohort.ask("survival", **SURVIVAL, permutations=1999)
    for niche in (1, 2, 3):
        frame = frame_of(cohort, niche).drop(columns="sex")
        model = CoxPHFitter().fit(frame, "time", "event")
        expected, row = model.summary.loc["y"], row_of(result, niche)
        assert row["effect"] == pytest.approx(expected["coef"])
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(
            (expected["coef lower 95%"], expected["coef upper 95%"])
        )
        assert row["hazard_ratio"] == pytest.approx(expected["exp(coef)"])
        assert row["hazard_ratio_high"] == pytest.approx(expected["exp(coef) upper 95%"])
        assert row["p_model"] == pytest.approx(model.log_likelihood_ratio_test().p_value)
        assert row["p_permutation"] == pytest.approx(score_p(frame), abs=0.03)
        proportional = proportional_hazard_test(model, frame, time_transform="rank").p_value
        assert row["p_proportional_hazards"] == pytest.approx(float(proportional[0]))
        assert (row["n_patients"], row["n_events"]) == (40, int(frame["event"].sum()))
    assert row_of(result, 2)["effect_type"] == "log_hazard_ratio_per_sd"
    assert result.table.iloc[0]["niche"] == "2"
    assert row_of(result, 2)["effect"] > 0


def test_logrank_is_of_the_median_share(cohort):
    row = row_of(cohort.ask("survival", **SURVIVAL), 2)
    share = cohort.counts.groupby(cohort.sections["patient"]).sum()
    share = share[2] / share.sum(axis=1)
    frame, high = frame_of(cohort, 2), (share > share.median()).to_numpy()
    expected = logrank_test(frame["time"][high], frame["time"][~high], frame["event"][high], frame["event"][~high])
    assert row["p_logrank"] == pytest.approx(expected.p_value)


def test_strata_and_covariates(cohort):
    frame = frame_of(cohort, 2)
    model = CoxPHFitter().fit(frame, "time", "event", strata=["sex"])
    stratified = row_of(cohort.ask("survival", **SURVIVAL, strata=("sex",)), 2)
    assert stratified["effect"] == pytest.approx(model.params_["y"])
    assert "strata sex" in stratified["model"]

    frame["sex"] = (frame["sex"] == "m") * 1.0
    full = CoxPHFitter().fit(frame, "time", "event")
    null = CoxPHFitter().fit(frame.drop(columns="y"), "time", "event")
    adjusted = row_of(cohort.ask("survival", **SURVIVAL, covariates=("sex",)), 2)
    assert adjusted["effect"] == pytest.approx(full.params_["y"])
    assert np.isnan(adjusted["p_permutation"])
    assert adjusted["p"] == pytest.approx(chi2.sf(2 * (full.log_likelihood_ - null.log_likelihood_), 1))


def test_martingale_residuals(cohort):
    design = cohort.ask("survival", **SURVIVAL).design
    base = base_frame(design)
    hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(base["time"], base["event"])
    expected = base["event"] - hazard.cumulative_hazard_at_times(base["time"]).to_numpy()
    np.testing.assert_allclose(martingale_residuals(base), expected, atol=1e-9)
    assert abs(martingale_residuals(base).sum()) < 1e-9

    stratified = base_frame(cohort.ask("survival", **SURVIVAL, strata=("sex",)).design)
    for _, part in stratified.groupby("stratum"):
        inside = pd.Series(martingale_residuals(stratified), index=stratified.index)[part.index]
        np.testing.assert_allclose(inside, martingale_residuals(part), atol=1e-9)

    adjusted = base_frame(cohort.ask("survival", **SURVIVAL, covariates=("age",), strata=("sex",)).design)
    residuals = pd.Series(martingale_residuals(adjusted), index=adjusted.index)
    assert np.abs(residuals.groupby(adjusted["stratum"]).sum()).max() < 1e-6
    assert (residuals <= adjusted["event"] + 1e-9).all()


def lifelines_fit(frame: pd.DataFrame, penalised: bool) -> CoxPHFitter:
    strata = ["stratum"] if "stratum" in frame else None
    return CoxPHFitter(penalizer=1 / len(frame) if penalised else 0.0).fit(frame, "time", "event", strata=strata)


@pytest.mark.filterwarnings("ignore")  # lifelines warns of what it fits slowly
@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize(
    ("n", "distinct_times", "n_strata", "n_covariates"),
    [(12, None, 1, 0), (12, 4, 1, 0), (40, None, 3, 1), (40, 5, 2, 3), (150, 12, 4, 2)],
)
def test_the_fit_is_that_of_lifelines(n, distinct_times, n_strata, n_covariates, penalised):
    """With ties, strata (of which one has no event), covariates; also where events are all but separated."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=n)
        time = rng.exponential(np.exp(-[0.2, 1, 3][seed] * y))
        if distinct_times is not None:
            time = np.digitize(time, np.quantile(time, np.linspace(0, 1, distinct_times + 1)[1:-1])) + 1.0
        stratum = rng.integers(n_strata, size=n)
        event = (rng.random(n) < 0.7) & ((stratum > 0) | (n_strata == 1))
        base = pd.DataFrame({"time": time, "event": event.astype(float), "stratum": stratum})
        for i in range(n_covariates):
            base[f"covariate {i}"] = rng.normal(size=n) + 0.5 * y
        fit = fit_cox(base, y, penalised)
        used = base.drop(columns="stratum") if n_strata == 1 else base
        frame = used.assign(feature=(y - y.mean()) / y.std(ddof=1))
        model = lifelines_fit(frame, penalised)
        if fit is None:
            assert not penalised
            assert abs(model.params_["feature"]) > 10
            continue
        assert fit.effect == pytest.approx(model.params_["feature"], rel=1e-8, abs=1e-12)
        assert fit.se == pytest.approx(model.standard_errors_["feature"], rel=1e-8)
        ratio = model.log_likelihood_ratio_test().test_statistic
        if n_covariates:
            ratio = 2 * (model.log_likelihood_ - lifelines_fit(used, penalised).log_likelihood_)
        assert fit.p_likelihood_ratio == pytest.approx(chi2.sf(max(0, ratio), 1), rel=1e-8)


@pytest.mark.parametrize("covariate", ["feature", "constant"])
def test_a_model_without_a_maximum_has_no_fit(covariate):
    y = np.random.default_rng(0).normal(size=20)
    base = pd.DataFrame({"time": np.arange(20.0), "event": 1.0, "stratum": 0})
    base["covariate 0"] = y if covariate == "feature" else 1.0
    assert fit_cox(base, y, penalised=False) is None


def test_repeated_fits_ask_lifelines_for_nothing(cohort, monkeypatch):
    """What it prepares around each fit is most of the time of a contrast, and nobody reads it."""
    design = cohort.ask("survival", **SURVIVAL).design
    features = build_features(cohort.counts, ("proportion",), unit_of_sample=design.sections["unit"])
    fits = []
    fit = CoxPHFitter.fit
    monkeypatch.setattr(CoxPHFitter, "fit", lambda self, *a, **k: fits.append(1) or fit(self, *a, **k))
    assert len(compare_survival_only(design, features, Settings(permutations=99, seed=0))) == 5
    assert not fits
    rows = compare_survival(design, features, Settings(permutations=99, seed=0))
    assert len(fits) == len(rows)  # one each, for residuals


@pytest.mark.parametrize("strata", [(), ("sex",)])
def test_leave_one_out_range_is_that_of_refits(cohort, strata):
    base = base_frame(cohort.ask("survival", **SURVIVAL, strata=strata).design)
    y = clr(cohort)[2].to_numpy()
    fit = fit_cox(base, y, penalised=False)
    refits = []
    for i in range(len(y)):
        frame = fit.frame.drop(index=fit.frame.index[i])
        refits.append(
            CoxPHFitter().fit(frame, "time", "event", strata=["stratum"] if strata else None).params_["feature"]
        )
    assert leave_one_out_range(fit) == pytest.approx((min(refits), max(refits)))


def test_few_events_are_fitted_with_a_penalty_and_a_warning():
    cohort = with_hazard(make_cohort((30,), seed=2), niche=2, log_ratio=1.5, event_share=0.2)
    row = row_of(cohort.ask("survival", **SURVIVAL), 2)
    assert 3 <= row["n_events"] < 10
    frame = frame_of(cohort, 2).drop(columns="sex")
    expected = CoxPHFitter(penalizer=1 / 30).fit(frame, "time", "event").params_["y"]
    assert row["effect"] == pytest.approx(expected)
    assert abs(expected) < abs(CoxPHFitter().fit(frame, "time", "event").params_["y"])
    assert "(penalised fit)" in row["warnings"]
    assert "ridge" in row["model"]


def test_perfect_separation_is_penalised_and_said():
    """Whoever has more of the niche dies earlier, without exception: the likelihood has no maximum."""
    cohort = make_cohort((24,), seed=3)
    rank = clr(cohort)[2].rank()
    time = cohort.sections["patient"].map(100 - rank)
    event = cohort.sections["patient"].map((rank > 8).astype(int))
    cohort = Cohort(
        cohort.sections.assign(time=time.astype(str), event=event.astype(str)), cohort.counts, cohort.clinical
    )
    row = row_of(cohort.ask("survival", **SURVIVAL), 2)
    assert "perfect separation of the events: penalised fit" in row["warnings"]
    assert 0.5 < row["effect"] < 5
    assert row["p"] < 0.01


@pytest.mark.parametrize(("carriers", "first"), [(2, False), (3, False), (10, False), (20, False), (20, True)])
def test_separation_is_seen_where_the_steps_end_before_the_effect_is_large(carriers, first):
    """Only ``carriers`` have the niche, and they are all censored, or die before all others."""
    rng = np.random.default_rng(carriers)
    time, event = rng.exponential(10, 40), rng.uniform(size=40) < 0.75
    time[:carriers] = rng.uniform(0, 1e-3, carriers) if first else 100
    event[:carriers] = first
    base = pd.DataFrame({"time": time, "event": event.astype(int), "stratum": 0})
    y = np.where(np.arange(40) < carriers, 1.0, 0.0)
    assert fit_cox(base, y, penalised=False) is None
    fit = fit_cox(base, y, penalised=True)
    assert fit is not None
    assert fit.se < 2


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (0, "no event"),
        (1, "1 event in 20 patients, 3 in 6 are needed"),
        (2, "2 events in 20 patients, 3 in 6 are needed"),
    ],
)
def test_without_enough_events_nothing_is_tested(events, reason):
    cohort = make_cohort((20,))
    event = ["1"] * events + ["0"] * (20 - events)
    cohort = Cohort(cohort.sections.assign(event=event), cohort.counts, cohort.clinical)
    table = cohort.ask("survival", **SURVIVAL).table
    assert len(table) == 6
    assert table["warnings"].str.startswith(f"not testable: {reason}").all()
    assert table[["effect", "ci_low", "p", "q", "hazard_ratio"]].isna().all(axis=None)
    assert (table["n_events"] == events).all()


def test_polarity_turns_with_the_event_value(cohort):
    alive = row_of(cohort.ask("survival", time="time", event="event", event_value="0"), 2)
    frame = frame_of(cohort, 2).drop(columns="sex")
    frame["event"] = 1 - frame["event"]
    assert alive["n_events"] == frame["event"].sum() != 40 - frame["event"].sum()
    assert alive["effect"] == pytest.approx(CoxPHFitter().fit(frame, "time", "event").params_["y"])


def test_hazards_that_cross_are_pointed_out():
    cohort = make_cohort((120,), seed=4)
    y = clr(cohort)[2]
    # much of the niche: late deaths within a short window; little: early and very late ones
    rng = np.random.default_rng(0)
    high = y > y.median()
    time = np.where(high, rng.normal(5, 0.3, 120), np.where(rng.random(120) < 0.5, rng.normal(1, 0.3, 120), 9))
    patient = cohort.sections["patient"]
    sections = cohort.sections.assign(time=patient.map(pd.Series(time, y.index)).astype(str), event="1")
    row = row_of(Cohort(sections, cohort.counts, cohort.clinical).ask("survival", **SURVIVAL), 2)
    assert row["p_proportional_hazards"] < 0.05
    assert "the hazard ratio changes over time" in row["warnings"]


def test_the_repeated_fit_is_that_of_the_test_where_a_covariate_is_determined_by_another():
    """25 events allow two variables without a penalty, and not the three that are asked for."""
    cohort = make_cohort((60,), seed=3)
    months = np.arange(60) + 1.0
    cohort.sections["months"] = [f"{m:g}" for m in months]
    cohort.sections["dead"] = np.where(np.arange(60) % 12 < 5, "1", "0")
    age = np.random.default_rng(4).integers(30, 80, 60)
    cohort.sections = cohort.sections.assign(age=age.astype(str), age_months=(12 * age).astype(str))
    contrast = Contrast("c", "survival", time="months", event="dead", event_value="1", covariates=("age", "age_months"))
    design = build_design(contrast, cohort.sections)
    features = build_features(cohort.counts, ("proportion",), unit_of_sample=design.sections["unit"])
    settings = Settings(permutations=99, seed=0)
    whole, quick = (
        pd.DataFrame(compare(design, features, settings)) for compare in (compare_survival, compare_survival_only)
    )
    assert whole["n_events"].eq(25).all()
    assert whole["warnings"].str.join(" ").str.contains("age_months is determined by the others").all()
    assert not whole["warnings"].str.join(" ").str.contains("penalised").any()
    np.testing.assert_allclose(quick["effect"], whole["effect"])
