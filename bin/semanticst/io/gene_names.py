"""Gene names of a sample: columns of the matrix by gene, and those that are no genes at all."""

import logging
import re
from collections.abc import Iterator

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.io.columns import as_bool
from semanticst.io.feature_roles import named_controls, others_note, roles, types_of
from semanticst.io.sparse import regroup_columns
from semanticst.io.understood import features_left_out
from semanticst.wording import listed

log = logging.getLogger(__name__)

ENSEMBL = re.compile(r"^(ENS[A-Z]{0,6}G\d{11}(\.\d+)?|FBgn\d{7}|WBGene\d{8})$")
"""Gene ids of Ensembl: ENSG00000139618 (human), ENSMUSG00000017167.4 (mouse); FlyBase and WormBase have their own."""
JOINED = r"^(?P<id>ENS[A-Z]{0,6}G\d{11}(?:\.\d+)?)[_|:-](?P<symbol>.+)$"
"""Both names in one, as lists are made unique."""

IDS = ("geneid", "geneids", "ensemblid", "ensembl", "ensemblgeneid", "featureid", "id", "ids")
SYMBOLS = ("symbol", "symbols", "genesymbol", "genesymbols", "genename", "genenames", "featurename", "realgenename",
           "hgncsymbol", "mgisymbol", "externalgenename", "geneshortname", "gene", "name",
           "features", "feature", "genes", "varnames")  # fmt: skip
"""Columns of ``var`` under which files keep the other name of a gene, in lower-case letters: ``Symbol`` of
Bioconductor, ``feature_name`` of CELLxGENE, ``real_gene_name`` of stereopy, ``features`` of Seurat's converters."""
NO_NAME = ("", "nan", "NaN", "NA", "None", "<NA>", "-")
MISSING_NAMES = ("nan", "NaN", "None", "<NA>")
"""What Python makes of a missing name; NA may be sodium."""
DATE = re.compile(
    r"^(\d{1,2}[-/ ](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|(mar|sep|dec|oct|apr)[a-z]*[-/ ]\d{1,2}|\d{4}-\d{2}-\d{2}( 00:00:00)?|\d{1,2}/\d{1,2}/\d{2,4})$",
    re.IGNORECASE,
)
"""What spreadsheets make of MARCH1, SEPT2, DEC1, OCT4 and APR1."""
GENOME = re.compile(r"^(GRC[a-z]\d+|hg\d+|mm\d+|T2T[^_]*|mRatBN[^_]*|Rnor[^_]*)_+(?=.)")
"""What Cell Ranger puts before the names where the reference has several genomes: GRCh38_CD3E, mm10___Cd3e."""
NAMELESS = re.compile(
    r"^(Unnamed: \d+(_level_\d+|\.\d+)?|\.\.\.\d+|level_\d+|index|row[ _.]?(names?|numbers?|id))?$", re.I
)
"""What pandas, R and spreadsheets call a column of row numbers: nothing, Unnamed: 0, ...1, index."""


def are_ensembl(names: pd.Index) -> bool:
    """Whether most names are Ensembl gene ids."""
    return len(names) > 0 and sum(bool(ENSEMBL.match(str(n))) for n in names) > len(names) / 2


