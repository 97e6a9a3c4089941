"""Ground truth of a simulated cohort beside the findings."""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.errors import BadInput, Problem
from semanticst.mqc import multiqc
from semanticst.mqc.multiqc import PLANTED, Column, Section
from semanticst.plotting.palette import niche_colour, niche_name
from semanticst.writing import write_json

log = logging.getLogger(__name__)

Q_LIMIT = 0.05
"""A niche is called associated below this q-value."""
FEATURE = "proportion"
"""The feature in which effects are planted."""


@dataclass
class Finding:
    """One contrast: what was planted and what the association table says.

    ``domain`` and ``direction`` are None where nothing was planted; ``niche`` is None where no niche holds the domain;
    ``q`` is None where the niche could not be tested. ``others`` are the further niches that were called.
    """

    contrast: str
    domain: str | None
    direction: str | None
    niche: int | None = None
    effect: float | None = None
    effect_type: str | None = None
    p: float | None = None
    q: float | None = None
    found_direction: str | None = None
    found: bool = False
    others: list[int] = field(default_factory=list)


def report_planted(folder: Path, niches: Path, associations: list[Path], outdir: Path) -> None:
    """Write ``planted.json``, ``planted_mqc.json`` and ``planted_domains_mqc.json`` into ``outdir``.

    folder : as written by ``cohort_simulate.py`` (planted.json, domains.csv.gz). niches : ``niches.csv.gz``.
    associations : one ``{contrast}.csv`` per contrast.

    Raises BadInput when a file or column is missing, or when cells and truth have nothing in common.
    """
    planted = _read_json(folder / "planted.json")
    truth = _read_table(folder / "domains.csv.gz", ("sample", "cell_id", "domain"))
    cells = _read_table(niches, ("sample", "cell_id", "niche"))
    scored = cells.merge(truth, on=["sample", "cell_id"], validate="one_to_one")
    if scored.empty:
        raise BadInput(Problem(niches, f"shares no cell with {folder.name}/domains.csv.gz: another cohort?"))

    agreement = agree(scored["domain"], scored["niche"])
    matches = match_domains(scored["domain"], scored["niche"])
    tables = {path.name.removesuffix(".csv"): _read_table(path, _ASSOCIATION_COLUMNS) for path in associations}
    findings = [
        judge(name, contrast, tables[name], matches)
        for name, contrast in planted["contrasts"].items()
        if name in tables
    ]
    for name in sorted(set(planted["contrasts"]) - set(tables)):
        log.info("contrast %s was planted and not tested", name)
    write_json(
        outdir / "planted.json",
        {
            "n_cells": len(scored),
            "n_cells_removed": len(truth) - len(scored),
            **agreement,
            "domains": matches.reset_index().to_dict("records"),
            "contrasts": {finding.contrast: asdict(finding) for finding in findings},
        },
    )
    _write_text(outdir, planted, agreement, findings, len(scored), len(matches))
    _write_matches(outdir, matches)


