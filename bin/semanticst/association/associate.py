"""One contrast from tables to results: the function behind ``niche_associate.py``."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from semanticst.association.checks.arbitrary_cuts import is_supported, of_arbitrary_cuts
from semanticst.association.checks.beside import Checks, add_checks
from semanticst.association.checks.beyond_cell_types import cell_types_of
from semanticst.association.checks.echo import mark_echoes
from semanticst.association.checks.unreproducible import of_unsure_niches, unsure_niches
from semanticst.association.design.design import Design
from semanticst.association.design.region_parts import (
    BY_REGION,
    is_by_region,
    read_region_counts,
    split_by_region,
)
from semanticst.association.design.tables import Contrast, read_clinical, read_contrast, read_sections
from semanticst.association.features.composition import (
    JOINT,
    PSEUDO_SHARE,
    Features,
    build_features,
    read_contacts,
    read_counts,
    read_digest,
    read_member_counts,
    unit_contacts,
)
from semanticst.association.features.summed_units import Units
from semanticst.association.features.within_niche import read_within_niche
from semanticst.association.stats.cell_numbers import (
    Cells,
    LogCells,
    account_for_cells,
    beside_cells,
    compare_beside_cells,
    without_test,
)
from semanticst.association.stats.changes import CellChange, changes_of
from semanticst.association.stats.clusters import compare_clusters
from semanticst.association.stats.design_as_tested import design_as_tested
from semanticst.association.stats.group_contrasts import (
    compare_continuous,
    compare_groups,
    compare_ordered,
)
from semanticst.association.stats.linear_contrast import Settings
from semanticst.association.stats.permanova import compare_composition
from semanticst.association.stats.results import (
    OMNIBUS,
    PAIRWISE,
    PRIMARY,
    SIGNIFICANT,
    add_q,
    association_table,
    without_untested_checks,
)
from semanticst.association.stats.sensitivity import add_detectable_effects
from semanticst.association.stats.survival import compare_survival, compare_survival_only
from semanticst.constants import PERMUTATIONS, Obs
from semanticst.wording import plural

log = logging.getLogger(__name__)

MODELS = {
    "groups": compare_groups,
    "ordered": compare_ordered,
    "continuous": compare_continuous,
    "survival": compare_survival,
}

QUICK = {"survival": compare_survival_only}
"""Of ``MODELS``, what stands beside the tests of the contrast, where it is another function."""
UNIT = ("patient (or section)", "patients (or sections)")
"""What a row counts, of one and of several."""
CHECK_PERMUTATIONS = 999
"""Of the tests that stand beside those of the contrast."""


@dataclass(frozen=True)
class Association:
    """Result of one contrast.

    Attributes
    ----------
    contrast, design
        What was unadjusted, and the units it was unadjusted of.
    features
        Values per unit.
    table
        The association table, see ``results.COLUMNS``.
    settings
        Everything that was chosen, for the record.
    batch_strength
        Cramer's V (or correlation ratio) of batch and contrast; None where it cannot be judged.
    """

    contrast: Contrast
    design: Design
    features: Features
    table: pd.DataFrame
    settings: dict
    batch_strength: float | None
    cells: pd.Series
    """Cells of each section in use."""
    top_markers: Mapping[str, str] = field(default_factory=dict)
    """What a niche is enriched for, by its number; empty where no markers were given."""
    checks: Checks = field(default_factory=Checks)
    """Tables beside ``table``."""

    @property
    def primary(self) -> pd.DataFrame:
        """Rows that answer the contrast itself: no pairs beside an omnibus or trend, no joint test."""
        return self.table[self.table["family"] == PRIMARY]

    @property
    def findings(self) -> pd.DataFrame:
        """Primary rows that pass the false discovery rate, smallest p first."""
        return self.primary[self.primary["q"] < SIGNIFICANT].sort_values("p", kind="stable")

    def pairs_of(self, row: pd.Series) -> pd.DataFrame:
        """Pairs of levels of a row's feature and niche that pass (Holm), smallest p first; empty without pairs."""
        pairs = self.table[(self.table["family"] == PAIRWISE) & (self.table["q"] < SIGNIFICANT)]
        same = (pairs["feature"] == row["feature"]) & (pairs["niche"] == row["niche"])
        return pairs[same].sort_values("p", kind="stable")

    @property
    def effects(self) -> pd.DataFrame:
        """Rows with an effect that has a direction: the pairs where the primary row is an omnibus test.

        For figures and intervals. What was found is said by ``findings``: the omnibus tests are not among these.
        """
        pairs = self.table[self.table["family"] == PAIRWISE]
        omnibus = (self.primary["comparison"] == OMNIBUS).any()
        return pairs if omnibus and len(pairs) else self.primary


