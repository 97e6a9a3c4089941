"""Samples that may be mixed up: twins under two names, sections unlike their patient, genes of the other sex."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import betainc

from semanticst.qc.fingerprint import part_told
from semanticst.qc.swaps import Swaps, find_swaps
from semanticst.units import percent

LEAST_SHARED = 5
"""Hashes in common, where chance gives none."""
BY_CHANCE = 0.01
"""Cohorts without twins in which a pair of samples may look like some, at most."""
LEAST_PLACES = 8
"""Places in common; among the 7,140 pairs of 120 images with coordinates in whole pixels none had more than 1."""
TWINS = {
    "counts": "cells of the same values",
    "cells": "cells of the same id and place",
    "places": "cells among the same neighbours, whatever their ids and however the section is turned,",
    "patterns": "cells with the same features, whatever their values,",
}
"""What two sections have in common, by the sketch that tells it; the plainest first."""
AT_LEAST = frozenset({"places", "patterns"})
"""Sketches that cells of one section may miss: one neighbour less, one count more."""
LEAST_FEATURES = 20
LEAST_SECTIONS = 6
MOSTLY = 0.75
"""Share of the sections with others of their patient that resemble these most: only where patients are told apart so
well, one that is not stands out."""
LEAST_SEX_COUNTS = 20
CLEARLY = 10
"""Times as many counts in genes of one sex as in those of the other; tumours lose Y, and Xi."""


def mix_ups(records: list[dict], sexes: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """Reasons to look at samples, by sample. records : of the quality control, with their ``fingerprint``.

    sexes : patient -> female or male, as the clinical table says.
    """
    found: dict[str, list[str]] = {}
    known = [record for record in records if record.get("fingerprint")]
    for reasons in (_twins(known), _unlike_their_patient(known), _other_sex(known, sexes or {})):
        for sample, reason in reasons:
            found.setdefault(sample, []).append(reason)
    return found


def _twins(records: list[dict]) -> list[tuple[str, str]]:
    reasons = []
    for one, other, words in _pairs_of_twins(records):
        pairs = ((one["sample"], other["sample"]), (other["sample"], one["sample"]))
        reasons += [(name, words.format(twin)) for name, twin in pairs]
    return reasons


def _pairs_of_twins(records: list[dict]) -> list[tuple[dict, dict, str]]:
    """Two records, and what they share, in words with a place for the other's name."""
    found = []
    chance = BY_CHANCE / max(len(records) * (len(records) - 1) // 2, 1)
    for one, other in combinations(records, 2):
        for kind, words in TWINS.items():
            share = shared(one["fingerprint"], other["fingerprint"], kind, chance)
            if share:
                about = "at least" if kind in AT_LEAST else "about"
                rest = f"({about} {percent(share)} of both): one section under two names?"
                found.append((one, other, f"shares {words} with " + "{} " + rest))
                break
    return found


def _without_doubles(records: list[dict]) -> list[dict]:
    """Records without twins of other patients, which would make two patients look like one: that of the patient with
    fewer sections, or both."""
    sections = Counter(record["patient"] for record in records)
    doubles = set()
    for one, other, _ in _pairs_of_twins(records):
        if one["patient"] != other["patient"]:
            fewest = min(sections[one["patient"]], sections[other["patient"]])
            doubles |= {r["sample"] for r in (one, other) if sections[r["patient"]] == fewest}
    return [record for record in records if record["sample"] not in doubles]


def shared(one: dict, other: dict, kind: str, chance: float) -> float:
    """Jaccard index of the cells of two fingerprints, estimated from the smallest hashes of a ``kind`` (Broder 1997).

    0 where no more are in common than chance gives in a share ``chance`` of pairs without twins.
    """
    own, others = one.get(kind, []), other.get(kind, [])
    common = set(own) & set(others)
    doubles = sum(record.get("doubles", {}).get(kind, 0) for record in (one, other))
    least = LEAST_PLACES if kind == "places" else LEAST_SHARED
    if len(common) < least or by_chance(len(common), doubles, min(part_told(own), part_told(others))) > chance:
        return 0.0
    smallest = sorted(set(own) | set(others))[: min(len(own), len(others))]
    return len(common.intersection(smallest)) / len(smallest)


def by_chance(common: int, doubles: int, part: float) -> float:
    """Probability, at most, that two samples without twins have ``common`` hashes and more in common, of a ``part`` of
    all, each once in both, beside ``doubles`` that occur twice within one of them.

    Of hashes that a and b cells have on average (Poisson), sum(a b e^(-a-b)) are expected once in both samples. That is
    no more than sqrt(sum(a^2 e^-a) sum(b^2 e^-b)), whatever the tissues (Cauchy-Schwarz), and that no more than are
    expected twice within one or the other. So of all these no more than part / (1 + part) are expected in common
    (conditional test of two Poisson rates).
    """
    return float(betainc(common, doubles + 1, part / (1 + part)))


def swaps_not_checked(records: list[dict]) -> str:
    """Why it cannot be told whether sections were exchanged between patients; empty where it can."""
    known = [record for record in records if record.get("fingerprint")]
    if not known:
        return ""
    compared = _compared(known)
    return compared if isinstance(compared, str) else find_swaps(compared.alike, compared.owners).not_checked


@dataclass
class _Compared:
    names: list[str]
    owners: np.ndarray
    alike: np.ndarray
    """Correlation of profiles, NaN on the diagonal."""


def _compared(records: list[dict]) -> _Compared | str:
    """Resemblance of the sections that did not fail and are no doubles of others, or why it cannot be told."""
    records = _without_doubles(records)
    profiles = pd.DataFrame({r["sample"]: r["fingerprint"]["profile"] for r in records if r["status"] != "fail"})
    if profiles.shape[1] < 2:
        return "there is one sample" if len(records) == 1 else "fewer than two samples can be compared"
    profiles = profiles.dropna()
    profiles = profiles[profiles.std(axis=1) > 0]
    if len(profiles) < LEAST_FEATURES:
        return f"{len(profiles)} features that vary are in all samples, at least {LEAST_FEATURES} are needed"
    patient = {r["sample"]: r["patient"] for r in records}
    alike = profiles.sub(profiles.mean(axis=1), axis=0).corr().to_numpy(copy=True)
    np.fill_diagonal(alike, np.nan)
    return _Compared(list(map(str, profiles)), np.array([patient[name] for name in profiles]), alike)


def _unlike_their_patient(records: list[dict]) -> list[tuple[str, str]]:
    """Sections that were exchanged, and those that resemble another patient most where most resemble their own."""
    compared = _compared(records)
    if isinstance(compared, str):
        return []
    swaps = find_swaps(compared.alike, compared.owners)
    reasons, owners = _exchanged(swaps, compared)
    return reasons + _strangers(compared, owners, {name for name, _ in reasons})


def _exchanged(swaps: Swaps, compared: _Compared) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Reasons of sections that seem exchanged, and the patients of all sections once they are exchanged back."""
    names, owners, right = compared.names, compared.owners, compared.owners.copy()
    reasons = []
    for pair in swaps.pairs:
        two_each = all((owners == owners[section]).sum() == 2 for section in pair)
        for one, other in (pair, pair[::-1]):
            right[one] = owners[other]
            told = f"{percent(swaps.share)} of the sections then resemble their own patient most"
            which = "; with two sections each, their others may be the swapped ones" if two_each else ""
            text = f"seems exchanged with {names[other]} of patient {owners[other]} ({told}{which}): swapped?"
            reasons.append((names[one], text))
            if two_each:
                partner = next(i for i in np.flatnonzero(owners == owners[one]) if i != one)
                text = f"unlike {names[one]} of its patient, which {text}"
                reasons.append((names[partner], text))
    return reasons, right


def _strangers(compared: _Compared, owners: np.ndarray, told: set[str]) -> list[tuple[str, str]]:
    """Single sections that resemble another patient more than their own; not those that were ``told`` already."""
    alike = compared.alike
    siblings = np.array([(owners == owner).sum() > 1 for owner in owners])
    names = np.unique(owners)
    # mean over the sections of each patient, a section's own place left out: one swapped section is outvoted
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(alike)
        to_patient = np.column_stack(
            [
                np.where(known, alike, 0)[:, owners == name].sum(axis=1) / known[:, owners == name].sum(axis=1)
                for name in names
            ]
        )
    nearest = names[np.nan_to_num(to_patient, nan=-np.inf).argmax(axis=1)]
    own = nearest == owners
    if siblings.sum() < LEAST_SECTIONS or len(names) < 3 or own[siblings].mean() < MOSTLY:
        return []
    return [
        (
            compared.names[i],
            f"resembles patient {nearest[i]} more than the other sections of its own patient "
            f"({percent(own[siblings].mean())} of such sections resemble their own): swapped?",
        )
        for i in np.flatnonzero(siblings & ~own)
        if compared.names[i] not in told
    ]


def sex_of(record: dict) -> str:
    """``female``, ``male``, or ``""`` where the genes of sex do not tell clearly."""
    counts = record["fingerprint"].get("sex") or {"x": 0, "y": 0}
    tells: dict[str, Callable[[], bool]] = {
        "female": lambda: counts["x"] >= max(LEAST_SEX_COUNTS, CLEARLY * counts["y"]),
        "male": lambda: counts["y"] >= max(LEAST_SEX_COUNTS, CLEARLY * counts["x"]),
    }
    return next((sex for sex, tell in tells.items() if tell()), "")


def _other_sex(records: list[dict], sexes: Mapping[str, str]) -> list[tuple[str, str]]:
    told = {record["sample"]: sex_of(record) for record in records}
    by_patient: dict[str, set[str]] = {}
    for record in records:
        if told[record["sample"]]:
            by_patient.setdefault(record["patient"], set()).add(told[record["sample"]])
    reasons = []
    for record in records:
        sample, patient = record["sample"], record["patient"]
        sex, stated = told[sample], sexes.get(patient, "")
        counts = record["fingerprint"].get("sex", {})
        if sex and stated and sex != stated:
            genes = f"{counts['x']:,.0f} counts of XIST, {counts['y']:,.0f} of genes of Y"
            reasons.append((sample, f"genes of sex are {sex} ({genes}), the tables say {stated}: swapped?"))
        elif sex and not stated and len(by_patient[patient]) > 1:
            reasons.append((sample, f"genes of sex are {sex}, in other sections of the patient they are not: swapped?"))
    return reasons
