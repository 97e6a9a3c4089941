"""Features compared between patients: log-ratios of proportions, contacts, diversity, and features within niches.

Cells are summed over the sections of a unit (a patient, or a patient's sections of one level) before any share is
taken, so that a large section weighs more than a small one and the patient stays the unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import pandas as pd

from semanticst.association.design.tables import read_text_table
from semanticst.association.features.within_niche import CELL_TYPE, GENE_SET, WITHIN_NICHE, within_niche_features
from semanticst.errors import BadInput, Problem

PSEUDO_SHARE = 0.001
"""Added to every share before the logarithm: one cell in a thousand.

It is a share and not a cell, so that "none of 500 cells" and "none of 5,000" are the same value, and it is not
smaller because a niche appears in patches: a share below it says that no patch was hit, not how few cells there are.
"""

MIN_EXPECTED_CONTACTS = 5.0
"""With fewer expected edges between two niches, a patient has no value for their contact."""

FEATURES = ("proportion", "entropy", "contacts", *WITHIN_NICHE)
NEEDS = {
    "contacts": "--contacts",
    "fragmentation": "--patches",
    "cell_types": "--cell-types, which there is when the samples have obs['cell_type']",
    "gene_sets": "--gene-sets, which there is with the parameter clinical_gene_sets",
}
JOINT = "all"
"""What stands in the niche column when a row is about the whole composition."""


@dataclass(frozen=True)
class Features:
    """Values per unit. Columns of both tables are a MultiIndex (feature, niche), rows are units.

    ``modelled`` is what models see (float64, NaN = undefined for this unit), ``shown`` what figures and text show.
    """

    modelled: pd.DataFrame
    shown: pd.DataFrame
    expected: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Of cell types inside niches: cells that a unit is expected to have at the number at which they are compared."""

    SCALES = {"proportion": "clr", "entropy": "entropy", "fragmentation": "log2_fragmentation"}
    PREFIXES = {CELL_TYPE: "log_odds", GENE_SET: "expression"}

    def scale(self, feature: str) -> str:
        """Prefix of ``effect_type``: ``clr``, ``entropy``, ``log2_contact``, ``log_odds``, ..."""
        prefix = next((scale for start, scale in self.PREFIXES.items() if feature.startswith(start)), "log2_contact")
        return self.SCALES.get(feature, prefix)


def read_counts(path: Path) -> pd.DataFrame:
    """Read cells per section and niche: index sample (sorted), columns niche (int, sorted), int64.

    Raises BadInput when a count is not a whole number or a pair of sample and niche is repeated.
    """
    return _wide(path, read_text_table(path, ("sample", "niche", "n_cells")))


def read_member_counts(path: Path) -> dict[str, pd.DataFrame]:
    """Read ``niche_member_counts.csv``: the counts of every base clustering, as those of ``read_counts``."""
    table = read_text_table(path, ("member", "sample", "niche", "n_cells"))
    return {str(member): _wide(path, rows) for member, rows in table.groupby("member", sort=True)}


def read_digest(path: Path) -> str:
    """Digest of the niches that are counted in ``niche_member_counts.csv``; empty where it does not say."""
    table = read_text_table(path, ("member",))
    known = table["model_digest"].dropna().unique() if "model_digest" in table else []
    return str(known[0]) if len(known) == 1 else ""