def agree(domain: pd.Series, niche: pd.Series) -> dict[str, float]:
    """Agreement of two labellings: adjusted Rand index (Hubert & Arabie 1985) and normalised mutual information."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return {
        "ari": float(adjusted_rand_score(domain, niche)),
        "nmi": float(normalized_mutual_info_score(domain, niche)),
    }


def match_domains(domain: pd.Series, niche: pd.Series) -> pd.DataFrame:
    """Pair planted domains and niches one to one, so that the sum of their overlaps (Jaccard index) is largest.

    Returns, indexed by domain, columns n_cells, niche (None where there are more domains than niches), recovered (share
    of the domain's cells in the niche) and pure (share of the niche's cells from the domain).
    """
    from scipy.optimize import linear_sum_assignment

    both = pd.crosstab(domain, niche)
    overlap = both.to_numpy(dtype=float)
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0) - overlap
    rows, columns = linear_sum_assignment(overlap / union, maximize=True)
    niche_of = dict(zip(rows, columns))
    matches = []
    for row, name in enumerate(both.index):
        match = {"domain": name, "n_cells": int(overlap[row].sum()), "niche": None, "recovered": np.nan, "pure": np.nan}
        if row in niche_of:
            column = niche_of[row]
            shared = overlap[row, column]
            match["niche"] = int(both.columns[column])
            match |= {"recovered": shared / overlap[row].sum(), "pure": shared / overlap[:, column].sum()}
        matches.append(match)
    # object: a missing niche must not turn the others into floats
    niches = pd.Series([match.pop("niche") for match in matches], dtype=object)
    return pd.DataFrame(matches).assign(niche=niches).set_index("domain")


def judge(name: str, contrast: dict, table: pd.DataFrame, matches: pd.DataFrame) -> Finding:
    """Compare one association table with what was planted in its contrast."""
    table = table[table["feature"] == FEATURE]
    if "family" in table:
        # pairs of groups are tested again below the whole
        table = table[table["family"] == "primary"]
    niche = pd.to_numeric(table["niche"]).astype(int)
    called = niche[table["q"] < Q_LIMIT].tolist()
    planted = contrast["domains"][0] if contrast["domains"] else {"domain": None, "direction": None}
    finding = Finding(name, planted["domain"], planted["direction"], others=called)
    finding.niche = matches["niche"].get(finding.domain)
    if finding.niche is None:
        return finding
    finding.others = [other for other in called if other != finding.niche]
    own = table[niche == finding.niche]
    if own.empty or pd.isna(own["q"].iloc[0]):
        return finding
    row = own.iloc[0]
    finding.effect, finding.effect_type = float(row["effect"]), str(row["effect_type"])
    finding.p, finding.q = float(row["p"]), float(row["q"])
    finding.found_direction = "up" if finding.effect > _no_effect(finding.effect_type) else "down"
    finding.found = finding.q < Q_LIMIT and finding.found_direction == finding.direction
    return finding


_ASSOCIATION_COLUMNS = ("niche", "feature", "effect", "effect_type", "p", "q")


def _no_effect(effect_type: str) -> float:
    """Value of an effect that means none: 1 for ratios, 0 for differences and logarithms."""
    return 1.0 if "ratio" in effect_type and "log" not in effect_type else 0.0


def _write_text(
    outdir: Path, planted: dict, agreement: dict, findings: list[Finding], n_cells: int, n_domains: int
) -> None:
    paragraphs: list[str] = [
        multiqc.emphasised(
            f"<b>Niches.</b> {n_domains} domains were simulated in the tissue. The niches found agree with them with "
            f"an adjusted Rand index of <b>{agreement['ari']:.2f}</b> (1 = all cells as simulated, 0 = chance) and a "
            f"normalised mutual information of {agreement['nmi']:.2f}, over {n_cells:,} cells."
        )
    ]
    paragraphs += [_sentence(finding, planted["contrasts"][finding.contrast]) for finding in findings]
    others = sum(len(finding.others) for finding in findings)
    if others:
        paragraphs.append(
            "Proportions of a sample sum to 1: when the simulated domain takes more room, the others have less. "
            "Further niches below the limit are such side effects or false alarms."
        )
    section = Section(
        "planted", PLANTED, "Agreement", "Ground truth is what the simulation did, result is what this run found."
    )
    multiqc.text(outdir, section, paragraphs)


def _sentence(finding: Finding, contrast: dict) -> multiqc.Html:
    head = multiqc.emphasised("<b>Contrast {name}.</b> ", name=finding.contrast)
    others = multiqc.markup(", ".join(niche_name(niche) for niche in finding.others))
    if finding.domain is None:
        below = f"below q = {Q_LIMIT}"
        outcome = f"{others} {below}: false alarm." if others else f"no niche {below}: right."
        return multiqc.Html(f"{head}Ground truth: no niche is associated with it. Result: {outcome}")
    meaning = _meaning(finding.direction, contrast)
    planted = f"{head}Ground truth: {multiqc.markup(finding.domain)} {meaning}. Result: "
    if finding.niche is None:
        return multiqc.Html(f"{planted}no niche holds {multiqc.markup(finding.domain)}, so it is <b>missed</b>.")
    name = multiqc.markup(niche_name(finding.niche))
    holder = f"{multiqc.swatch(niche_colour(finding.niche))} {name}, which holds {multiqc.markup(finding.domain)},"
    if finding.q is None:
        outcome = "could not be tested"
    else:
        verdict = "found" if finding.found else "missed"
        what = _meaning(finding.found_direction, contrast)
        outcome = f"{what} (p = {finding.p:.2g}, q = {finding.q:.2g}): <b>{verdict}</b>"
    rest = f" Also below q = {Q_LIMIT}: {others}." if others else f" No other niche is below q = {Q_LIMIT}."
    return multiqc.Html(f"{planted}{holder} {outcome}.{rest}")


def _meaning(direction: str | None, contrast: dict) -> multiqc.Html:
    if contrast["type"] == "survival":
        return multiqc.markup(f"is associated with a {'higher' if direction == 'up' else 'lower'} hazard")
    side = "larger" if direction == "up" else "smaller"
    return multiqc.markup(f"is {side} in {contrast['target']} than in {contrast['reference']}")


def _write_matches(outdir: Path, matches: pd.DataFrame) -> None:
    frame = matches.assign(
        colour=[None if niche is None else multiqc.swatch(niche_colour(niche)) for niche in matches["niche"]],
        niche=["none" if niche is None else niche_name(niche) for niche in matches["niche"]],
    )
    columns = {
        "n_cells": Column("Cells", "Cells of the simulated domain that passed quality control.", "{:,d}"),
        "colour": Column("Colour", "Colour of the niche in this report."),
        "niche": Column("Niche", "The niche that overlaps most with it, each niche used once."),
        "recovered": Column(
            "Recovered", "Proportion of its cells that are in that niche.", "{:.0%}", "", "Greens", 0, 1
        ),
        "pure": Column(
            "Pure", "Proportion of the cells of that niche that belong to it.", "{:.0%}", "", "Greens", 0, 1
        ),
    }
    section = Section(
        "planted_domains", PLANTED, "Niche by niche", "Each simulated domain and the niche that holds it."
    )
    multiqc.table(outdir, section, frame, columns, row_title="Domain")


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"sample": str, "cell_id": str, "domain": str})
    except (OSError, ValueError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error})")) from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise BadInput([Problem(path, "this column is missing", column=column) for column in missing])
    return table


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(Problem(path, f"cannot be read ({error})")) from error
    if not isinstance(content, dict) or not isinstance(content.get("contrasts"), dict):
        raise BadInput(Problem(path, "expected an object with the key 'contrasts'"))
    return content