def associate(
    contrast: str,
    contrasts: Path,
    clinical: Path,
    samplesheet: Path,
    counts: Path,
    contacts: Path | None = None,
    within_niche: Mapping[str, Path | None] | None = None,
    kinds: tuple[str, ...] = ("proportion",),
    base_clusterings: Path | None = None,
    regions: Path | None = None,
    part: str | None = None,
    numbers: Path | None = None,
    overview: Path | None = None,
    **options,
) -> Association:
    """Read the tables and test one contrast.

    Parameters
    ----------
    contrast
        Name of a row of ``contrasts``.
    contrasts, clinical, samplesheet
        Tables as written by ``samplesheet_check.py``.
    counts, contacts
        ``niche_counts.csv`` and ``niche_contacts.csv`` of ``niche_describe.py``.
    within_niche
        Its further tables, per kind of ``within_niche.WITHIN_NICHE``; only those of ``kinds`` are read.
    kinds
        Features to test, of ``composition.FEATURES``.
    base_clusterings
        ``niche_member_counts.csv`` of ``niche_cluster.py``.
    regions
        ``niche_regions.csv`` of ``niche_describe.py``, for a contrast of annotated regions: of proportion and entropy
        alone, since nothing else is known of parts of sections.
    part
        Only sections of this part of the study (``study_part`` of the sheet: discovery, validation); None: all.
    numbers
        ``niche_k.csv`` of ``niche_cluster.py``: where no number of niches is supported, every row says so.
    overview
        ``niche_overview.csv`` of ``niche_describe.py``: rows of niches of low reproducibility say so.
    options
        Passed on to ``examine``.

    Returns
    -------
    Association
        The units that were compared, their features, and the association table.

    Raises
    ------
    BadInput
        When a table or the contrast cannot be used as it stands.

    Examples
    --------
    ``folder`` has the tables of 16 patients, of whom those of group g1 have more of niche 2.

    >>> tables = {name: folder / f"{name}.csv" for name in ("contrasts", "clinical", "samplesheet", "counts")}
    >>> found = associate("arm", **tables, permutations=199)
    >>> found.findings[["feature", "niche"]].iloc[0].to_list()
    ['proportion', '2']
    """
    question = read_contrast(contrasts, contrast)
    niches = read_counts(counts)
    sections = read_sections(samplesheet, read_clinical(clinical), niches)
    digest = read_digest(base_clusterings) if base_clusterings is not None else ""
    if part is not None:
        sections = sections[sections[Obs.STUDY_PART] == part]
        niches = niches[niches.index.isin(sections.index)]
    if is_by_region(question, sections) and regions is not None:
        of_parts, known = read_region_counts(regions)
        # a section without regions has no value, and is counted as such
        niches = pd.concat([niches, of_parts.reindex(columns=niches.columns, fill_value=0)])
        sections = split_by_region(sections, known)
        if left := [kind for kind in kinds if kind not in BY_REGION]:
            log.warning("%s: not known of parts of sections, and not tested: %s", question.name, ", ".join(left))
        kinds = tuple(kind for kind in kinds if kind in BY_REGION) or BY_REGION[:1]
        found = examine(question, sections, niches, kinds=kinds, **options)
        return _told(found, digest, numbers, overview)
    edges = read_contacts(contacts) if contacts is not None else None
    tables = {
        kind: read_within_niche(path, kind) for kind, path in (within_niche or {}).items() if kind in kinds and path
    }
    by_member = read_member_counts(base_clusterings) if base_clusterings is not None else None
    types = (within_niche or {}).get("cell_types")
    typed = read_within_niche(types, "cell_types") if types else None
    if part is not None:
        tables = {kind: table[table["sample"].isin(sections.index)] for kind, table in tables.items()}
        typed = typed[typed["sample"].isin(sections.index)] if typed is not None else None
        edges = edges[edges["sample"].isin(sections.index)] if edges is not None else None
        if by_member is not None:
            by_member = {name: table[table.index.isin(sections.index)] for name, table in by_member.items()}
    found = examine(question, sections, niches, edges, tables, kinds, by_member, typed, **options)
    return _told(found, digest, numbers, overview)


def _told(found: Association, digest: str, numbers: Path | None, overview: Path | None) -> Association:
    """``found`` with the digest of its model in every row, and a warning where niches should not be interpreted."""
    table = found.table.assign(model_digest=digest)
    if overview is not None:
        table = of_unsure_niches(table, unsure_niches(overview))
    supported = numbers is None or is_supported(numbers)
    return replace(found, table=table if supported else of_arbitrary_cuts(table))


