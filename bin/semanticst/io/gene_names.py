"""Gene names of a sample: which column of the matrix is which gene, and which are no genes at all."""

import logging
import re

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.io.sparse import regroup_columns

log = logging.getLogger(__name__)

ENSEMBL = re.compile(r"^ENS[A-Z]{0,6}G\d{11}(\.\d+)?$")
"""Gene ids of Ensembl: ENSG00000139618 (human), ENSMUSG00000017167.4 (mouse)."""

IDS = ("gene_id", "gene_ids", "ensembl_id", "ensembl", "feature_id")
SYMBOLS = ("symbol", "gene_symbol", "gene_symbols", "gene_name", "gene_names", "feature_name", "SYMBOL")
"""Columns of ``var`` under which files keep the other name of a gene."""


def are_ensembl(names: pd.Index) -> bool:
    """Whether most names are Ensembl gene ids."""
    return len(names) > 0 and sum(bool(ENSEMBL.match(str(n))) for n in names) > len(names) / 2


def gene_table(var: pd.DataFrame) -> pd.DataFrame:
    """``var`` by symbol wherever there are symbols, with the Ensembl id beside it in ``gene_id``.

    Samples of one cohort often come named in both ways; symbols are what all platforms have. An id without a symbol
    keeps its id as its name. Versions (``.4``) are taken off ids, since they differ between annotations.
    """
    names = pd.Index(var.index.astype(str).str.strip())
    plain = var.set_axis(names.rename(None), axis=0)
    if not are_ensembl(names):
        ids = next((plain[c] for c in IDS if c in plain and are_ensembl(pd.Index(plain[c].astype(str)))), None)
        return plain if ids is None else plain.assign(gene_id=_without_version(ids.astype(str)).to_numpy())
    ids = _without_version(names.to_series())
    symbols = next((plain[c].astype(object) for c in SYMBOLS if c in plain), None)
    named = ids if symbols is None else symbols.where(symbols.notna() & (symbols.astype(str) != ""), ids.to_numpy())
    return plain.assign(gene_id=ids.to_numpy()).set_axis(pd.Index(named.astype(str).to_numpy()), axis=0)


def unique_genes(X: sp.csr_matrix, var: pd.DataFrame, kind: FeatureType) -> tuple[sp.csr_matrix, pd.DataFrame, str]:
    """One column per name. Counts of columns of one name are added; other values get names ``name-1``, ``name-2``, ...

    A symbol stands for several Ensembl ids in every annotation. Numbering them depends on their order in the file, and
    would match different genes between samples; their sum does not. Returns the matrix (changed in place), ``var`` and
    a note, empty where no name repeats.
    """
    repeated = var.index[var.index.duplicated()].unique()
    if not len(repeated):
        return X, var, ""
    example = ", ".join(repeated[:3])
    if kind != FeatureType.COUNTS:
        note = f"{len(repeated)} feature names repeat ({example}); numbers are added to them"
        return X, var.set_axis(ad.utils.make_index_unique(var.index), axis=0), note
    codes, names = pd.factorize(var.index)
    X = regroup_columns(X, codes.astype(np.int32), len(names))
    note = f"{len(repeated)} gene names stand for more than one feature ({example}); their counts are added"
    return X, var[~var.index.duplicated()], note


def split_controls(X: sp.csr_matrix, var: pd.DataFrame) -> tuple[sp.csr_matrix, pd.DataFrame, np.ndarray | None]:
    """Matrix (changed in place) and ``var`` without control features, and the counts in these, float32 per cell.

    The counts are None where ``var`` has no column ``control``.
    """
    if "control" not in var:
        return X, var, None
    control = var["control"].fillna(False).astype(bool).to_numpy()
    counts = np.asarray(X @ control.astype(np.float32), np.float32)
    var = var.drop(columns="control")
    if not control.any():
        return X, var, counts
    target = np.where(control, -1, np.cumsum(~control) - 1).astype(np.int32)
    return regroup_columns(X, target, int((~control).sum())), var[~control], counts


def _without_version(ids: pd.Series) -> pd.Series:
    return ids.str.replace(r"\.\d+$", "", regex=True)
