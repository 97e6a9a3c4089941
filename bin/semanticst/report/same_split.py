"""Contrasts that split the patients in the same way: what they find is told twice, and is one piece of evidence."""

from collections.abc import Sequence

from semanticst.wording import joined, plural

EVENTS = {1.0: "event", 0.0: "censored"}


def same_splits(records: Sequence[dict]) -> list[tuple[list[str], str]]:
    """Names of contrasts of different columns with the same groups of patients, and the sentence that says so.

    records : ``{contrast}.association.json``. Survival splits by event and censored. Contrasts of a number, or in which
    a patient is in several groups, split nobody.
    """
    # who asks of one column twice, adjusted and not, knows that
    asked = {(r["contrast"].get("column"), r["contrast"].get("event")): r for r in reversed(records)}
    one_each = [r for r in records if any(r is first for first in asked.values())]
    splits = [(r["contrast"]["name"], split) for r in one_each if len(split := _split(r)) > 1]
    alike: dict[frozenset[frozenset[str]], list[tuple[str, dict[str, set[str]]]]] = {}
    for name, split in splits:
        alike.setdefault(frozenset(map(frozenset, split.values())), []).append((name, split))
    return [_said(same) for same in alike.values() if len(same) > 1]


def _split(record: dict) -> dict[str, set[str]]:
    """Patients of each group; empty where there are none, or where a patient is in several."""
    units, kind = record["units"], record["contrast"]["type"]
    patients = [str(unit["patient"]) for unit in units]
    if kind == "continuous" or len(set(patients)) < len(patients):
        return {}
    found: dict[str, set[str]] = {}
    for patient, unit in zip(patients, units):
        group = EVENTS[float(unit["event"])] if kind == "survival" else str(unit["value"])
        found.setdefault(group, set()).add(patient)
    return found


def _said(same: list[tuple[str, dict[str, set[str]]]]) -> tuple[list[str], str]:
    names = [name for name, _ in same]
    pairs = [
        " = ".join(next(group for group, own in split.items() if own == patients) for _, split in same)
        for patients in same[0][1].values()
    ]
    n = sum(len(patients) for patients in same[0][1].values())
    text = (
        f"{joined(names)} split the {plural(n, 'patient')} in the same way ({', '.join(sorted(pairs))}): what they "
        "find is one piece of evidence told several times, not several."
    )
    return names, text
