"""The step between QC and graphs: one feature set, one basis, one space for all samples."""

import logging
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from semanticst.constants import OF_MODEL, SHARES, UNS, VALIDATION, FeatureType, Obs, Obsm, has_network
from semanticst.errors import BadInput, Problem
from semanticst.features.basis import (
    Basis,
    Moments,
    cofactors,
    most_variable,
    principal_components,
    row_sums,
    transform,
    typical_sizes,
    whole_panel,
)
from semanticst.features.batch_correction import correct_by_model, correct_cohort
from semanticst.features.common_total import CommonTotal, constant_total
from semanticst.features.exchanged import SHOWN, Together, exchanged_features, scatter
from semanticst.features.harmonise import common_names, common_panel
from semanticst.features.harmony import HarmonyReference
from semanticst.features.mapped import (
    N_BATCHES,
    check_mapped,
    known_samples,
    model_parts,
    n_cells,
    record_samples,
    recorded_of,
)
from semanticst.features.sample_caps import evenly, sample_caps, tell_caps
from semanticst.io.internal import possible_feature_types
from semanticst.io.values import cohort_type
from semanticst.progress import progress
from semanticst.wording import listed
from semanticst.writing import write_arrays, write_h5ad, write_json

log = logging.getLogger(__name__)

KEPT_UNS = ("sample", "platform", "spatial_unit", "study_part")


def build_components(
    paths: Sequence[Path],
    outdir: Path,
    *,
    n_components: int = 50,
    n_top: int = 2000,
    min_samples: float = 1.0,
    harmony: bool = True,
    model: dict | None = None,
    accept: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Write ``cohort.basis.npz``, ``cohort.features.json`` and one ``{sample}.components.h5ad`` per QC'd sample.

    ``min_samples``: share of the samples that must have a feature. With ``model`` (a loaded ``model.pt``) nothing is
    fitted: the samples are projected onto the model's basis and moved onto its Harmony reference, and ``accept`` names
    the differences from its samples that are no reason to refuse (of ``mapped.ACCEPTED``). Raises BadInput when the
    samples do not share features, or do not fit the model.
    """
    samples = _by_sample(paths)
    fitted, mapped = _study_parts(samples) if model is None else ({}, samples)
    names, possible = _features(fitted or mapped)
    if fitted and mapped:  # names of the validation's features may be read by those of the discovery, never the reverse
        all_names, all_possible = _features(samples)
        names |= {sample: all_names[sample] for sample in mapped}
        possible |= {sample: all_possible[sample] for sample in mapped}
    if model is None:
        types = types_in_cohort({sample: possible[sample] for sample in fitted})
        own = {sample: names[sample] for sample in fitted}
        caps = _caps(fitted)
        basis, left_out, own_totals = _fit_basis(fitted, own, types, n_components, n_top, min_samples, caps)
        record = record_samples(fitted, own, basis, min_samples)
        settings: dict[str, int] = {}
        check_mapped(mapped, names, possible, basis, known_samples(record), min_samples, accept)
    else:
        basis, known, settings = model_parts(model)
        caps, own_totals = {}, {}
        record = recorded_of(model)
        left_out = {s: int((~index.isin(basis.features)).sum()) for s, index in names.items()}
        check_mapped(samples, names, possible, basis, known, min_samples, accept)
    tables, components, scatters = [], [], {}
    for sample, path in progress(samples.items(), "components"):
        obs, spatial, X, scatters[sample] = _project(path, basis, names[sample], own_totals.get(sample))
        tables.append((obs, spatial))
        components.append(X)
    together = Together.from_arrays(record) if model is not None else Together.learn(basis, scatters, fitted)
    record |= together.arrays() if together is not None else {}
    stacked = np.vstack(components)
    del components  # as large as what they were put together to
    batch = np.concatenate([obs[Obs.BATCH].astype(str).to_numpy() for obs, _ in tables])
    of_cohort = np.concatenate([np.full(len(obs), sample in fitted) for sample, (obs, _) in zip(samples, tables)])
    corrected, reference, learned_from = stacked, None, None
    if model is None:
        record[N_BATCHES] = np.array(len(set(batch[of_cohort])))
    if model is not None:
        corrected, reference = correct_by_model(stacked, batch, model)
    elif harmony:
        cells = pd.concat([obs for obs, _ in tables])
        corrected, reference, learned_from = correct_cohort(stacked, cells, of_cohort, seed)
    else:
        log.info("Harmony is off")
    _write_samples(
        samples, tables, stacked, corrected, exchanged_features(together, scatters, fitted), basis, settings, outdir
    )
    _save_basis(basis, reference, record, outdir / "cohort.basis.npz")
    write_json(
        outdir / "cohort.features.json",
        {
            "feature_type": basis.feature_type,
            "n_features": len(basis.features),
            "n_components": basis.loadings.shape[1],
            "shares": basis.shares_mean is not None,
            "variance_explained": float(basis.variance.sum() / basis.total_variance),
            "depth": basis.depth,
            "common_total": basis.common_total,
            "n_samples": len(samples),
            "n_cells": len(stacked),
            "n_validation": len(mapped) if fitted else 0,
            "batches": sorted(set(batch)),
            "harmony": reference is not None and (model is not None or learned_from is not None),
            **({"harmony_cells": learned_from, "harmony_cells_of": int(of_cohort.sum())} if learned_from else {}),
            "mapped_onto_model": model is not None,
            "graph_of_model": settings,
            **({"network_of_model": has_network(model)} if model is not None else {}),
            "variance_covered": {sample: round(basis.covered(index), 4) for sample, index in names.items()},
            "features_min_samples": min_samples,
            "features_left_out": left_out,
            "cells_with_a_say": {s: n for s, n in caps.items() if n < n_cells(samples[s])},
        },
    )


def load_basis(path: Path) -> tuple[Basis, HarmonyReference | None]:
    """Basis and Harmony reference of a ``cohort.basis.npz``."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    return Basis.from_arrays(arrays), HarmonyReference(
        arrays["harmony_centres"]
    ) if "harmony_centres" in arrays else None


