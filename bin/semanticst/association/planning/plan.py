"""Plan of a study: power over patients, sections and effects as table, figure, and sentence for an application."""

import logging
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from semanticst import __version__
from semanticst.association.design.tables import read_clinical, read_contrast, read_sections
from semanticst.association.features.composition import read_counts
from semanticst.association.planning.power import Study, power
from semanticst.association.planning.variance import variance_components
from semanticst.errors import BadInput, Problem
from semanticst.plotting.palette import niche_colour
from semanticst.plotting.style import FAINT, STYLE, new_figure
from semanticst.units import percent
from semanticst.wording import plural
from semanticst.writing import atomic, write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variance:
    """Standard deviations of the log-ratio, where they come from in words, and the number of niches (if known)."""

    sd_between: float
    sd_within: float
    source: str
    n_niches: int = 1
    sd_response: float = 0.0


def given_variance(sd_between: float, sd_within: float | None, sd_response: float | None = None) -> Variance:
    """Variance as stated by the user; without ``sd_within`` sections of a patient are the same."""
    return Variance(sd_between, sd_within or 0.0, "as assumed", sd_response=sd_response or 0.0)


def variance_of_run(
    run: Path,
    outdir: Path,
    contrast: str | None = None,
    niche: str | None = None,
    sd_between: float | None = None,
    sd_within: float | None = None,
    sd_response: float | None = None,
) -> Variance:
    """Estimate from a finished run and write ``variance.csv``; stated values win.

    ``niche`` None: the medians over all niches. Raises BadInput when a file of the run is missing, when there is no
    such niche or contrast, or when patients have one section each and ``sd_within`` is needed but not stated.
    """
    info = run / "pipeline_info"
    files = {
        "counts": run / "niches" / "niche_counts.csv",
        "clinical": info / "clinical.valid.csv",
        "samplesheet": info / "samplesheet.valid.csv",
        "contrasts": info / "contrasts.valid.csv",
    }
    absent = [path for path in files.values() if not path.is_file()]
    if absent:
        raise BadInput([Problem(path, "this file of a finished run is missing") for path in absent])
    counts = read_counts(files["counts"])
    sections = read_sections(files["samplesheet"], read_clinical(files["clinical"]), counts)
    question = read_contrast(files["contrasts"], contrast) if contrast else None
    table = variance_components(counts, sections, question)
    write_table(outdir / "variance.csv", table)
    if niche is not None and niche not in set(table["niche"]):
        message = f"there is no such niche; niches: {', '.join(table['niche'])}"
        raise BadInput(Problem(files["counts"], message, column="niche", value=niche))
    chosen = table if niche is None else table[table["niche"] == niche]
    n_patients, n_sections = table.loc[0, ["n_patients", "n_sections"]]
    between = float(chosen["sd_between"].median()) if sd_between is None else sd_between
    within = float(chosen["sd_within"].median()) if sd_within is None else sd_within
    if np.isnan(between):
        raise BadInput(Problem(files["counts"], "there are too few patients for a standard deviation between them"))
    if np.isnan(within):
        log.warning(
            "no patient has two sections: what differs between sections is part of the SD between patients, and more "
            "sections seem to help nothing; state --sd-within if you know it"
        )
        within = 0.0
    name = "a typical niche" if niche is None else f"niche {niche}"
    source = f"estimated for {name} from {plural(int(n_patients), 'patient')} ({plural(int(n_sections), 'section')})"
    response = float(chosen["sd_response"].median()) if sd_response is None else sd_response
    return Variance(between, within, source, len(table), 0.0 if np.isnan(response) else response)


def plan_study(
    variance: Variance,
    outdir: Path,
    *,
    design: str = "groups",
    patients: tuple[int, ...],
    sections: tuple[int, ...],
    effects: tuple[float, ...],
    niches: int | None = None,
    events: float = 0.3,
    target: float = 0.8,
    studies: int = 2000,
    seed: int = 0,
) -> str:
    """Write ``power.csv``, the figure and ``power.txt`` into ``outdir``; returns the sentences.

    Raises BadInput when nothing varies: paired differences need ``sd_within``.
    """
    n_tests = niches or variance.n_niches
    if design == "paired" and variance.sd_within == variance.sd_response == 0:
        message = "differences within patients hang on the SD between sections; state --sd-within"
        raise BadInput(Problem("the plan", message, column="sd-within", value=0))
    if design == "paired" and variance.sd_response == 0:
        log.warning(
            "patients are taken to answer alike: state --sd-response, or --contrast of a run with pairs, if they do "
            "not; more sections else seem to buy what only patients can"
        )
    patients = tuple(sorted({max(p, 3) for p in patients}))
    rows = []
    for effect, each, n in product(sorted(set(effects)), sorted(set(sections)), patients):
        spread = variance.sd_between, variance.sd_within
        study = Study(design, n, each, effect, *spread, n_tests, events, variance.sd_response)
        row = {"design": design, "patients": n, "sections": each, "effect": effect}
        row |= {"sd_between": variance.sd_between, "sd_within": variance.sd_within, "n_tests": n_tests}
        row |= {"sd_response": variance.sd_response} if design == "paired" else {}
        rows.append(row | power(study, studies, seed))
    table = pd.DataFrame(rows)
    write_table(outdir / "power.csv", table)
    formats: dict[str, dict[str, Any]] = {"png": {"dpi": 150}, "pdf": {"metadata": {"CreationDate": None}}}
    with matplotlib.rc_context(STYLE):
        figure = draw_power(table, target)
        for ending, options in formats.items():
            with atomic(outdir / f"power.{ending}") as partial:
                figure.savefig(partial, bbox_inches="tight", facecolor="white", **options)
    text = sentences(table, variance, target, events, studies)
    with atomic(outdir / "power.txt") as partial:
        partial.write_text(text + "\n")
    return text


