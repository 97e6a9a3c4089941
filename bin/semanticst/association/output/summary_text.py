"""Summary of a contrast in sentences, every number from its table."""

from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.associate import Association
from semanticst.association.checks.echo import ECHO
from semanticst.association.checks.unreproducible import unsure_sentence
from semanticst.association.design.region_parts import samples_of
from semanticst.association.design.tables import Contrast, read_text_table
from semanticst.association.features.within_niche import CELL_TYPE, GENE_SET
from semanticst.association.stats.results import COMPOSITION, NOT_TESTABLE, OMNIBUS, SIGNIFICANT, reason_untested
from semanticst.constants import Modality
from semanticst.describe.readings import LEAST_EFFECT
from semanticst.errors import BadInput, Problem
from semanticst.plotting.palette import niche_name
from semanticst.wording import joined, plural

SAME_SIGN = 0.9
"""Share of the base clusterings that a finding should share its sign with."""
MOST_FINDINGS = 5
"""Findings spelled out; the table has the rest."""
MOST_TIMES = 20
"""Ratio of proportions, or of hazards, beyond which it does not matter how much more would have been found."""
NAMED_MARKERS = 3
"""Markers of a niche that are named."""


def paragraph(result: Association) -> str:
    """Who was compared, whether composition differs, which niches, caveats."""
    parts = [who_was_compared(result), joint_sentence(result), *finding_sentences(result)]
    parts += [*cell_type_sentence(result), *cautions(result)]
    return " ".join(p for p in parts if p)


def n_patients(result: Association) -> int:
    """Patients that a contrast compares."""
    return int(result.design.units["patient"].nunique())


def n_sections(result: Association) -> int:
    """Samples that a contrast compares; parts of one are one."""
    return int(samples_of(result.design.sections.index).nunique())


def section_values(sections: pd.DataFrame) -> dict[str, str]:
    """What the contrast knows of each section, as a reader sees it in the title of a map; of parts of sections all."""
    if "event" in sections:
        pairs = zip(sections["time"], sections["event"])
        said = [f"{time:g}, {'event' if event else 'censored'}" for time, event in pairs]
    else:
        said = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in sections["value"]]
    known: dict[str, list[str]] = {}
    for sample, value in zip(samples_of(sections.index), said):
        known.setdefault(sample, []).append(value)
    return {sample: " and ".join(dict.fromkeys(values)) for sample, values in known.items()}


def who_was_compared(result: Association) -> str:
    """Sizes, and patients left out by reason."""
    design, contrast = result.design, result.contrast
    text = f"{plural(n_patients(result), 'patient')} ({plural(len(design.sections), 'section')})"
    if contrast.type == "survival":
        events = int(design.units["event"].sum())
        text += f", {plural(events, 'event')} ({contrast.event} = {contrast.event_value}), time = {contrast.time}"
    elif contrast.type == "continuous":
        text += f", {contrast.column} as a number"
    else:
        sizes = design.units.groupby("value")["patient"].nunique()
        text += f", {contrast.column}: " + ", ".join(f"{v} (n = {sizes.get(v, 0)})" for v in design.levels)
        if contrast.type == "groups" and design.levels:
            text += f", reference {design.levels[0]}"
    if contrast.change:
        text += f", compared by the change {contrast.change} of each patient"
    if design.within_patient:
        text += ", sections compared within patients"
    text += "." + _as_asked(contrast)
    if design.dropped:
        text += (
            " Left out: "
            + ", ".join(f"{plural(k, 'patient')} ({reason})" for reason, k in design.dropped.items())
            + "."
        )
    return text


def _as_asked(contrast: Contrast) -> str:
    """Subset, covariates, strata, block and cluster of a contrast, as they were asked for."""
    parts = [f"samples with {contrast.subset}"] if contrast.subset else []
    for words, columns in (
        ("adjusted for", contrast.covariates),
        ("compared inside strata of", contrast.strata),
        ("in blocks of", (contrast.block,) if contrast.block not in ("", "patient") else ()),
        ("in clusters of", (contrast.cluster,) if contrast.cluster else ()),
    ):
        parts += [f"{words} {', '.join(columns)}"] if columns else []
    return f" Asked for: {'; '.join(parts)}." if parts else ""


