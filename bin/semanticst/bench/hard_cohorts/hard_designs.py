"""Cohorts without an effect in which something else than the outcome differs: what tests of patients trip over.

Each is a contrast with its sections and counts, as ``associate`` gets them, so that what guards a test (batches, log
cells, slopes of patients) is judged with it. Log shares are normal, with no difference in means.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.association.design.tables import Contrast

SPREAD = 0.8
"""SD of log shares between patients, where a design does not say another."""


@dataclass(frozen=True)
class Question:
    """A contrast, its sections, and counts per section and niche."""

    contrast: Contrast
    sections: pd.DataFrame
    counts: pd.DataFrame


@dataclass(frozen=True)
class HardDesign:
    """``draw`` makes a cohort; ``read`` is what is judged: niches, the composition, or both the niches and their q."""

    name: str
    draw: Callable[[np.random.Generator], Question]
    joint: bool = False


def _counts(rng: np.random.Generator, logs: np.ndarray, cells: np.ndarray | int, patch: int = 1) -> pd.DataFrame:
    """Cells of each section (rows of log shares) and niche, in patches of ``patch`` cells."""
    share = np.exp(logs)
    drawn = rng.multinomial(np.maximum(np.resize(cells, len(logs)) // patch, 1), share / share.sum(1, keepdims=True))
    return _named(drawn * patch)


def _named(counts: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(counts, [f"s{i:03d}" for i in range(len(counts))], range(1, counts.shape[1] + 1))


def _logs(rng: np.random.Generator, n: int, spread: np.ndarray | float = SPREAD, niches: int = 8) -> np.ndarray:
    return np.linspace(1, -1, niches) + np.resize(spread, n)[:, None] * rng.normal(size=(n, niches))


def _sections(counts: pd.DataFrame, patient: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({k: [str(v) for v in values] for k, values in columns.items()}, counts.index)
    return table.assign(patient=[f"p{p:03d}" for p in patient])


def _groups(counts: pd.DataFrame, sizes: tuple[int, ...], **columns: np.ndarray) -> Question:
    group = np.repeat(np.arange(len(sizes)), sizes)
    sections = _sections(counts, np.arange(len(group)), group=group, **columns)
    return Question(Contrast("c", "groups", column="group"), sections, counts)


def normal(*sizes: int, spread: tuple[float, ...] = (SPREAD,), niches: int = 8) -> Callable:
    """Groups of these sizes, each with its own spread."""

    def draw(rng: np.random.Generator) -> Question:
        each = np.repeat(np.resize(spread, len(sizes)), sizes)
        return _groups(_counts(rng, _logs(rng, sum(sizes), each, niches), 4000), sizes)

    return draw


def cells_by_group(few: int, many: int, patch: int = 1) -> Callable:
    """12 + 12 patients, those of one group with fewer cells."""

    def draw(rng: np.random.Generator) -> Question:
        cells = np.repeat([few, many], 12) * np.exp(0.3 * rng.normal(size=24))
        return _groups(_counts(rng, _logs(rng, 24), cells.astype(int), patch), (12, 12))

    return draw


def present_or_absent(*sizes: int) -> Callable:
    """Five of eight niches are in one patient of two only."""

    def draw(rng: np.random.Generator) -> Question:
        logs = _logs(rng, sum(sizes))
        logs[:, 3:] = np.where(rng.random((len(logs), 5)) < 0.5, logs[:, 3:], -30.0)
        return _groups(_counts(rng, logs, 4000), sizes)

    return draw


def courses(patients: int, times: int, slope: float) -> Callable:
    """Each patient changes in his or her own way (SD of the slope per step); no mean trend."""

    def draw(rng: np.random.Generator) -> Question:
        patient, time = np.repeat(np.arange(patients), times), np.tile(np.arange(times), patients)
        logs = _logs(rng, patients)[patient] + (slope * rng.normal(size=(patients, 8)))[patient] * time[:, None]
        counts = _counts(rng, logs + 0.3 * rng.normal(size=logs.shape), 2000)
        sections = _sections(counts, patient, day=time)
        return Question(Contrast("c", "continuous", column="day", block="patient"), sections, counts)

    return draw


def nested_batches(per_group: int, patients: int, spread: float) -> Callable:
    """Every batch has one group; batches differ (SD)."""

    def draw(rng: np.random.Generator) -> Question:
        batch = np.repeat(np.arange(2 * per_group), patients)
        logs = _logs(rng, len(batch), 0.7) + (spread * rng.normal(size=(2 * per_group, 8)))[batch]
        n = per_group * patients
        return _groups(_counts(rng, logs, 4000), (n, n), batch=batch)

    return draw


def uneven_batches(effect: float, many: int = 9, few: int = 3) -> Callable:
    """``many`` patients of a group in one batch and ``few`` in the other, and the reverse; a batch changes a niche."""

    def draw(rng: np.random.Generator) -> Question:
        batch, n = np.repeat([0, 1, 0, 1], (many, few, few, many)), many + few
        logs = _logs(rng, 2 * n)
        logs[:, 1] += effect * batch
        return _groups(_counts(rng, logs, 4000), (n, n), batch=batch)

    return draw


def survival(
    patients: int,
    events: float = 0.3,
    *,
    followed_by_niche: float = 0.0,
    batch: float = 0.0,
    times: int = 0,
    covariate: float = 0.0,
) -> Callable:
    """Survival that no niche goes with.

    ``followed_by_niche``: a niche that is in 20 % of the patients, who are followed exp of that longer. ``batch``:
    patients of the second half died later, and the batch changes niche 2 by that log-ratio. ``times``: distinct times.
    ``covariate``: correlation of a prognostic covariate with niche 2.
    """

    def draw(rng: np.random.Generator) -> Question:
        logs = _logs(rng, patients)
        columns: dict[str, np.ndarray] = {}
        covariates: tuple[str, ...] = ()
        lifetime, followed = rng.exponential(size=patients), rng.uniform(0.5, 1.7, patients)
        if followed_by_niche:
            carrier = rng.random(patients) < 0.2
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
        cut = np.sort(lifetime / followed)[round(events * patients) - 1] * (1 + 1e-9)
        time, event = np.minimum(lifetime, followed * cut), (lifetime <= followed * cut).astype(int)
        if times:
            time = np.ceil(time / time.max() * times)
        counts = _counts(rng, logs, 2000)
        sections = _sections(counts, np.arange(patients), months=time, dead=event, **columns)
        asked = Contrast("c", "survival", time="months", event="dead", event_value="1", covariates=covariates)
        return Question(asked, sections, counts)

    return draw


HARD = (
    HardDesign("cells 200 v 5,000, 12 + 12", cells_by_group(200, 5000)),
    HardDesign("cells 1,000 v 20,000 in patches of 50, 12 + 12", cells_by_group(1000, 20000, 50)),
    HardDesign("own courses, 8 patients, 3 times", courses(8, 3, 0.5)),
    HardDesign("own courses, 8 patients, 5 times", courses(8, 5, 0.3)),
    HardDesign("own courses, whole composition, 8 patients, 5 times", courses(8, 5, 0.3), joint=True),
    HardDesign("SD 1.2 and 0.4, 5 + 15", normal(5, 15, spread=(1.2, 0.4))),
    HardDesign("SD 1.2 and 0.4, 5 + 15, whole composition", normal(5, 15, spread=(1.2, 0.4)), joint=True),
    HardDesign("SD 1.2, 1.2, 0.4, 4 + 4 + 16", normal(4, 4, 16, spread=(1.2, 1.2, 0.4))),
    HardDesign(
        "SD 0.8, 0.6, 0.4, 5 + 10 + 15, whole composition", normal(5, 10, 15, spread=(0.8, 0.6, 0.4)), joint=True
    ),
    HardDesign("nested batches, 3 of 8 patients a group", nested_batches(3, 8, 0.7)),
    HardDesign("nested batches, 5 of 4 patients a group", nested_batches(5, 4, 0.4)),
    HardDesign("batches 9 + 3 v 3 + 9, a niche six times as frequent", uneven_batches(1.8)),
    HardDesign("batches 24 + 16 v 16 + 24, a niche six times as frequent", uneven_batches(1.8, 24, 16)),
    HardDesign("3 + 3", normal(3, 3)),
    HardDesign("4 + 4", normal(4, 4)),
    HardDesign("3 + 3, niches present or absent", present_or_absent(3, 3)),
    HardDesign("4 + 4, niches present or absent", present_or_absent(4, 4)),
    HardDesign("survival, 40, batch with early and late deaths", survival(40, 0.8, batch=1.6)),
    HardDesign("survival, 60, carriers followed longer", survival(60, 0.3, followed_by_niche=1.0)),
    HardDesign("survival, 60, carriers followed shorter", survival(60, 0.3, followed_by_niche=-1.0)),
    HardDesign("survival, 60, five distinct times", survival(60, 0.4, times=5)),
    HardDesign("survival, 40, 8 events, penalised, prognostic covariate", survival(40, 0.2, covariate=0.7)),
)
