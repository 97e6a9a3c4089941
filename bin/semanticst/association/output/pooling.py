"""Studies on one model, pooled by their association tables: no cell and no patient leaves a hospital.

Fixed effect: the mean of the studies weighted by 1 / se^2. Random effects: the same with the variance between studies
added, by Paule and Mandel (1982); its interval is that of Hartung and Knapp (2001), t with one degree of freedom fewer
than studies, and never narrower than without their correction. Heterogeneity: Cochran's Q, I^2, tau^2.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from matplotlib.figure import Figure
from statsmodels.stats.meta_analysis import combine_effects

from semanticst.association.design.tables import tidied
from semanticst.association.output.summary_text import feature_name
from semanticst.association.stats.per_sd import without_sd
from semanticst.association.stats.results import OMNIBUS, PAIRWISE, PRIMARY, benjamini_hochberg
from semanticst.errors import BadInput, Problem
from semanticst.plotting.style import FAINT, INK, new_figure, row_colour
from semanticst.tables.delimited import read_table
from semanticst.units import percent

log = logging.getLogger(__name__)

KEYS = ["niche", "feature", "comparison", "effect_type"]
NEEDED = (*KEYS, "effect", "se", "n_patients", "family", "model_digest")
ALIKE, MOSTLY = 1e-3, 0.9
"""Two tables are of one study where so large a part of the rows that both have is alike to so many standard errors."""
LEAST, MOST = 1e-9, 1e9
"""What a standard error can be, and an effect at most."""
MOST_ROWS = 12
"""Rows of the forest plot, those with the smallest p."""


def read_studies(studies: Mapping[str, Path]) -> pd.DataFrame:
    """Rows with an effect and its standard error of all studies, with a column ``study``.

    Raises BadInput, with all problems, for a table that is none, has no ``se``, no digest or a row twice, is of another
    model than the first, or has the numbers of another one.
    """
    problems, tables, digests = [], {}, {}
    for study, path in studies.items():
        place = study if study == str(path) else f"{study} ({path})"
        try:
            tables[place], digests[place] = _read_study(path)
        except BadInput as error:
            problems += [replace(problem, file=place) for problem in error.problems]
    first = next(iter(digests), "")
    for place, digest in digests.items():
        if digest != digests[first]:
            message = f"its niches are of another model than those of {first} ({digests[first]}); map onto one model"
            problems.append(Problem(place, message, column="model_digest", value=digest))
    for place, other in combinations(tables, 2):
        if how := _same_study(tables[place], tables[other]):
            message = f"has {how} numbers of {place}: one study would count twice; give each study once"
            problems.append(Problem(other, message))
    if problems:
        raise BadInput(problems)
    return pd.concat([t.assign(study=s) for s, t in zip(studies, tables.values(), strict=True)], ignore_index=True)


def _same_study(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """Whether two tables are of the same patients: ``the very``, or ``nearly the`` where they were tested twice."""
    if _in_order(one).equals(_in_order(other)):
        return "the very"
    both = one.merge(other, on=KEYS, suffixes=("", "_other"))
    alike = (both["effect"] - both["effect_other"]).abs() <= ALIKE * both["se"]
    alike &= (both["se"] - both["se_other"]).abs() <= ALIKE * both["se"]
    return "nearly the" if len(both) > 1 and alike.mean() >= MOSTLY else ""


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(KEYS, ignore_index=True)


def _read_study(path: Path) -> tuple[pd.DataFrame, str]:
    """Usable rows of a table, and the digest of its model."""
    read = read_table(path, NEEDED)
    table = tidied(read.frame())
    absent = [column for column in NEEDED if column not in table]
    if absent:
        message = "this column must exist; give the {contrast}.csv that a run has written into association/"
        raise BadInput([Problem(path, message, row=read.header_line, column=column) for column in absent])
    found = table["model_digest"].dropna().unique()
    empty = np.flatnonzero(table["model_digest"].isna()).tolist()
    if len(found) != 1 or empty:
        message = "expected one model_digest in all rows; give the {contrast}.csv that a run has written"
        row = read.lines[empty[0]] if empty and len(found) else None
        raise BadInput(Problem(path, message, row=row, column="model_digest", value=", ".join(found) or None))
    for column in ("effect", "se", "n_patients"):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if wrong := np.flatnonzero(numbers.isna() & table[column].notna()).tolist():
            message = "is no number with a decimal point; give the table as the run has written it"
            problem = Problem(
                path, message, row=read.lines[wrong[0]], column=column, value=table[column].iloc[wrong[0]]
            )
            raise BadInput(problem)
        table[column] = numbers
        if wrong := np.flatnonzero(_impossible(column, numbers)).tolist():
            message = "cannot be; give the table as the run has written it"
            value = f"{numbers.iloc[wrong[0]]:g}"
            raise BadInput(Problem(path, message, row=read.lines[wrong[0]], column=column, value=value))
    usable = table["family"].isin([PRIMARY, PAIRWISE]) & (table["comparison"] != OMNIBUS)
    usable &= np.isfinite(table["effect"]) & np.isfinite(table["se"]) & (table["se"] > 0)
    kept = _per_unit(table.loc[usable, [*KEYS, "effect", "se", "n_patients"]])
    if kept.empty:
        message = (
            "no row has an effect and its standard error: nothing of it can be pooled; its column warnings says why"
        )
        raise BadInput(Problem(path, message, column="se"))
    if (twice := kept.duplicated(KEYS)).any():
        row = kept[twice].iloc[0]
        message = (
            f"stands there twice, for {row['feature']}, {row['comparison']}; give the table as the run has written it"
        )
        raise BadInput(
            Problem(path, message, row=read.lines[int(kept.index[twice][0])], column="niche", value=row["niche"])
        )
    if (unknown := kept["n_patients"].isna()).any():
        raise BadInput(Problem(path, "is empty", row=read.lines[int(kept.index[unknown][0])], column="n_patients"))
    return kept, str(found[0])


def _impossible(column: str, numbers: pd.Series) -> pd.Series:
    """Which values no run has written; a standard error of 0, of a niche that no patient has, is one."""
    if column == "effect":
        return numbers.abs() > MOST
    if column == "se":
        return (numbers < 0) | (numbers > MOST) | ((numbers > 0) & (numbers < LEAST))
    return (numbers < 1) | (numbers % 1 != 0) & numbers.notna()


def _per_unit(rows: pd.DataFrame) -> pd.DataFrame:
    """Slopes per SD of a study's own patients, per unit of the variable: ``clr_slope_per_unit``."""
    shared, sd = without_sd(rows["comparison"])
    slope, divisor = sd.notna() & (sd > 0), sd.where(sd > 0, 1.0)
    return rows.assign(
        comparison=shared.str.replace("per SD of", "per unit of").where(slope, rows["comparison"]),
        effect_type=rows["effect_type"].str.replace("per_sd", "per_unit").where(slope, rows["effect_type"]),
        effect=rows["effect"] / divisor,
        se=rows["se"] / divisor,
    )


