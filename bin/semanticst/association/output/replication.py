"""Discovery and validation side by side: what was found in the first, and what the second says of it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.association.associate import Association
from semanticst.association.design.tables import read_text_table
from semanticst.association.output.summary_text import feature_name, n_patients, n_sections, section_values
from semanticst.association.stats.per_sd import without_sd
from semanticst.association.stats.results import PAIRWISE, SIGNIFICANT, holm
from semanticst.constants import VALIDATION, Obs
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import ASSOCIATION, Column, Section
from semanticst.plotting.niche_names import with_names
from semanticst.wording import plural
from semanticst.writing import write_table

log = logging.getLogger(__name__)

KEYS = ["niche", "feature", "comparison"]
SHOWN = ["effect", "ci_low", "ci_high", "p", "q", "n_patients", "warnings"]


def has_validation(samplesheet: Path) -> bool:
    """Whether samples of the checked sheet are of a validation."""
    sheet = read_text_table(samplesheet, ("sample", "patient"))
    return Obs.STUDY_PART in sheet and bool((sheet[Obs.STUDY_PART] == VALIDATION).any())


def side_by_side(discovery: pd.DataFrame, validation: pd.DataFrame | None) -> pd.DataFrame:
    """Rows with a direction of two association tables, one row per niche, feature and comparison.

    ``found``: q < 0.05 in the discovery. ``same_direction``: the signs of both effects agree. ``p_holm``: p of the
    validation, adjusted by Holm over what was found. ``confirmed``: found, same direction, and p_holm < 0.05.
    Slopes per SD of a variable are per SD of the discovery in both.
    """
    ours = discovery.loc[discovery["family"] != "composition", [*KEYS, "effect_type", "family", *SHOWN]]
    theirs = pd.DataFrame(columns=[*KEYS, *SHOWN]) if validation is None else validation[[*KEYS, *SHOWN]]
    both = _merged(ours, theirs)
    found = (both["q_discovery"] < SIGNIFICANT).to_numpy(bool)
    effects = both[["effect_discovery", "effect_validation"]].to_numpy(float)
    known = np.isfinite(effects).all(axis=1)
    same = known & (np.sign(effects[:, 0]) == np.sign(effects[:, 1]))
    both["found"] = np.where(found, "yes", "no")
    both["same_direction"] = np.where(known, np.where(same, "yes", "no"), "")
    p = both["p_validation"].astype(float)
    tested = found & p.notna().to_numpy()
    both["p_holm"] = np.nan
    if tested.any():
        both.loc[tested, "p_holm"] = holm(p[tested])
    confirmed = found & same & (both["p_holm"] < SIGNIFICANT).to_numpy(bool)
    both["confirmed"] = np.where(found, np.where(confirmed, "yes", "no"), "")
    return both.drop(columns=["q_validation"])


def _merged(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``ours`` beside those of ``theirs``, whose slopes are brought to the SD of ours."""
    parts = []
    for rows in (ours, theirs):
        shared, sd = without_sd(rows["comparison"])
        parts.append(rows.assign(shared=shared, sd=sd))
    theirs_shared = parts[1].drop(columns="comparison")
    on = ["niche", "feature", "shared"]
    both = parts[0].merge(theirs_shared, on=on, how="left", suffixes=("_discovery", "_validation"))
    factor = (both["sd_discovery"] / both["sd_validation"]).fillna(1.0)
    for column in ("effect", "ci_low", "ci_high"):
        both[f"{column}_validation"] = both[f"{column}_validation"].astype(float) * factor
    both["n_patients_validation"] = both["n_patients_validation"].astype("Int64")
    return both.drop(columns=["shared", "sd_discovery", "sd_validation"])


