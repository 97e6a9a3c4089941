"""Samples that may be mixed up: twins under two names, sections unlike their patient, genes of the other sex."""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

LEAST_SHARED = 5
"""Hashes in common; by chance two samples have none."""
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
    for one, other in combinations(records, 2):
        for kind, words in (("counts", "cells of the same values"), ("cells", "cells of the same id and place")):
            share = shared(one["fingerprint"][kind], other["fingerprint"][kind])
            if share:
                rest = f"(about {share:.0%} of both): one section under two names?"
                pairs = ((one["sample"], other["sample"]), (other["sample"], one["sample"]))
                reasons += [(name, f"shares {words} with {twin} {rest}") for name, twin in pairs]
                break
    return reasons


def shared(one: list[int], other: list[int]) -> float:
    """Jaccard index of two sets, estimated from their smallest hashes (Broder 1997); 0 below `LEAST_SHARED`."""
    common = set(one) & set(other)
    if len(common) < LEAST_SHARED:
        return 0.0
    smallest = sorted(set(one) | set(other))[: min(len(one), len(other))]
    return len(common.intersection(smallest)) / len(smallest)


def _unlike_their_patient(records: list[dict]) -> list[tuple[str, str]]:
    """Sections that resemble another patient most, in a cohort where most resemble their own."""
    profiles = pd.DataFrame({r["sample"]: r["fingerprint"]["profile"] for r in records if r["status"] != "fail"})
    profiles = profiles.dropna()
    profiles = profiles[profiles.std(axis=1) > 0]
    if len(profiles) < LEAST_FEATURES:
        return []
    patient = {r["sample"]: r["patient"] for r in records}
    owners = np.array([patient[name] for name in profiles])
    siblings = np.array([(owners == owner).sum() > 1 for owner in owners])
    alike = profiles.sub(profiles.mean(axis=1), axis=0).corr().to_numpy(copy=True)
    np.fill_diagonal(alike, np.nan)
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
            str(profiles.columns[i]),
            f"resembles patient {nearest[i]} more than the other sections of its own patient "
            f"({own[siblings].mean():.0%} of such sections resemble their own): swapped?",
        )
        for i in np.flatnonzero(siblings & ~own)
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
