"""Samples that are mapped onto a model: what it knows of its own samples, and whether others are like them."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from semanticst.constants import GRAPH_SETTINGS, UNS, FeatureType, has_network
from semanticst.errors import BadInput, Problem
from semanticst.features.basis import Basis
from semanticst.features.exchanged import OF_FEATURES, TOGETHER
from semanticst.units import percent

log = logging.getLogger(__name__)

MIN_VARIANCE = 0.9
"""Smallest share of the variance of a model's components that lies in features which a mapped sample must have."""
MIN_DOMINANCE = 0.5
"""Counts of a sample are refused below this part of the lowest dominance among the model's samples. Rounded logarithms
have at most this part of the lowest of the other samples: STARmap 0.30, DLPFC 0.44, ladder 0.60, breast cancers 0.67
(in the latter two they may pass). Samples themselves have at least 0.6 to 1.0; depth changes nothing."""
CELLS_OF_DOMINANCE = 1.0
"""Of n cells the limit is lower by this over sqrt(n): crops of 25 cells have at least 0.49 to 0.76."""
DEPTH_FACTOR = 10
"""Median total of a sample against the model's from which on it is told."""
ACCEPTED = ("platform", "values")
"""Differences that a user may accept."""
FIRST = 3
"""Features that are shown of a panel."""


def record_samples(
    samples: dict[str, Path], features: dict[str, pd.Index], basis: Basis, min_samples: float
) -> dict[str, np.ndarray]:
    """What a model remembers of its samples, without their names: platforms, units, numbers, and limits."""
    recorded = [_uns(path) for path in samples.values()]
    covered = [basis.covered(index) for index in features.values()]
    found = {
        "platforms": np.array(_known(r.get("platform", "") for r in recorded)),
        "spatial_units": np.array(_known(r.get("spatial_unit", "") for r in recorded)),
        "n_samples": np.array(len(samples)),
        "n_cells": np.array(sum(n_cells(path) for path in samples.values())),
        "features_min_samples": np.array(float(min_samples)),
        "lowest_covered": np.array(min(covered)),
    }
    if basis.feature_type == FeatureType.COUNTS:
        lowest = min(dominance(_matrix(path), features[sample], basis) for sample, path in samples.items())
        found[DOMINANCE] = np.array(lowest)
    return found


def model_parts(model: dict) -> tuple[Basis, dict, dict[str, int]]:
    """Basis, record of the samples and ``graph_*`` values of a loaded ``model.pt``.

    Raises BadInput when something of it is missing or does not fit together.
    """
    try:
        basis, record = Basis.from_arrays(model["basis"]), model["basis"]
        settings = {name: int(model["mixture"][name]) for name in GRAPH_SETTINGS}
        n_features, n_components = basis.loadings.shape
        shapes = [(basis.features, n_features), (basis.mean, n_features), (basis.scale, n_features),
                  (basis.variance, n_components)]  # fmt: skip
        fits = all(np.shape(values) == (n,) for values, n in shapes)
        network = int(model["network"]["shape"]["n_input"]) if has_network(model) else n_components
        known = known_samples({name: record[name] for name in RECORDED} | record)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        message = f"has no complete features ({error}); give integration/model.pt of a finished run, as it was written"
        raise BadInput(Problem("the model", message)) from error
    if not fits or network != n_components:
        message = f"its parts do not fit together: {n_components} components, a network of {network}; give it as it was"
        raise BadInput(Problem("the model", message))
    return basis, known, settings


def recorded_of(model: dict) -> dict[str, np.ndarray]:
    """What a model remembers of its samples, as ``record_samples`` gave it."""
    return {name: np.asarray(model["basis"][name]) for name in (*RECORDED, DOMINANCE, *SOME) if name in model["basis"]}


def known_samples(record: dict) -> dict:
    """What of ``record_samples`` new samples are compared with."""
    return {
        "platforms": [str(name) for name in np.atleast_1d(record["platforms"])],
        "lowest_covered": float(record["lowest_covered"]),
        "lowest_dominance": float(record.get(DOMINANCE, 0.0)),
    }


DOMINANCE = "lowest_dominance"
RECORDED = ("platforms", "spatial_units", "n_samples", "n_cells", "features_min_samples", "lowest_covered")
"""Names in ``record_samples`` of every model."""
N_BATCHES = "n_batches"
SOME = (OF_FEATURES, TOGETHER, N_BATCHES)
"""Names of what models of panels of a few features, and those of before, do not have."""


