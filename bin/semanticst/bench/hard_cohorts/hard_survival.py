"""Survival that no niche goes with, in cohorts in which something else does."""

from collections.abc import Callable

import numpy as np

from semanticst.association.design.tables import Contrast
from semanticst.bench.hard_cohorts.hard_designs import SPREAD, Question, counts_of, log_shares, sections_of


def survival(
    patients: int,
    events: float = 0.3,
    *,
    followed_by_niche: float = 0.0,
    batch: float = 0.0,
    times: int = 0,
    covariate: float = 0.0,
    carriers: float = 0.2,
    strata: int = 0,
) -> Callable:
    """Survival that no niche goes with.

    ``followed_by_niche``: niche 2 is in the part ``carriers`` of the patients, who are followed exp of that longer.
    ``batch``: patients of the second half died later, and the batch changes niche 2 by that log-ratio. ``times``:
    distinct times. ``covariate``: correlation of a prognostic covariate with niche 2. ``strata``: sites that differ in
    hazard and in niche 2, and are strata of the contrast.
    """

    def draw(rng: np.random.Generator) -> Question:
        logs = log_shares(rng, patients)
        columns: dict[str, np.ndarray] = {}
        covariates: tuple[str, ...] = ()
        lifetime, followed = rng.exponential(size=patients), rng.uniform(0.5, 1.7, patients)
        if followed_by_niche or carriers != 0.2:
            carrier = rng.random(patients) < carriers
            logs[:, 1] = np.where(carrier, 1.0, -30.0)
            followed = followed * np.exp(followed_by_niche * carrier)
        if batch:
            late = (np.arange(patients) % 2).astype(bool)
            logs[:, 1] += batch * late
            columns["batch"] = late.astype(int)
            lifetime = lifetime * np.where(late, 4.0, 1.0)
            followed = followed * np.where(late, 4.0, 1.0)
        if covariate:
            z = (logs[:, 1] - logs[:, 1].mean()) / SPREAD
            age = covariate * z + np.sqrt(1 - covariate**2) * rng.normal(size=patients)
            lifetime = lifetime / np.exp(age)
            columns["age"], covariates = age.round(3), ("age",)
        if strata:
            site = np.arange(patients) % strata
            lifetime = lifetime * np.exp(rng.normal(size=strata))[site]
            logs[:, 1] += rng.normal(size=strata)[site]
            columns["site"] = site
        cut = np.sort(lifetime / followed)[round(events * patients) - 1] * (1 + 1e-9)
        time, event = np.minimum(lifetime, followed * cut), (lifetime <= followed * cut).astype(int)
        if times:
            time = np.ceil(time / time.max() * times)
        counts = counts_of(rng, logs, 2000)
        sections = sections_of(counts, np.arange(patients), months=time, dead=event, **columns)
        asked = Contrast(
            "c", "survival", time="months", event="dead", event_value="1", covariates=covariates,
            strata=("site",) if strata else (),
        )  # fmt: skip
        # the niche that something goes with, and another
        return Question(asked, sections, counts, judged=(("proportion", "2"), ("proportion", "3")))

    return draw
