"""Facts of a run from the records of its steps, for the methods text."""

import json
from pathlib import Path

import pandas as pd

from semanticst.constants import (
    DISCOVERY,
    SHARES,
    SPREAD_COMPONENTS,
    VALIDATION,
    FeatureType,
    TrainMode,
    from_two_up,
    is_convention,
    none_supported,
)
from semanticst.errors import BadInput, Problem
from semanticst.report.study_parts import study_parts
from semanticst.wording import at_random, plural, spans

MODELS = {
    "ran_linear": "linear model",
    "ran_f_test": "F test",
    "ran_cox": "Cox regression",
    "ran_ridge": "ridge penalty",
    "ran_score": "permutation of the score",
    "ran_likelihood_ratio": "p by likelihood ratio",
    "ran_permanova": "PERMANOVA",
    "ran_martingale": "martingale residual",
    "ran_covariates": "covariates ",
    "ran_within": "blocks patient",
    "ran_drawn": "Monte Carlo",
    "ran_slopes": "one slope per patient",
}
"""Facts, and the words of a ``model`` column that make them true."""
PROFILES = "neighbourhood profiles"
"""What the base clusterings of the consensus are fitted to without a network, and on panels of cell types."""
REPRESENTATIONS = f"the network's embedding, {PROFILES}"
"""The same on every other panel."""


def run_facts(
    associations: list[Path],
    features: Path | None,
    settings: dict | None = None,
    numbers: Path | None = None,
    qc: Path | None = None,
    trained: bool = True,
) -> dict[str, object]:
    """Facts by name: true or false, or what is said of them.

    associations : ``{contrast}.association.json`` of all contrasts. features : ``cohort.features.json``, or None.
    settings : the parameters of the run. numbers : ``niche_k.csv``, the numbers of niches that were tried, or None.
    qc : ``qc.csv``, which samples were used, or None. What is None did not run. trained : whether a network was.

    Raises BadInput when one of them cannot be read or lacks what is needed.
    """
    given = settings or {}
    facts: dict[str, object] = {
        "ran_reference": given.get("train_mode") == TrainMode.REFERENCE,
        "ran_networks": n if (n := int(given.get("train_networks") or 1)) > 1 else None,
        # 0 draws: none were made, and a parameter of 0 counts as given
        "ran_bootstraps": given.get("niche_bootstraps") or None,
        "ran_network": trained,
        "ran_representations": REPRESENTATIONS if trained else PROFILES,
        **_numbers(numbers),
        **_left_out(qc),
        **(parts := _study_parts(qc)),
    }
    if features is not None:
        record = _read(
            features, ("harmony", "n_components", "shares", "n_features", "batches", "n_samples", "feature_type")
        )
        facts |= {
            "ran_harmony": record["harmony"],
            "ran_harmony_cells": _fewer(record.get("harmony_cells"), record.get("harmony_cells_of")),
            "ran_counts": (counts := record["feature_type"] == FeatureType.COUNTS),
            "ran_flags": facts["ran_flags"] if qc else counts,
            "ran_continuous": record["feature_type"] == FeatureType.CONTINUOUS,
            "ran_common_total": f"{total:.6g}" if (total := record.get("common_total")) else None,
            "ran_network": (network := record.get("network_of_model", trained)),
            "ran_representations": REPRESENTATIONS if network and record["feature_type"] not in SHARES else PROFILES,
            "ran_beside": record["feature_type"] in SHARES,
            "ran_batches": (not given.get("model") and parts["ran_batches_of_discovery"]) or len(record["batches"]),
            "ran_matches": (given.get("train_matches") or None) if record["n_samples"] > 1 else None,
            # None where it was not done: 0 would count as given
            "ran_components": None if record["shares"] else record["n_components"],
            "ran_spread": _spread(record, given),
            "ran_one_sample": record["n_samples"] == 1,
            "ran_shares": record["n_features"] if record["shares"] else None,
            "ran_features": record["n_features"],
            "ran_limited": _of(len(record.get("cells_with_a_say", ())), record["n_samples"]),
            # neighbours and hops of a model are taken from it, whatever was given
            **record.get("graph_of_model", {}),
        }
    needed = ("contrast", "models", "settings", "n_tests", "rows", "n_patients")
    records = [_read(path, needed) for path in sorted(associations)]
    if not records:
        return facts
    models = " | ".join(model for record in records for model in record["models"])
    rows = [row for record in records for row in record["rows"]]
    warnings = " | ".join(row["warnings"] or "" for row in rows)
    names = [record["contrast"]["name"] for record in records]
    settings = records[0]["settings"]
    return facts | {
        **{fact: words in models for fact, words in MODELS.items()},
        "ran_tests": bool(models),
        "ran_contrasts": f"{len(names)} contrast{'' if len(names) == 1 else 's'} ({', '.join(names)})",
        "ran_n_tests": sum(sum(record["n_tests"].values()) for record in records),
        "ran_patients": _range([record["n_patients"] for record in records]),
        "ran_kinds": ", ".join(settings["features"]),
        "ran_permutations": settings["permutations"],
        "ran_pseudo_share": settings["pseudo_share"],
        "ran_min_cells": settings["min_cells"],
        "ran_inside": bool({"fragmentation", "cell_types", "gene_sets"} & set(settings["features"])),
        "ran_log_cells": settings["log_cells"] == "auto" and "adjusted for the number of cells per patient" in warnings,
        "ran_size_terms": settings["log_cells"] != "false"
        and bool({"fragmentation", "contacts"} & set(settings["features"])),
        "ran_draws": "cell_types" in settings["features"],
        "ran_contacts": "contacts" in settings["features"],
        "ran_mixed": any(row.get("p_mixed") is not None for row in rows),
        "ran_members": max((row.get("n_members") or 0 for row in rows), default=0) or None,
        "ran_analyses": any(row.get("n_analyses") for row in rows),
        "ran_types": any(row.get("p_types") is not None for row in rows),
        "ran_flips": any("of F (" in model and "sign flips" in model for model in models.split(" | ")),
        "ran_batch_means": "batches are compared (" in warnings,
        "ran_cluster_means": "are compared (" in warnings and "means of each " in warnings,
        "ran_batch_blocks": "compared inside batches only" in warnings,
        "ran_batch_withheld": "not testable: each batch holds one group" in warnings,
    }