def joint_sentence(result: Association) -> str:
    """Does the composition as a whole differ?"""
    row = result.table[result.table["family"] == COMPOSITION].iloc[0]
    if pd.isna(row["p"]):
        return ""
    verdict = "is associated with" if row["p"] < SIGNIFICANT else "is not shown to be associated with"
    evidence = f"{p_text(row['p'])}, {100 * row['effect']:.0f} % explained"
    return f"The niche composition as a whole {verdict} {topic(result)} ({evidence})."


def finding_sentences(result: Association) -> list[str]:
    """The findings at a false discovery rate of 5 %, or that there are none and what came nearest."""
    tested = result.primary[result.primary["p"].notna()].sort_values("p", kind="stable")
    if tested.empty:
        return [f"Nothing could be tested: {reason_untested(result.primary['warnings'])}."]
    n_tests = int(tested["n_tests"].iloc[0])
    found = result.findings
    if found.empty:
        first = tested.head(1)
        near = " ".join([finding(result, tested.iloc[0]), *unsure_sentence(first, [feature_name(tested.iloc[0])])])
        return [f"Nothing passes a false discovery rate of 5 % ({plural(n_tests, 'test')}); smallest q: {near}"]
    pass_ = "passes" if len(found) == 1 else "pass"
    head = f"{len(found)} of {plural(n_tests, 'test')} {pass_} a false discovery rate of 5 %."
    sentences = [
        head,
        *echo_sentence(found),
        *unsure_sentence(found, [feature_name(row) for _, row in found.iterrows()]),
        *(finding(result, row) for _, row in found.head(MOST_FINDINGS).iterrows()),
    ]
    if len(found) > MOST_FINDINGS:
        sentences.append(f"{len(found) - MOST_FINDINGS} more are in the table.")
    return sentences


def echo_sentence(found: pd.DataFrame) -> list[str]:
    """Which findings are gone when the median niche is the reference."""
    echoes = found[found["echo"] == ECHO]
    if echoes.empty:
        return []
    names = joined([feature_name(row) for _, row in echoes.iterrows()])
    verb = "is likely an echo" if len(echoes) == 1 else "are likely echoes"
    return [f"{names} {verb} of other niches that change: not found with the median niche as the reference."]


def omnibus_finding(result: Association, row: pd.Series) -> str:
    """The test over all levels, and the pairs of levels that differ."""
    name = marked_name(result, row).removesuffix(",")
    evidence = f"{p_text(row['q'], 'q')}; {int(row['n_patients'])} patients"
    text = (
        f"{name}: levels of {result.contrast.column} explain {100 * row['effect']:.0f} % of its variance, {evidence}."
    )
    if not row["q"] < SIGNIFICANT:
        return text
    pairs = result.pairs_of(row)
    if pairs.empty:
        return f"{text} No two levels differ by themselves (Holm)."
    return " ".join([text, *(finding(result, pair, "p adjusted by Holm") for _, pair in pairs.iterrows())])


