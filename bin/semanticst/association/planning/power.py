"""Power of a study by simulation, through the tests of the association.

A niche's centred log-ratio is normal between patients (``sd_between``) and between sections of a patient
(``sd_within``); a patient enters with the mean of his or her sections. Pairs have that many sections on either side.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from statsmodels.stats.power import TTestIndPower, TTestPower

from semanticst.association.stats.cox import score_z
from semanticst.association.stats.linear_contrast import Question, estimate
from semanticst.association.stats.linear_model import slope_model
from semanticst.association.stats.permutation import permutation_p, permutations_of, refine_tail
from semanticst.association.stats.survival import too_few_events

DESIGNS = ("groups", "paired", "survival")
PERMUTATIONS, BATCH = 999, 100
"""Permutations, and studies that share them: drawn anew for every batch, so that no one draw decides."""
LEVEL = 0.05


@dataclass(frozen=True)
class Study:
    """A study that might be done.

    ``patients`` is per group (groups), or in all (paired, survival). ``effect`` is a difference of centred log-ratios,
    or for survival the log hazard ratio per SD of the patients' true log-ratio. ``events``: share of patients with an
    event. ``n_tests``: niches that are tested; the corrected level is 0.05 over that number, which is what
    Benjamini-Hochberg asks of the only niche with an effect. ``sd_response`` (paired): SD between patients of the
    change itself, which no number of sections makes smaller.
    """

    design: str
    patients: int
    sections: int
    effect: float
    sd_between: float
    sd_within: float
    n_tests: int = 1
    events: float = 0.3
    sd_response: float = 0.0

    @property
    def sd_unit(self) -> float:
        """SD of what is compared: a patient's mean, or the difference between the two sides of a patient."""
        if self.design == "paired":
            return float(np.sqrt(self.sd_response**2 + 2 * self.sd_within**2 / self.sections))
        return float(np.sqrt(self.sd_between**2 + self.sd_within**2 / self.sections))


def power(study: Study, n: int, seed: int) -> dict[str, float | str]:
    """Share of ``n`` simulated studies with p <= 0.05 (``power``, 95 % interval), and below the corrected level.

    A study that the association would not test (``not_testable`` says why) finds nothing.
    """
    reason = too_few_events(study.patients, round(study.events * study.patients)) if study.design == "survival" else ""
    if reason:
        nothing = dict.fromkeys(("power", "power_low", "power_high", "power_corrected", "closed_form"), 0.0)
        return {**nothing, "not_testable": reason}
    rng = np.random.default_rng(seed)
    p = np.concatenate([_batch(study, min(BATCH, n - start), rng, seed + start) for start in range(0, n, BATCH)])
    found = int((p <= LEVEL).sum())
    low, high = scipy.stats.binomtest(found, n).proportion_ci(method="wilson")
    return {
        "power": found / n,
        "power_low": low,
        "power_high": high,
        "power_corrected": float((p <= LEVEL / study.n_tests).mean()),
        "closed_form": closed_form(study),
        "not_testable": "",
    }


def _batch(study: Study, n: int, rng: np.random.Generator, seed: int) -> np.ndarray:
    """p of ``n`` studies."""
    if study.design == "survival":
        return _survival(study, n, rng, seed)
    names: tuple[str, ...] = ()
    if study.design == "groups":
        n_units = 2 * study.patients
        x, patient = np.repeat([0.0, 1.0], study.patients), np.arange(n_units)
        blocks = np.zeros(n_units, int)
        between = study.sd_between * rng.normal(size=(n_units, n))
    else:
        n_units = 2 * study.patients
        x, patient = np.tile([0.0, 1.0], study.patients), np.repeat(np.arange(study.patients), 2)
        blocks, names = patient, ("patient",)
        between = study.sd_between * rng.normal(size=(study.patients, n))[patient]
        between = between + study.sd_response * rng.normal(size=(study.patients, n))[patient] * x[:, None]
    Y = study.effect * x[:, None] + between + study.sd_within / np.sqrt(study.sections) * rng.normal(size=(n_units, n))
    question = Question(x, patient, blocks, np.zeros((n_units, 0)), names, permutations=PERMUTATIONS, seed=seed)
    model = slope_model(x, blocks, question.covariates)
    if model is None:
        raise ValueError(f"{study.patients} patients leave no degree of freedom")
    return estimate(question, model, Y).p


def _survival(study: Study, n: int, rng: np.random.Generator, seed: int) -> np.ndarray:
    """Exponential times; follow-up of each patient is a uniform 0.5 to 1.7 of what gives the wanted share of events."""
    driver = rng.normal(size=(n, study.patients))
    noise = study.sd_within / np.sqrt(study.sections) * rng.normal(size=driver.shape)
    lifetime, followed = (
        rng.exponential(size=driver.shape) / np.exp(study.effect * driver),
        rng.uniform(0.5, 1.7, driver.shape),
    )
    last = max(0, round(study.events * study.patients) - 1)
    censored = followed * np.sort(lifetime / followed, axis=1)[:, last, None] * (1 + 1e-9)
    Y = study.sd_between * driver + noise
    orders = permutations_of(
        np.arange(study.patients), np.zeros(study.patients, int), PERMUTATIONS, seed, exact_allowed=False
    )
    p = []
    for y, time, event in zip(Y, np.minimum(lifetime, censored), (lifetime <= censored).astype(float)):
        base = pd.DataFrame({"time": time, "event": event, "stratum": 0})
        null, observed = np.abs(score_z(base, y[orders.order]))[:, None], np.abs(score_z(base, y[None]))
        drawn = permutation_p(null, observed, exact=False)
        # below the floor the association has the model's p, here that of the score
        p.append(refine_tail(drawn, null, observed, 2 * scipy.stats.norm.sf(observed), np.zeros(1, dtype=bool))[0][0])
    return np.array(p)


def closed_form(study: Study) -> float:
    """Power of the t-test of patients; for survival that of the score test (Hsieh & Lavori 2000, Control Clin Trials
    21:552), with the log hazard ratio weakened by what sections leave unsaid of a patient.
    """
    if study.design == "survival":
        reliability = study.sd_between / max(study.sd_unit, 1e-12)
        events = round(study.events * study.patients)
        shift = abs(study.effect) * reliability * np.sqrt(events)
        return float(scipy.stats.norm.sf(scipy.stats.norm.ppf(1 - LEVEL / 2) - shift))
    d = study.effect / study.sd_unit
    if study.design == "paired":
        return float(TTestPower().power(d, study.patients, LEVEL))
    return float(TTestIndPower().power(d, study.patients, LEVEL))