def _by_sample(paths: Sequence[Path]) -> dict[str, Path]:
    """Path per sample name, sorted: the order of arguments must not matter."""
    named: dict[str, Path] = {}
    for path in paths:
        with_name = str(_element(path, f"uns/{UNS}")["sample"])
        if with_name in named:
            raise BadInput(Problem(path, f"sample '{with_name}' is given twice, also in {named[with_name].name}"))
        named[with_name] = path
    return dict(sorted(named.items()))


def _caps(samples: dict[str, Path]) -> dict[str, int]:
    """Cells of each sample that have a say."""
    sizes = {sample: n_cells(path) for sample, path in samples.items()}
    patients = {s: str(_element(path, f"uns/{UNS}").get("patient", s)) for s, path in samples.items()}
    caps = sample_caps(sizes, patients)
    tell_caps(sizes, caps)
    return caps


def _study_parts(samples: dict[str, Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Samples on which everything is decided, and those of a validation, which are mapped onto what was decided."""
    part = {sample: str(_element(path, f"uns/{UNS}").get("study_part", "")) for sample, path in samples.items()}
    mapped = {sample: path for sample, path in samples.items() if part[sample] == VALIDATION}
    fitted = {sample: path for sample, path in samples.items() if sample not in mapped}
    if not fitted:
        message = "no sample of the discovery is left after quality control; on it everything is decided"
        raise BadInput(Problem("the cohort", message, column="study_part"))
    if mapped:
        log.info("%d samples of the validation are mapped onto %d of the discovery", len(mapped), len(fitted))
    return fitted, mapped


def _features(samples: dict[str, Path]) -> tuple[dict[str, pd.Index], dict[str, list[str]]]:
    """Feature names of each sample, and what its values may be, first what they were taken for; only the tables are
    read."""
    tables, types = {}, {}
    for sample, path in samples.items():
        recorded = _element(path, f"uns/{UNS}")
        taken = str(recorded["feature_type"])
        tables[sample] = _element(path, "var")
        types[sample] = [taken, *(set(possible_feature_types(recorded)) - {taken})]
    return common_names(tables), types


def types_in_cohort(possible: dict[str, list[str]]) -> dict[str, str]:
    """Feature type of each sample: the one that all of them may have, else each its own.

    possible : what the values of each sample may be, first what they were taken for. Quality control was mostly told
    already; its word holds where all samples agree in it.
    """
    alone = {sample: kinds[0] for sample, kinds in possible.items()}
    shared = None if len(set(alone.values())) == 1 else cohort_type(possible.values())
    if shared is None:
        return alone
    for sample, kind in alone.items():
        if kind != shared:
            log.info("%s: values are taken for %s, as those of the other samples, not for %s", sample, shared, kind)
    return dict.fromkeys(possible, str(shared))


def _fit_basis(
    samples: dict[str, Path],
    features: dict[str, pd.Index],
    types: dict[str, str],
    n_components: int,
    n_top: int,
    min_samples: float,
    caps: dict[str, int],
) -> tuple[Basis, dict[str, int], dict[str, tuple[str, float] | None]]:
    """Basis of the ``samples``, of each of which ``caps`` cells have a say, how many features each lacks, and the
    `constant_total` of each, which takes longer than reading it; empty unless values are continuous."""
    panel = common_panel({s: list(names) for s, names in features.items()}, types, min_samples)
    names = np.array(panel.features)
    counts = panel.feature_type == FeatureType.COUNTS
    weights = {sample: caps[sample] / n_cells(path) for sample, path in samples.items()}
    totals, panel_shares = _panel_totals(samples, features, names, weights) if counts else ({}, None)
    depth = float(np.median(np.concatenate([evenly(totals[s], caps[s]) for s in totals]))) if counts else 1.0
    whole = names
    cofactor, common = None, None
    own_totals: dict[str, tuple[str, float] | None] = {}
    if panel.feature_type == FeatureType.CONTINUOUS:
        own_totals = {sample: constant_total(_matrix(path)) for sample, path in samples.items()}
        common = CommonTotal.of(own_totals)
        sizes = [_sizes(_matrix(path, common, own_totals[s]), features[s], names) for s, path in samples.items()]
        cofactor = cofactors(np.vstack(sizes))

    def values(sample: str, path: Path) -> tuple[sp.csr_matrix, np.ndarray]:
        """Transformed values, n_cells x (those of ``names`` that the sample has), and which these are (bool)."""
        columns, present = _columns(_matrix(path, common, own_totals.get(sample)), features[sample], names)
        own = None if cofactor is None else cofactor[present]
        return transform(columns, panel.feature_type, depth, totals.get(sample), own), present

    if len(names) > n_top:
        per_sample = []
        for sample, path in progress(samples.items(), "variable features"):
            moments = Moments()
            X, present = values(sample, path)
            moments.add(X, cross=False, present=present)
            per_sample.append(np.where(present, moments.variance, np.nan))
        chosen = most_variable(per_sample, [caps[sample] for sample in samples], n_top)
        names, cofactor = names[chosen], None if cofactor is None else cofactor[chosen]
    moments = Moments()
    for sample, path in progress(samples.items(), "covariance"):
        X, present = values(sample, path)
        moments.add(X, cross=True, present=present, weight=weights[sample])
    # each marker has a contrast of its own; counts after log and shares of positive cells are comparable as they are
    scale = np.ones(len(names))
    if panel.feature_type == FeatureType.CONTINUOUS:
        scale = np.where(moments.variance > 0, np.sqrt(moments.variance), 1.0)
    if not moments.variance.any():
        message = (
            "no feature varies between its cells, so that there are no niches; give features in which cells differ"
        )
        raise BadInput(Problem("the cohort", message))
    if panel.feature_type in SHARES and len(names) <= n_components:
        loadings, variance = whole_panel(moments)
    else:
        loadings, variance = principal_components(moments, scale, n_components)
    total = float((moments.variance / scale**2).sum())
    log.info("%d features (%s), %d components explain %.0f %% of their variance, depth %.0f",
             len(names), panel.feature_type, len(variance), 100 * variance.sum() / total, depth)  # fmt: skip
    basis = Basis(names, str(panel.feature_type), depth, moments.mean, scale, loadings, variance, total, cofactor,
                  whole if counts else None, panel_shares,
                  None if common is None else common.total, None if common is None else common.form)  # fmt: skip
    return basis, panel.left_out, own_totals


def _panel_totals(
    samples: dict[str, Path], features: dict[str, pd.Index], panel: np.ndarray, weights: dict[str, float]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Counts of the cells of each sample over ``panel`` (P,), and the share (P,) of all counts in each.

    ``weights``: of a cell of each sample.
    """
    sums, cells, totals = np.zeros(len(panel)), np.zeros(len(panel)), {}
    for sample, path in samples.items():
        X = _matrix(path)
        columns, present = _columns(X, features[sample], panel)
        sums[present] += weights[sample] * np.asarray(columns.sum(0, dtype=np.float64)).ravel()
        cells[present] += weights[sample] * X.shape[0]
        totals[sample] = row_sums(columns)
    shares = sums / cells / max((sums / cells).sum(), 1e-300)
    for sample, index in features.items():
        present = pd.Index(panel).isin(index)
        if not present.all():
            totals[sample] = totals[sample] / max(float(shares[present].sum()), 1e-12)
    return totals, shares


def _sizes(X: sp.csr_matrix, features: pd.Index, names: np.ndarray) -> np.ndarray:
    """``typical_sizes`` of ``names`` (G,) in a sample, NaN for those that it lacks."""
    columns, present = _columns(X, features, names)
    sizes = np.full(len(names), np.nan)
    sizes[present] = typical_sizes(columns)
    return sizes


def _project(
    path: Path, basis: Basis, features: pd.Index, own_total: tuple[str, float] | None = None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Table, positions and components of the cells of a sample, and the ``scatter`` of its leading features."""
    adata = ad.read_h5ad(path)
    # random starts and ties among neighbours go by position: in one order of cells they are the same for every order
    adata = adata[np.sort(adata.obs_names)]
    obs = adata.obs[[Obs.SAMPLE, Obs.PATIENT, Obs.BATCH]].astype(str).astype("category")
    X = adata.X if basis.common is None else basis.common.bring(sp.csr_matrix(adata.X), own_total)
    columns, present = _columns(X, features, basis.features)
    spatial = np.asarray(adata.obsm[Obsm.SPATIAL], dtype=np.float64)
    totals = basis.totals(X, features)
    return obs, spatial, basis.project(columns, totals, present), scatter(X, features, totals, basis)


def _columns(X: sp.csr_matrix, features: pd.Index, names: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
    index = features.get_indexer(names)
    present = index >= 0
    return sp.csr_matrix(X)[:, index[present]], present


def _matrix(path: Path, common: CommonTotal | None = None, own_total: tuple[str, float] | None = None) -> sp.csr_matrix:
    """Values of a sample, at the ``common`` total where there is one."""
    X = sp.csr_matrix(_element(path, "X"))
    return X if common is None else common.bring(X, own_total)


def _element(path: Path, name: str):
    """One part of a file: reading all of it, a column of cells after the other, takes longer than its matrix."""
    with h5py.File(path) as stored:
        return read_elem(stored[name])


def _write_samples(
    samples, tables, stacked, corrected, exchanged, basis: Basis, model: dict[str, int], outdir: Path
) -> None:
    start = 0
    for (sample, path), (obs, spatial) in zip(samples.items(), tables):
        rows = slice(start, start + len(obs))
        start += len(obs)
        adata = ad.AnnData(obs=obs, obsm={Obsm.SPATIAL: spatial})
        adata.obsm[Obsm.COMPONENTS] = stacked[rows]
        adata.obsm[Obsm.HARMONY] = corrected[rows]
        recorded = _element(path, f"uns/{UNS}")
        adata.uns[UNS] = {k: recorded[k] for k in KEPT_UNS if k in recorded}
        adata.uns[UNS] |= {"feature_type": basis.feature_type, **{OF_MODEL + k: v for k, v in model.items()}}
        adata.uns[UNS]["leading_loadings"] = basis.leading_loadings()
        gain, clear, looks = exchanged[sample]
        adata.uns[UNS] |= {"exchanged": gain, "exchanged_clear": clear}
        adata.uns[UNS]["exchanged_features"] = listed(looks, SHOWN) if looks else ""
        if basis.shares_mean is not None:
            adata.uns[UNS]["shares_mean"] = basis.shares_mean
        write_h5ad(outdir / f"{sample}.components.h5ad", adata)


def _save_basis(basis: Basis, reference: HarmonyReference | None, record: dict, path: Path) -> None:
    arrays = basis.arrays() | record
    if reference is not None:
        arrays["harmony_centres"] = reference.centres
    write_arrays(path, arrays)