def gene_table(var: pd.DataFrame) -> pd.DataFrame:
    """``var`` by symbol wherever there are symbols, with the Ensembl id beside it in ``gene_id``.

    Samples of one cohort often come named in both ways; symbols are what all platforms have. An id without a symbol
    keeps its id as its name. Versions (``.4``) are taken off ids, since they differ between annotations. Names that are
    only numbers give way to symbols, too.
    """
    names = pd.Index(var.index.astype(str).str.strip())
    joined = names.str.extract(JOINED)
    if len(names) and joined.notna().all(axis=1).mean() > 0.5:
        return _names_taken_apart(var, names, joined)
    plain = var.set_axis(names.rename(None), axis=0)
    if not are_ensembl(names):
        if len(names) and names.str.fullmatch(r"\d+").all():
            named = _symbols(plain)
            named = _ids(plain) if named is None else named
            if named is not None:
                named = named.where(named != "", names.to_numpy()).to_numpy()
                return gene_table(plain.set_axis(pd.Index(named, dtype=object), axis=0))
        ids = next((c for c in _columns(plain, IDS) if are_ensembl(pd.Index(c))), None)
        return plain if ids is None else plain.assign(gene_id=_without_version(ids).to_numpy())
    ids = _without_version(names.to_series())
    symbols = _symbols(plain)
    named = ids if symbols is None else symbols.where(symbols != "", ids.to_numpy())
    return plain.assign(gene_id=ids.to_numpy()).set_axis(pd.Index(named.to_numpy(), dtype=object), axis=0)


def _names_taken_apart(var: pd.DataFrame, names: pd.Index, joined: pd.DataFrame) -> pd.DataFrame:
    """``var`` by the symbols of names such as ENSG00000198804_MT-CO1 (joined: id, symbol); others keep their name."""
    ids, symbols = (joined[part].where(joined[part].notna(), names.to_series().to_numpy()) for part in ("id", "symbol"))
    gene_ids = _without_version(ids).to_numpy()
    return var.assign(gene_id=gene_ids).set_axis(pd.Index(symbols.to_numpy(), dtype=object), axis=0)


def _symbols(var: pd.DataFrame) -> pd.Series | None:
    """Symbols (empty where there is none) from the first column that has some, and not ids again."""
    for column in _columns(var, SYMBOLS):
        given = column[column != ""]
        if len(given) and not are_ensembl(pd.Index(given)) and not given.str.fullmatch(r"[\d.]+").all():
            return column
    return None


def _ids(var: pd.DataFrame) -> pd.Series | None:
    """Ensembl ids from the first column that has them, whatever it is called."""
    return next((ids for ids in _columns(var, (*IDS, *SYMBOLS)) if are_ensembl(pd.Index(ids))), None)


def _columns(var: pd.DataFrame, wanted: tuple[str, ...]) -> Iterator[pd.Series]:
    """Columns of ``var`` that are called as one of ``wanted``, in that order, as text; what is no name is empty."""
    by_name = {re.sub(r"[^a-z]", "", str(name).lower()): name for name in reversed(var.columns)}
    for name in wanted:
        if name in by_name:
            column = var[by_name[name]].astype(object)
            text = column.where(column.notna(), "").astype(str).str.strip()
            yield text.where(~text.isin(NO_NAME), "")


def drop_nameless(X: sp.csr_matrix, var: pd.DataFrame) -> tuple[sp.csr_matrix, pd.DataFrame, str]:
    """Matrix (changed in place) and ``var`` without features that have no name, and a note, empty where all have one.

    Those with a ``gene_id`` go by it. Others cannot be the same feature in another sample; mostly they are the row
    numbers that pandas or R put in front of a table.
    """
    nameless = _are_nameless(var.index)
    if not nameless.any():
        return X, var, ""
    if "gene_id" in var:
        ids = var["gene_id"].astype(object).where(var["gene_id"].notna(), "").astype(str)
        var = var.set_axis(pd.Index(np.where(nameless, ids, var.index.to_numpy()), dtype=object), axis=0)
        nameless &= _are_nameless(var.index)
        if not nameless.any():
            return X, var, ""
    target = np.where(nameless, -1, np.cumsum(~nameless) - 1).astype(np.int32)
    note = features_left_out(nameless.sum(), f"{nameless.sum()} features without a name are left out")
    return regroup_columns(X, target, int((~nameless).sum())), var[~nameless], note


def _are_nameless(names: pd.Index) -> np.ndarray:
    # one feature called NA may be sodium, several are R's missing names
    missing = (*MISSING_NAMES, "NA") if (names == "NA").sum() > 1 else MISSING_NAMES
    return np.array([bool(NAMELESS.match(name)) or name in missing for name in names], dtype=bool)


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