def nothing_in_common(rows: pd.DataFrame) -> str:
    """Why nothing was pooled: what each study asks."""
    asked = [f"{study}: {_asked(own)}" for study, own in rows.groupby("study", sort=False)]
    return "no niche, feature and comparison is in two of the tables; contrasts must ask the same in all studies. " + (
        "They ask: " + "; ".join(asked)
    )


def _asked(own: pd.DataFrame) -> str:
    return ", ".join(sorted({f"{c} ({e})" for c, e in zip(own["comparison"], own["effect_type"])}))


def tell_pooled(rows: pd.DataFrame, pooled: pd.DataFrame) -> None:
    """Log how many rows were pooled, and warn of each study that is in none of them: its patients have no say."""
    shared = rows.merge(pooled[KEYS], on=KEYS)
    log.info("%d rows pooled, from %d studies", len(pooled), shared["study"].nunique())
    for study, own in rows.groupby("study", sort=False):
        alone = len(own) - int((shared["study"] == study).sum())
        if alone == len(own):
            message = "%s: nothing of it is pooled, since no other table asks the same of a niche; it asks: %s. "
            log.warning(message + "The others ask: %s", study, _asked(own), _asked(rows[rows["study"] != study]))
        elif alone:
            log.info("%s: %d of its %d rows are in no other table, and are not pooled", study, alone, len(own))


