"""Numbers per cell, and their summary per sample."""

import logging
import re

import numpy as np
import pandas as pd

from semanticst.constants import CELL_AREA, UNS, FeatureType, Obs, Obsm

log = logging.getLogger(__name__)

METRICS = (Obs.TOTAL.value, Obs.N_FEATURES.value, Obs.MITO_SHARE.value, Obs.RIBO_SHARE.value,
           Obs.CONTROL_SHARE.value, Obs.PROTEIN_TOTAL.value, Obs.N_PROTEINS.value, Obs.ISOTYPE_SHARE.value, CELL_AREA,
           Obs.DENSITY.value)  # fmt: skip
"""In the order of tables; a sample need not have all of them."""
HISTOGRAM_BINS = 30
QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}

_GENOME = r"^(?:\w[\w.-]*_|(?:GRC[a-z]\d+|hg\d+|mm\d+|rn\d+)[\w.]*[-.]+)?"
"""What a reference of several species puts in front of every gene: GRCh38_MT-CO1, mm10___mt-Co1; in Seurat with dashes.
"""
_MITOCHONDRIAL_IDS = (
    r"ENSG00000(198888|198763|198804|198712|228253|198899|198938|198840|212907|198886|198786|198695|198727|211459|210082)$"
    r"|ENSMUSG000000(64341|64345|64351|64354|64356|64357|64358|64360|65947|64363|64367|64368|64370|64337|64339)$"
)
"""Of Ensembl, for files without symbols: proteins and ribosomal RNA of the mitochondria of human and mouse."""
_MITOCHONDRIAL = re.compile(f"{_GENOME}MT[-.:_]|{_MITOCHONDRIAL_IDS}", re.I)
"""MT-CO1; MT.CO1 or MT_CO1 where a program made it a name of a column; mt:CoI of FlyBase."""
_RIBOSOMAL = re.compile(_GENOME + r"(?:RP(S(?!6K)|LP?)\d|RPSA$)", re.I)
"""Proteins of the ribosome: RPS3, RPL13A, RPLP0, RPSA, Rps27l. RPS6KA1 and its kin are kinases."""


def cell_metrics(adata, kind: FeatureType) -> pd.DataFrame:
    """Metrics of each cell, in the order of ``adata``.

    total_counts : float32, sum of the values. n_features : int32, features that are not 0. mito_share, ribo_share :
    float32, share of the counts in these features; NaN where there is none of them, or no counts. control_share :
    float32, where ``obs`` has the counts of controls. cell_area : float32, um^2, where ``obs`` has it; NaN where it is
    not above 0. Of proteins that were measured beside genes: see `protein_metrics`.
    """
    X = adata.X
    # intensities may be so large that their sum is none of float32
    with np.errstate(over="ignore"):
        total = np.nan_to_num(np.asarray(X.sum(axis=1), dtype=np.float32).ravel(), nan=0.0)
    values = {Obs.TOTAL.value: total, Obs.N_FEATURES.value: np.diff(X.indptr).astype(np.int32)}
    for name, pattern in ((Obs.MITO_SHARE, _MITOCHONDRIAL), (Obs.RIBO_SHARE, _RIBOSOMAL)):
        share = np.full(adata.n_obs, np.nan, np.float32)
        chosen = named(adata.var, pattern)
        if kind == FeatureType.COUNTS and chosen.any():
            np.divide(X @ chosen.astype(np.float32), total, out=share, where=total > 0)
        values[name.value] = share
    if kind == FeatureType.COUNTS and Obs.CONTROL in adata.obs:
        control = adata.obs[Obs.CONTROL].to_numpy(np.float32)
        share = np.full(adata.n_obs, np.nan, np.float32)
        values[Obs.CONTROL_SHARE.value] = np.divide(control, total + control, out=share, where=total + control > 0)
    if Obsm.PROTEIN in adata.obsm:
        values |= protein_metrics(adata)
    area = cell_areas(adata.obs)
    if area is not None:
        values[CELL_AREA] = area
    return pd.DataFrame(values, index=adata.obs_names)