def _wide(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    numeric = table[["niche", "n_cells"]].apply(pd.to_numeric, errors="coerce")
    wrong = numeric.isna().any(axis=1) | (numeric % 1 != 0).any(axis=1) | (numeric < 0).any(axis=1)
    wrong |= table.duplicated(["sample", "niche"])
    if wrong.any():
        message = "expected one row per sample and niche, with whole numbers for niche and n_cells"
        raise BadInput(Problem(path, message, row=int(wrong.index[wrong][0]) + 2))
    table = table.assign(**numeric.astype(int))
    wide = table.pivot_table(index="sample", columns="niche", values="n_cells", aggfunc="sum", fill_value=0)
    return wide.sort_index().sort_index(axis=1)


def shares(counts: pd.DataFrame) -> pd.DataFrame:
    """Share of each niche among the cells of a unit; rows sum to 1."""
    return counts.div(counts.sum(axis=1), axis=0)


def centred_log_ratio(share: pd.DataFrame, pseudo: float = PSEUDO_SHARE) -> pd.DataFrame:
    """Centred log-ratio: log of each share plus ``pseudo``, minus the row's mean log (Aitchison 1982, JRSS B 44:139).

    A niche that no unit has carries no information: it is NaN and does not enter the mean.
    """
    present = share.columns[(share > 0).any(axis=0)]
    logs = np.log(share[present] + pseudo)
    return logs.sub(logs.mean(axis=1), axis=0).reindex(columns=share.columns)


def build_features(
    counts: pd.DataFrame,
    kinds: tuple[str, ...],
    contacts: pd.DataFrame | None = None,
    within_niche: Mapping[str, pd.DataFrame] | None = None,
    unit_of_sample: pd.Series | None = None,
    min_cells: int = 20,
) -> Features:
    """Features of each unit.

    Parameters
    ----------
    counts
        Cells per unit (rows) and niche (columns).
    kinds
        Which of ``FEATURES``.
    contacts
        Edges and expected edges per unit and pair of niches, from ``unit_contacts``; needed for ``contacts``.
    within_niche, unit_of_sample, min_cells
        Tables of `read_within_niche` per kind, needed for the kinds of `WITHIN_NICHE`; the unit of each sample;
        cells of a niche below which a unit has no value.
    """
    share = shares(counts)
    modelled, shown = {}, {}
    expected: dict[tuple[str, str], float] = {}
    if "proportion" in kinds:
        logs = centred_log_ratio(share)
        for niche in share.columns:
            modelled["proportion", str(niche)], shown["proportion", str(niche)] = logs[niche], share[niche]
    if "entropy" in kinds:
        entropy = -(share * np.log(share.where(share > 0, 1.0))).sum(axis=1)
        modelled["entropy", JOINT], shown["entropy", JOINT] = entropy, np.exp(entropy)
    if "contacts" in kinds and contacts is not None:
        for (a, b), pair in contacts.groupby(["niche_a", "niche_b"], sort=True):
            pair = pair.set_index("unit").reindex(share.index)
            ratio = np.log2((pair["edges"] + 0.5) / (pair["expected"] + 0.5))
            ratio = ratio.where(pair["expected"] >= MIN_EXPECTED_CONTACTS)
            modelled[f"contact_with_{b}", str(a)] = shown[f"contact_with_{b}", str(a)] = ratio
    for kind in (k for k in kinds if k in WITHIN_NICHE):
        if within_niche is None or unit_of_sample is None:
            raise ValueError(f"{kind} needs the tables of what is inside the niches, and the unit of each sample")
        new = within_niche_features(kind, within_niche[kind], unit_of_sample, share.index, min_cells)
        modelled, shown, expected = modelled | new[0], shown | new[1], expected | new[2]
    names = ["feature", "niche"]
    columns = pd.MultiIndex.from_tuples(list(modelled), names=names)
    return Features(
        pd.DataFrame(dict(enumerate(modelled.values()))).set_axis(columns, axis=1),
        pd.DataFrame(dict(enumerate(shown.values()))).set_axis(columns, axis=1),
        expected,
    )


def read_contacts(path: Path) -> pd.DataFrame:
    """Read edges between niches per section: sample, niche_a, niche_b (int), edges, expected (float64)."""
    table = read_text_table(path, ("sample", "niche_a", "niche_b", "edges", "expected"))
    numeric = ["niche_a", "niche_b", "edges", "expected"]
    table[numeric] = table[numeric].apply(pd.to_numeric, errors="coerce").fillna(0.0)
    return table.astype({"niche_a": int, "niche_b": int})[["sample", *numeric]]


def unit_contacts(contacts: pd.DataFrame, unit_of_sample: pd.Series) -> pd.DataFrame:
    """Sum edges and expected edges over the sections of each unit."""
    known = contacts[contacts["sample"].isin(unit_of_sample.index)]
    known = known.assign(unit=known["sample"].map(unit_of_sample))
    return known.groupby(["unit", "niche_a", "niche_b"], as_index=False)[["edges", "expected"]].sum()


def parse_features(text: str, given: Mapping[str, Path | None]) -> tuple[str, ...]:
    """Read the option ``--clinical_features``.

    Parameters
    ----------
    text
        Kinds of features (of ``FEATURES``) between commas.
    given
        The table per kind that needs one, None where it was not given.

    Returns
    -------
    tuple of str
        The kinds, each once, in their order.

    Raises
    ------
    UsageError
        For an unknown kind, or one without its table.

    Examples
    --------
    >>> parse_features("proportion, contacts", {"contacts": Path("niche_contacts.csv")})
    ('proportion', 'contacts')
    """
    kinds = tuple(dict.fromkeys(k.strip() for k in text.split(",") if k.strip()))
    unknown = [k for k in kinds if k not in FEATURES]
    if unknown or not kinds:
        raise click.UsageError(f"--clinical_features: {text!r}; choose from {', '.join(FEATURES)}")
    for kind in (k for k in kinds if k not in ("proportion", "entropy")):
        if given.get(kind) is None:
            raise click.UsageError(f"--clinical_features {kind} needs {NEEDS[kind]}")
    return kinds