def sentences(table: pd.DataFrame, variance: Variance, target: float, events: float, studies: int) -> str:
    """For every effect: the fewest patients that reach the target, with the fewest sections; then how it was found."""
    design, n_tests = table.loc[0, "design"], int(table.loc[0, "n_tests"])
    parts = []
    for effect, rows in table.groupby("effect", sort=True):
        enough = rows[rows["power_corrected"] >= target].sort_values(["patients", "sections"])
        what = _effect_in_words(design, effect)
        if enough.empty:
            best = rows.loc[rows["power_corrected"].idxmax()]
            parts.append(
                f"For {what} none of these sizes reaches {percent(target)} power; {_size(design, best)} give "
                f"{percent(best['power_corrected'])}."
            )
            continue
        row = enough.iloc[0]
        parts.append(f"With {_size(design, row)} the study has {percent(row['power_corrected'])} power to find {what}.")
    test = "a permutation test of the Cox score" if design == "survival" else "a permutation test of patients"
    level = f"two-sided 0.05, corrected for {n_tests} niches" if n_tests > 1 else "two-sided 0.05"
    how = (
        f"Power of {test} at {level}, in {studies} simulated studies per size (nf-semanticst {__version__}), with a "
        f"standard deviation of the centred log-ratio of {variance.sd_between:.2f} between patients and "
        f"{variance.sd_within:.2f} between sections of a patient{_agreement(variance)}, {variance.source}"
    )
    if design == "paired":
        how += f" (and {variance.sd_response:.2f} between patients of the change itself)"
    how += f", and events in {percent(events)} of the patients." if design == "survival" else "."
    return " ".join([*parts, how])


def _agreement(variance: Variance) -> str:
    """How far sections of a patient agree, where both deviations are known."""
    if not variance.sd_within:
        return ""
    icc = variance.sd_between**2 / (variance.sd_between**2 + variance.sd_within**2)
    return f" (intraclass correlation {icc:.2f})"


def _effect_in_words(design: str, effect: float) -> str:
    if design == "survival":
        return f"a hazard ratio of {np.exp(effect):.2f} per standard deviation of the niche"
    return f"a difference of {effect:g} in the log-ratio of a niche (about {np.exp(effect):.1f} times as frequent)"


def _size(design: str, row: pd.Series) -> str:
    each = plural(int(row["sections"]), "section")
    if design == "groups":
        return f"{int(row['patients'])} patients per group and {each} each"
    return f"{int(row['patients'])} patients and {each} each" + (" on either side" if design == "paired" else "")


def draw_power(table: pd.DataFrame, target: float) -> Figure:
    """Corrected power over patients: a panel per effect, a line per number of sections."""
    effects = sorted(table["effect"].unique())
    design = table.loc[0, "design"]
    figure = new_figure(max(4.5, 3.4 * len(effects)), 3.4)
    axes = figure.subplots(1, len(effects), sharey=True, squeeze=False)[0]
    for ax, effect in zip(axes, effects):
        for i, (each, rows) in enumerate(table[table["effect"] == effect].groupby("sections")):
            ax.plot(rows["patients"], rows["power_corrected"], "o-", ms=4, color=niche_colour(i + 1),
                    label=plural(int(each), "section"))  # fmt: skip
        ax.axhline(target, color=FAINT, lw=1, ls="--")
        ratio = f"HR {np.exp(effect):.2f} per SD" if design == "survival" else f"difference {effect:g}"
        ax.set_title(ratio)
        ax.set_ylim(0, 1.03)
        ax.set_xlabel("patients per group" if design == "groups" else "patients")
    n_tests = int(table.loc[0, "n_tests"])
    axes[0].set_ylabel("power" + (f", corrected for {n_tests} niches" if n_tests > 1 else " at p < 0.05"))
    axes[-1].legend(loc="lower right")
    return figure