def protein_metrics(adata) -> dict[str, np.ndarray]:
    """Metrics of the proteins of each cell; NaN in cells without a measurement of them.

    protein_total : float32, sum of the values. n_proteins : float32, proteins that are above 0, where they are counts.
    isotype_share : float32, share of the isotype controls in the sum of both, where there are any.
    """
    proteins = np.asarray(adata.obsm[Obsm.PROTEIN], np.float32)
    total = proteins.sum(axis=1, dtype=np.float64).astype(np.float32)
    values = {Obs.PROTEIN_TOTAL.value: total}
    if adata.uns[UNS]["protein_type"] == FeatureType.COUNTS:
        seen = (proteins > 0).sum(axis=1).astype(np.float32)
        values[Obs.N_PROTEINS.value] = np.where(np.isnan(total), np.float32(np.nan), seen)
    if Obs.ISOTYPE in adata.obs:
        isotypes = adata.obs[Obs.ISOTYPE].to_numpy(np.float32)
        share = np.full(adata.n_obs, np.nan, np.float32)
        whole = total + isotypes
        values[Obs.ISOTYPE_SHARE.value] = np.divide(isotypes, whole, out=share, where=whole > 0)
    return values


def cell_areas(obs: pd.DataFrame) -> np.ndarray | None:
    """Areas (float32, um^2; NaN where not above 0) of the cells, or None where the input has no numbers for them."""
    if CELL_AREA not in obs:
        return None
    if not pd.api.types.is_numeric_dtype(obs[CELL_AREA]):
        log.warning("obs['%s'] holds no numbers; the area of cells is not judged", CELL_AREA)
        return None
    with np.errstate(over="ignore"):
        area = obs[CELL_AREA].to_numpy(np.float64, na_value=np.nan).astype(np.float32)
    return np.where((area > 0) & np.isfinite(area), area, np.float32(np.nan))


def named(var: pd.DataFrame, pattern: re.Pattern) -> np.ndarray:
    """Which features match by their name or their symbol (bool)."""
    names = [var.index.astype(str)] + ([var["symbol"].astype(str)] if "symbol" in var else [])
    return np.any([[bool(pattern.match(name)) for name in column] for column in names], axis=0)


def quantiles(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`QUANTILES` of each metric of `METRICS` that the sample has; empty for one without values."""
    given = {name: metrics[name].dropna() for name in METRICS if name in metrics}
    return {
        name: dict(zip(QUANTILES, np.quantile(column, list(QUANTILES.values())))) if len(column) else {}
        for name, column in given.items()
    }


def histograms(metrics: pd.DataFrame, kept: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Histograms of log10 total counts (a cell below 1 counts as 1) and of the number of features.

    Each has ``edges`` (31), and the number of cells per bin (30) among all cells (``input``) and ``kept`` ones.
    """
    values = {
        "log10_total_counts": np.log10(metrics[Obs.TOTAL].clip(lower=1)),
        "n_features": metrics[Obs.N_FEATURES],
    }
    result = {}
    for name, column in values.items():
        edges = bin_edges(column.to_numpy(np.float64))
        result[name] = {
            "edges": edges,
            "input": np.histogram(column, edges)[0],
            "kept": np.histogram(column[kept], edges)[0],
        }
    return result


def bin_edges(values: np.ndarray) -> np.ndarray:
    """31 edges, strictly rising, of 30 bins of one width that hold all values (float64, finite; there may be none).

    Values that are equal but for rounding, as totals that were scaled to one number, get bins of a width that numbers
    of their size can tell apart.
    """
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    least = max(1.0, abs(low), abs(high)) * 1e-6
    if high - low < least:
        middle = low / 2 + high / 2
        low, high = middle - max(0.5, least), middle + max(0.5, least)
    return np.linspace(low, high, HISTOGRAM_BINS + 1)