def examine(
    contrast: Contrast,
    sections: pd.DataFrame,
    counts: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    within_niche: Mapping[str, pd.DataFrame] | None = None,
    kinds: tuple[str, ...] = ("proportion",),
    base_clusterings: Mapping[str, pd.DataFrame] | None = None,
    cell_types: pd.DataFrame | None = None,
    min_cells: int = 20,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    log_cells: LogCells = "auto",
    with_checks: bool = True,
) -> Association:
    """Test every niche against one contrast, the patient being the unit.

    Parameters
    ----------
    contrast
        What is unadjusted.
    sections
        One row per section, indexed by sample: ``patient`` and every variable as text (None = missing).
    counts
        Cells per section (rows) and niche (columns); a section may be absent.
    contacts
        Edges between niches per section, as ``composition.read_contacts`` gives them.
    within_niche
        Tables of ``within_niche.read_within_niche``, per kind.
    kinds
        Features to test, of ``composition.FEATURES``.
    base_clusterings
        ``counts`` of each base clustering of the consensus, and of other numbers of niches (``k=5``), to tell how
        sensitive a finding is to the clustering.
    cell_types
        Table of ``within_niche.read_within_niche``: the same test of plain cell types, and niches adjusted for them.
    min_cells
        Sections with fewer cells are left out, and units with fewer cells in a niche for what is inside that niche.
    permutations
        Up to this many permutations are enumerated, else as many are drawn.
    seed
        Of the drawn ones.
    log_cells
        Are log cells per patient a covariate: ``true``, ``false``, or ``auto``: where they go with the contrast.
        What is inside niches is adjusted for their size, unless this is ``false``.
    with_checks
        Fill the columns that stand beside the test (other clusterings, mixed model, cell types).
    """
    large = counts.sum(axis=1).reindex(sections.index, fill_value=0) >= min_cells
    if not large.all():
        log.info("%d sections have fewer than %d cells and are left out", (~large).sum(), min_cells)
    inner, unadjusted, batch = design_as_tested(contrast, sections, large)
    contrast = unadjusted.contrast

    if contrast.change:
        units = Units(inner.sections["unit"], inner.units.index, lambda f: changes_of(inner, unadjusted, f))
    else:
        units = Units(unadjusted.sections["unit"], unadjusted.units.index)
    unit_counts = units.sum(counts)
    cells = CellChange(unit_counts, log_cells, inner) if contrast.change else Cells(unit_counts, log_cells)
    design = account_for_cells(unadjusted, cells)
    edges = unit_contacts(contacts, units.of) if contacts is not None and "contacts" in kinds else None
    features = units.compared(build_features(unit_counts, kinds, edges, within_niche, units.of, min_cells))

    settings = Settings(permutations=permutations, seed=seed)
    ratios = units.features(unit_counts, ("proportion",)).modelled
    plain, adjusted = (compare_composition(d, ratios, settings) for d in (unadjusted, design))
    joint = beside_cells(unadjusted, plain, None if design is unadjusted else adjusted, cells)

    def model(design: Design, features: Features) -> list[dict]:
        return compare_clusters(design, features, lambda d, f: MODELS[contrast.type](d, f, settings))

    def quick(design: Design, features: Features) -> list[dict]:
        few = replace(settings, permutations=min(permutations, CHECK_PERMUTATIONS))
        test = QUICK.get(contrast.type, MODELS[contrast.type])
        return compare_clusters(design, features, lambda d, f: test(d, f, few))

    rows = compare_beside_cells(unadjusted, design, features, cells, model)
    checks = Checks()
    if with_checks and not design.untestable:
        types = cell_types_of(cell_types, units.of, unit_counts) if cell_types is not None else None
        members = base_clusterings or {}
        checks = add_checks(rows, unadjusted, design, features, units, counts, cells, kinds, members, types, quick)
    if design.untestable:
        rows, joint = [without_test(row, design.untestable) for row in rows], without_test(joint, design.untestable)
    rows = [*rows, joint]
    for row in rows:
        row["warnings"] = [*row.get("warnings", []), *design.warnings, *_sparse_warning(row, features, min_cells)]
    table = _ordered(mark_echoes(without_untested_checks(add_detectable_effects(add_q(association_table(rows)), rows))))
    log.info("%d tests, %d with q < 0.05", table["p"].notna().sum(), (table["q"] < SIGNIFICANT).sum())
    chosen = {
        **asdict(settings),
        "features": list(kinds),
        "min_cells": min_cells,
        "pseudo_share": PSEUDO_SHARE,
        "log_cells": log_cells,
        "multiplicity": "Benjamini-Hochberg within family; pairs by Holm, in niches whose test over all levels passes",
    }
    unit = unadjusted.sections["unit"]
    of_sections = counts.loc[unit.index].sum(axis=1)
    return Association(contrast, design, features, table, chosen, batch.strength, of_sections, checks=checks)


def _sparse_warning(row: dict, features: Features, min_cells: int) -> list[str]:
    """Warn of a niche that hardly any unit has, and count the units that have too few of its cells to look inside."""
    if row["niche"] == JOINT:
        return []
    shown = features.shown[row["feature"], row["niche"]]
    if row["feature"] == "proportion":
        n = int((shown > 0).sum())
        return [f"cells of this niche in {plural(n, *UNIT)} only"] if 0 < n < 3 else []
    n = int(shown.isna().sum())
    contact = row["feature"].startswith("contact_with")
    few = "too few contacts of these niches are expected" if contact else f"fewer than {min_cells} cells of this niche"
    return [f"{n} of {plural(len(shown), *UNIT)} left out: {few}"] if 0 < n < len(shown) else []


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Primary rows first, smallest p on top, untestable ones last; equal p: what the model finds stronger first."""
    family = table["family"].map({PRIMARY: 0, "composition": 1, PAIRWISE: 2})
    return (
        table.assign(_family=family, _model=table["p_model"])
        .sort_values(["_family", "comparison", "p", "_model", "niche"], na_position="last", kind="stable")
        .drop(columns=["_family", "_model"])
        .reset_index(drop=True)
    )
