"""Sentences of the summary of a run: cohort, samples, niches, findings; of the facts in `summary_facts`."""

from collections.abc import Sequence

import pandas as pd

from semanticst.association.stats.results import SIGNIFICANT
from semanticst.constants import is_singled_out
from semanticst.wording import ARBITRARY_CUTS, AT_RANDOM, joined, numbered, plural, spans

_CUTS = f"They are {ARBITRARY_CUTS}."


def cohort_sentence(cohort: dict, mapped: bool = False) -> str:
    """How many patients, samples and cells, from where, and which are of a validation. ``mapped``: onto a model."""
    used = f"{plural(cohort['samples'], 'sample')} of {plural(cohort['patients'], 'patient')}"
    platforms = joined(sorted(cohort["platforms"])) if cohort["platforms"] else ""
    batches = f", in {cohort['batches']} batches" if cohort["batches"] > 1 else ""
    text = f"{used}{f' ({platforms})' if platforms else ''}, {cohort['cells']:,} cells{batches}."
    if not cohort["parts"]:
        return text
    discovery, validation = (
        f"{plural(of['samples'], 'sample')} of {plural(of['patients'], 'patient')}" for of in cohort["parts"].values()
    )
    if mapped:
        return f"{text} {discovery} are the discovery, {validation} the validation; all are mapped onto the model."
    return f"{text} Niches are found on the discovery, {discovery}; the validation, {validation}, is mapped onto it."


def samples_sentence(cohort: dict, left_out: list[dict]) -> str:
    """Which samples the samplesheet leaves out, which of the others failed, and which have a warning."""
    failed = [row["sample"] for row in left_out if row["status"] == "fail"]
    excluded = [row["sample"] for row in left_out if row["status"] == "excluded"]
    judged = cohort["samples_given"] - len(excluded)
    if not judged:
        return f"The samplesheet excludes all {plural(len(excluded), 'sample')}."
    if excluded:
        head = f"The samplesheet has {plural(cohort['samples_given'], 'sample')} and excludes {len(excluded)} of them"
        of = f"the other {judged}" if judged > 1 else "the other one"
        told = f"{len(failed)} of {of} failed quality control: {few(failed)}" if failed else ""
        passed = f"{of[:1].upper()}{of[1:]} passed quality control"
        return f"{head}: {few(excluded)}. {told or passed}{_warned(cohort['warned'], judged, bool(failed))}"
    if failed:
        told = f"{failed_of(len(failed), judged)} quality control: {few(failed)}"
        return f"{told}{_warned(cohort['warned'], judged, True)}"
    told = "The only sample passed quality control" if judged == 1 else f"All {judged} samples passed quality control"
    return f"{told}{_warned(cohort['warned'], judged, False)}"


def _warned(names: list[str], judged: int, failed: bool) -> str:
    """The end of a sentence: which samples that passed have a warning; of ``judged`` ones, whether some ``failed``."""
    if not names:
        return "."
    if failed:
        verb = "has" if len(names) == 1 else "have"
        return f". {plural(len(names), 'other')} {verb} a warning: {few(names)}."
    return ", with a warning." if judged == 1 else f", {len(names)} of them with a warning: {few(names)}."


def are_arbitrary_cuts(niches: dict | None) -> bool:
    """Whether the tissue, here or of the model that was mapped onto, does not support the number of niches."""
    return niches is not None and not niches["supported"]


def cuts_caution(niches: dict) -> str:
    """The first of the cautions, where niches are arbitrary cuts."""
    what, which = _unsupported(niches)
    return f"{what}: {which} are arbitrary cuts."


def _unsupported(niches: dict) -> tuple[str, str]:
    """What the tissue does not support, and how the niches are called then."""
    if niches["no_number"]:
        return niches["no_number"], f"the {niches['number']} found"
    tissue = "The tissue of the model" if niches["mapped"] else "The tissue"
    return f"{tissue} does not support {plural(niches['number'] - niches['added'], 'niche')}", "they"