def pool(rows: pd.DataFrame) -> pd.DataFrame:
    """Pooled effects, one row per niche, feature and comparison that at least two studies have."""
    pooled = []
    for key, group in rows.groupby(KEYS, sort=False):
        if len(group) > 1:
            pooled.append(dict(zip(KEYS, key)) | _pooled(group))
    table = pd.DataFrame(pooled)
    if len(table):
        table["q"] = benjamini_hochberg(table["p"].to_numpy())
        table = table.sort_values("p", kind="stable", ignore_index=True)
    return table


def _pooled(group: pd.DataFrame) -> dict:
    effect, variance = group["effect"].to_numpy(float), group["se"].to_numpy(float) ** 2
    with np.errstate(divide="ignore"):  # I^2 of effects that are the same is 1 - 1 / 0
        found = combine_effects(effect, variance, method_re="iterated", use_t=True)
    k = len(effect)
    se = max(float(found.sd_eff_w_re), float(found.sd_eff_w_re_hksj))
    half, half_fixed = scipy.stats.t.ppf(0.975, k - 1) * se, scipy.stats.norm.ppf(0.975) * float(found.sd_eff_w_fe)
    signs = np.sign(effect)
    return {
        "n_studies": k,
        "n_patients": int(group["n_patients"].sum()),
        "effect": float(found.mean_effect_re),
        "ci_low": float(found.mean_effect_re) - half,
        "ci_high": float(found.mean_effect_re) + half,
        "p": float(2 * scipy.stats.t.sf(abs(found.mean_effect_re) / se, k - 1)),
        "effect_fixed": float(found.mean_effect_fe),
        "ci_low_fixed": float(found.mean_effect_fe) - half_fixed,
        "ci_high_fixed": float(found.mean_effect_fe) + half_fixed,
        "p_fixed": float(2 * scipy.stats.norm.sf(abs(found.mean_effect_fe) / float(found.sd_eff_w_fe))),
        "tau2": max(float(found.tau2), 0.0),
        "i2": max(float(found.i2), 0.0),
        "heterogeneity": float(found.q),
        "p_heterogeneity": float(scipy.stats.chi2.sf(found.q, k - 1)),
        "same_sign": bool((signs == signs[0]).all()),
        "studies": "; ".join(group["study"]),
        "warnings": _warnings(k, str(group["effect_type"].iloc[0])),
    }


def _warnings(k: int, effect_type: str) -> str:
    found = []
    if k < 5:
        found.append(
            f"{k} studies say little of how studies differ: the random-effects interval is wide, tau2 uncertain"
        )
    if "per_sd" in effect_type:
        found.append("per standard deviation of each study, which may differ between them")
    return "; ".join(found)


def forest_of_studies(rows: pd.DataFrame, pooled: pd.DataFrame) -> Figure:
    """Effects of the studies with their 95 % intervals (normal), and below them the pooled one, for each row."""
    drawn = pooled.head(MOST_ROWS)
    n_lines = sum(int(n) + 2 for n in drawn["n_studies"])
    figure = new_figure(8.5, 1.0 + 0.24 * n_lines)
    ax = figure.subplots()
    labels, y = [], 0
    for _, row in drawn.iterrows():
        own = rows[(rows[KEYS] == row[KEYS].to_numpy()).all(axis=1)]
        title = feature_name(row)
        for _, study in own.iterrows():
            half = 1.96 * study["se"]
            ax.plot([study["effect"] - half, study["effect"] + half], [y, y], color=FAINT, lw=1.2)
            ax.scatter(study["effect"], y, s=18, color=INK, zorder=3)
            labels.append((y, str(study["study"])))
            y += 1
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=INK, lw=2)
        ax.scatter(row["effect"], y, marker="D", s=40, color=row_colour(str(row["niche"])), edgecolor=INK, zorder=3)
        labels.append((y, f"{title}, pooled (I\N{SUPERSCRIPT TWO} {percent(row['i2'])})"))
        y += 2
    ax.axvline(0, color=FAINT, lw=1, zorder=1)
    ax.set_yticks([place for place, _ in labels], [text for _, text in labels], parse_math=False)
    ax.set_ylim(y - 1, -1)
    ax.set_xlabel("Effect with its 95 % interval, in the unit of effect_type")
    return figure
