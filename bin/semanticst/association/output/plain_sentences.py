"""Findings in one short sentence each, for the summary of a run: for readers who are no statisticians."""

import numpy as np
import pandas as pd

from semanticst.association.associate import Association
from semanticst.association.checks.echo import ECHO
from semanticst.association.output.summary_text import (
    MOST_TIMES,
    borderline,
    compared_levels,
    feature_name,
    is_share,
    joined,
    p_text,
    plural,
    shown,
    unit_words,
)
from semanticst.association.stats.results import OMNIBUS, SIGNIFICANT


def findings(result: Association) -> list[dict]:
    """Rows that pass the false discovery rate, smallest p first: niche, feature, comparison, sentence."""
    return [_entry(result, row) for _, row in result.findings.iterrows()]


def nearest(result: Association) -> dict | None:
    """The row of the smallest p; None where nothing could be tested."""
    tested = result.primary[result.primary["p"].notna()].sort_values("p", kind="stable")
    return None if tested.empty else _entry(result, tested.iloc[0])


def detectable(result: Association) -> str:
    """The smallest effect that these patients would mostly have shown; empty where none can be stated."""
    rows = result.effects[(result.effects["feature"] == "proportion") & result.effects["detectable_effect"].notna()]
    if rows.empty:
        return ""
    least, n = float(rows["detectable_effect"].median()), int(rows["n_tests"].iloc[0])
    if least > np.log(MOST_TIMES):
        return f"even effects of {MOST_TIMES} times would mostly have been missed ({plural(n, 'test')})"
    if result.contrast.type == "survival":
        effect = f"hazard ratios per SD of {np.exp(least):.1f} and more (or {np.exp(-least):.2f} and less)"
    elif result.contrast.type == "continuous":
        effect = f"changes of {np.exp(least):.1f} times and more per SD of {result.contrast.column}"
    else:
        effect = f"proportions that differ by {np.exp(least):.1f} times and more"
    return f"{effect} would have been found with 80 % power (log scale {least:.2f}; {plural(n, 'test')})"


def plain_sentence(result: Association, row: pd.Series) -> str:
    """What was found in a row, with effect, interval and q."""
    name = _named(result, row)
    patients = plural(int(row["n_patients"]), "patient")
    if row["comparison"] == OMNIBUS:
        explained = f"{100 * row['effect']:.0f} % of its variance explained"
        evidence = f"{explained}, {p_text(row['q'], 'q')}, {patients}"
        return f"{name} differs between {_levels(result)} ({evidence}){_pairs(result, row)}."
    unsure = borderline(row["ci_low"], row["ci_high"], row["q"])
    if result.contrast.type == "survival":
        course = "shorter" if row["effect"] > 0 else "longer"
        ratio = f"hazard ratio {row['hazard_ratio']:.2f} per SD"
        interval = f"95 % CI {row['hazard_ratio_low']:.2f} to {row['hazard_ratio_high']:.2f}"
        evidence = f"{ratio} ({interval}), {p_text(row['q'], 'q')}, {patients}, {plural(int(row['n_events']), 'event')}"
        return f"{name}: higher abundance, {course} time to {result.contrast.event}; {evidence}{_echo(row)}.{unsure}"
    if result.contrast.type == "continuous":
        course = "more" if row["effect"] > 0 else "less"
        evidence = f"{_effect(row, ' per SD')}, {patients}{_echo(row)}"
        return f"{name}: {course} of it with higher {result.contrast.column}; {evidence}.{unsure}"
    return f"{name}: {_means(result, row)}; {_effect(row)}, {patients}{_echo(row)}.{unsure}"


def _entry(result: Association, row: pd.Series) -> dict:
    return {
        **{key: row[key] for key in ("niche", "feature", "comparison")},
        "sentence": plain_sentence(result, row),
        "echo": row["echo"] == ECHO,
    }


def _means(result: Association, row: pd.Series) -> str:
    """More or less of it in which group, with the means of both where they go the same way."""
    low, high = compared_levels(result, row)
    course = "more" if row["effect"] > 0 else "less"
    text = f"{course} in {high} than in {low}"
    if result.contrast.change or not is_share(row["feature"]):
        return text
    if not (row["mean_target"] - row["mean_reference"]) * row["effect"] > 0:
        return text
    return (
        f"{text} ({shown(row['mean_target'], True)} and {shown(row['mean_reference'], True)} of the cells on average)"
    )


def _effect(row: pd.Series, unit: str = "", adjusted: str = "q") -> str:
    """The effect with its interval; a log-ratio also as how many times the proportion. adjusted : what q is called."""
    interval = f"95 % CI {row['ci_low']:.2f} to {row['ci_high']:.2f}"
    if row["feature"] == "proportion":
        times = np.exp(row["effect"])
        words = f"log-ratio {row['effect']:+.2f}{unit} ({interval}; {times:.2g} times)"
        return f"{words}, {p_text(row['q'], adjusted)}"
    words = unit_words(row["effect_type"])
    return f"{words} {row['effect']:+.2f}{unit} ({interval}), {p_text(row['q'], adjusted)}"


def _pairs(result: Association, row: pd.Series) -> str:
    """Which levels differ, each with its effect; where none does by itself, that."""
    if not row["q"] < SIGNIFICANT:
        return ""
    pairs = result.pairs_of(row)
    if pairs.empty:
        return "; which of them differ cannot be told (no pair passes by itself)"
    said = []
    for _, pair in pairs.iterrows():
        unsure = borderline(pair["ci_low"], pair["ci_high"], pair["q"]).rstrip(".")
        effect = _effect(pair, adjusted="p adjusted for the pairs")
        said.append(f"{_means(result, pair)}; {effect}{unsure and f' ({unsure.strip()})'}")
    return f". {'. '.join(text[:1].upper() + text[1:] for text in said)}"


def _levels(result: Association) -> str:
    return joined(list(result.design.levels))


def _echo(row: pd.Series) -> str:
    return "; likely an echo of other niches that change" if row["echo"] == ECHO else ""


def _named(result: Association, row: pd.Series) -> str:
    """The feature; a niche with what it is enriched for, where that is known."""
    markers = result.top_markers.get(str(row["niche"]), "") if row["feature"] == "proportion" else ""
    return f"{feature_name(row)} (enriched for {markers})" if markers else feature_name(row)
