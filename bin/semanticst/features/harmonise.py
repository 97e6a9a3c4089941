"""Features that the samples of a cohort have in common."""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from semanticst.constants import FeatureType
from semanticst.errors import BadInput, Problem
from semanticst.io.gene_names import are_ensembl
from semanticst.units import percent

log = logging.getLogger(__name__)

MIN_SHARED = 0.5
"""Smallest share of the smallest panel that must be among the features of the cohort."""


@dataclass(frozen=True)
class Panel:
    """Features (sorted) of the cohort and their kind; ``left_out`` counts what each sample has beyond them."""

    features: tuple[str, ...]
    feature_type: FeatureType
    left_out: dict[str, int]


def common_names(tables: dict[str, pd.DataFrame]) -> dict[str, pd.Index]:
    """Feature names of each sample, by symbol in all of them where some are named by Ensembl id.

    tables : ``var`` of each sample in the internal form. Ids become symbols by samples that have both (``gene_id``); an
    id that none of these knows, or whose symbol another id of the sample has too, stays as it is. Raises BadInput
    when samples are named in both ways and none says which id is which symbol.
    """
    names = {sample: var.index for sample, var in tables.items()}
    by_id = sorted(sample for sample, index in names.items() if are_ensembl(index))
    if not by_id or len(by_id) == len(names):
        return names
    symbol_of = _symbols_of_ids({sample: var for sample, var in tables.items() if sample not in by_id})
    if symbol_of.empty:
        other = next(sample for sample in sorted(names) if sample not in by_id)
        message = (
            f"its features are named by Ensembl id, those of {other} by symbol, and no sample has both; write symbols "
            "into a column 'symbol' of var, or ids into a column 'gene_id'"
        )
        raise BadInput([Problem(sample, message, value=names[sample][0]) for sample in by_id])
    for sample in by_id:
        ids = names[sample]
        symbols = pd.Series(symbol_of.reindex(ids).to_numpy(), index=ids)
        known = symbols.notna() & ~symbols.duplicated(keep=False)
        names[sample] = pd.Index(np.where(known, symbols, ids.to_numpy(object)).astype(str))
        log.info("%s: %d of %d Ensembl ids are read as symbols", sample, known.sum(), len(ids))
    return names


def _symbols_of_ids(tables: dict[str, pd.DataFrame]) -> pd.Series:
    """Symbol of each Ensembl id, as the samples have it that know both; the first sample by name decides."""
    known = [
        pd.Series(var.index.to_numpy(), index=var["gene_id"].astype(str).to_numpy())
        for _, var in sorted(tables.items())
        if "gene_id" in var
    ]
    if not known:
        return pd.Series(dtype=object)
    together = pd.concat(known)
    return together[~together.index.duplicated()]


def common_panel(features: dict[str, Sequence[str]], types: dict[str, str], min_samples: float = 1.0) -> Panel:
    """Features that at least ``min_samples`` (share, 1 = all) of the samples have.

    By default the intersection: a feature that one sample lacks says nothing about that sample. Below 1, a sample that
    lacks a feature counts as average in it (see `semanticst.features.basis`).

    Raises BadInput when samples hold different kinds of features, or when fewer than half of the smallest panel
    is among the features of the cohort (different panels).
    """
    kinds = sorted(set(types.values()))
    if len(kinds) > 1:
        raise BadInput(
            [
                Problem(
                    sample,
                    f"the samples of a cohort must hold one kind of features, found {', '.join(kinds)}; state the kind "
                    "in the samplesheet column 'feature_type' or leave the sample out",
                    value=kind,
                )
                for sample, kind in sorted(types.items())
                if kind != _most_common(list(types.values()))
            ]
        )
    frequency = Counter(name for names in features.values() for name in set(names))
    needed = max(1, math.ceil(min_samples * len(features) - 1e-9))
    chosen = {name for name, n in frequency.items() if n >= needed}
    shared = {sample: len(chosen.intersection(names)) for sample, names in features.items()}
    smallest = min(features, key=lambda s: (len(features[s]), s))
    if shared[smallest] < max(1, MIN_SHARED * len(features[smallest])):
        common = {sample: _with_most_others(names, frequency, len(features)) for sample, names in features.items()}
        odd = min(features, key=lambda s: (common[s] / max(len(features[s]), 1), s))
        others = "most of the other samples" if len(features) > 2 else "the other sample"
        raise BadInput(
            Problem(
                odd,
                f"only {common[odd]} of its {len(features[odd])} features are in {others}, and "
                f"{shared[smallest]} of the {len(features[smallest])} of {smallest}, the smallest panel, in "
                f"{_in_how_many(needed, features)}; at least {percent(MIN_SHARED)} are needed. Check that all samples "
                "were measured with one panel, leave out those that were not, or lower --features_min_samples",
            )
        )
    left_out = {sample: len(names) - shared[sample] for sample, names in features.items()}
    log.info("%d features are in %s (%s), at most %d left out of one sample",
             len(chosen), _in_how_many(needed, features), kinds[0], max(left_out.values()))  # fmt: skip
    return Panel(tuple(sorted(chosen)), FeatureType(kinds[0]), left_out)


def _with_most_others(names: Sequence[str], frequency: Mapping[str, int], n_samples: int) -> int:
    """How many of the features of a sample at least half of the others have."""
    return sum(2 * (frequency[name] - 1) >= max(n_samples - 1, 1) for name in set(names))


def _in_how_many(needed: int, features: dict) -> str:
    return f"all {len(features)} samples" if needed == len(features) else f"{needed} of {len(features)} samples"


def _most_common(values: list[str]) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[counts.argmax()])
