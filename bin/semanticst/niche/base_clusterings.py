"""Niche counts of each base clustering, for the sensitivity of findings to the clustering."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def base_clustering_counts(
    samples: np.ndarray, partitions: Sequence[np.ndarray], mapping: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    """Count the cells of every niche in every sample, once per base clustering.

    ``samples`` (n,) sample of each cell; ``partitions`` of the n cells, one per base clustering; ``mapping`` (base
    clusterings, k) from their parts to niches; ``names`` of them. Each is fitted from its own starts to its own
    representation of the cells.

    Returns columns member, sample, niche (from 1), n_cells, zeros included.
    """
    code, found = pd.factorize(samples, sort=True)
    k = mapping.shape[1]
    tables = []
    for name, partition, to_niche in zip(names, partitions, mapping):
        counts = np.bincount(code * k + to_niche[partition], minlength=len(found) * k)
        tables.append(
            pd.DataFrame(
                {
                    "member": name,
                    "sample": np.repeat(found, k),
                    "niche": np.tile(np.arange(1, k + 1), len(found)),
                    "n_cells": counts,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