def _fewer(n: int | None, of: int | None) -> str | None:
    """``60000 of 98262 cells``; None where it was all of them, or is not recorded."""
    return None if n == of else f"{n} of {of} cells"


def _spread(record: dict, given: dict) -> int | None:
    """Components whose spread in the neighbourhood is a representation of the cells; None where it is not."""
    widened = int(given.get("graph_hops") or 4) > 1
    return min(SPREAD_COMPONENTS, record["n_components"]) if widened and record["feature_type"] not in SHARES else None


def _numbers(path: Path | None) -> dict[str, object]:
    """``ran_k``, the number of niches, and ``ran_k_tried``, from which it was chosen; None where it was given.

    ``ran_k_zero``: was there a zero line? ``ran_k_unsupported``: was the number not above it? ``ran_k_alike``: the
    numbers of which the tissue singled out none; None where it did, and where a list has gaps. ``ran_k_none``: did it
    support none? ``ran_k_listed``: was it a list with gaps, of which the most stable was taken?
    ``ran_k_at_random``: did the cells lie as at random?
    """
    facts: dict[str, object] = dict.fromkeys(("ran_k", "ran_k_tried", "ran_k_alike"))
    facts |= {"ran_k_zero": False, "ran_k_unsupported": False, "ran_k_none": False, "ran_k_listed": False}
    facts["ran_k_at_random"] = False
    if path is None:
        return facts
    try:
        table = pd.read_csv(path)
        tried, chosen = table["k"].astype(int).tolist(), table.loc[table["chosen"].astype(bool), "k"].astype(int)
        facts["ran_k"] = int(chosen.iloc[0])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadInput(Problem(Path(path), f"cannot be read ({error}); expected niche_k.csv of a run")) from error
    row = table[table["chosen"].astype(bool)].iloc[0]
    facts |= {"ran_k_zero": pd.notna(row.get("zero")), "ran_k_unsupported": not row.get("supported", True)}
    facts["ran_k_at_random"] = at_random(table)
    if len(tried) > 1:
        facts["ran_k_tried"] = spans(tried)
    alike = table["k"][table["about_as_stable"].astype(bool)].tolist() if "about_as_stable" in table else []
    if "supported" in table:
        facts["ran_k_none"] = none_supported(tried, table["supported"].astype(bool))
    facts["ran_k_listed"] = not from_two_up(tried)
    if is_convention(tried, alike):
        facts["ran_k_alike"] = spans(alike)
    return facts


