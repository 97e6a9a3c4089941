"""Patients of a simulated cohort: how much of each niche they have, and what becomes of them."""

import numpy as np
import pandas as pd

from semanticst.simulate.settings import Settings

REFERENCE, TARGET = "non_responder", "responder"

PATIENT_SPREAD = 0.55
"""Standard deviation between patients of the log area of a niche."""
OUTCOME_SPREAD = 0.25
"""The same for the outcome niche, at the same outcome."""
SECTION_SPREAD = 0.2
"""The same between the sections of a patient."""
LARGEST_TO_SMALLEST = 1.5
"""Ratio of the expected areas of the largest and the smallest niche."""
MEDIAN_SURVIVAL = 900.0
"""Days, at a hazard ratio of 1."""
FOLLOW_UP = (1000.0, 2500.0)
"""Days after which a patient is censored, uniform."""


def draw_groups(n_patients: int, rng: np.random.Generator) -> np.ndarray:
    """`REFERENCE` or `TARGET` for each patient, half and half, in random order."""
    return rng.permutation(np.resize([REFERENCE, TARGET], n_patients))


def draw_log_areas(
    groups: np.ndarray, outcome_niche: int, settings: Settings, rng: np.random.Generator, without: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Expected log area of each niche in each patient, up to a constant per patient; ``-inf`` where it is absent.

    ``without``: a niche that no patient has.

    Returns the log areas, float64 n_patients x n_niches, and for each patient the niche that ``imbalance`` enlarges.
    """
    n_patients, n_niches = len(groups), settings.niches
    size = rng.permutation(np.linspace(0, np.log(LARGEST_TO_SMALLEST), n_niches))
    log_area = size + rng.normal(0, PATIENT_SPREAD, (n_patients, n_niches))
    log_area[:, outcome_niche] = size.mean() + rng.normal(0, OUTCOME_SPREAD, n_patients)
    log_area[:, outcome_niche] += settings.effect * np.where(groups == TARGET, 0.5, -0.5)

    others = np.delete(np.arange(n_niches), [outcome_niche] if without is None else [outcome_niche, without])
    enlarged = rng.choice(others, n_patients)
    log_area[np.arange(n_patients), enlarged] += np.log(settings.imbalance)

    # the enlarged niche stays too, and each niche is somewhere
    droppable = np.zeros((n_patients, n_niches), bool)
    droppable[:, others] = True
    droppable[np.arange(n_patients), enlarged] = False
    candidates = np.flatnonzero(droppable & (np.arange(n_patients) != 0)[:, None])
    n_missing = min(round(settings.missing_niches * log_area.size), len(candidates))
    log_area.ravel()[rng.choice(candidates, n_missing, replace=False)] = -np.inf
    if without is not None:
        log_area[:, without] = -np.inf
    if settings.large > 1:
        log_area[-1, np.arange(n_niches) != log_area[-1].argmax()] = -np.inf
    return log_area, enlarged


def section_shares(log_area: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Area share of each niche in one section of a patient with these log areas: n_niches, sums to 1."""
    section = log_area + rng.normal(0, SECTION_SPREAD, len(log_area))
    area = np.exp(section - section.max())
    return area / area.sum()


def centred_log_ratio(counts: np.ndarray) -> np.ndarray:
    """Centred log-ratio of the rows of ``counts`` (n x n_niches), 0.5 added to each count (Aitchison 1982)."""
    log_share = np.log(counts + 0.5)
    return log_share - log_share.mean(axis=1, keepdims=True)


def clinical_table(
    patients: list[str],
    groups: np.ndarray,
    niche_cells: np.ndarray,
    outcome_niche: int,
    log_hazard_ratio: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per patient: patient, group, time (days), event (1 = died), age (years; goes with nothing).

    Proportional hazards: exponential times whose log hazard is ``log_hazard_ratio`` times the outcome niche's centred
    log-ratio over all sections of the patient, standardised over patients. niche_cells : n_patients x n_niches.
    """
    ratio = centred_log_ratio(niche_cells)[:, outcome_niche]
    spread = ratio.std()
    standardised = (ratio - ratio.mean()) / spread if spread > 0 else np.zeros_like(ratio)
    hazard = np.log(2) / MEDIAN_SURVIVAL * np.exp(log_hazard_ratio * standardised)
    death = rng.exponential(1 / hazard)
    censored = rng.uniform(*FOLLOW_UP, len(patients))
    return pd.DataFrame(
        {
            "patient": patients,
            "group": groups,
            "time": np.maximum(np.minimum(death, censored).round(), 1).astype(int),
            "event": (death <= censored).astype(int),
            "age": rng.normal(60, 10, len(patients)).round().clip(25, 95).astype(int),
        }
    )
