"""Cohorts without an effect in which something else than the outcome differs: what tests of patients trip over.

Each is a contrast with its sections and counts, as ``associate`` gets them, so that what guards a test (batches, log
cells, slopes of patients) is judged with it. Log shares are normal, with no difference in means.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from semanticst.association.design.tables import Contrast

SPREAD = 0.8
"""SD of log shares between patients, where a design does not say another."""


@dataclass(frozen=True)
class Question:
    """A contrast, its sections, counts per section and niche, and tables of what is inside niches."""

    contrast: Contrast
    sections: pd.DataFrame
    counts: pd.DataFrame
    within: dict[str, pd.DataFrame] = field(default_factory=dict)
    contacts: pd.DataFrame | None = None
    judged: tuple[tuple[str, str], ...] = ()
    """Feature and niche of the rows that are judged; all where none is named."""


@dataclass(frozen=True)
class HardDesign:
    """``draw`` makes a cohort; judged are its niches, and with ``joint`` the composition as a whole as well."""

    name: str
    draw: Callable[[np.random.Generator], Question]
    joint: bool = False


def counts_of(rng: np.random.Generator, logs: np.ndarray, cells: np.ndarray | int, patch: int = 1) -> pd.DataFrame:
    """Cells of each section (rows of log shares) and niche, in patches of ``patch`` cells."""
    share = np.exp(logs)
    drawn = rng.multinomial(np.maximum(np.resize(cells, len(logs)) // patch, 1), share / share.sum(1, keepdims=True))
    return _named(drawn * patch)


def _named(counts: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(counts, [f"s{i:03d}" for i in range(len(counts))], range(1, counts.shape[1] + 1))


def log_shares(
    rng: np.random.Generator, n: int, spread: np.ndarray | float = SPREAD, niches: int = 8, tails: int = 0
) -> np.ndarray:
    """Log shares of n units, normal or (``tails``: degrees of freedom) with the tails of t."""
    noise = rng.standard_t(tails, size=(n, niches)) if tails else rng.normal(size=(n, niches))
    return np.linspace(1, -1, niches) + np.resize(spread, n)[:, None] * noise


def sections_of(counts: pd.DataFrame, patient: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({k: [str(v) for v in values] for k, values in columns.items()}, counts.index)
    return table.assign(patient=[f"p{p:03d}" for p in patient])


def _groups(counts: pd.DataFrame, sizes: tuple[int, ...], **columns: np.ndarray) -> Question:
    group = np.repeat(np.arange(len(sizes)), sizes)
    sections = sections_of(counts, np.arange(len(group)), group=group, **columns)
    return Question(Contrast("c", "groups", column="group"), sections, counts)


def normal(*sizes: int, spread: tuple[float, ...] = (SPREAD,), tails: int = 0, cells_sd: float = 0.0) -> Callable:
    """Groups of these sizes, each with its own spread; ``tails`` of t, and log numbers of cells with an SD."""

    def draw(rng: np.random.Generator) -> Question:
        n = sum(sizes)
        logs = log_shares(rng, n, np.repeat(np.resize(spread, len(sizes)), sizes), tails=tails)
        cells = np.clip(4000 * np.exp(cells_sd * rng.normal(size=n)), 20, 100_000) if cells_sd else np.full(n, 4000)
        return _groups(counts_of(rng, logs, cells.astype(int)), sizes)

    return draw


def cells_by_group(few: int, many: int, patch: int = 1) -> Callable:
    """12 + 12 patients, those of one group with fewer cells."""

    def draw(rng: np.random.Generator) -> Question:
        cells = np.repeat([few, many], 12) * np.exp(0.3 * rng.normal(size=24))
        return _groups(counts_of(rng, log_shares(rng, 24), cells.astype(int), patch), (12, 12))

    return draw


def present_or_absent(*sizes: int, present: float = 0.5) -> Callable:
    """Five of eight niches are in some patients only: in this proportion of them."""

    def draw(rng: np.random.Generator) -> Question:
        logs = log_shares(rng, sum(sizes))
        logs[:, 3:] = np.where(rng.random((len(logs), 5)) < present, logs[:, 3:], -30.0)
        return _groups(counts_of(rng, logs, 4000), sizes)

    return draw


def courses(patients: int, times: int, slope: float) -> Callable:
    """Each patient changes in his or her own way (SD of the slope per step); no mean trend."""

    def draw(rng: np.random.Generator) -> Question:
        patient, time = np.repeat(np.arange(patients), times), np.tile(np.arange(times), patients)
        logs = log_shares(rng, patients)[patient] + (slope * rng.normal(size=(patients, 8)))[patient] * time[:, None]
        counts = counts_of(rng, logs + 0.3 * rng.normal(size=logs.shape), 2000)
        sections = sections_of(counts, patient, day=time)
        return Question(Contrast("c", "continuous", column="day", block="patient"), sections, counts)

    return draw


def nested_batches(per_group: int, patients: int, spread: float) -> Callable:
    """Every batch has one group; batches differ (SD)."""

    def draw(rng: np.random.Generator) -> Question:
        batch = np.repeat(np.arange(2 * per_group), patients)
        logs = log_shares(rng, len(batch), 0.7) + (spread * rng.normal(size=(2 * per_group, 8)))[batch]
        n = per_group * patients
        return _groups(counts_of(rng, logs, 4000), (n, n), batch=batch)

    return draw


def uneven_batches(effect: float, many: int = 9, few: int = 3) -> Callable:
    """``many`` patients of a group in one batch and ``few`` in the other, and the reverse; a batch changes a niche."""

    def draw(rng: np.random.Generator) -> Question:
        batch, n = np.repeat([0, 1, 0, 1], (many, few, few, many)), many + few
        logs = log_shares(rng, 2 * n)
        logs[:, 1] += effect * batch
        return _groups(counts_of(rng, logs, 4000), (n, n), batch=batch)

    return draw


def pairs(patients: int, present: float = 1.0) -> Callable:
    """Two sections of each patient, before and after, in which five of eight niches may be absent."""

    def draw(rng: np.random.Generator) -> Question:
        patient, side = np.repeat(np.arange(patients), 2), np.tile([0, 1], patients)
        logs = log_shares(rng, patients)[patient] + 0.4 * rng.normal(size=(2 * patients, 8))
        logs[:, 3:] = np.where(rng.random((len(logs), 5)) < present, logs[:, 3:], -30.0)
        counts = counts_of(rng, logs, 4000)
        sections = sections_of(counts, patient, side=side)
        return Question(Contrast("c", "groups", column="side", block="patient"), sections, counts)

    return draw


def three_tissues(patients: int) -> Callable:
    """Three tissues of each patient, of which two are alike: no sphericity."""

    def draw(rng: np.random.Generator) -> Question:
        patient, tissue = np.repeat(np.arange(patients), 3), np.tile([0, 1, 2], patients)
        own = 0.6 * rng.normal(size=(patients, 2, 8))
        logs = log_shares(rng, patients)[patient] + own[patient, np.minimum(tissue, 1)]
        counts = counts_of(rng, logs + 0.1 * rng.normal(size=logs.shape), 4000)
        sections = sections_of(counts, patient, tissue=tissue)
        return Question(Contrast("c", "groups", column="tissue", block="patient"), sections, counts)

    return draw
