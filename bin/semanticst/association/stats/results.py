"""The association table: its columns, and how rows of all kinds of models are brought into it.

Many niches are many tests: Benjamini-Hochberg inside each family of a contrast. Pairs of levels are looked at only in
niches whose test over all levels passes, and there by Holm.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

COLUMNS = (
    "niche", "feature", "effect", "effect_type", "ci_low", "ci_high", "p", "q", "n_patients", "n_events", "model",
    "warnings", "comparison", "family", "n_tests", "hedges_g", "mean_all", "mean_reference", "mean_target", "n_reference", "n_target",
    "p_source", "p_permutation", "p_model", "p_rank", "hazard_ratio", "hazard_ratio_low", "hazard_ratio_high", "p_logrank",
    "p_proportional_hazards", "p_dispersion", "effect_loo_low", "effect_loo_high", "detectable_effect",
    "effect_mixed", "mixed_low", "mixed_high", "p_mixed", "n_members", "members_same_sign", "members_significant",
    "cells_correlation", "effect_without_cells", "ci_low_without_cells", "ci_high_without_cells", "p_without_cells",
    "echo", "effect_median_reference", "p_median_reference",
    "percentage_points", "percentage_points_low", "percentage_points_high",
    "effect_types", "ci_low_types", "ci_high_types", "p_types",
    "effect_given_types", "ci_low_given_types", "ci_high_given_types", "p_given_types", "n_analyses", "n_agree", "se",
    "model_digest",
)  # fmt: skip
"""The first twelve are a contract; the rest is explained in docs/output.md."""

TEXTS = ("niche", "feature", "effect_type", "model", "warnings", "comparison", "family", "p_source", "echo", "model_digest")
NUMERIC = [c for c in COLUMNS if c not in TEXTS]
COUNTS = ("n_patients", "n_events", "n_tests", "n_reference", "n_target", "n_members", "n_analyses", "n_agree")

CHECKS = ("p_without_cells", "p_median_reference", "p_types", "p_given_types")
"""p-values of other tests of the same row."""

PRIMARY, PAIRWISE, COMPOSITION = "primary", "pairwise", "composition"
"""Families of tests: q is computed inside a family."""
OMNIBUS = "omnibus"
"""Comparison of the rows that test all levels at once."""
FEW_EVENTS = "events per variable"
FEW_PERMUTATIONS = "a small p rests on the t distribution"
"""How warnings of rows are known that matter beyond their table."""
NOT_TESTABLE = "not testable: "
"""How the warning begins that says why a row has no p-value; others limit a test, and do not prevent it."""
SIGNIFICANT = 0.05
"""False discovery rate at which a row is a finding."""
NOT_PASSED = "pair not tested, since the test over all groups does not pass here"


def association_table(rows: Iterable[dict]) -> pd.DataFrame:
    """Make the table: all columns, warnings joined by ``; `` (each once), counts as whole numbers."""
    table = pd.DataFrame(list(rows))
    table = table.reindex(columns=list(COLUMNS))
    table["warnings"] = [join_warnings(w) for w in table["warnings"]]
    table[NUMERIC] = table[NUMERIC].astype(float)
    for column in COUNTS:
        table[column] = table[column].astype("Int64")
    return table


def join_warnings(warnings: object) -> str:
    """``; `` between warnings, empty ones and repeats left out."""
    if not isinstance(warnings, list | tuple):
        return ""
    return "; ".join(dict.fromkeys(w for w in warnings if w))


def reason_untested(warnings: Iterable[str]) -> str:
    """Why no row has a p-value, of the warnings of all: the first two reasons, without ``not testable: ``.

    Other warnings of such rows limit a test, and do not prevent it: they are said only where nothing else is.
    """
    each = list(dict.fromkeys(part for text in warnings for part in text.split("; ") if part))
    reasons = [part.removeprefix(NOT_TESTABLE) for part in each if part.startswith(NOT_TESTABLE)]
    return "; ".join((reasons or each)[:2])


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q of each p."""
    return _adjusted(p, "fdr_bh")


def holm(p: np.ndarray) -> np.ndarray:
    """Each p adjusted by Holm (1979, Scand J Stat 6:65)."""
    return _adjusted(p, "holm")


def _adjusted(p: np.ndarray, method: str) -> np.ndarray:
    # here: half a second of every step that reads the names above
    from statsmodels.stats.multitest import multipletests

    return multipletests(p, method=method)[1]


def add_q(table: pd.DataFrame) -> pd.DataFrame:
    """Fill ``q`` and ``n_tests`` per family; a row without p has no q and is no test.

    Pairs come after the test over all levels (hierarchical testing): where that has q < 0.05, ``q`` of a pair is its
    p-value adjusted by Holm over the pairs of this feature and niche; elsewhere a pair keeps effect and interval, and
    loses its p-value.
    """
    table = table.copy()
    for family, rows in table.groupby("family", sort=False):
        if family != PAIRWISE:
            _adjust(table, rows.index, "fdr_bh")
    passed = table[(table["family"] == PRIMARY) & (table["q"] < SIGNIFICANT)]
    passed = set(zip(passed["feature"], passed["niche"]))
    for feature_niche, rows in table[table["family"] == PAIRWISE].groupby(["feature", "niche"], sort=False):
        if feature_niche not in passed:
            tested = rows.index[rows["p"].notna()]
            table.loc[tested, "warnings"] = [join_warnings([w, NOT_PASSED]) for w in table.loc[tested, "warnings"]]
            table.loc[tested, ["p", "p_source"]] = np.nan, None
        _adjust(table, rows.index, "holm")
    return table


def without_untested_checks(table: pd.DataFrame) -> pd.DataFrame:
    """The table without p-values of checks in rows that have none themselves."""
    table = table.copy()
    table.loc[table["p"].isna(), list(CHECKS)] = np.nan
    return table


def _adjust(table: pd.DataFrame, index: pd.Index, method: str) -> None:
    """``n_tests`` and ``q`` of the rows of ``index``, which are tests of one family."""
    tested = index[table.loc[index, "p"].notna()]
    table.loc[index, "n_tests"] = len(tested)
    if len(tested):
        table.loc[tested, "q"] = _adjusted(table.loc[tested, "p"].to_numpy(), method)