def split_controls(
    X: sp.csr_matrix, var: pd.DataFrame
) -> tuple[sp.csr_matrix, pd.DataFrame, np.ndarray | None, list[str]]:
    """Matrix (changed in place) and ``var`` without control features, the counts in these, float32 per cell, and notes.

    Controls are told by the column ``control``, else by the types of 10x Genomics and by how instruments call them.
    Types also tell what is neither gene nor control (guides; proteins are taken before): it is left out, as from the
    instrument's own folder. The counts are None where nothing tells of controls.
    """
    notes, types = [], types_of(var)
    gene, control = (np.ones(len(var), bool), np.zeros(len(var), bool)) if types is None else roles(types)
    if "control" in var:
        control = as_bool(var["control"], "var['control']")
    elif (named := named_controls(var.index) & ~control).any():
        control |= named
        shown = ", ".join(var.index[named][:3])
        notes.append(f"told to be controls by their names: {shown}{', ...' if named.sum() > 3 else ''}")
    told = "control" in var or control.any()
    kept = gene & ~control
    counts = np.asarray(X @ control.astype(np.float32), np.float32) if told else None
    if types is not None and not (gene | control).all():
        others = types[~(gene | control)]
        notes.append(features_left_out(len(others), others_note(others)))
    if told:
        notes.append(features_left_out(control.sum(), f"{control.sum()} control features set apart"))
    var = var.drop(columns="control", errors="ignore")
    if kept.all():
        return X, var, counts, notes
    target = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
    return regroup_columns(X, target, int(kept.sum())), var[kept], counts, notes


def dates_among(names: pd.Index) -> list[str]:
    """A warning about names of genes that a spreadsheet made dates of."""
    dates = [str(name) for name in names if DATE.match(str(name))]
    if not dates:
        return []
    shown = listed(dates, 4)
    return [f"features are called as dates are, since a spreadsheet changed their names (MARCH1, SEPT2, DEC1): {shown}"]


def several_genomes(names: pd.Index) -> list[str]:
    """A warning about genes of several genomes, as of a graft in a mouse: their sums are over both species."""
    genomes = names.astype(str).str.extract(GENOME, expand=False).dropna().value_counts()
    if len(genomes) < 2:
        return []
    shown = ", ".join(f"{genome} ({n})" for genome, n in genomes.items())
    return [
        f"genes are of {len(genomes)} genomes: {shown}; counts and niches are over all of them. For one species, leave "
        "out the genes of the other"
    ]


def numbered(var: pd.DataFrame) -> list[str]:
    """A warning about features that are called by the numbers of their rows, and where ``var`` may have their names.

    pandas and R number what has no name. Such features match those of the same place in another sample, whatever these
    are. var : as `gene_table` gives it, which has looked for symbols and ids.
    """
    names = var.index.astype(str).to_numpy()
    # one or two features called 0 and 1 may be clusters or channels that somebody called so
    if len(names) < 3 or not any((names == [str(start + i) for i in range(len(names))]).all() for start in (0, 1)):
        return []
    held = [f"var['{column}']" for column in var.columns if _may_be_names(var[column])]
    where = f"; names may be in {listed(held, 4)}: " if held else ": "
    return [
        f"features have no names but the numbers of their rows ({names[0]} to {names[-1]}){where}give their symbols as "
        "names (in an object: var_names, or a column var['symbol']), and write the file again"
    ]


def _may_be_names(column: pd.Series) -> bool:
    """Whether a column holds another text for each feature."""
    given = column[column.notna()].astype(str).str.strip()
    return len(given) > 0.5 * len(column) and given.is_unique and not given.str.fullmatch(r"[-+\d.eE]*").any()


def _without_version(ids: pd.Series) -> pd.Series:
    return ids.str.replace(r"\.\d+$", "", regex=True)
