"""Base clusterings of the consensus: a mixture on each representation, and the parts that it gives cells.

Representations of one source are nested: the leading components of the widest. So its cells are made once, and one
product gives the parts of all its base clusterings.
"""

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from semanticst.niche.deciding_cells import deciding_cells
from semanticst.niche.em import Cells
from semanticst.niche.mixture import Mixture, MixtureSearch
from semanticst.niche.representations import Representation
from semanticst.threads import in_parallel


def fit_base_clusterings(
    adata: ad.AnnData,
    representations: Sequence[Representation],
    numbers: Sequence[int],
    *,
    shrinkage: float,
    starts: int,
    seed: int,
    threads: int = 1,
) -> dict[int, list[Mixture]]:
    """For each of the ``numbers`` of parts, a mixture of the `deciding_cells` on each representation."""
    sources = _Sources(adata, representations)

    def fit(representation: Representation) -> list[Mixture]:
        search = MixtureSearch(sources.cells(representation), starts=starts, seed=seed)
        return [search.fit(k, shrinkage=shrinkage, refine=4) for k in numbers]

    found = in_parallel(fit, representations, threads, "base clusterings")
    return {k: [mixtures[i] for mixtures in found] for i, k in enumerate(numbers)}


def assign_parts(
    adata: ad.AnnData, representations: Sequence[Representation], mixtures: Sequence[Mixture]
) -> list[np.ndarray]:
    """Part (n,) int64 of each cell in every base clustering's own numbering."""
    parts = [np.empty(adata.n_obs, dtype=np.int64) for _ in mixtures]
    for members in _by_source(representations).values():
        maps = [_from_source(representations[i], mixtures[i]) for i in members]
        slopes, constants = np.hstack([slope for slope, _ in maps]), np.hstack([constant for _, constant in maps])
        ends = np.cumsum([len(constant) for _, constant in maps])
        first = 0
        for block in representations[members[0]].blocks(adata):
            odds = np.split(block @ slopes + constants, ends[:-1], axis=1)
            for i, odds_of_parts in zip(members, odds):
                parts[i][first : first + len(block)] = odds_of_parts.argmax(1)
            first += len(block)
    return parts


def _from_source(representation: Representation, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """``Mixture.linear`` for the columns of the source, of which components are linear too."""
    slopes, constants = mixture.linear()
    slopes = representation.loadings @ slopes
    return slopes, constants - representation.mean @ slopes


def _by_source(representations: Sequence[Representation]) -> dict[tuple[str, tuple[int, int]], list[int]]:
    """Positions of the representations of each source and part of its columns."""
    found: dict[tuple[str, tuple[int, int]], list[int]] = {}
    for i, representation in enumerate(representations):
        found.setdefault((representation.source, representation.columns), []).append(i)
    return found


class _Sources:
    """Cells of the widest representation of each source, made when first asked for; one at a time, since
    representations are asked for in their order."""

    def __init__(self, adata: ad.AnnData, representations: Sequence[Representation]):
        self._adata = adata
        self._held: dict[tuple[str, tuple[int, int]], Cells] = {}
        self._widest = {
            source: max((representations[i] for i in members), key=lambda r: r.loadings.shape[1])
            for source, members in _by_source(representations).items()
        }

    def cells(self, representation: Representation) -> Cells:
        source = (representation.source, representation.columns)
        if source not in self._held:
            self._held.clear()
            self._held[source] = self._deciding(self._widest[source].cells(self._adata))
        return self._held[source].leading(representation.loadings.shape[1])

    def _deciding(self, cells: Cells) -> Cells:
        rows = deciding_cells(self._adata)
        return cells if isinstance(rows, slice) else cells.taken(rows, cells.centre)


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
