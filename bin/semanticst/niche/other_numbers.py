"""The niches of one number in those of another: what becomes of each, and its cells per sample."""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def other_number_counts(samples: np.ndarray, labels: np.ndarray, others: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Count the cells of what corresponds to each niche under other numbers of niches.

    Parameters
    ----------
    samples
        Sample of each cell (n,).
    labels
        Niche of each cell (n,), from 0.
    others
        Niche of each cell under other numbers, by number.

    Returns
    -------
    pandas.DataFrame
        Columns member (``k=5``), sample, niche (from 1, of ``labels``), n_cells. Every part counts for the niche with
        which it shares most cells; a niche that no part is mostly made of has no rows.
    """
    code, found = pd.factorize(samples, sort=True)
    k = labels.max(initial=-1) + 1
    tables = []
    for number, parts in sorted(others.items()):
        overlap = np.zeros((parts.max(initial=-1) + 1, k), dtype=int)
        np.add.at(overlap, (parts, labels), 1)
        niche_of_part = overlap.argmax(axis=1)
        counts = np.bincount(code * k + niche_of_part[parts], minlength=len(found) * k).reshape(len(found), k)
        for niche in np.unique(niche_of_part[overlap.sum(axis=1) > 0]):
            rows = {"member": f"k={number}", "sample": found, "niche": niche + 1, "n_cells": counts[:, niche]}
            tables.append(pd.DataFrame(rows))
    if not tables:
        return pd.DataFrame(columns=["member", "sample", "niche", "n_cells"])
    return pd.concat(tables, ignore_index=True)
