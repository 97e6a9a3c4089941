"""Shuffled outcomes on the fixed niches of a finished run: the share of shuffles that find anything.

``./semanticst bench shuffled`` hands the outcomes of patients to other patients, which leaves the niches, their numbers
of cells and the batches as they are, and repeats the association with all that guards it.
"""

from time import process_time

import click
import numpy as np
import pandas as pd

from semanticst.association.design.batch import account_for_batch
from semanticst.association.design.design import build_design
from semanticst.association.design.tables import (
    Contrast,
    read_clinical,
    read_contrast,
    read_sections,
    read_text_table,
)
from semanticst.association.features.composition import read_counts
from semanticst.association.stats.linear_contrast import Settings
from semanticst.association.stats.results import benjamini_hochberg
from semanticst.bench.hard_cohorts.hard_designs import Question
from semanticst.bench.hard_cohorts.hard_tests import LEVEL, judge_question, quiet
from semanticst.cli import EXISTING_FILE, seed_option, step

ALLOWED = 0.07
"""Wanted: any q < 0.05 in at most this proportion of shuffles."""


@step()
@click.option("--counts", type=EXISTING_FILE, required=True, help="niches/niche_counts.csv of the run.")
@click.option("--input", "sheet", type=EXISTING_FILE, required=True, help="Its samplesheet.")
@click.option("--clinical", type=EXISTING_FILE, required=True, help="Its clinical table.")
@click.option(
    "--contrasts", type=EXISTING_FILE, required=True, help="Its contrasts; those between patients are judged."
)
@click.option("--shuffles", type=click.IntRange(20), default=200, show_default=True, help="Per contrast.")
@click.option("--permutations", type=click.IntRange(99), default=999, show_default=True, help="Of each test.")
@seed_option
def shuffled(counts, sheet, clinical, contrasts, shuffles, permutations, seed):
    """Findings among shuffled outcomes, on the niches of a finished run."""
    niches = read_counts(counts)
    sections = read_sections(sheet, read_clinical(clinical), niches)
    names = read_text_table(contrasts, ("contrast",))["contrast"]
    click.echo(
        "| Contrast | Patients | Shuffles | p ≤ 0.05 | ± | Any q < 0.05 | Whole composition, p ≤ 0.05 | Seconds |"
    )
    click.echo("|---|--:|--:|--:|--:|--:|--:|--:|")
    with quiet():
        for name in names:
            click.echo(row(read_contrast(contrasts, name), sections, niches, shuffles, permutations, seed))
    click.echo(f"\nWanted: any q < 0.05 in at most {ALLOWED} of shuffles.")


def row(
    contrast: Contrast, sections: pd.DataFrame, counts: pd.DataFrame, shuffles: int, permutations: int, seed: int
) -> str:
    """A row of the table, as Markdown."""
    begun = process_time()
    sections = sections[sections["patient"].isin(sections.loc[counts.index, "patient"])].loc[counts.index]
    design, _ = account_for_batch(build_design(contrast, sections))
    if design.untestable or design.within_patient:
        why = design.untestable or "compared within patients: there is no outcome to hand on"
        return f"| {contrast.name}: {why} |" + " |" * 7
    found = []
    for i in range(shuffles):
        question = Question(contrast, hand_on(sections, outcome_of(contrast), np.random.default_rng([seed, i])), counts)
        found.append(judge_question(question, Settings(permutations=permutations, seed=i), joint=True))
    tested = [p[np.isfinite(p)] for p in (f.p for f in found) if np.isfinite(p).any()]
    rates = np.array([(p <= LEVEL).mean() for p in tested])
    any_q = np.mean([(benjamini_hochberg(p) < LEVEL).any() for p in tested])
    joint = np.mean([f.joint <= LEVEL for f in found if np.isfinite(f.joint)])
    cells = [f"{v:.3f}" for v in (rates.mean(), rates.std(ddof=1) / np.sqrt(len(rates)), any_q, joint)]
    numbers = [str(len(np.unique(design.patients))), str(len(tested)), *cells, f"{process_time() - begun:.0f}"]
    return f"| {contrast.name} | " + " | ".join(numbers) + " |"


def outcome_of(contrast: Contrast) -> list[str]:
    """Columns that say what patients are compared for."""
    return [c for c in (contrast.column, contrast.time, contrast.event) if c]


def hand_on(sections: pd.DataFrame, columns: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The sections with the outcomes of the patients, together, in the hands of other patients."""
    outcome = sections.groupby("patient")[columns].first()
    other = pd.DataFrame(outcome.to_numpy()[rng.permutation(len(outcome))], outcome.index, columns)
    return sections.assign(**{c: sections["patient"].map(other[c]) for c in columns})


if __name__ == "__main__":
    shuffled()