def finding(result: Association, row: pd.Series, adjusted: str = "q") -> str:
    """One row as a sentence; ``adjusted``: what its q is called."""
    if row["comparison"] == OMNIBUS:
        return omnibus_finding(result, row)
    name, evidence = marked_name(result, row), f"{p_text(row['q'], adjusted)}; {int(row['n_patients'])} patients"
    beside = without_cells(row) + given_types(row) + agreement(row)
    interval = f"95 % CI {row['ci_low']:.2f} to {row['ci_high']:.2f}"
    unsure = borderline(row["ci_low"], row["ci_high"], row["q"])
    share, (verb, scale) = is_share(row["feature"]), wording(row["feature"])
    kind = result.contrast.type
    if kind == "survival":
        interval = f"95 % CI {row['hazard_ratio_low']:.2f} to {row['hazard_ratio_high']:.2f}"
        ratio = f"{row['hazard_ratio']:.2f} per SD ({interval})"
        course = "shorter" if row["effect"] > 0 else "longer"
        events = f"{evidence}, {int(row['n_events'])} events"
        name = name.removesuffix(",")
        course = f"higher abundance, {course} time to {result.contrast.event}"
        return f"{name}: hazard ratio {ratio}, {events}; {course}{beside}.{unsure}"
    if kind == "continuous":
        course = "more" if row["effect"] > 0 else "less"
        slope = f"{row['effect']:+.2f} per SD ({interval}){points(row)}, {evidence}{beside}"
        return f"{name.removesuffix(',')}: {course} of it with higher {result.contrast.column}, {slope}.{unsure}"
    low, high = compared_levels(result, row)
    means = f"{shown(row['mean_target'], share)} in {high} and {shown(row['mean_reference'], share)} in {low}"
    if result.contrast.change:
        name = name.removesuffix(",")
        means = f"{signed(row['mean_target'], share)} in {high} and {signed(row['mean_reference'], share)} in {low}"
        verb, scale = f"changes {result.contrast.change} on average by", f"interaction, {scale}"
    step = "change per step" if row["comparison"].startswith("trend") else "difference"
    effect = f"{scale}{step} {row['effect']:+.2f} ({interval}){points(row)}"
    return f"{name} {verb} {means}: {effect}, {evidence}{beside}.{against_means(row)}{unsure}"


def without_cells(row: pd.Series) -> str:
    """The estimate that is not adjusted for numbers of cells, where the row's own is."""
    return _other_estimate(row, "without_cells", "if not adjusted for cell numbers")


def points(row: pd.Series) -> str:
    """The effect on shares of cells in percentage points, where there is one of the sign of the effect itself.

    A mean of shares rests on few patients with much of a niche, and may go the other way than one of log-ratios: beside
    it, "less of it" and "+0.3 percentage points" would stand in one sentence.
    """
    if not row["percentage_points"] * row["effect"] > 0:
        return ""
    interval = f"95 % CI {row['percentage_points_low']:.1f} to {row['percentage_points_high']:.1f}"
    return f", {row['percentage_points']:+.1f} percentage points ({interval})"


def given_types(row: pd.Series) -> str:
    """The estimate given the proportions of cell types, where these are known."""
    return _other_estimate(row, "given_types", "given the proportions of cell types")


def _other_estimate(row: pd.Series, which: str, words: str) -> str:
    """The estimate of the columns ``effect_{which}`` and ``p_{which}``, and what it is; empty where there is none."""
    effect = row[f"effect_{which}"]
    if pd.isna(effect):
        return ""
    text = f"hazard ratio {np.exp(effect):.2f}" if row["effect_type"] == "log_hazard_ratio_per_sd" else f"{effect:+.2f}"
    return f"; {text} ({p_text(row[f'p_{which}'])}) {words}"


def agreement(row: pd.Series) -> str:
    """In how many of the other analyses the row holds."""
    if pd.isna(row["n_analyses"]) or not row["q"] < SIGNIFICANT:
        return ""
    return f"; agrees in {int(row['n_agree'])} of {plural(int(row['n_analyses']), 'other analysis', 'other analyses')}"


def cell_type_sentence(result: Association) -> list[str]:
    """What the same test finds in plain proportions of cell types."""
    table = result.checks.cell_types
    if table is None or not table["p"].notna().any():
        return []
    found = table[table["q"] < SIGNIFICANT]["cell_type"].drop_duplicates().tolist()
    n_types = table.loc[table["p"].notna(), "cell_type"].nunique()
    if not found:
        return [
            f"The same test of plain proportions of cell types finds none of {n_types} (false discovery rate of 5 %)."
        ]
    more = f" and {len(found) - MOST_FINDINGS} more" if len(found) > MOST_FINDINGS else ""
    names = ", ".join(found[:MOST_FINDINGS]) + more if more else joined(found)
    return [f"The same test of plain proportions of cell types finds {len(found)} of {n_types}: {names}."]


