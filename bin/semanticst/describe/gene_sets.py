"""Mean expression of given sets of genes in each niche of each sample."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.cohort.read_cohort import Cohort
from semanticst.constants import FeatureType, Obs
from semanticst.describe.markers import scale_of_markers
from semanticst.errors import BadInput, Problem
from semanticst.features.basis import row_sums
from semanticst.tables.gene_lists import read_gene_lists

log = logging.getLogger(__name__)


def read_gene_sets(path: Path) -> dict[str, list[str]]:
    """Read sets of genes: GMT (name, description, genes; tabs), or CSV with the columns ``gene_set`` and ``gene``.

    Raises BadInput for other columns, a line without genes, a set named twice in a GMT file, or a file without sets.
    """
    if path.suffix.lower() != ".gmt":
        return read_gene_lists(path, "gene_set", "set")
    sets: dict[str, list[str]] = {}
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        genes = [g for g in dict.fromkeys(cells[2:]) if g]
        if not cells[0] or not genes:
            problems.append(Problem(path, "expected a name, a description and genes, joined by tabs", row=number))
        elif cells[0] in sets:
            problems.append(Problem(path, "there is a set of this name already", row=number, value=cells[0]))
        sets[cells[0]] = genes
    if not sets and not problems:
        problems.append(Problem(path, "holds no set of genes"))
    if problems:
        raise BadInput(problems)
    return sets


def niche_gene_sets(cohort: Cohort, sets: dict[str, list[str]], source: Path) -> pd.DataFrame:
    """Mean of each set over its genes and over the cells of each niche in each sample.

    Counts are scaled to the median total of a cell and log(1 + x) transformed, as for markers. Genes are found by
    feature name or symbol; those that the cohort lacks are left out, and the log says how many.

    A sample of a validation that lacks genes of the discovery has the mean of those that it has, its totals being those
    of all, as far as the discovery tells.

    Returns columns sample, patient, niche, gene_set, n_genes (found), n_cells, mean; niches without cells have no
    row, nor have samples without any gene of the set. Raises BadInput when none of the genes of any set is there.
    """
    place = {str(name): i for i, name in enumerate(cohort.symbols)} | {
        str(name): i for i, name in enumerate(cohort.features)
    }
    found = {name: [place[g] for g in genes if g in place] for name, genes in sets.items()}
    for name, genes in sets.items():
        log.info("gene set %s: %d of %d genes are in the cohort", name, len(found[name]), len(genes))
    found = {name: genes for name, genes in found.items() if genes}
    if not found:
        raise BadInput(Problem(source, "none of these genes is a feature of the cohort; are they written alike?"))
    weights = sp.lil_matrix((len(cohort.features), len(found)))
    for j, columns in enumerate(found.values()):
        weights[columns, j] = 1 / len(columns)
    weights = weights.tocsc()

    sample, names = pd.factorize(cohort.cells[Obs.SAMPLE], sort=True)
    n_niches = len(cohort.niches)
    group = sample * n_niches + cohort.cells[Obs.NICHE].to_numpy() - 1
    n_groups = len(names) * n_niches
    comparable, part = scale_of_markers(cohort), _part_of_counts(cohort)
    sums = np.zeros((n_groups, len(found)))
    for rows, values in cohort.blocks():
        scaled = comparable(values) if part is None else comparable(values, totals=row_sums(values) / part[rows])
        np.add.at(sums, group[rows], (scaled @ weights).toarray())
    n_cells = np.bincount(group, minlength=n_groups)
    patient = dict(zip(cohort.samples[Obs.SAMPLE], cohort.samples[Obs.PATIENT]))
    there = np.repeat([_genes_there(cohort, name, found) for name in names], n_niches, axis=0)
    where, which = np.nonzero((n_cells[:, None] > 0) & (there > 0))
    of_set = np.array([len(g) for g in found.values()])[which]
    return pd.DataFrame(
        {
            "sample": names[where // n_niches],
            "patient": [patient[s] for s in names[where // n_niches]],
            "niche": where % n_niches + 1,
            "gene_set": np.array(list(found), dtype=object)[which],
            "n_genes": there[where, which],
            "n_cells": n_cells[where],
            "mean": sums[where, which] / n_cells[where] * (of_set / there[where, which]),
        }
    )


def _part_of_counts(cohort: Cohort) -> np.ndarray | None:
    """Part (n,) of the discovery's counts that is in the genes which the sample of each cell has; None where it is
    all of them, or values are no counts."""
    if not cohort.features_lacking or cohort.feature_type is not FeatureType.COUNTS:
        return None
    totals = np.zeros(len(cohort.features))
    for rows, values in cohort.blocks():
        totals += np.asarray(values[cohort.decided[rows]].sum(axis=0)).ravel()
    part = np.ones(len(cohort.cells))
    for sample, lacking in cohort.features_lacking.items():
        there = ~np.isin(cohort.features.to_numpy(str), list(lacking))
        part[(cohort.cells[Obs.SAMPLE] == sample).to_numpy()] = totals[there].sum() / max(totals.sum(), 1e-300)
    return np.maximum(part, 1e-12)


def _genes_there(cohort: Cohort, sample: str, found: dict[str, list[int]]) -> list[int]:
    """How many genes of each set a sample has."""
    lacking = cohort.features_lacking.get(sample, frozenset())
    return [sum(str(cohort.features[i]) not in lacking for i in columns) for columns in found.values()]