def _left_out(path: Path | None) -> dict[str, object]:
    """``ran_excluded`` and ``ran_failed``: how many samples the sheet and quality control left out; None where none.

    ``ran_flags``: were cells looked at for their place? That is done on counts only. ``ran_one_patient``: are all
    samples that niches were found on of one?
    """
    if path is None:
        return {"ran_excluded": None, "ran_failed": None, "ran_flags": True, "ran_one_patient": False}
    try:
        table = pd.read_csv(path)
        status, kinds, patients = table["status"], table["feature_type"], table["patient"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(Problem(Path(path), f"cannot be read ({error}); expected qc.csv of a run")) from error
    excluded, failed = int((status == "excluded").sum()), int((status == "fail").sum())
    left_out = {"ran_excluded": _of(excluded, len(status)), "ran_failed": _of(failed, len(status) - excluded)}
    of_validation = table["study_part"] == VALIDATION if "study_part" in table else False
    used = patients[~status.isin(["excluded", "fail"]) & ~pd.Series(of_validation, index=table.index)]
    return left_out | {
        "ran_flags": bool((kinds == FeatureType.COUNTS).any()),
        "ran_one_patient": len(used.unique()) == 1,
    }


def _study_parts(path: Path | None) -> dict[str, object]:
    """``ran_validation``: how many samples of how many patients are mapped onto the discovery, None where the study has
    no such parts; ``ran_discovery`` the same of it. ``ran_fitted``, ``ran_whole``, ``ran_samples`` and ``ran_people``:
    what things are fitted to, in words. ``ran_batches_of_discovery``: None as well."""
    whole = {
        "ran_fitted": "the cohort",
        "ran_whole": "the whole cohort",
        "ran_samples": "all samples",
        "ran_people": "patients",
    }
    none = dict.fromkeys(("ran_validation", "ran_discovery", "ran_batches_of_discovery"))
    if path is None:
        return whole | none
    table = pd.read_csv(path)
    used = table[~table["status"].isin(["excluded", "fail"])]
    parts = study_parts(used)
    if parts is None:
        return whole | none
    said = {
        f"ran_{part}": f"{plural(of['samples'], 'sample')} of {plural(of['patients'], 'patient')}"
        for part, of in parts.items()
    }
    return said | {
        "ran_fitted": "the discovery", "ran_whole": "the discovery", "ran_samples": "all samples of the discovery",
        "ran_people": "patients of the discovery",
        "ran_batches_of_discovery": int(used.loc[used["study_part"] == DISCOVERY, "batch"].nunique()),
    }  # fmt: skip


def _of(n: int, total: int) -> str | None:
    """``2 of 6 samples were``; None for none of them."""
    return f"{n} of {total} sample{'' if total == 1 else 's'} {'was' if n == 1 else 'were'}" if n else None


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _read(path: Path, needed: tuple[str, ...]) -> dict:
    try:
        record = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(Problem(Path(path), f"cannot be read ({error}); expected the record of a step")) from error
    absent = [name for name in needed if not isinstance(record, dict) or name not in record]
    if absent:
        raise BadInput(Problem(Path(path), f"expected the record of a step; it lacks {', '.join(absent)}"))
    return record