def cautions(result: Association) -> list[str]:
    """What holds for the contrast as a whole."""
    rows = result.primary
    tested = rows[rows["p"].notna()]
    sentences = []
    shared = [w for w in shared_warnings(result.table) if not w.startswith(NOT_TESTABLE)]
    if shared:
        sentences.append(f"Caveats: {'; '.join(shared)}.")
    if not tested.empty and result.findings.empty and result.effects["detectable_effect"].notna().any():
        sentences.append(detectable_sentence(result))
    unsure = result.table[(result.table["q"] < SIGNIFICANT) & (result.table["members_same_sign"] < SAME_SIGN)]
    if len(unsure):
        names = ", ".join(feature_name(row) for _, row in unsure.iterrows())
        sentences.append(f"Sensitive to the clustering (another sign in some base clusterings): {names}.")
    untested = int(rows["p"].isna().sum())
    if untested and not tested.empty:
        sentences.append(f"{plural(untested, 'row')} could not be tested, the reason is in the table.")
    if (tested["feature"] == "proportion").any():
        sentences.append("Proportions add up to one: when a niche grows, others shrink.")
    return sentences


def detectable_sentence(result: Association) -> str:
    """What would have been found, for each kind of feature in its own unit, after correction for the tests."""
    rows = result.effects[result.effects["detectable_effect"].notna()]
    n = int(rows["n_tests"].iloc[0])
    level = f"0.05 / {n} (what q asks of the smallest p)" if n > 1 else "0.05"
    least = {str(kind): float(of["detectable_effect"].median()) for kind, of in rows.groupby("effect_type", sort=False)}
    hopeless = [kind for kind, effect in least.items() if is_ratio(kind) and effect > np.log(MOST_TIMES)]
    effects = [_least_effect(kind, effect, result.contrast) for kind, effect in least.items() if kind not in hopeless]
    sentences = []
    if hopeless:
        sentences.append(f"Even effects of {MOST_TIMES} times would mostly have been missed at p < {level}.")
    if effects:
        found = f"{' or '.join(effects)} would have been found with 80 % power at p < {level}."
        sentences.append(f"With these patients {found}")
    return " ".join(sentences)


def is_ratio(effect_type: str) -> bool:
    """Whether an effect of this type is a logarithm (base e), of which one can say how many times."""
    return effect_type.startswith(("clr", "log_hazard_ratio"))


def _least_effect(effect_type: str, least: float, contrast: Contrast) -> str:
    """An effect that would have been found, in words with its unit."""
    if contrast.type == "survival":
        return f"a hazard ratio of about {np.exp(least):.1f} (or {np.exp(-least):.2f}) per SD"
    unit = unit_words(effect_type)
    times = f", {np.exp(least):.1f} times" if is_ratio(effect_type) else ""
    return f"an effect of about {least:.2f} ({unit}{times})"


def borderline(low: float, high: float, adjusted: float, none: float = 0.0) -> str:
    """Said where a finding (its corrected p) has an interval that includes no effect (``none``); empty elsewhere."""
    if not (adjusted < SIGNIFICANT and low <= none <= high):
        return ""
    return (
        " Borderline: it passes, yet its interval includes no effect; the two are worked out in different ways, and "
        "disagree here."
    )


def against_means(row: pd.Series) -> str:
    """Why the means that a reader sees go the other way than the effect, empty when they do not."""
    if not (row["mean_target"] - row["mean_reference"]) * row["effect"] < 0:
        return ""
    if "covariates" in row["model"] or ("blocks" in row["model"] and "blocks patient" not in row["model"]):
        return " The means are not adjusted and go the other way."
    return (
        " The means go the other way, since few patients with much of it carry them; the effect is one of logarithms."
    )


def shared_warnings(table: pd.DataFrame) -> list[str]:
    """Warnings that stand in every row."""
    each = [set(text.split("; ")) for text in table["warnings"]]
    common = set.intersection(*each) if each else set()
    return [w for w in table["warnings"].iloc[0].split("; ") if w and w in common]


def compared_levels(result: Association, row: pd.Series) -> tuple[str, str]:
    """Reference and target (lowest and highest) level of a row."""
    levels = result.design.levels
    if row["comparison"].startswith("trend"):
        return levels[0], levels[-1]
    for low in levels:
        for high in levels:
            if row["comparison"] == f"{high} vs {low}":
                return low, high
    raise ValueError(f"no such comparison: {row['comparison']}")


