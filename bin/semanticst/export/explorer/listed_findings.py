"""Findings of all contrasts, smallest p first, with the sections in which to look."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semanticst.association.checks.arbitrary_cuts import ARBITRARY
from semanticst.association.checks.unreproducible import UNREPRODUCIBLE
from semanticst.association.output.all_contrasts import all_tests
from semanticst.errors import BadInput, Problem

MOST = 40
_KEY = ("contrast", "niche", "feature", "comparison")
_NUMBERS = ("effect", "ci_low", "ci_high", "p", "q", "q_run")
_TEXTS = ("comparison", "effect_type", "feature", "warnings")
_NOT_TO_BE_INTERPRETED = (ARBITRARY, UNREPRODUCIBLE)


def read_findings(records: Sequence[Path], n_niches: int) -> list[dict[str, Any]]:
    """Tests of single niches that have a p, from ``{contrast}.association.json`` of every contrast.

    ``id`` (of the address: ``contrast/niche/feature/comparison``), ``contrast``, ``variable`` (column compared),
    ``niche``, effect, interval, p and q as in the tables, ``found`` (q < 0.05), ``sentence`` where the report has one,
    ``sections`` (of the contrast), ``caveat`` (why the row should not be interpreted; empty where it can be). Raises
    BadInput when a record cannot be read, or is of a run with more niches.
    """
    found = [_read(path, n_niches) for path in sorted(records)]
    if not found:
        return []
    said: dict[tuple[str, ...], str] = {}
    for record in found:
        for entry in [*record.get("found", []), *([record["nearest"]] if record.get("nearest") else [])]:
            key = (record["contrast"]["name"], str(entry["niche"]), entry["feature"], entry["comparison"])
            said[key] = entry.get("sentence", "")
    about = {record["contrast"]["name"]: record for record in found}
    listed = []
    for row in all_tests(found).to_dict("records"):
        if not str(row["niche"]).isdigit() or row["p"] != row["p"]:
            continue
        record = about[row["contrast"]]
        listed.append(
            {
                "id": "/".join(str(row[name]) for name in _KEY),
                "contrast": row["contrast"],
                "variable": record["contrast"].get("column") or record["contrast"].get("event") or "",
                "niche": int(row["niche"]),
                "found": bool(row["q"] < 0.05),
                "sentence": said.get(tuple(str(row[name]) for name in _KEY), ""),
                "caveat": _caveat(row["warnings"]),
                "sections": [str(name) for name in record.get("sections", [])],
                **{name: _finite(row[name]) for name in _NUMBERS},
                **{name: "" if row[name] != row[name] or row[name] is None else str(row[name]) for name in _TEXTS},
            }
        )
    return listed[:MOST]


def _caveat(warnings: object) -> str:
    said = [part for part in str(warnings).split("; ") if part in _NOT_TO_BE_INTERPRETED]
    return f"Not to be interpreted: {said[0].removesuffix(': not to be interpreted')}." if said else ""


def _finite(value: Any) -> float | None:
    """JSON has neither infinity nor NaN: an interval without an end has none."""
    return float(value) if value is not None and math.isfinite(float(value)) else None


def _read(path: Path, n_niches: int) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not record["contrast"]["name"] or not isinstance(record["rows"], list):
            raise ValueError("no name, or no rows")
        told = [*record.get("found", []), *([record["nearest"]] if record.get("nearest") else [])]
        for row in [*record["rows"], *told]:
            missing = [name for name in _KEY[1:] if name not in row]
            if missing:
                raise ValueError(f"a test without {', '.join(missing)}")
            if str(row["niche"]).isdigit() and not 1 <= int(row["niche"]) <= n_niches:
                raise ValueError(f"niche {row['niche']} is not among the {n_niches} of the cohort: of another run?")
        all_tests([record])  # families and numbers
        for row in record["rows"]:
            for name in _NUMBERS:
                _finite(row.get(name))
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error}); expected the record of a contrast")) from error
