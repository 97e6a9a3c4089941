"""Which features the samples of a cohort have in common."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semanticst.constants import FeatureType
from semanticst.errors import BadInput, Problem

log = logging.getLogger(__name__)

MIN_SHARED = 0.5
"""Smallest share of the smallest panel that all samples must have in common."""


@dataclass(frozen=True)
class Panel:
    """Features (sorted) and their kind, common to all samples; ``left_out`` counts what each sample has beyond them."""

    features: tuple[str, ...]
    feature_type: FeatureType
    left_out: dict[str, int]


def common_panel(features: dict[str, Sequence[str]], types: dict[str, str]) -> Panel:
    """Intersection of the samples' features: a feature that one sample lacks says nothing about that sample.

    Raises BadInput when samples hold different kinds of features, or when fewer than half of the smallest panel
    is shared (different panels, or one sample named by symbol and another by Ensembl id).
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
    shared = set.intersection(*(set(names) for names in features.values()))
    smallest = min(features, key=lambda s: (len(features[s]), s))
    if len(shared) < max(1, MIN_SHARED * len(features[smallest])):
        raise BadInput(
            Problem(
                smallest,
                f"only {len(shared)} of its {len(features[smallest])} features are in all {len(features)} samples, at "
                f"least {MIN_SHARED:.0%} are needed; check that all samples are named by symbol, or all by Ensembl id",
            )
        )
    left_out = {sample: len(names) - len(shared) for sample, names in features.items()}
    log.info("%d features shared by %d samples (%s), at most %d left out of one sample",
             len(shared), len(features), kinds[0], max(left_out.values()))  # fmt: skip
    return Panel(tuple(sorted(shared)), FeatureType(kinds[0]), left_out)


def _most_common(values: list[str]) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[counts.argmax()])