def topic(result: Association) -> str:
    """Name of what is compared."""
    return f"time to {result.contrast.event}" if result.contrast.type == "survival" else result.contrast.column


def marked_name(result: Association, row: pd.Series) -> str:
    """The feature's name; of a niche with what it is enriched for, where that is known."""
    top_markers = result.top_markers.get(row["niche"], "") if row["feature"] == "proportion" else ""
    return f"{feature_name(row)}, enriched for {top_markers}," if top_markers else feature_name(row)


def feature_name(row: pd.Series) -> str:
    """How a feature is written in text and figures."""
    feature, niche = row["feature"], row["niche"]
    if feature == "proportion":
        return niche_name(int(niche))
    if feature.startswith("contact_with_"):
        return f"Contact of niches {_named(niche)} and {_named(feature.removeprefix('contact_with_'))}"
    if feature.startswith((CELL_TYPE, GENE_SET)):
        return f"{feature.split(':', 1)[1]} in niche {_named(niche)}"
    if feature == "fragmentation":
        return f"Fragmentation of niche {_named(niche)}"
    return {"entropy": "Diversity of niches", "composition": "All niches together (R²)"}[feature]


def _named(niche: str) -> str:
    """``3``, or ``3 (Tumour border)``."""
    return niche_name(int(niche)).removeprefix("Niche ")


def is_share(feature: str) -> bool:
    """Is what a reader sees of this feature a proportion of cells?"""
    return feature == "proportion" or feature.startswith(CELL_TYPE)


def wording(feature: str) -> tuple[str, str]:
    """Verb before the mean that a reader sees, and the scale of the effect."""
    if feature == "proportion":
        return "covers on average", "log-ratio "
    if feature.startswith(CELL_TYPE):
        return "are on average", "log-odds "
    if feature == "fragmentation":
        return "is on average (patches per 100 cells)", "log2 "
    return "has on average", ""


def unit_words(effect_type: object) -> str:
    """``CLR difference``, ``log hazard ratio per SD``: what an effect is."""
    words = {"clr": "CLR", "sd": "SD"}
    return " ".join(words.get(word, word) for word in str(effect_type).split("_"))


def shown(value: float, share: bool) -> str:
    """A proportion as per cent, anything else as a number."""
    return f"{100 * value:.1f} %" if share else f"{value:.2f}"


def signed(value: float, share: bool) -> str:
    """A change of a share in percentage points, of anything else as a number."""
    return f"{100 * value:+.1f} points" if share else f"{value:+.2f}"


def p_text(p: float, name: str = "p") -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return f"{name} < 0.001" if p < 0.001 else f"{name} = {p:.3f}" if p < 0.1 else f"{name} = {p:.2f}"


def top_markers_text(path: Path) -> dict[str, str]:
    """Read ``niche_markers.csv``: the best markers of each niche as ``A, B and C``, as in the table of niches.

    Where genes and proteins were measured: genes. A niche without a difference worth naming has no entry.
    """
    table = read_text_table(path, ("niche", "symbol", "rank"))
    if "modality" in table:
        table = table[table["modality"] != Modality.PROTEIN].copy()
    effects = [effect for effect in LEAST_EFFECT if effect in table]
    if not effects:
        raise BadInput(Problem(path, f"lacks {' and '.join(LEAST_EFFECT)}; expected niche_markers.csv of a run"))
    for column in ("rank", *effects):
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = numbers.isna() & table[column].notna()
        if wrong.any():
            raise BadInput([Problem(path, "a number is expected", int(i) + 2, column, value)
                            for i, value in table.loc[wrong, column].items()])  # fmt: skip
        table[column] = numbers
    large = pd.concat([table[effect] >= LEAST_EFFECT[effect] for effect in effects], axis=1).any(axis=1)
    best = table[(table["rank"] <= NAMED_MARKERS) & large].sort_values(["niche", "rank"], kind="stable")
    return {str(niche): joined(rows["symbol"].tolist()) for niche, rows in best.groupby("niche", sort=True)}
