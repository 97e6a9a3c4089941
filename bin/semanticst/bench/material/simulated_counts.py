"""Simulated cohorts at the level of niche counts per section: many at once, no cells, no training.

Log shares of a section are the niche's level, plus the patient's deviation (SD 0.8), plus the section's (SD 0.5); cells
come in patches (Dirichlet around the shares, precision 40) and sections differ in size (log-normal, median 400 cells).
"""

from dataclasses import dataclass

import numpy as np

N_NICHES = 6
PLANTED = 1
"""Column of the niche that an effect is planted in, neither the most frequent nor the rarest."""
BETWEEN, WITHIN, PATCHES = 0.8, 0.5, 40.0
MEDIAN_CELLS, CELLS_SD, FEWEST = 400, 0.8, 50


@dataclass(frozen=True)
class Layout:
    """Who is sampled: sizes of groups, sections per patient (taken in turn), and what is asked.

    ``kind``: groups, ordered, continuous, paired (half of a patient's sections are of side 1), or survival.
    """

    name: str
    kind: str
    sizes: tuple[int, ...]
    sections: tuple[int, ...] = (1,)
    covariates: int = 0
    batches: int = 0
    events: float = 0.3

    @property
    def n_patients(self) -> int:
        return sum(self.sizes)

    @property
    def patient(self) -> np.ndarray:
        """Patient of each section, int."""
        n = np.resize(self.sections, self.n_patients)
        return np.repeat(np.arange(self.n_patients), n)

    @property
    def side(self) -> np.ndarray:
        """0 or 1 per section: sections of a patient alternate."""
        return np.concatenate([np.arange(n) % 2 for n in np.resize(self.sections, self.n_patients)])

    @property
    def group(self) -> np.ndarray:
        """0, 1, ... per patient."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


@dataclass(frozen=True)
class Cohort:
    """One cohort: ``counts`` (sections x niches), ``x`` per patient (per section when paired), covariates, survival."""

    layout: Layout
    counts: np.ndarray
    x: np.ndarray
    covariates: np.ndarray
    time: np.ndarray
    event: np.ndarray


def draw(layout: Layout, n: int, seed: int, effect: float = 0.0, cells: int = MEDIAN_CELLS) -> list[Cohort]:
    """``n`` cohorts; the log share of niche ``PLANTED`` rises by ``effect`` per unit of x (the log hazard, by its SD).

    Covariates go with the niches (their log shares rise by 0.3 per SD) and not with x, so that they are worth
    adjusting for. With survival, x is the planted niche's own deviation.
    """
    rng = np.random.default_rng(seed)
    P, patient = layout.n_patients, layout.patient
    deviation = BETWEEN * rng.normal(size=(n, P, N_NICHES))
    covariates = rng.normal(size=(n, P, layout.covariates))
    if layout.covariates:
        covariates[..., 1:] = covariates[..., 1:] > 0
        deviation += 0.3 * covariates.sum(axis=-1, keepdims=True) * np.linspace(-1, 1, N_NICHES)
    x = rng.normal(size=(n, P)) if layout.kind == "continuous" else np.tile(layout.group.astype(float), (n, 1))
    time, event = _survival(rng, deviation[..., PLANTED] / BETWEEN, layout, effect)
    logs = deviation[:, patient]
    if layout.kind == "paired":
        x = np.tile(layout.side.astype(float), (n, 1))
        # the answer to a treatment differs between patients
        logs = logs + 0.3 * rng.normal(size=(n, P, N_NICHES))[:, patient] * x[..., None]
        logs[..., PLANTED] += effect * x
    elif layout.kind != "survival":
        logs[..., PLANTED] += effect * x[:, patient]
    logs = np.linspace(1, -1, N_NICHES) + logs + WITHIN * rng.normal(size=logs.shape)
    share = np.exp(logs)
    patchy = rng.gamma(PATCHES * share / share.sum(axis=-1, keepdims=True)) + 1e-12
    size = (np.exp(rng.normal(np.log(cells), CELLS_SD, logs.shape[:2])) + FEWEST).astype(int)
    counts = rng.multinomial(size, patchy / patchy.sum(axis=-1, keepdims=True))
    return [Cohort(layout, counts[i], x[i], covariates[i], time[i], event[i]) for i in range(n)]


def _survival(
    rng: np.random.Generator, driver: np.ndarray, layout: Layout, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Times and events (n x patients): exponential with log hazard ``effect`` x driver, the wanted share of events."""
    hazard = np.exp(effect * driver) if layout.kind == "survival" else np.ones_like(driver)
    lifetime = rng.exponential(size=driver.shape) / hazard
    # staggered entry: each patient was followed for a time of its own
    followed = rng.uniform(0.5, 1.7, driver.shape)
    ratio = np.sort(lifetime / followed, axis=1)
    cut = ratio[:, max(0, round(layout.events * driver.shape[1]) - 1)][:, None] * (1 + 1e-9)
    censored = followed * cut
    return np.minimum(lifetime, censored), (lifetime <= censored).astype(float)