def check_mapped(
    samples: dict[str, Path],
    features: dict[str, pd.Index],
    possible: dict[str, list[str]],
    basis: Basis,
    record: dict,
    min_samples: float,
    accept: Sequence[str] = (),
) -> None:
    """Raise BadInput for samples that the basis of a model cannot be used for; log what is told only.

    A sample may lack features, in which it counts as average then, up to ``MIN_VARIANCE`` of the variance, or as far as
    ``min_samples`` or the model's own samples go below it.
    """
    least = min(MIN_VARIANCE, min_samples, record["lowest_covered"])
    problems = []
    for sample, path in samples.items():
        platform = str(_uns(path).get("platform", ""))
        covered = basis.covered(features[sample])
        missing = pd.Index(basis.features).difference(features[sample])
        if basis.feature_type not in possible[sample]:
            message = f"holds {possible[sample][0]} features, the model was trained on {basis.feature_type}"
            problems.append(Problem(path, message, value=possible[sample][0]))
            continue
        if covered < least - 1e-9:
            problems.append(Problem(path, _too_few(features[sample], missing, basis, covered, least)))
            continue
        if len(missing):
            message = "%s: lacks %d of the %d features of the model, with %.1f %% of its variance: average in them"
            log.warning(message, sample, len(missing), len(basis.features), 100 * (1 - covered))
        if platform and record["platforms"] and platform not in record["platforms"]:
            message = (
                f"was measured with another platform than the model's samples ({', '.join(record['platforms'])}); "
                "train a model on this platform, or accept it with --model_accept platform"
            )
            _refuse_or_tell("platform", accept, Problem(path, message, column="platform", value=platform), problems)
        if basis.feature_type == FeatureType.COUNTS:
            X = _matrix(path)
            _check_counts(sample, path, X, features[sample], basis, record, accept, problems)
    if problems:
        raise BadInput(problems)


def _check_counts(sample, path, X, features, basis: Basis, record: dict, accept, problems: list[Problem]) -> None:
    found = dominance(X, features, basis)
    least = MIN_DOMINANCE * (1 - CELLS_OF_DOMINANCE / np.sqrt(max(X.shape[0], 1)))
    if found < least * record["lowest_dominance"]:
        message = (
            f"its values are spread over the features far more evenly (Simpson index {found:.4f}) than the counts of "
            f"the model's samples (at least {record['lowest_dominance']:.4f}), as rounded logarithms are; "
            "give counts as they were measured, or accept them with --model_accept values"
        )
        _refuse_or_tell("values", accept, Problem(path, message), problems)
    total = float(np.median(basis.totals(X, features)))
    if not 1 / DEPTH_FACTOR <= total / max(basis.depth, 1e-12) <= DEPTH_FACTOR:
        log.warning("%s: its cells have a median of %.0f counts, the model's %.0f", sample, total, basis.depth)


def _refuse_or_tell(kind: str, accept: Sequence[str], problem: Problem, problems: list[Problem]) -> None:
    if kind in accept:
        log.warning("accepted: %s", problem)
    else:
        problems.append(problem)


def dominance(X: sp.csr_matrix, features: pd.Index, basis: Basis) -> float:
    """Simpson index of counts over the model's features: mean over cells of sum x (x - 1) / (T (T - 1)), by weights T.

    The chance that two molecules of a cell are of one gene (Simpson 1949). It does not depend on depth. The weight is
    the total T of a cell, not T (T - 1), so that a few deep cells are not all of it.
    """
    X = sp.csr_matrix(X)[:, features.isin(basis.features)].astype(np.float64)
    T = np.asarray(X.sum(1)).ravel()
    same = np.asarray(X.multiply(X).sum(1)).ravel() - T
    pairs = T > 1
    return float((same[pairs] / (T[pairs] - 1)).sum() / max(T[pairs].sum(), 1.0))


def _too_few(features: pd.Index, missing: pd.Index, basis: Basis, covered: float, least: float) -> str:
    """Why a sample without ``missing`` is refused, and how the names of both look where it may be the names."""
    message = f"lacks {len(missing)} of the {len(basis.features)} features of the model, for example {missing[0]}; "
    have = f"it has features with {percent(covered)} of the model's variance, at least {percent(least)} are needed; "
    lower = pd.Index(basis.features.astype(str)).str.lower().isin(features.str.lower()).mean()
    if covered >= least / 2:
        return message + have + "map only samples measured with the same panel, or lower --features_min_samples"
    message += f"the model's features look like {_few(basis.features)}, those of the sample like {_few(features)}: "
    if lower >= 0.5:
        return message + "they differ in upper and lower case (mouse and human spell so); spell them as the model does"
    return message + (
        "if these are names of one panel in two forms, as Ensembl ids and symbols are, give the sample a column "
        "'symbol' (or 'gene_id'); else map only samples that were measured with the same panel"
    )


def _few(names: Iterable) -> str:
    return ", ".join(str(name) for name in list(names)[:FIRST])


def _known(values: Iterable) -> list[str]:
    return sorted({str(value) for value in values} - {""})


def _uns(path: Path) -> dict:
    with h5py.File(path) as stored:
        return read_elem(stored[f"uns/{UNS}"])


def _matrix(path: Path) -> sp.csr_matrix:
    with h5py.File(path) as stored:
        return read_elem(stored["X"])


def n_cells(path: Path) -> int:
    with h5py.File(path) as stored:
        return int(stored["X"].attrs["shape"][0])
