"""Cell types predicted from markers, where the input brings none."""

import difflib
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import UNS, FeatureType, Obs
from semanticst.errors import BadInput, Problem
from semanticst.io.internal import feature_type
from semanticst.tables.gene_lists import read_gene_lists
from semanticst.units import percent
from semanticst.wording import listed

if TYPE_CHECKING:
    import anndata as ad

log = logging.getLogger(__name__)

PREDICTED = " (predicted)"
"""Ends the name of every type that was not in the input, so that no table, figure or test can show it without."""
UNKNOWN = "unknown"
_TOTAL = 1e4
_BINS = 25


def read_markers(path: Path) -> dict[str, list[str]]:
    """Genes of each cell type, of a CSV with the columns ``cell_type`` and ``gene``, one gene a row.

    Raises BadInput for other columns, a row that lacks one of the two, a type called unknown, or a file without types.
    """
    return read_gene_lists(path, "cell_type", "cell type", taken=(UNKNOWN,))


def predict_types(adata: "ad.AnnData", markers: dict[str, list[str]]) -> str:
    """Add ``obs['cell_type']`` of each cell where the sample has none, and return a note about it; ``""`` where it has.

    Each type has the score of `score_genes`: the mean of its markers less that of other features of like mean. Scores
    are brought to the spread that they have among the cells of the sample, and a cell is of the type with the highest
    one; unknown where no score is above 0. Counts are scaled to 10,000 and log(1 + x) transformed before. Names end
    with `PREDICTED`.
    """
    if Obs.CELL_TYPE in adata.obs:
        return ""
    scores = marker_scores(adata, markers)
    if scores.empty:
        return "no cell type is predicted: the sample has none of the markers"
    best = scores.to_numpy().argmax(axis=1)
    names = np.array([f"{name}{PREDICTED}" for name in scores], dtype=object)[best]
    names[(scores.to_numpy() <= 0).all(axis=1)] = f"{UNKNOWN}{PREDICTED}"
    adata.obs[Obs.CELL_TYPE.value] = pd.Categorical(names)
    known = (names != f"{UNKNOWN}{PREDICTED}").mean()
    told = f"{scores.shape[1]} of {len(markers)} types"
    note = f"cell types are predicted from markers of {told}: {percent(known)} of the cells, the others are unknown"
    absent = absent_markers(adata.var_names, markers)
    return f"{note}; no features are {in_words(absent)}" if absent else note


def absent_markers(features: Iterable[str], markers: dict[str, list[str]]) -> dict[str, str]:
    """Markers that are no features, with the feature that is spelled most like each; empty where none is near."""
    by_name = {str(name).upper(): str(name) for name in features}
    absent = dict.fromkeys(g for genes in markers.values() for g in genes if g.upper() not in by_name)
    return {gene: by_name.get(_nearest(gene.upper(), by_name), "") for gene in absent}


def _nearest(gene: str, names: Iterable[str]) -> str:
    # names that begin otherwise are other genes, and a whole transcriptome takes half a second for each marker
    alike = [name for name in names if name[:2] == gene[:2]]
    letters = {re.sub("[^A-Z0-9]", "", name): name for name in alike}
    near = difflib.get_close_matches(re.sub("[^A-Z0-9]", "", gene), letters, n=1, cutoff=0.7)
    return letters[near[0]] if near else ""


def in_words(absent: dict[str, str], most: int = 8) -> str:
    """Markers that are no features, with what may have been meant."""
    return listed((f"{gene} ({near}?)" if near else gene for gene, near in absent.items()), most)


def check_markers(records: list[dict]) -> None:
    """Log which markers no sample has. records : of the quality control of all samples.

    Raises BadInput when there are samples whose types were to be predicted, and none of them has any marker.
    """
    own = [record["markers"] for record in records if record.get("markers")]
    if not own:
        return
    absent = {gene: near for gene, near in own[0]["absent"].items() if all(gene in told["absent"] for told in own)}
    near = {gene: next((told["absent"][gene] for told in own if told["absent"][gene]), "") for gene in absent}
    if not any(told["n_found"] for told in own):
        raise BadInput(
            Problem(
                "--cell_type_markers",
                f"none of the {len(absent)} genes is a feature of any of the {len(own)} samples without cell types: "
                f"{in_words(near)}; are they spelled as in the data?",
            )
        )
    if absent:
        log.warning("--cell_type_markers: no sample has %s", in_words(near, 30))


def marker_scores(adata: "ad.AnnData", markers: dict[str, list[str]]) -> pd.DataFrame:
    """Score of each cell (rows) for each type that has a marker among the features; whatever the case of the names."""
    by_name = {str(name).upper(): place for place, name in reversed(list(enumerate(adata.var_names)))}
    own = {name: [by_name[g.upper()] for g in genes if g.upper() in by_name] for name, genes in markers.items()}
    X = transform(adata.X, feature_type(adata))
    scores = {}
    for name, genes in own.items():
        if genes:
            score = score_genes(X, np.array(sorted(set(genes))))
            spread = score.std()
            scores[name] = score / spread if spread > 0 else np.zeros(len(score))
    return pd.DataFrame(scores)


def transform(X: sp.csr_matrix, kind: FeatureType) -> sp.csr_matrix:
    """log(1 + x) of counts scaled to 10,000 a cell; other values as they are."""
    if kind != FeatureType.COUNTS:
        return X
    totals = np.asarray(X.sum(axis=1), dtype=np.float64).ravel()
    factors = np.repeat(_TOTAL / np.maximum(totals, 1), np.diff(X.indptr))
    return sp.csr_matrix((np.log1p(X.data * factors), X.indices, X.indptr), shape=X.shape)


def score_genes(X: sp.csr_matrix, genes: np.ndarray) -> np.ndarray:
    """Score (float64, n) of a set of features (columns) in each cell, as `scanpy.tl.score_genes` has it.

    The mean of the set less that of the other features in the bins (by mean) that the set is in. All of them are taken
    (``ctrl_size`` of the size of a bin or more), so that nothing is drawn at random; where a bin holds no others, all
    features are. There are at most 25 bins, and of ten features or more.
    """
    mean = pd.Series(np.asarray(X.mean(axis=0)).ravel())
    bins = int(np.clip(X.shape[1] // 10, 2, _BINS))
    cut = mean.rank(method="min") // int(np.round(len(mean) / (bins - 1)))
    controls = np.setdiff1d(np.flatnonzero(cut.isin(cut[genes])), genes)
    if not len(controls):
        controls = np.setdiff1d(np.arange(len(mean)), genes)
    weights = np.zeros(len(mean))
    weights[genes] = 1 / len(genes)
    weights[controls] = -1 / max(len(controls), 1)
    return X @ weights


def take_types(adata: "ad.AnnData", markers: dict[str, list[str]]) -> dict:
    """`predict_types`, with its note among those of the sample.

    Returns ``n_found`` markers and those that are ``absent`` (see `absent_markers`); nothing where the sample brings
    types of its own.
    """
    if Obs.CELL_TYPE in adata.obs:
        return {}
    absent = absent_markers(adata.var_names, markers)
    note = predict_types(adata, markers)
    if note:
        own = adata.uns[UNS]
        own["notes"] = [*own.get("notes", ()), note]
        log.info("%s: %s", own["sample"], note)
    return {"n_found": len({g for genes in markers.values() for g in genes}) - len(absent), "absent": absent}