@dataclass(frozen=True)
class Replication:
    """A contrast in both parts of a study: ``both`` as `side_by_side` gives it, and ``validation``, None where it could
    not be tested, for the ``reason`` that is given then."""

    both: pd.DataFrame
    validation: Association | None
    reason: str

    @classmethod
    def of(cls, result: Association, validation: Association | None, reason: str) -> "Replication":
        """``result``: of the discovery."""
        return cls(side_by_side(result.table, None if validation is None else validation.table), validation, reason)

    def record(self) -> dict:
        """For the record of the contrast and the summary of the run, plain values."""
        found = self.both[self.both["found"] == "yes"]
        answers = found.assign(answer=found["confirmed"].where(found["same_direction"] != "", ""))
        return {
            "n_patients": 0 if self.validation is None else n_patients(self.validation),
            "n_sections": 0 if self.validation is None else n_sections(self.validation),
            "section_values": {} if self.validation is None else section_values(self.validation.design.sections),
            "n_found": len(found),
            "n_same_direction": int((found["same_direction"] == "yes").sum()),
            "n_confirmed": int((found["confirmed"] == "yes").sum()),
            # of each finding whether it is confirmed: yes, no, or empty where it has no effect in both parts
            "answers": answers[[*KEYS, "answer"]].astype(str).to_numpy().tolist(),
            "not_testable": self.reason,
            "said": self.said(),
        }

    def said(self) -> str:
        """What the validation says, in words."""
        if self.validation is None:
            return f"The validation could not be tested: {self.reason}."
        found = self.both[self.both["found"] == "yes"]
        if len(found):
            n_same, n_confirmed = ((found[name] == "yes").sum() for name in ("same_direction", "confirmed"))
            not_refuted = (
                " What is not confirmed is not refuted: read the interval." if n_confirmed < len(found) else ""
            )
            return (
                f"{plural(len(found), 'finding')} of the discovery (q < {SIGNIFICANT:g}): {n_same} with the same "
                f"direction in the validation, {n_confirmed} confirmed (p < {SIGNIFICANT:g} after Holm over these)."
                f"{not_refuted}"
            )
        return f"Nothing was found in the discovery (q < {SIGNIFICANT:g}), so there is nothing to confirm."


def write_replication(name: str, replication: Replication, outdir: Path) -> None:
    """Write ``{name}_validation.csv``, ``{name}_replication.csv`` and the section of the report of a contrast."""
    both, said = replication.both, replication.said()
    if replication.validation is not None:
        write_table(outdir / f"{name}_validation.csv", with_names(replication.validation.table))
    write_table(outdir / f"{name}_replication.csv", with_names(both))
    log.info("%s: %s", name, said)
    section = Section(
        f"association_{name}_validation",
        ASSOCIATION,
        f"{name}: discovery and validation",
        f"{said} Features, model and niches were decided on the discovery (before, where the run was given a --model), "
        "and the validation was mapped onto them.",
    )
    shown = both[both["family"] != PAIRWISE] if (both["family"] != PAIRWISE).any() else both
    frame = pd.DataFrame(index=pd.Index([_row_name(row, shown) for _, row in shown.iterrows()]))
    for part in ("discovery", "validation"):
        frame[part] = [_effect(row, part) for _, row in shown.iterrows()]
        frame[f"n_{part}"] = shown[f"n_patients_{part}"].to_numpy()
    for column in ("q_discovery", "p_validation", "same_direction", "confirmed"):
        frame[column] = shown[column].to_numpy()
    columns = {
        "discovery": Column("Discovery", "Effect and 95 % interval"),
        "n_discovery": Column("patients", "Patients of the discovery in this test"),
        "q_discovery": Column("q", "False discovery rate in the discovery", "{:.3g}"),
        "validation": Column("Validation", "Effect and 95 % interval"),
        "n_validation": Column("patients", "Patients of the validation in this test"),
        "p_validation": Column("p", "p-value in the validation", "{:.3g}"),
        "same_direction": Column("Same direction"),
        "confirmed": Column("Confirmed", "Of findings: same direction, and p < 0.05 after Holm over the findings"),
    }
    multiqc.table(outdir, section, frame.head(60), columns, "Niche")


def _row_name(row: pd.Series, shown: pd.DataFrame) -> str:
    name = feature_name(row)
    return f"{name}, {row['comparison']}" if len(shown["comparison"].unique()) > 1 else name


def _effect(row: pd.Series, part: str) -> str:
    effect, low, high = (row[f"{name}_{part}"] for name in ("effect", "ci_low", "ci_high"))
    if not np.isfinite(float(effect)):
        return "not testable"
    return f"{effect:+.2f} ({low:.2f} to {high:.2f})".replace("-", "\N{MINUS SIGN}")