def niches_sentence(niches: dict | None) -> str:
    """How many niches, and how sure they are."""
    if niches is None:
        return "None were sought: the run ended with quality control, as it was asked to."
    number = niches["number"]
    if are_arbitrary_cuts(niches):
        what, which = _unsupported(niches)
        text = f"{what}: {which} are not clearly more reproducible than niches of shuffled cells. {_CUTS}"
        if not niches.get("arranged", True):
            text = f"{what}: {AT_RANDOM}. The niches found are {ARBITRARY_CUTS}."
        return f"{text} {_added(niches['added'])}" if niches["added"] else text
    recurring = "" if niches["one_patient"] else " that recur in the cohort"
    text = f"{plural(number, 'niche')} (kinds of tissue neighbourhood{recurring})."
    if niches["mapped"]:
        which = "The others" if niches["added"] else "They"
        added = f" {_added(niches['added'])}" if niches["added"] else ""
        return f"{text}{added} {which} are those of the model. {_of_the_model(niches)}"
    if not is_singled_out(several := niches["about_as_stable"]):
        text += f" The tissue does not single out their number: {spans(several)} are about as stable."
    if niches.get("two_are_better"):
        text += f" {niches['two_are_better']}"
    if not niches["judged"]:
        return f"{text} Their reproducibility with other patients was not judged."
    unsure, sure = niches["unsure"], number - len(niches["unsure"])
    if niches["one_patient"]:
        drawn = "when cells of the one patient are resampled (bootstrap), which says nothing of other patients"
    else:
        drawn = "when patients are resampled (bootstrap)"
    if not unsure:
        return f"{text} All of them are reproducible {drawn}."
    names = numbered(unsure)
    advice = f"Do not interpret {names}; try fewer niches (--niche_k)."
    verb = "is" if sure == 1 else "are"
    return f"{text} {sure} of them {verb} reproducible {drawn}. {advice}"


def _added(n: int) -> str:
    return (
        f"The last {n if n > 1 else 'one'} {'were' if n > 1 else 'was'} added for cells that fit none of the model's."
    )


_RESAMPLED = "the patients of the model were resampled (bootstrap; of a single patient, the cells)"
"""A model does not say how many patients it had."""


def _of_the_model(niches: dict) -> str:
    if not niches["judged"]:
        return "Their reproducibility was not judged where the model was trained."
    unsure, number = niches["unsure"], niches["number"] - niches["added"]
    limits = "which says nothing of these samples: see their fit"
    if not unsure:
        return f"All were reproducible when {_RESAMPLED}, {limits}."
    sure = number - len(unsure)
    verb = "was" if sure == 1 else "were"
    return (
        f"{sure} of them {verb} reproducible when {_RESAMPLED}, {limits}. "
        f"Do not interpret {numbered(unsure)}; their number is that of the model, and another one needs another model."
    )


def findings_sentence(contrasts: list[dict], tests: pd.DataFrame) -> str:
    """How many tests pass, within their contrast and over all of them."""
    if not contrasts:
        return ""
    n, found = int(tests["p"].notna().sum()), int((tests["q"] < SIGNIFICANT).sum())
    if not n:
        return "Nothing could be tested."
    verb = "passes" if found == 1 else "pass"
    parts = [contrast["validation"] for contrast in contrasts if contrast["validation"]]
    where = " in the discovery" if parts else ""
    text = f"{found} of {plural(n, 'test')}{where} {verb} a false discovery rate of 5 %"
    if len(contrasts) > 1:
        run = int((tests["q_run"] < SIGNIFICANT).sum())
        whose = "its" if found == 1 else "their"
        text += f" within {whose} contrast ({len(contrasts)} contrasts), {run} over all contrasts together"
    if found and parts:
        text += f"; {_confirmed(parts, found)}"
    doubtful = sum(finding["caveat"] != "" for contrast in contrasts for finding in contrast["findings"])
    if not doubtful:
        return f"{text}."
    which = "none" if doubtful == found else f"{doubtful}"
    but = f"{which} of them can be interpreted" if doubtful == found else f"{which} of them cannot be interpreted"
    return f"{text}; {but}, see there."


def _confirmed(parts: Sequence[dict], found: int) -> str:
    """How many of the ``found`` findings the validation confirms, of the ``parts`` of all contrasts in it."""
    if all(part["not_testable"] for part in parts):
        return "the validation could not be tested"
    confirmed, asked = (sum(part[name] for part in parts) for name in ("n_confirmed", "n_found"))
    pairs = "" if asked == found else ", pairs of groups among them"
    return f"the validation confirms {confirmed} of {asked}{pairs}"


def failed_of(n: int, given: int) -> str:
    """``1 of 5 samples failed``."""
    return f"{n} of {plural(given, 'sample')} failed"


def few(names: Sequence[str], most: int = 5) -> str:
    """``a, b and c``; of more than ``most`` the first."""
    more = len(names) - most
    return joined(list(names)) if more <= 0 else f"{', '.join(names[:most])} and {more} more"
